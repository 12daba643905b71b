"""The examples of docs/prototxt.md and docs/lint.md run as they are printed."""

from __future__ import annotations

import doctest
import re

import pytest

import caffe_fcn.prototxt
from caffe_fcn.prototxt.lint import lint_text


@pytest.mark.parametrize("page", ["prototxt.md", "lint.md", "draw.md"])
def test_python_example(page, root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    code = re.search(r"```python\n(.*?)```", (root / "docs" / page).read_text(), re.DOTALL)[1]
    names: dict = {}
    exec(compile(code, page, "exec"), names)
    if page == "prototxt.md":
        assert capsys.readouterr().out == "16\n"
        assert 'num_output: 5' in names["text"] and 'name: "upscore8_5"' in names["text"]


def test_example_of_a_silence(root):
    text = re.search(r"```prototxt silenced\n(.*?)```", (root / "docs/lint.md").read_text(), re.DOTALL)[1]
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
    (finding,) = lint_text(data + text)
    assert finding.rule == "padding-not-needed" and finding.silenced == "photos of any size shall pass"


def test_docstring():
    assert doctest.testmod(caffe_fcn.prototxt).failed == 0
