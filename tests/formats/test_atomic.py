"""The old file or the new one, never half of each."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from caffe_fcn.errors import FileAccessError
from caffe_fcn.formats.atomic import atomic_path, atomic_write


def test_new_file(tmp_path):
    with atomic_write(tmp_path / "new") as file:
        file.write(b"abc")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert os.listdir(tmp_path) == ["new"]


def test_new_file_has_the_usual_permissions(tmp_path):
    with atomic_write(tmp_path / "new"):
        pass
    (tmp_path / "plain").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_existing_permissions_are_kept(tmp_path):
    (tmp_path / "old").touch(mode=0o600)
    with atomic_write(tmp_path / "old") as file:
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o600


@pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_file(tmp_path, exception):
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(exception), atomic_write(tmp_path / "old") as file:
        file.write(b"new")
        raise exception
    assert (tmp_path / "old").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def test_link_is_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_device_is_written_not_replaced():
    with atomic_write("/dev/null") as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_path_for_other_libraries(tmp_path):
    with atomic_path(tmp_path / "new") as name, open(name, "wb") as file:
        file.write(b"abc")
    assert (tmp_path / "new").read_bytes() == b"abc"


def test_missing_folder(tmp_path):
    with (
        pytest.raises(FileAccessError, match=r"nowhere/file.*No such file") as caught,
        atomic_write(tmp_path / "nowhere/file"),
    ):
        pass
    assert caught.value.errno == errno.ENOENT


def test_folder_as_target(tmp_path):
    with pytest.raises(FileAccessError, match="it is a folder"), atomic_write(tmp_path):
        pass


def test_folder_without_permission(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with (
        pytest.raises(FileAccessError, match=r"cannot write '.*new': Permission denied"),
        atomic_write(tmp_path / "new"),
    ):
        pass


def test_read_only_file_stays(tmp_path, monkeypatch):
    (tmp_path / "old").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(FileAccessError, match="read-only"), atomic_write(tmp_path / "old"):
        pass
    assert (tmp_path / "old").read_bytes() == b"old"


def test_full_disk():
    with (
        pytest.raises(FileAccessError, match="'/dev/full': No space left") as caught,
        atomic_write("/dev/full") as file,
    ):
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC


def test_own_errors_pass_unchanged(tmp_path):
    error = FileAccessError("about another file")
    with pytest.raises(FileAccessError) as caught, atomic_write(tmp_path / "new"):
        raise error
    assert caught.value is error
