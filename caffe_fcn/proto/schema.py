"""Message classes built at run time from ``caffe.desc``, the compiled ``proto/caffe.proto``.

They live in a descriptor pool of their own: another package may register its own ``caffe.proto`` in the
default pool of the same process, before or after, and neither notices the other.
Needs protobuf 4.22 or later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper


def load_file(path: Path) -> Any:
    """Return the FileDescriptor of a serialised FileDescriptorSet of one file, in a new pool."""
    described = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in described:
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(described[-1].name)


def module_contents(file: Any, module: str) -> dict[str, Any]:
    """Return what a module generated from `file` would hold: messages, enums, their values, DESCRIPTOR.

    The classes say that `module` is where they are from, which is what pickle looks at.
    """
    contents: dict[str, Any] = {"DESCRIPTOR": file}
    for name, enum in file.enum_types_by_name.items():
        contents[name] = EnumTypeWrapper(enum)
        contents.update((value.name, value.number) for value in enum.values)
    for name, message in file.message_types_by_name.items():
        contents[name] = message_factory.GetMessageClass(message)
        contents[name].__module__ = module
    return contents


def is_repeated(field: Any) -> bool:
    """Whether a field takes any number of values (protobuf 6.31 replaced `label` by `is_repeated`)."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


FILE = load_file(Path(__file__).with_name("caffe.desc"))
