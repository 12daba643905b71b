"""NVIDIA's compilers take every kernel, where they are installed: nvcc, and the library that CuPy compiles with."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_fcn.ops.gpu import launch

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
TOPICS = sorted(path.stem for path in launch.FOLDER.glob("*.cu") if path.stem != "common")
KINDS = [("f", False), ("d", True)]
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")


def compile_with(tmp_path, topic, code, wide, *options):
    source = tmp_path / f"{topic}.cu"
    source.write_text(launch.source(topic))
    command = [NVCC, *launch.options(np.dtype(code), wide), *options, "-Werror", "all-warnings", str(source)]
    return subprocess.run([*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, timeout=300)


@needs_nvcc
@pytest.mark.parametrize("code, wide", KINDS)
@pytest.mark.parametrize("topic", TOPICS)
def test_compiles(tmp_path, topic, code, wide):
    done = compile_with(tmp_path, topic, code, wide, "-ptx")
    assert done.returncode == 0, done.stderr


@needs_nvcc
@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_compiles_for_the_oldest_and_the_newest_cards(tmp_path, topic):
    known = subprocess.run([NVCC, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    for card in (known[0], known[-1]):
        done = compile_with(tmp_path, topic, "f", False, "-cubin", f"-arch={card}")
        assert done.returncode == 0, done.stderr


def nvrtc():
    """The library, of the system or of a package of pip, or None."""
    found = [path for entry in sys.path for path in Path(entry).glob("nvidia/*/lib/libnvrtc.so.1*")]
    name = ctypes.util.find_library("nvrtc") or next(map(str, found), None)
    return name and ctypes.CDLL(name)


@pytest.mark.parametrize("code, wide", KINDS)
@pytest.mark.parametrize("topic", TOPICS)
def test_compiles_at_run_time(topic, code, wide):
    """It has fewer names than nvcc: no header is read."""
    library = nvrtc()
    if library is None:
        pytest.skip("libnvrtc is not installed")
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), launch.source(topic).encode(), b"kernels.cu", 0, None, None)
    options = [option.encode() for option in launch.options(np.dtype(code), wide)]
    failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
