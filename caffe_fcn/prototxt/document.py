"""A prototxt that can be read and changed field by field, and that keeps what is not touched as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from ..errors import MissingFileError, NetError, PrototxtError
from ..formats.atomic import atomic_write
from ..proto import caffe_pb2, forks
from ..proto import text as proto_text
from ..proto.schema import is_repeated
from .cst import Block, Body, Field, ListValue, Node, Scalar, build
from .values import Step, literal, parse_path

# Fields that stand in front of all others, in this order.
_ORDER = {
    "LayerParameter": ("name", "type", "bottom", "top", "phase", "loss_weight", "propagate_down", "include", "exclude",
                       "param"),
    "NetParameter": ("name", "input", "input_shape", "input_dim", "force_backward", "state", "debug_info"),
}


class Part:
    """A message inside a document: the whole file, or a layer of it."""

    def __init__(self, document: Document, body: Body) -> None:
        self.document, self.body = document, body

    def message(self) -> Any:
        """What the text says, as a message of caffe_pb2 (fields of forks are in it as everywhere)."""
        return proto_text.parse(str(self.body), _class(self.body.descriptor)(), self.document.file)

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path, or `default` where nothing is written; see `values.parse_path` for paths.

        Enums are given by name, messages as messages, repeated fields without an index as a list.
        Raises PrototxtError for a path that the schema does not have.
        """
        *parents, last = parse_path(path)
        body: Body | None = self.body
        for step in parents:
            body = _enter(body, step)
            if body is None:
                return default
        field = body.field_type(last.name)  # type: ignore[union-attr] # mypy loses the loop's narrowing
        message = proto_text.parse(str(body), GetMessageClass(body.descriptor)())  # type: ignore[union-attr]
        if is_repeated(field):
            values = [_plain(field, value) for value in getattr(message, field.name)]
            if last.key is None:
                return values or default
            index = _index(body, last)  # type: ignore[arg-type]
            return values[index] if index < len(values) else default
        return _plain(field, getattr(message, field.name)) if message.HasField(field.name) else default

    def set(self, path: str, value: Any, force: bool = False) -> None:
        """Write a value at a path; blocks on the way are made. A list replaces all values of a repeated field.

        Raises PrototxtError for a path or value that the schema does not take, NetError if the change would break
        the net (unless `force`); nothing is changed then.
        """
        *parents, last = parse_path(path)
        with self.document.transaction(force):
            body = self.body
            for step in parents:
                body = _enter(body, step) or _make(body, step)
            _write(body, last, value)

    def delete(self, path: str, force: bool = False) -> None:
        """Remove what a path leads to (all values of a repeated field without an index); errors as `set`.

        A block that becomes empty stays.
        """
        *parents, last = parse_path(path)
        with self.document.transaction(force):
            body: Body | None = self.body
            for step in parents:
                body = _enter(body, step) if body else None
            entries = body.entries(last.name) if body and body.field_type(last.name) else []
            if last.key is not None and body:
                entries = entries[_index(body, last) :][:1]
            if not entries or body is None:
                raise PrototxtError(f"there is no '{path}' to remove")
            for field, value in entries:
                _take_out(body, field, value)


