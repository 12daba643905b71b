"""ContrastiveLoss, HingeLoss, InfogainLoss, MultinomialLogisticLoss: values, gradients, errors."""

import numpy as np
import pytest

from caffe_fcn.errors import FormatError, LabelError, LayerError, MissingFileError, ShapeError
from caffe_fcn.proto import caffe_pb2
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(9)
SCORES = RANDOM.normal(size=(5, 4))
LABELS = RANDOM.integers(0, 4, 5).astype(float)
CHANCES = RANDOM.uniform(0.1, 1, (5, 4))
SIDES = [RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 3))]
SIMILAR = np.array([1, 0, 0, 1, 0, 0.0])
MATRIX = RANDOM.uniform(0, 2, (4, 4))
CONTRASTIVE, HINGE, MULTINOMIAL = "type: 'ContrastiveLoss'", "type: 'HingeLoss'", "type: 'MultinomialLogisticLoss'"
INFOGAIN = "type: 'InfogainLoss'"


def slope(kind, bottoms, wanted, weight=1.7):
    """The diffs for a loss of this weight."""
    run = run_layer(kind, bottoms)
    run.top[0].diff[...] = weight
    run.layer.backward(run.top, wanted, run.bottom)
    return [blob.diff for blob in run.bottom]


@pytest.mark.parametrize(("kind", "bottoms", "only"), [
    (CONTRASTIVE, [*SIDES, SIMILAR], [0, 1]),
    (CONTRASTIVE + " contrastive_loss_param { margin: 4 legacy_version: true }", [*SIDES, SIMILAR], [0, 1]),
    (HINGE, [SCORES, LABELS], [0]),
    (HINGE + " hinge_loss_param { norm: L2 }", [SCORES.reshape(5, 2, 2), LABELS], [0]),
    (MULTINOMIAL, [CHANCES, LABELS], [0]),
])
def test_gradient(kind, bottoms, only):
    check_gradient(kind, bottoms, only=only)


def test_gradient_of_a_contrastive_margin():
    """The divisor d + 1e-4 makes it slightly smaller than the true one, as in Caffe."""
    check_gradient(CONTRASTIVE + " contrastive_loss_param { margin: 9 }", [*SIDES, SIMILAR], only=[0, 1], rtol=1e-3)


def test_contrastive_values():
    square = ((SIDES[0] - SIDES[1]) ** 2).sum(1)
    for fields, apart in (("margin: 4", np.maximum(4 - np.sqrt(square), 0) ** 2),
                          ("margin: 4 legacy_version: true", np.maximum(4 - square, 0))):
        run = run_layer(f"{CONTRASTIVE} contrastive_loss_param {{ {fields} }}", [*SIDES, SIMILAR])
        assert float(run.y) == pytest.approx(np.where(SIMILAR, square, apart).sum() / 12, rel=1e-5)


def test_contrastive_labels_are_cut_to_integers():
    half = run_layer(CONTRASTIVE, [*SIDES, SIMILAR / 2])
    assert half.y == run_layer(CONTRASTIVE, [*SIDES, SIMILAR * 0]).y


def test_contrastive_pair_of_equals_has_no_gradient():
    diffs = slope(CONTRASTIVE, [SIDES[0], SIDES[0], SIMILAR * 0], [True, True, False])
    assert not diffs[0].any()


@pytest.mark.parametrize(("norm", "power"), [("L1", 1), ("L2", 2)])
def test_hinge_values(norm, power):
    signs = np.where(np.arange(4) == LABELS[:, None], -1, 1)
    run = run_layer(f"{HINGE} hinge_loss_param {{ norm: {norm} }}", [SCORES, LABELS])
    assert float(run.y) == pytest.approx((np.maximum(1 + signs * SCORES, 0) ** power).sum() / 5, rel=1e-5)
    assert not run.bottom[0].diff.any()  # the original uses it as scratch


def test_hinge_slope_at_the_margin_is_0():
    assert not slope(HINGE, [[[1.0, -1.0]], [0]], [True, False])[0].any()


def test_multinomial_smallest_chance():
    diffs = slope(MULTINOMIAL, [[[0.0, 1.0]], [0]], [True, False], 1)
    np.testing.assert_allclose(diffs[0], [[-1e20, 0]], rtol=1e-5)
    assert float(run_layer(MULTINOMIAL, [[[0.0, 1.0]], [0]]).y) == pytest.approx(-np.log(1e-20), rel=1e-5)


