"""Layer types of forks: values against their definitions in NumPy, computed by hand or otherwise; errors."""

import numpy as np
import pytest

import caffe
from caffe_fcn import ops, register
from caffe_fcn.errors import LabelError, LayerError, ShapeError, UnknownLayerError
from caffe_fcn.layers import registry
from caffe_fcn.layers.base import Layer
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse
from tests.layers.cases import MASK
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(2, 3, size=(2, 4, 5, 6))


def close(found, wanted, rtol=1e-5):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)


# which class


def test_a_users_own_type_wins(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})

    @register("Interp")
    class Mine(Layer):
        """A user's."""

    assert registry.layer_class("Interp") is Mine


def test_forks_are_not_in_the_list_of_caffes_types_but_in_hints():
    assert "Interp" not in caffe.layer_type_list()
    with pytest.raises(UnknownLayerError, match="did you mean 'Interp'"):
        registry.layer_class("interp")


def test_a_net_of_forks_runs_from_text():
    net = caffe.Net(parse("""
        layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [1, 2, 7, 7] } } }
        layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c'
                convolution_param { num_output: 2 kernel_size: 3 hole: 2 pad: 2 } }
        layer { name: 'p' type: 'Pooling' bottom: 'c' top: 'p' top: 'm' pooling_param { kernel_size: 2 stride: 2 } }
        layer { name: 'u' type: 'Upsample' bottom: 'p' bottom: 'm' top: 'u' upsample_param { scale: 2 pad_out_h: true
                pad_out_w: true } }
        layer { name: 'i' type: 'Interp' bottom: 'u' top: 'i' interp_param { zoom_factor: 2 } }
    """, caffe_pb2.NetParameter()), caffe.TEST)
    net.forward()
    assert net.blobs["i"].data.shape == (1, 2, 13, 13)


# Interp


@pytest.mark.parametrize(("fields", "columns"), [
    ("zoom_factor: 2", [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]), ("shrink_factor: 2", [0, 2, 4]),
    ("shrink_factor: 2 zoom_factor: 1", [0, 2, 4]), ("shrink_factor: 2 zoom_factor: 2", [0, 1, 2, 3, 4]),
    ("height: 1 width: 3", [0, 2, 4]), ("height: 1 width: 1", [0]),
    ("zoom_factor: 1 pad_beg: -1 pad_end: -1", [1, 2, 3]),
])
def test_interp_keeps_a_ramp(fields, columns):
    ramp = np.broadcast_to(np.arange(5.0), (1, 1, 5, 5))
    close(run_layer(f"type: 'Interp' interp_param {{ {fields} }}", [ramp]).y[0, 0, 0], columns)


@pytest.mark.parametrize("fields", ["", "height: 3", "zoom_factor: 2 height: 3 width: 3", "zoom_factor: 0",
                                    "zoom_factor: 2 pad_beg: 1", "zoom_factor: 2 pad_beg: -3 pad_end: -2"])
def test_interp_sizes_that_do_not_fit(fields):
    with pytest.raises(LayerError, match=r"factor|pad"):
        build_layer(f"type: 'Interp' interp_param {{ {fields} }}", [X])


# Upsample


def test_unpool_undoes_a_pooling():
    values, mask = np.arange(1.0, 10).reshape(1, 1, 3, 3), MASK.reshape(1, 1, 3, 3)
    run = run_layer("type: 'Upsample' upsample_param { scale: 2 pad_out_h: true pad_out_w: true }", [values, mask])
    wanted = np.zeros(25)
    wanted[MASK] = np.arange(1, 10)
    close(run.y.reshape(-1), wanted)


@pytest.mark.parametrize("operations", [ops.current(), ReferenceOps()])
@pytest.mark.parametrize("index", [99, 16, -1, np.nan, np.inf])
def test_unpool_mask_beyond_the_top(operations, index):
    values, mask, diff = np.ones((1, 1, 2, 2)), np.array([[[[0, index], [0, 0]]]]), np.ones((1, 1, 4, 4))
    with ops.using(operations):
        with pytest.raises(LabelError, match=rf"mask .* at \(0, 0, 0, 1\) is {index:g}"):
            run_layer("type: 'Upsample'", [values, mask])
        run = run_layer("type: 'Upsample'", [values, 0 * values], top_diffs=[diff])
        run.bottom[1].data[...] = mask
        with pytest.raises(LabelError, match="mask"):
            run.layer.backward(run.top, [True, False], run.bottom)


