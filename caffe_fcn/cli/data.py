"""Check a folder of photos and label pictures, or make one from COCO's annotations or coloured labels.

`caffe-fcn data check FOLDER`; `caffe-fcn data convert SOURCE OUT --images FOLDER`. docs/datasets.md tells more.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from caffe_fcn.cli.progress import track
from caffe_fcn.errors import CaffeFcnError, FormatError

if TYPE_CHECKING:
    import numpy as np

    from caffe_fcn.datasets.colours import ColourMap
    from caffe_fcn.datasets.findings import Finding
    from caffe_fcn.datasets.survey import Survey

Labels = Callable[[], "np.ndarray"]
MANY_SIZES = 5  # sizes of photos that are shown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 1 if there were problems. Raises what reading the arguments raises."""
    parser = argparse.ArgumentParser(prog="caffe-fcn data", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="check|convert")
    _check_arguments(commands.add_parser("check", help="report sizes, pairs, palettes, classes; suggest class weights"))
    _convert_arguments(commands.add_parser("convert", help="make a folder as PASCAL VOC lays it out"))
    options = parser.parse_args(argv)
    return options.run(options)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="with JPEGImages, SegmentationClass, ImageSets/Segmentation")
    parser.add_argument("--split", action="append", help="look only at the ids of this list (may be repeated)")
    parser.add_argument("--classes", type=_label, help="how many there are (default: the lines of classes.txt)")
    parser.add_argument("--ignore", type=_label, default=255, help="the label that is no class (default: 255)")
    parser.add_argument("--json", action="store_true", help="print everything for programs")
    parser.add_argument("--weights", metavar="FILE",
                        help="write the median-frequency weights as the matrix of InfogainLoss (a .binaryproto)")
    folders = {"images": "JPEGImages", "labels": "SegmentationClass", "lists": "ImageSets/Segmentation"}
    for name, default in folders.items():
        parser.add_argument(f"--{name}", default=default, help=f"the folder of the {name} (default: {default})")
    parser.set_defaults(run=_check)


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="a .json file of COCO's instances, or a folder of coloured labels")
    parser.add_argument("out", type=Path, help="the folder to make or to add to")
    parser.add_argument("--images", type=Path, required=True, help="the folder of the photos")
    parser.add_argument("--split", type=_list_name, default="train", help="the list to write (default: train)")
    parser.add_argument("--val", type=_share, default=0.0, metavar="SHARE",
                        help="hold out this share of the pictures, drawn at random, as the list val")
    parser.add_argument("--seed", type=int, default=0, help="of that draw (default: 0)")
    parser.add_argument("--link", action="store_true", help="link to the photos instead of copying them")
    coco = parser.add_argument_group("COCO")
    coco.add_argument("--categories", metavar="FILE", help="lines 'id name': which class each category becomes")
    coco.add_argument("--order", choices=("area", "file"), default="area",
                      help="draw small objects over large ones, or later ones over earlier ones (default: area)")
    coco.add_argument("--crowd", choices=("class", "ignore", "skip"), default="class",
                      help="regions with iscrowd: their class, 255, or nothing (default: class)")
    coco.add_argument("--background", type=_label, default=0, help="the id of the rest (default: 0)")
    coloured = parser.add_argument_group("coloured labels")
    coloured.add_argument("--colours", metavar="FILE", help="lines 'name red green blue [id]'")
    coloured.add_argument("--unknown", type=_label, metavar="ID", help="what other colours become (default: a problem)")
    coloured.add_argument("--suffix", default="", help="what label files have at the end of their names, such as _L")
    parser.set_defaults(run=_convert)


def _label(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) > 255:
        raise argparse.ArgumentTypeError(f"wanted a whole number from 0 to 255, got {text!r}")
    return int(text)


def _list_name(text: str) -> str:
    if not text or set(text) & set("/\\\0") or text.startswith("."):
        raise argparse.ArgumentTypeError(f"wanted the name of a list, such as train, got {text!r}")
    return text


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"wanted a share from 0 to 1, such as 0.1, got {text!r}")
    return value


# check


def _check(options: argparse.Namespace) -> int:
    from caffe_fcn.data.lists import read_text
    from caffe_fcn.datasets import findings
    from caffe_fcn.datasets.frequencies import write_infogain
    from caffe_fcn.datasets.survey import Layout, survey

    found = survey(Layout(options.folder, options.images, options.labels, options.lists), options.split, options.ignore,
                   track)
    listed = options.folder / "classes.txt"
    names = read_text(listed).split("\n") if listed.is_file() else []
    names = [name.strip() for name in names if name.strip()]
    known = options.classes if options.classes is not None else len(names) or None
    every = findings.findings(found, known, options.ignore)
    classes = findings.class_count(found, known, options.ignore)
    weights = findings.weights(found, classes, options.ignore)
    names = [names[k] if k < len(names) else str(k) for k in range(classes)]
    if options.json:
        print(json.dumps(findings.as_dict(found, every, names, weights), indent=2))
    else:
        _report(found, every, names, weights)
    if options.weights:
        if not classes:
            raise FormatError(f"'{options.folder}' has no labels, so there are no weights to write")
        write_infogain(options.weights, weights)
    return int(any(finding.problem for finding in every))


