"""ONNX models become nets with the same numbers, or are refused by the name of a node."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from caffe_fcn import TEST, Net
from caffe_fcn.convert import convert_from_onnx
from caffe_fcn.convert.graph import read_graph
from caffe_fcn.errors import CaffeFcnError, FormatError, NotSupportedError, ShapeError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIZES = ("batch", 3, "height", "width")


def constants(**arrays):
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def weights(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def node(op, inputs, output="y", **attributes):
    return helper.make_node(op, inputs.split(), output.split(), f"the-{op}", **attributes)


def save(path, nodes, arrays=None, sizes=SIZES, axes=4, opset=18):
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "model", [tensor("x", TensorProto.FLOAT, sizes)],
                              [tensor("y", TensorProto.FLOAT, [None] * axes)], constants(**(arrays or {})))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def back(tmp_path):
    """Convert a model of these nodes; the net as read from the files, and the differences."""
    def convert_back(nodes, arrays=None, shape=(2, 3, 9, 12), **model):
        path = save(tmp_path / "model.onnx", nodes, arrays, **model)
        files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
        reports = convert_from_onnx(path, *files, {"x": shape})
        assert max(report.worst.relative for report in reports) < 1e-5
        return Net(str(files[0]), str(files[1]), TEST), reports

    return convert_back


MODELS = {
    "conv": (["Conv", "x w b", {"strides": [2, 1], "pads": [1, 0, 1, 0], "dilations": [1, 2]}],
             {"w": weights(4, 3, 3, 2), "b": weights(4)}),
    "conv-groups": (["Conv", "x w", {"group": 3}], {"w": weights(6, 1, 3, 3)}),
    "transposed": (["ConvTranspose", "x w", {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 3}],
                   {"w": weights(3, 2, 4, 4)}),
    "maximum": (["MaxPool", "x", {"kernel_shape": [2, 2], "strides": [2, 2]}], {}),
    "maximum-ceil": (["MaxPool", "x", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}], {}),
    "maximum-padded": (["MaxPool", "x", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}], {}),
    "mean": (["AveragePool", "x", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1],
                                   "count_include_pad": 1}], {}),
    "global": (["GlobalAveragePool", "x", {}], {}),
    "mean-over-plane": (["ReduceMean", "x a", {}], {"a": np.array([-1, -2])}),
    "batch-norm": (["BatchNormalization", "x s b m v", {"epsilon": 0.01}],
                   {"s": weights(3), "b": weights(3), "m": weights(3), "v": np.abs(weights(3)) + 1}),
    "add-channels": (["Add", "x c", {}], {"c": weights(3, 1, 1)}),
    "subtract-number": (["Sub", "x c", {}], {"c": np.float32(104.5)}),
    "divide-channels": (["Div", "x c", {}], {"c": weights(1, 3, 1, 1)}),
    "constant-first": (["Mul", "c x", {}], {"c": weights(3, 1, 1)}),
    "softmax": (["Softmax", "x", {"axis": 1}], {}),
    "clip": (["Clip", "x low high", {}], {"low": np.float32(0), "high": np.float32(6)}),
    "leaky": (["LeakyRelu", "x", {}], {}),
    "prelu": (["PRelu", "x s", {}], {"s": weights(3, 1, 1)}),
    "lrn": (["LRN", "x", {"size": 3, "alpha": 0.1}], {}),
    "negative": (["Neg", "x", {}], {}),
    "channels": (["Slice", "x start end axis", {}],
                 {"start": np.array([1]), "end": np.array([2]), "axis": np.array([1])}),
    "rows-and-columns": (["Slice", "x start end axis", {}],
                         {"start": np.array([1, 0]), "end": np.array([-1, 5]), "axis": np.array([2, 3])}),
}


@pytest.mark.parametrize("case", MODELS)
def test_operation(case, back):
    (op, inputs, attributes), arrays = MODELS[case]
    fixed = case in ("rows-and-columns",)
    back([node(op, inputs, **attributes)], arrays, sizes=(2, 3, 9, 12) if fixed else SIZES)


def test_view_written_by_torch(back):
    """`x.view(x.size(0), -1)` as PyTorch writes it, and a matrix product with its bias apart."""
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["n"]),
             helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
             helper.make_node("Concat", ["n1", "rest"], ["shape"], axis=0),
             helper.make_node("Reshape", ["x", "shape"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["z"]),
             node("Add", "z b")]
    net, _ = back(nodes, {"zero": np.array(0), "axis": np.array([0]), "rest": np.array([-1]), "w": weights(324, 5),
                          "b": weights(5)}, axes=2)
    assert [layer.type for layer in net.layers] == ["Input", "Reshape", "InnerProduct", "Bias"]


def test_crop_to_another_blob(back):
    """Sizes of a blob plus an offset: a Crop layer that follows the input's size."""
    nodes = [helper.make_node("Shape", ["x"], ["size"], start=2), helper.make_node("Add", ["size", "two"], ["end"]),
             helper.make_node("ConvTranspose", ["x", "w"], ["up"], strides=[2, 2]),
             node("Slice", "up start end axes")]
    net, reports = back(nodes, {"two": np.array([2, 2]), "start": np.array([2, 2]), "axes": np.array([2, 3]),
                                "w": weights(3, 3, 4, 4)})
    assert "Crop" in [layer.type for layer in net.layers]
    assert len(reports) == 2


