"""Binary weight files: every encoding by hand, damage of every kind, and what we write."""

from __future__ import annotations

import os
import random
import time
import tracemalloc

import numpy as np
import pytest

from caffe_fcn.errors import FileAccessError, FormatError, MissingFileError, WeightsError
from caffe_fcn.formats import caffemodel
from caffe_fcn.formats.wire import encode_varint
from caffe_fcn.proto import caffe_pb2

FLOATS = np.array([1.5, -2, 3e38], "<f4").tobytes()
DOUBLES = np.array([1e300, -2, 3], "<f8").tobytes()
UNPACKED_FLOATS = b"".join(b"\x2d" + FLOATS[i : i + 4] for i in (0, 4, 8))
UNPACKED_DOUBLES = b"".join(b"\x41" + DOUBLES[i : i + 8] for i in (0, 8, 16))
SHAPE_13 = b"\x3a\x04\x0a\x02\x01\x03"  # shape { dim: 1 dim: 3 }, packed


def field(tag: bytes, body: bytes) -> bytes:
    return tag + encode_varint(len(body)) + body


def layer(blob: bytes, name: bytes = b"ip") -> bytes:
    """layer { name type: "T" blobs }"""
    return field(b"\xa2\x06", field(b"\x0a", name) + b"\x12\x01T" + field(b"\x3a", blob))


def read(tmp_path, data: bytes):
    (tmp_path / "w.caffemodel").write_bytes(data)
    return caffemodel.read(tmp_path / "w.caffemodel")


# the blob's bytes: its shape, whether that is legacy, its data
BLOBS = {
    "packed": (SHAPE_13 + b"\x2a\x0c" + FLOATS, (1, 3), False, [1.5, -2, 3e38]),
    "unpacked": (b"\x3a\x04\x08\x01\x08\x03" + UNPACKED_FLOATS, (1, 3), False, [1.5, -2, 3e38]),
    "packed then unpacked": (
        SHAPE_13 + b"\x2a\x08" + FLOATS[:8] + b"\x2d" + FLOATS[8:],
        (1, 3),
        False,
        [1.5, -2, 3e38],
    ),
    "unpacked then packed": (
        b"\x2d" + FLOATS[:4] + SHAPE_13 + b"\x2a\x08" + FLOATS[4:],
        (1, 3),
        False,
        [1.5, -2, 3e38],
    ),
    "dims in two pieces": (b"\x3a\x03\x0a\x01\x01\x3a\x02\x08\x03\x2a\x0c" + FLOATS, (1, 3), False, [1.5, -2, 3e38]),
    "doubles": (SHAPE_13 + b"\x42\x18" + DOUBLES, (1, 3), False, [1e300, -2, 3]),
    "unpacked doubles": (SHAPE_13 + UNPACKED_DOUBLES, (1, 3), False, [1e300, -2, 3]),
    "doubles win": (b"\x42\x18" + DOUBLES + b"\x2a\x0c" + FLOATS, (), False, [1e300, -2, 3]),
    "empty doubles do not": (b"\x42\x00\x2a\x0c" + FLOATS, (), False, [1.5, -2, 3e38]),
    "legacy": (b"\x08\x01\x10\x01\x18\x01\x20\x03\x2a\x0c" + FLOATS, (1, 1, 1, 3), True, [1.5, -2, 3e38]),
    "legacy wins": (SHAPE_13 + b"\x20\x03\x2a\x0c" + FLOATS, (0, 0, 0, 3), True, [1.5, -2, 3e38]),
    "negative legacy": (b"\x08" + b"\xff" * 9 + b"\x01", (-1, 0, 0, 0), True, []),
    "negative dim": (b"\x3a\x0b\x08" + b"\xff" * 9 + b"\x01", (-1,), False, []),
    "nothing": (b"", (), False, []),
    "unknown fields": (
        b"\xba\x3e\x02hi\x90\x4d\x05\x9d\x4dabcd\xa1\x4dabcdefgh\xab\x4d\x08\x01\xac\x4d"
        + SHAPE_13
        + b"\x2a\x0c"
        + FLOATS,
        (1, 3),
        False,
        [1.5, -2, 3e38],
    ),
    "known numbers with other wire types": (
        b"\x28\x30" + b"\x0a\x01x" + b"\x38\x07" + SHAPE_13 + b"\x2a\x0c" + FLOATS,
        (1, 3),
        False,
        [1.5, -2, 3e38],
    ),
}


