"""Write train.prototxt, val.prototxt (the deploy net with BatchNorm, data, a loss) and class_weights.binaryproto.

Usage: python models/camvid-fcn8s-small/nets.py [FOLDER]   (default: the folder of this file)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import caffe
from caffe_fcn.prototxt.format import format_text

STAGES = ((1, 16), (2, 32), (3, 64), (4, 128), (5, 160))  # each of two 3x3 convolutions and a pooling
MEAN = (104.00698793, 116.66876762, 122.67891434)
VOC_DIR = "../shared/data/camvid"
CROPS = {"split": "train", "batch": 3, "crop": (256, 320), "scale": (0.75, 1.5), "jitter": 0.2, "seed": 1}
FRAMES = {"split": "val"}
# Of the classes in the loss: square root of (median frequency / frequency) of the training labels, at most 3.
WEIGHTS = (0.52, 0.44, 2.14, 0.38, 1.0, 0.68, 1.96, 1.99, 0.87, 2.65, 3.0)


def layer(name: str, kind: str, bottoms: str, tops: str, rest: str = "") -> str:
    """One layer; bottoms and tops are names with spaces between."""
    lines = [f'name: "{name}"', f'type: "{kind}"']
    lines += [f'bottom: "{bottom}"' for bottom in bottoms.split()]
    lines += [f'top: "{top}"' for top in tops.split()]
    lines += rest.split("\n") if rest else []
    return "layer {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def data(values: dict[str, object]) -> str:
    """The layer that reads frames and labels."""
    return layer("data", "Python", "", "data label",
                 f'python_param {{ module: "voc_layers" layer: "VOCSegDataLayer" param_str: "{values}" }}')


def convolution(bottom: str, name: str, suffix: str, outputs: int, kernel: int) -> Iterator[str]:
    """Convolution, BatchNorm, Scale, ReLU, as `name`; the others carry the suffix ("1_1" of conv1_1)."""
    yield layer(name, "Convolution", bottom, name,
                f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {kernel // 2} "
                'bias_term: false weight_filler { type: "msra" } }')
    yield layer(f"bn{suffix}", "BatchNorm", name, name, "batch_norm_param { moving_average_fraction: 0.99 }")
    yield layer(f"scale{suffix}", "Scale", name, name,
                "param { decay_mult: 0 }\nparam { decay_mult: 0 }\nscale_param { bias_term: true }")
    yield layer(f"relu{suffix}", "ReLU", name, name)


def score(bottom: str, name: str, classes: int) -> str:
    """Scores of each class from features."""
    return layer(name, "Convolution", bottom, name,
                 f'convolution_param {{ num_output: {classes} kernel_size: 1 weight_filler {{ type: "xavier" }} }}')


def upsample(bottom: str, name: str, factor: int, classes: int) -> str:
    """Bilinear interpolation, not learned."""
    return layer(name, "Deconvolution", bottom, name,
                 f"param {{ lr_mult: 0 }}\nconvolution_param {{ num_output: {classes} group: {classes} "
                 f"bias_term: false kernel_size: {2 * factor} stride: {factor} "
                 'weight_filler { type: "bilinear" } }')


def crop(bottoms: str, name: str, offset: int) -> str:
    """Cut the first bottom to the size of the second."""
    return layer(name, "Crop", bottoms, name, f"crop_param {{ axis: 2 offset: {offset} }}")


def body(classes: int) -> Iterator[str]:
    """From `data` to `score`."""
    bottom = "data"
    for stage, outputs in STAGES:
        for part in (1, 2):
            suffix = f"{stage}_{part}"
            yield from convolution(bottom, f"conv{suffix}", suffix, outputs, 3)
            bottom = f"conv{suffix}"
        yield layer(f"pool{stage}", "Pooling", bottom, f"pool{stage}",
                    "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
        bottom = f"pool{stage}"
    yield from convolution(bottom, "fc6", "6", 192, 3)
    yield from convolution("fc6", "fc7", "7", 192, 1)
    yield layer("drop7", "Dropout", "fc7", "fc7", "dropout_param { dropout_ratio: 0.2 }")
    yield score("fc7", "score_fr", classes)
    yield upsample("score_fr", "upscore2", 2, classes)
    yield score("pool4", "score_pool4", classes)
    yield crop("upscore2 score_pool4", "upscore2c", 1)
    yield layer("fuse_pool4", "Eltwise", "upscore2c score_pool4", "fuse_pool4", "eltwise_param { operation: SUM }")
    yield upsample("fuse_pool4", "upscore_pool4", 2, classes)
    yield score("pool3", "score_pool3", classes)
    yield crop("upscore_pool4 score_pool3", "upscore_pool4c", 1)
    yield layer("fuse_pool3", "Eltwise", "upscore_pool4c score_pool3", "fuse_pool3", "eltwise_param { operation: SUM }")
    yield upsample("fuse_pool3", "upscore8", 8, classes)
    yield crop("upscore8 data", "score", 4)


def write(folder: Path, weight_file: str, voc_dir: str = VOC_DIR, weights: Sequence[float] = WEIGHTS) -> None:
    """Write both nets, and the class weights as the diagonal matrix that InfogainLoss reads.

    weight_file  the name by which the training net finds the class weights
    voc_dir      a folder in the layout of PASCAL VOC, with the lists `train` and `val`
    weights      of each class
    """
    matrix = caffe.proto.caffe_pb2.BlobProto()
    matrix.shape.dim.extend((1, 1, len(weights), len(weights)))
    matrix.data.extend(np.diag(weights).ravel())
    (folder / "class_weights.binaryproto").write_bytes(matrix.SerializeToString())
    middle = "".join(body(len(weights)))
    ignore = "{ ignore_label: 255 }"
    loss = layer("loss", "InfogainLoss", "score label", "loss",
                 f'infogain_loss_param {{ source: "{weight_file}" }}\nloss_param {ignore}')
    rated = layer("loss", "SoftmaxWithLoss", "score label", "loss", f"loss_param {ignore}")
    rated += layer("accuracy", "Accuracy", "score label", "accuracy", f"accuracy_param {ignore}")
    for name, settings, end in (("train", CROPS, loss), ("val", FRAMES, rated)):
        text = 'name: "camvid-fcn8s-small"\n' + data({"voc_dir": voc_dir, "mean": MEAN, **settings}) + middle + end
        (folder / f"{name}.prototxt").write_text(format_text(text), encoding="utf-8")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else here, f"models/{here.name}/class_weights.binaryproto")
