"""Running the rules: places, silences, solvers, reports, speed."""

from __future__ import annotations

import json
import time

import pytest

from caffe_fcn.errors import MissingFileError
from caffe_fcn.prototxt.lint import Options, fix_text, lint_file, lint_text
from caffe_fcn.prototxt.lint.report import as_json, as_sarif, as_text
from caffe_fcn.prototxt.shapes import parse_sizes

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
BAD = INPUT + """layer {
  name: "r"
  type: "ReLU"
  bottom: "data"
  top: "r"
  pooling_param { kernel_size: 2 }
}
"""
NET = INPUT + """layer {
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 }
}
"""


def rules(findings):
    return [finding.rule for finding in findings if finding.silenced is None]


def test_models_are_clean(root):
    files = sorted(root.glob("models/**/*.prototxt"))
    assert files
    for file in files:
        findings = [finding for finding in lint_file(file) if finding.silenced is None and finding.severity != "info"]
        assert not findings, as_text(findings)


def test_place_and_name():
    (finding,) = lint_text(BAD, "net.prototxt")
    assert (finding.rule, finding.file, finding.line, finding.column) == ("ignored-params", "net.prototxt", 7, 3)
    assert (finding.layer, finding.index) == ("r", 1)


def test_place_in_an_old_net():
    old = "input: 'd'\ninput_dim: [1, 3, 4, 4]\nlayers { name: 'r' type: RELU bottom: 'd' top: 'r' }\n" \
          "layers { name: 's' type: RELU bottom: 'x' top: 's' }\n"
    found = {finding.rule: finding for finding in lint_text(old)}
    assert found["blob-before-made"].line == 4 and found["old-format"].line == 3 and found["old-input"].line == 1
    assert found["blob-before-made"].fix is None


@pytest.mark.parametrize(
    "comment",
    ["# lint: ignore[ignored-params] kept for later\n", "#lint:ignore[ignored-params,unused-top] why not\n"],
)
def test_silence_of_a_layer(comment):
    text = BAD.replace("layer {\n", f"{comment}layer {{\n")
    (finding,) = [finding for finding in lint_text(text) if finding.rule == "ignored-params"]
    assert finding.silenced in ("kept for later", "why not")
    assert fix_text(text) == text
    inside = BAD.replace('  name: "r"', f'  name: "r"  {comment.strip()}')
    assert "ignored-params" not in rules(lint_text(inside))


def test_silence_of_a_file():
    text = "# lint: ignore-file[ignored-params] generated\n" + BAD
    assert rules(lint_text(text)) == []


@pytest.mark.parametrize(
    ("comment", "expected"),
    [("# lint: ignore[ignored-params]\n", {"ignored-params", "silence-reason"}),
     ("# lint: ignore[unused-top] old\n", {"ignored-params", "silence-unused"}),
     ("# lint: ignore[no-such-rule] x\n", {"ignored-params", "silence-unused"})],
)
def test_silence_that_is_wrong(comment, expected):
    found = lint_text(comment + BAD if "no-such" in comment else BAD.replace("layer {\n", f"{comment}layer {{\n"))
    assert set(rules(found)) == expected


def test_silence_holds_for_its_layer_only():
    text = "# lint: ignore[ignored-params] about the other layer\n" + BAD
    assert set(rules(lint_text(text))) == {"ignored-params", "silence-unused"}


def test_unreadable():
    (finding,) = lint_text("layer {\n  nam: 'x'\n}", "f")
    assert (finding.rule, finding.line, finding.column) == ("unreadable", 2, 3)
    assert finding.message == "LayerParameter has no field 'nam'; did you mean 'name'?"


def test_net_that_no_upgrade_can_read():
    (finding,) = lint_text("layer { name: 'a' }\nlayers { name: 'b' }", "f")
    assert finding.rule == "refused" and "both" not in finding.rule


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError):
        lint_file(tmp_path / "none")


def test_python_layers_are_not_run(tmp_path):
    (tmp_path / "boom.py").write_text("raise SystemExit")
    file = tmp_path / "net.prototxt"
    python = "python_param { module: 'boom' layer: 'X' } }\n"
    file.write_text(f"layer {{ name: 'd' type: 'Python' top: 'd' {python}"
                    f"layer {{ name: 'p' type: 'Python' bottom: 'd' top: 'p' {python}"
                    "layer { name: 'c' type: 'Convolution' bottom: 'p' top: 'c' convolution_param { } }\n")
    assert lint_file(file) == []


def test_solver_with_nets_that_differ(tmp_path):
    (tmp_path / "train.prototxt").write_text(NET)
    (tmp_path / "val.prototxt").write_text(NET.replace("pad: 1", "pad: 0"))
    solver = tmp_path / "solver.prototxt"
    solver.write_text('train_net: "train.prototxt"\ntest_net: "val.prototxt"\ntest_net: "gone.prototxt"\n')
    found = {finding.rule: finding for finding in lint_file(solver)}
    assert set(found) == {"phases-differ", "solver-net"}
    assert "here pad: 0; there pad: 1" in found["phases-differ"].message
    assert found["solver-net"].line == 3


