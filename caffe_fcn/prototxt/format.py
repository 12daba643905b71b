"""One style for all prototxts: two blanks of indent, one field per line, short blocks on one line, comments kept.

Order, comments and single empty lines stay as they are; brackets, quotes, separators, lists and blanks become uniform.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..proto import caffe_pb2
from ..proto import text as proto_text
from ..proto.tokens import Source
from .cst import Block, Body, Field, ListValue, Scalar
from .document import Document

WIDTH = 120
_ALWAYS_OPEN = ("layer", "layers")  # blocks that never go on one line
_TRUE = ("true", "True", "t")


def format_text(text: str, message_class: Any = caffe_pb2.NetParameter, file: str | None = None) -> str:
    """Return the text in the one style; what it means is the same, and formatting it again changes nothing.

    Raises PrototxtError (file:line:column) for a text that is not valid.
    """
    document = Document(text, message_class, file)
    lines = _body(document.body, "")
    result = "".join(f"{line}\n" for line in lines)
    if _meaning(result, message_class) != _meaning(text, message_class):
        raise AssertionError("formatting changed the meaning of the text; please report this with the file")
    return result


def _meaning(text: str, message_class: Any) -> bytes:
    return proto_text.parse(text, message_class()).SerializeToString(deterministic=True)


def _body(body: Body, indent: str) -> list[str]:
    """The lines of all fields and comments."""
    lines: list[str] = []
    for field in body.fields:
        _add_notes(lines, _notes(field.lead), indent)
        _add_notes(lines, _inner_comments(field), indent)
        new = _field(body, field, indent)
        if field.trail and new:
            new[-1] = f"{new[-1]}  {field.trail.strip()}"
        elif field.trail:
            new = [f"{indent}{field.trail.strip()}"]
        lines += new
    _add_notes(lines, _notes(body.tail), indent)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _add_notes(lines: list[str], notes: list[str], indent: str) -> None:
    """Append comments and single empty lines, but none at the start."""
    for note in notes:
        if note:
            lines.append(f"{indent}{note}")
        elif lines and lines[-1]:
            lines.append("")


def _notes(gap: str) -> list[str]:
    """The comments of a gap, and "" for each empty line between them; what it begins and ends with is no line."""
    lines = [line.strip() for line in gap.split("\n")]
    return [line for i, line in enumerate(lines) if line or 0 < i < len(lines) - 1]


def _inner_comments(field: Field) -> list[str]:
    """Comments at places where no line of ours has room for them: around colons, in lists, between strings."""
    gaps = [field.colon, field.value.lead, field.separator]
    if isinstance(field.value, ListValue):
        gaps += [gap for item in field.value.items for gap in (item.lead, *_string_gaps(item))]
        gaps += [*field.value.commas, field.value.tail]
    else:
        gaps += _string_gaps(field.value)
    return [line[line.index("#") :].strip() for gap in gaps for line in gap.split("\n") if "#" in line]


def _string_gaps(value: Scalar | Block) -> Iterator[str]:
    """What stands between the words of a scalar."""
    if isinstance(value, Scalar):
        end = 0
        for token in Source(value.text).tokens():
            yield value.text[end : token.start]
            end = token.start + len(token.text)


def _field(body: Body, field: Field, indent: str) -> list[str]:
    """The lines of one field; a list gives one field for each item."""
    lines: list[str] = []
    kind = body.field_type(field.name)
    for value in field.values:
        if isinstance(value, Scalar):
            lines.append(f"{indent}{field.name}: {_scalar(kind, value)}")
            continue
        short = None if field.name in _ALWAYS_OPEN else _one_line(value.body)
        if short is not None and len(line := f"{indent}{field.name} {{ {short} }}".replace("{  }", "{ }")) <= WIDTH:
            lines.append(line)
            continue
        head = value.body.head.strip()
        lines.append(f"{indent}{field.name} {{{'  ' if head else ''}{head}")
        lines += _body(value.body, indent + "  ")
        lines.append(f"{indent}}}")
    return lines


def _one_line(body: Body) -> str | None:
    """All fields on one line, or None where a comment forbids it."""
    parts: list[str] = []
    if "#" in body.head + body.tail:
        return None
    for field in body.fields:
        if field.trail or "#" in field.lead or _inner_comments(field):
            return None
        kind = body.field_type(field.name)
        for value in field.values:
            if isinstance(value, Scalar):
                parts.append(f"{field.name}: {_scalar(kind, value)}")
            else:
                inner = _one_line(value.body)
                if inner is None:
                    return None
                parts.append(f"{field.name} {{ {inner} }}" if inner else f"{field.name} {{ }}")
    return " ".join(parts)


def _scalar(kind: Any, value: Scalar) -> str:
    words = [token for token in Source(value.text).tokens() if token.kind != "end"]
    if words[0].kind == "string":
        return " ".join(_quoted(word.text) for word in words)
    text = "".join(word.text for word in words)
    if kind.cpp_type == kind.CPPTYPE_BOOL:
        return "true" if text in _TRUE or (words[0].kind == "integer" and _integer(text)) else "false"
    if kind.enum_type is not None and words[-1].kind == "integer":
        return str(kind.enum_type.values_by_number[_integer(text)].name)
    return text


def _integer(text: str) -> int:
    return int(text, 8 if text.lstrip("-")[:1] == "0" and "x" not in text.lower() else 0)


def _quoted(text: str) -> str:
    """A string in double quotes, unless it holds some."""
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