@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3), (2, 4, 3, 2)])
def test_infogain_against_its_definition(shape):
    scores = RANDOM.normal(size=shape)
    labels = RANDOM.integers(0, 4, (shape[0], *shape[2:]))
    labels.reshape(-1)[0] = 3
    fields = "loss_param { ignore_label: 3 }"
    chances = np.moveaxis(np.exp(scores) / np.exp(scores).sum(1, keepdims=True), 1, -1)
    terms = -(MATRIX[labels] * np.log(chances)).sum(-1)[labels != 3]
    run = run_layer(f"{INFOGAIN} {fields}", [scores, labels, MATRIX], tops=2)
    assert float(run.y) == pytest.approx(terms.sum() / max(1, terms.size), rel=1e-5)
    np.testing.assert_allclose(run.top[1].data, np.moveaxis(chances, -1, 1), rtol=1e-5)
    exact = build_layer(f"{INFOGAIN} {fields}", [scores, labels, MATRIX], dtype=np.float64)
    way, step = RANDOM.normal(size=shape), 1e-6
    values = []
    for sign in (1, -1):
        exact.bottom[0].data[...] = scores + sign * step * way
        exact.layer.forward(exact.bottom, exact.top)
        values.append(float(exact.y))
    exact.bottom[0].data[...] = scores
    exact.top[0].diff[...] = 1
    exact.layer.backward(exact.top, [True, False, False], exact.bottom)
    assert (exact.bottom[0].diff * way).sum() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize(("fields", "divisor"), [
    ("", 4), ("normalization: FULL", 5), ("normalization: BATCH_SIZE", 5), ("normalization: NONE", 1),
    ("normalize: false", 5),
])
def test_infogain_divisor(fields, divisor):
    labels = [0, 1, 2, 0, 9]
    value = float(run_layer(f"{INFOGAIN} loss_param {{ ignore_label: 9 {fields} }}", [SCORES, labels, MATRIX]).y)
    total = float(run_layer(f"{INFOGAIN} loss_param {{ ignore_label: 9 normalization: NONE }}",
                            [SCORES, labels, MATRIX]).y)
    assert value == pytest.approx(total / divisor, rel=1e-5)


def test_infogain_matrix_from_a_file(tmp_path):
    path = tmp_path / "H.binaryproto"
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=4, width=4, data=MATRIX.ravel())
    path.write_bytes(blob.SerializeToString())
    run = run_layer(f"{INFOGAIN} infogain_loss_param {{ source: '{path}' }}", [SCORES, LABELS])
    assert run.y == run_layer(INFOGAIN, [SCORES, LABELS, MATRIX]).y
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"H\.binaryproto"):
        build_layer(f"{INFOGAIN} infogain_loss_param {{ source: '{path}' }}", [SCORES, LABELS])
    with pytest.raises(MissingFileError, match="absent"):
        build_layer(f"{INFOGAIN} infogain_loss_param {{ source: 'absent' }}", [SCORES, LABELS])


@pytest.mark.parametrize(("kind", "bottoms", "error", "words"), [
    (INFOGAIN, [SCORES, LABELS], LayerError, "source"),
    (INFOGAIN, [SCORES, LABELS, MATRIX[:3]], ShapeError, "4 x 4"),
    (INFOGAIN, [SCORES, LABELS[:2], MATRIX], ShapeError, "first dimension"),
    (HINGE, [SCORES, np.zeros((5, 2))], ShapeError, "one label"),
    (MULTINOMIAL, [SCORES, np.zeros((5, 2))], ShapeError, "one label"),
    (CONTRASTIVE, [*SIDES, SIMILAR[:5]], ShapeError, "N labels"),
    (CONTRASTIVE, [SIDES[0], SIDES[1][:, :2], SIMILAR], ShapeError, "N labels"),
    (CONTRASTIVE, [SIDES[0][:, :, None].repeat(2, 2), SIDES[1][:, :, None].repeat(2, 2), SIMILAR], ShapeError, "N, C"),
])
def test_what_does_not_fit(kind, bottoms, error, words):
    with pytest.raises(error, match=words):
        build_layer(kind, bottoms)


@pytest.mark.parametrize("kind", [HINGE, MULTINOMIAL, INFOGAIN])
def test_label_out_of_range(kind):
    run = build_layer(kind, [SCORES, [0, 1, 4, 2, 3], *([MATRIX] if kind == INFOGAIN else [])])
    with pytest.raises(LabelError, match=r"the label at \(2,\) is 4"):
        run.layer.forward(run.bottom, run.top)


@pytest.mark.parametrize(("kind", "bottoms", "index"), [
    (HINGE, [SCORES, LABELS], 1), (MULTINOMIAL, [CHANCES, LABELS], 1), (INFOGAIN, [SCORES, LABELS, MATRIX], 2),
])
def test_labels_and_matrix_have_no_gradient(kind, bottoms, index):
    with pytest.raises(LayerError, match="gradient of"):
        slope(kind, bottoms, [i == index for i in range(len(bottoms))])


def test_a_divisor_for_empty_batches():
    for kind, bottoms in ((HINGE, [SCORES[:0], []]), (MULTINOMIAL, [CHANCES[:0], []]),
                          (CONTRASTIVE, [SIDES[0][:0], SIDES[1][:0], []]), (INFOGAIN, [SCORES[:0], [], MATRIX])):
        assert run_layer(kind, bottoms).y == 0
