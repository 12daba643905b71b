"""Net: layers in order, blobs by name; forward, backward, reshape, weights in and out."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import mode, ops
from .data.look_ahead import LookAhead
from .errors import BlobMemoryError, NetError, WeightsError
from .gpu.graphs import Graphs
from .memory import LARGE, Head, available_bytes, unwritten
from .net_build import build_wiring, named
from .plan import Plan
from .proto import caffe_pb2
from .proto.upgrade import read_net, upgrade_net
from .pycaffe.net_interface import NetInterface
from .recycling import Recycler
from .turn import wait_for_turn

if TYPE_CHECKING:
    from typing_extensions import Self

    from .blob import Blob
    from .weights import CopyReport

logger = logging.getLogger("caffe_fcn")
PathLike = str | os.PathLike[str]
LARGE_INPUT = 1 << 23  # bytes; nets with smaller inputs are not worth a forecast


def _free_bytes() -> int | None:
    """Memory that a pass could still take where it computes, or None where the system does not tell."""
    device = mode.device()
    return available_bytes() if device is None else device.free_bytes()


class Net(NetInterface):
    """A net built from a prototxt file or a NetParameter, for one phase.

    As a context manager it gives the memory of its blobs back at the end of the block, as `release` does.

    >>> net = Net("deploy.prototxt", "net.caffemodel", TEST)           # doctest: +SKIP
    >>> net = Net("deploy.prototxt", TEST, weights="net.caffemodel")   # doctest: +SKIP

    network_file  path of a prototxt, or a NetParameter, which is not changed; old ones are upgraded on the way in
    phase         TRAIN (0) or TEST (1)
    level, stages choose layers by their include and exclude rules
    weights       caffemodel (binary or HDF5) to copy parameters from
    dtype         float32, or float64 for gradient checks
    keep          "outputs": give the memory of every other blob back once no later layer of a forward pass needs it,
                  but of those that forward(blobs=[...]) asks for; such a net has no backward pass. "all": keep them
    dialect       which fork's meaning a type has that forks give several: "hed", "segnet" ... (docs/forks.md)

    Raises MissingFileError, PrototxtError (file:line:column), LayerError and its kin (naming the layer).
    """

    _recycler: Recycler | None = None  # with keep="outputs"

    def __init__(
        self,
        network_file: PathLike | Any,
        *args: Any,
        phase: int | None = None,
        level: int = 0,
        stages: Iterable[str] | None = None,
        weights: PathLike | None = None,
        dtype: npt.DTypeLike = np.float32,
        dialect: str | None = None,
        keep: str = "all",
    ) -> None:
        if keep not in ("all", "outputs"):
            raise ValueError(f'keep is "all" or "outputs", got {keep!r}')
        phase, level, stages, weights = _constructor_arguments(args, phase, level, stages, weights)
        if isinstance(network_file, caffe_pb2.NetParameter):
            message, file = type(network_file)(), None
            message.CopyFrom(network_file)
            upgrade_net(message, "NetParameter")
        else:
            file = os.fspath(network_file)
            message = read_net(file)
        self._build(message, phase, level, stages or (), dtype, file, dialect)
        if keep == "outputs":
            self._recycler = Recycler(self._wiring)
            self._graphs.enabled = False  # which need all blobs to stay
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def from_message(
        cls, message: Any, file: str | None = None, dtype: npt.DTypeLike = np.float32, dialect: str | None = None
    ) -> Net:
        """Build a net whose NetParameter says its own `state`, as those of solvers do.

        `file`, which it came from, is named in errors; `dialect` as for Net. Raises LayerError and its kin.
        """
        bare = type(message)()
        bare.CopyFrom(message)
        bare.ClearField("state")
        net, state = cls.__new__(cls), message.state
        net._build(bare, state.phase, state.level, state.stage, dtype, file, dialect)
        return net

    def _build(
        self, message: Any, phase: int, level: int, stages: Iterable[str], dtype: npt.DTypeLike, file: str | None,
        dialect: str | None,
    ) -> None:
        self._wiring = build_wiring(message, phase, level, stages, dtype, file, dialect)
        self._file = file
        self._phase = phase
        self.copied: CopyReport | None = None
        self._checked_shapes: tuple[tuple[int, ...], ...] | None = None
        self._callbacks: dict[str, list[Callable[[int], Any]]] = {}
        self._look_ahead = LookAhead(self._wiring, self._callbacks)
        self._plan = Plan(self._wiring, self._callbacks)
        self._graphs = Graphs(self._wiring, self._callbacks)

    # running

    def _forward(self, start: int, end: int, more: bool = False) -> float:
        """Run layers start..end (indices, both included); return the weighted sum of their losses.

        `more`: another such pass follows for certain, with no code of the user before it. Who says so calls
        `_look_ahead.put_back()` if it does not come after all.
        """
        wait_for_turn()
        self._check_memory(start, end)
        self._plan.begin(end)
        losses: list[Any] = []
        with self._postponed() as refusals:
            for first, last, as_graph in self._graphs.parts(start, end):
                run = functools.partial(self._forward_layers, first, last, more)
                losses += self._graphs.run(first, last, refusals, run) if as_graph else run(refusals)
        return sum(map(float, losses), 0.0)

    def _forward_layers(self, start: int, end: int, more: bool, refusals: Any) -> list[Any]:
        """Run layers one by one; returns their losses."""
        losses: list[Any] = []
        for i in range(start, end + 1):
            if refusals is not None:
                refusals.layer = i
            self._call("before_forward", i)
            if self._recycler:
                self._recycler.before(i)
            try:
                losses += self._forward_layer(i)
            except BlobMemoryError:
                self._give_back(start, i)
                raise
            if self._recycler:
                self._recycler.after(i)
            self._call("after_forward", i)
            if more and i == self._look_ahead.last:
                self._look_ahead.start()
        return losses

    def _give_back(self, start: int, end: int) -> None:
        """After a GPU was full: let go of what these layers computed, so that smaller inputs find room."""
        device = mode.device()
        if device is not None:
            for i in range(start, end + 1):
                for blob in self._wiring.tops[i] if self._wiring.bottoms[i] else ():
                    blob.release()
            device.give_back()

    def _forward_layer(self, i: int) -> list[Any]:
        """Run a layer; its losses, each an array of one number where it was computed."""
        wiring = self._wiring
        bottom, top = wiring.bottoms[i], wiring.tops[i]
        with named(wiring.layer_names[i], wiring.types[i]):
            if not self._look_ahead.fill(i):
                self._reshape_layer(i)
                with self._reads(i, bottom, top):
                    self._plan.forward(i)
        return [(blob.array * blob.grad).sum() for blob, weight in zip(top, wiring.top_weights[i], strict=True)
                if weight]

    @contextlib.contextmanager
    def _postponed(self) -> Iterator[Any]:
        """A pass in which layers on a GPU need not wait to refuse values: that is decided at the end.

        After another error nothing is decided. Gives None where layers decide at once.
        """
        device = mode.device()
        if device is not None:
            device.make_current()
        with ops.current().postponed() as refusals:
            yield refusals
        for i, complain in () if refusals is None else refusals.found():
            with named(self._wiring.layer_names[i], self._wiring.types[i]):
                complain()

    def _reads(self, i: int, read: Sequence[Blob], written: Sequence[Blob]) -> contextlib.AbstractContextManager:
        """While layer `i` reads the values of some blobs and overwrites others: saves copies to and from a GPU.

        What the host has of the former stays valid; the latter need not be copied to the GPU first.
        """
        device = mode.device()
        if device is None or not type(self._wiring.layers[i]).__module__.startswith("caffe_fcn."):
            return contextlib.nullcontext()
        source, target = ({id(blob.memories[0]): blob.memories[0] for blob in blobs} for blobs in (read, written))
        if read:  # without bottoms a layer may have nothing to write, or write on the host
            for key in target.keys() - source.keys():
                target[key].overwritten(device)
        return unwritten([source[key] for key in source.keys() - target.keys()])

    def _backward(self, start: int, end: int) -> None:
        """Run backward through layers start..end (indices, downwards, both included)."""
        if self._recycler:
            raise NetError('a net built with keep="outputs" has no backward pass')
        wait_for_turn()
        with self._postponed() as refusals:
            for first, last, as_graph in self._graphs.parts(start, end):
                run = functools.partial(self._backward_layers, first, last)
                if as_graph:
                    self._graphs.run(first, last, refusals, run)
                else:
                    run(refusals)

    def _backward_layers(self, start: int, end: int, refusals: Any) -> list[Any]:
        """Run layers backward, one by one; there are no losses."""
        for i in range(start, end - 1, -1):
            if refusals is not None:
                refusals.layer = i
            self._call("before_backward", i)
            if self._wiring.layer_backward[i]:
                self._backward_layer(i)
            self._call("after_backward", i)
        return []

    def _backward_layer(self, i: int) -> None:
        wiring = self._wiring
        layer, bottom, top = wiring.layers[i], wiring.bottoms[i], wiring.tops[i]
        with named(wiring.layer_names[i], wiring.types[i]), self._reads(i, [*bottom, *top], ()):
            layer.backward(top, wiring.bottom_backward[i], bottom)

    def _call(self, moment: str, i: int) -> None:
        for callback in self._callbacks.get(moment, ()):
            callback(i)

    def _keep_also(self, names: Iterable[str]) -> None:
        if self._recycler:
            self._recycler.keep_also(names)

    def before_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before each layer's forward."""
        self._callbacks.setdefault("before_forward", []).append(callback)

    def after_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after each layer's forward."""
        self._callbacks.setdefault("after_forward", []).append(callback)

    def before_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before each layer's backward (also where it has nothing to do)."""
        self._callbacks.setdefault("before_backward", []).append(callback)

    def after_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after each layer's backward."""
        self._callbacks.setdefault("after_backward", []).append(callback)

    def _reshape_layer(self, i: int) -> None:
        wiring = self._wiring
        wiring.layers[i].reshape(wiring.bottoms[i], wiring.tops[i])
        for blob, weight in zip(wiring.tops[i], wiring.top_weights[i], strict=True):
            if weight and blob.memories[1].head is Head.NONE:
                blob.grad[...] = weight  # the blob grew: seed its new memory

    def reshape(self) -> None:
        """Give all blobs the shapes that follow from the inputs' shapes; allocates nothing."""
        self._reshape(0, len(self._wiring.layers) - 1)

    def _reshape(self, start: int, end: int) -> None:
        with self._recycler.looking_at_shapes() if self._recycler else contextlib.nullcontext():
            for i in range(start, end + 1):
                with named(self._wiring.layer_names[i], self._wiring.types[i]):
                    self._reshape_layer(i)

    def _check_memory(self, start: int, end: int) -> None:
        """Refuse a forward pass through these layers whose blobs cannot fit, before any of them is allocated."""
        wiring = self._wiring
        shapes = tuple(wiring.blobs[i].shape for i in wiring.inputs)
        if shapes == self._checked_shapes:
            return
        used = sorted({k for i in range(start, end + 1) for k in (*wiring.bottom_ids[i], *wiring.top_ids[i])})
        if sum(wiring.blobs[i].memories[0].nbytes for i in wiring.inputs) > LARGE_INPUT or not self._fits(used):
            self._reshape(start, end)  # once more than Caffe, which a user's layer might count: only where it matters
            if not self._fits(used):
                count, needed = self._missing_memory(used)
                free = _free_bytes() or 0
                largest = max(used, key=lambda i: wiring.blobs[i].count)
                blob, name = wiring.blobs[largest], wiring.blob_names[largest]
                raise BlobMemoryError(
                    f"a forward pass needs {needed / 2**30:.1f} GiB for {count} blobs, {free / 2**30:.1f} GiB are "
                    f"free; the largest is '{name}' of shape {blob.shape}; use a smaller input")
        if (start, end) == (0, len(wiring.layers) - 1):
            self._checked_shapes = shapes

    def _missing_memory(self, used: Iterable[int]) -> tuple[int, int]:
        """How many of these blobs have no values yet, and the bytes that they will take."""
        if self._recycler:
            return self._recycler.missing(used)
        memories = [self._wiring.blobs[i].memories[0] for i in used]
        device = mode.device()
        missing = {id(memory): memory.nbytes for memory in memories if memory.is_missing(device)}
        return len(missing), sum(missing.values())

    def _fits(self, used: Iterable[int]) -> bool:
        needed = self._missing_memory(used)[1]
        if needed <= LARGE:
            return True
        free = _free_bytes()
        return free is None or needed <= free

    def release(self) -> None:
        """Give the memory of all blobs back, except of parameters; the next pass allocates again."""
        kept = {id(memory) for param in self._wiring.params.all for memory in param.blob.memories}
        for blob in self._wiring.blobs:  # a top of a Parameter layer is a parameter, too
            for memory in blob.memories:
                if id(memory) not in kept:
                    memory.release()
        self._checked_shapes = None
        self._graphs.forget()
        device = mode.device()
        if device is not None:
            device.give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    # parameters and weights

    def clear_param_diffs(self) -> None:
        """Set the diffs of all learnable parameters to zero (backward adds to them)."""
        for blob in self._wiring.params.learnable:
            if blob.memories[1].head is not Head.NONE:
                blob.grad[...] = 0

    def copy_from(self, trained_file: PathLike) -> None:
        """Copy parameters by layer name from a caffemodel or HDF5 file (told apart by content).

        `copied` is then the table of copied, skipped and unfilled blobs. Raises MissingFileError, FormatError, or
        WeightsError where a count or a shape differs; then no parameter was changed.
        """
        from .weights import copy_weights

        wiring = self._wiring
        targets = [SimpleNamespace(name=name, type=type_name, blobs=layer.blobs) for name, type_name, layer
                   in zip(wiring.layer_names, wiring.types, wiring.layers, strict=True)]
        self.copied = copy_weights(targets, trained_file, wiring.params.is_borrowed)

    def share_with(self, other: Net) -> None:
        """Use the parameter data (not the diffs) of another net's layers of the same names."""
        source = dict(zip(other._wiring.layer_names, other._wiring.layers, strict=True))
        for name, layer in zip(self._wiring.layer_names, self._wiring.layers, strict=True):
            if name not in source:
                logger.info("layer '%s' is not in the other net", name)
                continue
            theirs = source[name].blobs
            if [b.shape for b in layer.blobs] != [b.shape for b in theirs]:
                raise WeightsError(f"layer '{name}': cannot share parameters of shapes {[b.shape for b in theirs]} "
                                   f"with {[b.shape for b in layer.blobs]}")
            for blob, other_blob in zip(layer.blobs, theirs, strict=True):
                blob.share_data(other_blob)

    def to_proto(self, write_diff: bool = False) -> Any:
        """The net as a NetParameter: its layers after filtering and splitting, with their parameters."""
        message = self._structure()
        for layer_message, layer in zip(message.layer, self._wiring.layers, strict=True):
            for blob in layer.blobs:
                proto = layer_message.blobs.add()
                proto.shape.dim.extend(blob.shape)
                prefix = "double_" if blob.dtype == np.float64 else ""
                getattr(proto, f"{prefix}data").extend(blob.data.ravel())
                if write_diff:
                    getattr(proto, f"{prefix}diff").extend(blob.diff.ravel())
        return message

    def _structure(self) -> Any:
        """The NetParameter without values: name and layers as they were built."""
        message = caffe_pb2.NetParameter()
        if self._wiring.net.HasField("name"):
            message.name = self._wiring.net.name
        for param in self._wiring.layer_params:
            entry = message.layer.add()
            entry.CopyFrom(param)
            entry.ClearField("blobs")
        return message

    def save_hdf5(self, filename: PathLike, write_diff: bool = False) -> None:
        """Write parameters in Caffe's HDF5 layout (atomically); shared ones once, with their owner."""
        from .formats import hdf5

        wiring = self._wiring
        blobs = [[b.data for b in layer.blobs] for layer in wiring.layers]
        diffs = [[b.diff for b in layer.blobs] for layer in wiring.layers] if write_diff else None
        hdf5.write(filename, wiring.layer_names, blobs, diffs, shared=wiring.params.is_borrowed)

    def load_hdf5(self, filename: PathLike) -> None:
        """Copy parameters from an HDF5 file, as `copy_from`."""
        self.copy_from(filename)

    def save(self, filename: PathLike, write_diff: bool = False) -> None:
        """Write a binary caffemodel (atomically)."""
        from .formats import caffemodel

        blobs = [[b.data for b in layer.blobs] for layer in self._wiring.layers]
        diffs = [[b.diff for b in layer.blobs] for layer in self._wiring.layers] if write_diff else None
        caffemodel.write(filename, self._structure(), blobs, diffs)


def _constructor_arguments(
    args: Sequence[Any], phase: int | None, level: int, stages: Iterable[str] | None, weights: PathLike | None
) -> tuple[int, int, Iterable[str] | None, PathLike | None]:
    """Sort out Net(file, phase, level, stages, weights) and the older Net(file, weights, phase)."""
    if args and isinstance(args[0], (str, os.PathLike)):
        if len(args) > 2 or weights is not None:
            raise TypeError("Net(file, weights, phase) takes no more positional arguments")
        weights, args = args[0], args[1:]
    given = dict(zip(("phase", "level", "stages", "weights"), args, strict=False))
    if len(args) > 4 or ("phase" in given and phase is not None):
        raise TypeError("Net takes (file, phase, level, stages, weights) or (file, weights, phase)")
    phase = given.get("phase", phase)
    if phase is None or isinstance(phase, str):
        raise TypeError("Net needs a phase: caffe.TRAIN or caffe.TEST")
    if phase not in (0, 1):
        raise ValueError(f"a phase is caffe.TRAIN (0) or caffe.TEST (1), got {phase!r}")
    return int(phase), given.get("level", level), given.get("stages", stages), given.get("weights", weights)
