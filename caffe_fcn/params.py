"""A net's parameters: which blobs are learned, which are shared by name, with which multipliers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from .blob import Blob
from .errors import LayerError, ShapeError
from .layers.base import Layer
from .proto import caffe_pb2


@dataclasses.dataclass(frozen=True)
class Param:
    """One parameter blob of a net."""

    layer: int  # index of its layer
    index: int  # of the blob in that layer
    blob: Blob
    name: str  # "" unless the prototxt names it
    owner: int  # index (in the list of params) of the one whose memory it uses, or -1
    learnable: int  # index in Params.learnable


class Params:
    """All parameters of a net in the order of its layers.

    Parameters with one name share data and diff: the first is the owner, the others follow. `share_mode`
    STRICT (default) needs equal shapes, PERMISSIVE equal counts. A multiplier that only one side states holds
    for the shared blob.
    """

    def __init__(self) -> None:
        self.all: list[Param] = []
        self.learnable: list[Blob] = []  # owners only
        self._lr: list[float | None] = []
        self._decay: list[float | None] = []
        self._by_name: dict[str, int] = {}

    @property
    def lr_mults(self) -> list[float]:
        """Learning rate multiplier of each learnable blob."""
        return [1.0 if value is None else value for value in self._lr]

    @property
    def decay_mults(self) -> list[float]:
        """Weight decay multiplier of each learnable blob."""
        return [1.0 if value is None else value for value in self._decay]

    def append(self, layer_index: int, layer: Layer, specs: Sequence[Any], names: Sequence[str]) -> None:
        """Add the blobs of a layer. `specs` are its ParamSpecs; `names` all layer names, for messages."""
        for index, blob in enumerate(layer.blobs):
            spec = specs[index] if index < len(specs) else caffe_pb2.ParamSpec()
            lr = spec.lr_mult if spec.HasField("lr_mult") else None
            decay = spec.decay_mult if spec.HasField("decay_mult") else None
            if spec.name in self._by_name:
                owner = self._by_name[spec.name]
                self._check_share(self.all[owner], blob, index, spec, names)
                learnable = self.all[owner].learnable
                for word, table, value in (("lr_mult", self._lr, lr), ("decay_mult", self._decay, decay)):
                    if None not in (value, table[learnable]) and value != table[learnable]:
                        raise LayerError(f"shares the parameter '{spec.name}' with {word} {value:g}, but "
                                         f"its owner '{names[self.all[owner].layer]}' says {table[learnable]:g}")
                    table[learnable] = table[learnable] if value is None else value
                blob.share_data(self.all[owner].blob)
                blob.share_diff(self.all[owner].blob)
            else:
                owner, learnable = -1, len(self.learnable)
                if spec.name:
                    self._by_name[spec.name] = len(self.all)
                self.learnable.append(blob)
                self._lr.append(lr)
                self._decay.append(decay)
            self.all.append(Param(layer_index, index, blob, spec.name, owner, learnable))

    @staticmethod
    def _check_share(owner: Param, blob: Blob, index: int, spec: Any, names: Sequence[str]) -> None:
        permissive = spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
        same = blob.count == owner.blob.count if permissive else blob.shape == owner.blob.shape
        if not same:
            advice = "" if permissive else " (share_mode: PERMISSIVE needs equal counts only)"
            raise ShapeError(f"blob {index} shares the parameter '{spec.name}' of layer '{names[owner.layer]}', but "
                             f"has the shape {blob.shape} instead of {owner.blob.shape}{advice}")

    def is_borrowed(self, layer: int, index: int) -> bool:
        """Does this blob use another layer's memory?"""
        return any(p.owner >= 0 for p in self.all if (p.layer, p.index) == (layer, index))
