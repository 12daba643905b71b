"""NVIDIA's compiler takes every kernel, where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from caffe_fcn.ops.gpu import launch

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
TOPICS = sorted(path.stem for path in launch.FOLDER.glob("*.cu") if path.stem != "common")
KINDS = [("f", False), ("d", True)]
pytestmark = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")


def compile_with(tmp_path, topic, code, wide, *options):
    source = tmp_path / f"{topic}.cu"
    source.write_text(launch.source(topic))
    command = [NVCC, *launch.options(np.dtype(code), wide), *options, "-Werror", "all-warnings", str(source)]
    return subprocess.run([*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("code, wide", KINDS)
@pytest.mark.parametrize("topic", TOPICS)
def test_compiles(tmp_path, topic, code, wide):
    done = compile_with(tmp_path, topic, code, wide, "-ptx")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_compiles_for_the_oldest_and_the_newest_cards(tmp_path, topic):
    known = subprocess.run([NVCC, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    for card in (known[0], known[-1]):
        done = compile_with(tmp_path, topic, "f", False, "-cubin", f"-arch={card}")
        assert done.returncode == 0, done.stderr
