"""What the original's data layers gave, from copies of its files; all recordings where the extra data is there."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import caffe

HAS_LEVELDB = find_spec("plyvel") is not None
COPIES = Path(__file__).parent.parent / "data" / "data_sources"
EXACTLY_THE_PIXELS = {"rtol": 1e-6, "atol": 1e-6}  # mean and scale may be applied in another order


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory):
    """A function that copies a folder once: opening a LevelDB changes its files."""
    copies = {}

    def copy(source):
        if source not in copies:
            copies[source] = tmp_path_factory.mktemp("data") / "copy"
            shutil.copytree(source, copies[source])
            for path in copies[source].rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
        return copies[source]

    return copy


def replay(file, folder, monkeypatch):
    if "leveldb" in file.stem and not HAS_LEVELDB:
        return
    monkeypatch.chdir(folder)
    case = np.load(file)
    Path("net.prototxt").write_text(str(case["net"]))
    net = caffe.Net("net.prototxt", int(case["phase"]))
    for key in case.files:
        if key.startswith("setup_shape:"):
            assert list(net.blobs[key.split(":")[1]].shape) == case[key].tolist()
    if "arrays:data" in case:
        net.set_input_arrays(case["arrays:data"], case["arrays:labels"])
    for i in range(int(case["forwards"])):
        net.forward()
        for key in case.files:
            if key.startswith(f"fwd:{i}:"):
                np.testing.assert_allclose(net.blobs[key.split(":")[2]].data, case[key], **EXACTLY_THE_PIXELS)


@pytest.mark.parametrize("file", sorted(COPIES.glob("*.npz")), ids=lambda file: file.stem)
def test_copied_recordings(file, copy_of, monkeypatch):
    replay(file, copy_of(COPIES), monkeypatch)


def test_all_recordings(shared, copy_of, monkeypatch):
    source = shared / "golden" / "data"
    files = [file for file in sorted(source.glob("*.npz"))
             if file.stem != "hdf5_output" and not file.stem.endswith("_binaryproto")]
    assert len(files) > 60
    for file in files:
        replay(file, copy_of(source), monkeypatch)