def _report(found: Survey, every: Sequence[Finding], names: Sequence[str], weights: np.ndarray) -> None:
    from caffe_fcn.prototxt.table import as_lines

    print(f"{found.photos} photos, {found.labels} label pictures, {found.pairs} pairs looked at")
    for name, ids in found.splits.items():
        print(f"list {name}: {len(ids)}")
    sizes = ", ".join(f"{width} x {height} ({count})" for (width, height), count in found.sizes.most_common(MANY_SIZES))
    more = len(found.sizes) - MANY_SIZES
    print(f"sizes (width x height): {sizes or 'none'}{f' and {more} more' if more > 0 else ''}")
    print(f"label modes: {', '.join(f'{mode} ({count})' for mode, count in found.modes.most_common()) or 'none'}; "
          f"palettes: {len(found.palettes)}")
    total = max(int(found.pixels.sum()), 1)
    rows = [[str(k), name, str(found.pixels[k]), f"{found.pixels[k] / total:.4f}", str(found.pictures[k]),
             f"{weights[k]:.4g}" if weights[k] else "-"] for k, name in enumerate(names)]
    rows += [[str(k), "(no class)", str(found.pixels[k]), f"{found.pixels[k] / total:.4f}", str(found.pictures[k]), "-"]
             for k in found.seen if k >= len(names)]
    if rows:
        print(as_lines(["id", "class", "pixels", "share", "pictures", "weight"], rows, left=2))
    for finding in every:
        print(finding)


# convert


def _convert(options: argparse.Namespace) -> int:
    from caffe_fcn.datasets.voc_writer import VOCWriter, divide, voc_palette

    if options.val and options.split == "val":
        raise FormatError("--val SHARE makes the list val of what it holds out; give another --split")
    if options.source.suffix.lower() == ".json":
        pairs, names = _coco(options)
        colours = voc_palette()
    else:
        pairs, names, colours = _coloured(options, voc_palette())
    writer = VOCWriter(options.out, names, colours, options.link)
    writer.check_classes()
    done, problems = [], []
    for photo, labels in track(pairs):
        try:
            done.append(writer.put(photo, labels()))
        except (CaffeFcnError, OSError) as error:
            problems.append(str(error))
    if done:
        writer.finish(divide(done, options.split, options.val, options.seed))
    for problem in problems:
        print(f"caffe-fcn data: {problem}", file=sys.stderr)
    print(f"{options.out}: {len(done)} pictures{f', {len(problems)} left out' if problems else ''}")
    if writer.other_formats:
        print(f"{writer.other_formats} photos are not .jpg files: read them with the layer FolderSegDataLayer")
    return 1 if problems or not done else 0


def _coco(options: argparse.Namespace) -> tuple[list[tuple[Path, Labels]], dict[int, str]]:
    from caffe_fcn.datasets.coco import draw, read_categories, read_coco

    categories = read_categories(options.categories) if options.categories else None
    found = read_coco(options.source, options.images, categories, options.order, options.crowd, options.background)
    return [(picture.file, partial(draw, picture, options.background)) for picture in found.pictures], found.names


def _coloured(options: argparse.Namespace, palette: np.ndarray
              ) -> tuple[list[tuple[Path, Labels]], dict[int, str], np.ndarray]:
    from caffe_fcn.datasets.colours import read_colours
    from caffe_fcn.datasets.files import find_picture
    from caffe_fcn.datasets.folder import LABELS, PHOTOS, files_by_name
    from caffe_fcn.formats.files import check_apart

    if not options.colours:
        raise FormatError(f"'{options.source}' is no .json file: for a folder of coloured labels give --colours FILE")
    check_apart([options.out / "SegmentationClass"], [options.source])
    colours = read_colours(options.colours)
    pairs: list[tuple[Path, Labels]] = []
    for name, file in files_by_name(options.source, LABELS).items():
        if name.endswith(options.suffix):
            photo = find_picture(options.images, name.removesuffix(options.suffix), PHOTOS)
            pairs.append((photo, partial(_classes_of, colours, file, options.unknown, photo)))
    if not pairs:
        raise FormatError(f"'{options.source}' holds no label pictures{options.suffix and ' *' + options.suffix}")
    return pairs, colours.names, colours.palette(palette)


def _classes_of(colours: ColourMap, file: Path, unknown: int | None, photo: Path) -> np.ndarray:
    """The class ids of a label picture. ShapeError if the photo has another size; what reading the two raises."""
    from caffe_fcn.datasets.base import check_sizes
    from caffe_fcn.datasets.files import open_picture

    size = open_picture(photo).size
    ids = colours.read(file, unknown)
    check_sizes(str(photo), {"photo": size[::-1], "label": ids.shape})
    return ids