@pytest.mark.parametrize("case", BLOBS)
def test_blob(tmp_path, case):
    data, shape, legacy, values = BLOBS[case]
    ((name, type_, (blob,)),) = read(tmp_path, layer(data))
    assert (name, type_) == ("ip", "T")
    assert (blob.shape, blob.legacy, blob.diff) == (shape, legacy, None)
    np.testing.assert_array_equal(blob.data, np.array(values, blob.data.dtype))


@pytest.mark.parametrize(("tag", "numbers"), [(b"\x32\x0c", FLOATS), (b"\x4a\x18", DOUBLES)])
def test_diff(tmp_path, tag, numbers):
    ((_, _, (blob,)),) = read(tmp_path, layer(SHAPE_13 + tag + numbers))
    assert blob.diff is not None
    assert blob.diff.tobytes() == numbers


def test_packed_data_is_not_copied(tmp_path):
    ((_, _, (blob,)),) = read(tmp_path, layer(SHAPE_13 + b"\x2a\x0c" + FLOATS))
    assert not blob.data.flags.writeable
    assert not blob.data.flags.owndata


BLOB = SHAPE_13 + b"\x2a\x0c" + FLOATS
V1_LAYER = b"\x22\x02ip\x28\x0e" + field(b"\x32", BLOB)  # name, type: INNER_PRODUCT, blobs
V0_LAYER = b"\x0a\x02ip\x12\x0cinnerproduct" + field(b"\x92\x03", BLOB)

GENERATIONS = {
    "current": (layer(BLOB), "T"),
    "V1": (field(b"\x12", V1_LAYER), "InnerProduct"),
    "V1 of a type of a fork": (field(b"\x12", V1_LAYER.replace(b"\x28\x0e", b"\x28\x7f")), "127"),
    "V0": (field(b"\x12", field(b"\x0a", V0_LAYER)), "InnerProduct"),
    "V0 in two pieces": (field(b"\x12", b"\x0a\x04\x0a\x02ip" + field(b"\x0a", V0_LAYER[4:])), "InnerProduct"),
    "V0 reading an input": (b"\x1a\x01x" + field(b"\x12", field(b"\x0a", V0_LAYER) + b"\x12\x01x"), "InnerProduct"),
}


@pytest.mark.parametrize("case", GENERATIONS)
def test_generations(tmp_path, case):
    data, expected_type = GENERATIONS[case]
    ((name, type_, (blob,)),) = read(tmp_path, data)
    assert (name, type_, blob.shape, blob.data.tobytes()) == ("ip", expected_type, (1, 3), FLOATS)


def test_v0_padding_layers_vanish(tmp_path):
    padding = field(b"\x12", field(b"\x0a", b"\x0a\x01p\x12\x07padding"))
    assert [layer.name for layer in read(tmp_path, padding + GENERATIONS["V0"][0])] == ["ip"]


def test_v0_unknown_bottom(tmp_path):
    with pytest.raises(FormatError, match=r"w.caffemodel: layer 'ip' of this V0 file reads the blob 'x', which is"):
        read(tmp_path, field(b"\x12", field(b"\x0a", V0_LAYER) + b"\x12\x01x"))


def test_both_generations(tmp_path):
    with pytest.raises(FormatError, match="both `layer` and `layers`"):
        read(tmp_path, GENERATIONS["current"][0] + GENERATIONS["V1"][0])


def test_empty_file_is_an_empty_net(tmp_path):
    assert read(tmp_path, b"") == []