@pytest.mark.parametrize("operations", [ops.current(), ReferenceOps()])
def test_unpool_cuts_indices_and_keeps_the_last_of_a_place(operations):
    with ops.using(operations):
        run = run_layer("type: 'Upsample'", [[[[[1.0, 2, 3]]]], [[[[0.9, -0.9, 5.5]]]]])
    close(run.y.reshape(-1), [2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0])


def test_repeat():
    run = run_layer("type: 'Upsample' upsample_param { scale: 3 }", [X])
    close(run.y, X.repeat(3, 2).repeat(3, 3))


@pytest.mark.parametrize(("fields", "count"), [
    ("upsample_h: 5", 2), ("scale: 3 scale_h: 2 scale_w: 2", 2), ("scale: 1", 2), ("scale: 3 pad_out_h: true", 2),
    ("", 1), ("scale: 2 pad_out_h: true", 1),
])
def test_upsample_sizes_that_do_not_fit(fields, count):
    with pytest.raises(LayerError, match="scale"):
        build_layer(f"type: 'Upsample' upsample_param {{ {fields} }}", [np.ones((1, 1, 2, 2))] * count)


# BN


def normal(x, eps):
    axes = (0, 2, 3)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_segnet_bn_uses_the_batch_in_both_phases(phase):
    scale, shift = RANDOM.normal(size=(2, 1, 4, 1, 1))
    run = run_layer("type: 'BN' bn_param { bn_mode: LEARN }", [X], params=[scale, shift], phase=phase, tops=3)
    close(run.y, scale * normal(X, 1e-9) + shift, 1e-4)
    close(run.top[1].data, X.mean((0, 2, 3)).reshape(1, 4, 1, 1))
    close(run.top[2].data, X.var((0, 2, 3)).reshape(1, 4, 1, 1))


def test_segnet_inference_only_scales():
    scale, shift = RANDOM.normal(size=(2, 1, 4, 1, 1))
    close(run_layer("type: 'BN' bn_param { bn_mode: INFERENCE }", [X], params=[scale, shift]).y, scale * X + shift)


def test_pspnet_bn_averages():
    start = [RANDOM.uniform(1, 2, (1, 4, 1, 1)) for _ in range(4)]
    run = run_layer("type: 'BN' bn_param { momentum: 0.8 eps: 0.1 }", [X], params=start)
    close(run.y, start[0] * normal(X, 0.1) + start[1], 1e-4)
    for i, batch in ((2, X.mean((0, 2, 3))), (3, X.var((0, 2, 3)))):
        close(run.layer.blobs[i].data, 0.8 * start[i] + 0.2 * batch.reshape(1, 4, 1, 1))


@pytest.mark.parametrize(("fields", "phase"), [("frozen: true", "TRAIN"), ("momentum: 0.9", "TEST")])
def test_pspnet_bn_by_its_averages(fields, phase):
    start = [RANDOM.uniform(1, 2, (1, 4, 1, 1)) for _ in range(4)]
    run = run_layer(f"type: 'BN' bn_param {{ {fields} }}", [X], params=start, phase=phase, top_diffs=[np.ones(X.shape)])
    factor = start[0] / np.sqrt(start[3] + 1e-5)
    close(run.y, factor * (X - start[2]) + start[1], 1e-4)
    close(run.bottom[0].diff, np.broadcast_to(factor, X.shape))
    close(run.layer.blobs[2].data, start[2])


def bn_net(fields):
    text = (f"layer {{ name: 'x' type: 'Input' top: 'x' input_param {{ shape {{ dim: [2, 3] }} }} }} "
            f"layer {{ name: 'n' type: 'BN' bottom: 'x' top: 'y' {fields} }}")
    return caffe.Net(parse(text, caffe_pb2.NetParameter()), caffe.TRAIN)


