import json
import logging
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.internal import api_implementation

from caffe_fcn.errors import FormatError, MissingFileError, NetError, PrototxtError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.upgrade import (
    net_needs_upgrade,
    read_net,
    read_net_binary,
    read_solver,
    upgrade_net,
    upgrade_solver,
    v0,
    v1,
)

DATA = Path(__file__).parents[1] / "data"
V0_HEAD = "input: 'x' input_dim: 1 input_dim: 1 input_dim: 8 input_dim: 8 "


def rows(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def net_of(text):
    return text_format.Parse(text, caffe_pb2.NetParameter())


def upgraded(text):
    net = net_of(text)
    report = upgrade_net(net, "old.prototxt")
    return net, report


@pytest.mark.parametrize("row", rows("net_upgrades.json"), ids=lambda row: row["name"])
def test_nets_are_upgraded_as_recorded(row):
    if row["output"] is None:
        with pytest.raises(NetError, match=r"old\.prototxt"):
            upgraded(row["input"])
        return
    net, report = upgraded(row["input"])
    assert to_text(net) == row["output"]
    assert report.complete == (row["exit"] == 0)
    assert bool(report.steps) == net_needs_upgrade(net_of(row["input"]))


@pytest.mark.parametrize("row", rows("solver_upgrades.json"), ids=lambda row: row["name"])
def test_solvers_are_upgraded_as_recorded(row):
    solver = text_format.Parse(row["input"], caffe_pb2.SolverParameter())
    if row["output"] is None:
        with pytest.raises(PrototxtError, match=r"old\.prototxt: .* remove solver_type"):
            upgrade_solver(solver, "old.prototxt")
        return
    upgrade_solver(solver, "old.prototxt")
    assert to_text(solver) == row["output"]


def test_every_old_type_and_field_is_known():
    kinds = caffe_pb2.V1LayerParameter.LayerType
    assert set(v1.TYPES) == set(kinds.keys())
    assert set(v0.TYPES.values()) <= set(kinds.keys())
    fields = {field.name for field in caffe_pb2.V0LayerParameter.DESCRIPTOR.fields}
    assert fields == {"type", "hdf5_output_param", *v0.UNUSED, *v0.KEPT, *v0.FIELDS, *v0.TRANSFORMS}


@pytest.mark.parametrize("kind", v0.PARAMS)
def test_every_v0_field_lands_in_the_message_of_its_type(kind):
    for old, (new, kinds) in v0.FIELDS.items():
        if kind in kinds:
            net = caffe_pb2.NetParameter()
            net.layers.add().layer.type = kind
            layer = net.layers[0].layer
            field = layer.DESCRIPTOR.fields_by_name[old]
            if field.message_type:
                getattr(layer, old).type = "given"
            else:
                setattr(layer, old, {field.CPPTYPE_STRING: "given", field.CPPTYPE_ENUM: 1}.get(field.cpp_type, 1))
            value = getattr(layer, old)
            assert v0.apply(net) == []
            got = getattr(getattr(net.layers[0], v0.PARAMS[kind]), new)
            assert (list(got) == [value]) if hasattr(got, "extend") else (got == value), old


def test_v0_drops_the_state_and_input_shapes():
    net, _ = upgraded("name: 'n' state { level: 1 } debug_info: true input_shape { dim: 1 }"
                      "layers { layer { type: 'relu' } }")  # fmt: skip
    assert net == net_of("name: 'n' layer { type: 'ReLU' }")


def test_a_v1_layer_among_v0_layers_keeps_only_its_blobs():
    net, report = upgraded(V0_HEAD + "layers { layer { name: 'r' type: 'relu' } bottom: 'x' top: 'y' }"
                                     "layers { name: 'lost' type: POOLING bottom: 'y' top: 'z' }")  # fmt: skip
    assert net.layer[2] == caffe_pb2.LayerParameter(bottom=["y"], top=["z"])
    assert report.complete


def test_problems_name_layer_field_and_type():
    _, report = upgraded("layers { layer { name: 'r' type: 'relu' num_output: 4 } }")
    assert report.problems == ["layer 'r': field 'num_output' does not belong to type 'relu'; left out"]


@pytest.mark.parametrize("layers, message", [
    ("layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'x' top: 'p' }"
     "layers { layer { name: 'r' type: 'relu' } bottom: 'p' top: 'r' }", "only a conv or pool layer"),
    ("layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'x' top: 'p' }"
     "layers { layer { name: 'c' type: 'conv' } bottom: 'p' bottom: 'x' top: 'c' }", "which must have exactly one"),
    ("layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'x' top: 'p' top: 'q' }"
     "layers { layer { name: 'c' type: 'conv' } bottom: 'p' top: 'c' }", "exactly one bottom and one top"),
    ("layers { layer { name: 'r' type: 'relu' } bottom: 'nope' top: 'r' }", "unknown bottom blob 'nope'"),
    ("layers { layer { name: 'r' type: 'padd' } bottom: 'x' top: 'r' }", "unknown V0 layer type 'padd'"),
])  # fmt: skip
def test_v0_nets_that_make_no_sense(layers, message):
    with pytest.raises(NetError, match=f"old.prototxt: .*{message}"):
        upgraded(V0_HEAD + layers)


def test_the_data_upgrade_touches_all_data_layers_once_one_needs_it():
    net, _ = upgraded("layers { type: DATA data_param { scale: 2 } } layers { type: IMAGE_DATA } layers { type: RELU }")
    data, images, relu = net.layer
    assert data == caffe_pb2.LayerParameter(type="Data", data_param={}, transform_param={"scale": 2})
    assert images == caffe_pb2.LayerParameter(type="ImageData", image_data_param={}, transform_param={})
    assert relu == caffe_pb2.LayerParameter(type="ReLU")


def test_an_empty_parameter_message_survives():
    net, _ = upgraded("layers { type: RELU relu_param { } }")
    assert net.layer[0].HasField("relu_param")


def test_names_that_are_not_utf8_survive(tmp_path):
    if api_implementation.Type() == "python":
        pytest.skip("protobuf in pure Python has no strings that are not UTF-8")
    file = tmp_path / "old.prototxt"
    file.write_text(r"""input: '\377i' input_shape { }
        layers { name: '\377n' type: RELU bottom: ['\377i', 'x'] top: '\377t' param: ['p', '\377p'] }""")
    assert to_text(read_net(file)) == to_text(net_of(r"""layer {
        name: 'input' type: 'Input' top: '@i' input_param { shape { } } } layer { name: '@n' type: 'ReLU'
        bottom: ['@i', 'x'] top: '@t' param { name: 'p' } param { name: '@p' } }""")).replace("@", r"\377")


def test_weights_survive():
    net, _ = upgraded("layers { name: 'a' blobs { num: 1 data: [1, 2] } } layers { name: 'b' }")
    assert net == net_of("layer { name: 'a' blobs { num: 1 data: [1, 2] } } layer { name: 'b' }")


@pytest.mark.parametrize("text, message", [
    ("input: 'a' input: 'b' input_shape { dim: 1 }", "2 input but only 1 input_shape"),
    ("input: 'a' input: 'b' input_dim: [1, 2, 3, 4, 5]", "2 input but only 5 input_dim"),
])  # fmt: skip
def test_inputs_without_enough_dimensions(text, message):
    with pytest.raises(NetError, match=message):
        upgraded(text)


def test_input_shape_wins_over_input_dim():
    net, _ = upgraded("input: 'a' input_dim: [1, 2, 3, 4] input_shape { dim: 7 } input_shape { dim: 8 }")
    assert net == net_of("layer { name: 'input' type: 'Input' top: 'a' input_param { shape { dim: 7 } } }")


def test_an_upgrade_is_done_once():
    net, _ = upgraded(V0_HEAD + "layers { layer { name: 'r' type: 'relu' } bottom: 'x' top: 'y' }")
    assert not net_needs_upgrade(net)
    assert upgrade_net(net, "").steps == []


def test_read_net_upgrades_and_logs_what_is_lost(tmp_path, caplog):
    file = tmp_path / "old.prototxt"
    file.write_text("layers { layer { name: 'r' type: 'relu' group: 4 } }")
    with caplog.at_level(logging.INFO, "caffe_fcn"):
        assert read_net(file) == net_of("layer { name: 'r' type: 'ReLU' }")
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]
    assert "old.prototxt: layer 'r': field 'group'" in caplog.text


