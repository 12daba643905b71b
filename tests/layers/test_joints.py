"""Layers that join, cut, repeat, share or reduce blobs."""

import numpy as np
import pytest
from helpers import build_layer, check_gradient, run_layer

from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.memory import Head

RNG = np.random.default_rng(2)
A, B, C = RNG.normal(size=(3, 2, 3, 4))


def dims(*sizes):
    return "shape { " + " ".join(f"dim: {size}" for size in sizes) + " }"


GRADIENTS = {
    "sum": ("type: 'Eltwise'", [A, B, C], {}),
    "sum_coeff": ("type: 'Eltwise' eltwise_param { coeff: 2 coeff: -1 coeff: 0.5 }", [A, B, C], {}),
    "prod": ("type: 'Eltwise' eltwise_param { operation: PROD }", [A, B, C], {}),
    "prod_unstable": ("type: 'Eltwise' eltwise_param { operation: PROD stable_prod_grad: false }", [A, B, C], {}),
    "max": ("type: 'Eltwise' eltwise_param { operation: MAX }", [A, B, C], {}),
    "concat": ("type: 'Concat'", [A, B[:, :1], C[:, 1:]], {}),
    "concat_last": ("type: 'Concat' concat_param { axis: -1 }", [A, B[..., :1]], {}),
    "concat_old": ("type: 'Concat' concat_param { concat_dim: 0 }", [A, B[:1]], {}),
    "slice": ("type: 'Slice' slice_param { axis: -1 slice_point: 1 slice_point: 3 }", [A], {"tops": 3}),
    "slice_equal": ("type: 'Slice'", [A], {"tops": 3}),
    "split": ("type: 'Split'", [A], {"tops": 3}),
    "crop": ("type: 'Crop' crop_param { axis: 1 offset: 1 offset: 2 }", [A, np.zeros((9, 2, 1))], {"only": [0]}),
    "tile": ("type: 'Tile' tile_param { tiles: 3 }", [A], {}),
    "tile_last": ("type: 'Tile' tile_param { axis: -1 tiles: 2 }", [A], {}),
    "reduce_sum": ("type: 'Reduction' reduction_param { axis: 1 coeff: 2 }", [A], {}),
    "reduce_mean": ("type: 'Reduction' reduction_param { operation: MEAN }", [A], {}),
    "reduce_asum": ("type: 'Reduction' reduction_param { operation: ASUM axis: -1 }", [A], {}),
    "reduce_sumsq": ("type: 'Reduction' reduction_param { operation: SUMSQ axis: 1 coeff: 0.5 }", [A], {}),
    "bias": ("type: 'Bias'", [A], {}),
    "bias_in_place": ("type: 'Bias' bias_param { axis: 0 num_axes: 2 }", [A], {"in_place": True}),
    "bias_given": ("type: 'Bias'", [A, B[0, :, 0]], {}),
    "scale": ("type: 'Scale'", [A], {}),
    "scale_bias_in_place": ("type: 'Scale' scale_param { num_axes: -1 bias_term: true }", [A], {"in_place": True}),
    "scale_number": ("type: 'Scale' scale_param { num_axes: 0 bias_term: true }", [A], {}),
    "scale_given": ("type: 'Scale' scale_param { bias_term: true }", [A, B[0]], {}),
    "scale_given_in_place": ("type: 'Scale' scale_param { axis: 0 }", [A, B[:, :, 0]], {"in_place": True}),
    "scale_given_number": ("type: 'Scale'", [A, 3.0], {}),
}


