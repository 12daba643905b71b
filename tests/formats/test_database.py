"""LMDB and LevelDB: written whole or not at all, read safely, shared within the process; datums and means in them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from caffe_fcn.errors import FileAccessError, FormatError, MissingFileError, NotSupportedError
from caffe_fcn.formats import datum, lmdb, mean
from caffe_fcn.formats.database import new_database, open_reader
from caffe_fcn.proto import caffe_pb2

needs_plyvel = pytest.mark.skipif(find_spec("plyvel") is None, reason="needs plyvel")
LEVELDB = pytest.param("leveldb", marks=needs_plyvel)
backends = pytest.mark.parametrize("backend", ["lmdb", LEVELDB])
COUNT = 1234  # more than one commit


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(backend, name="db", count=COUNT, size=50):
    with new_database(backend, name) as writer:
        for i in range(count):
            writer.put(f"{i:08d}", os.urandom(size))
    return name


@backends
def test_write_and_read(backend):
    values = {f"{i:08d}": os.urandom(i % 300) for i in range(COUNT)}
    with new_database(backend, "db") as writer:
        for key in sorted(values, reverse=True):
            writer.put(key, values[key])
    assert os.listdir() == ["db"]
    records = list(open_reader(backend, "db").records())
    assert [key.decode() for key, _ in records] == sorted(values)
    assert {key.decode(): value for key, value in records} == values


def test_a_database_outgrows_its_first_map(monkeypatch):
    monkeypatch.setattr(lmdb, "FIRST_MAP_SIZE", 1 << 16)
    make("lmdb", size=1000)
    assert sum(1 for _ in open_reader("lmdb", "db").records()) == COUNT


@backends
def test_an_error_leaves_no_database(backend):
    with pytest.raises(RuntimeError, match="stop"), new_database(backend, "db") as writer:
        writer.put("a", b"b")
        raise RuntimeError("stop")
    assert os.listdir() == []


@backends
def test_an_existing_database_is_kept(backend, folder):
    make(backend)
    before = {path: path.read_bytes() for path in (folder / "db").iterdir()}
    with pytest.raises(FileAccessError, match="'db' exists already: delete it or choose"), new_database(backend, "db"):
        pass
    assert {path: path.read_bytes() for path in (folder / "db").iterdir()} == before
    with pytest.raises(FileAccessError, match="cannot write the database 'no/db'"), new_database(backend, "no/db"):
        pass


def test_unknown_backend_and_long_keys():
    with pytest.raises(FormatError, match="'hdf5': use lmdb or leveldb"), new_database("hdf5", "db"):
        pass
    with pytest.raises(FormatError, match="keys of 1 to 511 bytes, got 600"), new_database("lmdb", "db") as writer:
        writer.put("x" * 600, b"")
    assert os.listdir() == []


@backends
def test_one_handle_for_all_readers_of_a_process(backend):
    make(backend, count=3)
    first, second = open_reader(backend, "db"), open_reader(backend, "./db")
    assert first is second
    assert [len(list(zip(first.records(), second.records(), strict=True)))] == [3]
    del first, second
    gc.collect()
    make(backend, "other", count=1)
    os.rename("db", "old")
    os.rename("other", "db")
    assert sum(1 for _ in open_reader(backend, "db").records()) == 1


@backends
def test_python_exits_while_a_database_is_read(backend):
    make(backend)
    code = f"""
from caffe_fcn.formats.database import open_reader
class Net: pass
net = Net()
net.reader = open_reader({backend!r}, "db")
net.records = net.reader.records()
next(net.records)
net.cycle = net
print("end")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "end\n"), run.stderr


def test_a_replaced_database_while_the_old_one_is_open():
    make("lmdb", count=2)
    old = open_reader("lmdb", "db")
    make("lmdb", "other", count=3)
    os.replace("other/data.mdb", "db/data.mdb")  # the folder keeps its number, as a new one may get it by chance
    assert [sum(1 for _ in reader.records()) for reader in (old, open_reader("lmdb", "db"))] == [2, 3]


def test_reading_an_lmdb_changes_nothing(folder):
    make("lmdb")
    os.remove("db/lock.mdb")
    os.chmod("db", 0o555)
    list(open_reader("lmdb", "db").records())
    assert os.listdir("db") == ["data.mdb"]


WRONG = {
    "nothing": (MissingFileError, "there is no database 'db'"),
    "file": (FormatError, "'db' is not a database: a .* database is a folder"),
    "empty folder": (FormatError, "'db' holds no .* database: it has no file"),
    "other kind": (FormatError, "is a database of the kind .*: in the prototxt set backend to L"),
}


@pytest.mark.parametrize("kind", WRONG)
@backends
def test_what_is_no_database(kind, backend, folder):
    if kind == "file":
        (folder / "db").touch()
    elif kind == "empty folder":
        (folder / "db").mkdir()
    elif kind == "other kind":
        (folder / "db").mkdir()
        (folder / "db" / {"leveldb": "data.mdb", "lmdb": "CURRENT"}[backend]).touch()
    error, message = WRONG[kind]
    with pytest.raises(error, match=message):
        open_reader(backend, "db")
    if kind == "empty folder":
        assert os.listdir("db") == []