class Document(Part):
    """A whole text. ``str(document)`` is the text; it equals the one that was parsed as long as nothing is changed.

    `message_class` says what it holds, `file` is its name in errors. Raises PrototxtError (file:line:column).
    """

    def __init__(self, text: str, message_class: Any, file: str | None = None) -> None:
        self.file, self.message_class = file, message_class
        proto_text.parse(text, message_class(), file)
        super().__init__(self, build(text, forks.message_class(message_class.DESCRIPTOR.name).DESCRIPTOR))
        self._depth = 0

    def __str__(self) -> str:
        return str(self.body)

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write the text, atomically, to `path` or to where it came from."""
        target = path if path is not None else self.file
        if target is None:
            raise ValueError("save needs a path: this text was not read from a file")
        with atomic_write(target) as file:
            file.write(str(self).encode("utf-8", "surrogateescape"))

    def problems(self) -> dict[Any, str]:
        """What is wrong with the net already, in words, by a key for each; a change that adds one is refused."""
        return {}

    @contextlib.contextmanager
    def transaction(self, force: bool = False) -> Iterator[None]:
        """Changes in this block are checked together at its end and undone together if one of them fails.

        Raises PrototxtError if the text is no longer valid, NetError if the net is broken (unless `force`).
        """
        if self._depth:
            yield
            return
        saved = [(node, _state(node)) for node in self.body.walk()]
        before = self.problems() if not force else {}
        self._depth += 1
        try:
            yield
            proto_text.parse(str(self), self.message_class(), self.file)
            after = self.problems() if not force else {}
            new = [words for key, words in after.items() if key not in before]
            if new:
                raise NetError(f"refused, as the net would break: {'; '.join(dict.fromkeys(new))} "
                               "(force does it all the same)")
        except BaseException:
            for node, state in saved:
                node.__dict__.update(state)
            raise
        finally:
            self._depth -= 1


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file; bytes that are not UTF-8 survive writing it back.

    Raises MissingFileError if it cannot be read.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise MissingFileError(f"cannot open file '{name}': {error.strerror}", name) from error


def _state(node: Node) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, list) else value for key, value in vars(node).items()}


def _plain(field: Any, value: Any) -> Any:
    """A value as users get it: names of enums, messages of caffe_pb2."""
    if field.message_type is not None:
        return _class(field.message_type).FromString(value.SerializePartialToString())
    return field.enum_type.values_by_number[value].name if field.enum_type is not None else value


def _class(descriptor: Any) -> Any:
    """The class in caffe_pb2 of a message, which the joined schema of the tree describes; that schema's for forks'."""
    return getattr(caffe_pb2, descriptor.name, None) or GetMessageClass(descriptor)


def _index(body: Body, step: Step) -> int:
    """Which value of a field a step means; may be one past the last."""
    entries = body.entries(step.name)
    if isinstance(step.key, str):
        for i, (_, value) in enumerate(entries):
            if isinstance(value, Block) and any(
                eval_string(name) == step.key for _, name in value.body.entries("name")):
                return i
        raise PrototxtError(f"no '{step.name}' is called '{step.key}'")
    if step.key is None and len(entries) > 1 and is_repeated(body.field_type(step.name)):
        raise PrototxtError(f"there are {len(entries)} '{step.name}'; give an index, {step.name}[0] for the first")
    if (step.key or 0) > len(entries):
        raise PrototxtError(f"there is no {step}: '{step.name}' has {len(entries)} values")
    return step.key or 0


def eval_string(value: Node) -> str:
    """The string that a scalar of a valid text stands for."""
    from ..proto.tokens import Source, string_value

    source = Source(value.text if isinstance(value, Scalar) else "")
    parts = (string_value(source, token) for token in source.tokens() if token.kind == "string")
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _enter(body: Body | None, step: Step) -> Body | None:
    """The body of the message that a step leads to, or None if it is not written."""
    if body is None:
        return None
    if body.field_type(step.name).message_type is None:
        raise PrototxtError(f"'{step.name}' is a value, not a block; nothing is inside it")
    entries, index = body.entries(step.name), _index(body, step)
    if index >= len(entries):
        return None
    return entries[index][1].body  # type: ignore[union-attr] # a message's value is a block


def _make(body: Body, step: Step) -> Body:
    """Append an empty block and return its body."""
    block = Block(Body(body.field_type(step.name).message_type))
    _append(body, Field(step.name, block))
    return block.body


def _append(body: Body, field: Field) -> None:
    """Put a field behind those of the same name; else where one looks for it, which is the end for most."""
    same = body.named(field.name)
    if same:
        body.insert(body.fields.index(same[-1]) + 1, field)
        return
    order = _ORDER.get(body.descriptor.name, ())
    earlier = order[: order.index(field.name)] if field.name in order else [other.name for other in body.fields]
    behind = (i for i, other in enumerate(body.fields) if other.name not in earlier)
    body.insert(next(behind, len(body.fields)), field)


def _write(body: Body, step: Step, value: Any) -> None:
    kind = body.field_type(step.name)
    if is_repeated(kind) and isinstance(value, (list, tuple)):
        for field, old in body.entries(step.name)[len(value) :]:
            _take_out(body, field, old)
        for i, item in enumerate(value):
            _write(body, Step(step.name, i), item)
        return
    spelled, index = literal(kind, value), _index(body, step)
    entries = body.entries(step.name)
    if index == len(entries):
        _append(body, build(f"{step.name}{':' * (kind.message_type is None)} {spelled}", body.descriptor).fields[0])
        return
    old = entries[index][1]
    if isinstance(old, Scalar):
        old.text = spelled
    else:
        old.body = build(f"{step.name} {spelled}", body.descriptor).fields[0].value.body  # type: ignore[union-attr]


def _take_out(body: Body, field: Field, value: Scalar | Block) -> None:
    if isinstance(field.value, ListValue) and len(field.value.items) > 1:
        field.value.remove(value)
    else:
        body.remove(field)
