"""VGG-16: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top

from .layers import conv_relu, dropout, pool, rates

STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and their outputs
Options = Callable[[int], dict[str, Any]]  # of the convolutions of a stage, 1 to 5


def fcn_options(stage: int) -> dict[str, Any]:
    """What the convolutions of the published FCNs say."""
    return {"stride": 1, "param": rates()}


def trunk(n: NetSpec, bottom: Top, first_pad: int, options: Options = fcn_options, pools: int = 5,
          suffix: str = "", first: str = "conv1_1") -> Top:
    """conv1_1 to conv5_3, behind each of the first `pools` stages its pooling.

    first_pad  zeros around the image: 100 in FCNs, so that the scores of any image cover it
    suffix     of all names, for nets that hold several trunks
    first      the name of the first convolution
    """
    top = bottom
    for stage, (count, outputs) in enumerate(STAGES, 1):
        for part in range(1, count + 1):
            is_first = stage == part == 1
            name = first if is_first else f"conv{stage}_{part}"
            top = conv_relu(n, top, f"{name}{suffix}", outputs, f"relu{stage}_{part}{suffix}", kernel_size=3,
                            pad=first_pad if is_first else 1, **options(stage))
        if stage <= pools:
            n[f"pool{stage}{suffix}"] = top = pool(top)
    return top


def features(n: NetSpec, bottom: Top, suffix: str = "", first: str = "conv1_1", deploy: bool = False) -> Top:
    """The trunk with 100 zeros around the image, and fc6 and fc7 as convolutions.

    deploy  leave out the Dropout
    """
    top = trunk(n, bottom, 100, suffix=suffix, first=first)
    for number, kernel in ((6, 7), (7, 1)):
        top = conv_relu(n, top, f"fc{number}{suffix}", 4096, kernel_size=kernel, pad=0, **fcn_options(number))
        if not deploy:
            top = dropout(n, top, f"drop{number}{suffix}")
    return top