def test_squeeze_and_excite(back):
    nodes = [node("GlobalAveragePool", "x", "m"), node("Sigmoid", "m", "s"), node("Mul", "x s")]
    net, _ = back(nodes)
    assert [layer.type for layer in net.layers][-2:] == ["Flatten", "Scale"]


def test_an_output_that_is_only_renamed_keeps_its_name(back):
    net, _ = back([node("Relu", "x", "z"), node("Identity", "z")])
    assert net.outputs == ["y"]


def test_open_sizes_must_be_given(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Relu", "x")])
    with pytest.raises(ShapeError, match=r"'x' are open.*--input-shape x=1x3x224x224"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    with pytest.raises(ShapeError, match="no inputs \\['z'\\]"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 5, 5), "z": (1,)})
    with pytest.raises(ShapeError, match="does not fit"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 4, 5, 5)})


REFUSED = {
    "asymmetric pads": ([node("Conv", "x w", pads=[0, 0, 1, 1])], {"w": weights(2, 3, 3, 3)}, "symmetric"),
    "automatic pads": ([node("Conv", "x w", auto_pad="SAME_UPPER")], {"w": weights(2, 3, 3, 3)}, "auto_pad"),
    "computed weight": ([node("Relu", "x", "w"), node("Conv", "x w")], {}, "constant"),
    "output padding": ([node("ConvTranspose", "x w", strides=[2, 2], output_padding=[1, 1])],
                       {"w": weights(3, 2, 3, 3)}, "output_padding"),
    "uncounted padding": ([node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {}, "count_include_pad"),
    "odd padding": ([node("MaxPool", "x", kernel_shape=[2, 2], pads=[0, 0, 1, 1])], {}, "do not pad"),
    "indices": ([node("MaxPool", "x", "y i", kernel_shape=[2, 2])], {}, "indices"),
    "lone padding": ([node("Pad", "x p", "z"), node("Relu", "z")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
                     "pads only"),
    "transposition": ([node("Transpose", "x", perm=[0, 2, 3, 1])], {}, "no layer"),
    "unknown size": ([node("Resize", "x a s", mode="nearest")],
                     {"a": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}, "no layer"),
    "first of equals": ([node("ArgMax", "x", "i", axis=1), node("Cast", "i", to=1)], {}, "select_last_index"),
    "broadcast": ([node("ReduceMean", "x a", "m"), node("Sub", "x m")], {"a": np.array([2, 3])}, "cannot be combined"),
    "end of an open axis": ([node("Slice", "x start end axis")],
                            {"start": np.array([1]), "end": np.array([-1]), "axis": np.array([2])}, "from the end"),
    "integers": ([node("Cast", "x", "i", to=7), node("Cast", "i", to=1)], {}, "floats"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_file_and_node(case, tmp_path):
    nodes, arrays, reason = REFUSED[case]
    path = save(tmp_path / "m.onnx", nodes, arrays)
    with pytest.raises(NotSupportedError, match=rf"m\.onnx: node 'the-\w+' \(\w+\): .*{reason}"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)})
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


def test_old_opsets_and_custom_operations_are_refused(tmp_path):
    out = tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)}
    with pytest.raises(NotSupportedError, match="opset is 6"):
        convert_from_onnx(save(tmp_path / "m.onnx", [node("Relu", "x")], opset=6), *out)
    foreign = helper.make_node("Magic", ["x"], ["y"], domain="com.example")
    with pytest.raises(NotSupportedError, match=r"custom operations of com\.example"):
        convert_from_onnx(save(tmp_path / "m.onnx", [foreign]), *out)


