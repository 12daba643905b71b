"""The wire format, byte by byte."""

from __future__ import annotations

import time

import numpy as np
import pytest

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.wire import FIXED32, FIXED64, LENGTH, VARINT, Message, StrayEndGroup, encode_tag, encode_varint


def message(data: bytes) -> Message:
    return Message(data, 0, len(data), "some.file")


def read(data: bytes) -> list[tuple]:
    """All fields with plain values."""

    def plain(value):
        if isinstance(value, Message):
            return value.text()
        return value.tolist() if isinstance(value, np.ndarray) else value

    return [(number, wire, plain(value)) for number, wire, value in message(data).fields()]


FIELDS = {
    "nothing": (b"", []),
    "varint": (b"\x08\x96\x01", [(1, VARINT, 150)]),
    "negative varint": (b"\x08" + b"\xff" * 9 + b"\x01", [(1, VARINT, 2**64 - 1)]),
    "varint with more bits than 64": (b"\x08" + b"\xff" * 9 + b"\x7f", [(1, VARINT, 2**64 - 1)]),
    "varint with needless bytes": (b"\x08\x81\x80\x00", [(1, VARINT, 1)]),
    "string": (b"\x12\x03abc", [(2, LENGTH, "abc")]),
    "empty string": (b"\x12\x00", [(2, LENGTH, "")]),
    "not UTF-8": (b"\x12\x02a\xff", [(2, LENGTH, "a\\xff")]),
    "fixed32": (b"\x1d\x01\x00\x00\x00", [(3, FIXED32, [1])]),
    "fixed64": (b"\x19\x01\x00\x00\x00\x00\x00\x00\x80", [(3, FIXED64, [2**63 + 1])]),
    "run of fixed32": (b"\x1d\x01\x00\x00\x00\x1d\x02\x00\x00\x00\x08\x05", [(3, FIXED32, [1, 2]), (1, VARINT, 5)]),
    "two runs": (b"\x1d\x01\x00\x00\x00\x25\x02\x00\x00\x00", [(3, FIXED32, [1]), (4, FIXED32, [2])]),
    "run with a long tag": (b"\xa5\x06\x01\x00\x00\x00" * 2, [(100, FIXED32, [1, 1])]),
    "group is skipped": (b"\x0b\x08\x01\x12\x01a\x15abcd\x11abcdefgh\x0c\x08\x07", [(1, VARINT, 7)]),
    "group in a group": (b"\x0b\x13\x14\x0c\x08\x07", [(1, VARINT, 7)]),
    "largest field number": (b"\xf8\xff\xff\xff\x0f\x07", [(2**29 - 1, VARINT, 7)]),
}

DAMAGE = {
    "tag cut short": (b"\x08\x01\x80", "byte 3: the data ends inside a number"),
    "varint cut short": (b"\x08\x80", "byte 2: the data ends inside a number"),
    "varint of 11 bytes": (b"\x08" + b"\xff" * 10 + b"\x01", "byte 1: a number has more than 10 bytes"),
    "length past the end": (b"\x12\x05abc", "byte 0: a field of 5 bytes where only 3 are left"),
    "huge length": (b"\x12" + b"\xff" * 9 + b"\x01abc", r"byte 0: a field of 18446744073709551615 bytes"),
    "fixed32 cut short": (b"\x08\x01\x1dabc", "byte 2: a field of 4 bytes where only 3 are left"),
    "second fixed32 cut short": (b"\x1dabcd\x1dabc", "byte 5: a field of 4 bytes"),
    "fixed64 cut short": (b"\x19abc", "byte 0: a field of 8 bytes"),
    "field number 0": (b"\x02\x00", "byte 0: not a protobuf field"),
    "zero byte": (b"\x08\x01\x00", "byte 2: not a protobuf field"),
    "wire type 6": (b"\x0e", "byte 0: not a protobuf field"),
    "wire type 7": (b"\x0f", "byte 0: not a protobuf field"),
    "tag too large": (b"\xf8\xff\xff\xff\x1f\x07", "byte 0: not a protobuf field"),
    "group without an end": (b"\x0b\x08\x01", "byte 0: group 1 never ends"),
    "groups crossed": (b"\x0b\x13\x0c\x14", "byte 2: group 1 ends inside another group"),
    "groups too deep": (b"\x0b" * 200 + b"\x0c" * 200, "byte 100: groups are nested more than 100 deep"),
    "group with a length past its end": (b"\x0b\x12\x09a\x0c", "byte 1: a field of 9 bytes"),
    "end of no group": (b"\x08\x01\x0c", "byte 2: group 1 ends but never began"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name):
    data, expected = FIELDS[name]
    assert read(data) == expected


@pytest.mark.parametrize("name", DAMAGE)
def test_damage(name):
    data, words = DAMAGE[name]
    with pytest.raises(FormatError, match=f"^some.file: {words}"):
        read(data)


def test_end_of_no_group_has_its_own_class():
    with pytest.raises(StrayEndGroup):
        read(b"\x6c")


def test_packed_numbers_are_views_at_any_alignment():
    data = b"\x0a\x08" + np.array([1.5, -2], "<f4").tobytes()
    ((_, _, packed),) = message(data).fields()
    values = packed.array("<f4")
    assert values.tolist() == [1.5, -2]
    assert not values.flags.writeable
    assert np.shares_memory(values, np.frombuffer(data, np.uint8))


def test_packed_numbers_must_be_whole():
    ((_, _, packed),) = message(b"\x0a\x05abcde").fields()
    with pytest.raises(FormatError, match="byte 2: 5 bytes are not a whole number of <f4 values"):
        packed.array("<f4")


def test_packed_varints_end_with_their_message():
    ((_, _, packed),) = message(b"\x0a\x02\x01\x80").fields()
    with pytest.raises(FormatError, match="byte 4: the data ends inside a number"):
        list(packed.varints())


def test_long_runs_of_unpacked_values_are_fast():
    count = 1_000_000
    data = b"".join([b"\x2dabcd" * count, b"\x08\x01"])
    begin = time.perf_counter()
    run, last = message(data).fields()
    assert time.perf_counter() - begin < 1
    assert run[2].shape == (count,)
    assert last == (1, VARINT, 1)


@pytest.mark.parametrize(
    ("value", "data"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (2**64 - 1, b"\xff" * 9 + b"\x01")]
)
def test_encode_varint(value, data):
    assert encode_varint(value) == data


def test_encode_tag():
    assert encode_tag(100, LENGTH) == b"\xa2\x06"
