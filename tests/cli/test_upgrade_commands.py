import subprocess
import sys

import pytest
from google.protobuf import text_format

from caffe_fcn.cli import upgrade_net_proto_binary, upgrade_net_proto_text, upgrade_solver_proto_text
from caffe_fcn.proto import caffe_pb2

OLD = "name: 'n' layers { name: 'r' type: RELU }"
LOSSY = "layers { layer { name: 'r' type: 'relu' group: 4 } }"
MIXED = "layer { name: 'a' } layers { name: 'b' }"


def net_of(text):
    return text_format.Parse(text, caffe_pb2.NetParameter())


@pytest.fixture
def files(tmp_path):
    return tmp_path / "in", tmp_path / "out"


def call(command, *paths):
    return command.main([str(path) for path in paths])


@pytest.mark.parametrize("old, status, new", [
    (OLD, 0, "name: 'n' layer { name: 'r' type: 'ReLU' }"),
    (LOSSY, 1, "layer { name: 'r' type: 'ReLU' }"),
    ("layer { name: 'r' }", 0, "layer { name: 'r' }"),
])  # fmt: skip
def test_nets_in_both_forms(files, old, status, new):
    source, target = files
    source.write_text(old)
    assert call(upgrade_net_proto_text, source, target) == status
    assert net_of(target.read_text()) == net_of(new)
    source.write_bytes(net_of(old).SerializeToString())
    assert call(upgrade_net_proto_binary, source, target) == status
    assert caffe_pb2.NetParameter.FromString(target.read_bytes()) == net_of(new)


def test_solvers(files):
    source, target = files
    source.write_text("solver_type: ADAM")
    assert call(upgrade_solver_proto_text, source, target) == 0
    assert target.read_text() == 'type: "Adam"\n'


def test_a_file_can_be_upgraded_in_place(files):
    source, _ = files
    source.write_text(OLD)
    assert call(upgrade_net_proto_text, source, source) == 0
    assert "ReLU" in source.read_text()


def test_what_is_left_out_is_reported(files, capsys):
    source, target = files
    source.write_text(LOSSY)
    call(upgrade_net_proto_text, source, target)
    assert f"{source}: layer 'r': field 'group' does not belong to type 'relu'" in capsys.readouterr().err


@pytest.mark.parametrize("command, content, words", [
    (upgrade_net_proto_text, MIXED.encode(), "'layer' (current) and 'layers' (old)"),
    (upgrade_net_proto_text, b"\nlayer { nonsense: 1 }", "in:2:"),
    (upgrade_net_proto_text, None, "in"),
    (upgrade_net_proto_binary, b"\x0a\xff", "not a binary NetParameter"),
    (upgrade_net_proto_binary, None, "there is no file"),
    (upgrade_solver_proto_text, b"type: 'SGD' solver_type: SGD", "remove solver_type"),
])  # fmt: skip
def test_failure_leaves_the_old_output_alone(files, capsys, command, content, words):
    source, target = files
    target.write_text("precious")
    if content is not None:
        source.write_bytes(content)
    assert call(command, source, target) == 2
    assert target.read_text() == "precious"
    assert [path.name for path in target.parent.iterdir() if path != source] == ["out"]
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_an_output_folder_that_is_not_there(files, capsys):
    source, _ = files
    source.write_text(OLD)
    assert call(upgrade_net_proto_text, source, source.parent / "absent" / "out") == 2
    assert "absent" in capsys.readouterr().err


def test_two_files_are_needed():
    with pytest.raises(SystemExit) as caught:
        upgrade_net_proto_text.main(["only one"])
    assert caught.value.code == 2


def test_the_commands_start_without_the_engine():
    code = (
        "import sys, caffe_fcn.cli.upgrade_net_proto_text, caffe_fcn.cli.upgrade_net_proto_binary;"
        "sys.exit(' '.join({'numpy', 'numba', 'scipy'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
