"""Running the user's own data layers several batches ahead of the net: `Python` layers without bottoms.

Only if it is asked for. The code of such a layer is the user's: scripts set its attributes between passes, read them,
or share a random generator with it, and would then see another state than with Caffe, which runs it when its turn
comes. Only who knows the layer knows that nobody does. What needs no knowledge is in look_ahead.py: one batch, while a
solver's net computes.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe_fcn.blob import Blob
from caffe_fcn.errors import LayerError
from caffe_fcn.layers.base import Blobs, Layer
from caffe_fcn.memory import Head

from .layer import FeedLayer
from .prefetcher import Prefetcher

if TYPE_CHECKING:
    from caffe_fcn.net import Net

DEPTH = 3  # batches, where only "yes" is said


def prefetch(net: Net, depth: int = DEPTH) -> None:
    """Let the data layers of `net` make up to `depth` batches ahead in the background; 0: none.

    Applies to the layers that read files and to `Python` layers without bottoms, and decides whether a solver runs the
    latter ahead by itself. May be called between passes: batches that are made already are used first.
    """
    net._look_ahead.enabled = depth > 0
    for layer, param in zip(net.layers, net._wiring.layer_params, strict=True):
        if isinstance(layer, FeedLayer):
            layer.feed.depth = depth
        elif param.type == "Python" and not param.bottom:
            run_ahead(layer, depth)


def wanted_depth(layer: Layer, param: Any) -> int:
    """How far ahead a user's layer, made for the LayerParameter `param`, asks to be run.

    That is the class attribute `prefetch` (True, False or a number of batches), or else `data_param { prefetch: n }` in
    the prototxt, or else 0: not at all.
    """
    asked = getattr(type(layer), "prefetch", None)
    if isinstance(asked, (bool, int)):
        return DEPTH if asked is True else int(asked)
    return param.data_param.prefetch if param.data_param.HasField("prefetch") else 0


def refuses(layer: Layer, param: Any) -> bool:
    """Does a user's layer say that it must run when its turn comes, in its attribute `prefetch` or its prototxt?"""
    asked = getattr(layer, "prefetch", None)
    if isinstance(asked, (bool, int)):
        return not asked
    return param.data_param.HasField("prefetch") and not param.data_param.prefetch


def has_own_thread(layer: Layer) -> bool:
    """Does `run_ahead` apply to this layer?"""
    return isinstance(vars(layer).get("forward"), _AheadOfNet)


def run_ahead(layer: Layer, depth: int) -> None:
    """Put an _AheadOfNet in front of the user's `reshape` and `forward`, or change the depth of the one there is."""
    if not has_own_thread(layer):
        if not depth:
            return
        ahead = _AheadOfNet(layer)
        vars(layer).update(forward=ahead, reshape=ahead.reshape)
    vars(layer)["forward"].set_depth(depth)


class _AheadOfNet:
    """Called in place of a layer's `forward`: copies into the tops what the user's code made in blobs like them.

    In the background the user's `forward` and `reshape` are called in turn, as the net does, on the same
    blobs each time.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = weakref.ref(layer)  # the thread must not keep the layer alive
        self._depth = 0
        self._feed: Prefetcher[list[np.ndarray]] | None = None

    def set_depth(self, depth: int) -> None:
        self._depth = depth
        if self._feed is not None:
            self._feed.depth = depth

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """The user's reshape until the first forward; then nothing: shapes come with the batches."""
        if self._feed is None:
            layer = self._layer()
            type(layer).reshape(layer, bottom, top)  # type: ignore[union-attr, arg-type]

    def __call__(self, bottom: Blobs, top: Blobs) -> None:
        if self._feed is None:
            layer = self._layer()
            if layer is not None and layer.blobs:
                raise LayerError("has parameters, so it cannot run ahead of the net; set `prefetch = False` in its "
                                 "class, or remove data_param.prefetch")
            self._feed = Prefetcher(_Production(self._layer, [_twin(blob) for blob in top]), self._depth)
        for blob, values in zip(top, self._feed.get(), strict=True):
            blob.reshape(*values.shape)
            blob.data[...] = values


class _Production:
    """One pass of the user's layer into its own tops; gives copies of their values."""

    def __init__(self, layer: weakref.ref[Layer], top: Sequence[Blob]) -> None:
        self._layer, self._top = layer, top
        self._reshaped = True  # by the net, before the first forward

    def __call__(self) -> list[np.ndarray]:
        layer = self._layer()
        if layer is None:  # the net is gone
            return []
        user = type(layer)
        if not self._reshaped:
            user.reshape(layer, [], self._top)
        self._reshaped = False
        user.forward(layer, [], self._top)
        return [blob.data.copy() for blob in self._top]


def _twin(blob: Blob) -> Blob:
    twin = Blob(blob.shape, blob.dtype)
    if blob.memories[0].head is not Head.NONE:
        twin.data[...] = blob.data
    return twin
