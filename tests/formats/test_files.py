"""Opening what the user named."""

from __future__ import annotations

import pytest

from caffe_fcn.errors import FileAccessError, MissingFileError
from caffe_fcn.formats.files import existing_file, map_file


def test_contents(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert map_file(tmp_path / "file")[:] == b"abc"
    assert existing_file(tmp_path / "file") == str(tmp_path / "file")


def test_empty_file(tmp_path):
    (tmp_path / "file").touch()
    assert map_file(tmp_path / "file") == b""


def test_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MissingFileError, match="file/below"):
        existing_file(tmp_path / "file" / "below")


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").write_bytes(b"abc")
    monkeypatch.setattr("mmap.mmap", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FileAccessError, match=r"cannot read '.*file': Permission denied"):
        map_file(tmp_path / "file")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_impossible_names(name):
    with pytest.raises(FileAccessError, match="cannot read"):
        existing_file(name)
