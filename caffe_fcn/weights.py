"""Loading weight files into the layers of a net by name, by Caffe's rules.

All checks come before the first value is written: a file that is refused leaves the net as it was.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from caffe_fcn.errors import WeightsError
from caffe_fcn.formats import caffemodel, hdf5
from caffe_fcn.formats.blobproto import BlobData
from caffe_fcn.formats.caffemodel import LayerWeights

logger = logging.getLogger("caffe_fcn")

Shape = tuple[int, ...]

ADVICE = (
    "To start this layer afresh rename it in the prototxt; to keep its weights bring them into the new shape first "
    "(net surgery)"
)


class TargetBlob(Protocol):
    """What is asked of a blob: its shape, and writable arrays of that shape."""

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""

    @property
    def data(self) -> np.ndarray:
        """Values."""

    @property
    def diff(self) -> np.ndarray:
        """Gradients."""


class TargetLayer(Protocol):
    """What is asked of a layer of the net."""

    name: str
    type: str
    blobs: Sequence[Any]  # of TargetBlob


class LayerShapes(NamedTuple):
    """A line of a report."""

    name: str
    type: str
    shapes: tuple[Shape, ...]


class CopyReport(NamedTuple):
    """What :func:`copy_weights` did; ``str()`` of it is a table.

    copied    layers of the file whose blobs were copied
    skipped   layers of the file that have blobs, but no layer in the net
    unfilled  layers of the net with blobs that nothing in the file fills; they keep their values
    """

    file: str
    copied: list[LayerShapes]
    skipped: list[LayerShapes]
    unfilled: list[LayerShapes]

    def __str__(self) -> str:
        counts = (
            f"{len(self.copied)} copied, {len(self.skipped)} only in the file, {len(self.unfilled)} only in the net"
        )
        rows = [
            (word, layer.name, layer.type, ", ".join(map(_spelled, layer.shapes)))
            for word, layers in (("copied", self.copied), ("skipped", self.skipped), ("unfilled", self.unfilled))
            for layer in layers
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join([f"{self.file}: layers with weights: {counts}", *(f"  {line.rstrip()}" for line in lines)])


class _Step(NamedTuple):
    """One blob to copy."""

    target: TargetBlob
    source: BlobData


def read_weights(path: str | os.PathLike[str]) -> list[LayerWeights]:
    """The layers of a weight file, binary or HDF5 by its content, whatever its name."""
    return hdf5.read(path) if hdf5.is_hdf5(path) else caffemodel.read(path)


def copy_weights(
    layers: Sequence[TargetLayer], path: str | os.PathLike[str], shared: Callable[[int, int], bool] | None = None
) -> CopyReport:
    """Copy the blobs of the file at `path` into the layers of the same names; values and, if stored, diffs.

    ``shared(i, j)`` says that blob j of ``layers[i]`` belongs to another layer: HDF5 files leave it out.
    Of several layers of one name in the file the last wins; in the net the first is filled from a binary file and
    the last from an HDF5 file. Names in the file that the net has not are ignored, and the other way round.

    The report is logged, as a warning if nothing at all was copied: then the file is another net's, or empty.

    Raises MissingFileError, FileAccessError or FormatError for the file, and WeightsError where the number of blobs,
    a shape or the number of values differs; nothing is written then.
    """
    file = os.fspath(path)
    from_hdf5 = hdf5.is_hdf5(path)
    order = list(enumerate(layers)) if from_hdf5 else list(reversed(list(enumerate(layers))))
    index_of = {layer.name: i for i, layer in order}
    may_lack = shared if from_hdf5 and shared else _never
    steps: list[_Step] = []
    copied: dict[int, LayerShapes] = {}
    skipped: list[LayerShapes] = []
    for source in read_weights(path):
        i = index_of.get(source.name)
        if i is None:
            skipped += [_shapes(source)] if source.blobs else []
            continue
        steps += _matched(layers[i], source, [may_lack(i, j) for j in range(len(layers[i].blobs))], file)
        copied[i] = _shapes(layers[i])
    _copy(steps)
    is_shared = shared or _never
    unfilled = [
        _shapes(layer)
        for i, layer in enumerate(layers)
        if i not in copied and not all(is_shared(i, j) for j in range(len(layer.blobs)))
    ]
    report = CopyReport(file, [line for line in copied.values() if line.shapes], skipped, unfilled)
    nothing = any(layer.blobs for layer in layers) and not report.copied
    logger.log(logging.WARNING if nothing else logging.INFO, "%s", report)
    return report


def _matched(layer: TargetLayer, source: LayerWeights, may_lack: Sequence[bool], file: str) -> Iterator[_Step]:
    """The copies from `source` to `layer`, after all checks."""
    where = f"{file}: layer '{layer.name}'"
    found = list(source.blobs) + [None] * (len(layer.blobs) - len(source.blobs))
    too_many = len(found) > len(layer.blobs)
    if too_many or any(blob is None and not may for blob, may in zip(found, may_lack, strict=True)):
        raise WeightsError(
            f"{where} has {_listed(source.blobs)} in the file, but {_listed(layer.blobs)} in the net. {ADVICE}"
        )
    for j, (target, blob) in enumerate(zip(layer.blobs, found, strict=True)):
        if blob is None:
            continue
        if not fits(blob, target.shape):
            raise WeightsError(
                f"{where}, blob {j}: its shape is {_spelled(blob.shape)} in the file, but {_spelled(target.shape)} in "
                f"the net. {ADVICE}"
            )
        for kind, values in (("values", blob.data), ("diffs", blob.diff)):
            if values is not None and values.size != math.prod(target.shape):
                raise WeightsError(
                    f"{where}, blob {j}: the file has {values.size} {kind} for the shape {_spelled(target.shape)}; "
                    "it is damaged or was written by another program"
                )
        yield _Step(target, blob)


def fits(blob: BlobData, shape: Shape) -> bool:
    """Whether a stored blob has this shape: legacy axes stand for at most four, with ones in front."""
    if blob.legacy:
        return len(shape) <= 4 and blob.shape == (1,) * (4 - len(shape)) + tuple(shape)
    return blob.shape == tuple(shape)


def _copy(steps: Iterable[_Step]) -> None:
    """Copy values and diffs; arrays of the net are allocated before the first one is written."""
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for target, source in steps:
        pairs.append((target.data, source.data))
        if source.diff is not None:
            pairs.append((target.diff, source.diff))
    with np.errstate(over="ignore"):  # a double beyond the range of floats becomes infinite, as in C++
        for array, values in pairs:
            array[...] = values.reshape(array.shape)


def _never(i: int, j: int) -> bool:
    return False


def _shapes(layer: TargetLayer | LayerWeights) -> LayerShapes:
    return LayerShapes(layer.name, layer.type, tuple(tuple(blob.shape) for blob in layer.blobs if blob is not None))


def _spelled(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _listed(blobs: Sequence[Any]) -> str:
    shapes = ", ".join("none" if blob is None else _spelled(blob.shape) for blob in blobs)
    return f"{len(blobs)} blob{'' if len(blobs) == 1 else 's'}" + (f" ({shapes})" if shapes else "")