@pytest.mark.parametrize("size", [0, 100, 5000, -4096])
def test_a_truncated_lmdb(size, folder):
    make("lmdb", size=3000)
    with open("db/data.mdb", "r+b") as file:
        file.truncate(size if size >= 0 else os.path.getsize("db/data.mdb") + size)
    with pytest.raises(FormatError, match=r"'db' is (truncated: it uses \d+ bytes|not an LMDB|empty)"):
        open_reader("lmdb", "db")


def test_a_damaged_lmdb_page():
    make("lmdb", size=3000)
    with open("db/data.mdb", "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16 + file.read(0))
        for page in range(2, os.path.getsize("db/data.mdb") // 4096):
            file.seek(4096 * page + 10)
            file.write(b"\0\0")  # no kind of page
    with pytest.raises(FormatError, match="'db' is damaged"):
        list(open_reader("lmdb", "db").records())


def level_file(ending):
    return next(f"db/{name}" for name in sorted(os.listdir("db")) if name.endswith(ending))


@needs_plyvel
@pytest.mark.parametrize("ending", [".log", ".ldb", "CURRENT"])
def test_a_damaged_leveldb(ending):
    make("leveldb", count=200, size=3000)
    if ending == ".ldb":  # they come with the second opening
        list(open_reader("leveldb", "db").records())
        gc.collect()
    name = level_file(ending)
    with open(name, "r+b") as file:
        file.seek(os.path.getsize(name) * 2 // 3)
        file.write(b"xxxx")
    with pytest.raises((FormatError, FileAccessError), match="database 'db'"):
        list(open_reader("leveldb", "db").records())


@needs_plyvel
def test_a_leveldb_in_use_by_another_process():
    make("leveldb", count=1)
    code = "import plyvel\ndb = plyvel.DB('db')\nprint('open', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(FileAccessError, match="'db' is in use by another process"):
            open_reader("leveldb", "db")
        other.communicate(b"\n")
    assert sum(1 for _ in open_reader("leveldb", "db").records()) == 1


@pytest.mark.parametrize(("backend", "library"), [
    ("lmdb", "lmdb"), pytest.param("leveldb", "plyvel", marks=needs_plyvel)])
def test_a_library_that_is_not_installed(backend, library, monkeypatch):
    make(backend, count=1)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotSupportedError, match=rf"need the package {library}: pip install caffe_fcn\[{backend}\]"):
        open_reader(backend, "db")
    with pytest.raises(NotSupportedError, match=rf"caffe_fcn\[{backend}\]"), new_database(backend, "new"):
        pass
    assert os.listdir() == ["db"]


# datums and means

DATUMS = {
    "bytes": ({"channels": 2, "height": 1, "width": 2, "data": b"\0\1\2\3"}, np.uint8([[[0, 1]], [[2, 3]]])),
    "floats": ({"channels": 1, "height": 1, "width": 2, "float_data": [0.5, -1]}, np.float32([[[0.5, -1]]])),
    "both": ({"channels": 1, "height": 1, "width": 1, "data": b"\7", "float_data": [0.5, -1]}, np.uint8([[[7]]])),
}


@pytest.mark.parametrize("kind", DATUMS)
def test_datums(kind):
    fields, expected = DATUMS[kind]
    message = datum.read(caffe_pb2.Datum(**fields).SerializeToString(), "here")
    image = datum.to_array(message, "here")
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(("fields", "message"), [
    ({"channels": 2, "height": 2, "width": 2, "data": b"123"}, "holds 3 values, but says .*an image file"),
    ({"channels": 2, "height": 2, "width": 2}, r"holds 0 values, but says channels, height, width = \(2, 2, 2\)$"),
    ({"channels": -1, "height": -1, "width": 1, "data": b"1"}, "holds 1 values"),
    ({"channels": 2**30, "height": 2**30, "width": 2**30}, "holds 0 values"),
    ({"encoded": True, "data": b"123"}, "not an image file"),
])
def test_bad_datums(fields, message):
    with pytest.raises(FormatError, match=f"^here: {message}"):
        datum.to_array(caffe_pb2.Datum(**fields), "here")


def test_what_is_no_datum():
    with pytest.raises(FormatError, match=r"^here: not a Datum"):
        datum.read(b"\xff\xff", "here")


def test_mean(folder):
    values = np.random.default_rng(0).random((3, 4, 5), np.float32)
    mean.write("mean.binaryproto", values)
    np.testing.assert_array_equal(mean.read("mean.binaryproto"), values)
    blob = caffe_pb2.BlobProto.FromString((folder / "mean.binaryproto").read_bytes())
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 3, 4, 5) and not blob.HasField("shape")
    blob = caffe_pb2.BlobProto(data=values.ravel().tolist())
    blob.shape.dim.extend(values.shape)
    (folder / "mean.binaryproto").write_bytes(blob.SerializeToString())
    np.testing.assert_array_equal(mean.read("mean.binaryproto"), values)


@pytest.mark.parametrize("fields", [{}, {"num": 2, "channels": 1, "height": 1, "width": 1, "data": [1, 2]},
                                    {"num": 1, "channels": 3, "height": 2, "width": 2, "data": [1]}])
def test_bad_means(fields, folder):
    (folder / "mean").write_bytes(caffe_pb2.BlobProto(**fields).SerializeToString())
    with pytest.raises(FormatError, match="mean: is not a mean image"):
        mean.read("mean")
