"""Layers of forks against OpenCV 4, which imports Caffe's nets (OpenCV 5 does not)."""

import numpy as np
import pytest

import caffe
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse

cv2 = pytest.importorskip("cv2")
if not hasattr(getattr(cv2, "dnn", None), "readNetFromCaffe") or not cv2.__version__.startswith("4."):
    pytest.skip("needs OpenCV 4", allow_module_level=True)
RANDOM = np.random.default_rng(29)


def compare(layers, tmp_path, rows=False, params=None, **inputs):
    """The last top of a net of these layers, ours and OpenCV's. rows: compare rows in any order."""
    fed = " ".join(f"input: '{name}' input_shape {{ {' '.join(f'dim: {n}' for n in values.shape)} }}"
                   for name, values in inputs.items())
    net = caffe.Net(parse(f"{fed} {layers}", caffe_pb2.NetParameter()), caffe.TEST)
    for name, values in (params or {}).items():
        net.params[name][0].data[...] = values
    (tmp_path / "net.prototxt").write_text(f"{fed} {layers}")
    net.save(tmp_path / "net.caffemodel")
    theirs = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    for name, values in inputs.items():
        net.blobs[name].data[...] = values
        theirs.setInput(values.astype(np.float32), name)
    net.forward()
    found, wanted = net.blobs[net.outputs[0]].data, theirs.forward(net.outputs[0])
    if rows:  # OpenCV fills up with rows of 0
        found, wanted = (np.array(sorted(values.reshape(-1, 7).tolist())) for values in (found, wanted))
        wanted = wanted[wanted[:, 2] > 0]
        assert len(np.unique(found[:, 1])) > 1
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def layer(kind, fields, bottoms="'x'", name="l"):
    names = " ".join(f"bottom: {bottom}" for bottom in bottoms.split())
    return f"layer {{ name: '{name}' type: '{kind}' {names} top: '{name}' {fields} }}"


X = RANDOM.normal(size=(2, 6, 4, 5))


@pytest.mark.parametrize(("kind", "fields"), [
    ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    ("Permute", "permute_param { order: 0 order: 3 order: 1 order: 2 }"),
    ("ShuffleChannel", "shuffle_channel_param { group: 3 }"), ("ReLU6", ""),
])
def test_of_one_bottom(kind, fields, tmp_path):
    compare(layer(kind, fields), tmp_path, x=5 * X)


@pytest.mark.parametrize(("fields", "scale"), [
    ("across_spatial: false channel_shared: false", RANDOM.normal(size=6)),
    ("across_spatial: true channel_shared: true", 3),
])
def test_normalize(fields, scale, tmp_path):
    compare(layer("Normalize", f"norm_param {{ {fields} }}"), tmp_path, x=X[:1], params={"l": scale})


@pytest.mark.parametrize("fields", [
    "min_size: 30 max_size: 60 aspect_ratio: 2 flip: true clip: false variance: [0.1, 0.1, 0.2, 0.2]",
    "min_size: 12 aspect_ratio: 2 aspect_ratio: 3 flip: false clip: true variance: 0.1",
    "min_size: 12 aspect_ratio: 2 flip: true clip: false step: 9 offset: 0.25 variance: [0.1, 0.1, 0.2, 0.2]",
    "min_size: 12 max_size: 15 flip: true clip: false step_h: 9 step_w: 11 variance: [0.1, 0.1, 0.2, 0.2]",
])
def test_prior_box(fields, tmp_path):
    compare(layer("PriorBox", f"prior_box_param {{ {fields} }}", "'x' 'image'"), tmp_path, x=X[:1],
            image=RANDOM.normal(size=(1, 3, 60, 77)))


PRIORS = layer("PriorBox", "prior_box_param { min_size: 20 max_size: 30 aspect_ratio: 2 flip: true "
               "clip: false variance: [0.1, 0.1, 0.2, 0.2] }", "'x' 'image'", "priors")


@pytest.mark.parametrize(("code", "shared", "nms", "top_k", "keep", "least"), [
    ("CENTER_SIZE", "true", 0.45, 20, 12, 0.2), ("CENTER_SIZE", "true", 0.7, 400, 200, 0.01),
    ("CORNER", "true", 0.3, 30, 50, 0.1), ("CENTER_SIZE", "false", 0.45, 30, 40, 0.2),
])
def test_detection_output(code, shared, nms, top_k, keep, least, tmp_path):
    count, classes = 4 * 5 * 4, 3
    located = 1 if shared == "true" else classes
    scores = np.exp(RANDOM.normal(size=(2, count, classes)))
    scores /= scores.sum(axis=2, keepdims=True)
    fields = (f"num_classes: 3 background_label_id: 0 code_type: {code} share_location: {shared} keep_top_k: {keep} "
              f"confidence_threshold: {least} nms_param {{ nms_threshold: {nms} top_k: {top_k} }}")
    compare(PRIORS + layer("DetectionOutput", f"detection_output_param {{ {fields} }}", "'boxes' 'scores' 'priors'"),
            tmp_path, rows=True, x=X[:1], image=RANDOM.normal(size=(1, 3, 60, 77)), scores=scores.reshape(2, -1),
            boxes=0.5 * RANDOM.normal(size=(2, count * 4 * located)))