@pytest.mark.parametrize(("text", "bottoms", "more"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(text, bottoms, more):
    check_gradient(text, bottoms, **more)


@pytest.mark.parametrize(("text", "expected"), [
    ("type: 'Eltwise' eltwise_param { coeff: 2 coeff: -1 coeff: 3 }", 2 * A - B + 3 * C),
    ("type: 'Eltwise' eltwise_param { operation: PROD }", A * B * C),
    ("type: 'Eltwise' eltwise_param { operation: MAX }", np.maximum(np.maximum(A, B), C)),
    ("type: 'Concat' concat_param { axis: 2 }", np.concatenate([A, B, C], 2)),
])
def test_values_of_three_bottoms(text, expected):
    np.testing.assert_allclose(run_layer(text, [A, B, C]).y, expected, 1e-5)


@pytest.mark.parametrize(("text", "bottoms", "expected"), [
    ("type: 'Crop' crop_param { offset: 1 }", [A[None], np.zeros((5, 6, 2, 2))], A[None, :, 1:3, 1:3]),
    ("type: 'Tile' tile_param { axis: 0 tiles: 2 }", [A], np.concatenate([A, A])),
    ("type: 'Reduction' reduction_param { operation: MEAN coeff: 2 }", [A], 2 * A.mean()),
    ("type: 'Reduction' reduction_param { operation: ASUM axis: 2 }", [A], np.abs(A).sum(2)),
    ("type: 'Scale' scale_param { axis: 0 }", [A, B[:, 0, 0]], A * B[:, :1, :1]),
    ("type: 'Bias' bias_param { axis: 1 }", [A, B[0]], A + B[0]),
])
def test_values(text, bottoms, expected):
    np.testing.assert_allclose(run_layer(text, bottoms).y, expected, 1e-5)


def test_slice_values():
    run = run_layer("type: 'Slice' slice_param { axis: 2 slice_point: 1 }", [A], tops=2)
    np.testing.assert_allclose(run.top[0].data, A[..., :1].astype(np.float32))
    np.testing.assert_allclose(run.top[1].data, A[..., 1:].astype(np.float32))


# Eltwise


def test_equal_maxima_give_the_gradient_to_the_second_bottom_and_later_ones_must_be_greater():
    run = run_layer("type: 'Eltwise' eltwise_param { operation: MAX }", [[1, 2, 0], [1, 0, 0], [1, 2, 1]],
                    top_diffs=[[1, 1, 1]])
    assert [blob.diff.tolist() for blob in run.bottom] == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_product_gradient_at_0():
    x = [[0.0, 2.0], [3.0, 5.0]]
    stable = run_layer("type: 'Eltwise' eltwise_param { operation: PROD }", x, top_diffs=[[1, 1]])
    assert stable.bottom[0].diff.tolist() == [3, 5]
    text = "type: 'Eltwise' eltwise_param { operation: PROD stable_prod_grad: false }"
    np.testing.assert_array_equal(run_layer(text, x, top_diffs=[[1, 1]]).bottom[0].diff, [np.nan, 5])


# sharing


@pytest.mark.parametrize("text", [
    "type: 'Flatten'", "type: 'Reshape' reshape_param { shape { dim: 0 dim: -1 } }", "type: 'Concat'", "type: 'Slice'",
])
def test_memory_is_shared_both_ways(text):
    run = run_layer(text, [A], top_diffs=[np.ones(A.shape).reshape(2, 12) if "dim" in text or "Fl" in text else A])
    assert run.top[0].memories == run.bottom[0].memories
    run.bottom[0].reshape(5, 3, 4)  # new memory
    run.layer.reshape(run.bottom, run.top)
    assert run.top[0].memories == run.bottom[0].memories
    assert run.top[0].count == 60


def test_split_shares_data_and_leaves_untouched_diffs_alone():
    run = run_layer("type: 'Split'", [A], tops=3)
    assert all(blob.memories[0] is run.bottom[0].memories[0] for blob in run.top)
    run.top[2].diff[...] = A
    run.layer.backward(run.top, [True], run.bottom)
    np.testing.assert_array_equal(run.bottom[0].diff, A.astype(np.float32))
    assert run.top[0].memories[1].head is Head.NONE


def test_split_adds_in_order():
    big = np.float32(2 ** 24)
    run = run_layer("type: 'Split'", [[0]], tops=3, top_diffs=[[big], [1], [-big]])
    assert run.bottom[0].diff.tolist() == [0]  # (big + 1) - big in float32


def test_silence_zeroes_diffs():
    run = build_layer("type: 'Silence'", [A, B], tops=0)
    run.bottom[0].diff[...] = run.bottom[1].diff[...] = 1
    run.layer.forward(run.bottom, run.top)
    run.layer.backward(run.top, [True, False], run.bottom)
    assert (run.bottom[0].diff.any(), run.bottom[1].diff.all()) == (False, True)


def test_crop_leaves_the_reference_untouched():
    run = run_layer("type: 'Crop'", [A[None], np.zeros((1, 1, 2, 2))], top_diffs=[np.ones((1, 2, 2, 2))])
    assert run.bottom[1].memories[1].head is Head.NONE
    assert run.bottom[0].diff.sum() == 8


# shapes


@pytest.mark.parametrize(("old", "param", "new"), [
    ((2, 3, 4), "shape { dim: 0 dim: -1 }", (2, 12)),
    ((2, 3, 4), "shape { dim: 2 dim: 2 } axis: -2", (2, 3, 2, 2)),
    ((2, 3, 4), "shape { dim: 1 } axis: -1", (2, 3, 4, 1)),
    ((2, 3, 4), "shape { dim: 1 } axis: 1 num_axes: 0", (2, 1, 3, 4)),
    ((2, 8, 4), "shape { dim: -1 dim: 0 } axis: 1 num_axes: 1", (2, 2, 4, 4)),
    ((1,), "shape { }", ()),
    ((), "shape { dim: 1 }", (1,)),
    ((0, 3), "shape { dim: 0 dim: 3 dim: 1 }", (0, 3, 1)),
])
def test_reshape(old, param, new):
    run = build_layer(f"type: 'Reshape' reshape_param {{ {param} }}", [np.zeros(old)])
    assert run.top[0].shape == new


@pytest.mark.parametrize(("param", "new"), [
    ("", (2, 60)), ("axis: 0", (120,)), ("axis: 1 end_axis: 2", (2, 12, 5)), ("axis: 2 end_axis: 1", (2, 3, 1, 4, 5)),
    ("axis: -1", (2, 3, 4, 5)),
])
def test_flatten(param, new):
    run = build_layer(f"type: 'Flatten' flatten_param {{ {param} }}", [np.zeros((2, 3, 4, 5))])
    assert run.top[0].shape == new


def test_input_shapes():
    two = f"type: 'Input' input_param {{ {dims(1, 2)} {dims(3)} }}"
    assert [b.shape for b in build_layer(two, [], tops=2).top] == [(1, 2), (3,)]
    one = f"type: 'Input' input_param {{ {dims(1, 2)} }}"
    assert [b.shape for b in build_layer(one, [], tops=2).top] == [(1, 2), (1, 2)]
    assert build_layer("type: 'Input'", []).top[0].shape == ()


@pytest.mark.parametrize("text", ["type: 'Scale'", "type: 'Bias'"])
def test_operand_starts_neutral_and_follows_its_filler(text):
    np.testing.assert_allclose(run_layer(text, [A]).y, A, 1e-6)
    key = text[7:-1].lower()
    filled = run_layer(f"{text} {key}_param {{ filler {{ value: 2 }} }}", [A])
    np.testing.assert_allclose(filled.y, 2 * A if key == "scale" else A + 2, 1e-5)


def test_scale_in_place_keeps_its_input_only_for_backward():
    run = build_layer("type: 'Scale'", [A], in_place=True)
    run.layer.needs_backward = False
    run.layer.forward(run.bottom, run.top)
    assert run.layer._kept is None


# Parameter, DummyData


def test_parameter_shares_data_and_diff():
    run = run_layer(f"type: 'Parameter' parameter_param {{ {dims(2, 3)} }}", [])
    assert run.top[0].memories == run.layer.blobs[0].memories
    assert run.y.shape == (2, 3)


def test_dummy_data():
    fillers = "data_filler { value: 7 } data_filler { type: 'uniform' }"
    text = f"type: 'DummyData' dummy_data_param {{ {dims(2)} {dims(3, 4)} {fillers} }}"
    run = run_layer(text, [], tops=2)
    run.top[0].data[...] = 5
    before = run.top[1].data.copy()
    run.layer.forward(run.bottom, run.top)
    assert run.top[0].data.tolist() == [5, 5]  # constants are filled once
    assert run.top[1].shape == (3, 4)
    assert not np.array_equal(run.top[1].data, before)
    old = run_layer("type: 'DummyData' dummy_data_param { num: 2 channels: 3 height: 4 width: 5 num: 1 }", [], tops=2)
    assert [b.shape for b in old.top] == [(2, 3, 4, 5), (1, 3, 4, 5)]


# what is refused


@pytest.mark.parametrize(("text", "shapes", "tops", "message"), [
    ("type: 'Eltwise'", [(2, 3), (2, 4)], 1, r"bottom 0 is \(2, 3\), bottom 1 \(2, 4\)"),
    ("type: 'Eltwise' eltwise_param { coeff: 1 }", [(2,), (2,)], 1, r"once per bottom \(2\) or not at all, got 1"),
    ("type: 'Eltwise' eltwise_param { operation: PROD coeff: 1 coeff: 2 }", [(2,), (2,)], 1, "only|SUM"),
    ("type: 'Concat'", [(2, 3, 5), (2, 3, 4)], 1, "may differ in axis 1 only"),
    ("type: 'Concat'", [(2, 3, 5), (2, 3)], 1, "may differ in axis 1 only"),
    ("type: 'Concat' concat_param { axis: 1 concat_dim: 1 }", [(2, 3)], 1, "not both"),
    ("type: 'Concat' concat_param { axis: 2 }", [(2, 3)], 1, "axis 2 is out of range"),
    ("type: 'Slice' slice_param { slice_point: 1 }", [(2, 3)], 3, r"once less than there are tops \(3\), got 1"),
    ("type: 'Slice' slice_param { slice_point: 2 slice_point: 1 }", [(2, 3)], 3, "must rise"),
    ("type: 'Slice' slice_param { slice_point: 0 }", [(2, 3)], 2, "must rise"),
    ("type: 'Slice' slice_param { slice_point: 5 }", [(2, 3)], 2, "at most 3"),
    ("type: 'Slice'", [(2, 3)], 2, "cannot be cut into 2 equal parts"),
    ("type: 'Crop'", [(2, 3, 5, 5), (2, 3, 6, 6)], 1, "cannot cut 6 from offset 0 out of axis 2 of size 5"),
    ("type: 'Crop' crop_param { offset: 3 }", [(2, 3, 5, 5), (2, 3, 3, 3)], 1, "cannot cut 3 from offset 3"),
    ("type: 'Crop' crop_param { offset: 1 offset: 1 offset: 1 }", [(2, 3, 5, 5), (2, 3, 3, 3)], 1, "got 3"),
    ("type: 'Crop'", [(2, 3, 5, 5), (2, 3, 3)], 1, "at least as many axes"),
    ("type: 'Reshape' reshape_param { shape { dim: 7 dim: -1 } }", [(2, 3)], 1, "do not fill the shape"),
    ("type: 'Reshape' reshape_param { shape { dim: -1 dim: -1 } }", [(2, 3)], 1, "one -1"),
    ("type: 'Reshape' reshape_param { shape { dim: 0 dim: 0 dim: 0 } }", [(2, 3)], 1, "no axis 2 to copy"),
    ("type: 'Reshape' reshape_param { shape { dim: 6 } axis: 4 }", [(2, 3)], 1, "out of range"),
    ("type: 'Reshape' reshape_param { shape { dim: -2 dim: -3 } }", [(2, 3)], 1, "does not hold"),
    ("type: 'Reshape' reshape_param { shape { dim: 0 dim: -1 } }", [(0, 3)], 1, "do not fill"),
    ("type: 'Reshape' reshape_param { num_axes: 3 }", [(2, 3)], 1, "'num_axes' 3"),
    ("type: 'Flatten' flatten_param { axis: 2 end_axis: 0 }", [(2, 3, 4)], 1, "before 'axis'"),
    ("type: 'Flatten' flatten_param { axis: 3 }", [(2, 3, 4)], 1, "out of range"),
    ("type: 'Tile'", [(2, 3)], 1, "'tiles' must be at least 1, got 0"),
    ("type: 'Reduction' reduction_param { axis: 2 }", [(2, 3)], 1, "axis 2 is out of range"),
    ("type: 'Scale' scale_param { axis: 1 num_axes: 3 }", [(2, 3)], 1, "3 axes from axis 1 on are more than"),
    ("type: 'Scale' scale_param { num_axes: -2 }", [(2, 3)], 1, "at least -1, got -2"),
    ("type: 'Scale'", [(2, 3), (2,)], 1, r"shape \(2,\) of the operand"),
    ("type: 'Bias'", [(2, 3), (3, 4)], 1, r"shape \(3, 4\) of the operand"),
    (f"type: 'Input' input_param {{ {dims(1)} {dims(2)} }}", [], 3, r"once per top \(3\)"),
    (f"type: 'Input' input_param {{ {dims(-1)} }}", [], 1, "negative axis"),
    (f"type: 'DummyData' dummy_data_param {{ {dims(1)} num: 2 }}", [], 1, "not both"),
    ("type: 'DummyData' dummy_data_param { num: 2 }", [], 1, "'channels' must be given"),
])
def test_refused(text, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        build_layer(text, [np.zeros(shape) for shape in shapes], tops=tops)


@pytest.mark.parametrize("text", [
    "type: 'Eltwise'", "type: 'Concat'", "type: 'Slice'", "type: 'Split'", "type: 'Reshape'", "type: 'Flatten'",
    "type: 'Tile' tile_param { tiles: 1 }", "type: 'Reduction'", "type: 'Crop'",
])
def test_refused_in_place(text):
    bottoms = [A, A] if "Eltwise" in text or "Crop" in text else [A]
    with pytest.raises(LayerError, match="in place"):
        build_layer(text, bottoms, in_place=True)


def test_a_learned_operand_keeps_its_shape():
    run = build_layer("type: 'Scale'", [A])
    run.bottom[0].reshape(2, 5, 4)
    with pytest.raises(ShapeError, match=r"\(3,\) of the operand"):
        run.layer.reshape(run.bottom, run.top)


EMPTY = {
    "Eltwise": ("type: 'Eltwise'", 2), "Concat": ("type: 'Concat'", 2), "Slice": ("type: 'Slice'", 1),
    "Scale": ("type: 'Scale' scale_param { bias_term: true }", 1), "Tile": ("type: 'Tile' tile_param { tiles: 2 }", 1),
    "Reduction": ("type: 'Reduction' reduction_param { operation: MEAN axis: 1 }", 1), "Split": ("type: 'Split'", 1),
    "Flatten": ("type: 'Flatten'", 1),
}


@pytest.mark.parametrize(("text", "bottoms"), EMPTY.values(), ids=EMPTY)
def test_empty_batches(text, bottoms):
    run = build_layer(text, [np.zeros((0, 3, 4))] * bottoms)
    shape = run.top[0].shape
    assert shape[0] == 0
    run = run_layer(text, [np.zeros((0, 3, 4))] * bottoms, top_diffs=[np.zeros(shape)])
    assert run.bottom[0].diff.shape == (0, 3, 4)
