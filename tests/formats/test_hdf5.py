"""HDF5 weight files in Caffe's layout, and files that only look like them."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from caffe_fcn.errors import FileAccessError, FormatError, MissingFileError, NotSupportedError, WeightsError
from caffe_fcn.formats import hdf5

h5py = pytest.importorskip("h5py")


def arrays(layers):
    return {
        layer.name: [None if blob is None else blob.data.reshape(blob.shape).tolist() for blob in layer.blobs]
        for layer in layers
    }


def test_round_trip(tmp_path):
    names = ["conv", "relu", "inception_3a/1x1", "inception_3a/1x1/bn"]
    blobs = [[np.ones((2, 3), np.float32), np.float32(7)], [], [np.array([1e300])], [np.zeros(2, np.float16)]]
    hdf5.write(tmp_path / "w.h5", names, blobs)
    assert hdf5.is_hdf5(tmp_path / "w.h5")
    assert arrays(hdf5.read(tmp_path / "w.h5")) == {
        "conv": [[[1, 1, 1], [1, 1, 1]], 7],
        "relu": [],
        "inception_3a/1x1": [[1e300]],
        "inception_3a/1x1/bn": [[0, 0]],
    }
    assert os.listdir(tmp_path) == ["w.h5"]


def test_shared_blobs_are_stored_once_but_all_diffs(tmp_path):
    one = np.ones(2, np.float32)
    hdf5.write(
        tmp_path / "w.h5", ["a", "b"], [[one, one], [one, one]], [[one, one]] * 2, shared=lambda i, j: (i, j) == (1, 0)
    )
    assert arrays(hdf5.read(tmp_path / "w.h5")) == {"a": [[1, 1], [1, 1]], "b": [None, [1, 1]]}
    with h5py.File(tmp_path / "w.h5") as file:
        assert sorted(file["diff/b"]) == ["0", "1"]


@pytest.mark.parametrize("file", ["a", "shared"])
def test_files_of_the_original(root, file, tmp_path):
    """Read as the original does, and written again with the same groups, shapes and types."""
    folder = root / "tests" / "data" / "caffemodels"
    expected = np.load(folder / f"load_{file}_h5.npz")
    layers = hdf5.read(folder / f"{file}.caffemodel.h5")
    values = arrays(layers)
    assert any(values.values())
    for name, blobs in values.items():
        for index, blob in enumerate(blobs):
            np.testing.assert_array_equal(np.float32(blob), expected[f"expect:{name}:{index}"])
    blobs = [[blob.data.reshape(blob.shape) for blob in layer.blobs] for layer in layers]
    hdf5.write(tmp_path / "w.h5", [layer.name for layer in layers], blobs)
    assert listing(tmp_path / "w.h5") == listing(folder / f"{file}.caffemodel.h5")


def listing(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: (getattr(item, "shape", 0), getattr(item, "dtype", 0))}))
    return found


@pytest.mark.parametrize("offset", [0, 512, 1024])
def test_signature_after_a_user_block(tmp_path, offset):
    with h5py.File(tmp_path / "w", "w", userblock_size=offset):
        pass
    assert hdf5.is_hdf5(tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"this is no hdf5 file\n" * 100], ids=["empty", "text"])
def test_not_hdf5(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    assert not hdf5.is_hdf5(tmp_path / "w.h5")


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match=r"nowhere\.h5"):
        hdf5.is_hdf5(tmp_path / "nowhere.h5")


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("data/a/0", layout)


BAD = {
    "no data group": (lambda file: file.create_group("model_weights"), "has no group 'data'"),
    "data is a dataset": (lambda file: file.create_dataset("data", data=[1.0]), "has no group 'data'"),
    "other dataset": (
        lambda file: file.create_dataset("data/a/kernel", data=[1.0]),
        "'/data/a/kernel' is not the index",
    ),
    "padded index": (lambda file: file.create_dataset("data/a/00", data=[1.0]), "'/data/a/00' is not the index"),
    "huge index": (lambda file: file.create_dataset("data/a/99999999", data=[1.0]), "is not the index of a blob"),
    "a type": (lambda file: file.__setitem__("data/a/0", np.dtype("f4")), "'/data/a/0' is not the index"),
    "text": (lambda file: file.create_dataset("data/a/0", data="x"), "'/data/a/0' is not an array of numbers"),
    "no values": (lambda file: file.create_dataset("data/a/0", dtype="f4"), "is not an array of numbers"),
    "virtual": (virtual, "keeps its values in another file"),
    "external": (
        lambda file: file.create_dataset("data/a/0", (2,), "f4", external=[("/etc/hostname", 0, 8)]),
        "keeps its values in another file",
    ),
    "external link": (lambda file: file.__setitem__("data/a", h5py.ExternalLink("x.h5", "/")), "leads elsewhere"),
    "soft link": (lambda file: file.__setitem__("data/a", h5py.SoftLink("/data")), "a link that leads elsewhere"),
    "cycle": (lambda file: file.create_group("data/a").__setitem__("b", file["data"]), "'/data/a/b' is linked twice"),
    "huge claim": (lambda file: file.create_dataset("data/a/0", (10**12,), "f4"), "claims 4000000000000 bytes"),
    "huge claim in chunks": (
        lambda file: file.create_dataset("data/a/0", (10**12,), "f4", chunks=(10**6,)),
        "claims 4000000000000 bytes of values but holds 0",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(tmp_path, case):
    make, words = BAD[case]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("first")
        if case not in ("no data group", "data is a dataset"):
            file.create_group("data")
        make(file)
    with pytest.raises(FormatError, match=rf"w\.h5.*{words}"):
        hdf5.read(tmp_path / "w.h5")


def test_cut_short(tmp_path):
    hdf5.write(tmp_path / "w.h5", ["a"], [[np.ones(1000, np.float32)]])
    data = (tmp_path / "w.h5").read_bytes()
    for end in (9, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "w.h5").write_bytes(data[:end])
        with pytest.raises(FormatError, match="cannot be read as HDF5"):
            hdf5.read(tmp_path / "w.h5")


def test_compressed_integers_become_floats(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("data/a/0", data=np.arange(5000), compression="gzip")
    ((_, _, (blob,)),) = hdf5.read(tmp_path / "w.h5")
    assert blob.data.dtype == np.float32
    np.testing.assert_array_equal(blob.data, np.arange(5000))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "a"], "'a' appears twice"),
        ([""], "'' is no name"),
        (["/a"], "'/a' is no name"),
        (["a/./b"], "'a/./b' is no name"),
        (["a", "a/0"], "'a/0' is no name"),
    ],
)
def test_names_that_do_not_fit(tmp_path, names, words):
    (tmp_path / "w.h5").write_bytes(b"old")
    with pytest.raises(WeightsError, match=rf"w\.h5: layer name {words}"):
        hdf5.write(tmp_path / "w.h5", names, [[] for _ in names])
    assert (tmp_path / "w.h5").read_bytes() == b"old"


def test_values_that_do_not_fit(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"old")
    with pytest.raises(WeightsError, match="layer 'a', blob 0: values of type complex128"):
        hdf5.write(tmp_path / "w.h5", ["a"], [[np.zeros(1, complex)]])
    assert (tmp_path / "w.h5").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["w.h5"]


def test_file_that_cannot_grow(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("unable to extend file properly")

    monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises(FileAccessError, match=r"cannot write '.*w\.h5': unable to extend file"):
        hdf5.write(tmp_path / "w.h5", ["a"], [[np.zeros(1, np.float32)]])
    assert os.listdir(tmp_path) == []


def test_without_h5py(tmp_path, monkeypatch):
    (tmp_path / "w.h5").write_bytes(hdf5.SIGNATURE)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for use in (lambda: hdf5.read(tmp_path / "w.h5"), lambda: hdf5.write(tmp_path / "w.h5", [], [])):
        with pytest.raises(NotSupportedError, match=r"w\.h5' is an HDF5 file: pip install caffe_fcn\[hdf5\]"):
            use()
