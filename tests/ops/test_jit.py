"""What a user sees of the compiler."""

import errno
import os
import subprocess
import sys

import numba
import numba.core.caching
import pytest

from caffe_fcn.ops.cpu import jit, simd

PROGRAM = ("import numpy as np\nfrom caffe_fcn import ops\nx = np.ones((1, 1, 2, 2), np.float32)\n"
           "for _ in range(2):\n    ops.cpu_ops().relu(x, x, 0)\n    ops.cpu_ops().relu_backward(x, x, x, 0)\n")


def test_compiling_is_announced_once_and_only_when_the_disk_has_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    heard = [subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
                            check=True, timeout=120).stderr for _ in range(2)]
    assert heard[0].count("\n") == 1 and "compiling kernels" in heard[0]
    assert heard[1] == ""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A function that makes a new kernel, always the same, and runs it: its hits and misses of what is on disk."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def run():
        @jit.njit(cache=True)
        def kernel(x):
            return x + 1

        assert kernel(1) == 2
        return sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values())

    return run


def test_kernels_are_compiled_anew_when_a_file_that_they_are_made_of_has_changed(kept, monkeypatch):
    assert kept() == (0, 1)
    assert kept() == (1, 0)
    monkeypatch.setattr(jit, "_code", lambda folder: b"other primitives")
    assert kept() == (0, 1)


def test_files_that_become_part_of_kernels(tmp_path):
    hashes = []
    for name, text in (("a.py", "@njit"), ("conv/b.py", "@primitive"), ("conv/b.py", "@primitive 2"), ("c.py", "no")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        jit._code.cache_clear()
        hashes.append(jit._code(tmp_path))
    jit._code.cache_clear()
    assert len(set(hashes[:3])) == 3 and hashes[2] == hashes[3]


def test_without_a_folder_to_write_to_kernels_are_compiled(kept, monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    assert kept() == kept() == (0, 1)


def test_on_a_full_disk_kernels_are_compiled(kept, monkeypatch):
    def full(self, key, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", full)
    assert kept() == kept() == (0, 1)


@pytest.mark.parametrize("features", ["", "+avx2,+fma"])
def test_vectors_are_for_what_numba_compiles_for(features, monkeypatch):
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)  # "" with NUMBA_CPU_NAME=generic
    assert simd._features() == features
