"""The published FCN-8s for PASCAL VOC at full width: its table of layers, its prototxt, random weights for it.

J. Long, E. Shelhamer, T. Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015.
134.5 million parameters, 538 MB as float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CLASSES = 21
MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


class Conv(NamedTuple):
    """A convolution with stride 1; its ReLU follows unless `relu` is false."""

    name: str
    bottom: str
    channels_in: int
    channels_out: int
    kernel: int
    pad: int
    relu: bool = True


class Deconv(NamedTuple):
    """A deconvolution over all classes; what follows joins it with a finer blob.

    `skip` is cropped at `offset` to the size of the result and added; without a skip the result itself is cropped to
    the size of the data.
    """

    name: str
    bottom: str
    kernel: int
    stride: int
    skip: str | None
    offset: int
    top: str


STAGES = [
    ("pool1", [Conv("conv1_1", "data", 3, 64, 3, 100), Conv("conv1_2", "conv1_1", 64, 64, 3, 1)]),
    ("pool2", [Conv("conv2_1", "pool1", 64, 128, 3, 1), Conv("conv2_2", "conv2_1", 128, 128, 3, 1)]),
    (
        "pool3",
        [
            Conv("conv3_1", "pool2", 128, 256, 3, 1),
            Conv("conv3_2", "conv3_1", 256, 256, 3, 1),
            Conv("conv3_3", "conv3_2", 256, 256, 3, 1),
        ],
    ),
    (
        "pool4",
        [
            Conv("conv4_1", "pool3", 256, 512, 3, 1),
            Conv("conv4_2", "conv4_1", 512, 512, 3, 1),
            Conv("conv4_3", "conv4_2", 512, 512, 3, 1),
        ],
    ),
    (
        "pool5",
        [
            Conv("conv5_1", "pool4", 512, 512, 3, 1),
            Conv("conv5_2", "conv5_1", 512, 512, 3, 1),
            Conv("conv5_3", "conv5_2", 512, 512, 3, 1),
        ],
    ),
]
HEAD = [
    Conv("fc6", "pool5", 512, 4096, 7, 0),
    Conv("fc7", "fc6", 4096, 4096, 1, 0),
    Conv("score_fr", "fc7", 4096, CLASSES, 1, 0, relu=False),
]
SKIPS = [
    Conv("score_pool4", "pool4", 512, CLASSES, 1, 0, relu=False),
    Conv("score_pool3", "pool3", 256, CLASSES, 1, 0, relu=False),
]
UPSAMPLING = [
    Deconv("upscore2", "score_fr", 4, 2, "score_pool4", 5, "fuse_pool4"),
    Deconv("upscore_pool4", "fuse_pool4", 4, 2, "score_pool3", 9, "fuse_pool3"),
    Deconv("upscore8", "fuse_pool3", 16, 8, None, 31, "score"),
]


def convolutions() -> list[Conv]:
    """All convolutions in the order of the net."""
    return [conv for _, stage in STAGES for conv in stage] + HEAD + SKIPS


def _layer(name: str, type_: str, bottoms: list[str], top: str, param: str) -> str:
    ends = " ".join([*(f'bottom: "{bottom}"' for bottom in bottoms), f'top: "{top}"'])
    return f'layer {{ name: "{name}" type: "{type_}" {ends} {param} }}\n'


def _conv_text(conv: Conv) -> str:
    size = f"num_output: {conv.channels_out} kernel_size: {conv.kernel} pad: {conv.pad}"
    text = _layer(conv.name, "Convolution", [conv.bottom], conv.name, f"convolution_param {{ {size} }}")
    return text + (_layer(f"relu_{conv.name}", "ReLU", [conv.name], conv.name, "") if conv.relu else "")


def _deconv_text(deconv: Deconv) -> str:
    size = f"num_output: {CLASSES} bias_term: false kernel_size: {deconv.kernel} stride: {deconv.stride}"
    text = _layer(deconv.name, "Deconvolution", [deconv.bottom], deconv.name, f"convolution_param {{ {size} }}")
    crop = f"crop_param {{ axis: 2 offset: {deconv.offset} }}"
    if deconv.skip is None:
        return text + _layer(deconv.top, "Crop", [deconv.name, "data"], deconv.top, crop)
    cropped = f"{deconv.skip}c"
    text += _layer(cropped, "Crop", [deconv.skip, deconv.name], cropped, crop)
    text += _layer(deconv.top, "Eltwise", [deconv.name, cropped], deconv.top, "eltwise_param { operation: SUM }")
    return text


def prototxt(height: int, width: int) -> str:
    """The deploy net for one image of height x width pixels; its blobs are named as published."""
    shape = f"input_param {{ shape {{ dim: 1 dim: 3 dim: {height} dim: {width} }} }}"
    text = 'name: "voc-fcn8s"\n' + _layer("data", "Input", [], "data", shape)
    for pool, stage in STAGES:
        text += "".join(_conv_text(conv) for conv in stage)
        text += _layer(pool, "Pooling", [stage[-1].name], pool, "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    text += "".join(_conv_text(conv) for conv in HEAD)
    for skip, deconv in zip(SKIPS, UPSAMPLING, strict=False):
        text += _conv_text(skip) + _deconv_text(deconv)
    return text + _deconv_text(UPSAMPLING[-1])


def random_weights(seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Parameters by layer, float32: weights (out, in, k, k) of He scale, small biases, bilinear upsampling."""
    rng = np.random.default_rng(seed)
    params = {}
    for conv in convolutions():
        shape = (conv.channels_out, conv.channels_in, conv.kernel, conv.kernel)
        weight = rng.standard_normal(shape, dtype=np.float32)
        weight *= np.float32(np.sqrt(2 / np.prod(shape[1:])))
        params[conv.name] = [weight, 0.1 * rng.standard_normal(conv.channels_out, dtype=np.float32)]
    for deconv in UPSAMPLING:
        rise = 1 - np.abs(np.arange(deconv.kernel) - (deconv.kernel - 1) / 2) / deconv.stride
        weight = np.zeros((CLASSES, CLASSES, deconv.kernel, deconv.kernel), np.float32)
        weight[np.arange(CLASSES), np.arange(CLASSES)] = np.outer(rise, rise)
        params[deconv.name] = [weight]
    return params


def set_weights(net: Any) -> None:
    """Give a net of this package `random_weights`."""
    for name, values in random_weights().items():
        for blob, value in zip(net.params[name], values, strict=True):
            blob.data[...] = value


def random_image(height: int, width: int, seed: int = 1) -> np.ndarray:
    """Preprocessed noise, (1, 3, height, width) float32 in BGR order with the mean subtracted."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1, 3, height, width)).astype(np.float32)
    return pixels - np.array(MEAN_BGR, np.float32)[:, None, None]
