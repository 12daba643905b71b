"""From features to scores of every pixel: Shelhamer, Long and Darrell, "Fully convolutional networks for semantic
segmentation", PAMI 2017."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.coord_map import crop
from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P

from .layers import rates

IGNORED = 255  # the label of pixels that do not count
UNNORMALIZED = {"normalize": False, "ignore_label": IGNORED}


def score(bottom: Top, classes: int) -> Top:
    """Scores of each class from features; they start at zero, which is the default filler."""
    return L.Convolution(bottom, num_output=classes, kernel_size=1, pad=0, param=rates())


def upsample(bottom: Top, classes: int, factor: int, kernel: int | None = None, **options: Any) -> Top:
    """Interpolation that does not learn; published nets get its kernels from `surgery.interp`, by no filler.

    kernel   its size, by default twice the factor
    options  more fields of convolution_param
    """
    size = {"kernel_size": kernel or 2 * factor, "stride": factor}
    return L.Deconvolution(bottom, convolution_param={"num_output": classes, **size, "bias_term": False, **options},
                           param=[{"lr_mult": 0}])


def bilinear(channels: int) -> dict[str, Any]:
    """Options for `upsample` that fill the kernels, one for each channel: for nets of our own design."""
    return {"group": channels, "weight_filler": {"type": "bilinear"}}


def head(n: NetSpec, features: Top, classes: int, like: Top, skips: Sequence[str] = (), suffix: str = "",
         scales: Mapping[str, float] | None = None, kernel: int | None = None, **upsampling: Any) -> Top:
    """Scores at 32 pixels, upsampled by 2 and added to the scores of each skip, then upsampled to the size of `like`.

    skips       poolings from coarse to fine: none for 32s, pool4 for 16s, pool4 and pool3 for 8s
    scales      a constant factor before the scores of a skip
    kernel      of the last upsampling, where it is not twice the factor
    upsampling  more fields of the Deconvolutions
    """
    n[f"score_fr{suffix}"] = top = score(features, classes)
    factor, source = 32, "2"
    for skip in skips:
        n[f"upscore{source}{suffix}"] = top = upsample(top, classes, 2, **upsampling)
        finer = n[skip]
        if scales and skip in scales:
            filler = {"type": "constant", "value": scales[skip]}
            n[f"scale_{skip}"] = finer = L.Scale(finer, filler=filler, param=[{"lr_mult": 0}])
        n[f"score_{skip}{suffix}"] = score(finer, classes)
        n[f"score_{skip}{suffix}c"] = cropped = crop(n[f"score_{skip}{suffix}"], top)
        n[f"fuse_{skip}{suffix}"] = top = L.Eltwise(top, cropped, operation=P.Eltwise.SUM)
        factor, source = factor // 2, f"_{skip}"
    last = f"upscore{factor if skips else ''}{suffix}"
    n[last] = upsample(top, classes, factor, kernel, **upsampling)
    n[f"score{suffix}"] = crop(n[last], like)
    return n[f"score{suffix}"]


def softmax_loss(n: NetSpec, scores: Top, labels: str, name: str = "loss", normalize: bool = False) -> None:
    """The loss, if the net has the blob `labels`."""
    if labels in n.tops:
        n[name] = L.SoftmaxWithLoss(scores, n[labels], loss_param={**UNNORMALIZED, "normalize": normalize})


def solver(train: str, test: str, test_iter: int, base_lr: float, max_iter: int = 100000, snapshot: int = 4000,
           momentum: float = 0.99, iter_size: int = 1) -> Any:
    """The SolverParameter of the published FCNs: one image at a time, high momentum, no tests by the solver itself.

    base_lr is that of a loss that sums over pixels.
    """
    param = caffe_pb2.SolverParameter(
        train_net=f"{train}.prototxt", test_net=[f"{test}.prototxt"], test_iter=[test_iter], test_interval=999999999,
        test_initialization=False, display=20, average_loss=20, lr_policy="fixed", base_lr=base_lr, momentum=momentum,
        iter_size=iter_size, max_iter=max_iter, weight_decay=0.0005)
    if snapshot:
        param.snapshot, param.snapshot_prefix = snapshot, "snapshot/train"
    return param
