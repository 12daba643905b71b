"""Every rule finds its example in docs/lint.md, passes over the good one, and its fix mends it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.prototxt import parse
from caffe_fcn.prototxt.document import Document
from caffe_fcn.prototxt.lint import Options, all_rules, fix_text, lint_file, lint_text
from caffe_fcn.prototxt.shapes import parse_sizes

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lint.md"
SHAPES = {"data": (1, 3, 64, 64), "label": (1, 1, 64, 64), "target": (1, 4, 64, 64)}
FIXED = {"ignored-params", "old-input", "old-normalize", "old-axis", "old-transform", "old-dummy-shape", "deconv-zero",
         "crop-offset", "ignore-label"}


class Example(NamedTuple):
    """A code block: its words behind the language, and its text."""

    words: str
    text: str

    def lint(self, tmp_path):
        """What is found in it, with the inputs that it leaves out."""
        if self.words == "solver":
            file = tmp_path / "solver.prototxt"
            file.write_text(self.text)
            return lint_file(file)
        settings = dict(word.split("=") for word in self.words.split())
        options = Options(parse_sizes([settings["size"]] if "size" in settings else []))
        solver = caffe_pb2.SolverParameter(base_lr=float(settings["base_lr"])) if "base_lr" in settings else None
        return lint_text(self.with_inputs(), None, options, solver)

    def with_inputs(self):
        """The text behind the Input layers that it leaves out."""
        net = parse(self.text)
        made = {top for layer in net.layers() for top in layer.tops}
        read = {bottom for layer in net.layers() for bottom in layer.bottoms}
        inputs = [
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
            f"{' '.join(f'dim: {size}' for size in shape)} }} }} }}\n"
            for name, shape in SHAPES.items() if name in read - made and "layers {" not in self.text
        ]
        return "".join(inputs) + self.text


def sections():
    """Per rule: the words in front of the examples, the example that is found, the one that is fine."""
    found = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n#### ")[1:]:
        name, _, rest = part.partition("\n")
        blocks = re.findall(r"```prototxt([^\n]*)\n(.*?)```", rest, re.DOTALL)
        examples = (Example(words.strip(), text) for words, text in blocks)
        found[name] = (" ".join(rest.partition("Found:")[0].split()), *examples)
    return found


SECTIONS = sections()


def test_every_rule_has_a_section_with_its_reason():
    assert set(SECTIONS) == set(all_rules())
    for name, rule in all_rules().items():
        assert SECTIONS[name][0] == f"{rule.severity.capitalize()}. {rule.reason}"
        assert len(rule.reason) > 40


@pytest.mark.parametrize("name", SECTIONS)
def test_example_is_found_and_the_good_one_is_not(name, tmp_path):
    _, bad, good = SECTIONS[name]
    found = [finding for finding in bad.lint(tmp_path) if finding.rule == name]
    assert found and found[0].severity == all_rules()[name].severity
    assert not [finding for finding in good.lint(tmp_path) if finding.rule in (name, "unreadable")]
    assert (found[0].fix is not None) == (name in FIXED or name == "old-solver-type")


@pytest.mark.parametrize("name", sorted(FIXED))
def test_fix(name, tmp_path):
    _, bad, _ = SECTIONS[name]
    text = bad.with_inputs()
    fixed = fix_text(text)
    assert fixed != text and fix_text(fixed) == fixed
    assert name not in {finding.rule for finding in lint_text(fixed)}


def test_fix_of_a_solver_type():
    from caffe_fcn.prototxt.lint.rule import SOLVER_RULES

    solver = Document(SECTIONS["old-solver-type"][1].text, caffe_pb2.SolverParameter)
    (note,) = SOLVER_RULES["old-solver-type"].check(solver)
    note.fix(solver)
    assert str(solver) == SECTIONS["old-solver-type"][2].text
