"""Convolutions by cuDNN against the reference, on a stand-in of it that computes what the graph says."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from kernel_ops import KernelOps
from standin import dnn
from standin.array import ndarray

import caffe_fcn
from caffe_fcn import stats
from caffe_fcn.ops.gpu import GpuOps
from caffe_fcn.ops.gpu.cudnn import graph
from caffe_fcn.ops.gpu.cudnn.request import DATA, FORWARD, WEIGHT, describe
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry

TESTS = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("ops_convolution", TESTS / "ops" / "test_convolution.py")
convolution = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(convolution)

WITHOUT = ["no dilation at all", "kernel over the input", "four axes", "no axes", "empty batch", "empty batch, 1x1",
           "empty batch, whole input", "empty batch, depthwise",
           *[name for name in convolution.CASES if name.startswith(("depthwise", "bilinear"))]]
WITH = [name for name in convolution.CASES if name not in WITHOUT]
RESULTS = {"out": 0, "no bias": 0, "x": 0, "weight": 0, "deconvolution": 0}  # of convolution.passes


@pytest.fixture
def ops(cudnn, cupy, monkeypatch):
    """The GPU's operations with cuDNN, called with NumPy arrays; first choices only."""
    monkeypatch.setenv("CAFFE_FCN_FIXED_PLANS", "1")
    return KernelOps(cupy, monkeypatch)


@pytest.fixture
def precision():
    """Sets the precision for one test."""
    yield caffe_fcn.set_matmul_precision
    caffe_fcn.set_matmul_precision("float32")


def close(got, want, bound):
    for key in RESULTS:
        scale = np.abs(want[key]).max(initial=1)
        np.testing.assert_allclose(got[key], want[key], rtol=0, atol=bound * scale, err_msg=key)


@pytest.mark.parametrize("name", WITH)
def test_all_passes(ops, name):
    want = convolution.passes(ReferenceOps(), name, np.float32)
    close(convolution.passes(ops, name, np.float32), want, 2e-6)
    assert dnn.ran == ["eng70"] * 5


@pytest.mark.parametrize("name", WITHOUT)
def test_what_cudnn_cannot_do(ops, name):
    convolution.passes(ops, name, np.float32)
    assert not dnn.ran


def test_float64_is_left_to_cublas(ops):
    convolution.passes(ops, "plain", np.float64)
    assert not dnn.ran


def test_unaligned_arrays_are_left_to_cublas(ops):
    geometry, (x, weight, bias, out) = convolution.make("plain", np.float32)
    room = np.empty(x.size + 1, np.float32)
    room[1:] = x.ravel()
    want, got = np.empty_like(out), np.empty_like(out)
    ReferenceOps().convolution(x, weight, bias, want, geometry)
    ops.convolution(room[1:].reshape(x.shape), weight, bias, got, geometry)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert not dnn.ran


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("kind, bound", [("float32", 2e-6), ("tf32", 2e-3), ("half", 4e-3)])
def test_relu(ops, precision, kind, bound, with_bias):
    precision(kind)
    geometry, (x, weight, bias, out) = convolution.make("odd everything", np.float32)
    bias = bias if with_bias else None
    want, got, plain = np.empty_like(out), np.empty_like(out), np.empty_like(out)
    ReferenceOps().convolution_relu(x, weight, bias, want, geometry)
    ops.convolution_relu(x, weight, bias, got, geometry)
    np.testing.assert_allclose(got, want, rtol=0, atol=bound * np.abs(want).max())
    assert (got == 0).any() and len(dnn.ran) == 1
    ops.convolution(x, weight, bias, plain, geometry)
    assert got.tobytes() == np.fmax(plain, 0).tobytes()
    assert len(dnn.ran) == 2


def test_nan_stays_in_float32(ops):
    geometry, (x, weight, bias, out) = convolution.make("plain", np.float32)
    x[0, 0, 3, 3] = np.nan
    ops.convolution_relu(x, weight, bias, out, geometry)
    assert np.isnan(out[0]).any() and not np.isnan(out[1]).any()


@pytest.mark.parametrize("kind", ["tf32", "half"])
@pytest.mark.parametrize("name", WITH)
def test_less_precision(ops, precision, kind, name):
    want = convolution.passes(ReferenceOps(), name, np.float32)
    precision(kind)
    got = convolution.passes(ops, name, np.float32)
    close(got, want, 4e-3)
    assert dnn.ran == ["eng9" if kind == "half" else "eng36"] * 2 + ["eng36"] * 3  # half is for forward passes alone
    assert np.abs(got["out"] - want["out"]).max() > 1e-5  # it is in use


