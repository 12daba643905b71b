"""Fields of well-known forks: read from text with a joined schema, kept in Caffe 1.0's messages as unknown fields.

``caffe_pb2`` stays exactly Caffe 1.0. A text that it cannot read is read again with the schema that joins
``caffe.desc`` and ``forks.desc``; the result is carried over by way of the wire format, in which a message keeps
fields that its own schema does not have. Copies and binary files keep them; `extended` shows them again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import PrototxtError
from . import schema

FIRST = 60001  # numbers of fork fields and fork enum values start here
V1_TYPES = {"INTERP": "Interp", "UPSAMPLE": "Upsample", "BN": "BN", "SEG_ACCURACY": "SegAccuracy", "CROP": "AutoCrop"}


@functools.cache
def joined() -> Any:
    """The FileDescriptor of Caffe's messages with the forks' fields, in a pool of its own."""
    folder = Path(__file__).parent
    caffe, *forks = (file for name in ("caffe.desc", "forks.desc") for file in
                     descriptor_pb2.FileDescriptorSet.FromString((folder / name).read_bytes()).file)
    for file in forks:
        for message in file.message_type:
            for field in filter(lambda field: field.type_name, message.field):
                field.type_name = field.type_name.replace(f".{file.package}.", f".{caffe.package}.")
            _add(caffe.message_type, message)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(caffe.SerializeToString())
    return pool.FindFileByName(caffe.name)


def _add(known: Any, new: Any) -> None:
    """Add a message, field, enum or enum value to those known, or what is in it to the one of its name."""
    old = next((entry for entry in known if entry.name == new.name), None)
    if old is None:
        known.append(new)
        return
    parts = [part for part in ("field", "enum_type", "value") if part in new.DESCRIPTOR.fields_by_name]
    if not parts and old != new:
        raise ValueError(f"two files of proto/forks declare '{new.name}' differently")
    for part in parts:
        for entry in getattr(new, part):
            _add(getattr(old, part), entry)


@functools.cache
def message_class(name: str) -> Any:
    """The class of one of Caffe's messages, with the forks' fields."""
    return message_factory.GetMessageClass(joined().message_types_by_name[name])


@functools.cache
def names() -> frozenset[str]:
    """All names of fields and enum values that the forks add to Caffe's messages."""
    found = set()
    for message in joined().message_types_by_name.values():
        found |= {field.name for field in message.fields if field.number >= FIRST}
        found |= {value.name for enum in message.enum_types for value in enum.values if value.number >= FIRST}
    return frozenset(found)


def may_hold(message: Any) -> bool:
    """Is this one of Caffe's own messages, which can carry fork fields?"""
    return message.DESCRIPTOR.file is schema.FILE and message.DESCRIPTOR.containing_type is None


def has_fork_fields(message: Any) -> bool:
    """Does this message itself (not one within it) carry fork fields, or values of the forks in Caffe's enums?"""
    if not may_hold(message):
        return False
    unknown = UnknownFieldSet(message)
    fields = (unknown[i] for i in range(len(unknown)))
    return any(max(field.field_number, field.data if isinstance(field.data, int) else 0) >= FIRST for field in fields)


def extended(message: Any) -> Any:
    """A copy of one of Caffe's messages that shows its fork fields."""
    return message_class(message.DESCRIPTOR.name).FromString(message.SerializePartialToString())


def carry(source: Any, message: Any, file: str | None) -> None:
    """Add what a message of the joined schema holds to the same message of Caffe's, DeepLab's `hole` as dilation.

    Raises PrototxtError, without a place in `file`, if both are given.
    """
    for convolution in _convolutions(source):
        _hole_to_dilation(convolution, file)
    message.MergeFromString(source.SerializePartialToString())


def upgrade_v1(old: Any, new: Any) -> None:
    """Take over the type and the fields of a fork from a V1 layer."""
    if not has_fork_fields(old):
        return
    source, only = extended(old), message_class("LayerParameter")()
    if source.HasField("type") and source.type >= FIRST:
        new.type = V1_TYPES[source.LayerType.Name(source.type)]
    for field, value in source.ListFields():
        if field.number >= FIRST:
            getattr(only, field.name).CopyFrom(value)
    new.MergeFromString(only.SerializePartialToString())


def _convolutions(message: Any) -> Iterator[Any]:
    if message.DESCRIPTOR.name == "ConvolutionParameter":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for entry in value if schema.is_repeated(field) else [value]:
                yield from _convolutions(entry)


def _hole_to_dilation(convolution: Any, file: str | None) -> None:
    given = [name for name in ("hole", "hole_h", "hole_w") if convolution.HasField(name)]
    if not given:
        return
    if convolution.dilation or given not in (["hole"], ["hole_h", "hole_w"]):
        raise PrototxtError(f"give one of 'dilation', 'hole' or 'hole_h' and 'hole_w' (DeepLab's names of it), got "
                            f"{[*given, 'dilation'] if convolution.dilation else given}", file)
    for name in given:
        convolution.dilation.append(getattr(convolution, name))
        convolution.ClearField(name)
