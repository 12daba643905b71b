"""Weights to and from arrays by name; name maps; files that are not what they say."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from caffe_fcn import TEST, Net
from caffe_fcn.convert import convert
from caffe_fcn.convert.arrays import read_arrays, write_npz
from caffe_fcn.errors import FileAccessError, FormatError, MissingFileError, NotSupportedError, WeightsError

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 6, 6] } } }
layer { name: "conv/a-1" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "scale" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }
layer { name: "fc" type: "InnerProduct" bottom: "a" top: "y" inner_product_param { num_output: 2 bias_term: false } }
"""

PACKAGES = {"safetensors": "safetensors", "h5": "h5py"}  # that an ending needs


@pytest.fixture
def files(tmp_path, make_net):
    """A prototxt and its caffemodel."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(NET)
    make_net(NET).save(str(weights))
    return prototxt, weights


def parameters(prototxt, weights):
    net = Net(str(prototxt), str(weights), TEST)
    return {f"{name}/{i}": blob.data.copy() for name, blobs in net.params.items() for i, blob in enumerate(blobs)}


@pytest.mark.parametrize("ending", ["npz", "safetensors", "h5", "caffemodel"])
def test_there_and_back_without_losing_a_bit(ending, files, tmp_path):
    pytest.importorskip(PACKAGES.get(ending, "numpy"))
    prototxt, weights = files
    middle, back = tmp_path / f"middle.{ending}", tmp_path / "back.caffemodel"
    convert(prototxt, weights, middle)
    convert(prototxt, middle, back)
    expected, found = parameters(prototxt, weights), parameters(prototxt, back)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[key], expected[key]) for key in expected)
    assert {key: array.shape for key, array in read_arrays(middle).items()} == {
        key: array.shape for key, array in expected.items()}


def torch_names(arrays):
    names = {"conv/a-1/0": "conv_a_1.weight", "conv/a-1/1": "conv_a_1.bias", "bn/0": "bn.running_mean",
             "bn/1": "bn.running_var", "scale/0": "scale_weight", "scale/1": "scale_bias", "fc/0": "fc.weight"}
    return {theirs: arrays[ours] for ours, theirs in names.items()}


def test_names_of_torch_are_known(files, tmp_path):
    prototxt, weights = files
    expected = parameters(prototxt, weights)
    write_npz(tmp_path / "torch.npz", {**torch_names(expected), "bn.num_batches_tracked": np.array(7)})
    convert(prototxt, tmp_path / "torch.npz", tmp_path / "back.caffemodel")
    found = parameters(prototxt, tmp_path / "back.caffemodel")
    assert found["bn/2"] == 1
    assert all(np.array_equal(found[key], expected[key]) for key in expected if key != "bn/2")


def test_name_map_renames_reorders_and_fills(files, tmp_path):
    prototxt, weights = files
    expected = parameters(prototxt, weights)
    arrays = {"k": expected["conv/a-1/0"].transpose(2, 3, 1, 0), "b": expected["conv/a-1/1"], "w": expected["fc/0"],
              "m": expected["bn/0"], "v": expected["bn/1"][:, None], "s": expected["scale/0"]}
    table = {"conv/a-1/0": {"name": "k", "axes": [3, 2, 0, 1]}, "conv/a-1/1": "b", "fc/0": "w", "bn/0": "m",
             "bn/1": "v", "bn/2": 1, "scale/0": "s", "scale/1": -0.5}
    write_npz(tmp_path / "w.npz", arrays)
    (tmp_path / "map.json").write_text(json.dumps(table))
    convert(prototxt, tmp_path / "w.npz", tmp_path / "back.caffemodel", names=tmp_path / "map.json")
    found = parameters(prototxt, tmp_path / "back.caffemodel")
    assert np.array_equal(found["conv/a-1/0"], expected["conv/a-1/0"])
    assert np.array_equal(found["bn/1"], expected["bn/1"])
    assert (found["scale/1"] == -0.5).all()


def test_hdf5_of_others_is_read_by_its_paths(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["model/conv/kernel"] = np.arange(6.0).reshape(2, 3)
    arrays = read_arrays(tmp_path / "w.h5")
    assert {name: array.shape for name, array in arrays.items()} == {"model/conv/kernel": (2, 3)}


def problem(arrays, table, files, tmp_path, match, error=WeightsError):
    write_npz(tmp_path / "w.npz", arrays)
    (tmp_path / "map.json").write_text(table if isinstance(table, str) else json.dumps(table))
    with pytest.raises(error, match=match):
        convert(files[0], tmp_path / "w.npz", tmp_path / "out.caffemodel", names=tmp_path / "map.json")
    assert not (tmp_path / "out.caffemodel").exists()


def test_wrong_names_and_shapes(files, tmp_path):
    arrays = torch_names(parameters(*files))
    problem(arrays, {"fc/0": "fc.weights"}, files, tmp_path, r"no array 'fc.weights' for blob fc/0 .*'fc.weight'")
    problem(arrays, {"fd/0": "fc.weight"}, files, tmp_path, "no such layer")
    problem(arrays, {"fc/0": "conv_a_1.weight"}, files, tmp_path, r"\(3, 3, 3, 3\), the net needs \(2, 48\)")
    problem(arrays, {"fc/0": {"name": "fc.weight", "axes": [2, 1, 0]}}, files, tmp_path, "2 axes, the map reorders 3")
    del arrays["bn.running_mean"]
    problem(arrays, {}, files, tmp_path, "no array 'bn/0'")


@pytest.mark.parametrize("table", ["", "[1]", '{"fc/0": null}', '{"fc/0": {"name": "a", "axes": [0, 0]}}',
                                   '{"fc/0": {"axes": [0]}}', '{"fc/0": {"name": "a", "axes": ["1", "0"]}}',
                                   "[" * 100_000])
def test_wrong_maps(table, files, tmp_path):
    problem(torch_names(parameters(*files)), table, files, tmp_path, r"map\.json", FormatError)


def test_a_transposed_weight_is_not_guessed_from_torch_names(tmp_path, make_net):
    text = NET.replace("num_output: 2", "num_output: 2 transpose: true")
    (tmp_path / "net.prototxt").write_text(text)
    net = make_net(text)
    net.save(str(tmp_path / "w.caffemodel"))
    files = tmp_path / "net.prototxt", tmp_path / "w.caffemodel"
    problem(torch_names(parameters(*files)), {}, files, tmp_path, "no array 'fc/0'")


def npz(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def npy(shape, data=b"", descr="<f4"):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


BAD = {
    "cut.npz": lambda path: (npz(path, ("a/0.npy", npy((2,), bytes(8)))), path.write_bytes(path.read_bytes()[:40])),
    "huge.npz": lambda path: npz(path, ("a/0.npy", npy((1 << 40,), bytes(8)))),
    "negative.npz": lambda path: npz(path, ("a/0.npy", npy((-4,), bytes(8)))),
    "text.npz": lambda path: npz(path, ("readme.txt", b"hello")),
    "strings.npz": lambda path: npz(path, ("a/0.npy", npy((1,), bytes(4), "<U1"))),
    "cut.safetensors": lambda path: path.write_bytes((99).to_bytes(8, "little") + b'{"a":'),
    "huge.safetensors": lambda path: path.write_bytes(
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[9999999],"data_offsets":[0,4]}}' + bytes(4)),
    "cut.h5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(30)),
    "cut.caffemodel": lambda path: path.write_bytes(b"\xa2\x06\xff\x01\x0a"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_not_what_they_say(name, files, tmp_path):
    pytest.importorskip(PACKAGES.get(name.rpartition(".")[2], "numpy"))
    BAD[name](tmp_path / name)
    with pytest.raises(FormatError, match=name):
        convert(files[0], tmp_path / name, tmp_path / "out.caffemodel")
    assert not (tmp_path / "out.caffemodel").exists()


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_are_never_read(protocol, files, tmp_path):
    (tmp_path / "w.npz").write_bytes(pickle.dumps({"a": Trap()}, protocol))
    with pytest.raises((NotSupportedError, FormatError), match=r"w\.npz"):
        convert(files[0], tmp_path / "w.npz", tmp_path / "out.caffemodel")


def test_pickles_in_archives_are_never_read(files, tmp_path):
    npz(tmp_path / "w.npz", ("archive/data.pkl", pickle.dumps(Trap())))
    npz(tmp_path / "v.npz", ("a.npy", npy((1,), pickle.dumps(Trap()), "|O")))
    for name in ("w.npz", "v.npz"):
        with pytest.raises(NotSupportedError, match=rf"{name}.*is a pickle"):
            convert(files[0], tmp_path / name, tmp_path / "out.caffemodel")


@pytest.mark.parametrize("content", [NET.encode(), b"", b"\x08\x08\x12\x05torch" * 9, b"\xff\xd8\xff\xe0" * 9,
                                     bytes(64)])
def test_other_files_as_weights(content, files, tmp_path):
    (tmp_path / "w.caffemodel").write_bytes(content)
    with pytest.raises((FormatError, WeightsError), match=r"w\.caffemodel"):
        convert(files[0], tmp_path / "w.caffemodel", tmp_path / "out.onnx")


def test_missing_files_and_unknown_endings(files, tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.npz"):
        convert(files[0], tmp_path / "none.npz", tmp_path / "out.caffemodel")
    with pytest.raises(NotSupportedError, match=r"'\.pb'.*\.onnx"):
        convert(*files, tmp_path / "out.pb")
    with pytest.raises(FileAccessError, match="out"):
        convert(*files, tmp_path / "no" / "out.npz")
