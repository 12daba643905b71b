"""Score predictions: label pictures, edges, joints or depths against what is true.

`caffe-fcn score segmentation|edges|pose|depth PREDICTIONS TRUTHS`; docs/scores.md tells more.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caffe_fcn.cli.progress import track
from caffe_fcn.errors import FormatError, MissingFileError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.files import make_folder

if TYPE_CHECKING:
    import numpy as np

    from caffe_fcn.evaluation.judges.base import Judge, Outcome, Pair, Report

PICTURES = (".png", ".bmp", ".tif", ".tiff")
SHOWN = 5  # problems of one kind in words


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 1 if there are pictures that could not be scored.

    Raises a CaffeFcnError if nothing can be scored at all.
    """
    options = _parser().parse_args(argv)
    return options.run(options)


# arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="caffe-fcn score", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="segmentation|edges|pose|depth")
    for name, text, add in (
        ("segmentation", "pixel accuracy, mean accuracy, mean IU, frequency weighted IU", _segmentation),
        ("edges", "ODS, OIS and AP with the tolerance of BSDS", _edges),
        ("pose", "PCK of each joint", _pose),
        ("depth", "rel, log10, rms, and shares within 1.25, 1.25^2, 1.25^3", _depth),
    ):
        command = commands.add_parser(name, help=text, description=text)
        add(command)
        command.set_defaults(task=name)
        command.add_argument("--list", metavar="FILE", help="score only the names in this file, one a line")
        command.add_argument("--worst", type=_whole(0), default=5, metavar="N", help="name the N worst pictures (5)")
        command.add_argument("--out", type=Path, metavar="FOLDER", help="write scores.json (and pictures) there")
        command.add_argument("--json", action="store_true", help="print everything for programs")
    return parser


def _folders(parser: argparse.ArgumentParser, predictions: str, truths: str, needed: bool = True) -> None:
    for name, text in (("predictions", predictions), ("truths", truths)):
        parser.add_argument(name, type=Path, nargs=None if needed else "?", help=text)


def _segmentation(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of label pictures whose values are class ids", "folder of the true ones, with the same "
             "names", needed=False)
    parser.add_argument("--classes", metavar="N|FILE", help="how many classes there are, or a file with a name a line "
                                                            "(default: classes.txt in or above the folder of truths)")
    parser.add_argument("--model", metavar="NAME", help="a net whose card has the names and colours of the classes")
    parser.add_argument("--ignore", type=_whole(0, 255), default=255, metavar="ID",
                        help="the true label of pixels that do not count (255)")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="with --out: put the photos beside the worst")
    net = parser.add_argument_group("instead of two folders, what the net --model predicts")
    net.add_argument("--data", type=Path, metavar="FOLDER", help="photos and labels as PASCAL VOC lays them out")
    net.add_argument("--split", default="val", help="the list of names in ImageSets/Segmentation (val)")
    net.add_argument("--weights", metavar="FILE", help="instead of those that are shipped or were fetched")
    parser.set_defaults(run=_run_segmentation)


def _edges(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of grey pictures, white for edges", "folder of BSDS's .mat files, or of one person's "
                                                                 "pictures")
    parser.add_argument("--thresholds", type=_whole(1, 10_000), default=99, metavar="N",
                        help="evenly between 0 and 1 (99)")
    parser.add_argument("--tolerance", type=_number(0), default=0.0075, metavar="SHARE",
                        help="of the diagonal, how far apart matched pixels may be (0.0075; NYUDv2: 0.011)")
    parser.add_argument("--maxima", action="store_true", help="first keep only maxima across the edges, as for HED")
    parser.add_argument("--no-thinning", action="store_true", help="take edges as they are above a threshold")
    parser.add_argument("--jobs", type=_whole(1, 256), default=1, metavar="N", help="processes that share the work (1)")
    parser.set_defaults(run=_run_edges)


def _pose(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of the .json files of `caffe-fcn predict`", "LSP's joints.mat, or a folder of such .json "
                                                                         "files")
    parser.add_argument("--split", choices=("train", "test", "all"), default="test", help="of joints.mat (test)")
    parser.add_argument("--threshold", type=_number(0), action="append", metavar="X",
                        help="how far off a joint may be, in reference sizes (0.2; repeatable)")
    parser.add_argument("--reference", choices=("torso", "head", "box"), default="torso",
                        help="right hip to left shoulder; neck to head top; longer side of the box of the joints")
    parser.set_defaults(run=_run_pose)


def _depth(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of grey pictures, 8 or 16 bits, or .npy files",
             "folder of the true ones; 0 is not measured")
    parser.add_argument("--unit", type=_number(0), default=0.001, metavar="METRES",
                        help="what a value of 1 means, in both folders (0.001)")
    parser.add_argument("--within", type=_number(0), nargs=2, default=(0.0, math.inf), metavar=("MIN", "MAX"),
                        help="only true depths between these count, in metres")
    parser.add_argument("--clip", type=_number(0), nargs=2, metavar=("MIN", "MAX"),
                        help="predictions beyond these are taken for these, in metres")
    parser.set_defaults(run=_run_depth)


def _whole(least: int, most: int = 10**6) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or not least <= int(text[:9]) <= most:
            raise argparse.ArgumentTypeError(f"wanted a whole number from {least} to {most}, got {text!r}")
        return int(text)
    return convert


def _number(least: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"wanted a number from {least:g} on, got {text!r}")
        return value
    return convert


# what each kind does


