"""Writing messages as text, in the original's form."""

from __future__ import annotations

import json

import pytest
from google.protobuf.internal import api_implementation

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.text import parse


def test_layout_and_order():
    net = caffe_pb2.NetParameter(name="n", force_backward=False)
    net.layer.add(name="c", top=["a", "b"]).convolution_param.kernel_size.extend([3, 5])
    net.layer.add().pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    net.input.append("i")
    assert to_text(net) == (
        'name: "n"\ninput: "i"\nforce_backward: false\n'
        'layer {\n  name: "c"\n  top: "a"\n  top: "b"\n'
        "  convolution_param {\n    kernel_size: 3\n    kernel_size: 5\n  }\n}\n"
        "layer {\n  pooling_param {\n    pool: AVE\n  }\n}\n"
    )
    assert to_text(caffe_pb2.NetParameter()) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e-8, "1e-08"), (16777217, "16777216"), (1 / 3, "0.333333343"), (1.23456789, "1.23456788"),
     (3.4028234663852886e38, "3.40282347e+38"), (float("inf"), "inf"), (float("-inf"), "-inf"), (float("nan"), "nan"),
     (-0.0, "-0"), (1e6, "1e+06"), (123456, "123456")],
)  # fmt: skip
def test_floats(value, text):
    assert to_text(caffe_pb2.PowerParameter(scale=value)) == f"scale: {text}\n"


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (1 / 3, "0.33333333333333331"), (1e300, "1e+300")])
def test_doubles(value, text):
    assert to_text(caffe_pb2.BlobProto(double_data=[value])) == f"double_data: {text}\n"


def test_strings_are_ascii_with_escapes():
    net = caffe_pb2.NetParameter(name="a\"'\\\n\r\t\0\x7fü")
    assert to_text(net) == r'name: "a\"\'\\\n\r\t\000\177\303\274"' + "\n"
    assert to_text(caffe_pb2.Datum(data=b"\xff 1")) == 'data: "\\377 1"\n'


@pytest.mark.skipif(api_implementation.Type() == "python", reason="protobuf in pure Python holds only UTF-8")
def test_string_that_is_no_utf8():
    net = parse("name: '\\377\\1' '2'", caffe_pb2.NetParameter())
    assert to_text(net) == 'name: "\\377\\0012"\n'
    assert parse(to_text(net), caffe_pb2.NetParameter()) == net


def test_recorded_outputs(shared):
    """The text that the original's tools wrote, byte for byte."""
    for name, message in (("net_upgrades", caffe_pb2.NetParameter), ("solver_upgrades", caffe_pb2.SolverParameter)):
        for row in json.loads((shared / f"golden/protos/{name}.json").read_text(encoding="utf-8")):
            if row.get("output"):
                assert to_text(parse(row["output"], message())) == row["output"], row["name"]