def test_half_overflows_to_infinity(ops, precision):
    precision("half")
    geometry, (x, weight, _, out) = convolution.make("plain", np.float32)
    ops.convolution(x * 1e4, weight * 10, None, out, geometry)
    assert np.isinf(out).any()


def test_bias_follows_where_cudnn_has_no_plan_with_it(ops, precision):
    precision("tf32")
    dnn.known[:] = [plan._replace(fuses=False) for plan in dnn.PLANS]
    geometry, (x, weight, bias, out) = convolution.make("plain", np.float32)
    want = np.empty_like(out)
    ReferenceOps().convolution_relu(x, weight, bias, want, geometry)
    ops.convolution_relu(x, weight, bias, out, geometry)
    np.testing.assert_allclose(out, want, rtol=0, atol=4e-3)
    assert dnn.ran == ["eng36"]


def test_plain_convolutions_add_as_the_definition(ops):
    dnn.known[:] = [dnn.Plan("eng5", "A", ("WINOGRAD",)), dnn.Plan("eng6", "A", ("FFT",)), dnn.Plan("eng0", "FALLBACK")]
    geometry, (x, weight, _, out) = convolution.make("plain", np.float32)
    ops.convolution(x, weight, None, out, geometry)
    ops.convolution(x, weight, None, out, geometry._replace(plain=True))
    assert dnn.ran == ["eng5", "eng0"]


@pytest.mark.parametrize("changes", [{"builds": False}, {"runs": False}, {"workspace": graph.LARGEST_WORKSPACE + 1}])
def test_without_a_usable_plan_cublas_computes(ops, changes):
    dnn.known[:] = [plan._replace(**changes) for plan in dnn.PLANS]
    want = convolution.passes(ReferenceOps(), "plain", np.float32)
    with stats.watch() as seen:
        close(convolution.passes(ops, "plain", np.float32), want, 2e-6)
    assert not dnn.ran and seen["convolutions without a plan"] == 5


def test_next_plan_where_one_does_not_run(ops):
    dnn.known[:] = [plan._replace(runs=plan.name != "eng70") for plan in dnn.PLANS]
    want = convolution.passes(ReferenceOps(), "plain", np.float32)
    with stats.watch() as seen:
        close(convolution.passes(ops, "plain", np.float32), want, 2e-6)
    assert dnn.ran == ["eng5"] * 5  # Winograd's, by tiles of six
    assert seen["plans failed"] == 3  # of three passes; the other two use the same


def test_full_card_takes_the_plan_that_needs_no_workspace(ops, cupy, monkeypatch):
    real = cupy.empty

    def empty(shape, dtype=float):
        if isinstance(shape, int) and shape > 4096:
            raise cupy.cuda.memory.OutOfMemoryError("Out of memory")
        return real(shape, dtype)

    monkeypatch.setattr(cupy, "empty", empty)
    geometry, (x, weight, _, out) = convolution.make("plain", np.float32)
    ops.convolution(x, weight, None, out, geometry)
    assert dnn.ran == ["eng5"]


def test_plans_are_shared_by_layers_of_one_shape(ops):
    geometry, (x, weight, bias, out) = convolution.make("plain", np.float32)
    with stats.watch() as seen:
        for bias_or_not in (bias, None):
            ops.convolution(x, weight, bias_or_not, out, geometry)
            ops.convolution_relu(x, weight, bias_or_not, out, geometry)
    assert seen == {"plans built": 1}


def test_repeated_use_tries_plans(cudnn, cupy, monkeypatch):
    ops = KernelOps(cupy, monkeypatch)
    geometry, (x, weight, bias, out) = convolution.make("plain", np.float32)
    want = np.empty_like(out)
    ReferenceOps().convolution(x, weight, bias, want, geometry)
    for _ in range(20):
        out[...] = 7
        ops.convolution(x, weight, bias, out, geometry)
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-5)
    assert ops.waits == 0
    assert set(dnn.ran[:6]) == {"eng70"}
    # The rest waits for the budget, which goes by the real clock.


