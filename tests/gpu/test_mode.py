"""Choosing the GPU, and what happens without one."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from standin import cuda

import caffe
from caffe_fcn import mode
from caffe_fcn.blob import Blob
from caffe_fcn.errors import NotSupportedError
from caffe_fcn.gpu.find import cudnn_problem, oldest_capability, problem


def _without_cupy(monkeypatch, cupy):
    monkeypatch.setitem(sys.modules, "cupy", None)


def _without_driver(monkeypatch, cupy):
    def fail():
        raise cuda.CUDARuntimeError("cudaErrorInsufficientDriver: too old")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail, raising=False)


def _without_card(monkeypatch, cupy):
    monkeypatch.setattr(cuda, "DEVICES", 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def _old_card(monkeypatch, cupy):
    real = cuda._Runtime.getDeviceProperties
    monkeypatch.setattr(cuda._Runtime, "getDeviceProperties", lambda self, i: real(self, i) | {"major": 3, "minor": 7})


MISSING = [
    (_without_cupy, r"CuPy is not installed: pip install 'caffe_fcn\[gpu\]' for CUDA 12"),
    (_without_driver, r"no NVIDIA driver that fits CuPy 14.*too old.*install or update the driver"),
    (_without_card, r"there is no NVIDIA GPU \(CUDA_VISIBLE_DEVICES is ''\)"),
    (_old_card, r"GPU 0, Stand-in, has the compute capability 3\.7, CUDA 12 needs 5\.0"),
]


@pytest.mark.parametrize(("take_away", "words"), MISSING, ids=lambda value: getattr(value, "__name__", ""))
def test_without_a_usable_gpu_one_warning_then_the_cpu(take_away, words, cupy, monkeypatch):
    take_away(monkeypatch, cupy)
    with pytest.warns(RuntimeWarning, match=f"GPU mode: {words}.*; going on with the CPU"):
        caffe.set_mode_gpu()
    assert mode.device() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caffe.set_mode_gpu()
    monkeypatch.setenv("CAFFE_FCN_STRICT_GPU", "1")
    with pytest.raises(NotSupportedError, match=words):
        caffe.set_mode_gpu()


def test_a_broken_cupy_says_what_it_lacks(cupy, monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: exec("raise ImportError('libnvrtc.so.12')"))
    assert "CuPy does not load (libnvrtc.so.12)" in problem(0)


def test_cards_that_cuda_knows():
    assert [oldest_capability(version) for version in (12040, 13000)] == [50, 75]


@pytest.mark.parametrize(("version", "words"), [(None, "cuDNN is not there"), (80900, "cuDNN 80900 is too old"),
                                                (91000, None)])
def test_cudnn(version, words, monkeypatch):
    module = None if version is None else type(sys)("cudnn")
    if module is not None:
        module.backend_version = lambda: version
    monkeypatch.setitem(sys.modules, "cudnn", module)
    found = cudnn_problem()
    assert found is None if words is None else words in found


def test_a_number_that_no_card_has(gpu, monkeypatch):
    before = mode.device()
    with pytest.raises(ValueError, match="GPU 3 was chosen, but there are 1"):
        caffe.set_device(3)
    assert mode.device() is before
    caffe.set_mode_gpu()
    assert mode.device() is before


def test_the_device_is_chosen_before_or_after_the_mode(cupy, monkeypatch):
    monkeypatch.setattr(cuda, "DEVICES", 2)
    caffe.set_device(1)
    caffe.set_mode_gpu()
    assert mode.device().index == 1
    second = mode.device()
    caffe.set_device(0)
    assert mode.device().index == 0
    caffe.set_device(1)
    assert mode.device() is second


def test_values_follow_the_mode(gpu, monkeypatch):
    """From the host to a card, to another card, and back: each time when they are asked for."""
    monkeypatch.setattr(cuda, "DEVICES", 2)
    blob = Blob((2, 3))
    blob.data[...] = 1
    blob.array[...] += 1
    caffe.set_device(1)
    blob.array[...] += 1
    caffe.set_mode_cpu()
    blob.array[...] += 1
    assert isinstance(blob.array, np.ndarray)
    caffe.set_mode_gpu()
    blob.array[...] += 1
    assert (blob.data == 5).all()


def test_values_that_both_sides_have_follow_to_another_card(gpu, monkeypatch):
    monkeypatch.setattr(cuda, "DEVICES", 2)
    blob = Blob((2,))
    blob.array[...] = 3
    blob.memories[0].peek()
    caffe.set_device(1)
    assert (blob.array.get() == 3).all()


def test_importing_touches_no_gpu_library():
    code = "import sys, caffe; caffe.Net; sys.exit(any(name in sys.modules for name in ('cupy', 'cudnn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
