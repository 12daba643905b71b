"""`caffe-fcn data convert`: COCO's annotations and coloured labels become VOC-style folders."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from dataset_files import photo, text
from PIL import Image

import caffe
from caffe_fcn.cli.main import main
from caffe_fcn.datasets.masks import polygon_mask, run_length_mask
from caffe_fcn.datasets.voc_writer import voc_palette

SIZE = (10, 12)


def convert(capsys, *arguments):
    """Exit status and what is printed."""
    status = main(["data", "convert", *map(str, arguments)])
    streams = capsys.readouterr()
    return status, streams.out + streams.err


def ids_of(file):
    with Image.open(file) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


def box(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


# masks


def test_polygons_take_the_pixels_whose_centres_they_hold():
    mask = polygon_mask(np.array(box(2, 3, 5, 7), float).reshape(-1, 2), *SIZE)
    assert mask.sum() == 12 and mask[3:7, 2:5].all()
    assert polygon_mask(np.array([(0.4, 0), (3, 0), (3, 1), (0.4, 1)]), 1, 4).tolist() == [[True, True, True, False]]
    assert polygon_mask(np.array([(0.6, 0), (3, 0), (3, 1), (0.6, 1)]), 1, 4).tolist() == [[False, True, True, False]]
    assert polygon_mask(np.array([(-50, -50), (50, -50), (50, 50), (-50, 50)]), *SIZE).all()


def test_polygons_agree_with_another_library():
    path = pytest.importorskip("matplotlib.path")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:30, :40] + 0.5
    for _ in range(20):
        angles = np.sort(rng.random(rng.integers(3, 12)) * 2 * np.pi)
        points = np.stack([20 + rng.uniform(3, 25, len(angles)) * np.cos(angles),
                           15 + rng.uniform(3, 25, len(angles)) * np.sin(angles)], axis=1)
        inside = path.Path(points).contains_points(np.stack([columns.ravel(), rows.ravel()], axis=1)).reshape(30, 40)
        np.testing.assert_array_equal(polygon_mask(points, 30, 40), inside)


def test_run_lengths_go_down_the_columns():
    assert run_length_mask([1, 2, 3], 2, 3).tolist() == [[False, True, False], [True, False, False]]


# made with the original tools for np.kron([[0, 1, 0], [1, 1, 0]], ones((20, 30)))
TEXT = "d0d0d" + "0" * 57 + "`U1lT1"


def test_run_lengths_as_text():
    expected = np.kron([[0, 1, 0], [1, 1, 0]], np.ones((20, 30))).astype(bool)
    np.testing.assert_array_equal(run_length_mask(TEXT, 40, 90), expected)


@pytest.mark.parametrize("counts", ["d0d0", TEXT[:-1] + "\x7f", TEXT[:-1] + "l", [1, 2], [3600, "x"], [-1, 3601]])
def test_damaged_run_lengths(counts):
    with pytest.raises(ValueError, match="run lengths"):
        run_length_mask(counts, 40, 90)


# COCO


@pytest.fixture
def coco(tmp_path):
    """Photos a.jpg and sub/b.png; a large dog (category 3) over a small cat (7), a crowd of cats at the right."""
    photo(tmp_path / "photos/a.jpg", 0, SIZE)
    photo(tmp_path / "photos/sub/b.png", 1, SIZE)
    right = {"size": list(SIZE), "counts": [100, 20]}
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 10, "width": 12},
                   {"id": 2, "file_name": "sub/b.png", "height": 10, "width": 12}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "area": 4, "segmentation": [box(1, 1, 3, 3)]},
            {"image_id": 1, "category_id": 3, "area": 44, "segmentation": [box(0, 0, 6, 6), box(6, 6, 8, 10)]},
            {"image_id": 1, "category_id": 7, "area": 20, "iscrowd": 1, "segmentation": right}]}


def run_coco(tmp_path, capsys, content, *arguments):
    (tmp_path / "instances.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return convert(capsys, tmp_path / "instances.json", tmp_path / "voc", "--images", tmp_path / "photos", *arguments)


def test_coco(tmp_path, capsys, coco):
    status, out = run_coco(tmp_path, capsys, coco)
    assert status == 0 and "2 pictures" in out and "1 photos are not .jpg files" in out
    expected = np.zeros(SIZE, np.uint8)
    expected[0:6, 0:6] = expected[6:10, 6:8] = 1  # dog: the smaller id
    expected[1:3, 1:3] = 2
    expected[:, 10:] = 2
    voc = tmp_path / "voc"
    np.testing.assert_array_equal(ids_of(voc / "SegmentationClass/a.png"), expected)
    assert not ids_of(voc / "SegmentationClass/b.png").any()
    assert (voc / "classes.txt").read_text() == "background\ndog\ncat\n"
    assert (voc / "ImageSets/Segmentation/train.txt").read_text() == "a\nb\n"
    assert (voc / "JPEGImages/a.jpg").read_bytes() == (tmp_path / "photos/a.jpg").read_bytes()
    assert main(["data", "check", str(voc)]) == 0


@pytest.mark.parametrize(("arguments", "cat", "crowd"), [
    (["--order", "file"], 1, 2), (["--crowd", "ignore"], 2, 255), (["--crowd", "skip"], 2, 0)])
def test_order_and_crowds(tmp_path, capsys, coco, arguments, cat, crowd):
    assert run_coco(tmp_path, capsys, coco, *arguments)[0] == 0
    ids = ids_of(tmp_path / "voc/SegmentationClass/a.png")
    assert ids[2, 2] == cat and ids[5, 11] == crowd


def test_map_of_categories(tmp_path, capsys, coco):
    text(tmp_path / "map.txt", "4 cat", "255 dog")
    assert run_coco(tmp_path, capsys, coco, "--categories", tmp_path / "map.txt", "--background", "9")[0] == 0
    ids = ids_of(tmp_path / "voc/SegmentationClass/a.png")
    assert set(np.unique(ids)) == {4, 9, 255} and ids[2, 2] == 4 and ids[0, 0] == 255
    names = 4 * ["unused"] + ["cat"] + 4 * ["unused"] + ["background"]
    assert (tmp_path / "voc/classes.txt").read_text().split() == names
    text(tmp_path / "map.txt", "4 cat")
    status, out = run_coco(tmp_path, capsys, coco, "--categories", tmp_path / "map.txt")
    assert status == 2 and "the map lacks 1 categories of" in out and out.rstrip().endswith("dog")


def change(path, value):
    def spoil(content):
        *way, last = path
        for step in way:
            content = content[step]
        content[last] = value
    return spoil


@pytest.mark.parametrize(("spoil", "message"), [
    (change(["images"], 3), "needs a list 'images' of objects"),
    (change(["images", 1, "id"], 1), r"images\[1\] has the id of another image"),
    (change(["images", 0, "height"], "10"), r"images\[0\] needs 'height', a whole number; got '10'"),
    (change(["images", 0, "file_name"], ""), r"images\[0\] needs 'file_name', a text"),
    (change(["annotations", 1, "image_id"], 99), r"annotations\[1\] has an image_id that is not in the file"),
    (change(["annotations", 1, "category_id"], 9), r"annotations\[1\] has a category_id that is not"),
    (change(["annotations", 2, "iscrowd"], "0"), r"annotations\[2\] needs 'iscrowd', 0 or 1; got '0'"),
    (change(["categories", 1, "id"], 7), r"categories\[1\] has the id of another category"),
    (change(["categories", 1, "name"], "dog\ncat"), r"categories\[1\] has a name with line breaks"),
    (change(["annotations", 0, "area"], None), r"annotations\[0\] needs 'area', a number; got None"),
])
def test_damaged_coco_files_write_nothing(tmp_path, capsys, coco, spoil, message):
    spoil(coco)
    status, out = run_coco(tmp_path, capsys, coco)
    assert status == 2 and re.search(message, out), out
    assert not (tmp_path / "voc").exists()


def test_no_json(tmp_path, capsys):
    status, out = run_coco(tmp_path, capsys, "{'images'")
    assert status == 2 and "instances.json' is not a JSON file: Expecting property name" in out


@pytest.mark.parametrize(("spoil", "message"), [
    (change(["annotations", 0, "segmentation"], [[1, 2, 3, 4]]), r"annotations\[0\], of '.*a.jpg': .* three or more"),
    (change(["annotations", 0, "segmentation"], [[1, 2, 3, 4, float("nan"), 0]]), "a polygon needs finite numbers"),
    (change(["annotations", 0, "segmentation"], None), "'segmentation' must be a list of polygons or run lengths"),
    (change(["annotations", 2, "segmentation", "counts"], [5]), "whole numbers whose sum is 10 x 12"),
    (change(["annotations", 2, "segmentation", "size"], [5, 5]), r"of size \[5, 5\], the image of \[10, 12\]"),
    (change(["annotations", 2, "segmentation", "size"], 5), r"of size 5, the image of \[10, 12\]"),
    (change(["images", 0, "width"], 13), r"a.jpg' is 12 x 10 .width x height., its annotations say 13 x 10"),
    (change(["images", 0, "file_name"], "gone.jpg"), "there is no file '.*gone.jpg'"),
    (change(["images", 0, "file_name"], "b.jpg"), "b.png' has the same name as '.*b.jpg'"),
])
def test_bad_pictures_are_left_out_and_named(tmp_path, capsys, coco, spoil, message):
    photo(tmp_path / "photos/b.jpg", 3, SIZE)
    spoil(coco)
    status, out = run_coco(tmp_path, capsys, coco)
    assert status == 1 and re.search(message, out), out
    assert "1 pictures, 1 left out" in out
    assert (tmp_path / "voc/ImageSets/Segmentation/train.txt").read_text() == "b\n"


def test_hold_out_and_add(tmp_path, capsys):
    content = {"images": [], "annotations": [], "categories": []}
    for k in range(20):
        photo(tmp_path / f"photos/{k:02}.jpg", k, (3, 3))
        content["images"].append({"id": k, "file_name": f"{k:02}.jpg", "height": 3, "width": 3})
    assert run_coco(tmp_path, capsys, content, "--val", "0.25")[0] == 0
    lists = tmp_path / "voc/ImageSets/Segmentation"
    train, val = ((lists / f"{name}.txt").read_text().split() for name in ("train", "val"))
    assert len(val) == 5 and sorted(train + val) == [f"{k:02}" for k in range(20)] and val == sorted(val)
    assert run_coco(tmp_path, capsys, content, "--split", "test")[0] == 0
    assert (lists / "train.txt").read_text().split() == train and len((lists / "test.txt").read_text().split()) == 20
    content["categories"] = [{"id": 1, "name": "new"}]
    status, out = run_coco(tmp_path, capsys, content)
    assert status == 2 and "classes.txt' names other classes than this conversion has" in out


# colours


@pytest.fixture
def coloured(tmp_path):
    """Labels x_L.png (sky, road, road) and y_L.png with two pixels of an unknown colour."""
    for k, name in enumerate("xy"):
        photo(tmp_path / f"photos/{name}.jpg", k, SIZE)
        values = np.resize(np.array([(128, 128, 128), (0, 64, 0), (1, 64, 0)], np.uint8), (*SIZE, 3)).copy()
        values[0, :k * 2] = 9, 9, 9
        (tmp_path / "labels").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"labels/{name}_L.png")
    text(tmp_path / "colours.txt", "sky 128 128 128 0  # grey", "", "road 0 64 0 1", "line 1 64 0 1", "void 0 0 0 255")
    return tmp_path


def run_colours(folder, capsys, *arguments):
    return convert(capsys, folder / "labels", folder / "voc", "--images", folder / "photos", "--suffix", "_L",
                   "--colours", folder / "colours.txt", *arguments)


def test_colours(coloured, capsys):
    status, out = run_colours(coloured, capsys)
    assert status == 1 and re.search(r"y_L.png' has 1 colours that are not in the map: \(9, 9, 9\) in 2 pixels", out)
    np.testing.assert_array_equal(ids_of(coloured / "voc/SegmentationClass/x.png"), np.resize([0, 1, 1], SIZE))
    assert (coloured / "voc/ImageSets/Segmentation/train.txt").read_text() == "x\n"
    assert (coloured / "voc/classes.txt").read_text() == "sky\nroad\n"
    with Image.open(coloured / "voc/SegmentationClass/x.png") as picture:
        assert picture.getpalette()[:6] == [128, 128, 128, 0, 64, 0]


def test_unknown_colours_may_become_an_id(coloured, capsys):
    assert run_colours(coloured, capsys, "--unknown", "255")[0] == 0
    assert ids_of(coloured / "voc/SegmentationClass/y.png")[0, :3].tolist() == [255, 255, 1]


def test_converted_folders_feed_nets(coloured, capsys, make_net):
    run_colours(coloured, capsys, "--unknown", "255", "--link")
    assert (coloured / "voc/JPEGImages/x.jpg").is_symlink()
    net = make_net("voc", "VOCSegDataLayer", {"voc_dir": str(coloured / "voc"), "classes": 2})
    net.forward()
    assert isinstance(net, caffe.Net) and set(np.unique(net.blobs["label"].data)) <= {0, 1, 255}


def test_copies_replace_links(coloured, capsys):
    run_colours(coloured, capsys, "--link")
    before = (coloured / "photos/x.jpg").read_bytes()
    run_colours(coloured, capsys)
    assert not (coloured / "voc/JPEGImages/x.jpg").is_symlink()
    assert (coloured / "voc/JPEGImages/x.jpg").read_bytes() == before == (coloured / "photos/x.jpg").read_bytes()


def test_the_layout_of_camvid_s_own_list(coloured, capsys):
    text(coloured / "colours.txt", "128 128 128\tSky", "0 64 0\tRoad", "1 64 0\tLane Marking")
    assert run_colours(coloured, capsys)[0] == 1
    assert (coloured / "voc/classes.txt").read_text() == "Sky\nRoad\nLane Marking\n"
    np.testing.assert_array_equal(ids_of(coloured / "voc/SegmentationClass/x.png"), np.resize([0, 1, 2], SIZE))


@pytest.mark.parametrize(("lines", "message"), [
    (["sky 128 128"], "colours.txt:1: expected 'name red green blue', values 0 to 255"),
    (["sky 1 2 3", "a 1 2 256"], "colours.txt:2: expected"), (["a 1 2 3 4 5"], "colours.txt:1: expected"),
    (["a 1 2 3", "b 1 2 3"], "colours.txt:2: the colour of 'b' appears twice"), (["a 1 2 3 256"], ":1: expected"),
    (["a 1 2 3 0", "b 1 2 4"], "colours.txt:2: give an id in every line or in none"), (["# none"], "names no colours"),
])
def test_bad_colour_maps(coloured, capsys, lines, message):
    text(coloured / "colours.txt", *lines)
    status, out = run_colours(coloured, capsys)
    assert status == 2 and message in out and not (coloured / "voc").exists()


def test_transparent_and_deep_labels(coloured, capsys):
    Image.new("RGBA", SIZE[::-1]).save(coloured / "labels/x_L.png")
    Image.new("I;16", SIZE[::-1]).save(coloured / "labels/y_L.png")
    status, out = run_colours(coloured, capsys)
    assert status == 1 and "x_L.png' has transparent pixels" in out and "y_L.png' has more than 8 bits" in out
    assert "0 pictures, 2 left out" in out and not (coloured / "voc/classes.txt").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "for a folder of coloured labels give --colours FILE"),
    (["--colours", "colours.txt", "--split", "val", "--val", "0.5"], "give another --split"),
    (["--colours", "colours.txt", "--suffix", "_X"], "holds no label pictures *_X"),
])
def test_arguments(coloured, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(coloured)
    status, out = convert(capsys, "labels", "voc", "--images", "photos", *arguments)
    assert status == 2 and message in out


@pytest.mark.parametrize(("option", "value"), [
    ("--split", "../evil"), ("--split", ""), ("--val", "1"), ("--unknown", "256")])
def test_values_of_options(coloured, capsys, option, value):
    with pytest.raises(SystemExit):
        run_colours(coloured, capsys, option, value)
    assert f"argument {option}: wanted" in capsys.readouterr().err and not (coloured / "voc").exists()


def test_the_labels_are_never_overwritten(coloured, capsys):
    status, out = convert(capsys, coloured / "voc/SegmentationClass", coloured / "voc", "--images", coloured / "photos",
                          "--colours", coloured / "colours.txt")
    assert status == 2 and "it is another file of the same command" in out


def test_palette_of_voc():
    assert voc_palette()[[0, 1, 2, 3, 4, 8, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [64, 0, 0], [0, 64, 128], [224, 224, 192]]