def test_text_is_an_empty_net(tmp_path, caplog):
    """Its first byte reads as the end of a group, and there the original stops without complaint."""
    assert read(tmp_path, b'layer { name: "fc" }\n') == []
    assert "looks like a text file" in caplog.text


@pytest.mark.parametrize(
    ("data", "offset"),
    [(layer(BLOB) + b"\x6c", len(layer(BLOB))), (field(b"\xa2\x06", b"\x6c"), 3)],
    ids=["after a layer", "inside a layer"],
)
def test_stray_end_group_elsewhere_is_damage(tmp_path, data, offset):
    with pytest.raises(FormatError, match=f"byte {offset}: group 13 ends but never began"):
        read(tmp_path, data)


def test_too_many_axes(tmp_path):
    with pytest.raises(FormatError, match="more than 32 axes"):
        read(tmp_path, layer(field(b"\x3a", field(b"\x0a", b"\x01" * 33))))


def test_too_many_blobs(tmp_path):
    with pytest.raises(FormatError, match="more than 1000 blobs"):
        read(tmp_path, field(b"\xa2\x06", b"\x3a\x00" * 1001))


def test_too_many_layers(tmp_path):
    with pytest.raises(FormatError, match="more than 100000 layers"):
        read(tmp_path, b"\xa2\x06\x00" * 100_001)


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match=r"there is no file '.*nowhere.caffemodel'"):
        caffemodel.read(tmp_path / "nowhere.caffemodel")


def test_folder(tmp_path):
    with pytest.raises(FileAccessError, match="it is a folder"):
        caffemodel.read(tmp_path)


def test_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileAccessError, match="not a regular file"):
        caffemodel.read(tmp_path / "pipe")


def small_file() -> bytes:
    return (
        b"\x0a\x03net" + layer(BLOB) + field(b"\xa2\x06", b"\x0a\x01b" + field(b"\x3a", UNPACKED_FLOATS + b"\x20\x03"))
    )


def reference(data: bytes):
    """What protobuf makes of `data`: the layers' names and values, or None where it refuses."""
    net = caffe_pb2.NetParameter()
    try:
        net.ParseFromString(data)
    except Exception:
        return None

    def text(name: str | bytes) -> str:  # protobuf gives bytes where they are not UTF-8
        return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")

    return [(text(layer.name), [list(blob.double_data or blob.data) for blob in layer.blobs]) for layer in net.layer]


def loaded(tmp_path, data: bytes):
    """The same from our reader."""
    try:
        layers = read(tmp_path, data)
    except FormatError:
        return None
    return [(name, [blob.data.tolist() for blob in blobs]) for name, _, blobs in layers]


def test_cut_at_every_byte(tmp_path):
    data = small_file()
    for end in range(len(data) + 1):
        assert loaded(tmp_path, data[:end]) == reference(data[:end]), end