@pytest.mark.parametrize(("fields", "mults"), [("momentum: 0.9", [2, 1, 0, 0]), ("frozen: true", [0, 0, 0, 0])])
def test_pspnet_averages_are_not_learned(fields, mults):
    assert bn_net(f"param {{ lr_mult: 2 }} bn_param {{ {fields} }}")._wiring.params.lr_mults == mults


def test_weights_of_forks_are_saved_and_loaded(tmp_path):
    net, path = bn_net("bn_param { momentum: 0.9 slope_filler { type: 'uniform' } }"), tmp_path / "w.caffemodel"
    net.save(path)
    other = bn_net("bn_param { momentum: 0.9 }")
    other.copy_from(path)
    np.testing.assert_array_equal(other.params["n"][0].data, net.params["n"][0].data)


def test_weights_of_pspnet_in_the_old_form(tmp_path):
    stored, layer = caffe_pb2.NetParameter(), caffe_pb2.LayerParameter(name="n", type="BN")
    for value in range(4):
        layer.blobs.add(num=1, channels=3, height=1, width=1, data=[value] * 3)
    stored.layer.append(layer)
    (tmp_path / "w.caffemodel").write_bytes(stored.SerializeToString())
    net = bn_net("bn_param { momentum: 0.9 }")
    net.copy_from(tmp_path / "w.caffemodel")
    assert [blob.data.ravel().tolist() for blob in net.params["n"]] == [[value] * 3 for value in range(4)]


@pytest.mark.parametrize("fields", ["", "scale_filler { } momentum: 0.9"])
def test_bn_of_an_unknown_fork(fields):
    with pytest.raises(LayerError, match="bn_mode: LEARN"):
        build_layer(f"type: 'BN' bn_param {{ {fields} }}", [X])


# the others


@pytest.mark.parametrize(("fields", "axes"), [("", (1, 2, 3)), ("across_spatial: false", (1,))])
def test_normalize(fields, axes):
    wanted = X / np.sqrt((X * X).sum(axes, keepdims=True)) * 3
    close(run_layer(f"type: 'Normalize' norm_param {{ {fields} scale_filler {{ value: 3 }} }}", [X]).y, wanted)


def test_normalize_of_an_unknown_fork():
    with pytest.raises(LayerError, match="norm_param"):
        build_layer("type: 'Normalize'", [X])


def test_permute():
    close(run_layer("type: 'Permute' permute_param { order: 3 order: 0 }", [X]).y, X.transpose(3, 0, 1, 2))
    for order in ("order: 4", "order: 1 order: 1"):
        with pytest.raises(LayerError, match="different axes from 0 to 3"):
            build_layer(f"type: 'Permute' permute_param {{ {order} }}", [X])


def test_relu6_has_no_gradient_at_its_bounds():
    run = run_layer("type: 'ReLU6'", [[-1, 0, 3, 6, 7]], top_diffs=[np.ones(5)])
    close(run.y, [0, 0, 3, 6, 6])
    close(run.bottom[0].diff, [0, 0, 1, 0, 0])


def test_shuffle_channel():
    x = np.arange(6.0).reshape(1, 6, 1, 1)
    run = run_layer("type: 'ShuffleChannel' shuffle_channel_param { group: 2 }", [x])
    close(run.y.reshape(-1), [0, 3, 1, 4, 2, 5])
    with pytest.raises(ShapeError, match="multiple"):
        build_layer("type: 'ShuffleChannel' shuffle_channel_param { group: 4 }", [x])


def test_axpy():
    a, y = RANDOM.normal(size=(2, 4, 1, 1)), RANDOM.normal(size=X.shape)
    close(run_layer("type: 'Axpy'", [a, X, y]).y, a * X + y)
    with pytest.raises(ShapeError, match="x's shape"):
        build_layer("type: 'Axpy'", [X, X, X])


def test_depthwise_is_a_convolution_with_as_many_groups():
    fields = "num_output: 8 kernel_size: 3 stride: 2"
    weight, bias = RANDOM.normal(size=(8, 1, 3, 3)), RANDOM.normal(size=8)
    deep = run_layer(f"type: 'ConvolutionDepthwise' convolution_param {{ {fields} }}", [X], params=[weight, bias])
    close(deep.y, run_layer(f"type: 'Convolution' convolution_param {{ {fields} group: 4 }}", [X],
                            params=[weight, bias]).y)
    with pytest.raises(LayerError, match="number of channels"):
        build_layer(f"type: 'DepthwiseConvolution' convolution_param {{ {fields} group: 2 }}", [X])


