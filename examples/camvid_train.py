"""Train models/camvid-fcn8s-small from scratch on a VOC-style folder, with a report: what `make train-demo` runs.

    python examples/camvid_train.py [--data FOLDER] [--out FOLDER] [--minutes N | --iterations N]

FOLDER has JPEGImages, SegmentationClass, ImageSets/Segmentation/{train,val}.txt and, best, classes.txt. The result:
record/report.html, and the trained net with BatchNorm folded as deploy.prototxt and trained.caffemodel. Started again
with the same --out it goes on from the last snapshot, with the data and the length of the first start.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "camvid-fcn8s-small"
sys.path[:0] = [str(ROOT / "examples"), str(MODEL)]

import nets

import caffe
import net_surgery
from caffe_fcn.cli.caffe import main as caffe_command
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.upgrade import read_solver
from caffe_fcn.training.runs import load

IGNORED = 255
RAREST = 3.0  # largest weight of a class in the loss


def ids(data: Path, split: str) -> list[str]:
    """The frames of a list."""
    return (data / "ImageSets" / "Segmentation" / f"{split}.txt").read_text(encoding="utf-8").split()


def class_weights(data: Path) -> list[float]:
    """Square root of (median frequency / frequency) of each class among the training labels, at most RAREST."""
    counts = np.zeros(256, np.int64)
    for name in ids(data, "train"):
        with Image.open(data / "SegmentationClass" / f"{name}.png") as label:
            counts += np.bincount(np.asarray(label).ravel(), minlength=256)
    counts[IGNORED] = 0
    listed = data / "classes.txt"
    classes = len(listed.read_text(encoding="utf-8").split()) if listed.exists() else int(counts.nonzero()[0].max()) + 1
    counts = counts[:classes]
    weights = np.sqrt(np.median(counts[counts > 0]) / np.maximum(counts, 1))
    return [round(float(weight), 2) for weight in np.minimum(weights, RAREST)]


def seconds_per_iteration(net_file: Path) -> float:
    """Of the training net on this machine, measured."""
    net = caffe.Net(str(net_file), caffe.TRAIN)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        net.forward()
        net.backward()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def write_solver(out: Path, data: Path, iterations: int) -> Path:
    """The model's solver with the nets of `out`, for so many iterations, a test at the half and at the end."""
    param = read_solver(MODEL / "solver.prototxt")
    param.train_net, param.test_net[0] = str(out / "train.prototxt"), str(out / "val.prototxt")
    param.test_iter[0] = len(ids(data, "val"))
    param.max_iter, param.test_interval = iterations, max(1, iterations // 2)
    param.snapshot, param.display = max(1, min(250, iterations // 4)), 20
    param.snapshot_prefix = str(out / "snapshot")
    (out / "solver.prototxt").write_text(to_text(param), encoding="utf-8")
    return out / "solver.prototxt"


def finish(out: Path, iterations: int) -> None:
    """Write the net to deploy and say how it scores."""
    model = net_surgery.Model.load(out / "val.prototxt", out / f"snapshot_iter_{iterations}.caffemodel")
    check = net_surgery.Check(run=False)  # the data layer gives no inputs to choose
    model = net_surgery.deploy(model, ["score"], {"data": (1, 3, 360, 480)}, check=check)
    model = net_surgery.fold_batch_norm(model)
    model.save(out / "deploy.prototxt", out / "trained.caffemodel")
    scores = load(out / "record").segmentation()
    if scores:
        print(f"mean IU {scores['mean_iu']:.3f}, pixel accuracy {scores['pixel_accuracy']:.3f} on the frames of 'val'")
    print(f"report: {out / 'record' / 'report.html'}\nnet: {out / 'deploy.prototxt'}, {out / 'trained.caffemodel'}")


def start_run(parser: argparse.ArgumentParser, given: argparse.Namespace, out: Path) -> None:
    """Write the nets, the solver and what was asked for into `out`."""
    data = (given.data or ROOT.parent / "shared" / "data" / "camvid").resolve()
    if not (data / "ImageSets").is_dir():
        parser.error(f"there is no VOC-style folder '{data}'; name one with --data (make train-demo DATA=...)")
    out.mkdir(parents=True, exist_ok=True)
    nets.write(out, str(out / "class_weights.binaryproto"), str(data), class_weights(data))
    pace = 0.0 if given.iterations else seconds_per_iteration(out / "train.prototxt")
    minutes = given.minutes or 5.0
    request = {"data": str(data), "minutes": minutes, "iterations": given.iterations}
    (out / "request.json").write_text(json.dumps(request), encoding="utf-8")
    write_solver(out, data, given.iterations or max(4, round(minutes * 60 / pace)))


def check_same_run(parser: argparse.ArgumentParser, given: argparse.Namespace, out: Path) -> None:
    """Refuse to go on with a run that was started for other data or another length."""
    request = json.loads((out / "request.json").read_text(encoding="utf-8"))
    asked = {"data": given.data and str(given.data.resolve()), "minutes": given.minutes, "iterations": given.iterations}
    for name, value in asked.items():
        if value is not None and value != request[name]:
            parser.error(f"'{out}' holds a run that was started with {name} {request[name]}, not {value}: go on with "
                         f"it without --{name}, or start another one with another --out")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="VOC-style folder (default ../shared/data/camvid)")
    parser.add_argument("--out", type=Path, default=Path("train_out"))
    parser.add_argument("--minutes", type=float, help="how long to train, about (default 5)")
    parser.add_argument("--iterations", type=int, help="train for so many iterations instead")
    given = parser.parse_args()
    out = given.out.resolve()
    solver_file = out / "solver.prototxt"
    if solver_file.exists():
        check_same_run(parser, given, out)
    else:
        start_run(parser, given, out)
    status = caffe_command(["train", "-solver", str(solver_file), "-snapshot", "auto", "--keep", "2",
                            "--record", str(out / "record")])
    iterations = read_solver(solver_file).max_iter
    if status == 0 and not (out / f"snapshot_iter_{iterations}.caffemodel").exists():
        print(f"stopped before iteration {iterations}; the same command goes on from the last snapshot")
    elif status == 0:
        finish(out, iterations)
    return status


if __name__ == "__main__":
    sys.exit(main())