def test_flipped_bits(tmp_path):
    """Never another exception than FormatError; whatever protobuf accepts loads as the same layers."""
    pick = random.Random(1)
    data = small_file()
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(pick.choice((1, 1, 3))):
            damaged[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
        ours, theirs = loaded(tmp_path, bytes(damaged)), reference(bytes(damaged))
        if theirs is not None:
            assert ours is not None
            assert [name for name, _ in ours] == [name for name, _ in theirs]
            np.testing.assert_array_equal(
                np.concatenate([[], *(v for _, blobs in ours for v in blobs)]),
                np.concatenate([[], *(v for _, blobs in theirs for v in blobs)]),
            )


@pytest.mark.parametrize("length", [2**31 - 1, 2**32, 2**63, 2**64 - 1])
def test_claimed_lengths_allocate_nothing(tmp_path, length):
    huge = encode_varint(length)
    tracemalloc.start()
    for data in (b"\xa2\x06" + huge, layer(b"\x2a" + huge), layer(b"\x3a" + huge), b"\x12" + huge):
        with pytest.raises(FormatError):
            read(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_more_than_two_gigabytes(tmp_path):
    """A sparse file with one blob of 3 GB of zeros and a layer behind it; only its headers are read."""
    count = 750_000_000
    blob_head = field(b"\x3a", field(b"\x0a", encode_varint(count))) + b"\x2a" + encode_varint(4 * count)
    layer_head = b"\x0a\x03big\x3a" + encode_varint(len(blob_head) + 4 * count) + blob_head
    head = b"\xa2\x06" + encode_varint(len(layer_head) + 4 * count) + layer_head
    path = tmp_path / "big.caffemodel"
    path.write_bytes(head)
    os.truncate(path, len(head) + 4 * count)
    with open(path, "ab") as file:
        file.write(layer(BLOB))
    begin = time.perf_counter()
    big, small = caffemodel.read(path)
    assert time.perf_counter() - begin < 0.1
    assert big.blobs[0].data.shape == big.blobs[0].shape == (count,)
    assert small.blobs[0].data.tobytes() == FLOATS


def test_written_file_is_the_message_with_blobs(tmp_path):
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="ip", type="InnerProduct", bottom=["x"], top=["y"], phase=caffe_pb2.TEST)
    net.layer.add(name="relu", type="ReLU")
    weights = np.arange(6, dtype=np.float32).reshape(2, 3).T  # not in C order
    scalar, doubles = np.array(7, np.float32), np.array([1e300])
    blobs = [[weights, scalar, doubles], []]
    caffemodel.write(tmp_path / "w", net, blobs, diffs=[[2 * weights, 2 * scalar, doubles], []])
    expected = caffe_pb2.NetParameter()
    expected.CopyFrom(net)
    expected.layer[0].blobs.add(shape={"dim": [3, 2]}, data=weights.ravel(), diff=2 * weights.ravel())
    expected.layer[0].blobs.add(data=[7], diff=[14])
    expected.layer[0].blobs.add(shape={"dim": [1]}, double_data=doubles, double_diff=doubles)
    assert caffe_pb2.NetParameter.FromString((tmp_path / "w").read_bytes()) == expected
    layers = caffemodel.read(tmp_path / "w")
    assert [(layer.name, layer.type) for layer in layers] == [("ip", "InnerProduct"), ("relu", "ReLU")]
    for blob, array in zip(layers[0].blobs, blobs[0], strict=True):
        np.testing.assert_array_equal(blob.data.reshape(blob.shape), array)


def test_refused_write_leaves_the_old_file(tmp_path):
    (tmp_path / "w").write_bytes(b"old")
    net = caffe_pb2.NetParameter()
    net.layer.add(name="a")
    net.layer.add(name="b")
    with pytest.raises(WeightsError, match="layer 'b', blob 0: values of type int64"):
        caffemodel.write(tmp_path / "w", net, [[np.zeros(3, np.float32)], [np.zeros(3, np.int64)]])
    assert (tmp_path / "w").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["w"]


def test_message_with_blobs_is_refused(tmp_path):
    net = caffe_pb2.NetParameter()
    net.layer.add(name="a").blobs.add(data=[1])
    with pytest.raises(ValueError, match="layer 'a' of the message holds blobs"):
        caffemodel.write(tmp_path / "w", net, [[np.zeros(1, np.float32)]])


@pytest.mark.parametrize("file", ["a", "v0_fc_legacy", "v1_fc_shape", "raw_mixed"])
def test_files_of_the_original(root, file):
    """The blobs of real files are those that the original loaded from them."""
    folder = root / "tests" / "data" / "caffemodels"
    expected = np.load(folder / f"load_{file}.npz")
    layers = [layer for layer in caffemodel.read(folder / f"{file}.caffemodel") if layer.blobs]
    assert layers
    for name, _, blobs in layers:
        for index, blob in enumerate(blobs):
            wanted = expected[f"expect:{name}:{index}"]
            np.testing.assert_array_equal(blob.data.reshape(wanted.shape).astype(np.float32), wanted)