def test_seg_accuracy():
    scores = np.zeros((1, 4, 1, 6))
    scores[0, [0, 1, 1, 3, 2], 0, range(5)] = 1  # of the last, all are equal: 3 wins
    labels = np.array([0, 0, 1, 255, 7, 3.0]).reshape(1, 1, 1, 6)
    text = "type: 'SegAccuracy' seg_accuracy_param { ignore_label: 255 ignore_label: 7 %s }"
    run = run_layer(text % "", [scores, labels])
    wanted = [3 / 4, (1 / 2 + 1 + 1) / 3, (1 / 2 + 1 / 2 + 1 + 1) / 4]
    close(run.y.reshape(-1), wanted)
    grown = run_layer(text % "reset: false", [scores, labels])
    grown.bottom[1].data[...] = np.array([1, 1, 0, 255, 255, 255]).reshape(1, 1, 1, 6)
    grown.layer.forward(grown.bottom, grown.top)
    close(grown.y[0, 0, 0, 0], 4 / 7)
    with pytest.raises(LabelError, match=r"at \(0, 0, 0, 3\) is 255"):
        run_layer("type: 'SegAccuracy'", [scores, labels])


def test_class_balanced_loss():
    x, target = RANDOM.normal(size=(2, 1, 3, 4)), RANDOM.integers(0, 3, (2, 1, 3, 4))
    chance, wanted = 1 / (1 + np.exp(-x)), 0.0
    for p, t in zip(chance, target, strict=True):
        ones, zeros = (t == 1).sum(), (t == 0).sum()
        wanted -= (zeros * np.log(p[t == 1]).sum() + ones * np.log(1 - p[t == 0]).sum()) / (ones + zeros) / 2
    text = "type: 'ClassBalancedSigmoidCrossEntropyLoss'"
    assert float(run_layer(text, [x, target]).y) == pytest.approx(wanted, rel=1e-5)
    assert run_layer(text, [x, 2 + 0 * target]).y == 0


def test_class_weighting():
    scores, labels = RANDOM.normal(size=(2, 3, 4)), RANDOM.integers(0, 3, (2, 4)).astype(float)
    weights = [0.5, 2, 0]
    logs = np.log(np.exp(scores) / np.exp(scores).sum(1, keepdims=True))
    terms = -np.take_along_axis(logs, labels.astype(int)[:, None], 1)[:, 0]
    text = "type: 'SoftmaxWithLoss' loss_param { weight_by_label_freqs: true %s }"
    given = text % "".join(f"class_weighting: {w} " for w in weights)
    assert float(run_layer(given, [scores, labels]).y) == pytest.approx(
        (terms * np.take(weights, labels.astype(int))).mean(), rel=1e-5)
    counts = np.bincount(labels.astype(int).ravel(), minlength=3)
    assert float(run_layer(text % "normalization: NONE", [scores, labels]).y) == pytest.approx(
        (terms / counts[labels.astype(int)]).sum(), rel=1e-5)
    check_gradient(given, [scores, labels], only=[0])
    with pytest.raises(LayerError, match="each of the 3 classes, got 1"):
        build_layer(text % "class_weighting: 1", [scores, labels])


def test_class_weighting_without_its_switch_is_caffes_own_loss():
    scores, labels = RANDOM.normal(size=(2, 3)), [0, 1]
    assert (run_layer("type: 'SoftmaxWithLoss' loss_param { class_weighting: 9 }", [scores, labels]).y
            == run_layer("type: 'SoftmaxWithLoss'", [scores, labels]).y)


# SSD


