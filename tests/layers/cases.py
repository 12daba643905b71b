"""Every layer type with small random inputs: the table that test_registry.py puts through one battery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.layers.base import Layer


class Draw:
    """Random sizes n, c, h, w and arrays over them."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.n, self.c, self.h, self.w = (int(self.random.integers(*ends)) for ends in ((1, 4), (2, 5), (5, 9), (5, 9)))

    @property
    def nchw(self) -> tuple[int, int, int, int]:
        return self.n, self.c, self.h, self.w

    def x(self, *shape: int) -> np.ndarray:
        """Normal values, (n, c, h, w) if no shape is given."""
        return self.random.normal(size=shape or self.nchw)

    def positive(self, *shape: int) -> np.ndarray:
        return self.random.uniform(0.2, 2, shape or self.nchw)

    def below(self, limit: int, *shape: int) -> np.ndarray:
        """Whole numbers: labels, indices, flags."""
        return self.random.integers(0, limit, shape).astype(float)

    def priors(self, count: int) -> np.ndarray:
        """Boxes around the whole image with variances of 0.1, as from PriorBox: (1, 2, 4 count)."""
        corners = np.concatenate((self.x(count, 2) / 9, 1 + self.x(count, 2) / 9), 1)
        return np.stack((corners.reshape(-1), np.full(4 * count, 0.1)))[None]


def same(d: Draw) -> list[tuple[int, ...]]:
    """The tops' shapes of a layer that keeps its bottom's."""
    return [d.nchw]


def scalar(d: Draw) -> list[tuple[int, ...]]:
    """The top's shape of a loss."""
    return [()]


def one(d: Draw) -> list[np.ndarray]:
    """One bottom of normal values."""
    return [d.x()]


def scored(d: Draw) -> list[np.ndarray]:
    """Scores and a label for each pixel."""
    return [d.x(), d.below(d.c, d.n, d.h, d.w)]


class Case(NamedTuple):
    """A layer with its bottoms and the shapes that its tops must have.

    moved: bottoms whose gradient is checked (None: all); gradient: are there gradients at all?
    in_place: may it run in place? random: does a pass draw random numbers?
    """

    type: str
    fields: str = ""
    bottoms: Callable[[Draw], Sequence[Any]] = one
    tops: Callable[[Draw], list[tuple[int, ...]]] = same
    moved: Sequence[int] | None = None
    gradient: bool = True
    in_place: bool = False
    random: bool = False

    @property
    def text(self) -> str:
        return f"type: '{self.type}' {self.fields}"


class Doubled(Layer):
    """What a user may write for `Python`."""

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = 2 * top[0].diff


def neuron(kind: str, fields: str = "", **more: Any) -> Case:
    """A layer that acts on each value alone, also in place."""
    return Case(kind, fields, **{"in_place": True, **more})


