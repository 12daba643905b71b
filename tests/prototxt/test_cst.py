"""The tree prints what was parsed, whatever it was."""

from __future__ import annotations

import pytest
from prototxt_texts import RandomText

from caffe_fcn.errors import MissingFileError, PrototxtError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.tokens import Source
from caffe_fcn.prototxt import parse, parse_solver, read
from caffe_fcn.prototxt.document import Document
from caffe_fcn.prototxt.format import format_text

MESSAGES = (caffe_pb2.NetParameter, caffe_pb2.SolverParameter, caffe_pb2.V1LayerParameter)


def check_round_trip(seeds):
    for seed in seeds:
        message = MESSAGES[seed % 8 % 3]
        text = RandomText(seed).text(message.DESCRIPTOR)
        assert str(Document(text, message)) == text


def test_round_trip_of_random_texts():
    check_round_trip(range(400))


@pytest.mark.slow
def test_round_trip_of_ten_thousand_random_texts():
    check_round_trip(range(400, 10_400))


def comments(text):
    """The comments of a text, in order."""
    source, end, found = Source(text), 0, []
    for token in source.tokens():
        gap = text[end : token.start]
        found += [line[line.index("#") :].strip() for line in gap.split("\n") if "#" in line]
        end = token.start + len(token.text)
    return found


def test_format_of_random_texts():
    for seed in range(200):
        message = MESSAGES[seed % 8 % 3]
        text = RandomText(seed).text(message.DESCRIPTOR)
        once = format_text(text, message)
        assert format_text(once, message) == once
        assert sorted(comments(once)) == sorted(comments(text))


def test_all_models(root):
    files = sorted(root.glob("models/**/*.prototxt"))
    assert files
    for file in files:
        text = file.read_bytes().decode()
        kind = parse_solver if "solver" in file.name else parse
        assert str(kind(text)) == text
        message = type(kind(text).message())
        assert format_text(format_text(text, message), message) == format_text(text, message)


def test_bytes_that_are_not_utf8_survive(tmp_path):
    file = tmp_path / "net.prototxt"
    content = b"# caf\xe9\r\nname: 'x'\r\n"
    file.write_bytes(content)
    net = read(file)
    net.save()
    assert file.read_bytes() == content
    net.set("name", "y")
    net.save()
    assert file.read_bytes() == b'# caf\xe9\r\nname: "y"\r\n'


@pytest.mark.parametrize("text", ["layer {", "no: 1", "\x89PNG\r\n", "name: 1", "layer { bottom: 'a' }}"])
def test_text_that_is_no_prototxt(text):
    with pytest.raises(PrototxtError, match=r"^net:1:"):
        parse(text, "net")


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.prototxt"):
        read(tmp_path / "none.prototxt")