def _run_segmentation(options: argparse.Namespace) -> int:
    from caffe_fcn.cli.score_pictures import write_pictures
    from caffe_fcn.datasets.files import read_label
    from caffe_fcn.evaluation.judges.base import files_below, find_pairs
    from caffe_fcn.evaluation.judges.classes import classes_of
    from caffe_fcn.evaluation.judges.net import NetLabels, voc_pairs
    from caffe_fcn.evaluation.judges.segmentation import SegmentationJudge

    _check_sources(options)
    predict: Callable[[Path], np.ndarray] = read_label
    classes = classes_of(options.classes, options.model, options.data or options.truths)
    if options.data:
        found = voc_pairs(options.data, options.split, _names(options))
        predict = NetLabels(options.model, options.weights)
    else:
        truths = files_below(options.truths, PICTURES)
        found = find_pairs(options.predictions, PICTURES, truths, _names(options))
    judge = SegmentationJudge(classes.names, options.ignore, predict)

    def pictures(report: Report) -> None:
        write_pictures(report, found.records, judge, classes.palette, options)

    return _score(options, judge, found, pictures=pictures)


def _check_sources(options: argparse.Namespace) -> None:
    if options.data and (options.predictions or not options.model):
        raise FormatError("--data scores what a net predicts: give --model NAME, and no folders of label pictures")
    if not options.data and not options.truths:
        raise FormatError("give the folder of the predictions and that of the true labels, or --model and --data")
    if options.weights and not options.data:
        raise FormatError("--weights is for a net that predicts: give --data, too")
    if options.photos and not options.photos.is_dir():
        raise MissingFileError(f"there is no folder '{options.photos}' (--photos)", str(options.photos))


def _run_edges(options: argparse.Namespace) -> int:
    from caffe_fcn.evaluation.edges import Edges
    from caffe_fcn.evaluation.judges.base import files_below, find_pairs
    from caffe_fcn.evaluation.judges.edges import EdgeJudge

    rules = Edges(options.thresholds, options.tolerance, not options.no_thinning, options.maxima)
    truths = files_below(options.truths, (".mat", *PICTURES))
    found = find_pairs(options.predictions, PICTURES, truths, _names(options))
    return _score(options, EdgeJudge(rules), found, options.jobs)


def _run_pose(options: argparse.Namespace) -> int:
    from caffe_fcn.evaluation.judges.base import files_below, find_pairs
    from caffe_fcn.evaluation.judges.pose import PoseJudge, lsp_truths

    truths: Mapping[str, Any] = (files_below(options.truths, (".json",)) if options.truths.is_dir()
                                 else lsp_truths(options.truths, options.split))
    found = find_pairs(options.predictions, (".json",), truths, _names(options))
    return _score(options, PoseJudge(options.threshold or [0.2], options.reference), found)


def _run_depth(options: argparse.Namespace) -> int:
    from caffe_fcn.evaluation.judges.base import files_below, find_pairs
    from caffe_fcn.evaluation.judges.depth import DepthJudge

    endings = (*PICTURES, ".npy")
    found = find_pairs(options.predictions, endings, files_below(options.truths, endings), _names(options))
    for name, ends in (("--within", options.within), ("--clip", options.clip or (0, 1))):
        if not ends[0] < ends[1]:
            raise FormatError(f"{name} needs MIN < MAX, got {ends[0]:g} and {ends[1]:g}")
    if not options.unit > 0:
        raise FormatError("--unit must be above 0")
    judge = DepthJudge(options.unit, tuple(options.within), options.clip and tuple(options.clip))
    return _score(options, judge, found)


def _names(options: argparse.Namespace) -> list[str] | None:
    from caffe_fcn.datasets.files import read_ids

    return read_ids(options.list) if options.list else None


# the same for all


def _score(options: argparse.Namespace, judge: Judge[Any], found: Outcome[Pair], jobs: int = 1,
           pictures: Callable[[Report], None] = lambda report: None) -> int:
    """Judge the pairs, write and print the report; returns the exit status."""
    from caffe_fcn.evaluation.judges.base import judge_all

    if options.out:
        make_folder(options.out)  # before the work: it may take long
    judged = judge_all(judge, list(found.records.values()), track, jobs)
    problems = [*found.problems, *judged.problems]
    if not judged.records:
        raise FormatError(f"no picture could be scored: {problems[0]}"
                          f"{f' (and {len(problems) - 1} more)' if problems[1:] else ''}")
    report = judge.report(judged.records)
    text = json.dumps(_plain({"task": options.task, "frames": len(judged.records), **report.scores, **report.details,
                              "problems": problems}), indent=2)
    if options.out:
        with atomic_write(options.out / "scores.json") as file:
            file.write(text.encode() + b"\n")
    print(text if options.json else _text(report, len(judged.records), options.worst))
    for problem in problems[:SHOWN]:
        print(f"not scored: {problem}", file=sys.stderr)
    if problems[SHOWN:]:
        print(f"not scored: {len(problems) - SHOWN} more (--json names all)", file=sys.stderr)
    if options.out:
        pictures(report)
    return int(bool(problems))


def _text(report: Report, frames: int, worst: int) -> str:
    from caffe_fcn.prototxt.table import as_lines
    from caffe_fcn.zoo.card import METRICS

    scores = [[METRICS[key], f"{value:.4f}"] for key, value in report.scores.items()]
    lines = [as_lines(report.header, report.rows, report.left), "", as_lines(["pictures", str(frames)], scores)]
    if worst and len(report.ranking) > 1:
        shown = [[name, f"{score:.4f}"] for name, score in report.ranking[:worst]]
        lines += ["", as_lines(["worst pictures", report.ranked], shown)]
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """What JSON holds: null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
