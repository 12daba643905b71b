"""The stand-in for OpenCV's importer; compared with OpenCV 4 itself where that is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import caffe_fcn.cv2dnn as dnn
from caffe_fcn.errors import MissingFileError, NotSupportedError

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "scaled" type: "Power" bottom: "data" top: "scaled" power_param { scale: -1 } }
layer { name: "relu" type: "ReLU" bottom: "scaled" top: "scaled" }
layer { name: "weighting" type: "Convolution" bottom: "scaled" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "aux" type: "Pooling" bottom: "conv" top: "aux" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "prob" type: "Softmax" bottom: "conv" top: "prob" }
"""
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (12, 16, 3)).astype(np.uint8)


@pytest.fixture
def net(tmp_path: Path) -> dnn.Net:
    (tmp_path / "net.prototxt").write_text(NET)
    return dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"))


def test_layers(net: dnn.Net) -> None:
    assert net.getLayerNames() == ("scaled", "relu", "conv", "aux", "prob")
    assert net.getUnconnectedOutLayersNames() == ("aux", "prob")
    assert net.getUnconnectedOutLayers().tolist() == [4, 5]
    assert [net.getLayerId(name) for name in ("scaled", "prob", "none")] == [1, 5, -1]
    layer = net.getLayer(3)
    assert (layer.name, layer.type) == ("conv", "Convolution")
    assert [blob.shape for blob in layer.blobs] == [(2, 3, 3, 3), (2,)]
    assert net.getLayersCount("ReLU") == 1
    assert net.getLayerId("weighting") == net.getLayerId("conv")
    assert not net.empty()


def test_outputs_are_of_layers_also_in_place(net: dnn.Net) -> None:
    blob = np.array([[[[1.0, -2.0]]]], np.float32) * np.ones((1, 3, 4, 1), np.float32)
    net.setInput(blob)
    before, after = net.forward(("scaled", "relu"))
    np.testing.assert_array_equal(before, -blob)
    np.testing.assert_array_equal(after, np.maximum(-blob, 0))
    assert net._net.blobs["scaled"].shape == (1, 3, 4, 2)


def test_several_outputs_and_the_profile(net: dnn.Net) -> None:
    net.setInput(RNG.random((2, 3, 9, 9)), "data", 2.0, (0.5, 0.25))
    relu, prob = net.forward(["relu", "prob"])
    np.testing.assert_array_equal(net.forward(), prob)
    np.testing.assert_allclose(prob.sum(1), 1, rtol=1e-6)
    assert relu.shape == (2, 3, 9, 9)
    total, times = net.getPerfProfile()
    assert total > 0
    assert times.shape == (5,)
    values = RNG.random((1, 3, 9, 9)).astype(np.float32)
    net.setInput(values, scalefactor=2.0, mean=(0.5, 0.25))
    want = (values - np.array([0.5, 0.25, 0]).reshape(1, 3, 1, 1)) * 2
    np.testing.assert_allclose(net.forward("scaled"), -want, rtol=1e-5, atol=1e-6)


def test_parameters(net: dnn.Net) -> None:
    net.setParam("conv", 1, [5.0, 7.0])
    assert net.getParam(3, 1).tolist() == [5, 7]
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        net.setParam("conv", 1, [1.0])


