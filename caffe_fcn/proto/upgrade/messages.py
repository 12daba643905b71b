"""Setting a field of a message by its name, whatever its kind."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message


def set_field(message: Message, name: str, value: Any) -> None:
    """Copy `value` into field `name`: a scalar, a message, or (appended) one or all values of a repeated field.

    A string that is not UTF-8 is bytes in Python; it is copied as it is.
    """
    current = getattr(message, name)
    if hasattr(current, "extend"):
        values = list(value) if hasattr(value, "extend") else [value]
        if any(isinstance(entry, bytes) for entry in values):
            for entry in values:
                _merge_string(message, name, entry)
        else:
            current.extend(values)
    elif isinstance(value, Message):
        current.CopyFrom(value)
        current.SetInParent()  # an empty message is still a message that was given
    elif isinstance(value, bytes):
        _merge_string(message, name, value)
    else:
        setattr(message, name, value)


def _merge_string(message: Message, name: str, value: str | bytes) -> None:
    """Set or append a string by way of the wire format, the only one that lets any bytes into a string field."""
    from caffe_fcn.formats.wire import LENGTH, encode_tag, encode_varint  # brings NumPy; hardly ever needed

    content = value.encode() if isinstance(value, str) else value
    number = message.DESCRIPTOR.fields_by_name[name].number
    message.MergeFromString(encode_tag(number, LENGTH) + encode_varint(len(content)) + content)
