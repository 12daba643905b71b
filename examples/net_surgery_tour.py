"""Net surgery in three steps: edit filters, make CaffeNet fully convolutional, classify a large photo as a heat map.

    python examples/net_surgery_tour.py
    python examples/net_surgery_tour.py --net deploy.prototxt --weights bvlc_reference_caffenet.caffemodel

Without files the second and third step use CaffeNet's layers with few channels and random weights.
"""

import argparse
from pathlib import Path

import numpy as np

import caffe
from net_surgery import Check, Model, fully_convolutional, window_stride

PHOTO = Path(__file__).with_name("images") / "camvid_street.jpg"
QUIET = Check(show=lambda line: None)


def edit_filters(image):
    """One convolution with three filters of our own; image (H, W) from 0 to 1. Returns the net."""
    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape={'dim': [1, 1, *image.shape]})
    n.conv = caffe.layers.Convolution(n.data, num_output=3, kernel_size=5)
    net = fresh(n)
    net.blobs['data'].data[...] = image

    kernels, bias = net.params['conv'][0].data, net.params['conv'][1].data
    row = np.arange(5) - 2
    gauss = np.exp(-(row[:, None] ** 2 + row ** 2) / 2)
    kernels[0, 0] = gauss / gauss.sum()  # blurs
    kernels[1, 0] = gauss * row  # edges from left to right
    kernels[2, 0] = gauss * row[:, None]  # edges from top to bottom
    net.forward()
    blurred = net.blobs['conv'].data[0, 0].mean()
    bias[0] += 1
    net.forward()
    means = net.blobs['conv'].data[0].mean(axis=(1, 2))
    print(f"filters: mean of the photo {image.mean():.3f}, "
          f"blurred {blurred:.3f}, with a bias of 1 more {means[0]:.3f}, "
          f"of its edges {means[1]:.4f} and {means[2]:.4f}")
    return net


def caffenet(pad, width=1 / 8, classes=10):
    """CaffeNet's layers with fewer channels and random weights; `pad` as it has it, or none at all."""
    def conv(bottom, outputs, kernel, padding=0, **more):
        made = caffe.layers.Convolution(bottom, num_output=max(int(outputs * width), 2), kernel_size=kernel,
                                        pad=padding * pad, weight_filler={'type': 'msra'}, **more)
        return made, caffe.layers.ReLU(made, in_place=True)

    def pool(bottom):
        return caffe.layers.Pooling(bottom, pool=0, kernel_size=3, stride=2)

    def full(bottom, outputs):
        return caffe.layers.InnerProduct(bottom, num_output=outputs, weight_filler={'type': 'msra'})

    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape={'dim': [1, 3, 227, 227]})
    n.conv1, n.relu1 = conv(n.data, 96, 11, stride=4)
    n.pool1 = pool(n.relu1)
    n.norm1 = caffe.layers.LRN(n.pool1, local_size=5, alpha=1e-4, beta=0.75)
    n.conv2, n.relu2 = conv(n.norm1, 256, 5, 2, group=2)
    n.pool2 = pool(n.relu2)
    n.norm2 = caffe.layers.LRN(n.pool2, local_size=5, alpha=1e-4, beta=0.75)
    n.conv3, n.relu3 = conv(n.norm2, 384, 3, 1)
    n.conv4, n.relu4 = conv(n.relu3, 384, 3, 1, group=2)
    n.conv5, n.relu5 = conv(n.relu4, 256, 3, 1, group=2)
    n.pool5 = pool(n.relu5)
    n.fc6 = full(n.pool5, 128)
    n.relu6 = caffe.layers.ReLU(n.fc6, in_place=True)
    n.drop6 = caffe.layers.Dropout(n.relu6, in_place=True)
    n.fc7 = full(n.drop6, 128)
    n.relu7 = caffe.layers.ReLU(n.fc7, in_place=True)
    n.fc8 = full(n.relu7, classes)
    n.prob = caffe.layers.Softmax(n.fc8)
    return fresh(n)


def fresh(spec):
    """The net of a NetSpec, the same random weights every time."""
    caffe.set_random_seed(0)
    return Model(spec.to_proto()).build()


def heat_map(net, photo):
    """Classes of all windows of a photo (3, H, W): probabilities (classes, rows, columns)."""
    net.blobs['data'].reshape(1, *photo.shape)
    net.blobs['data'].data[...] = photo
    return net.forward()['prob'][0].copy()


def largest_difference(net, heat, photo, down, across):
    """Between a heat map and the net on each window, cut out."""
    height, width = net.blobs['data'].shape[2:]
    worst = 0.0
    for row, column in np.ndindex(heat.shape[1:]):
        crop = photo[:, row * down:row * down + height, column * across:column * across + width]
        worst = max(worst, np.abs(heat_map(net, crop) - heat[:, row, column, None, None].reshape(-1)).max())
    return float(worst)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--net', help="a classifier's deploy prototxt")
    parser.add_argument('--weights', help='its caffemodel')
    parser.add_argument('--size', type=int, default=291, help='the photo becomes so large, in pixels')
    options = parser.parse_args(arguments)
    photo = caffe.io.resize_image(caffe.io.load_image(str(PHOTO)), (options.size, options.size))
    edit_filters(photo.mean(axis=2))

    bgr = photo.transpose(2, 0, 1)[::-1] * 255 - np.array([104, 117, 123]).reshape(3, 1, 1)
    net = caffe.Net(options.net, caffe.TEST, weights=options.weights) if options.net else caffenet(pad=True)
    full = fully_convolutional(net)  # checked: the same values for an input of the net's size
    heat = heat_map(full, bgr)
    print(f"heat map: {heat.shape[1]} x {heat.shape[2]} windows of {net.blobs['data'].shape[2]} pixels, classes\n"
          f"{heat.argmax(axis=0)}")

    net = caffenet(pad=False)  # padding makes a window's border unlike the middle of a photo
    full = fully_convolutional(net, check=QUIET)
    heat = heat_map(full, bgr)
    down, across = window_stride(full, 'fc6')
    worst = largest_difference(net, heat, bgr, down, across)
    print(f"without padding: {heat.shape[1]} x {heat.shape[2]} windows, {down} pixels apart, equal to the net on each "
          f"window, cut out, within {worst:.1g}")
    return worst


if __name__ == '__main__':
    main()
