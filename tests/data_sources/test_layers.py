"""The layers that read files: same numbers with and without prefetching, errors that leave the net usable."""

from __future__ import annotations

import gc
import os

import h5py
import numpy as np
import pytest
from PIL import Image

import caffe
import caffe_fcn
from caffe_fcn.cli import convert_imageset
from caffe_fcn.errors import (
    ArrayError,
    BlobMemoryError,
    FormatError,
    LayerError,
    MissingFileError,
    NetError,
    PrototxtError,
    ShapeError,
)

TOPS = "name: 'data' top: 'data' top: 'label'"
SHUFFLED = "image_data_param { source: 'list.txt' batch_size: 2 shuffle: true rand_skip: 4 }"
SOURCES = {
    "database": "type: 'Data' data_param { source: 'db' batch_size: 4 backend: LMDB prefetch: %d }",
    "images": f"type: 'ImageData' {SHUFFLED} data_param {{ prefetch: %d }}",
    "hdf5": "type: 'HDF5Data' hdf5_data_param { source: 'h5.txt' batch_size: 3 shuffle: true } "
            "data_param { prefetch: %d }",
    "windows": "type: 'WindowData' window_data_param { source: 'windows.txt' batch_size: 5 } "
               "data_param { prefetch: %d }",
}
DRAWS = "transform_param { mirror: true crop_size: 4 mean_value: 9 }"


def layer(fields):
    return f"layer {{ {TOPS} {fields} }}"


def image_layer(fields="", transform=""):
    return layer(f"type: 'ImageData' image_data_param {{ source: 'list.txt' {fields} }} "
                 f"transform_param {{ {transform} }}")


@pytest.fixture
def sources(folder):
    """A database, HDF5 files and a window file besides the images."""
    assert convert_imageset.main(["./", "list.txt", "db"]) == 0
    for i, rows in enumerate((4, 3)):
        with h5py.File(f"{i}.h5", "w") as file:
            file["data"] = np.arange(rows * 2).reshape(rows, 2) + 100 * i
            file["label"] = np.arange(rows) + 100 * i
    (folder / "h5.txt").write_text("0.h5 1.h5")
    (folder / "windows.txt").write_text(
        "".join(f"# {i}\n{name}.png\n3 6 7\n2\n{i + 1} 0.9 0 0 4 4\n0 0.1 2 1 6 5\n" for i, name in enumerate("abc")))
    return folder


