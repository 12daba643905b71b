"""Weights in Caffe's binary format (``.caffemodel``): a NetParameter whose layers hold blobs.

Only names, types and blobs are read, straight from the wire format: forks of Caffe give the numbers of layer
parameters different meanings, but never these. The file is mapped, so that reading the headers of half a gigabyte
takes milliseconds and a weight is read from the disk when it is copied. No size is too large, reading or writing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.blobproto import MAX_BLOBS, BlobData, blob_chunks, read_blob
from caffe_fcn.formats.files import map_file
from caffe_fcn.formats.wire import LENGTH, VARINT, Message, StrayEndGroup, encode_tag, encode_varint

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import NetParameter

logger = logging.getLogger("caffe_fcn")

MAX_LAYERS = 100_000

# field numbers
NET_LAYERS, NET_INPUT, NET_LAYER = 2, 3, 100
OLD_NESTED, OLD_BOTTOM, OLD_TOP = 1, 2, 3  # of an entry of `layers`


class _Numbers(NamedTuple):
    """Where one generation of layer messages keeps what we read."""

    name: int
    type: int
    type_wire: int
    blobs: int


CURRENT, V1, V0 = _Numbers(1, 2, LENGTH, 7), _Numbers(4, 5, VARINT, 6), _Numbers(1, 2, LENGTH, 50)


class LayerWeights(NamedTuple):
    """One layer of a weight file. A blob is None only in HDF5 files, which leave out shared ones."""

    name: str
    type: str
    blobs: Sequence[BlobData | None]


def read(path: str | os.PathLike[str]) -> list[LayerWeights]:
    """The layers of a binary weight file in its order, of any generation of the format (`layer`, V1, V0).

    The arrays are views of the mapped file. Raises MissingFileError, FileAccessError, or FormatError with the
    byte offset.
    """
    name, buffer = os.fspath(path), map_file(path)
    return _read_net(Message(buffer, 0, len(buffer), name))


def write(
    path: str | os.PathLike[str],
    net: NetParameter,
    blobs: Sequence[Sequence[np.ndarray]],
    diffs: Sequence[Sequence[np.ndarray]] | None = None,
) -> None:
    """Write the weights of `net` atomically, as Caffe does: every layer with its parameters and blobs.

    `net` holds no blobs; ``blobs[i]`` are the arrays of ``net.layer[i]`` (shared ones in each layer), float32 or
    float64, of any shape; `diffs` likewise. Arrays are streamed, never copied as a whole.

    Raises FileAccessError, and WeightsError for values that neither float32 nor float64 holds.
    """
    with atomic_write(path) as file:
        for chunk in _net_chunks(net, blobs, diffs or [()] * len(blobs)):
            file.write(chunk)


def _read_net(net: Message) -> list[LayerWeights]:
    parts: dict[int, list[Message]] = {NET_LAYER: [], NET_LAYERS: [], NET_INPUT: []}
    try:
        for number, wire, value in net.fields():
            if number in parts and wire == LENGTH:
                parts[number].append(value)
                if len(parts[number]) > MAX_LAYERS:
                    raise net.error(value.start, f"the net has more than {MAX_LAYERS} layers")
    except StrayEndGroup:
        if parts[NET_LAYER] or parts[NET_LAYERS]:
            raise
        # A text file: Caffe's reader takes its first letters for the end of the message, and reports success.
        logger.warning("%s holds no weights: it looks like a text file", net.file)
        return []
    if not parts[NET_LAYERS]:
        return [_read_layer([layer], CURRENT) for layer in parts[NET_LAYER]]
    if parts[NET_LAYER]:
        raise FormatError(f"{net.file}: holds both `layer` and `layers`; move all layers to the current format")
    return _read_old(parts[NET_LAYERS], {name.text() for name in parts[NET_INPUT]})


def _read_layer(parts: Iterable[Message], numbers: _Numbers) -> LayerWeights:
    """A layer message; several parts are one message that the file gives in pieces."""
    name, blobs = "", []
    type_: str | int = ""
    for part in parts:
        for number, wire, value in part.fields():
            if number == numbers.name and wire == LENGTH:
                name = value.text()
            elif number == numbers.type and wire == numbers.type_wire:
                type_ = value.text() if wire == LENGTH else value
            elif number == numbers.blobs and wire == LENGTH:
                blobs.append(read_blob(value))
                if len(blobs) > MAX_BLOBS:
                    raise value.error(value.start, f"a layer has more than {MAX_BLOBS} blobs")
    return LayerWeights(name, str(type_) if numbers is CURRENT else _current_type(type_), blobs)


def _current_type(old: str | int) -> str:
    """The name that a layer type of V0 (a string) or V1 (a number) has now; an unknown one stays as it is."""
    from caffe_fcn.proto.caffe_pb2 import V1LayerParameter
    from caffe_fcn.proto.upgrade import v0, v1

    enum = V1LayerParameter.LayerType
    name = v0.TYPES.get(old) if isinstance(old, str) else enum.Name(old) if old in enum.values() else None
    return v1.TYPES[name] if name else str(old)


def _read_old(messages: Sequence[Message], inputs: set[str]) -> list[LayerWeights]:
    """The entries of `layers`: V0 if any of them wraps its layer in another message, else V1."""
    layers: list[LayerWeights] = []
    nested = [_values(message, OLD_NESTED) for message in messages]
    if not any(nested):
        return [_read_layer([message], V1) for message in messages]
    known = set(inputs)
    for message, parts in zip(messages, nested, strict=True):
        layer = _read_layer(parts, V0)
        for bottom in _values(message, OLD_BOTTOM):
            if bottom.text() not in known:
                raise FormatError(
                    f"{message.file}: layer '{layer.name}' of this V0 file reads the blob '{bottom.text()}', "
                    "which is neither an input nor made by a layer before it"
                )
        known.update(top.text() for top in _values(message, OLD_TOP))
        if layer.type != "padding":  # merged into the next layer, as everywhere in an upgrade from V0
            layers.append(layer)
    return layers


def _values(message: Message, wanted: int) -> list[Message]:
    return [value for number, wire, value in message.fields() if number == wanted and wire == LENGTH]


def _net_chunks(
    net: NetParameter, blobs: Sequence[Sequence[np.ndarray]], diffs: Sequence[Sequence[np.ndarray]]
) -> Iterator[Any]:
    head = type(net)()
    head.CopyFrom(net)
    head.ClearField("layer")
    yield head.SerializeToString()
    for layer, arrays, gradients in zip(net.layer, blobs, diffs, strict=True):
        if layer.blobs:
            raise ValueError(f"layer '{layer.name}' of the message holds blobs; pass them as arrays only")
        chunks: list[Any] = [layer.SerializeToString()]
        for index, array in enumerate(arrays):
            where = f"layer '{layer.name}', blob {index}"
            blob = blob_chunks(array, gradients[index] if gradients else None, where)
            chunks += [encode_tag(CURRENT.blobs, LENGTH) + encode_varint(sum(map(len, blob))), *blob]
        yield encode_tag(NET_LAYER, LENGTH) + encode_varint(sum(map(len, chunks)))
        yield from chunks
