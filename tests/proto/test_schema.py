"""The message classes: that they are the schema's, behave as generated ones and clash with nobody."""

from __future__ import annotations

import copy
import os
import pickle
import struct
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2, text_format

from caffe_fcn.proto import caffe_pb2, schema

IMPLEMENTATIONS = ["upb", "python"]

FOREIGN = """
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
message = file.message_type.add(name="LayerParameter")
message.field.add(name="their_param", number=100, type=9, label=1)
descriptor_pool.Default().Add(file)
theirs = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("caffe.LayerParameter"))
"""
OWN = """
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse
"""
USE = """
assert theirs(their_param="x").their_param == "x"
layer = parse("name: 'a' pooling_param { pool: AVE stride: 2 }", caffe_pb2.LayerParameter())
assert caffe_pb2.LayerParameter.FromString(layer.SerializeToString()) == layer
assert not hasattr(layer, "their_param")
"""


def run_python(code: str, implementation: str) -> None:
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def normal(data: bytes) -> descriptor_pb2.FileDescriptorSet:
    """A descriptor set whose float defaults are spelled alike, which versions of protoc do not."""
    files = descriptor_pb2.FileDescriptorSet.FromString(data)
    for message in (message for file in files.file for message in file.message_type):
        for field in message.field:
            if field.type == field.TYPE_FLOAT and field.default_value:
                field.default_value = struct.pack("<f", float(field.default_value)).hex()
    return files


def test_descriptor_is_that_of_the_proto_file():
    pytest.importorskip("grpc_tools")
    from caffe_fcn.proto import compile

    for target, sources in compile.TARGETS.items():
        assert normal(target.read_bytes()) == normal(compile.compile_proto(*sources))


def test_compile_refuses_a_broken_proto_file(tmp_path):
    pytest.importorskip("grpc_tools")
    from caffe_fcn.proto import compile

    (tmp_path / "broken.proto").write_text("message {")
    with pytest.raises(ValueError, match="protoc refuses"):
        compile.compile_proto(tmp_path / "broken.proto")


@pytest.mark.parametrize(
    ("message", "count", "numbers"),
    [
        ("LayerParameter", 60, {"phase": 10, "propagate_down": 11, "transform_param": 100, "window_data_param": 129,
                                "python_param": 130, "batch_norm_param": 139, "crop_param": 144, "clip_param": 148}),
        ("V1LayerParameter", 43, {"layer": 1, "type": 5, "param": 1001, "blob_share_mode": 1002, "loss_param": 42}),
        ("V0LayerParameter", 38, {"k": 22, "blobs": 50, "concat_dim": 65, "hdf5_output_param": 1001}),
        ("SolverParameter", 42, {"net": 24, "type": 40, "layer_wise_reduce": 41, "weights": 42, "iter_size": 36}),
        ("NetParameter", 9, {"layer": 100, "layers": 2, "input": 3, "input_dim": 4, "input_shape": 8}),
        ("BlobProto", 9, {"num": 1, "data": 5, "diff": 6, "shape": 7, "double_data": 8, "double_diff": 9}),
        ("ConvolutionParameter", 18, {"group": 5, "stride": 6, "dilation": 18, "engine": 15}),
    ],
)  # fmt: skip
def test_field_numbers(message, count, numbers):
    fields = getattr(caffe_pb2, message).DESCRIPTOR.fields_by_name
    assert {name: fields[name].number for name in numbers} == numbers
    assert len(fields) == count


def test_the_schema_is_complete():
    assert len(schema.FILE.message_types_by_name) == 63
    assert sum(len(message.fields) for message in schema.FILE.message_types_by_name.values()) == 423
    assert len(caffe_pb2.V1LayerParameter.LayerType.keys()) == 40


def test_real_weight_files_hold_nothing_unknown(shared):
    unknown_fields = pytest.importorskip("google.protobuf.unknown_fields")
    for name in ("a", "many", "bn_specs", "with_diff", "v1_fc_legacy", "v0_fc_legacy", "v2_double"):
        net = caffe_pb2.NetParameter.FromString((shared / "golden/caffemodels" / f"{name}.caffemodel").read_bytes())
        messages = [net, *net.layer, *net.layers, *(value for layer in net.layer for _, value in layer.ListFields())]
        for message in messages:
            if hasattr(message, "DESCRIPTOR"):
                assert len(unknown_fields.UnknownFieldSet(message)) == 0, (name, message)


def test_module_has_what_a_generated_one_has():
    assert caffe_pb2.Phase.Value("TEST") == caffe_pb2.TEST == 1
    assert caffe_pb2.TRAIN == 0
    assert caffe_pb2.PoolingParameter.AVE == caffe_pb2.PoolingParameter.PoolMethod.Value("AVE") == 1
    assert caffe_pb2.V1LayerParameter.LayerType.Name(4) == "CONVOLUTION"
    assert caffe_pb2.DESCRIPTOR.package == "caffe"
    assert caffe_pb2.LayerParameter.__module__ == "caffe_fcn.proto.caffe_pb2"
    assert caffe_pb2.SolverParameter().solver_mode == caffe_pb2.SolverParameter.GPU


def test_messages_copy_pickle_and_print():
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="p").pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    assert type(net.layer[0].pooling_param) is caffe_pb2.PoolingParameter
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)),
                 text_format.Parse(text_format.MessageToString(net), caffe_pb2.NetParameter())):  # fmt: skip
        assert twin == net
        assert type(twin) is caffe_pb2.NetParameter


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("code", [FOREIGN + OWN + USE, OWN + FOREIGN + USE], ids=["theirs first", "ours first"])
def test_another_caffe_proto_in_the_default_pool(code, implementation):
    run_python(code, implementation)
