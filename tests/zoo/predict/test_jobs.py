"""Which photos are meant, and how their results are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe_fcn.errors import FileAccessError, FormatError, MissingFileError
from caffe_fcn.zoo.predict import find_jobs

SUFFIXES = [".png", "_overlay.png", ".json"]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A function that makes empty files in the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return make


def named(sources, out="out", suffixes=SUFFIXES):
    return [(job.photo.as_posix(), job.name.as_posix()) for job in find_jobs(sources, Path(out), suffixes)]


def test_folders_are_walked_in_order_and_keep_their_places(photos):
    photos("in/b.jpg", "in/a.JPG", "in/sub/deep/c.png", "in/notes.txt", "in/.hidden.jpg", "in/.cache/d.jpg",
           "in/out/a.png")
    assert named(["in"], "in/out") == [("in/a.JPG", "a"), ("in/b.jpg", "b"), ("in/sub/deep/c.png", "sub/deep/c")]


def test_files_of_any_ending_each_once(photos):
    photos("x/a.jpg", "x/b.data")
    assert named(["x/b.data", "x/a.jpg", "x", "x/../x/a.jpg"]) == [("x/b.data", "b"), ("x/a.jpg", "a")]


@pytest.mark.parametrize(("files", "names"), [
    (["a.jpg", "a.png"], ["a", "a.png"]), (["a.jpg", "a.PNG", "A.jpeg"], ["A", "a.PNG", "a.jpg"]),
    (["street.jpg", "street_overlay.jpg"], ["street", "street_overlay.jpg"]),
    (["a.b.jpg", "a.jpg"], ["a.b", "a"])])
def test_no_result_replaces_another(photos, files, names):
    photos(*(f"in/{name}" for name in files))
    jobs = find_jobs(["in"], Path("out"), SUFFIXES)
    assert [str(job.name) for job in jobs] == names
    written = [str(file).casefold() for job in jobs for file in job.files(Path("out"), SUFFIXES)]
    assert len(set(written)) == len(written)


def test_equal_names_from_several_places(photos):
    photos("a/x.jpg", "b/x.jpg", "c/x.jpg")
    assert [name for _, name in named(["a/x.jpg", "b/x.jpg", "c/x.jpg"])] == ["x", "x.jpg", "x-2"]


def test_without_pictures_as_results_names_matter_less(photos):
    photos("in/street.jpg", "in/street_overlay.jpg")
    assert [name for _, name in named(["in"], suffixes=[".json"])] == ["street", "street_overlay"]


def test_photos_are_never_replaced(photos):
    photos("in/a.png", "in/b.jpg")
    with pytest.raises(FileAccessError, match=r"cannot write '.*a\.png': it is another file of the same command"):
        named(["in/a.png"], "in")
    assert named(["in/b.jpg"], "in") == [("in/b.jpg", "b")]


@pytest.mark.parametrize(("source", "error", "message"), [
    ("none.jpg", MissingFileError, "no file 'none.jpg'"), ("empty", FormatError, "no pictures in the folder 'empty'")])
def test_nothing_there(photos, source, error, message):
    photos("empty/readme.txt")
    with pytest.raises(error, match=message):
        named([source])


def test_pictures_for_further_inputs(photos):
    photos("rgb/a.jpg", "rgb/sub/b.jpg", "depth/a.png", "depth/sub/b.tif", "one.png")
    jobs = find_jobs(["rgb"], Path("out"), SUFFIXES, {"depth": "depth", "other": "one.png"})
    assert [{blob: path.as_posix() for blob, path in job.also.items()} for job in jobs] == [
        {"depth": "depth/a.png", "other": "one.png"}, {"depth": "depth/sub/b.tif", "other": "one.png"}]
    Path("depth/sub/b.tif").unlink()
    with pytest.raises(MissingFileError, match=r"'depth' has no picture 'sub/b'.*the photo 'sub/b.jpg' needs one"):
        find_jobs(["rgb"], Path("out"), SUFFIXES, {"depth": "depth"})
