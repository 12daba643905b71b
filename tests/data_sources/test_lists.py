"""Lists of images and of files."""

from __future__ import annotations

import pytest

from caffe_fcn.data.lists import file_list, image_list
from caffe_fcn.errors import MissingFileError, PrototxtError


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda content: (tmp_path / "list.txt").write_bytes(content)


@pytest.mark.parametrize(("content", "expected"), [
    (b"a.png 3\nb.png -1", [("list.txt:1", "a.png", 3), ("list.txt:2", "b.png", -1)]),
    (b"my photo.png 3\n", [("list.txt:1", "my photo.png", 3)]),  # the label follows the last blank
    (b"a.png 3\r\n\r\nb.png 4 \r\n\n", [("list.txt:1", "a.png", 3), ("list.txt:3", "b.png", 4)]),
    (b"\xef\xbb\xbfa.png 3\n", [("list.txt:1", "a.png", 3)]),
    (b"\xff.png 3\n", [("list.txt:1", "\udcff.png", 3)]),  # names need not be UTF-8
])
def test_image_list(content, expected, write):
    write(content)
    assert image_list("list.txt") == expected


@pytest.mark.parametrize("line", [b"a.png", b"a.png b", b"a.png 1.5", b" 3", b"a.png\t3", b"a.png 99999999999",
                                  b"a.png 2147483648",
                                  b"\0" * 5000])
def test_bad_line(line, write):
    write(b"a.png 3\n" + line + b"\n")
    with pytest.raises(PrototxtError, match=r"list.txt:2: expected an image and its label") as caught:
        image_list("list.txt")
    assert caught.value.line == 2 and len(str(caught.value)) < 500


@pytest.mark.parametrize("read", [image_list, file_list])
def test_empty_and_missing_lists(read, write):
    write(b"\n \n")
    with pytest.raises(PrototxtError, match=r"list.txt: lists no"):
        read("list.txt")
    with pytest.raises(MissingFileError, match=r"none.txt"):
        read("none.txt")


def test_file_list_is_split_at_any_white_space(write):
    write(b"\n b.h5   a.h5\n\tc.h5")
    assert file_list("list.txt") == ["b.h5", "a.h5", "c.h5"]
