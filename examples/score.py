"""Score a segmentation net: pixel accuracy, mean accuracy, mean IU, frequency weighted IU, IU of each class.

As functions they are called from a training script, `score.seg_tests(solver, False, ids)`; as a command:

    python examples/score.py NET WEIGHTS LIST [SCORE_BLOB [LABEL_BLOB]]     (default: score label)

NET has a data layer that gives the frames of LIST (a file of ids, one a line) in their order.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

import caffe
from caffe_fcn.evaluation.confusion import Scores, confusion


def fast_hist(a, b, n):
    """Confusion matrix (n, n): rows are the classes of `a` (truth), columns those of `b`."""
    return confusion(np.asarray(a), np.asarray(b), n)


def compute_hist(net, save_dir, dataset, layer="score", gt="label"):
    """Run the net once for each id of `dataset`; (confusion matrix, mean loss if the net has one, else 0).

    With `save_dir` the predictions are written there as <id>.png.
    """
    classes = net.blobs[layer].shape[1]
    hist, loss = np.zeros((classes, classes), np.int64), 0.0
    if save_dir:
        Path(save_dir).mkdir(parents=True, exist_ok=True)
    for name in dataset:
        net.forward()
        best = net.blobs[layer].data[0].argmax(0)
        hist += fast_hist(net.blobs[gt].data[0, 0].astype(int), best, classes)
        if save_dir:
            Image.fromarray(best.astype(np.uint8)).save(Path(save_dir) / f"{name}.png")
        if "loss" in net.blobs:
            loss += float(net.blobs["loss"].data.flat[0])
    return hist, loss / max(1, len(dataset))


def report(hist, loss, iteration=None, names=()):
    """Print the scores that a confusion matrix says, and return them."""
    scores = Scores(hist)
    when = f">>> {datetime.now():%Y-%m-%d %H:%M:%S}" + ("" if iteration is None else f" Iteration {iteration}")
    print(when, "loss", f"{loss:.4f}")
    print(when, "overall accuracy", f"{scores.pixel_accuracy:.4f}")
    print(when, "mean accuracy", f"{scores.mean_accuracy:.4f}")
    print(when, "mean IU", f"{scores.mean_iu:.4f}")
    print(when, "fwavacc", f"{scores.frequency_weighted_iu:.4f}")
    for k, iu in enumerate(scores.iu):
        print(f"    IU of {names[k] if k < len(names) else k}: {iu:.4f}")
    return scores


def do_seg_tests(net, iteration, save_format, dataset, layer="score", gt="label"):
    """Score a net and print the result; `save_format` is a folder name with {} for the iteration, or False."""
    hist, loss = compute_hist(net, save_format.format(iteration) if save_format else None, dataset, layer, gt)
    return report(hist, loss, iteration)


def seg_tests(solver, save_format, dataset, layer="score", gt="label"):
    """Score the first test net of a solver with its present weights."""
    net = solver.test_nets[0]
    net.share_with(solver.net)
    return do_seg_tests(net, solver.iter, save_format, dataset, layer, gt)


def main(net_file, weights, list_file, layer="score", gt="label"):
    """What the command does."""
    ids = Path(list_file).read_text(encoding="utf-8").split()
    classes = Path(list_file).parents[2] / "classes.txt"  # as VOC-style folders have it
    names = classes.read_text(encoding="utf-8").split() if classes.exists() else ()
    hist, loss = compute_hist(caffe.Net(net_file, weights, caffe.TEST), None, ids, layer, gt)
    report(hist, loss, names=names)


if __name__ == "__main__":
    main(*sys.argv[1:])
