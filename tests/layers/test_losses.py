"""SoftmaxWithLoss, EuclideanLoss, SigmoidCrossEntropyLoss: divisors, ignored labels, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import check_gradient, run_layer

from caffe_fcn import errors
from caffe_fcn.memory import Head

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(2, 4, 3, 5))
LABELS = RANDOM.integers(0, 4, (2, 3, 5)).astype(float)
SOME = np.where(RANDOM.random(LABELS.shape) < 0.3, 255, LABELS)  # some are ignored
TARGETS = RANDOM.integers(0, 2, SCORES.shape).astype(float)


def layer(kind, fields="", more=""):
    return f"type: '{kind}' loss_param {{ {fields} }} {more}"


def value(*args):
    return float(run_layer(*args).y)


def cross_entropies(scores, labels):
    """-log softmax of each label, 0 where it is 255."""
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    chosen = np.take_along_axis(logs, np.minimum(labels, 3).astype(int)[:, None], 1)[:, 0]
    return np.where(labels == 255, 0, -chosen)


SUM, VALID = cross_entropies(SCORES, SOME).sum(), (SOME != 255).sum()


@pytest.mark.parametrize(("fields", "divisor"), [
    ("", VALID),
    ("normalization: VALID", VALID),
    ("normalization: FULL", 30),
    ("normalization: BATCH_SIZE", 2),
    ("normalization: NONE", 1),
    ("normalize: true", VALID),
    ("normalize: false", 2),
    ("normalization: FULL normalize: false", 30),
])
def test_softmax_loss_divisor(fields, divisor):
    text = layer("SoftmaxWithLoss", f"ignore_label: 255 {fields}")
    assert value(text, [SCORES, SOME]) == pytest.approx(SUM / divisor, rel=1e-5)
    check_gradient(text, [SCORES, SOME], only=[0])


@pytest.mark.parametrize(("axis", "labels"), [(0, (2, 30)), (2, (2, 4, 5)), (-1, (2, 4, 3)), (1, (2, 15, 1, 1))])
def test_softmax_loss_on_any_axis(axis, labels):
    labels = RANDOM.integers(0, 2, labels).astype(float)
    text = layer("SoftmaxWithLoss", "normalization: BATCH_SIZE", more=f"softmax_param {{ axis: {axis} }}")
    outer = int(np.prod(SCORES.shape[:axis % 4]))
    moved = np.moveaxis(SCORES, axis, -1)
    logs = moved - np.log(np.exp(moved).sum(-1, keepdims=True))
    chosen = np.take_along_axis(logs, labels.reshape(*logs.shape[:-1], 1).astype(int), -1)
    assert value(text, [SCORES, labels]) == pytest.approx(-chosen.sum() / outer, rel=1e-5)
    check_gradient(text, [SCORES, labels], only=[0])


def test_softmax_loss_gives_probabilities_as_second_top():
    run = run_layer(layer("SoftmaxWithLoss"), [SCORES, LABELS], tops=2)
    np.testing.assert_allclose(run.top[1].data, np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True), rtol=1e-5)


def test_softmax_loss_of_ignored_labels_only_is_zero():
    ignored = np.full_like(LABELS, 255)
    run = run_layer(layer("SoftmaxWithLoss", "ignore_label: 255"), [SCORES, ignored], top_diffs=[1])
    assert float(run.y) == 0
    assert not run.bottom[0].diff.any()


def test_softmax_loss_of_an_empty_batch_is_zero():
    assert value(layer("SoftmaxWithLoss"), [SCORES[:0], LABELS[:0]]) == 0


def test_softmax_loss_is_bounded_but_its_gradient_is_not():
    scores = np.array([[0, 200.]])
    run = run_layer(layer("SoftmaxWithLoss"), [scores, np.zeros(1)], top_diffs=[1])
    assert float(run.y) == pytest.approx(87.336544)
    assert run.bottom[0].diff.tolist() == [[-1, 1]]


def test_labels_are_cut_toward_zero():
    text = layer("SoftmaxWithLoss")
    assert value(text, [SCORES, LABELS + 0.9]) == value(text, [SCORES, LABELS])
    assert value(text, [SCORES, np.full_like(LABELS, -0.9)]) == value(text, [SCORES, np.zeros_like(LABELS)])


@pytest.mark.parametrize("bad", [4, -1, 255, np.nan, np.inf, 1e30])
def test_label_out_of_range(bad):
    labels = LABELS.copy()
    labels[1, 2, 3] = bad
    with pytest.raises(errors.LabelError, match=r"label at \(1, 2, 3\) is .* from 0 to 3; .*labels are wrong"):
        run_layer(layer("SoftmaxWithLoss"), [SCORES, labels])
    with pytest.raises(errors.LabelError, match=r"from 0 to 3 or 254 \(ignored\)"):
        run_layer(layer("SoftmaxWithLoss", "ignore_label: 254"), [SCORES, labels])


@pytest.mark.parametrize(("label", "advice"), [(7.5, r"ignore_label: 7 \}"), (np.nan, "the labels are wrong$"),
                                               (1e30, "the labels are wrong$")])
def test_only_a_possible_ignore_label_is_proposed(label, advice):
    with pytest.raises(errors.LabelError, match=rf"is {label:g}, ".replace("+", r"\+") + f".*{advice}"):
        run_layer(layer("SoftmaxWithLoss"), [SCORES, np.full(SCORES.shape[:1] + SCORES.shape[2:], label)])


@pytest.mark.parametrize(("kind", "bottoms", "words"), [
    ("SoftmaxWithLoss", [SCORES, LABELS[:1]], "same first dimension"),
    ("SoftmaxWithLoss", [SCORES, LABELS[:, :2]], r"need 30 labels, .*\(2 x 3 x 5, integers from 0 to 3\).* are 20"),
    ("EuclideanLoss", [SCORES, LABELS], "as many elements"),
    ("EuclideanLoss", [SCORES, SCORES[:1]], "same first dimension"),
    ("SigmoidCrossEntropyLoss", [SCORES, LABELS], "as many elements"),
])
def test_refuses_shapes(kind, bottoms, words):
    with pytest.raises(errors.ShapeError, match=words):
        run_layer(layer(kind), bottoms)


def test_euclidean_loss():
    other = RANDOM.normal(size=SCORES.shape)
    text = layer("EuclideanLoss")
    assert value(text, [SCORES, other]) == pytest.approx(((SCORES - other) ** 2).sum() / 4, rel=1e-5)
    check_gradient(text, [SCORES, other])


def test_euclidean_loss_of_other_shapes_with_as_many_elements():
    check_gradient(layer("EuclideanLoss"), [SCORES, RANDOM.normal(size=(2, 60))])


@pytest.mark.parametrize(("fields", "divisor"), [
    ("", 2), ("normalization: FULL", 120), ("normalization: VALID", 120), ("normalization: NONE", 1),
    ("normalize: true", 120), ("normalize: false", 2),
])
def test_sigmoid_loss_divisor(fields, divisor):
    text = layer("SigmoidCrossEntropyLoss", fields)
    p = 1 / (1 + np.exp(-SCORES))
    total = -(TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p)).sum()
    assert value(text, [SCORES, TARGETS]) == pytest.approx(total / divisor, rel=1e-5)
    check_gradient(text, [SCORES, TARGETS], only=[0])


def test_sigmoid_loss_cuts_targets_to_find_ignored_ones():
    text = layer("SigmoidCrossEntropyLoss", "ignore_label: 0 normalization: VALID")
    check_gradient(text, [SCORES, TARGETS], only=[0])
    soft = np.where(TARGETS == 0, 0.9, 1)  # 0.9 is cut to 0, so ignored as 0 is
    assert value(text, [SCORES, soft]) == value(text, [SCORES, TARGETS])


def test_sigmoid_loss_does_not_overflow():
    run = run_layer(layer("SigmoidCrossEntropyLoss"), [[[1e4, -1e4]], [[0, 0]]], top_diffs=[1])
    assert float(run.y) == 1e4
    assert run.bottom[0].diff.tolist() == [[1, 0]]


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_labels_get_no_gradient(kind):
    labels = LABELS if kind == "SoftmaxWithLoss" else TARGETS
    run = run_layer(layer(kind), [SCORES, labels])
    assert [run.layer.allow_force_backward(i) for i in (0, 1)] == [True, False]
    with pytest.raises(errors.LayerError, match="gradient of its labels"):
        run.layer.backward(run.top, [True, True], run.bottom)


def test_losses_add_no_diffs_in_forward():
    for kind, labels in (("SoftmaxWithLoss", LABELS), ("EuclideanLoss", SCORES), ("SigmoidCrossEntropyLoss", TARGETS)):
        run = run_layer(layer(kind), [SCORES, labels])
        assert all(blob.memories[1].head is Head.NONE for blob in run.bottom)
