"""Choosing the GPU, and what happens without one."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from standin import cuda

import caffe
import caffe_fcn
from caffe_fcn import mode
from caffe_fcn.blob import Blob
from caffe_fcn.errors import NotSupportedError
from caffe_fcn.gpu.find import cudnn_problem, oldest_capability, problem


def _without_cupy(monkeypatch, cupy):
    monkeypatch.setitem(sys.modules, "cupy", None)


def _without_driver(monkeypatch, cupy):
    def fail():
        error = cuda.CUDARuntimeError("cudaErrorInsufficientDriver: too old")
        error.status = 35
        raise error

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail, raising=False)


def _without_card(monkeypatch, cupy):
    monkeypatch.setattr(cuda, "DEVICES", 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def _hidden_card(monkeypatch, cupy):
    """What CUDA really does if there is none: it gives no 0."""

    def fail():
        raise cuda.CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


def _without_compiler(monkeypatch, cupy):
    def fail():
        raise RuntimeError('Failure finding "libnvrtc.so.12":\nNo such file')

    monkeypatch.setattr(cupy.cuda.nvrtc, "getVersion", fail)


def _without_cublas(monkeypatch, cupy):
    def load(name):  # as a module's __getattr__
        raise ImportError(f'Failure finding "lib{name}Lt.so.12"')

    monkeypatch.delattr(cupy.cuda, "cublas")
    cupy.cuda.__getattr__ = load


def _old_card(monkeypatch, cupy):
    real = cuda._Runtime.getDeviceProperties
    monkeypatch.setattr(cuda._Runtime, "getDeviceProperties", lambda self, i: real(self, i) | {"major": 3, "minor": 7})


MISSING = [
    (_without_cupy, r"CuPy is not installed: pip install 'caffe_fcn\[gpu\]' for CUDA 12"),
    (_without_driver, r"no NVIDIA driver that fits CuPy 14.*too old.*install or update the driver"),
    (_without_card, r"there is no NVIDIA GPU \(CUDA_VISIBLE_DEVICES is ''\)"),
    (_hidden_card, r"there is no NVIDIA GPU \(CUDA_VISIBLE_DEVICES is '-1'\)"),
    (_without_compiler, r'a library of CUDA is missing \(Failure finding "libnvrtc.so.12": No such file\): pip'),
    (_without_cublas, r'a library of CUDA is missing \(Failure finding "libcublasLt.so.12"\): pip install'),
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


def test_a_precision_may_be_chosen_before_the_mode(cupy):
    """CuPy is told with the first card: without a driver it would fail."""
    products = sys.modules["cupy._core"]._routines_linalg
    caffe_fcn.set_matmul_precision("tf32")
    assert products.chosen == {}
    caffe.set_mode_gpu()
    assert products.chosen == {"float32": products.COMPUTE_TYPE_TF32}
    caffe_fcn.set_matmul_precision("float32")
    assert products.chosen == {"float32": products.COMPUTE_TYPE_DEFAULT}


class Cards:
    """Which of two cards is the current one; CUDA keeps that apart for each thread."""

    def __init__(self, monkeypatch):
        self._here = threading.local()
        monkeypatch.setattr(cuda, "DEVICES", 2)
        monkeypatch.setattr(cuda.Device, "use", lambda card: self.choose(card.id))
        monkeypatch.setattr(cuda.Device, "__enter__", lambda card: self._enter(card))
        monkeypatch.setattr(cuda.Device, "__exit__", lambda card, *_: self.choose(card.before))

    def _enter(self, card):
        card.before = self.current
        self.choose(card.id)

    @property
    def current(self):
        return getattr(self._here, "number", 0)

    def choose(self, number):
        self._here.number = number


def test_layers_compute_on_the_card_of_their_arrays(cupy, monkeypatch):
    """In any thread, and whatever the user made current in between."""
    cards = Cards(monkeypatch)
    caffe.set_device(1)
    caffe.set_mode_gpu()
    blob, seen = Blob((2, 3)), []
    cards.choose(0)
    thread = threading.Thread(target=lambda: (blob.array, seen.append(cards.current)))
    blob.array[...] = 1
    assert cards.current == 1
    thread.start()
    thread.join()
    assert seen == [1]
    cards.choose(0)
    blob.array[...] = 2
    assert cards.current == 1


def test_values_of_another_card_are_fetched_without_changing_to_it(cupy, monkeypatch):
    cards = Cards(monkeypatch)
    caffe.set_mode_gpu()
    left = Blob((2,))
    left.array[...] = 3
    caffe.set_device(1)
    used = []
    monkeypatch.setattr(cuda._Runtime, "memcpyAsync", lambda *_: used.append(cards.current))
    _ = left.data
    assert (used, cards.current) == ([0], 1)
