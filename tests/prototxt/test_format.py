"""The one style."""

from __future__ import annotations

import pytest

from caffe_fcn.errors import PrototxtError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.prototxt.format import WIDTH, format_text

MESSY = """

# head

name: 'a' ;


# about layer
layer: < # open
 name: # odd
   'x' # trail
 top: ['a', # one
   'b'] # tr
 convolution_param { pad: [1,2], bias_term: 01  weight_filler < type: "g" "x"
   'y"' min: - # neg
    4 >; }

 pooling_param { pool: 0x1 round_mode: 01 # c
   # end

 }
 # tail

>
layer { } layer [ { name: 'q' }, # k
  { name: 'r' } ] layer []
# end"""
CLEAN = """# head

name: "a"

# about layer
layer {  # open
  # odd
  name: "x"  # trail
  # one
  top: "a"
  top: "b"  # tr
  convolution_param {
    pad: 1
    pad: 2
    bias_term: true
    weight_filler {
      type: "g" "x" 'y"'
      # neg
      min: -4
    }
  }

  pooling_param {
    pool: AVE
    round_mode: FLOOR  # c
    # end
  }
  # tail
}
layer {
}
# k
layer {
  name: "q"
}
layer {
  name: "r"
}
# end
"""


def test_style():
    assert format_text(MESSY) == CLEAN
    assert format_text(CLEAN) == CLEAN


@pytest.mark.parametrize(
    ("text", "formatted"),
    [("", ""), ("# only\n\n\n# this", "# only\n\n# this\n"), ("name:'x'\r\n", 'name: "x"\n'),
     ("layer{relu_param{}}", "layer {\n  relu_param { }\n}\n"),
     ("state { phase: 1 level: 017 }", "state { phase: TEST level: 017 }\n"),
     ("input_dim: [ ]", ""), ("input_dim: [] # why", "# why\n"),
     ("force_backward: t", "force_backward: true\n"), ("force_backward: 0x0", "force_backward: false\n")],
)
def test_small(text, formatted):
    assert format_text(text) == formatted


@pytest.mark.parametrize("length", [WIDTH, WIDTH + 1])
def test_blocks_open_when_they_are_too_long(length):
    short = '  python_param { module: "m" layer: "" }'
    text = f'layer {{ python_param {{ module: "m" layer: "{"x" * (length - len(short))}" }} }}'
    assert len(format_text(text).splitlines()) == (3 if length == WIDTH else 6)


def test_solver():
    text = format_text("net:'a'\n\n\nbase_lr:1e-10# x", caffe_pb2.SolverParameter)
    assert text == 'net: "a"\n\nbase_lr: 1e-10  # x\n'


def test_no_prototxt():
    with pytest.raises(PrototxtError, match="f:1:1"):
        format_text("{", file="f")
