"""The whole way through files, and the command."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from caffe_fcn import TEST, Net
from caffe_fcn.cli.main import main
from caffe_fcn.convert import ConversionError, convert, convert_from_onnx
from caffe_fcn.convert.check import compare
from caffe_fcn.convert.graph import read_graph
from caffe_fcn.errors import BlobMemoryError, FileAccessError, NetError, NotSupportedError

NET = """
name: "small"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 20, 24] } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 pad: 10 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool1" top: "pool1" }
layer { name: "up" type: "Deconvolution" bottom: "pool1" top: "up"
        convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 bias_term: false } }
layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score" crop_param { axis: 2 offset: 9 } }
"""


@pytest.fixture
def files(tmp_path, make_net):
    (tmp_path / "net.prototxt").write_text(NET)
    make_net(NET).save(str(tmp_path / "net.caffemodel"))
    return tmp_path / "net.prototxt", tmp_path / "net.caffemodel"


def test_to_onnx_and_back(files, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    reports = convert(*files, tmp_path / "net.onnx")
    assert [difference.blob for difference in reports[0].differences] == [
        "conv1@conv1", "conv1", "pool1@pool1", "pool1", "up", "score"]
    model = onnx.load(tmp_path / "net.onnx")
    assert [entry.version for entry in model.opset_import] == [18]
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", 3, "height", "width"]
    again = tmp_path / "again.prototxt", tmp_path / "again.caffemodel"
    assert len(convert_from_onnx(tmp_path / "net.onnx", *again)) == 2  # the sizes are those recorded in the file
    x = np.random.default_rng(1).standard_normal((1, 3, 20, 24))
    results = []
    for prototxt, weights in (files, again):
        net = Net(str(prototxt), str(weights), TEST)
        net.blobs["data"].data[...] = x
        results.append(net.forward()["score"].copy())
    assert np.array_equal(*results)


def test_torch_source_runs_by_itself(files, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    reports = convert(*files, tmp_path / "net.py")
    assert max(report.worst.relative for report in reports) < 1e-5
    program = ("import sys, net, torch; model = net.load('net.safetensors'); "
               "print({k: tuple(v.shape) for k, v in model(torch.zeros(1, 3, 33, 47)).items()}, "
               "'caffe_fcn' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'score': (1, 4, 33, 47)} False", torch.__version__


def test_without_torch_the_module_is_written_unchecked(files, tmp_path, monkeypatch, caplog):
    pytest.importorskip("safetensors")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert convert(*files, tmp_path / "net.py") == []
    assert "not checked" in caplog.text
    assert (tmp_path / "net.safetensors").exists()


def test_without_onnx_the_extra_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(NotSupportedError, match=r"pip install caffe_fcn\[convert\]"):
        convert(*files, tmp_path / "net.onnx")


def test_layers_without_weights_are_told(files, tmp_path, caplog):
    files[0].write_text(NET.replace('"up"', '"upscore"'))
    convert(*files, tmp_path / "net.npz")
    assert "has no weights for upscore: their fillers' values are converted" in caplog.text


def test_too_large_a_difference_writes_nothing(files, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ConversionError, match=r"'\w+' differs by .* above the tolerance"):
        convert(*files, tmp_path / "net.onnx", tolerance=-1)
    assert not (tmp_path / "net.onnx").exists()


def wrong(graph, change):
    """A runner that gives the right shapes, and all zeros but for what `change` does to them."""
    def run(inputs):
        results = {"score": np.zeros((*inputs["data"].shape[:1], 4, *inputs["data"].shape[2:]), np.float32)}
        change(results)
        return results
    return run


@pytest.mark.parametrize(("change", "match"), [
    (lambda results: None, "'score' differs by 1.00e"),
    (lambda results: results["score"].fill(np.nan), "'score' differs by nan"),
    (lambda results: results.update(score=results["score"][:, :3]), "has the shape"),
    (lambda results: results.clear(), "lacks the outputs"),
])
def test_wrong_results_are_found(change, match, make_net):
    net = make_net(NET)
    graph = read_graph(net)
    with pytest.raises(ConversionError, match=match):
        compare(net, graph, wrong(graph, change))


def test_command(files, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    arguments = [str(files[0]), str(files[1]), str(tmp_path / "out.onnx"), "--input-shape", "data=1x3x15x18"]
    assert main(["convert", *arguments]) == 0
    output = capsys.readouterr().out
    assert "with data 1x3x15x18" in output
    assert "score" in output and "largest relative difference is" in output.splitlines()[-1]
    again = [str(tmp_path / "out.onnx"), str(tmp_path / "b.prototxt"), str(tmp_path / "b.caffemodel")]
    assert main(["convert", *again]) == 0
    assert "dim: 15" in (tmp_path / "b.prototxt").read_text()


def test_command_says_in_one_line_what_is_wrong(files, tmp_path, capsys):
    assert main(["convert", str(files[1]), str(files[0]), str(tmp_path / "out.npz")]) == 2
    assert main(["convert", str(files[0]), str(files[1]), str(tmp_path / "out.xyz")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
    with pytest.raises(SystemExit):
        main(["convert", *map(str, files), str(tmp_path / "out.npz"), "--input-shape", "1x3"])


def test_no_file_of_the_command_is_overwritten(files, tmp_path):
    onnx = tmp_path / "net.onnx"
    onnx.write_bytes(b"as it was")
    arrays = tmp_path / "net.safetensors"
    arrays.write_bytes(b"as it was")
    for out, to in ((files[0], "npz"), (files[1], "npz"), (arrays, "torch")):
        with pytest.raises(FileAccessError, match="another file of the same command"):
            convert(*files, out, to)
    with pytest.raises(FileAccessError, match="another file of the same command"):
        convert(files[0], arrays, tmp_path / "net.py")
    for net, weights in ((tmp_path / "a", onnx.with_suffix(".caffemodel")), (onnx, tmp_path / "b.h5")):
        onnx.with_suffix(".caffemodel").unlink(missing_ok=True)
        onnx.with_suffix(".caffemodel").symlink_to(onnx)
        with pytest.raises(FileAccessError, match="another file of the same command"):
            convert_from_onnx(onnx, net, weights)
    with pytest.raises(NotSupportedError, match="becomes a prototxt with a"):
        convert_from_onnx(onnx, tmp_path / "a", tmp_path / "b.npz")
    assert onnx.read_bytes() == arrays.read_bytes() == b"as it was"


def test_input_shapes_that_do_not_fit(files, tmp_path):
    with pytest.raises(BlobMemoryError, match="random inputs of data 1x3x99999999x99999999 need"):
        compare(None, None, None, sizes=[{"data": (1, 3, 99999999, 99999999)}])
    with pytest.raises(NetError, match="no input 'x'"):
        convert(*files, tmp_path / "net.npz", input_shapes={"x": (1, 3, 4, 4)})
    with pytest.raises(NetError, match="does not take"):
        convert(*files, tmp_path / "net.npz", input_shapes={"data": (1, 4, 20, 20)})
