"""caffe-fcn fmt, lint, show, diff, edit and upgrade."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys

import pytest

import caffe_fcn
from caffe_fcn.cli.main import main

NET = """# a net
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 } }  # stem
layer { name: "score" type: "Convolution" bottom: "conv1" top: "score"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""
OLD = 'layer { name: "all" type: "Concat" bottom: "a" top: "all" concat_param { concat_dim: 1 } }\n'
INPUT = 'layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def run(capsys, *arguments):
    """Exit status and output of a command."""
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr().out


# fmt


def test_fmt(file, capsys):
    status, out = run(capsys, "fmt", "--check", file)
    assert status == 1 and out == f"would format {file}\n" and file.read_text() == NET
    status, out = run(capsys, "fmt", "--diff", file)
    assert status == 0 and "+  name: \"conv1\"" in out and file.read_text() == NET
    assert run(capsys, "fmt", file) == (0, "")
    once = file.read_text()
    assert once != NET and "}  # stem" in once
    assert run(capsys, "fmt", "--check", file) == (0, "") and run(capsys, "fmt", file) == (0, "")
    assert file.read_text() == once


def test_fmt_of_a_stream(capsysbinary, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"base_lr:1")))
    assert main(["fmt", "-"]) == 0
    assert capsysbinary.readouterr().out == b"base_lr: 1\n"


@pytest.mark.parametrize("command", ["fmt", "show", "upgrade", "edit"])
def test_file_that_is_no_prototxt(command, tmp_path, capsys):
    file = tmp_path / "x.prototxt"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    assert main([command, str(file), *["layers"] * (command == "edit")]) == 2
    error = capsys.readouterr().err
    assert f"{file}:1:1" in error and error.count("\n") == 1
    assert file.read_bytes() == b"\x89PNG\r\n\x1a\n\x00"


def test_names_that_are_not_utf_8(tmp_path, capsys):
    file = tmp_path / "latin.prototxt"
    file.write_bytes(INPUT.replace('"a"', '"\xe9"').encode("latin-1") + b'name: "\xff"')
    for ending in ("svg", "mmd", "dot"):
        assert main(["draw", str(file), str(tmp_path / f"net.{ending}")]) == 0
    assert main(["explain", str(file), str(tmp_path / "net.html")]) == 0
    assert b"\\xe9" in (tmp_path / "net.svg").read_bytes()
    other = tmp_path / "other.prototxt"
    other.write_text(INPUT)
    assert run(capsys, "diff", file, other)[0] == run(capsys, "diff", other, file)[0] == 1
    status, out = run(capsys, "show", file, "--format", "json")
    assert status == 0 and (json.loads(out)["name"], json.loads(out)["layers"][0]["name"]) == ("\\xff", "\\xe9")