def test_prior_box():
    text = ("type: 'PriorBox' prior_box_param { min_size: 4.9 max_size: 9.9 aspect_ratio: 4 aspect_ratio: 1 flip: %s "
            "variance: [0.1, 0.1, 0.2, 0.2] }")
    run = run_layer(text % "true", [np.ones((1, 1, 1, 2)), np.ones((1, 3, 10, 40))])
    boxes, variances = run.y.reshape(2, 2, 4, 4)  # column, box, corner
    sides = np.array([[4, 4], [6, 6], [8, 2], [2, 8]])  # sizes are cut to whole pixels
    for column, centre in enumerate((10, 30)):
        close(boxes[column, :, :2] * [40, 10], [centre, 5] - sides / 2)
        close(boxes[column, :, 2:] * [40, 10], [centre, 5] + sides / 2)
    close(variances[1, 3], [0.1, 0.1, 0.2, 0.2])
    assert run_layer(text % "false", [np.ones((1, 1, 1, 2)), np.ones((1, 3, 9, 9))]).y.size == 2 * 2 * 3 * 4


@pytest.mark.parametrize("fields", ["", "min_size: 3 max_size: 2", "min_size: 3 variance: [1, 1]",
                                    "min_size: 3 img_h: 9", "min_size: 3 step: 0", "min_size: 3 aspect_ratio: 0"])
def test_prior_box_fields_that_do_not_fit(fields):
    with pytest.raises(LayerError, match=r"size|variance|img_h|step|aspect"):
        build_layer(f"type: 'PriorBox' prior_box_param {{ {fields} }}", [X, X])


PRIORS = np.array([[0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.9, 0.9]])
SCORES = np.array([[0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])


def detect(fields, boxes=None, scores=SCORES):
    boxes = np.zeros((1, 12)) if boxes is None else boxes
    priors = np.stack((PRIORS.reshape(-1), np.full(12, 0.5)))[None]
    return run_layer(f"type: 'DetectionOutput' detection_output_param {{ num_classes: 2 {fields} }}",
                     [boxes, scores.reshape(1, -1), priors]).y[0, 0]


def test_overlapping_boxes_are_suppressed():
    close(detect(""), [[0, 1, 0.9, *PRIORS[0]], [0, 1, 0.6, *PRIORS[2]]])
    assert len(detect("nms_param { nms_threshold: 1 }")) == 3
    assert len(detect("nms_param { nms_threshold: 1 top_k: 2 }")) == 2
    close(detect("keep_top_k: 1")[:, 2], [0.9])
    close(detect("confidence_threshold: 0.7")[:, 2], [0.9])
    close(detect("background_label_id: -1")[:, 1], [0, 0, 1, 1])


def test_no_detections_give_a_row_for_each_image():
    close(detect("confidence_threshold: 1"), [[0, *[-1] * 6]])


@pytest.mark.parametrize(("code", "wanted"), [
    ("CORNER", [0.15, 0.2, 0.45, 0.5]), ("CORNER_SIZE", [0.11, 0.12, 0.33, 0.34]),
    ("CENTER_SIZE", [0.21 - 0.1 * np.exp(0.15), 0.22 - 0.1 * np.exp(0.2), 0.21 + 0.1 * np.exp(0.15),
                     0.22 + 0.1 * np.exp(0.2)]),
])
def test_codes_of_boxes(code, wanted):
    boxes = np.zeros((1, 12))
    boxes[0, :4] = [0.1, 0.2, 0.3, 0.4]
    close(detect(f"code_type: {code}", boxes)[0, 3:], wanted)
    boxes[0, :4] *= 0.5
    close(detect(f"code_type: {code} variance_encoded_in_target: true", boxes)[0, 3:], wanted)


def test_adaptive_threshold():
    boxes = np.zeros((1, 12))
    boxes[0, 4:8] = [0, 0, 0, 0.1]  # the second box is higher: overlap 0.2 / 0.25 = 0.8
    assert len(detect("nms_param { nms_threshold: 0.85 }", boxes)) == 3
    assert len(detect("nms_param { nms_threshold: 0.85 eta: 0.5 }", boxes)) == 2


def test_boxes_of_each_class():
    boxes = np.zeros((1, 24))
    boxes[0, 4] = 0.1  # first prior, class 1
    close(detect("share_location: false", boxes)[0, 3:], [0.15, 0.1, 0.3, 0.3])


def test_numbers_of_predictions_that_do_not_fit():
    with pytest.raises(ShapeError, match="3 priors"):
        detect("", np.zeros((1, 8)))