@pytest.mark.parametrize("kind", SOURCES)
def test_prefetching_changes_nothing(kind, sources, run):
    text = layer(SOURCES[kind] + ("" if kind == "hdf5" else DRAWS))
    without, ahead = (run(text % depth, 9, caffe.TRAIN) for depth in (0, 3))
    for one, other in zip(without, ahead, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert any((one[0] != without[0][0]).any() for one in without)
    assert any((one[0] != other[0]).any() for one, other in
               zip(without, run(text % 3, 9, caffe.TRAIN, seed=2), strict=True)) or kind == "database"


def test_each_round_of_a_shuffled_list_has_every_image(run):
    fields = "batch_size: 3 shuffle: true"
    labels = [list(pass_[1]) for pass_ in run(image_layer(fields), 6)]
    rounds = [labels[i] + labels[i + 1] for i in (0, 2, 4)]
    assert all(sorted(r) == list(range(10, 16)) for r in rounds)
    assert len({tuple(r) for r in rounds}) > 1


def test_each_round_of_shuffled_hdf5_has_every_row(sources, run):
    labels = [list(p[1]) for p in run(layer(SOURCES["hdf5"].replace("batch_size: 3", "batch_size: 7") % 3), 4)]
    assert all(sorted(r) == [0, 1, 2, 3, 100, 101, 102] for r in labels)
    assert len({tuple(r) for r in labels}) > 1


def test_rand_skip_leaves_out_the_first_images(run):
    firsts = {run(image_layer("rand_skip: 3"), 1, seed=seed)[0][1][0] for seed in range(30)}
    assert firsts == {10, 11, 12}


def test_the_net_takes_the_size_of_each_image(folder, make_net):
    Image.new("RGB", (9, 5)).save("b.png")
    net = make_net(image_layer() + "layer { name: 'p' type: 'Power' bottom: 'data' top: 'p' }")
    shapes = [net.forward()["p"].shape for _ in range(3)]
    assert shapes == [(1, 3, 6, 7), (1, 3, 5, 9), (1, 3, 6, 7)]


def test_crop_allows_different_sizes_in_a_batch(folder, make_net):
    Image.new("RGB", (9, 5)).save("b.png")
    net = make_net(image_layer("batch_size: 2", "crop_size: 4"))
    net.forward()
    assert net.blobs["data"].shape == (2, 3, 4, 4) and not net.blobs["data"].data[1].any()


def test_one_reader_for_two_nets(sources, make_net):
    """Neither library lets a process open a database twice."""
    pytest.importorskip("plyvel")
    assert convert_imageset.main(["-backend=leveldb", "./", "list.txt", "level"]) == 0
    for text in ("source: 'level'", "source: 'db' backend: LMDB"):
        nets = [make_net(layer(f"type: 'Data' data_param {{ batch_size: 1 {text} }}")) for _ in range(2)]
        nets[0].forward()
        for net in nets:
            net.forward()
        assert [net.blobs["label"].data[0] for net in nets] == [11, 10]


def test_a_database_is_free_again_once_its_net_is_gone(sources, make_net):
    plyvel = pytest.importorskip("plyvel")
    convert_imageset.main(["-backend=leveldb", "./", "list.txt", "level"])
    net = make_net(layer("type: 'Data' data_param { batch_size: 1 source: 'level' }"))
    net.forward()
    del net
    gc.collect()
    plyvel.DB("level", create_if_missing=False).close()


# errors

BAD_IMAGES = {
    "missing": (MissingFileError, r"list.txt:2: there is no file 'b.png'"),
    "corrupt": (FormatError, r"list.txt:2: image 'b.png': not an image file"),
    "truncated": (FormatError, r"list.txt:2: image 'b.png': the image is damaged"),
    "size": (ShapeError, r"'data' \(ImageData\): list.txt:2: .*\(3, 5, 9\).*list.txt:1, has \(3, 6, 7\); use batch"),
}


def spoil(kind):
    if kind == "missing":
        os.remove("b.png")
    elif kind == "size":
        Image.new("RGB", (9, 5)).save("b.png")
    else:
        with open("b.png", "r+b") as file:
            content = file.read()
            file.seek(0)
            file.truncate()
            file.write(b"junk" if kind == "corrupt" else content[:-60])


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_costs_its_batch_only(kind, depth, make_net):
    spoil(kind)
    net = make_net(image_layer("batch_size: 2"))
    caffe_fcn.prefetch(net, depth)
    error, message = BAD_IMAGES[kind]
    for _ in range(2):  # in each round
        with pytest.raises(error, match=message):
            net.forward()
        labels = [net.forward()["label"].tolist() for _ in range(2)]
        assert labels == [[12, 13], [14, 15]]


def test_a_bad_record_is_named(sources, make_net):
    import lmdb

    with lmdb.open("db") as env, env.begin(write=True) as transaction:
        transaction.put(b"00000001_b.png", b"\xff\xff\xff")
        transaction.put(b"00000003_d.png", caffe.proto.caffe_pb2.Datum(channels=3, height=5, width=5,
                                                                       data=b"x").SerializeToString())
    net = make_net(layer("type: 'Data' data_param { source: 'db' batch_size: 1 backend: LMDB }"))
    net.forward()
    with pytest.raises(FormatError, match=r"record 1 of 'db' \(key '00000001_b.png'\): not a Datum"):
        net.forward()
    net.forward()
    with pytest.raises(FormatError, match=r"record 3 .*holds 1 values, but says .*\(3, 5, 5\)"):
        net.forward()
    assert net.forward()["label"] == 14


def test_10000_corrupt_images_leak_nothing(folder, make_net):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3000))
    (folder / "list.txt").write_text("a.png 1\n" + "bad.png 2\n" * 2500)
    net = make_net(image_layer("batch_size: 1"))

    def usage():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))

    net.forward()
    seen = []
    for _ in range(4):
        for _ in range(2500):
            with pytest.raises(FormatError):
                net.forward()
        caffe_fcn.prefetch(net, 0)  # no file is open meanwhile
        seen.append(usage())
        caffe_fcn.prefetch(net, 3)
        net.forward()
    assert seen[3][0] - seen[0][0] < 4e6 and seen[3][1] == seen[0][1]


