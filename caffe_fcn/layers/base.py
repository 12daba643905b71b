"""The layer protocol: setup, reshape, forward, backward over blobs; built-in and user layers share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import ops
from ..blob import Blob, BlobVec
from ..errors import LayerError, MissingMethodError

if TYPE_CHECKING:
    from pathlib import Path

    from ..ops.reference import ReferenceOps

Blobs = Sequence[Blob]
Count = int | tuple[int, int | None] | None  # exactly, (at least, at most), anything


class LayerContext(NamedTuple):
    """What a layer may want to know of the net it is made for."""

    folder: Path | None = None  # of the prototxt
    dtype: np.dtype = np.dtype(np.float32)


class _CurrentOps:
    """An attribute that reads as the operations of the current mode; a subclass may use its name for itself."""

    def __get__(self, layer: Layer | None, owner: type[Layer] | None = None) -> ReferenceOps:
        return ops.current()


class Layer:
    """Base of all layers. ``caffe.Layer`` is this class: users subclass it for `Python` layers.

    A subclass says how many blobs it takes (`bottoms`, `tops`) and implements the four methods. `self.param`
    is its LayerParameter, `self.blobs` its parameters. `self.ops` computes on the current device.
    A layer raises LayerError and its kin without its own name: the net adds it. Users' subclasses may give
    attributes of their own any name but `blobs`, `type` and the methods of the protocol.
    """

    bottoms: Count = None
    tops: Count = None
    tops_equal_bottoms = False  # one top per bottom
    refuses_in_place = False
    auto_tops = 0  # tops that the net adds when the prototxt does not name them
    is_loss = False  # top[0] counts with weight 1 unless the prototxt says otherwise
    needs_backward = True  # the net says False where it will never run backward: then keep nothing for it
    ops = _CurrentOps()

    def __init__(self, param: Any) -> None:
        self.param = param
        self.phase: int = param.phase
        self.test = param.phase == 1
        self.__type: str = param.type
        self.__blobs = BlobVec()
        self.param_propagate_down: list[bool] = []
        self.param_str: str = param.python_param.param_str

    @classmethod
    def create(cls, param: Any, context: LayerContext) -> Layer:
        """Make the layer for a LayerParameter. Overridden by `Python`, which returns the user's object."""
        return cls(param)

    @property
    def type(self) -> str:
        """The type as the prototxt has it."""
        return self.__type

    @property
    def blobs(self) -> BlobVec:
        """The parameters."""
        return self.__blobs

    # the protocol

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters, make the parameter blobs. Called once, before the first reshape."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the tops their shapes. Called before every forward."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the tops' values."""
        raise MissingMethodError("this layer has no forward pass")

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the diffs of the bottoms that `propagate_down` marks; add to the parameters' diffs."""
        if any(propagate_down):
            raise MissingMethodError("this layer has no backward pass; keep gradients off it (no force_backward, no "
                                     "loss behind it, or propagate_down: false)")

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Does `force_backward` apply to this bottom? (Labels say no.)"""
        return True

    # helpers for subclasses

    def check(self, condition: Any, message: str) -> None:
        """Raise LayerError(message) unless the condition holds."""
        if not condition:
            raise LayerError(message)

    def add_param(self, shape: Sequence[int], filler: Any, dtype: Any) -> Blob:
        """Append a parameter blob of this shape, filled by a FillerParameter."""
        from ..fillers import fill

        blob = Blob(shape, dtype)
        fill(blob, filler)
        self.blobs.append(blob)
        return blob


def check_counts(layer: Layer, bottom: Blobs, top: Blobs) -> None:
    """Raise LayerError unless the numbers of bottoms and tops are what the layer takes."""
    for word, blobs, count in (("bottom", bottom, layer.bottoms), ("top", top, layer.tops)):
        if count is None:
            continue
        least, most = count if isinstance(count, tuple) else (count, count)
        if len(blobs) < least or (most is not None and len(blobs) > most):
            wanted = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
            raise LayerError(f"takes {wanted} {word} blob(s), {len(blobs)} given")
    if layer.tops_equal_bottoms and len(bottom) != len(top):
        raise LayerError(f"needs as many tops as bottoms, {len(bottom)} bottoms and {len(top)} tops given")
    if layer.refuses_in_place and any(b is t for b in bottom for t in top):
        raise LayerError("cannot run in place: give its top another name than its bottom")
