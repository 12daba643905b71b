"""Command lines in the style of the original's tools."""

from __future__ import annotations

import pytest

from caffe_fcn.cli.flags import Flag, UsageError, parse, run
from caffe_fcn.errors import FormatError

FLAGS = {"gray": Flag(False, "grey values"), "width": Flag(0, "pixels"), "backend": Flag("lmdb", "kind")}


@pytest.mark.parametrize(("words", "values", "others"), [
    ("", (False, 0, "lmdb"), []),
    ("-gray a --width=3 b", (True, 3, "lmdb"), ["a", "b"]),
    ("a --width 3 -backend leveldb b", (False, 3, "leveldb"), ["a", "b"]),
    ("--gray=true --gray=0", (False, 0, "lmdb"), []),
    ("--gray --nogray x", (False, 0, "lmdb"), ["x"]),
    ("--backend= -- --gray -", (False, 0, ""), ["--gray", "-"]),
    ("--width=-1 --logtostderr=1 -alsologtostderr --minloglevel 2 x", (False, -1, "lmdb"), ["x"]),
])
def test_parse(words, values, others):
    assert parse(words.split(), FLAGS) == (dict(zip(FLAGS, values, strict=True)), others)


@pytest.mark.parametrize(("words", "message"), [
    ("--grey", "unknown flag '--grey'; there are --gray, --width, --backend"),
    ("--nowidth", "unknown flag '--nowidth'"),
    ("--nogray=1", "unknown flag '--nogray=1'"),
    ("--width=x", "--width needs a whole number, got 'x'"),
    ("--width", "--width needs a whole number, got ''"),
    ("--gray=maybe", "--gray is true or false, got 'maybe'"),
])
def test_bad_flags(words, message):
    with pytest.raises(UsageError, match=message):
        parse(words.split(), FLAGS)


def test_run(capsys):
    def fail(values, others):
        raise FormatError("no good")

    usage = "tool [FLAGS] FILE\n\nDoes it."
    assert run(usage, FLAGS, range(1, 2), lambda values, others: len(others) + 5, ["x"]) == 6
    assert run(usage, FLAGS, range(1, 2), fail, ["x"]) == 1
    assert capsys.readouterr().err == "tool: no good\n"
    assert run(usage, FLAGS, range(1, 2), fail, []) == 1
    assert capsys.readouterr().err.startswith("usage: tool [FLAGS] FILE")
    assert run(usage, FLAGS, range(1, 2), fail, ["--help"]) == 0
    assert "--backend  kind (default lmdb)" in capsys.readouterr().out
