"""Upgrades in the text give what the original gives, and keep comments."""

from __future__ import annotations

import json

import pytest

from caffe_fcn.errors import CaffeFcnError
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.prototxt.modernise import COMMENTS_LOST, modernise_net, modernise_solver


@pytest.mark.parametrize(
    ("file", "modernise", "message"),
    [("net_upgrades.json", modernise_net, caffe_pb2.NetParameter),
     ("solver_upgrades.json", modernise_solver, caffe_pb2.SolverParameter)],
)
def test_recorded_upgrades(root, file, modernise, message):
    for row in json.loads((root / "tests/data" / file).read_text()):
        if not row["output"]:
            with pytest.raises(CaffeFcnError):
                modernise(row["input"])
            continue
        result = modernise(row["input"])
        assert text.parse(result.text, message()) == text.parse(row["output"], message()), row["name"]
        assert bool(result.problems) == (row["exit"] == 1)
        again = modernise(result.text)
        assert again.text == result.text or "BatchNorm" in row["input"]


V1 = """# my net
name: "old"  # n
input: "data"
input_dim: [1, 3, 8, 8]
# first
layers {
  name: "conv"  # c
  type: CONVOLUTION
  bottom: "data"
  top: "conv"
  blobs_lr: 1
  blobs_lr: 2
  weight_decay: 1
  convolution_param {
    num_output: 4  # four
  }
}
"""
CURRENT = """# my net
name: "old"  # n
layer {
  name: "input"
  type: "Input"
  top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }
}
# first
layer {
  name: "conv"  # c
  type: "Convolution"
  bottom: "data"
  top: "conv"
  param { lr_mult: 1 decay_mult: 1 }
  param { lr_mult: 2 }
  convolution_param {
    num_output: 4  # four
  }
}
"""


def test_comments_of_v1_stay():
    assert modernise_net(V1).text == CURRENT
    assert modernise_net(CURRENT) == (CURRENT, [], [])


def test_v0_says_that_comments_are_lost():
    old = "# head\nname: 'x'\ninput: 'd' input_dim: [1, 1, 4, 4]\n" \
          "layers { layer { name: 'r' type: 'relu' } bottom: 'd' top: 'r' # why\n}\n"
    result = modernise_net(old)
    assert result.problems == [COMMENTS_LOST] and result.text.startswith("# head\n\nname: \"x\"\n")


def test_solver_keeps_comments():
    assert modernise_solver("base_lr: 1 # b\nsolver_type: ADAM # t\n").text == 'base_lr: 1 # b\ntype: "Adam" # t\n'
