"""Nets as graphs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import caffe
import caffe.draw
from caffe_fcn.cli.main import main
from caffe_fcn.errors import NotSupportedError
from caffe_fcn.proto import caffe_pb2, text

NET = """
name: "tiny net"
layer { name: "in" type: "Input" top: "data/x" }
layer { name: "conv" type: "Convolution" bottom: "data/x" top: "conv" param { lr_mult: 3 }
  convolution_param { num_output: 7 kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 } }
layer { name: "acc" type: "Accuracy" bottom: "pool" top: "acc" include { phase: TEST } }
layer { name: "train" type: "Silence" bottom: "pool" exclude { phase: TEST } }
"""


def graph(rankdir: str = "LR", **options) -> str:
    return caffe.draw.get_pydot_graph(text.parse(NET, caffe_pb2.NetParameter()), rankdir, **options).to_string()


def test_nodes_and_edges() -> None:
    lines = graph().splitlines()
    assert lines[0] == 'digraph "tiny net" {'
    conv = r'"conv\n(Convolution)\nkernel size: 3\nstride: 2\npad: 0"'
    assert f'{conv} [fillcolor="#FF5050", shape=record, style=filled];' in lines
    assert '"data/x" [fillcolor="#E0E0E0", shape=octagon, style=filled];' in lines
    assert f"{conv} -> conv  [label=7];" in lines
    assert r'conv -> "relu\n(ReLU)"  [label=""];' in lines
    assert "acc;" in lines  # nobody takes it
    assert graph().count("conv [") == 1


def test_options() -> None:
    assert r"lr mult: 3.0, 1.0" in graph(display_lrm=True)
    assert '"conv (Convolution) kernel size: 3 stride: 2 pad: 0"' in graph("TB")
    assert "label=7" not in graph(label_edges=False)
    assert ("(Accuracy)" in graph(phase=caffe.TEST), "(Silence)" in graph(phase=caffe.TEST)) == (True, False)
    assert ("(Accuracy)" in graph(phase=caffe.TRAIN), "(Silence)" in graph(phase=caffe.TRAIN)) == (False, True)


def test_include_and_exclude() -> None:
    net = text.parse(NET + "layer { name: 'x' type: 'ReLU' include {} exclude {} }", caffe_pb2.NetParameter())
    with pytest.raises(ValueError, match="'x' has include rules and exclude rules"):
        caffe.draw.get_pydot_graph(net, "LR")


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    picture = tmp_path / "net.dot"
    assert main(["draw-net", str(tmp_path / "net.prototxt"), str(picture), "--rankdir", "TB", "--phase", "TEST"]) == 0
    assert picture.read_text() == graph("TB", phase=caffe.TEST)
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert main(["draw-net", str(tmp_path / "net.prototxt"), str(tmp_path / "net.png")]) == 2
    assert "Graphviz" in capsys.readouterr().err
    assert not (tmp_path / "net.png").exists()
    with pytest.raises(NotSupportedError):
        caffe.draw.draw_net(text.parse(NET, caffe_pb2.NetParameter()), "LR", "svg")
