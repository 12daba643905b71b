"""HED of the family gives the numbers of the original, recorded with its wide border and other weights."""

from __future__ import annotations

import numpy as np
from family import make_narrow

import caffe
import caffe_fcn_models
from caffe_fcn.proto.upgrade import read_net

MEAN = np.float32((104.00699, 116.66877, 122.67892))
IMAGE, PIECE = "voc_2007_000129", slice(100, 164)


def test_edges_of_a_photo(shared, tmp_path):
    param = read_net(str(caffe_fcn_models.folder("hed") / "deploy.prototxt"))
    for layer in param.layer:
        if layer.type == "Deconvolution":  # those weights have no biases here
            layer.convolution_param.bias_term = False
            del layer.param[1:]
    (tmp_path / "net.prototxt").write_text(str(param))
    net = caffe.Net(str(tmp_path / "net.prototxt"), str(shared / "weights" / "hed_bsds.caffemodel"), caffe.TEST)
    recorded = np.load(shared / "golden" / "e2e" / "hed" / "hed_golden.npz")
    photo = recorded[f"{IMAGE}.input_rgb_u8"][..., ::-1].astype(np.float32) - MEAN
    net.blobs["data"].reshape(1, 3, *photo.shape[:2])
    net.blobs["data"].data[0] = photo.transpose(2, 0, 1)
    net.forward()
    for blob, name in (("sigmoid-fuse", "prob"), ("upscore-fuse", "fuse_logit")):
        found = net.blobs[blob].data[0, 0, PIECE, PIECE]
        np.testing.assert_allclose(found, recorded[f"{IMAGE}.pad35.{name}_crop_f32"], rtol=2e-5, atol=1e-5)


def test_as_published(tmp_path):
    """Its authors name all crops alike and leave their offsets to the net; their weights have biases in upsampling."""
    param = read_net(str(caffe_fcn_models.folder("hed") / "deploy.prototxt"))
    make_narrow(param)
    (tmp_path / "ours.prototxt").write_text(str(param))
    for layer in param.layer:
        if layer.type == "Crop":
            layer.name = "crop"
            layer.ClearField("crop_param")
    (tmp_path / "published.prototxt").write_text(str(param))
    published = caffe.Net(str(tmp_path / "published.prototxt"), caffe.TEST, dialect="hed")
    assert [blob.data.shape for blob in published.params["upsample_4"]] == [(1, 1, 8, 8), (1,)]
    rng = np.random.default_rng(0)
    for blobs in published.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, (2 / max(blob.data[0].size, 8)) ** 0.5, blob.data.shape)
    published.save(str(tmp_path / "published.caffemodel"))
    ours = caffe.Net(str(tmp_path / "ours.prototxt"), str(tmp_path / "published.caffemodel"), caffe.TEST)
    photo = rng.normal(0, 50, (1, 3, 37, 51))
    for net in (published, ours):
        net.blobs["data"].reshape(*photo.shape)
        net.blobs["data"].data[...] = photo
        net.forward()
    assert len(ours.outputs) == 6
    for name in ours.outputs:
        assert ours.blobs[name].data.shape == (1, 1, 37, 51) and ours.blobs[name].data.std() > 0.01
        np.testing.assert_array_equal(ours.blobs[name].data, published.blobs[name].data)
