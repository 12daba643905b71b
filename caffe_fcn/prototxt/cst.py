"""The concrete syntax tree of a prototxt: every character is in it, so that printing it gives the text back.

A body (the file, or what stands between brackets) is a list of fields. A field has a name and a value: a scalar, a
block, or a list of these. Blanks and comments belong to the node that they stand in front of (`lead`); a comment behind
a field on its own line belongs to that field (`trail`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

from ..errors import PrototxtError
from ..proto.text import did_you_mean
from ..proto.tokens import Source, Token

Value = Union["Scalar", "Block", "ListValue"]
OPENING = {"{": "}", "<": ">"}


class Node:
    """Base of all nodes: `str` gives the text, equality is identity."""

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "".join(self.pieces())

    def children(self) -> Iterator[Node]:
        """Yield the nodes right below this one."""
        return iter(())

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


class Scalar(Node):
    """One value as it is written: a number with its sign, a name, adjacent strings."""

    def __init__(self, text: str, lead: str = " ") -> None:
        self.lead, self.text = lead, text

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        yield self.lead
        yield self.text


class Block(Node):
    """A message in brackets."""

    def __init__(self, body: Body, lead: str = " ", opening: str = "{") -> None:
        self.lead, self.opening, self.body = lead, opening, body

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        yield self.lead
        yield self.opening
        yield from self.body.pieces()
        yield OPENING[self.opening]

    def children(self) -> Iterator[Node]:
        """Yield the body."""
        yield self.body


class ListValue(Node):
    """``[a, b]``: `commas` holds what stands between the items, the commas included."""

    def __init__(self, lead: str = " ") -> None:
        self.lead = lead
        self.items: list[Scalar | Block] = []
        self.commas: list[str] = []
        self.tail = ""

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        yield self.lead
        yield "["
        for i, item in enumerate(self.items):
            yield self.commas[i - 1] if i else ""
            yield from item.pieces()
        yield self.tail
        yield "]"

    def children(self) -> Iterator[Node]:
        """Yield the items."""
        return iter(self.items)

    def remove(self, item: Scalar | Block) -> None:
        """Take an item out, with its comma."""
        index = self.items.index(item)
        if index == 0 and len(self.items) > 1:
            self.items[1].lead = item.lead
        del self.items[index]
        if self.commas:
            del self.commas[max(index - 1, 0)]


class Field(Node):
    """A name with its value. `colon` and `separator` hold the blanks in front of them too; both may be empty."""

    def __init__(self, name: str, value: Value, lead: str = "", colon: str = "") -> None:
        self.lead, self.name, self.colon, self.value = lead, name, colon, value
        self.separator = self.trail = ""

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        yield self.lead
        yield self.name
        yield self.colon
        yield from self.value.pieces()
        yield self.separator
        yield self.trail

    def children(self) -> Iterator[Node]:
        """Yield the value."""
        yield self.value

    @property
    def values(self) -> list[Scalar | Block]:
        """The single values: one, or the items of a list."""
        return list(self.value.items) if isinstance(self.value, ListValue) else [self.value]


class Body(Node):
    """Fields of one message, of the type that `descriptor` tells; all of a text if `is_file`.

    `head` is a comment behind the opening bracket, `tail` what stands in front of the closing one.
    """

    def __init__(self, descriptor: Any, is_file: bool = False) -> None:
        self.descriptor, self.is_file = descriptor, is_file
        self.head = self.tail = ""
        self.fields: list[Field] = []

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit."""
        yield self.head
        for field in self.fields:
            yield from field.pieces()
        yield self.tail

    def children(self) -> Iterator[Node]:
        """Yield the fields."""
        return iter(self.fields)

    def named(self, name: str) -> list[Field]:
        """All fields of a name."""
        return [field for field in self.fields if field.name == name]

    def entries(self, name: str) -> list[tuple[Field, Scalar | Block]]:
        """All values of a name with their fields, lists taken apart: entry i is value i of the message."""
        return [(field, value) for field in self.named(name) for value in field.values]

    @property
    def is_inline(self) -> bool:
        """Whether all of it is on one line, without a comment."""
        text = str(self)
        return "\n" not in text and "#" not in text

    @property
    def indent(self) -> str:
        """The blanks in front of the fields that start a line."""
        for field in self.fields:
            if "\n" in field.lead:
                return field.lead.rpartition("\n")[2]
        return "" if self.is_file else self.tail.rpartition("\n")[2] + "  "

    def field_type(self, name: str) -> Any:
        """The descriptor of a field. Raises PrototxtError if the message has no such field."""
        fields = self.descriptor.fields_by_name
        if name not in fields:
            raise PrototxtError(f"{self.descriptor.name} has no field '{name}'{did_you_mean(name, fields)}")
        return fields[name]

    # changes

    def insert(self, index: int, field: Field) -> None:
        """Put a field in front of the one at `index`, on a line of its own unless all of the body is on one line."""
        if self.is_inline and (self.fields or not self.is_file):
            field.lead = " "
            self.tail = self.tail or " " * (not self.fields)
        else:
            field.lead = "\n" + self.indent
        if index == 0 and self.fields and not self.fields[0].lead.startswith("\n"):
            field.lead, self.fields[0].lead = self.fields[0].lead, field.lead
        elif self.is_file and not self.fields:
            ends_in_comment = "#" in self.tail.rpartition("\n")[2]
            field.lead, self.tail = self.tail + "\n" * ends_in_comment, "\n"
        self.fields.insert(index, field)
        for below in self.fields[index + 1 : index + 2]:
            below.lead = self._apart(field.trail, below.lead)

    def append(self, field: Field) -> None:
        """Put a field behind all others."""
        self.insert(len(self.fields), field)

    def remove(self, field: Field) -> None:
        """Take a field out, with the comment that stands right above it; comments further up stay."""
        index = self.fields.index(field)
        stays = _other_comments(field.lead)
        above = stays or (self.fields[index - 1].trail if index else self.head)
        rest = self.fields[index + 1].lead if index + 1 < len(self.fields) else self.tail
        if self.is_file and index == 0 and not stays:
            rest = rest.lstrip("\r\n")
        rest = self._apart(above, rest)
        if index + 1 < len(self.fields):
            self.fields[index + 1].lead = stays + rest
        else:
            self.tail = stays + rest
        del self.fields[index]

    def _apart(self, above: str, lead: str) -> str:
        """The lead of what comes behind `above`, on a line of its own where a comment would swallow it."""
        if "#" in above and not lead.lstrip(" \t\r").startswith("\n"):
            return "\n" + self.indent + lead.lstrip()
        return lead


