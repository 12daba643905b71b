"""Predict photos and folders of photos with a net: labels, edges, poses, depths or classes, as pictures and JSON.

`caffe-fcn predict IMAGE_OR_FOLDER... --model NAME --out FOLDER`; docs/predict.md tells more.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from caffe_fcn.cli.net_flags import choose_device
from caffe_fcn.zoo.predict import Job, Options, Prediction, Predictor, find_jobs, predict_all

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 1 if there are photos without a result, 130 when interrupted."""
    parser = _parser()
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore", module="PIL")  # odd tags, many pixels: what cannot be predicted is named below
    also = dict(entry.split("=", 1) for entry in args.also)
    choose_device(args.gpu)
    try:
        options = Options(args.top, args.modes, args.refine)
        predictor = Predictor(args.model, args.weights, args.net, args.scale, options)
    except ValueError as error:
        if type(error) is not ValueError:  # the package's own, which the caller reports
            raise
        parser.error(str(error))
    predictor.check_also(also)
    jobs = find_jobs(args.photos, args.out, predictor.suffixes, also)
    talk = len(jobs) == 1 or predictor.card.task_kind == "classification"
    start = time.perf_counter()
    failed: list[tuple[Path, str]] = []
    done = 0
    try:
        for job, result in _track(predict_all(predictor, jobs, args.out), len(jobs)):
            if isinstance(result, Prediction):
                done += 1
                if talk:
                    print(str(job.photo).encode(errors="backslashreplace").decode(), result.text, sep="\n")
            else:
                failed.append((job.photo, " ".join(str(result).split()) or type(result).__name__))
    except KeyboardInterrupt:
        print(f"interrupted: {done} of {len(jobs)} photos are done, with whole files", file=sys.stderr)
        return INTERRUPTED
    _report(done, failed, time.perf_counter() - start, args.out)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("caffe-fcn predict", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", nargs="+", metavar="IMAGE_OR_FOLDER", help="pictures, or folders with all below them")
    parser.add_argument("--model", required=True, metavar="NAME",
                        help="a net that `caffe-fcn models` lists, or a folder with a card.toml")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the results go")
    parser.add_argument("--weights", metavar="FILE", help="instead of those that are shipped or were fetched")
    parser.add_argument("--net", metavar="FILE", help="a deploy prototxt instead of the card's")
    parser.add_argument("--scale", type=float, default=1.0, metavar="FACTOR",
                        help="resize photos by this factor for the net; results have the size of the photo")
    parser.add_argument("--gpu", nargs="?", const="0", default="", metavar="NUMBER", help="compute on a GPU")
    parser.add_argument("--also", action="append", default=[], type=_input, metavar="BLOB=PATH",
                        help="pictures for a further input: a file, or a folder where they lie as the photos do")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classification: classes to report (5)")
    parser.add_argument("--modes", type=int, default=3, metavar="N", help="pose: places to report for each joint (3)")
    parser.add_argument("--refine", action="store_true", help="pose: places between pixels, by a parabola")
    return parser


def _input(text: str) -> str:
    if not all(text.partition("=")):
        raise argparse.ArgumentTypeError(f"wanted BLOB=PATH, got {text!r}")
    return text


def _track(results: Iterable[tuple[Job, Prediction | Exception]], total: int
           ) -> Iterable[tuple[Job, Prediction | Exception]]:
    """The results, with a bar on a terminal: photos done, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield from bar.track(results, total, description="photos")


def _report(done: int, failed: list[tuple[Path, str]], seconds: float, out: Path) -> None:
    for photo, reason in failed:
        print(f"not predicted: {photo}: {reason}", file=sys.stderr)
    rest = f"; {len(failed)} could not be predicted, named above" if failed else ""
    place = f", results in {out}" if done else ""
    print(f"{done} {'photo' if done == 1 else 'photos'} in {seconds:.1f} s{place}{rest}", file=sys.stderr)
