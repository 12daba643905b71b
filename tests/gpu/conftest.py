"""Fixtures that play a GPU on the CPU."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from kernel_ops import KernelOps
from standin import dnn, make
from standin.cuda import pool

from caffe_fcn import mode, ops

CARDS = [pytest.param("card", marks=pytest.mark.gpu)] if importlib.util.find_spec("cupy") else []


@pytest.fixture
def cupy(monkeypatch):
    """The stand-in as the module `cupy`; GPU mode is still to be set."""
    modules = make()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "cudnn", None)
    ops.gpu_ops.cache_clear()
    mode.forget_devices()
    yield modules["cupy"]
    mode.set_mode_cpu()
    mode.forget_devices()
    ops.gpu_ops.cache_clear()
    pool.set_limit(0)


@pytest.fixture
def cudnn(cupy, monkeypatch):
    """The stand-in as the module `cudnn`, too."""
    module = dnn.make()
    monkeypatch.setitem(sys.modules, "cudnn", module)
    return module


@pytest.fixture
def gpu(cupy):
    """GPU mode on the stand-in."""
    mode.set_mode_gpu()
    assert mode.device() is not None
    return cupy


@pytest.fixture(params=["standin", *CARDS])
def any_gpu(request):
    """GPU mode on the stand-in and, where CuPy is installed, on a card; the module cupy."""
    if request.param == "standin":
        yield request.getfixturevalue("gpu")
        return
    import cupy

    if not cupy.is_available():
        pytest.skip("no GPU")
    ops.gpu_ops.cache_clear()
    mode.forget_devices()
    mode.set_mode_gpu()
    yield cupy
    mode.set_mode_cpu()
    mode.forget_devices()


@pytest.fixture(params=["standin", *CARDS])
def kernels(request, monkeypatch):
    """The operations with kernels compiled for the host and, where CuPy is installed, on a card."""
    if request.param == "standin":
        return KernelOps(request.getfixturevalue("cupy"), monkeypatch)
    import cupy

    if not cupy.is_available():
        pytest.skip("no GPU")
    return KernelOps(cupy, monkeypatch)
