"""From a NetParameter to wired layers: blobs by name, shapes, parameters, who takes part in backward."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .blob import Blob
from .errors import BlobMemoryError, FileAccessError, FormatError, LayerError, MissingFileError, ShapeError
from .graph import filter_net, insert_splits, with_state
from .layers.base import Layer, LayerContext, check_counts
from .layers.forks.dialects import make_explicit
from .layers.registry import create_layer
from .params import Params

AUTOMATIC = "(automatic)"  # Caffe's name for a loss top that the prototxt leaves out


@contextlib.contextmanager
def named(name: str, type_name: str) -> Iterator[None]:
    """Add the layer to errors that do not name one yet; keep user code's own exceptions as they are."""
    try:
        yield
    except LayerError as error:
        if error.layer is None:
            error.layer, error.type = name, type_name
        raise
    except (BlobMemoryError, FileAccessError, FormatError, MissingFileError) as error:
        if not str(error).startswith("layer '"):
            error.args = (f"layer '{name}' ({type_name}): {error}", *error.args[1:])
        raise
    except MemoryError as error:  # of a temporary array
        reason = error or "out of memory"
        raise BlobMemoryError(f"layer '{name}' ({type_name}): {reason}; use a smaller input") from error


class Wiring:
    """The layers of a net with their blobs, built in order from a filtered NetParameter with its splits.

    `blobs`, `blob_names`: all blobs in order of creation. `bottoms`, `tops`: blobs of each layer; `bottom_ids`,
    `top_ids` their indices. `loss_weights`: one per blob id. `layer_backward`, `bottom_backward`: what backward visits.
    """

    def __init__(self, net: Any, context: LayerContext) -> None:
        self.net = net
        self.context = context
        self.layers: list[Layer] = []
        self.layer_params: list[Any] = []  # LayerParameters as the layers got them
        self.layer_names: list[str] = []
        self.types: list[str] = []
        self.blobs: list[Blob] = []
        self.blob_names: list[str] = []
        self.loss_weights: list[float] = []
        self.bottoms: list[list[Blob]] = []
        self.tops: list[list[Blob]] = []
        self.bottom_ids: list[list[int]] = []
        self.top_ids: list[list[int]] = []
        self.top_weights: list[list[float]] = []  # per layer and top
        self.layer_backward: list[bool] = []
        self.bottom_backward: list[list[bool]] = []
        self.params = Params()
        self.inputs: list[int] = []
        self._latest: dict[str, int] = {}  # blob name -> id
        self._unused: set[str] = set()  # tops that no later layer has taken
        self._blob_backward: list[bool] = []
        for param in net.layer:
            with named(param.name, param.type):
                self._add(param)
        self._prune_backward()
        if net.force_backward:
            self._force_backward()
        for layer, needed in zip(self.layers, self.layer_backward, strict=True):
            layer.needs_backward = needed
        self.outputs = [self._latest[name] for name in sorted(self._unused)]

    # one layer

    def _add(self, source: Any) -> None:
        param = type(source)()
        param.CopyFrom(source)
        if not param.HasField("phase"):
            param.phase = self.net.state.phase
        if param.propagate_down and len(param.propagate_down) != len(param.bottom):
            raise LayerError(f"'propagate_down' must be given once per bottom ({len(param.bottom)}) or not at all, "
                             f"got {len(param.propagate_down)}")
        self.layers.append(layer := create_layer(param, self.context))
        self.layer_params.append(param)
        self.layer_names.append(param.name)
        self.types.append(param.type)
        needs = self._add_bottoms(param)
        self._add_tops(param, layer)
        bottom, top = self.bottoms[-1], self.tops[-1]
        check_counts(layer, bottom, top)
        layer.setup(bottom, top)
        _load_stored_blobs(layer, param)
        layer.reshape(bottom, top)
        self._set_loss_weights(param, layer)
        self._add_params(source, param, layer, needs)

    def _add_bottoms(self, param: Any) -> bool:
        ids, backward = [], []
        for i, name in enumerate(param.bottom):
            if name not in self._unused:
                close = difflib.get_close_matches(name, self._latest, 3)
                hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
                raise LayerError(f"unknown bottom blob '{name}' (bottom {i}){hint}")
            self._unused.discard(name)
            ids.append(self._latest[name])
            backward.append(param.propagate_down[i] if param.propagate_down else self._blob_backward[ids[-1]])
        self.bottom_ids.append(ids)
        self.bottoms.append([self.blobs[i] for i in ids])
        self.bottom_backward.append(backward)
        return any(self._blob_backward[i] for i in ids)

    def _add_tops(self, param: Any, layer: Layer) -> None:
        ids = []
        for i, name in enumerate(param.top):
            if i < len(param.bottom) and name == param.bottom[i]:
                ids.append(self._latest[name])  # in place
            elif name in self._latest:
                raise LayerError(f"top blob '{name}' is made by another layer already; only a layer with the same "
                                 "name at the same place among its bottoms may write it again (in place), and only "
                                 "if no layer before it reads it too")
            else:
                ids.append(self._new_blob(name))
                self._latest[name] = ids[-1]
                if param.type == "Input":
                    self.inputs.append(ids[-1])
            self._unused.add(name)
        ids += [self._new_blob(AUTOMATIC) for _ in range(layer.auto_tops - len(ids))]
        self.top_ids.append(ids)
        self.tops.append([self.blobs[i] for i in ids])

    def _new_blob(self, name: str) -> int:
        self.blobs.append(Blob((), self.context.dtype))
        self.blob_names.append(name)
        self.loss_weights.append(0.0)
        self._blob_backward.append(False)
        return len(self.blobs) - 1

    def _set_loss_weights(self, param: Any, layer: Layer) -> None:
        tops = self.tops[-1]
        weights = list(param.loss_weight) or [1.0] * layer.is_loss  # a loss layer's own weight is for one top
        if weights and len(weights) != len(tops):
            raise LayerError(f"'loss_weight' must be given once per top ({len(tops)} times)"
                             f"{'' if layer.is_loss else ' or not at all'}, got {len(param.loss_weight)}")
        weights = weights or [0.0] * len(tops)
        self.top_weights.append(weights)
        for i, weight in zip(self.top_ids[-1], weights, strict=True):
            self.loss_weights[i] = weight
            if weight:
                self.blobs[i].grad[...] = weight  # the seed of backward

    def _add_params(self, source: Any, param: Any, layer: Layer, needs: bool) -> None:
        if len(source.param) > len(layer.blobs):
            raise LayerError(f"'param' is given {len(source.param)} times, but the layer has "
                             f"{len(layer.blobs)} parameter blob(s)")
        for i in range(len(layer.blobs)):
            learns = source.param[i].lr_mult != 0 if i < len(source.param) else True
            layer.param_propagate_down.append(learns)
            needs |= learns
        self.params.append(len(self.layers) - 1, layer, param.param, self.layer_names)
        self.layer_backward.append(needs)
        if needs:
            for i in self.top_ids[-1]:
                self._blob_backward[i] = True

    # who takes part in backward

    def _prune_backward(self) -> None:
        """Leave out layers that reach no loss, and those below which nothing is learned (Caffe's two rules)."""
        under_loss: set[str] = set()
        skipped: set[str] = set()
        for i in reversed(range(len(self.layers))):
            names = [self.blob_names[k] for k in self.top_ids[i]]
            contributes, skip = False, True
            for name, weight in zip(names, self.top_weights[i], strict=True):
                contributes |= bool(weight) or name in under_loss
                skip &= name in skipped
                if contributes and not skip:
                    break
            if self.layer_backward[i] and skip:
                self.layer_backward[i] = False
                self.bottom_backward[i] = [False] * len(self.bottom_backward[i])
            if not contributes:
                self.layer_backward[i] = False
            for k, blob in enumerate(self.bottom_ids[i]):
                if contributes:
                    under_loss.add(self.blob_names[blob])
                else:
                    self.bottom_backward[i][k] = False
                if not self.bottom_backward[i][k]:
                    skipped.add(self.blob_names[blob])

    def _force_backward(self) -> None:
        for i, layer in enumerate(self.layers):
            self.layer_backward[i] = True
            self.bottom_backward[i] = [
                needed or layer.allow_force_backward(k) for k, needed in enumerate(self.bottom_backward[i])
            ]
            layer.param_propagate_down = [True] * len(layer.blobs)