def test_errors_of_read_net_name_the_file(tmp_path):
    file = tmp_path / "old.prototxt"
    file.write_text("layers { layer { type: 'wobble' } }")
    with pytest.raises(NetError, match=r"old\.prototxt"):
        read_net(file)
    file.write_text("\nlayer { nonsense: 1 }")
    with pytest.raises(PrototxtError, match=r"old\.prototxt:2:"):
        read_net(file)
    with pytest.raises(MissingFileError, match=r"absent\.prototxt"):
        read_net(tmp_path / "absent.prototxt")


def test_read_net_binary(tmp_path):
    file = tmp_path / "old.caffemodel"
    file.write_bytes(net_of("layers { name: 'r' type: RELU }").SerializeToString())
    assert read_net_binary(file) == net_of("layer { name: 'r' type: 'ReLU' }")


@pytest.mark.parametrize("content, message", [
    (b"\x0a\xff", "not a binary NetParameter"),
    (b"\xa2\x06\x03\xa2\x09\x00", "required fields are missing: layer.*clip_param.*min"),
])  # fmt: skip
def test_read_net_binary_refuses_what_is_no_net(tmp_path, content, message):
    file = tmp_path / "bad.caffemodel"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=rf"bad\.caffemodel.*{message}"):
        read_net_binary(file)


def test_read_net_binary_without_a_file(tmp_path):
    with pytest.raises(MissingFileError, match=r"absent\.caffemodel"):
        read_net_binary(tmp_path / "absent.caffemodel")


@pytest.mark.parametrize("text, prefix", [
    ("", "my.solver"),
    ("snapshot_prefix: 'given'", "given"),
    ("snapshot_prefix: 'folder'", "folder/my.solver"),
    ("snapshot_prefix: ''", ""),
])  # fmt: skip
def test_read_solver_completes_the_snapshot_prefix(tmp_path, monkeypatch, text, prefix):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "my.solver.prototxt").write_text(f"solver_type: ADAM {text}")
    solver = read_solver("my.solver.prototxt")
    assert (solver.type, solver.snapshot_prefix) == ("Adam", prefix)


def test_nets_inside_a_solver_are_not_upgraded(tmp_path):
    file = tmp_path / "solver.prototxt"
    file.write_text("net_param { input: 'x' layers { name: 'r' type: RELU } }")
    assert read_solver(file).net_param == net_of("input: 'x' layers { name: 'r' type: RELU }")