def _other_comments(lead: str) -> str:
    """The part of a lead that is set off by an empty line and holds comments; they are about something else."""
    lines = lead.split("\n")
    for i in range(len(lines) - 2, 0, -1):
        if not lines[i].strip():
            above = "\n".join(lines[:i])
            return f"{above}\n" if "#" in above else ""
    return ""


class _Builder:
    """Puts the tokens of a text that is known to be valid into a tree; `token` is the one not yet consumed."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        self.tokens = source.tokens()
        self.end = 0  # of the last consumed token
        self.token = next(self.tokens)

    def gap(self) -> str:
        """What stands between the last token and this one."""
        return self.text[self.end : self.token.start]

    def take(self) -> Token:
        """Consume a token."""
        token = self.token
        self.end = token.start + len(token.text)
        self.token = next(self.tokens, token)
        return token

    def at(self, symbols: str) -> bool:
        """Is this token one of these symbols?"""
        return self.token.kind == "symbol" and self.token.text in symbols

    def body(self, descriptor: Any, closing: str) -> Body:
        """Read fields up to the closing bracket (or the end of the text), which is not consumed."""
        body = Body(descriptor, is_file=not closing)
        body.head, lead = _own_line(self.gap()) if closing else ("", self.gap())
        while self.token.kind != "end" and not (closing and self.at(closing)):
            body.fields.append(field := self.field(descriptor, lead))
            field.trail, lead = _own_line(self.gap())
        body.tail = lead
        return body

    def field(self, descriptor: Any, lead: str) -> Field:
        """Read a field with its separator."""
        name = self.take().text
        kind = descriptor.fields_by_name[name].message_type
        colon = self.gap() + self.take().text if self.at(":") else ""
        field = Field(name, self.list(kind) if self.at("[") else self.single(kind), lead, colon)
        if self.at(";,"):
            field.separator = self.gap() + self.take().text
        return field

    def list(self, kind: Any) -> ListValue:
        """Read a list."""
        value = ListValue(self.gap())
        self.take()
        while not self.at("]"):
            if value.items:
                value.commas.append(self.gap() + self.take().text)
            value.items.append(self.single(kind))
        value.tail = self.gap()
        self.take()
        return value

    def single(self, kind: Any) -> Scalar | Block:
        """Read a scalar or a message."""
        lead = self.gap()
        start = self.token.start
        if kind is not None:
            opening = self.take().text
            body = self.body(kind, OPENING[opening])
            self.take()
            return Block(body, lead, opening)
        if self.at("-"):
            self.take()
        while self.take().kind == "string" and self.token.kind == "string":
            pass
        return Scalar(self.text[start : self.end], lead)


def _own_line(gap: str) -> tuple[str, str]:
    """Split a gap after the comment that ends the line on which it starts, if there is one."""
    line = gap.partition("\n")[0]
    return (line, gap[len(line) :]) if "#" in line else ("", gap)


def build(text: str, descriptor: Any) -> Body:
    """Return the tree of a text that `caffe_fcn.proto.text.parse` accepts for this type of message."""
    return _Builder(Source(text)).body(descriptor, "")