def test_nothing_is_planned_while_a_graph_is_captured(cudnn, cupy, monkeypatch):
    ops = GpuOps()
    geometry, arrays = convolution.make("plain", np.float32)
    x, weight, bias, out = map(ndarray, arrays)
    stream = cupy.cuda.Stream.null
    for expected in ([], ["eng70"]):
        stream.begin_capture()
        ops.convolution(x, weight, bias, out, geometry)
        captured = stream.end_capture()
        assert dnn.ran == expected
        dnn.ran.clear()
        ops.convolution(x, weight, bias, out, geometry)
        assert dnn.ran == ["eng70"]
        dnn.ran.clear()
    before = out.get()
    x._host[...] *= 2
    captured.launch()
    assert np.abs(out.get() - before).max() > 0.1


def test_missing_cudnn_is_told_once(cupy, monkeypatch, caplog):
    ops = KernelOps(cupy, monkeypatch)
    with caplog.at_level(logging.WARNING, "caffe_fcn.gpu"):
        want = convolution.passes(ReferenceOps(), "plain", np.float32)
        close(convolution.passes(ops, "plain", np.float32), want, 2e-6)
    message, = [record.getMessage() for record in caplog.records]
    assert message.startswith("cuDNN is not there (") and "pip install 'caffe_fcn[gpu]'" in message


def test_cudnn_that_does_not_start(cudnn, cupy, monkeypatch, caplog):
    def fail():
        raise RuntimeError("CUDNN_STATUS_ARCH_MISMATCH")

    cudnn.create_handle = fail
    with caplog.at_level(logging.WARNING, "caffe_fcn.gpu"):
        convolution.passes(KernelOps(cupy, monkeypatch), "plain", np.float32)
    message, = [record.getMessage() for record in caplog.records]
    assert message.startswith("cuDNN 92801 does not start on this GPU (CUDNN_STATUS_ARCH_MISMATCH); going on")


# requests

GEOMETRY = Geometry((3, 3), (2, 2), (1, 1), (1, 1))


def test_family_is_all_but_the_images():
    one, other = (describe(FORWARD, (n, 4, size, size), (8, 4, 3, 3), (n, 8, half, half), GEOMETRY, "float32")
                  for n, size, half in ((1, 9, 5), (2, 15, 8)))
    assert one != other and one.family == other.family
    for changed in (one._replace(wanted=DATA), one._replace(precision="tf32"), one._replace(after="bias"),
                    one._replace(x=(1, 5, 9, 9)), one._replace(plain=True)):
        assert changed.family != one.family


def test_one_axis_becomes_two():
    request = describe(WEIGHT, (2, 4, 9), (8, 4, 3), (2, 8, 5), Geometry((3,), (2,), (1,), (1,)), "float32")
    assert (request.x, request.weight, request.out) == ((2, 4, 1, 9), (8, 4, 1, 3), (2, 8, 1, 5))
    assert (request.stride, request.pad, request.dilation) == ((1, 2), (0, 1), (1, 1))


def test_other_output_sizes_are_refused():
    assert describe(FORWARD, (1, 4, 9, 9), (8, 4, 3, 3), (1, 8, 4, 5), GEOMETRY, "float32") is None


def test_strides():
    assert graph.strides((2, 3, 4, 5), False) == [60, 20, 5, 1]
    assert graph.strides((2, 3, 4, 5), True) == [60, 1, 15, 3]
    assert graph.strides((2, 3, 4, 5, 6), True) == [360, 1, 90, 18, 3]


# precision

def test_unknown_precision():
    with pytest.raises(ValueError, match=r"one of float32, tf32, half, got 'fp8'"):
        caffe_fcn.set_matmul_precision("fp8")


@pytest.mark.parametrize("late", [True, False])
def test_precision_of_matrix_products(cupy, precision, late):
    from caffe_fcn import mode

    products = importlib.import_module("cupy._core")._routines_linalg
    if not late:
        precision("tf32")
    mode.set_mode_gpu()
    precision("tf32")
    assert products.chosen == {"float32": products.COMPUTE_TYPE_TF32} and caffe_fcn.matmul_precision() == "tf32"
    precision("float32")
    assert products.chosen == {"float32": products.COMPUTE_TYPE_DEFAULT}


def test_exact_products_are_asked_for(cupy):
    """CUPY_TF32 does not decide."""
    from caffe_fcn import mode

    mode.set_mode_gpu()
    assert importlib.import_module("cupy._core")._routines_linalg.chosen == {"float32": 1}