def test_weights_in_other_files_are_refused(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Conv", "x w")], {"w": weights(2, 3, 3, 3)})
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(NotSupportedError, match="lies in another file"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)})


def test_damaged_models_are_refused(tmp_path):
    out = tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)}
    path = save(tmp_path / "m.onnx", [node("Conv", "x w")], {"w": weights(2, 3, 3, 3)})
    whole = path.read_bytes()
    model = onnx.load(path)
    model.graph.initializer[0].dims[0] = 1 << 40
    damaged = [b"", b"name: 'net'", whole[:len(whole) // 2], b"\x80\x04" + whole, model.SerializeToString()]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"m\.onnx"):
            convert_from_onnx(path, *out)
    assert not out[0].exists()


def test_every_cut_of_a_model_ends_in_one_clear_error(tmp_path):
    out = tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)}
    path = save(tmp_path / "m.onnx", [node("Conv", "x w", "z"), node("Relu", "z")], {"w": weights(2, 3, 3, 3)})
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises((FormatError, NotSupportedError, ShapeError), match=r"m\.onnx"):
            convert_from_onnx(path, *out)


def test_wrong_bytes_end_in_clear_errors(tmp_path):
    """Some do no harm (weights), the others are one of our errors; seeds that others found are welcome here."""
    out = tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)}
    nodes = [node("Conv", "x w", "z"), helper.make_node("Shape", ["z"], ["s"], start=2),
             node("Slice", "x zero s axes", "c"), node("Flatten", "c")]
    arrays = {"w": weights(2, 3, 3, 3), "zero": np.array([0, 0]), "axes": np.array([2, 3])}
    whole = save(tmp_path / "m.onnx", nodes, arrays, axes=2).read_bytes()
    random = np.random.default_rng(5)
    for _ in range(150):
        data = bytearray(whole)
        data[random.integers(len(data))] = random.integers(256)
        (tmp_path / "m.onnx").write_bytes(data)
        with contextlib.suppress(CaffeFcnError), np.errstate(all="ignore"):
            convert_from_onnx(tmp_path / "m.onnx", *out)


@pytest.mark.parametrize(("attribute", "value"), [
    ("strides", [0, 1]), ("strides", [2**40, 1]), ("kernel_shape", [2**62, 3]), ("kernel_shape", [-1, 3]),
    ("pads", [-1, 0, -1, 0]), ("pads", [2**40, 0, 2**40, 0]), ("strides", [1]), ("pads", [0])])
def test_impossible_numbers(attribute, value, tmp_path):
    attributes = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 0, 0], attribute: value}
    path = save(tmp_path / "m.onnx", [node("MaxPool", "x", **attributes)])
    with pytest.raises((FormatError, NotSupportedError), match=r"m\.onnx"):
        convert_from_onnx(path, tmp_path / "n.prototxt", tmp_path / "n.caffemodel", {"x": (1, 3, 8, 8)})


def test_blobs_keep_the_names_of_values(back):
    net, _ = back([node("Relu", "x", "features/relu_1"), node("Sigmoid", "features/relu_1")])
    assert [value.name for value in read_graph(net).outputs] == ["y"]
    assert "features/relu_1" in net.blobs
