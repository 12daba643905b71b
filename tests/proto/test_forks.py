"""Fields of forks: read where Caffe's schema cannot, kept on the way, written again; Caffe's schema stays as it is."""

import copy
import os
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2

from caffe_fcn.errors import PrototxtError
from caffe_fcn.proto import caffe_pb2, forks
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.text import parse
from caffe_fcn.proto.upgrade import upgrade_net

INTERP = "layer { name: 'i' type: 'Interp' bottom: 'x' top: 'y' interp_param { zoom_factor: 8 } }"
CROP = "layers { name: 'a' type: CROP bottom: 'x' bottom: 'y' top: 'z' }"


def read(text, file=None, positions=None):
    return parse(text, caffe_pb2.NetParameter(), file, positions)


def test_caffes_own_messages_have_no_fork_fields():
    assert not hasattr(caffe_pb2.LayerParameter(), "interp_param")
    assert not hasattr(caffe_pb2, "InterpParameter")


def test_numbers_of_forks_do_not_meet_those_of_caffe():
    for name, message in forks.joined().message_types_by_name.items():
        own = getattr(caffe_pb2, name, None)
        for field in message.fields:
            known = own is not None and field.name in own.DESCRIPTOR.fields_by_name
            assert own is None or known == (field.number < forks.FIRST), f"{name}.{field.name}"


def test_fork_fields_survive_copies_bytes_and_text():
    net = read(INTERP)
    for other in (copy.deepcopy(net), caffe_pb2.NetParameter.FromString(net.SerializeToString()), read(to_text(net))):
        assert forks.extended(other.layer[0]).interp_param.zoom_factor == 8
    assert "interp_param {\n    zoom_factor: 8\n  }" in to_text(net)


def test_pure_python_protobuf_does_the_same(root):
    code = ("from tests.proto.test_forks import *; net = read(INTERP); "
            "assert read(to_text(net)) == net and 'zoom_factor: 8' in to_text(net)")
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, check=True)


def test_positions_are_those_of_the_second_reading():
    positions = {}
    read(f"name: 'n'\n{INTERP}", positions=positions)
    assert positions["layer", 0, "interp_param", "zoom_factor"] == (2, 70)


@pytest.mark.parametrize(("fields", "dilation"), [("hole: 4", [4]), ("hole_h: 2 hole_w: 3", [2, 3])])
def test_hole_is_dilation(fields, dilation):
    net = read(f"layer {{ type: 'Convolution' convolution_param {{ {fields} }} }}")
    assert list(net.layer[0].convolution_param.dilation) == dilation
    assert "hole" not in to_text(net)


@pytest.mark.parametrize("fields", ["hole: 4 dilation: 4", "hole: 2 hole_h: 2 hole_w: 2", "hole_h: 2"])
def test_contradicting_holes(fields):
    with pytest.raises(PrototxtError, match=r"^f\.prototxt: give one of 'dilation'"):
        read(f"layer {{ convolution_param {{ {fields} }} }}", "f.prototxt")


def test_files_of_forks_must_agree():
    known, new = descriptor_pb2.FileDescriptorProto(), descriptor_pb2.DescriptorProto(name="M")
    field = new.field.add(name="a", number=1)
    for _ in range(2):
        forks._add(known.message_type, new)
    assert list(known.message_type) == [new]
    field.number = 2
    with pytest.raises(ValueError, match="'a' differently"):
        forks._add(known.message_type, new)


def test_crop_of_v1_is_that_of_the_future_branch():
    net = read(CROP)
    assert upgrade_net(net, "f").complete
    assert net.layer[0].type == "AutoCrop"
    assert "type: CROP" in to_text(read(CROP))


def test_v1_layers_of_forks_are_upgraded():
    net = read("layers { name: 'a' type: BN bottom: 'x' top: 'y' blobs_lr: 2 bn_param { scale_filler { value: 3 } } } "
               "layers { name: 'c' type: CONVOLUTION convolution_param { hole: 2 } }")
    assert upgrade_net(net, "f").complete
    assert [layer.type for layer in net.layer] == ["BN", "Convolution"]
    assert forks.extended(net.layer[0]).bn_param.scale_filler.value == 3
    assert net.layer[0].param[0].lr_mult == 2
    assert list(net.layer[1].convolution_param.dilation) == [2]


@pytest.mark.parametrize(("text", "words"), [
    ("layer { interp_parm { } }", r"1:9: LayerParameter has no field 'interp_parm'"),
    (INTERP + "\nlayer { nam: 'x' }", r"2:9: LayerParameter has no field 'nam'; did you mean 'name'"),
    ("layer { interp_param { heigth: 3 } }", "did you mean 'height'"),
    ("layer { pooling_param { zoom_factor: 3 } }", "PoolingParameter has no field 'zoom_factor'"),
])
def test_typing_errors_are_still_found(text, words):
    with pytest.raises(PrototxtError, match=words):
        read(text)


def test_a_text_without_fork_names_is_read_once(monkeypatch):
    monkeypatch.setattr(forks, "carry", lambda *_: pytest.fail("read again"))
    read("layer { name: 'x' }")
    with pytest.raises(PrototxtError):
        read("layer { unheard_of: 1 }")