def window(d: Draw, kernel: int, stride: int, pad: int, dilation: int = 1) -> tuple[int, int]:
    """Height and width of a convolution's top."""
    return tuple((size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in (d.h, d.w))  # type: ignore


CONV = "num_output: 4 weight_filler { type: 'gaussian' } kernel_size: 3"
POSITIVE = {"bottoms": lambda d: [d.positive()]}
RECURRENT = "recurrent_param { num_output: 3 weight_filler { type: 'xavier' }"


def sequence(d: Draw) -> list[np.ndarray]:
    """Input and cont of a recurrent layer."""
    return [d.x(d.h, d.n, d.c), d.below(2, d.h, d.n)]


CASES = (
    Case("AbsVal"),
    Case("Accuracy", "", scored, scalar, gradient=False),
    Case("Accuracy", "accuracy_param { top_k: 2 }", scored, lambda d: [(), (d.c,)], gradient=False),
    Case("ArgMax", "", one, lambda d: [(d.n, 1, 1, 1)], gradient=False),
    Case("ArgMax", "argmax_param { axis: 1 top_k: 2 out_max_val: true }", one, lambda d: [(d.n, 2, d.h, d.w)],
         gradient=False),
    neuron("BNLL"),
    neuron("BatchNorm"),
    Case("BatchReindex", "", lambda d: [d.x(), d.below(d.n, 5)], lambda d: [(5, d.c, d.h, d.w)], moved=[0]),
    neuron("Bias", "bias_param { axis: 1 num_axes: 2 }"),
    Case("Bias", "", lambda d: [d.x(), d.x(d.c)]),
    neuron("Clip", "clip_param { min: -0.5 max: 0.7 }"),
    Case("Concat", "", lambda d: [d.x(), d.x(d.n, 2, d.h, d.w)], lambda d: [(d.n, d.c + 2, d.h, d.w)]),
    Case("Concat", "concat_param { axis: -1 }", lambda d: [d.x(), d.x(), d.x()],
         lambda d: [(d.n, d.c, d.h, 3 * d.w)]),
    Case("ContrastiveLoss", "", lambda d: [d.x(d.n, d.c), 9 + d.x(d.n, d.c), np.ones(d.n)], scalar, moved=[0, 1]),
    Case("Convolution", f"convolution_param {{ {CONV} pad: 1 }}", one, lambda d: [(d.n, 4, d.h, d.w)]),
    Case("Convolution", f"convolution_param {{ {CONV} stride: 2 dilation: 2 pad: 2 group: 2 }}",
         lambda d: [d.x(d.n, 6, d.h, d.w)], lambda d: [(d.n, 4, *window(d, 3, 2, 2, 2))]),
    Case("Convolution", "convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: 'gaussian' } }",
         lambda d: [d.x(), d.x()], lambda d: [(d.n, 2, d.h, d.w)] * 2),
    Case("Convolution", "convolution_param { num_output: 2 kernel_size: 2 bias_term: false "
         "weight_filler { type: 'gaussian' } }", lambda d: [d.x(d.n, d.c, 3, d.h, d.w)],
         lambda d: [(d.n, 2, 2, d.h - 1, d.w - 1)]),
    Case("Crop", "crop_param { offset: 2 offset: 1 }", lambda d: [d.x(), d.x(1, 1, d.h - 3, d.w - 2)],
         lambda d: [(d.n, d.c, d.h - 3, d.w - 2)], moved=[0]),
    Case("Deconvolution", f"convolution_param {{ {CONV} stride: 2 pad: 1 }}", one,
         lambda d: [(d.n, 4, 2 * d.h - 1, 2 * d.w - 1)]),
    Case("Deconvolution", "convolution_param { num_output: 6 group: 6 kernel_size: 4 stride: 2 pad: 1 bias_term: false "
         "weight_filler { type: 'bilinear' } }", lambda d: [d.x(d.n, 6, d.h, d.w)],
         lambda d: [(d.n, 6, 2 * d.h, 2 * d.w)]),
    neuron("Dropout", random=True),
    Case("DummyData", "dummy_data_param { shape { dim: 3 } data_filler { type: 'uniform' } }", lambda d: [],
         lambda d: [(3,), (3,)], gradient=False, random=True),
    neuron("ELU"),
    neuron("ELU", "elu_param { alpha: 0.3 }"),
    *(Case("Eltwise", f"eltwise_param {{ operation: {fields} }}", lambda d: [d.x(), d.x(), d.x()])
      for fields in ("SUM", "SUM coeff: [1, -2, 0.5]", "MAX", "PROD", "PROD stable_prod_grad: false")),
    Case("Embed", "embed_param { num_output: 3 input_dim: 6 weight_filler { type: 'gaussian' } }",
         lambda d: [d.below(6, d.n, d.h)], lambda d: [(d.n, d.h, 3)], moved=[]),
    Case("EuclideanLoss", "", lambda d: [d.x(), d.x()], scalar),
    neuron("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.1 }"),
    Case("Filter", "", lambda d: [d.x(6, d.c), d.x(6, d.h, d.w), np.array([1, 0, 0, 1, 1, 0])],
         lambda d: [(3, d.c), (3, d.h, d.w)], moved=[0, 1]),
    Case("Flatten", "", one, lambda d: [(d.n, d.c * d.h * d.w)]),
    Case("HingeLoss", "", lambda d: [d.x(d.n, d.c), d.below(d.c, d.n)], scalar, moved=[0]),
    Case("Im2col", "convolution_param { kernel_size: 3 stride: 2 pad: 1 dilation: 2 }", one,
         lambda d: [(d.n, 9 * d.c, *window(d, 3, 2, 1, 2))]),
    Case("InfogainLoss", "", lambda d: [*scored(d), d.positive(d.c, d.c)], scalar, moved=[0]),
    Case("InnerProduct", "inner_product_param { num_output: 3 weight_filler { type: 'gaussian' } }", one,
         lambda d: [(d.n, 3)]),
    Case("InnerProduct", "inner_product_param { num_output: 3 axis: -1 transpose: true bias_term: false "
         "weight_filler { type: 'gaussian' } }", one, lambda d: [(d.n, d.c, d.h, 3)]),
    Case("Input", "input_param { shape { dim: 2 dim: 3 } }", lambda d: [], lambda d: [(2, 3), (2, 3)], gradient=False),
    Case("LRN", "lrn_param { local_size: 3 alpha: 0.5 }"),
    Case("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"),
    Case("LSTM", f"{RECURRENT} }}", sequence, lambda d: [(d.h, d.n, 3)], moved=[0]),
    Case("LSTM", f"{RECURRENT} }}", lambda d: [*sequence(d), d.x(d.n, 4)], lambda d: [(d.h, d.n, 3)], moved=[0, 2]),
    Case("LSTMUnit", "", lambda d: [d.x(1, d.n, d.c), d.x(1, d.n, 4 * d.c), d.below(2, 1, d.n)],
         lambda d: [(1, d.n, d.c)] * 2, moved=[0, 1]),
    neuron("Log", "log_param { base: 2 scale: 2 shift: 0.1 }", **POSITIVE),
    neuron("MVN"),
    Case("MVN", "mvn_param { across_channels: true normalize_variance: false }", lambda d: [d.x(d.n, d.c, d.h)],
         lambda d: [(d.n, d.c, d.h, 1)]),
    Case("MultinomialLogisticLoss", "", lambda d: [d.positive(d.n, d.c), d.below(d.c, d.n)], scalar, moved=[0]),
    neuron("PReLU"),
    neuron("PReLU", "prelu_param { channel_shared: true }"),
    Case("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", lambda d: [], lambda d: [(2, 3)]),
    Case("Pooling", "pooling_param { kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }", one,
         lambda d: [(d.n, d.c, *window(d, 3, 2, 1))]),
    Case("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }", one,
         lambda d: [(d.n, d.c, *window(d, 3, 2, 1))]),
    Case("Pooling", "pooling_param { pool: AVE global_pooling: true }", one, lambda d: [(d.n, d.c, 1, 1)]),
    Case("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", lambda d: [d.positive()],
         lambda d: [(d.n, d.c, d.h - 1, d.w - 1)], random=True),
    *(neuron("Power", f"power_param {{ {fields} }}", **POSITIVE)
      for fields in ("", "power: 2 scale: 0.5 shift: 1", "power: -0.5", "power: 0", "scale: 0 shift: 2")),
    Case("Python", "python_param { module: 'tests.layers.cases' layer: 'Doubled' }"),
    Case("RNN", f"{RECURRENT} }}", sequence, lambda d: [(d.h, d.n, 3)], moved=[0]),
    neuron("ReLU"),
    neuron("ReLU", "relu_param { negative_slope: 0.3 }"),
    *(Case("Reduction", f"reduction_param {{ axis: 2 coeff: 0.5 operation: {name} }}", one, lambda d: [(d.n, d.c)])
      for name in ("SUM", "ASUM", "SUMSQ", "MEAN")),
    Case("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", one, lambda d: [(d.n, d.c * d.h * d.w)]),
    Case("SPP", "spp_param { pyramid_height: 2 }", one, lambda d: [(d.n, 5 * d.c)]),
    neuron("Scale", "scale_param { bias_term: true filler { type: 'gaussian' } }"),
    Case("Scale", "scale_param { axis: 0 }", lambda d: [d.x(), d.x(d.n, d.c)]),
    neuron("Sigmoid"),
    Case("SigmoidCrossEntropyLoss", "", lambda d: [d.x(), d.below(2, *d.nchw)], scalar, moved=[0]),
    Case("Silence", "", lambda d: [d.x(), d.x()], lambda d: []),
    Case("Slice", "slice_param { slice_point: 1 }", one, lambda d: [(d.n, 1, d.h, d.w), (d.n, d.c - 1, d.h, d.w)]),
    neuron("Softmax"),
    Case("Softmax", "softmax_param { axis: -1 }"),
    Case("SoftmaxWithLoss", "loss_param { ignore_label: 0 }", scored, scalar, moved=[0]),
    Case("Split", "", one, lambda d: [d.nchw] * 3),
    neuron("Swish", "swish_param { beta: 1.5 }"),
    neuron("TanH"),
    neuron("Threshold", "threshold_param { threshold: 0.3 }", gradient=False, in_place=False),
    Case("Tile", "tile_param { tiles: 3 }", one, lambda d: [(d.n, 3 * d.c, d.h, d.w)]),
)

MASK = np.array([0, 3, 9, 10, 24, 23, 22, 20, 19])  # places in a 5 x 5 plane


def masked(d: Draw) -> list[np.ndarray]:
    """Values and a mask for Upsample."""
    return [d.x(d.n, d.c, 3, 3), np.broadcast_to(MASK.reshape(3, 3), (d.n, d.c, 3, 3))]


PRIORS = "min_size: 30.5 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 variance: 0.1"

FORK_CASES = (
    Case("Axpy", "", lambda d: [d.x(d.n, d.c, 1, 1), d.x(), d.x()]),
    *(neuron("BN", f"bn_param {{ {fields} }}") for fields in (
        "bn_mode: LEARN scale_filler { value: 1 }", "bn_mode: INFERENCE", "slope_filler { value: 1 }")),
    Case("BN", "bn_param { bn_mode: LEARN }", one, lambda d: [d.nchw, (1, d.c, 1, 1), (1, d.c, 1, 1)], gradient=False),
    Case("ClassBalancedSigmoidCrossEntropyLoss", "", lambda d: [d.x(), d.below(3, *d.nchw)], scalar, moved=[0]),
    *(Case(kind, f"convolution_param {{ num_output: {size} kernel_size: 3 pad: 1 weight_filler {{ type: 'xavier' }} }}",
           lambda d: [d.x(d.n, 4, d.h, d.w)], lambda d, size=size: [(d.n, size, d.h, d.w)])
      for kind, size in (("ConvolutionDepthwise", 4), ("DepthwiseConvolution", 8))),
    Case("DetectionOutput", "detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 4 "
         "nms_param { nms_threshold: 1 top_k: 5 } }",
         lambda d: [d.x(d.n, 24), d.x(d.n, 18), d.priors(6)],
         lambda d: [(1, 1, 4 * d.n, 7)], gradient=False),
    Case("Interp", "interp_param { zoom_factor: 3 }", one, lambda d: [(d.n, d.c, 3 * d.h - 2, 3 * d.w - 2)]),
    Case("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 pad_end: -1 }", one,
         lambda d: [(d.n, d.c, (d.h - 3) // 2 + 1, (d.w - 3) // 2 + 1)]),
    Case("Interp", "interp_param { height: 1 width: 11 }", one, lambda d: [(d.n, d.c, 1, 11)]),
    Case("Normalize", "norm_param { }"),
    Case("Normalize", "norm_param { across_spatial: false channel_shared: false }"),
    Case("Permute", "permute_param { order: 0 order: 2 order: 3 }", one, lambda d: [(d.n, d.h, d.w, d.c)]),
    Case("PriorBox", f"prior_box_param {{ {PRIORS} clip: true }}", lambda d: [d.x(), d.x(1, 3, 99, 77)],
         lambda d: [(1, 2, 4 * d.h * d.w * 6)], gradient=False),
    neuron("ReLU6", bottoms=lambda d: [4 * d.x()]),
    Case("SegAccuracy", "seg_accuracy_param { ignore_label: 1 }", lambda d: [d.x(), d.below(d.c, d.n, 1, d.h, d.w)],
         lambda d: [(1, 1, 1, 3)], gradient=False),
    Case("ShuffleChannel", "shuffle_channel_param { group: 3 }", lambda d: [d.x(d.n, 6, d.h, d.w)],
         lambda d: [(d.n, 6, d.h, d.w)]),
    Case("SoftmaxWithLoss", "loss_param { weight_by_label_freqs: true ignore_label: 0 }", scored, scalar, moved=[0]),
    Case("Upsample", "upsample_param { scale: 2 }", one, lambda d: [(d.n, d.c, 2 * d.h, 2 * d.w)]),
    Case("Upsample", "upsample_param { upsample_h: 5 upsample_w: 5 }", masked, lambda d: [(d.n, d.c, 5, 5)], moved=[0]),
)

# Types that read or write files or arrays of the user, or need the net around them: tested with these.
WITH_SOURCES = ("AutoCrop", "Data", "DenseImageData", "HDF5Data", "HDF5Output", "ImageData", "ImageLabelmapData",
                "ImageSegData", "MemoryData", "WindowData")

# How many bottoms and tops each type takes: "2", "1-2", "1+", "=" (as many tops as bottoms), "any".
COUNTS = {
    **dict.fromkeys((
        "AbsVal", "ArgMax", "BNLL", "BatchNorm", "Clip", "Dropout", "ELU", "Embed", "Exp", "Flatten", "Im2col",
        "InnerProduct", "LRN", "Log", "MVN", "PReLU", "Power", "ReLU", "Reduction", "Reshape", "SPP", "Sigmoid",
        "Softmax", "Swish", "TanH", "Threshold", "Tile"), ("1", "1")),
    **dict.fromkeys(("BatchReindex", "Crop", "EuclideanLoss", "HingeLoss", "MultinomialLogisticLoss",
                     "SigmoidCrossEntropyLoss"), ("2", "1")),
    **dict.fromkeys(("Convolution", "Deconvolution"), ("1+", "=")),
    **dict.fromkeys(("Bias", "Scale"), ("1-2", "1")),
    **dict.fromkeys(("Slice", "Split"), ("1", "1+")),
    **dict.fromkeys(("DummyData", "HDF5Data", "Input"), ("0", "1+")),
    **dict.fromkeys(("ImageData", "MemoryData", "WindowData"), ("0", "2")),
    **dict.fromkeys(("LSTM", "RNN"), ("2-3", "1")),
    "Accuracy": ("2", "1-2"), "Concat": ("1+", "1"), "ContrastiveLoss": ("3", "1"), "Data": ("0", "1-2"),
    "Eltwise": ("2+", "1"), "Filter": ("2+", "1+"), "HDF5Output": ("2", "0"), "InfogainLoss": ("2-3", "1-2"),
    "LSTMUnit": ("3", "2"), "Parameter": ("0", "1"), "Pooling": ("1", "1-2"), "Python": ("any", "any"),
    "Silence": ("1+", "0"), "SoftmaxWithLoss": ("2", "1-2"),
    # forks
    **dict.fromkeys(("Interp", "Normalize", "Permute", "ReLU6", "ShuffleChannel"), ("1", "1")),
    **dict.fromkeys(("ConvolutionDepthwise", "DepthwiseConvolution"), ("1+", "=")),
    **dict.fromkeys(("DenseImageData", "ImageLabelmapData"), ("0", "2")), "ImageSegData": ("0", "2-3"),
    **dict.fromkeys(("AutoCrop", "ClassBalancedSigmoidCrossEntropyLoss", "PriorBox", "SegAccuracy"), ("2", "1")),
    "Axpy": ("3", "1"), "BN": ("1", "1-3"), "DetectionOutput": ("3-4", "1"), "Upsample": ("1-2", "1"),
}
