"""Segment one photo with the shipped model, the way the FCN tutorial does it."""

from pathlib import Path

import numpy as np
from PIL import Image

import caffe

here = Path(__file__).parent
model = here.parent / "models" / "camvid-fcn8s-small"

# load image, switch to BGR, subtract mean, and make dims C x H x W for Caffe
im = Image.open(here / "images" / "camvid_street.jpg")
in_ = np.array(im, dtype=np.float32)
in_ = in_[:, :, ::-1]
in_ -= np.array((104.00698793, 116.66876762, 122.67891434))
in_ = in_.transpose((2, 0, 1))

# load net
net = caffe.Net(str(model / "deploy.prototxt"), str(model / "camvid_fcn8s_small.caffemodel"), caffe.TEST)
# shape for input (data blob is N x C x H x W), set data
net.blobs["data"].reshape(1, *in_.shape)
net.blobs["data"].data[...] = in_
# run net and take argmax for prediction
net.forward()
out = net.blobs["score"].data[0].argmax(axis=0)

print("labels", out.shape, "pixels per class", np.bincount(out.ravel(), minlength=11))
