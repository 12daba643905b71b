"""HED of the family gives the numbers of the original, recorded with its wide border and other weights."""

from __future__ import annotations

import numpy as np

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
