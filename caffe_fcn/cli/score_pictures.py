"""The pictures of `caffe-fcn score segmentation`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from caffe_fcn.datasets.base import check_sizes
from caffe_fcn.datasets.files import find_picture, read_label
from caffe_fcn.datasets.folder import PHOTOS
from caffe_fcn.evaluation.judges.base import Pair, Report
from caffe_fcn.evaluation.judges.segmentation import SegmentationJudge
from caffe_fcn.evaluation.pictures import confusion_picture, side_by_side
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.files import make_folder
from caffe_fcn.zoo.predict.photo import read_photo


def write_pictures(report: Report, pairs: Mapping[str, Pair], judge: SegmentationJudge, palette: np.ndarray,
                   options: argparse.Namespace) -> None:
    """Write confusion.png, and worst/NAME.png for the worst pictures, below the folder `options.out`."""
    names = [entry["name"] for entry in report.details["classes"]]
    _save(options.out / "confusion.png", confusion_picture(np.array(report.details["confusion"]), names))
    for name, _ in report.ranking[:options.worst]:
        pair = pairs[name]
        photo = _photo(pair, options)
        picture = side_by_side(read_label(pair.truth), judge.predict(pair.prediction), palette, photo)
        _save(options.out / "worst" / f"{name.replace('/', '_')}.png", picture)


def _photo(pair: Pair, options: argparse.Namespace) -> np.ndarray | None:
    if options.data:
        file = pair.prediction
    elif options.photos:
        file = find_picture(options.photos, pair.name, PHOTOS)
    else:
        return None
    photo = read_photo(file)
    check_sizes(pair.name, {"photo": photo.shape[:2], "label": read_label(pair.truth).shape})
    return photo


def _save(file: Path, picture: Any) -> None:
    make_folder(file.parent)
    with atomic_write(file) as target:
        picture.save(target, "PNG")
