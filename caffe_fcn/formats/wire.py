"""Reading protobuf's wire format in place, and the few bytes that writing it by hand needs.

A message is a row of (tag, value); a tag is ``number << 3 | wire type``. Nothing is copied: numbers come as
arrays over the caller's buffer. The buffer may come from a stranger: every length is checked against the
message that encloses it before it is used, and nothing is allocated in proportion to a claimed length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe_fcn.errors import FormatError

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
WIDTH = {FIXED64: 8, FIXED32: 4}
UNSIGNED = {FIXED64: "<u8", FIXED32: "<u4"}
MAX_DEPTH = 100  # groups in groups; the limit of protobuf's own readers
MAX_TAG = 2**32 - 1
FIRST_WINDOW, MAX_WINDOW = 16, 1 << 20  # how many unpacked values are looked at in one go


class StrayEndGroup(FormatError):
    """A message holds the end of a group that never began."""


class Message:
    """The bytes ``start:stop`` of `buffer`: a message, a string or packed numbers, as the caller reads them.

    `buffer` is anything with the buffer interface whose items are bytes (mmap, bytes, memoryview); `file` is named
    in errors.
    """

    __slots__ = ("buffer", "file", "start", "stop")

    def __init__(self, buffer: Any, start: int, stop: int, file: str):
        self.buffer, self.start, self.stop, self.file = buffer, start, stop, file

    def fields(self) -> Iterator[tuple[int, int, Any]]:
        """Yield (number, wire type, value) of each field; groups are skipped.

        value: an int below 2**64 for VARINT, a Message for LENGTH, and for FIXED32 and FIXED64 an array of
        uint32 or uint64 that holds this field and all that follow it directly under the same tag.

        Raises FormatError with the file and the byte offset at the first byte that cannot be.
        """
        position = self.start
        while position < self.stop:
            begin = position
            number, wire, position = self._tag(begin)
            value: Any
            if wire == VARINT:
                value, position = self.varint(position)
            elif wire == LENGTH:
                length, start = self.varint(position)
                position = self._after(start, length, begin)
                value = Message(self.buffer, start, position, self.file)
            elif wire in WIDTH:
                value, position = self._run(begin, position, wire)
            elif wire == GROUP:
                position = self._skip_group(number, begin, position)
                continue
            else:
                raise StrayEndGroup(str(self.error(begin, f"group {number} ends but never began")))
            yield number, wire, value

    def array(self, dtype: str) -> np.ndarray:
        """The bytes as a read-only view of packed numbers of `dtype`, shape (n,), at any alignment."""
        count, rest = divmod(self.stop - self.start, np.dtype(dtype).itemsize)
        if rest:
            raise self.error(self.start, f"{self.stop - self.start} bytes are not a whole number of {dtype} values")
        return np.frombuffer(self.buffer, dtype, count, self.start) if count else np.empty(0, dtype)

    def text(self) -> str:
        """The bytes as a string; what is not UTF-8 is shown as ``\\xNN``."""
        return bytes(self.buffer[self.start : self.stop]).decode("utf-8", "backslashreplace")

    def varints(self) -> Iterator[int]:
        """Yield the packed varints."""
        position = self.start
        while position < self.stop:
            value, position = self.varint(position)
            yield value

    def varint(self, position: int) -> tuple[int, int]:
        """The unsigned number at `position` and the position after it."""
        value = 0
        for shift in range(0, 70, 7):
            if position >= self.stop:
                raise self.error(position, "the data ends inside a number; the file is cut short or damaged")
            byte = self.buffer[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1), position
        raise self.error(position - 10, "a number has more than 10 bytes")

    def error(self, offset: int, problem: str) -> FormatError:
        """The exception for `problem` at byte `offset` of the file."""
        return FormatError(f"{self.file}: byte {offset}: {problem}")

    def _tag(self, begin: int) -> tuple[int, int, int]:
        tag, position = self.varint(begin)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag > MAX_TAG or wire > FIXED32:
            raise self.error(begin, f"not a protobuf field (number {number}, wire type {wire}); the file is damaged or "
                             "of another format")
        return number, wire, position

    def _after(self, position: int, length: int, begin: int) -> int:
        if length > self.stop - position:
            left = self.stop - position
            raise self.error(begin, f"a field of {length} bytes where only {left} are left; the file is cut short")
        return position + length

    def _run(self, begin: int, position: int, wire: int) -> tuple[np.ndarray, int]:
        """All values from `position` on whose tags repeat the one at `begin`, as a strided view."""
        width, tag_size = WIDTH[wire], position - begin
        self._after(position, width, begin)
        step = tag_size + width
        most = (self.stop - begin) // step
        first = bytes(self.buffer[begin:position])
        tags = np.ndarray((most,), f"S{tag_size}", self.buffer, begin, (step,))
        count, window = 1, FIRST_WINDOW
        while count < most:
            same = tags[count : count + window] == first
            if not same.all():
                count += int(same.argmin())
                break
            count += len(same)
            window = min(2 * window, MAX_WINDOW)
        return np.ndarray((count,), UNSIGNED[wire], self.buffer, position, (step,)), begin + count * step

    def _skip_group(self, number: int, begin: int, position: int) -> int:
        opened = [number]
        while opened:
            if position >= self.stop:
                raise self.error(begin, f"group {number} never ends; the file is cut short")
            at = position
            inner, wire, position = self._tag(position)
            if wire == VARINT:
                position = self.varint(position)[1]
            elif wire == LENGTH:
                length, position = self.varint(position)
                position = self._after(position, length, at)
            elif wire in WIDTH:
                position = self._after(position, WIDTH[wire], at)
            elif wire == GROUP:
                opened.append(inner)
            elif opened.pop() != inner:
                raise self.error(at, f"group {inner} ends inside another group")
            if len(opened) > MAX_DEPTH:
                raise self.error(at, f"groups are nested more than {MAX_DEPTH} deep")
        return position


def encode_varint(value: int) -> bytes:
    """`value` (0 <= value < 2**64) in base 128, low digits first."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def encode_tag(number: int, wire: int) -> bytes:
    """The tag of field `number` with wire type `wire`."""
    return encode_varint(number << 3 | wire)