def test_rate_of_the_solver_reaches_the_net(tmp_path):
    loss = ('layer { name: "l" type: "Input" top: "l" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }\n'
            'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "l" top: "loss" '
            "loss_param { normalization: VALID } }\n")
    (tmp_path / "net.prototxt").write_text(NET + loss)
    solver = tmp_path / "solver.prototxt"
    solver.write_text('net: "net.prototxt"\nbase_lr: 1e-10\n')
    assert rules(lint_file(solver)) == ["normalization-lr"]
    solver.write_text('net: "net.prototxt"\nbase_lr: 1e-3\n')
    assert rules(lint_file(solver)) == []


def test_stages_and_sizes():
    text = NET.replace('  type: "Convolution"', '  type: "Convolution"\n  include { stage: "x" }')
    assert rules(lint_text(text.replace("kernel_size: 3 pad: 1", "kernel_size: 30"))) == []
    stage = Options(stages=("x",))
    assert "refused" in rules(lint_text(text.replace("kernel_size: 3 pad: 1", "kernel_size: 30"), None, stage))
    large = Options(parse_sizes(["40x40"]), ("x",))
    assert rules(lint_text(text.replace("kernel_size: 3 pad: 1", "kernel_size: 30"), None, large)) == []


def test_reports():
    findings = lint_text(BAD, "net.prototxt")
    assert as_text(findings).splitlines() == [
        "net.prototxt:7:3: warning: layer 'r': ReLU does not read 'pooling_param' (it reads relu_param) "
        "[ignored-params] (can be fixed)", "1 warning"]
    (entry,) = json.loads(as_json(findings))
    assert (entry["rule"], entry["line"], entry["fixable"], entry["silenced"]) == ("ignored-params", 7, True, None)
    log = json.loads(as_sarif(findings))
    (run,) = log["runs"]
    (result,) = run["results"]
    assert log["version"] == "2.1.0" and result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 7, "startColumn": 3}
    assert as_text([]) == "nothing found"


def test_sarif_of_an_unreadable_file_with_an_odd_name():
    (run,) = json.loads(as_sarif(lint_text("layer {", "a b\udcff%.prototxt")))["runs"]
    (result,) = run["results"]
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%FF%25.prototxt"


def test_silenced_findings_in_reports():
    text = BAD.replace("layer {\n", "# lint: ignore[ignored-params] kept\nlayer {\n")
    findings = lint_text(text)
    assert as_text(findings) == "nothing found; 1 silenced"
    assert "(silenced: kept)" in as_text(findings, show_silenced=True)
    (result,) = json.loads(as_sarif(findings))["runs"][0]["results"]
    assert result["suppressions"][0]["justification"] == "kept"


def test_large_net_is_quick():
    """A net of the size of FCN-8s, with its 134 million weights."""
    parts = [INPUT.replace("dim: 8 dim: 8", "dim: 500 dim: 500")]
    bottom = "data"
    for i, channels in enumerate([64] * 4 + [256] * 8 + [512] * 12 + [4096] * 2):
        kernel = 7 if i == 24 else 1
        parts.append(f'layer {{ name: "c{i}" type: "Convolution" bottom: "{bottom}" top: "c{i}" convolution_param {{ '
                     f'num_output: {channels} kernel_size: {kernel} weight_filler {{ type: "xavier" }} }} }}\n'
                     f'layer {{ name: "r{i}" type: "ReLU" bottom: "c{i}" top: "c{i}" }}\n')
        bottom = f"c{i}"
    text = "".join(parts)
    lint_text(text)  # imports the layers
    start = time.perf_counter()
    lint_text(text)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    "layer",
    ['type: "Convolution" top: "c" convolution_param { num_output: 1 kernel_size: 1 }',
     'type: "Deconvolution" bottom: "data" top: "c" convolution_param { num_output: 1 kernel_size: 1 stride: 0 }',
     'type: "Pooling" bottom: "data" top: "c" pooling_param { kernel_size: 2 stride_h: 0 stride_w: 0 }',
     'type: "SoftmaxWithLoss" top: "c" loss_param { ignore_label: 1 }', 'type: "Crop" bottom: "data" top: "c"',
     'type: "ReLU" bottom: "data" loss_weight: 1', 'type: "" bottom: "data" top: "c"'],
)
def test_layers_that_make_no_sense_are_refused_by_one_finding_at_least(layer):
    reader = '\nlayer { name: "score" type: "Softmax" bottom: "c" top: "score" }' if 'top: "c"' in layer else ""
    findings = lint_text(f'{INPUT}layer {{ name: "c" {layer} }}{reader}')
    assert {"refused", "unknown-type"} & set(rules(findings))
