from __future__ import annotations

import json

import pytest

from caffe_fcn.cli import main as command
from caffe_fcn.zoo.cards import names


def run(capsys, *arguments):
    status = command.main(list(arguments))
    return status, capsys.readouterr().out


def listed(capsys, *arguments):
    status, out = run(capsys, "models", *arguments)
    assert status == 0
    return [line.split()[0] for line in out.splitlines()[1:]]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAFFE_FCN_HOME", str(tmp_path))


def test_all_nets_are_listed(capsys):
    assert listed(capsys) == names()


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--task", "pose"], ["pose-fcn32s"]),
    (["--data", "sift"], ["siftflow-fcn16s", "siftflow-fcn32s", "siftflow-fcn8s"]),
    (["--task", "segmentation", "--data", "nyud", "HHA"], ["nyud-fcn32s-color-hha", "nyud-fcn32s-hha"]),
    (["voc", "AlexNet"], ["voc-fcn-alexnet"]),
])
def test_filters(capsys, arguments, expected):
    assert listed(capsys, *arguments) == expected


def test_nothing_fits(capsys):
    assert run(capsys, "models", "nonsense") == (1, "no net fits; without filters all are listed\n")


def test_a_line_of_the_table(capsys, tmp_path):
    out = run(capsys, "models", "--task", "edges")[1]
    assert " ".join(out.splitlines()[1].split()) == "hed edges BSDS500 14.7 M 198.2 ODS 79.0 % (test) to fetch"
    (tmp_path / "hed").mkdir()
    (tmp_path / "hed/hed_pretrained_bsds.caffemodel").write_bytes(b"")
    assert run(capsys, "models", "--task", "edges")[1].rstrip().endswith("fetched")
    assert run(capsys, "models", "camvid-fcn8s-small")[1].rstrip().endswith("shipped")


def test_json(capsys):
    (card,) = json.loads(run(capsys, "models", "--json", "voc-fcn8s", "once")[1])
    assert card["name"] == "voc-fcn8s-atonce" and card["weights_file"] is None
    assert card["scores"]["seg11valid"]["mean_iu"] == 0.654 and len(card["classes"]) == 21


def test_show_a_net_by_name(capsys):
    status, out = run(capsys, "show", "voc-fcn8s", "--size", "32x32")
    assert status == 0
    facts, _, table = out.partition("\nlayer ")
    assert facts.startswith("voc-fcn8s\n\ntask ")
    assert "404 pixels; predictions every 8 pixels" in facts and "mean IU 65.5 %" in facts
    assert "c449ea74dd7d83751d1357d6a8c323fcf4038962" in facts
    assert "1x21x32x32" in table


def test_show_a_net_by_its_folder(capsys, root):
    assert run(capsys, "show", str(root / "models/hed"))[1].startswith("hed\n")


def test_a_path_wins_over_a_name(capsys, tmp_path, monkeypatch):
    (tmp_path / "hed").write_text('name: "mine" layer { name: "in" type: "Input" top: "data" }')
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "show", "hed")[1].startswith("layer ")


def test_show_as_markdown_and_json(capsys):
    assert run(capsys, "show", "hed", "--format", "markdown")[1].startswith("| hed |  |\n| --- | --- |\n| task |")
    values = json.loads(run(capsys, "show", "hed", "--format", "json")[1])
    assert values["card"]["name"] == "hed" and values["total"]["params"] == 14_717_535


@pytest.mark.parametrize(("argument", "message"), [
    ("hedd", "there is no net 'hedd', and no folder of that name with a card.toml; did you mean 'hed'?"),
    ("hedd.prototxt", "there is no file 'hedd.prototxt'"), ("models/hedd", "there is no file 'models/hedd'")])
def test_neither_a_file_nor_a_name(capsys, argument, message):
    assert command.main(["show", argument]) == 2
    assert message in capsys.readouterr().err
