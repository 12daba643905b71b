"""Deletions, changes and insertions at random places of random texts do what they say, and nothing else."""

from __future__ import annotations

import random

import pytest
from prototxt_texts import RandomText

from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.proto.schema import is_repeated
from caffe_fcn.prototxt.document import Document
from caffe_fcn.prototxt.lint import fix_text, lint_text

NET = caffe_pb2.NetParameter


def random_document(seed):
    """A text with its message, and the paths of all its fields."""
    words = RandomText(seed).text(NET.DESCRIPTOR)
    positions: text.Positions = {}
    message = text.parse(words, NET(), None, positions)
    return Document(words, NET), message, list(positions)


def spelled(path):
    """A path as the documents take it."""
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else f".{part}"
    return words[1:]


def owner(message, path):
    """The message that holds what a path leads to, the name of the field, and its index or None."""
    index = path[-1] if isinstance(path[-1], int) else None
    *parents, name = path[: len(path) - (index is not None)]
    for part in parents:
        message = message[part] if isinstance(part, int) else getattr(message, part)
    return message, name, index


def same(a, b):
    return a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


def other_value(field, value):
    """A value that the field does not have."""
    if field.message_type is not None:
        return type(value)()
    if field.enum_type is not None:
        return next(v.number for v in field.enum_type.values if v.number != value or len(field.enum_type.values) == 1)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return not value
    return "new # \"one\"" if field.cpp_type == field.CPPTYPE_STRING else (7 if value != 7 else 8)


@pytest.mark.parametrize("seed", range(200))
def test_delete_and_set(seed):
    document, message, paths = random_document(seed)
    chooser = random.Random(seed)
    for path in chooser.sample(paths, min(3, len(paths))):
        document, message, _ = random_document(seed)
        holder, name, index = owner(message, path)
        field = holder.DESCRIPTOR.fields_by_name[name]
        old = getattr(holder, name)[index] if index is not None else getattr(holder, name)
        if field.is_required:
            continue
        value = other_value(field, old)
        if field.message_type is None or not value.FindInitializationErrors():
            document.set(spelled(path), value)
            changed = NET.FromString(message.SerializeToString())
            target, _, _ = owner(changed, path)
            if field.message_type is None and index is None:
                setattr(target, name, value)
            elif field.message_type is None:
                getattr(target, name)[index] = value
            else:
                (getattr(target, name)[index] if index is not None else getattr(target, name)).CopyFrom(value)
            assert same(document.message(), changed), (str(document), path)
        document = Document(str(random_document(seed)[0]), NET)
        document.delete(spelled(path))
        if index is None:
            holder.ClearField(name)
        else:
            del getattr(holder, name)[index]
        assert same(document.message(), message), (str(document), path)


@pytest.mark.parametrize("seed", range(200))
def test_insert(seed):
    document, message, paths = random_document(seed)
    chooser = random.Random(seed)
    for path in chooser.sample(paths, min(3, len(paths))):
        holder, name, index = owner(message, path)
        inner = getattr(holder, name)[index] if index is not None else getattr(holder, name)
        if not hasattr(inner, "DESCRIPTOR") or not hasattr(inner, "ListFields"):
            continue
        missing = [field for field in inner.DESCRIPTOR.fields
                   if field.message_type is None and not is_repeated(field) and not inner.HasField(field.name)]
        if not missing:
            continue
        field = chooser.choice(missing)
        value = other_value(field, field.default_value)
        document.set(f"{spelled(path)}.{field.name}", value)
        setattr(inner, field.name, value)
        assert same(document.message(), message), (str(document), path)


@pytest.mark.parametrize("seed", range(60))
def test_no_net_is_too_odd_to_be_checked(seed):
    words = RandomText(seed).text(NET.DESCRIPTOR)
    for finding in lint_text(words):
        assert finding.line >= 1 and finding.message
    assert str(Document(fix_text(words), NET))