def write_h5(name, **sets):
    with h5py.File(name, "w") as file:
        for key, values in sets.items():
            file[key] = values
    with open("h5.txt", "w") as file:
        file.write(name)


BAD_HDF5 = {
    "missing set": ({"data": [1.0]}, r"bad.h5: has no data set 'label' .* it has \['data'\]"),
    "group": ({"data/x": [1.0], "label": [1.0]}, r"no data set 'data' .*; this is a group"),
    "uneven rows": ({"data": [1.0, 2], "label": [1.0]}, r"bad.h5: .*equally many rows.*'data' 2, 'label' 1"),
    "no rows": ({"data": np.zeros((0, 2)), "label": np.zeros(0)}, r"equally many rows, at least one"),
    "single value": ({"data": 1.0, "label": [1.0]}, r"'data' is a single value"),
    "text": ({"data": [b"x"], "label": [1.0]}, r"'/data' is not an array of numbers"),
}


@pytest.mark.parametrize("kind", BAD_HDF5)
def test_bad_hdf5(kind, make_net):
    sets, message = BAD_HDF5[kind]
    write_h5("bad.h5", **sets)
    with pytest.raises(FormatError, match=message):
        make_net(layer(SOURCES["hdf5"] % 0))


def test_a_later_bad_hdf5_file_costs_one_batch(sources, make_net):
    write_h5("bad.h5", data=[[1.0, 2]])
    (sources / "h5.txt").write_text("0.h5 bad.h5 1.h5")
    net = make_net(layer("type: 'HDF5Data' hdf5_data_param { source: 'h5.txt' batch_size: 2 }"))
    assert [net.forward()["label"].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(FormatError, match=r"bad.h5: has no data set 'label'"):
        net.forward()
    assert net.forward()["label"].tolist() == [100, 101]


def test_a_missing_hdf5_file(sources, make_net):
    (sources / "h5.txt").write_text("none.h5")
    with pytest.raises(MissingFileError, match=r"there is no file 'none.h5' .*, listed in 'h5.txt'"):
        make_net(layer("type: 'HDF5Data' hdf5_data_param { source: 'h5.txt' batch_size: 2 }"))


def test_hdf5_rows_of_another_shape(sources, make_net):
    write_h5("other.h5", data=np.zeros((2, 3)), label=[1.0, 2])
    (sources / "h5.txt").write_text("0.h5 other.h5")
    net = make_net(layer("type: 'HDF5Data' hdf5_data_param { source: 'h5.txt' batch_size: 5 }"))
    with pytest.raises(ShapeError, match=r"other.h5: rows of 'data' have the shape \(3,\), .* \(2,\)"):
        net.forward()


BAD_LAYERS = {
    "type: 'Data' data_param { batch_size: 1 }": (LayerError, "needs 'source'"),
    "type: 'Data' data_param { source: 'db' batch_size: 0 backend: LMDB }": (LayerError, "'batch_size' must be at lea"),
    "type: 'Data' data_param { source: 'none' batch_size: 1 }": (MissingFileError, "there is no database 'none'"),
    "type: 'Data' data_param { source: 'db' batch_size: 1 }": (FormatError, "kind lmdb, not leveldb: in the p"),
    "type: 'Data' data_param { source: 'a.png' batch_size: 1 }": (FormatError, "a leveldb database is a folder"),
    "type: 'ImageData' image_data_param { source: 'none.txt' }": (MissingFileError, "none.txt"),
    "type: 'ImageData' image_data_param { source: 'bad.txt' }": (PrototxtError, "bad.txt:2: expected an image and"),
    "type: 'ImageData' image_data_param { source: 'list.txt' new_height: 3 }": (LayerError, "both or not at all"),
    "type: 'ImageData' image_data_param { source: 'list.txt' rand_skip: 7 }": (LayerError, "lists only 6 images"),
    "type: 'HDF5Data' transform_param { scale: 2 } hdf5_data_param { source: 'h5.txt' batch_size: 1 }":
        (LayerError, "does not transform"),
    "type: 'HDF5Data' hdf5_data_param { source: 'h5.txt' }": (LayerError, "'batch_size' must be at least 1"),
    "type: 'MemoryData' memory_data_param { batch_size: 1 channels: 1 height: 1 }": (LayerError, r"got \(1, 1, 1, 0\)"),
}


@pytest.mark.parametrize("fields", BAD_LAYERS)
def test_bad_layers(fields, sources, make_net):
    (sources / "bad.txt").write_text("a.png 1\nb.png\n")
    error, message = BAD_LAYERS[fields]
    with pytest.raises(error, match=message):
        make_net(layer(fields))


def test_a_prefetch_depth_that_cannot_be_meant(make_net):
    with pytest.raises(LayerError, match=r"'data' .ImageData.: a prefetch depth is 0 .* to 1000, got 4000000000"):
        make_net(image_layer().replace("transform_param", "data_param { prefetch: 4000000000 } transform_param"))


def test_a_batch_that_cannot_fit_is_refused_before_it_is_read(make_net):
    net = make_net(image_layer("batch_size: 4000000000"))
    with pytest.raises(BlobMemoryError, match="smaller"):
        net.forward()


# HDF5Output and MemoryData

OUTPUT = layer(SOURCES["hdf5"] % 0) + "layer { name: 'o' type: 'HDF5Output' bottom: 'data' bottom: 'label' %s }"


def test_hdf5_output(sources, make_net):
    net = make_net(OUTPUT % "hdf5_output_param { file_name: 'out.h5' }")
    net.forward()
    with h5py.File("out.h5") as file:
        assert file["data"].shape == (3, 2, 1, 1) and file["label"].shape == (3, 1, 1, 1)
        assert file["data"].dtype == np.float32
        np.testing.assert_array_equal(file["data"][:, :, 0, 0], net.blobs["data"].data)
    before = (sources / "out.h5").read_bytes()
    with pytest.raises(LayerError, match="holds a batch already"):
        net.forward()
    assert (sources / "out.h5").read_bytes() == before
    with pytest.raises(NetError, match="needs 'file_name'"):
        make_net(OUTPUT % "")


@pytest.fixture
def memory_net(make_net):
    return make_net(layer("type: 'MemoryData' memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 }"))


def test_memory_data_goes_round(memory_net):
    data = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    assert memory_net.blobs["label"].shape == (2,)
    memory_net.set_input_arrays(data, np.arange(4, dtype=np.float32))
    for first in (0, 2, 0):
        out = memory_net.forward()
        np.testing.assert_array_equal(out["data"], data[first:first + 2])
        np.testing.assert_array_equal(out["label"], np.float32([first, first + 1]).reshape(2, 1, 1, 1))


def test_memory_data_needs_arrays(memory_net):
    with pytest.raises(LayerError, match=r"call net.set_input_arrays"):
        memory_net.forward()
    with pytest.raises(ArrayError, match="multiple of batch size, 2; got 0"):
        memory_net.set_input_arrays(np.zeros((0, 1, 2, 3), "f4"), np.zeros(0, "f4"))


@pytest.mark.parametrize("kind", SOURCES)
def test_prefetch_reaches_every_layer(kind, sources, make_net):
    net = make_net(layer(SOURCES[kind] % 4 + ("" if kind == "hdf5" else DRAWS)))
    assert net.layers[0].feed.depth == 4
    caffe_fcn.prefetch(net, 7)
    assert net.layers[0].feed.depth == 7
