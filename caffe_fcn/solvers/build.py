"""The nets of a solver: which messages they are, in which state, with which weights."""

from __future__ import annotations

import logging
import os
from typing import Any, NamedTuple

from ..errors import MissingFileError
from ..net import Net
from ..proto import caffe_pb2
from ..proto.upgrade import read_net
from .source import TRAIN_NET_FIELDS, SolverSource, beside_hint

logger = logging.getLogger("caffe_fcn")


class _NetSource(NamedTuple):
    """A net that the solver gives: a message, and the file to name in errors."""

    message: Any
    file: str | None


def build_train_net(source: SolverSource, dialect: str | None = None) -> Net:
    """Build the net to train and load the `weights` of the solver.

    Its state is that of phase TRAIN, overlaid by the net's own `state`, overlaid by `train_state`. `dialect`: see Net.
    """
    field = next(field for field in TRAIN_NET_FIELDS if source.param.HasField(field))
    return _build(source, _net_source(source, field), caffe_pb2.TRAIN, source.param.train_state, dialect)


def build_test_nets(source: SolverSource, dialect: str | None = None) -> list[Net]:
    """Build the test nets: those of `test_net_param`, those of `test_net`, then `net` for what `test_iter` is left."""
    param = source.param
    sources = [_net_source(source, "test_net_param", i) for i in range(len(param.test_net_param))]
    sources += [_net_source(source, "test_net", i) for i in range(len(param.test_net))]
    lack = len(param.test_iter) - len(sources)
    if lack:
        sources += [_net_source(source, "net_param" if param.HasField("net_param") else "net")] * lack
    states = list(param.test_state) or [caffe_pb2.NetState()] * len(sources)
    return [_build(source, net, caffe_pb2.TEST, state, dialect) for net, state in zip(sources, states, strict=True)]


def _net_source(source: SolverSource, field: str, index: int | None = None) -> _NetSource:
    value = getattr(source.param, field)
    path: tuple[Any, ...] = (field,) if index is None else (field, index)
    if index is not None:
        value = value[index]
    if isinstance(value, str):
        return _NetSource(_read_net(source, value, path), value)
    if value.layers or value.input:
        logger.warning("%sthe net inside the solver has fields of an old format (layers, input), which count only in "
                       "files of their own: move it into one and name that in `net`", source.place(*path))
    return _NetSource(value, source.file)


def _read_net(source: SolverSource, name: str, path: tuple[Any, ...]) -> Any:
    if os.path.exists(name):
        return read_net(name)
    raise MissingFileError(f"{source.place(*path)}there is no net file '{name}' (looked from '{os.getcwd()}')"
                           f"{beside_hint(name, source.file)}", name)


def _build(source: SolverSource, net: _NetSource, phase: int, overlay: Any, dialect: str | None) -> Net:
    message = caffe_pb2.NetParameter()
    message.CopyFrom(net.message)
    message.state.Clear()
    message.state.phase = phase
    message.state.MergeFrom(net.message.state)
    message.state.MergeFrom(overlay)
    result = Net.from_message(message, net.file, dialect=dialect)
    _load_weights(source, result)
    return result


def _load_weights(source: SolverSource, net: Net) -> None:
    """Copy the files of the repeatable field `weights`, each of which may be a list with commas."""
    for i, names in enumerate(source.param.weights):
        for name in map(str.strip, names.split(",")):
            if not name:
                raise source.error(f"an empty file name in weights: '{names}' (a comma too many?)", "weights", i)
            if not os.path.exists(name):
                raise MissingFileError(f"{source.place('weights', i)}there is no weights file '{name}' (looked from "
                                       f"'{os.getcwd()}'){beside_hint(name, source.file)}", name)
            net.copy_from(name)
