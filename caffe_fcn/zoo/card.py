"""What a card says of a net: the tables of `card.toml` as dataclasses (docs/models.md)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .schema import NOT_A_KEY

TASK_KINDS = ("segmentation", "edges", "pose", "depth", "classification")
RESIZE_RULES = ("none", "stretch", "short_side")
# Numbers of `[scores]` with their names: fractions, except for frames (a count) and the errors of depth.
METRICS = {
    "frames": "images", "pixel_accuracy": "pixel accuracy", "mean_accuracy": "mean accuracy", "mean_iu": "mean IU",
    "frequency_weighted_iu": "frequency weighted IU", "ods": "ODS", "ois": "OIS", "ap": "AP", "pck": "PCK",
    "top1": "top-1", "top5": "top-5", "rel": "rel", "log10": "log10", "rmse": "rms", "rmse_log": "rms of logarithms",
    "delta1": "delta < 1.25", "delta2": "delta < 1.25^2", "delta3": "delta < 1.25^3"}
COUNTS = ("frames",)
ERRORS = ("rel", "log10", "rmse", "rmse_log")  # of depth
ABOVE_ONE = (*COUNTS, *ERRORS)  # all other numbers are fractions
NOTES = ("source", "note", "command")


@dataclass(frozen=True)
class Files:
    """Names in the folder of the card; `weights` is the public name of the file, which may have to be fetched.

    Checksums are hexadecimal, and there only if published (`weights_sha1`) or if the file is part of the project
    (`weights_sha256`); `weights_source` says who published the address and the checksum.
    """

    net: str = "deploy.prototxt"
    weights: str | None = None
    weights_url: str | None = None
    weights_sha1: str | None = None
    weights_sha256: str | None = None
    weights_source: str | None = None


@dataclass(frozen=True)
class Input:
    """One input blob and how a picture becomes it: resize, crop, order of channels, `log`, minus `mean`, times `scale`.

    shape     N, C, H, W: numbers, or the words "height" and "width" where any size will do
    channels  order along axis 1: "BGR", "RGB", "HHA", "D" (depth)
    dtype, range  of the picture before anything is done to it
    log       the natural logarithm is taken before the mean is subtracted
    mean      one number per channel, in that order; empty: nothing is subtracted
    resize    "none"; "stretch": to `size`; "short_side": the shorter side to the smaller of `size`, aspect kept
    size      (height, width) of the rule `resize`
    crop      (height, width) cut out of the centre after that; empty: no crop
    """

    blob: str
    shape: tuple[int | str, ...]
    channels: str
    mean: tuple[float, ...] = ()
    scale: float = 1.0
    range: tuple[float, ...] = (0.0, 255.0)
    dtype: str = "float32"
    log: bool = False
    resize: str = "none"
    size: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()


@dataclass(frozen=True)
class Class:
    """One class (or joint, for pose): its place in the list is its id. `colour` is RGB, 0 to 255."""

    name: str
    colour: tuple[int, ...] = ()


@dataclass(frozen=True)
class Output:
    """One output blob; `classes` belong to axis 1 of it and are given for further outputs only (see `Card.classes`).

    Where the output is a quantity (depth), that is the blob plus `mean` and, with `log`, e to the power of this, in
    `unit`.
    """

    blob: str
    shape: tuple[int | str, ...]
    meaning: str
    log: bool = False
    mean: float = 0.0
    unit: str | None = None
    classes: tuple[Class, ...] = ()


@dataclass(frozen=True)
class Field:
    """Pixels (one side of a square) that the coarsest score sees, and pixels between the scores that are upsampled."""

    pixels: int
    stride: int


@dataclass(frozen=True)
class Paper:
    """Where the net, or its data, was published."""

    title: str
    authors: str
    venue: str
    url: str | None = None


@dataclass(frozen=True)
class Data:
    """The data set that the net was trained on."""

    set: str
    splits: str | None = None
    url: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Card:
    """The facts of one net, with the names of the keys in the file.

    task_kind       one of TASK_KINDS: says how to predict and how to score
    parameters      with those of fixed kernels
    about           some sentences for the page of the net
    gflops_500      floating point operations / 1e9 of a forward pass of one image, as `caffe-fcn show` counts them (two
                    for a multiplication with an addition), at 500 x 500 pixels or the size of `input` if that is fixed
    classes         of axis 1 of `output`; joints for pose; each has a colour
    ignore_label    the value in label pictures that is no class
    skeleton        pose: pairs of joints that a bone joins, as ids
    scores          by what was scored; numbers by METRICS, strings by NOTES
    folder          where the card and the files of the net are (not in the file)
    """

    name: str
    family: str
    task_kind: str
    task: str
    architecture: str
    parameters: int
    gflops_500: float
    files: Files
    input: Input
    output: Output
    data: Data
    about: str = ""
    receptive_field: Field | None = None
    more_inputs: tuple[Input, ...] = ()
    more_outputs: tuple[Output, ...] = ()
    classes: tuple[Class, ...] = ()
    ignore_label: int | None = None
    skeleton: tuple[tuple[int, ...], ...] = ()
    scores: dict[str, dict[str, float | str]] = field(default_factory=dict)
    training: dict[str, float | str] = field(default_factory=dict)
    licence: dict[str, str] = field(default_factory=dict)
    paper: Paper | None = None
    citations: tuple[Paper, ...] = ()
    folder: Path = field(default=Path(), metadata=NOT_A_KEY)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All inputs, the main one first."""
        return (self.input, *self.more_inputs)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs, the main one first; it has no classes of its own."""
        return (self.output, *self.more_outputs)

    @property
    def palette(self) -> list[int]:
        """The colours of the classes in one flat list, as Pillow's `putpalette` takes it."""
        return [part for entry in self.classes for part in entry.colour]

    @property
    def net_file(self) -> Path:
        """The deploy prototxt."""
        return self.folder / self.files.net

    @property
    def home(self) -> Path:
        """The folder of fetched weights: ``$CAFFE_FCN_HOME/NAME``, else ``$XDG_CACHE_HOME/caffe_fcn/NAME``."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(os.environ.get("CAFFE_FCN_HOME") or Path(cache) / "caffe_fcn") / self.name

    @property
    def weights_file(self) -> Path | None:
        """The weights, beside the card or fetched; None if they are not on this machine."""
        if self.files.weights is None:
            return None
        places = (self.folder / self.files.weights, self.home / self.files.weights)
        return next((path for path in places if path.is_file()), None)
