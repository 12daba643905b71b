"""Convolutions by the real cuDNN, where it and a card are there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import caffe_fcn
from caffe_fcn import stats
from caffe_fcn.ops.gpu import GpuOps
from caffe_fcn.ops.gpu.cudnn import graph
from caffe_fcn.ops.gpu.cudnn.request import DATA, FORWARD, WEIGHT, Request
from caffe_fcn.ops.reference import ReferenceOps

TESTS = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("ops_convolution", TESTS / "ops" / "test_convolution.py")
convolution = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(convolution)
NAMES = [name for name, case in convolution.CASES.items() if name != "four axes"]
BOUNDS = {"float32": 2e-5, "tf32": 4e-3, "half": 4e-3}
REQUEST = Request(FORWARD, (1, 4, 9, 9), (8, 4, 3, 3), (1, 8, 5, 5), (2, 2), (1, 1), (1, 1))


class OnCard:
    """GpuOps called with NumPy arrays, which are copied there and back."""

    def __init__(self, cupy):
        self._ops, self._cupy = GpuOps(), cupy

    def __getattr__(self, name):
        def call(*args):
            moved = [self._cupy.asarray(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
            getattr(self._ops, name)(*moved)
            for host, device in zip(args, moved, strict=True):
                if isinstance(host, np.ndarray):
                    host[...] = device.get()

        return call


@pytest.fixture
def cupy():
    """The real one, with a card and cuDNN."""
    cupy = pytest.importorskip("cupy")
    pytest.importorskip("cudnn")
    if not cupy.is_available():
        pytest.skip("no GPU")
    yield cupy
    caffe_fcn.set_matmul_precision("float32")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("name", NAMES)
def test_all_passes(cupy, monkeypatch, name, kind):
    """Against the reference; the same bits twice."""
    monkeypatch.setenv("CAFFE_FCN_FIXED_PLANS", "1")
    want = convolution.passes(ReferenceOps(), name, np.float32)
    caffe_fcn.set_matmul_precision(kind)
    ops = OnCard(cupy)
    got, again = (convolution.passes(ops, name, np.float32) for _ in range(2))
    for key, value in want.items():
        scale = np.abs(value).max(initial=1)
        np.testing.assert_allclose(got[key], value, rtol=0, atol=BOUNDS[kind] * scale, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"


@pytest.mark.gpu
def test_exact_and_tf32_differ(cupy):
    """Neither is taken for the other."""
    random = np.random.default_rng(0)
    x, weight = (random.normal(size=shape).astype(np.float32) for shape in ((1, 256, 40, 40), (256, 256, 3, 3)))
    geometry = convolution.Geometry((3, 3), (1, 1), (1, 1), (1, 1))
    want, errors = np.empty((1, 256, 40, 40), np.float64), {}
    ReferenceOps().convolution(x.astype(np.float64), weight.astype(np.float64), None, want, geometry)
    for kind in BOUNDS:
        caffe_fcn.set_matmul_precision(kind)
        out = np.empty(want.shape, np.float32)
        OnCard(cupy).convolution(x, weight, None, out, geometry)
        errors[kind] = np.abs(out - want).max() / np.abs(want).max()
    assert errors["float32"] < 2e-5 < 1e-4 < errors["tf32"] < 4e-3
    assert 1e-4 < errors["half"] < 4e-3


@pytest.mark.gpu
def test_a_plan_is_chosen_by_time(cupy):
    """All plans that are tried give the same numbers."""
    ops = GpuOps()
    geometry, arrays = convolution.make("plain", np.float32)
    x, weight, bias, out = map(cupy.asarray, arrays)
    want = np.empty(out.shape, np.float32)
    ReferenceOps().convolution(*arrays[:3], want, geometry)
    trials = 1
    for _ in range(2000):
        with stats.watch() as seen:
            ops.convolution(x, weight, bias, out, geometry)
        np.testing.assert_allclose(out.get(), want, rtol=0, atol=2e-5 * np.abs(want).max())
        trials = seen["convolutions with a plan on trial"]
        if not trials:
            break
    assert not trials


@pytest.mark.parametrize("wanted", [FORWARD, DATA, WEIGHT])
@pytest.mark.parametrize("kind, after", [("float32", ""), ("tf32", "bias, relu"), ("half", "")])
def test_the_real_module_takes_our_arguments(wanted, kind, after):
    """Needs no card: without one it refuses, for that reason."""
    cudnn = pytest.importorskip("cudnn")
    request = REQUEST._replace(wanted=wanted, precision=kind, after=after if wanted == FORWARD else "")
    try:
        made = graph.build(cudnn, request, handle=None)
    except graph.refusals(cudnn) as error:
        assert "cuda" in str(error).lower() or "handle" in str(error).lower()
    else:
        assert made.get_execution_plan_count() > 0
