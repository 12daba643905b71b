"""The prototxts of the family are what the programs beside them write."""

from __future__ import annotations

import importlib.util

import pytest
from family import NAMES

import caffe_fcn_models
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.prototxt.format import format_text
from caffe_fcn.prototxt.lint import lint_file
from caffe_fcn_models.blocks import files


def program(name):
    """The module nets.py of a net."""
    spec = importlib.util.spec_from_file_location(f"nets_{name}", caffe_fcn_models.folder(name) / "nets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_family_is_complete():
    assert set(NAMES) == {
        *(f"voc-fcn{kind}" for kind in ("32s", "16s", "8s", "8s-atonce", "-alexnet")),
        *(f"nyud-fcn32s-{kind}" for kind in ("color", "color-d", "hha", "color-hha")),
        *(f"{data}-fcn{stride}s" for data in ("siftflow", "pascalcontext") for stride in (32, 16, 8)),
        "pose-fcn32s", "hed", "depth-fcn",
        "vgg16", "caffenet", "alexnet", "googlenet", "resnet50", "caffenet-full-conv",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_programs_write_what_lies_beside_them(name):
    written = {key: files.text(message) for key, message in program(name).nets().items()}
    present = {file.stem: file.read_text() for file in caffe_fcn_models.folder(name).glob("*.prototxt")}
    assert written == present


@pytest.mark.parametrize("name", ["voc-fcn8s", "siftflow-fcn32s", "hed", "pose-fcn32s", "caffenet", "resnet50"])
def test_files_pass_the_formatter_and_the_linter(name):
    for file in caffe_fcn_models.folder(name).glob("*.prototxt"):
        kind = caffe_pb2.SolverParameter if "solver" in file.stem else caffe_pb2.NetParameter
        assert format_text(file.read_text(), kind) == file.read_text()
        assert [str(finding) for finding in lint_file(str(file)) if not finding.silenced] == []


def test_a_file_gives_a_reason_for_each_rule_that_it_breaks():
    header = (caffe_fcn_models.folder("voc-fcn8s") / "train.prototxt").read_text().split("layer {")[0]
    assert header.splitlines() == [
        "# Written by nets.py.",
        "# lint: ignore-file[deconv-zero] as published: solve.py fills these kernels",
        "# lint: ignore-file[old-normalize] as published",
    ]


def test_a_folder_is_found_by_name():
    assert (caffe_fcn_models.folder("hed") / "deploy.prototxt").is_file()
    with pytest.raises(KeyError, match=r"no model 'voc-fcn4s'; there are alexnet, caffenet"):
        caffe_fcn_models.folder("voc-fcn4s")


def test_write_replaces_files_whole(tmp_path):
    net = caffe_pb2.NetParameter(name="small", layer=[caffe_pb2.LayerParameter(name="x", type="Silence")])
    (tmp_path / "deploy.prototxt").write_text("old")
    files.write(str(tmp_path / "nets.py"), {"deploy": net})
    assert [file.name for file in tmp_path.iterdir()] == ["deploy.prototxt"]
    assert (tmp_path / "deploy.prototxt").read_text() == files.text(net)
