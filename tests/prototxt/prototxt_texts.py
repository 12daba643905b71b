"""Random prototxts of any schema: every kind of field, with the liberties that the format allows."""

from __future__ import annotations

import random
from typing import Any

from caffe_fcn.proto.schema import is_repeated

GAPS = (" ", " ", "  ", "\n", "\t", "\r\n", "\n\n", " # note {\n", "\n# 'note'\n  ", " #\n")
STRINGS = ('"a"', "'b'", '"\\"q\\""', '"x" \'y\'', '"é"', "'#no' # yes\n \"z\"", '""', '"\\n\\x41\\101"')
INTEGERS = ("0", "1", "7", "0x1F", "017", "42")
REALS = ("0", "1", "1.5", "-2.5e-3", ".25", "3.f", "- 4", "inf", "nan", "1e10", "-inf")
BOOLEANS = ("true", "false", "True", "t", "f", "0", "1", "0x1", "00")
MOST_FIELDS = 4


class RandomText:
    """Makes valid texts for a message type."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def gap(self) -> str:
        """Blanks, maybe with comments; at least one character."""
        return self.random.choice(GAPS) if self.random.random() < 0.3 else " "

    def text(self, descriptor: Any, depth: int = 0) -> str:
        """Fields of a message."""
        names = [field for field in descriptor.fields if depth < 4 or field.message_type is None]
        chosen = self.random.sample(names, min(len(names), self.random.randint(0, MOST_FIELDS)))
        chosen += [field for field in descriptor.fields if field.is_required and field not in chosen]
        if descriptor.name == "NetParameter":
            chosen += [descriptor.fields_by_name["layer"]] * self.random.randint(0, 3)
        parts = [self.field(field, depth) for field in chosen]
        return self.gap() + "".join(part + self.gap() for part in parts)

    def field(self, field: Any, depth: int) -> str:
        """One field with its value or list of values."""
        colon = ":" if field.message_type is None or self.random.random() < 0.3 else ""
        if is_repeated(field) and self.random.random() < 0.3:
            comma = self.gap() + "," + self.gap()
            value = "[" + self.gap() + comma.join(self.value(field, depth) for _ in range(self.random.randint(0, 3)))
            value += self.gap() + "]"
        else:
            value = self.value(field, depth)
        separator = self.random.choice(("", "", "", self.gap() + ";", ","))
        return field.name + self.random.choice(("", self.gap())) * bool(colon) + colon + self.gap() + value + separator

    def value(self, field: Any, depth: int) -> str:
        """One value."""
        kind = field.cpp_type
        if field.message_type is not None:
            opening, closing = self.random.choice(("{}", "{}", "<>"))
            return opening + self.text(field.message_type, depth + 1) + closing
        if field.enum_type is not None:
            value = self.random.choice(list(field.enum_type.values))
            return self.random.choice((value.name, value.name, str(value.number), hex(value.number)))
        if kind == field.CPPTYPE_STRING:
            return self.random.choice(STRINGS)
        if kind == field.CPPTYPE_BOOL:
            return self.random.choice(BOOLEANS)
        if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            return self.random.choice(REALS)
        sign = "-" if kind in (field.CPPTYPE_INT32, field.CPPTYPE_INT64) and self.random.random() < 0.2 else ""
        return sign + self.random.choice(INTEGERS)