def test_contents_instead_of_files(tmp_path: Path) -> None:
    from caffe_fcn import Net

    (tmp_path / "net.prototxt").write_text(NET)
    Net(str(tmp_path / "net.prototxt"), 1).save(tmp_path / "w.caffemodel")
    text, weights = NET.encode(), (tmp_path / "w.caffemodel").read_bytes()
    blob = dnn.blobFromImage(IMAGE)
    outputs = []
    for net in (dnn.readNetFromCaffe(text, weights),
                dnn.readNetFromCaffe(np.frombuffer(text, np.uint8), np.frombuffer(weights, np.uint8)),
                dnn.readNet(str(tmp_path / "w.caffemodel"), str(tmp_path / "net.prototxt"))):
        net.setInput(blob)
        outputs.append(net.forward())
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_backends(net: dnn.Net) -> None:
    net.setPreferableBackend(dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(dnn.DNN_TARGET_CPU)
    with pytest.raises(NotSupportedError, match="target 1 "):
        net.setPreferableTarget(1)
    with pytest.raises(NotSupportedError, match="backend 2 "):
        net.setPreferableBackend(2)


ERRORS = [
    (lambda net: net.forward("prop"), KeyError, "no layer 'prop'; did you mean 'prob'"),
    (lambda net: net.setInput(np.ones((1, 3, 8, 8)), "image"), KeyError, "no input 'image', but 'data'"),
    (lambda net: net.getLayer(9), KeyError, "no layer 9, but 1 to 5"),
    (lambda net: dnn.readNetFromCaffe("none.prototxt"), MissingFileError, "none.prototxt"),
    (lambda net: dnn.readNet("a.pb", "b", "tensorflow"), NotSupportedError, "tensorflow"),
    (lambda net: dnn.blobFromImage(np.ones((4, 4, 2))), ValueError, r"\(4, 4, 2\)"),
    (lambda net: dnn.blobFromImages([np.ones((4, 4)), np.ones((5, 4))]), ValueError, "one size"),
    (lambda net: dnn.blobFromImage(IMAGE, size=(0, 4)), ValueError, "size"),
    (lambda net: dnn.blobFromImage(IMAGE, ddepth=0, mean=(1, 2, 3)), ValueError, "no mean"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_mistakes(net: dnn.Net, call, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(net)


def test_blob_without_resizing() -> None:
    blob = dnn.blobFromImage(IMAGE, 0.5, mean=(1, 2, 3), swapRB=True)
    want = (IMAGE[:, :, ::-1].astype(np.float32) - [1, 2, 3]) * 0.5
    np.testing.assert_allclose(blob, want.transpose(2, 0, 1)[None])
    np.testing.assert_array_equal(dnn.imagesFromBlob(dnn.blobFromImage(IMAGE))[0], IMAGE)
    assert dnn.blobFromImage(IMAGE[:, :, 0]).shape == (1, 1, 12, 16)
    assert dnn.blobFromImage(IMAGE, ddepth=0).dtype == np.uint8


def opencv():
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("this OpenCV has no importer for Caffe's nets")
    return cv2


SIZES = [{}, {"size": (9, 7)}, {"size": (30, 20), "swapRB": True, "mean": (104, 117, 123)},
         {"size": (10, 10), "crop": True, "scalefactor": 1 / 255}, {"size": (7, 31), "crop": True},
         {"size": (31, 8), "crop": True, "mean": 3}]


@pytest.mark.parametrize("options", SIZES, ids=str)
@pytest.mark.parametrize("image", [IMAGE, IMAGE[:, :, 0], IMAGE.astype(np.float32)], ids=["color", "grey", "float"])
def test_blobs_are_opencvs(options: dict, image: np.ndarray) -> None:
    want = opencv().dnn.blobFromImage(image, **options)
    np.testing.assert_allclose(dnn.blobFromImage(image, **options), want,
                               atol=0 if image.dtype == np.uint8 else 1e-4, rtol=1e-6)


@pytest.mark.parametrize("name", ["fcn8s_slim", "fcn32s_slim"])
def test_nets_are_opencvs(name: str, shared: Path, tmp_path: Path) -> None:
    from caffe_fcn import Net

    cv2, folder = opencv(), shared / "golden/e2e/fcn_slim"
    prototxt = str(folder / f"{name}_deploy.prototxt")
    whole = Net(prototxt, 1, weights=folder / "fcn8s_slim.caffemodel")
    if name == "fcn32s_slim":  # the file has no weights for its last layer
        place = 1 - np.abs(np.arange(64) - 31.5) / 32
        whole.params["upscore"][0].data[range(21), range(21)] = np.outer(place, place)
    whole.save(tmp_path / "w.caffemodel")
    compare(cv2.dnn, (prototxt, str(tmp_path / "w.caffemodel")), RNG.random((1, 3, 70, 90)) * 200 - 100)


def test_edge_net_is_opencvs(shared: Path) -> None:
    files = str(shared / "weights/hed_deploy.prototxt"), str(shared / "weights/hed_bsds.caffemodel")
    if not Path(files[0]).exists():
        pytest.skip("the edge net is not there")
    compare(opencv().dnn, files, RNG.random((1, 3, 64, 80)) * 200 - 100)


def compare(cv_dnn, files: tuple[str, str], blob: np.ndarray) -> None:
    """Layers, their order, and all outputs of both implementations."""
    ours = dnn.readNetFromCaffe(*files)
    theirs = cv_dnn.readNetFromCaffe(*files)
    assert ours.getLayerNames() == theirs.getLayerNames()
    assert ours.getUnconnectedOutLayersNames() == theirs.getUnconnectedOutLayersNames()
    names = [name for name in ours.getLayerNames() if ours.getLayer(name).type in ("Convolution", "Crop", "Eltwise")]
    for net in (ours, theirs):
        net.setInput(blob.astype(np.float32))
    for name, got, want in zip(names, ours.forward(names), theirs.forward(names), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max(), err_msg=name)