def _load_stored_blobs(layer: Layer, param: Any) -> None:
    """Take over parameter values that the layer's own message carries."""
    if not param.blobs:
        return
    if len(param.blobs) != len(layer.blobs):
        raise LayerError(f"carries {len(param.blobs)} stored 'blobs', but has {len(layer.blobs)} parameter blob(s)")
    for i, (stored, blob) in enumerate(zip(param.blobs, layer.blobs, strict=True)):
        legacy = (stored.num, stored.channels, stored.height, stored.width)
        shape = tuple(stored.shape.dim) if stored.HasField("shape") else legacy
        values = stored.double_data or stored.data
        if len(values) != blob.count:
            raise ShapeError(f"stored blob {i} has the shape {shape} and {len(values)} values, the layer needs "
                             f"{blob.shape}")
        blob.data[...] = np.reshape(values, blob.shape)


def build_wiring(
    net: Any, phase: int, level: int = 0, stages: Iterable[str] = (), dtype: npt.DTypeLike = np.float32,
    file: str | None = None, dialect: str | None = None,
) -> Wiring:
    """Filter a NetParameter (already upgraded) by its state, insert splits, build the layers.

    `file`, the prototxt it came from, is named in errors; Python layers are searched beside it. `dialect`: see Net.
    """
    folder = Path(file).resolve().parent if file else None
    try:
        filtered = filter_net(with_state(net, phase, level, stages))
        make_explicit(filtered, dialect)
        return Wiring(insert_splits(filtered), LayerContext(folder, np.dtype(dtype)))
    except LayerError as error:
        if file:
            error.message = f"{error.message} [in {file}]"
        raise
