"""Residual nets: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016."""

from __future__ import annotations

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L

from .layers import AVE, pool

STAGES_50 = (3, 4, 6, 3)  # blocks, in stages 2 to 5


def normalized(n: NetSpec, bottom: Top, name: str, suffix: str, outputs: int, kernel: int, stride: int,
               relu: str = "", **options: bool) -> Top:
    """Convolution `name`; BatchNorm by the statistics of training and Scale, named by `suffix`; if given, a ReLU."""
    n[name] = L.Convolution(bottom, num_output=outputs, kernel_size=kernel, pad=kernel // 2, stride=stride, **options)
    n[f"bn{suffix}"] = L.BatchNorm(n[name], in_place=True, use_global_stats=True)
    n[f"scale{suffix}"] = top = L.Scale(n[f"bn{suffix}"], in_place=True, bias_term=True)
    if relu:
        n[relu] = top = L.ReLU(top, in_place=True)
    return top


def bottleneck(n: NetSpec, bottom: Top, name: str, width: int, stride: int, project: bool) -> Top:
    """1x1 to `width` channels, 3x3, 1x1 to four times as many; added to the bottom, or to its 1x1 projection."""

    def branch(part: str, source: Top, outputs: int, kernel: int, stride: int, relu: bool) -> Top:
        title = f"res{name}_branch{part}"
        return normalized(n, source, title, f"{name}_branch{part}", outputs, kernel, stride,
                          f"{title}_relu" if relu else "", bias_term=False)

    short = branch("1", bottom, 4 * width, 1, stride, False) if project else bottom
    top = branch("2a", bottom, width, 1, stride, True)
    top = branch("2b", top, width, 3, 1, True)
    top = branch("2c", top, 4 * width, 1, 1, False)
    n[f"res{name}"] = L.Eltwise(short, top)
    n[f"res{name}_relu"] = L.ReLU(n[f"res{name}"], in_place=True)
    return n[f"res{name}_relu"]


def resnet50(n: NetSpec, deploy: bool) -> Top:
    """From `data` to the scores fc1000; its convolution conv1 has biases, as published."""
    top = normalized(n, n.data, "conv1", "_conv1", 64, 7, 2, "conv1_relu")
    n.pool1 = top = pool(top, 3)
    for stage, blocks in enumerate(STAGES_50, 2):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 2 else 1
            top = bottleneck(n, top, f"{stage}{'abcdef'[block]}", 32 * 2 ** (stage - 1), stride, block == 0)
    n.pool5 = L.Pooling(top, pool=AVE, kernel_size=7, stride=1)
    n.fc1000 = L.InnerProduct(n.pool5, num_output=1000)
    return n.fc1000