@pytest.mark.parametrize("command", ["fmt", "lint", "show", "upgrade"])
def test_missing_file(command, tmp_path, capsys):
    assert main([command, str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_whoever_reads_may_stop(file):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "caffe_fcn.cli.main", "show", file], stdout=write,
                          stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": ""}, check=False)
    os.close(write)
    assert done.returncode == 1 and done.stderr == b""


# lint


def test_lint(file, capsys):
    assert run(capsys, "lint", file) == (0, "nothing found\n")
    file.write_text(INPUT + OLD)
    status, out = run(capsys, "lint", file)
    assert status == 1 and "[old-axis] (can be fixed)" in out
    assert run(capsys, "lint", file, "--ignore", "old-axis")[0] == 0
    assert run(capsys, "lint", file, "--only", "unused-top")[0] == 0
    assert run(capsys, "lint", file, "--fail-on", "error")[0] == 0
    assert run(capsys, "lint", "--fix", file) == (0, "nothing found\n")
    assert file.read_text() == INPUT + OLD.replace("concat_dim", "axis")


def test_lint_against_another_net(file, tmp_path, capsys):
    other = tmp_path / "train.prototxt"
    other.write_text(NET.replace("kernel_size: 3", "kernel_size: 5"))
    status, out = run(capsys, "lint", file, "--against", other)
    assert status == 1 and "kernel_size: 3; there kernel_size: 5 [phases-differ]" in out
    assert run(capsys, "lint", file, "--against", file) == (0, "nothing found\n")


def test_lint_formats(file, capsys):
    file.write_text(INPUT + OLD)
    status, out = run(capsys, "lint", file, "--format", "json")
    assert status == 1 and json.loads(out)[0]["rule"] == "old-axis"
    status, out = run(capsys, "lint", file, "--format", "sarif")
    assert status == 1 and json.loads(out)["runs"][0]["results"][0]["ruleId"] == "old-axis"


def test_lint_of_garbage_is_a_finding(tmp_path, capsys):
    file = tmp_path / "x.prototxt"
    file.write_text("layer {")
    status, out = run(capsys, "lint", "--fix", file)
    assert status == 1 and "[unreadable]" in out and file.read_text() == "layer {"


def test_lint_lists_and_explains(capsys):
    status, out = run(capsys, "lint", "--list")
    assert status == 0 and len(out.splitlines()) >= 30
    assert "interpol" not in run(capsys, "lint", "--explain", "deconv-zero")[1]


@pytest.mark.parametrize("arguments", [["lint"], ["lint", "--explain", "no-rule"], ["lint", "x", "--only", "no-rule"]])
def test_wrong_options(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


def test_pre_commit_hooks(root):
    hooks = (root / ".pre-commit-hooks.yaml").read_text()
    for command in ("lint", "fmt"):
        assert f"id: caffe-fcn-{command}\n" in hooks and f"entry: caffe-fcn {command}\n" in hooks


# show and diff


def test_show(file, capsys, root):
    status, out = run(capsys, "show", file, "--size", "20x30")
    assert status == 0 and "1x4x18x28" in out and "total" in out
    status, out = run(capsys, "show", file, "--format", "markdown")
    assert status == 0 and out.startswith("| layer | type | tops |")
    model = root / "models/camvid-fcn8s-small"
    weights = model / "camvid_fcn8s_small.caffemodel"
    status, out = run(capsys, "show", model / "deploy.prototxt", "--weights", weights, "--format", "json")
    values = json.loads(out)
    assert status == 0 and values["weights"][0]["layer"] == "conv1_1" and values["weights"][0]["bad"] == 0
    assert values["total"]["params"] == 1_029_713 and values["layers"][1]["field"] == [3]


def test_show_says_what_is_refused(file, capsys):
    file.write_text(NET.replace("kernel_size: 3", "kernel_size: 30"))
    status, out = run(capsys, "show", file)
    assert status == 1 and "- conv1: a kernel of" in out


def test_diff(file, tmp_path, capsys):
    other = tmp_path / "other.prototxt"
    other.write_text(NET.replace("num_output: 4", "num_output: 5"))
    assert run(capsys, "diff", file, file) == (0, "the nets mean the same\n")
    assert run(capsys, "diff", file, other) == (1, "changed: conv1: convolution_param.num_output 4 -> 5\n")
    status, out = run(capsys, "diff", file, other, "--format", "json")
    assert status == 1 and json.loads(out)[0]["layer"] == "conv1"


def test_diff_of_weights(tmp_path, capsys, root):
    first = root / "models/camvid-fcn8s-small/camvid_fcn8s_small.caffemodel"
    second = tmp_path / "copy.caffemodel"
    shutil.copy(first, second)
    assert run(capsys, "diff", first, second) == (0, "all 33 blobs are equal\n")
    net = caffe_fcn.Net(first.with_name("deploy.prototxt"), caffe_fcn.TEST, weights=first)
    net.params["score_fr"][1].data[3] += 1
    net.save(second)
    status, out = run(capsys, "diff", first, second)
    assert status == 1 and "1 of 33 blobs differ" in out
    assert run(capsys, "diff", first, second, "--tolerance", "1e30")[0] == 0
    status, out = run(capsys, "diff", first, second, "--format", "json", "--all")
    assert status == 1 and len(json.loads(out)) == 33


def test_diff_of_a_net_and_weights(file, capsys):
    with pytest.raises(SystemExit):
        main(["diff", str(file), "x.caffemodel"])
    assert "one file is a net, the other a weight file" in capsys.readouterr().err


# edit


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [(["set", "layer[conv1].convolution_param.num_output", "8"], "num_output: 4", "num_output: 8"),
     (["set", "convolution_param.num_output", "8", "--layers", "conv*"], "num_output: 4", "num_output: 8"),
     (["set", "force_backward", "true"], "# a net\n", "# a net\nforce_backward: true\n"),
     (["set", "layer[data].input_param.shape[0].dim", "1", "3", "16", "17"], "dim: 16 dim: 16", "dim: 16 dim: 17"),
     (["rename-blob", "conv1", "c"], 'top: "conv1"', 'top: "c"'),
     (["rename-layer", "score", "s"], 'name: "score"', 'name: "s"'),
     (["classes", "7"], "num_output: 2", "num_output: 7"),
     (["delete", "top", "--layers", "score", "--force"], '"conv1" top: "score"', '"conv1"')],
)
def test_edit(file, capsys, arguments, old, new):
    assert main(["edit", str(file), *arguments]) == 0
    expected = NET.replace(old, new)
    if arguments[0] == "rename-blob":
        expected = expected.replace('bottom: "conv1"', 'bottom: "c"')
    assert file.read_text() == expected


def test_edit_of_whole_layers(file, tmp_path, capsys):
    layer = tmp_path / "layer.prototxt"
    layer.write_text('layer { name: "relu" type: "ReLU" bottom: "conv1" top: "conv1" }')
    assert main(["edit", str(file), "insert", str(layer), "--after", "conv1"]) == 0
    assert run(capsys, "edit", file, "layers")[1].splitlines()[2] == "relu\tReLU\tconv1 -> conv1"
    assert main(["edit", str(file), "remove", "relu"]) == 0 and file.read_text() == NET
    assert main(["edit", str(file), "move", "score", "--before", "conv1", "--force"]) == 0
    assert main(["edit", str(file), "move", "score", "--after", "conv1"]) == 0
    layer.write_text('layer { name: "score" type: "Softmax" bottom: "conv1" top: "score" }')
    assert main(["edit", str(file), "replace", "score", str(layer)]) == 0
    assert run(capsys, "edit", file, "layers", "--type", "Softmax")[1] == "score\tSoftmax\tconv1 -> score\n"


def test_edit_elsewhere(file, tmp_path, capsys):
    assert run(capsys, "edit", "-o", "-", file, "set", "name", "n")[1].startswith("# a net\nname: \"n\"\n")
    assert "+name: \"n\"" in run(capsys, "edit", "--diff", file, "set", "name", "n")[1]
    assert main(["edit", "-o", str(tmp_path / "out"), str(file), "set", "name", "n"]) == 0
    assert (tmp_path / "out").read_text().startswith("# a net\nname: \"n\"\n")
    assert file.read_text() == NET


def test_edit_to_training_and_back(file, tmp_path, capsys):
    data = tmp_path / "data.prototxt"
    data.write_text('layer { name: "d" type: "MemoryData" top: "data" top: "label" '
                    "memory_data_param { batch_size: 1 channels: 3 height: 3 width: 3 } }")
    assert main(["edit", str(file), "train", str(data), "--ignore-label", "255"]) == 0
    assert 'type: "SoftmaxWithLoss"' in file.read_text() and 'type: "Input"' not in file.read_text()
    assert main(["edit", str(file), "deploy", "--size", "1x3x16x16"]) == 0
    assert run(capsys, "diff", file, file)[0] == 0 and 'type: "MemoryData"' not in file.read_text()


def test_get(file, capsys):
    assert run(capsys, "edit", file, "get", "convolution_param.num_output", "--type", "Convolution") == (0, "4\n2\n")
    assert run(capsys, "edit", file, "get", "name") == (0, "(not given)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["remove", "data"], "refused, as the net would break"), (["remove", "con"], "did you mean 'conv1'"),
     (["set", "layer[conv1].convolution_param.num_output", "x"], "'num_output' takes a number, got 'x'"),
     (["set", "force_backward", "yes"], "takes true or false, got 'yes'"),
     (["set", "nam", "x"], "NetParameter has no field 'nam'; did you mean 'name'"),
     (["set", "layer[conv1].convolution_param.num_outptu", "1"],
      "ConvolutionParameter has no field 'num_outptu'; did you mean 'num_output'"),
     (["classes", "x"], "'x' is not a number of classes"), (["insert", "no-file"], "no file 'no-file'"),
     (["set", "name", "x", "--type", "LSTM"], "no layer is of that name and type"),
     (["deploy"], "no data layer"), (["deploy", "--size", "x"], "is not a size")],
)
def test_edit_refuses(file, capsys, arguments, message):
    assert main(["edit", str(file), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and file.read_text() == NET


# upgrade


def test_upgrade(tmp_path, capsys):
    file = tmp_path / "old.prototxt"
    old = 'input: "d"  # in\ninput_dim: [1, 3, 8, 8]\nlayers { name: "r" type: RELU bottom: "d" top: "r" }  # relu\n'
    file.write_text(old)
    assert run(capsys, "upgrade", "--check", file)[0] == 1 and file.read_text() == old
    assert run(capsys, "upgrade", file, "-o", "-")[1].endswith('type: "ReLU" bottom: "d" top: "r" }  # relu\n')
    assert run(capsys, "upgrade", file)[0] == 0
    new = file.read_text()
    assert new.startswith('layer {\n  name: "input"') and run(capsys, "lint", file)[0] == 0
    assert run(capsys, "upgrade", file)[0] == run(capsys, "upgrade", "--check", file)[0] == 0
    assert file.read_text() == new


def test_upgrade_with_losses(tmp_path, capsys):
    file = tmp_path / "old.prototxt"
    file.write_text("input: 'd' input_dim: [1, 1, 4, 4]\nlayers { layer { name: 'r' type: 'relu' pad: 1 } "
                    "bottom: 'd' top: 'r' }\n")
    assert main(["upgrade", str(file)]) == 1
    assert "field 'pad' does not belong to type 'relu'" in capsys.readouterr().err
    assert 'type: "ReLU"' in file.read_text()


@pytest.mark.parametrize(("command", "count"), [("show", 1), ("diff", 2)])
def test_a_folder_is_no_net(command, count, tmp_path, capsys):
    assert main([command, *[str(tmp_path)] * count]) == 2
    assert "folder" in capsys.readouterr().err
