"""Reading and changing fields by path."""

from __future__ import annotations

import pytest

from caffe_fcn.errors import NetError, PrototxtError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.prototxt import parse, parse_solver

NET = """# head

name: "n"  # its name
input_dim: [1, 3]

# about data
layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer {  # the first
  name: "conv"
  type: "Convolution"
  bottom: "x"   # odd   blanks
  top: "y"
  convolution_param {
    num_output: 4
    kernel_size: 3  # square
    # no padding
  }
}
"""
CONV = "layer[conv].convolution_param"


def changed_lines(before, after):
    """The lines that differ, old and new, for texts of equal length."""
    return [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]


@pytest.mark.parametrize(
    ("path", "value"),
    [("name", "n"), (f"{CONV}.num_output", 4), (f"{CONV}.kernel_size", [3]), (f"{CONV}.kernel_size[0]", 3),
     ("layer[1].bottom[0]", "x"), (f"{CONV}.pad", None), (f"{CONV}.weight_filler.type", None),
     ("layer[conv].top", ["y"]), ("input_dim[1]", 3), ("input_dim[2]", None)],
)
def test_get(path, value):
    assert parse(NET).get(path) == value


def test_get_message_enum_and_default():
    net = parse("layer { pooling_param { pool: AVE } }")
    assert net.get("layer[0].pooling_param.pool") == "AVE"
    assert net.get("layer[0].pooling_param") == caffe_pb2.PoolingParameter(pool=1)
    assert net.get("layer[0].pooling_param.stride", 7) == 7


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [(f"{CONV}.num_output", 8, "    num_output: 4", "    num_output: 8"),
     (f"{CONV}.kernel_size[0]", 1, "    kernel_size: 3  # square", "    kernel_size: 1  # square"),
     ("name", 'a"b', 'name: "n"  # its name', r'name: "a\"b"  # its name'),
     ("input_dim[0]", 2, "input_dim: [1, 3]", "input_dim: [2, 3]"),
     ("layer[data].input_param.shape[0].dim[2]", 5, None, None)],
)
def test_set_changes_one_line(path, value, old, new):
    net = parse(NET)
    net.set(path, value)
    ((before, after),) = changed_lines(NET, str(net))
    assert (old, new) in ((before, after), (None, None))
    assert net.get(path) == value


@pytest.mark.parametrize(
    ("path", "value", "line", "behind"),
    [(f"{CONV}.stride", 1, "    stride: 1", "    kernel_size: 3  # square"),
     ("layer[conv].param[0].lr_mult", 0.1, "  param { lr_mult: 0.1 }", '  top: "y"'),
     ("layer[conv].phase", "TEST", "  phase: TEST", '  top: "y"'),
     ("force_backward", True, "force_backward: true", "input_dim: [1, 3]"),
     (f"{CONV}.weight_filler", {"type": "xavier"}, '    weight_filler { type: "xavier" }',
      "    kernel_size: 3  # square")],
)
def test_set_of_a_new_field_adds_one_line(path, value, line, behind):
    net = parse(NET)
    net.set(path, value)
    lines = NET.splitlines()
    lines.insert(lines.index(behind) + 1, line)
    assert str(net).splitlines() == lines


def test_set_list_replaces_all_values():
    net = parse("layer { bottom: 'a' bottom: 'b' bottom: 'c' }")
    net.set("layer[0].bottom", ["x", "y"], force=True)
    assert str(net) == 'layer { bottom: "x" bottom: "y" }'


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [("name: 'a'\nforce_backward: true\n", "name", "force_backward: true\n"),
     ("# head\n\n# about a\nname: 'a'\nforce_backward: true\n", "name", "# head\n\nforce_backward: true\n"),
     ("layer {\n  name: 'a'  # gone\n  # gone too\n  type: 'b'  # kept\n}", "layer[0].type", "layer {\n  name: 'a'  "
      "# gone\n}"),
     ("layer { name: 'a' type: 'b' }", "layer[0].name", "layer { type: 'b' }"),
     ("layer { name: 'a' }", "layer[0].name", "layer { }"),
     ("layer { # c\n name: 'a' type: 'b' }", "layer[0].name", "layer { # c\n type: 'b' }"),
     ("input_dim: [1, 2, 3]", "input_dim[1]", "input_dim: [1, 3]"),
     ("input_dim: [1, 2, 3]", "input_dim[0]", "input_dim: [2, 3]"),
     ("input_dim: [1, 2, 3]", "input_dim", "")],
)
def test_delete(before, path, after):
    net = parse(before)
    net.delete(path, force=True)
    assert str(net) == after


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [(f"{CONV}.kernel", 1, "no field 'kernel'; did"), (f"{CONV}.num_output", "a", "'num_output' cannot be 'a'"),
     (f"{CONV}.num_output", -1, "cannot be -1"), (f"{CONV}.engine", "CUDA", "not a value of 'engine'"),
     (f"{CONV}.kernel_size[4]", 1, "has 1 values"), ("layer.name", "a", "there are 2 'layer'; give an index"),
     ("layer[x].name", "a", "no 'layer' is called 'x'"), ("name.x", 1, "is a value, not a block"),
     ("a b", 1, "is not a path"), (f"{CONV}.bias_term", 1, "cannot be 1"), ("name", True, "cannot be True"),
     (f"{CONV}.weight_filler", {"typ": "x"}, "not a FillerParameter")],
)
def test_refused_paths_and_values(path, value, message):
    net = parse(NET)
    with pytest.raises(PrototxtError, match=message):
        net.set(path, value)
    assert str(net) == NET


def test_change_that_breaks_the_net_is_refused_and_undone():
    net = parse(NET)
    layer = net.layer("conv")
    with pytest.raises(NetError, match=r"layer 'conv' \(Convolution\): unknown bottom blob 'z'.*force"):
        layer.set("bottom[0]", "z")
    assert str(net) == NET
    layer.set("bottom[0]", "z", force=True)  # the handle is still good
    assert net.get("layer[conv].bottom[0]") == "z"


def test_transaction_is_checked_at_its_end():
    net = parse(NET)
    with net.transaction():
        net.set("layer[conv].bottom[0]", "z")
        net.set("layer[data].top[0]", "z")
    with pytest.raises(RuntimeError), net.transaction():
        net.set("name", "other")
        raise RuntimeError
    assert net.get("name") == "n"


def test_delete_of_nothing():
    with pytest.raises(PrototxtError, match="there is no 'state' to remove"):
        parse(NET).delete("state")


def test_solver():
    solver = parse_solver("base_lr: 1e-10 # tiny\nmax_iter: 5\n")
    solver.set("max_iter", 10)
    assert str(solver) == "base_lr: 1e-10 # tiny\nmax_iter: 10\n"
    assert solver.get("base_lr") == pytest.approx(1e-10)


def test_save_without_a_file():
    with pytest.raises(ValueError, match="save needs a path"):
        parse(NET).save()
