"""The skip experiment on CamVid: FCN-32s, 16s and 8s of VGG16 for frames of 240 x 180, and how each is trained.

The nets are those of Long, Shelhamer, Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015,
with a narrower fc6 (3 x 3) and fc7, and padded like VGG16 itself, without the wide border: as much as a CPU trains in
an hour. conv1 and conv2 keep the weights that they start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.coord_map import crop
from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P
from caffe_fcn_models.blocks import Nets, data, fcn, vgg
from caffe_fcn_models.blocks.layers import conv_relu, dropout, rates

FROZEN = 2  # stages of VGG16 that are not trained
HIDDEN = 512  # channels of fc6 and fc7
CLASSES = 11
TEST_INTERVAL = 500
SIZE = (180, 240)  # height and width: half of a frame
VOC_DIR = "../shared/data/camvid"
FRAMES = {"mean": (104.00698793, 116.66876762, 122.67891434), "crop": SIZE, "scale": (0.5, 0.5)}
SPLITS = {
    "train": {"split": "train", **FRAMES, "jitter": 0.2, "seed": 1},
    "val": {"split": "val", **FRAMES, "mirror": False},
    "test": {"split": "test", **FRAMES, "mirror": False},
}


@dataclass(frozen=True)
class Recipe:
    """How one net is trained.

    skips  the poolings that are scored beside fc7, from coarse to fine
    start  the net whose trained weights it begins with; None: the VGG16 features
    """

    skips: tuple[int, ...]
    start: str | None
    base_lr: float
    iterations: int


RECIPES = {
    "camvid-fcn32s": Recipe((), None, 1e-4, 3500),
    "camvid-fcn16s": Recipe((4,), "camvid-fcn32s", 5e-5, 1000),
    "camvid-fcn8s": Recipe((4, 3), "camvid-fcn16s", 2.5e-5, 1000),
}
CONTROLS = {  # FCN-32s trained on as the other two are: what more training brings without a skip
    "camvid-fcn32s-as-16s": Recipe((), "camvid-fcn32s", 5e-5, 1000),
    "camvid-fcn32s-as-8s": Recipe((), "camvid-fcn32s-as-16s", 2.5e-5, 1000),
}
ALL = {**RECIPES, **CONTROLS}


def _options(stage: int) -> dict[str, Any]:
    """What the convolutions of a stage say."""
    return {"param": rates(int(stage > FROZEN)), "weight_filler": {"type": "msra"}}


def _head(n: NetSpec, top: Top, skips: tuple[int, ...]) -> None:
    """From fc7 to `score`. Without a wide border the upsampled scores are the larger ones, and cut to the skips."""
    n.score_fr = top = fcn.score(top, CLASSES)
    name, factor = "upscore2", 32
    for skip in skips:
        n[name] = fcn.upsample(top, CLASSES, 2, **fcn.bilinear(CLASSES))
        n[f"score_pool{skip}"] = finer = fcn.score(n[f"pool{skip}"], CLASSES)
        n[f"{name}c"] = crop(n[name], finer)
        n[f"fuse_pool{skip}"] = top = L.Eltwise(n[f"{name}c"], finer, operation=P.Eltwise.SUM)
        name, factor = f"upscore_pool{skip}", factor // 2
    last = f"upscore{factor}" if skips else "upscore"
    n[last] = fcn.upsample(top, CLASSES, factor, **fcn.bilinear(CLASSES))
    n.score = crop(n[last], n.data)


def net(name: str, split: str, voc_dir: str = VOC_DIR) -> Any:
    """A net as NetParameter; `split` is "train", "val", "test" or "deploy"."""
    n = data.inputs({"data": (1, 3, *SIZE)}) if split == "deploy" else NetSpec()
    if split != "deploy":
        settings = str({"voc_dir": voc_dir, **SPLITS[split]})
        n.data, n.label = L.Python(module="voc_layers", layer="VOCSegDataLayer", param_str=settings, ntop=2)
    top = vgg.trunk(n, n.data, 1, _options)
    for number, kernel in ((6, 3), (7, 1)):
        top = conv_relu(n, top, f"fc{number}", HIDDEN, kernel_size=kernel, pad=kernel // 2, **_options(number))
        if split != "deploy":
            top = dropout(n, top, f"drop{number}")
    _head(n, top, ALL[name].skips)
    if split != "deploy":
        n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param={"ignore_label": fcn.IGNORED})
    if split in ("val", "test"):
        n.accuracy = L.Accuracy(n.score, n.label, ignore_label=fcn.IGNORED)
    message = n.to_proto()
    message.name = name
    return message


def solver(name: str, folder: str, prefix: str, frames: int = 101, iterations: int | None = None) -> Any:
    """A solver as SolverParameter.

    folder      of train.prototxt and val.prototxt, as the solver is to name it
    prefix      of the snapshots
    frames      of the list `val`
    iterations  if not as many as the recipe says
    """
    recipe = ALL[name]
    length = iterations or recipe.iterations
    return caffe_pb2.SolverParameter(
        train_net=f"{folder}/train.prototxt", test_net=[f"{folder}/val.prototxt"], test_iter=[frames],
        test_interval=min(TEST_INTERVAL, length), test_initialization=False, type="Adam", lr_policy="fixed",
        base_lr=recipe.base_lr, momentum=0.9, momentum2=0.999, weight_decay=5e-5, max_iter=length, display=50,
        average_loss=50, snapshot=250, snapshot_prefix=prefix, random_seed=1)


def nets(name: str) -> Nets:
    """The prototxts in the folder of `name`, to be used from the root of the project."""
    return {**{split: net(name, split) for split in (*SPLITS, "deploy")},
            "solver": solver(name, f"models/{name}", prefix=name)}
