"""Data layers of forks: values against the files written and formulas in NumPy; label resizing against OpenCV."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.data.pairs import nearest_labels
from caffe_fcn.errors import FormatError, LayerError, MissingFileError, PrototxtError, ShapeError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse

RANDOM = np.random.default_rng(3)
PHOTOS = RANDOM.integers(0, 256, (4, 6, 7, 3), dtype=np.uint8)  # red, green, blue
GREYS = RANDOM.integers(0, 256, (4, 6, 7), dtype=np.uint8)
BLOBS = PHOTOS[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
SEG, DENSE, EDGES = "ImageSegData", "DenseImageData", "ImageLabelmapData"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """0.png ... 3.png with label images 0l.png ..., and lists of them."""
    monkeypatch.chdir(tmp_path)
    for i, (photo, grey) in enumerate(zip(PHOTOS, GREYS, strict=True)):
        Image.fromarray(photo).save(f"{i}.png")
        Image.fromarray(grey).save(f"{i}l.png")
    (tmp_path / "pairs.txt").write_text("".join(f"{i}.png {i}l.png\n" for i in range(4)))
    (tmp_path / "numbers.txt").write_text("0.png 7\n1.png\t200\n")
    (tmp_path / "names.txt").write_text("0.png\n\n1.png 1l.png\n")
    return tmp_path


def net(kind, fields="", transform="", phase=caffe.TEST, tops=2, source="pairs.txt", seed=5):
    """A net of one data layer."""
    names = "".join(f"top: 't{i}' " for i in range(tops))
    param = "dense_image_data_param" if kind == DENSE else "image_data_param"
    text = (f"layer {{ name: 'd' type: '{kind}' {names} {param} {{ source: '{source}' {fields} }} "
            f"transform_param {{ {transform} }} }}")
    caffe.set_random_seed(seed)
    return caffe.Net(parse(text, caffe_pb2.NetParameter()), phase)


def tops(*args, count=1, **more):
    """What the tops hold in `count` passes: a list for each."""
    made, found = net(*args, **more), []
    for _ in range(count):
        made.forward()
        found.append([blob.data.copy() for blob in made.blobs.values()])
    return found


@pytest.mark.parametrize(("kind", "more"), [(SEG, "label_type: PIXEL"), (DENSE, ""), (EDGES, "")])
def test_pairs_in_order(kind, more):
    batches = tops(kind, f"batch_size: 3 {more}", "mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5", count=2)
    order = [[0, 1, 2], [3, 0, 1]]
    labels = (GREYS >= 128 if kind == EDGES else GREYS)[:, None]
    for (data, found), index in zip(batches, order, strict=True):
        np.testing.assert_array_equal(data, (BLOBS[index] - np.array([10, 20, 30]).reshape(3, 1, 1)) / 2)
        np.testing.assert_array_equal(found, labels[index])


@pytest.mark.parametrize(("kind", "fields", "transform"), [
    (SEG, "label_type: PIXEL", "crop_size: 4 mirror: true"), (EDGES, "", "crop_size: 4 mirror: true"),
    (DENSE, "crop_height: 4 crop_width: 5 mirror: true", ""),
])
def test_windows_and_mirroring_are_the_same_for_labels(kind, fields, transform):
    batches = tops(kind, f"shuffle: true batch_size: 2 {fields}", transform, phase=caffe.TRAIN, count=20)
    seen = set()
    for data, labels in batches:
        for image, label in zip(data, labels, strict=True):
            place = [(i, row, column, step) for i in range(4) for row in range(3) for column in range(4)
                     for step in (1, -1)
                     if np.array_equal(window(BLOBS[i], row, column, step, image.shape[1:]), image)]
            assert len(place) == 1
            i, row, column, step = place[0]
            seen.add(place[0])
            grey = GREYS >= 128 if kind == EDGES else GREYS
            np.testing.assert_array_equal(window(grey[i], row, column, step, label.shape[1:]), label[0])
    assert {i for i, *_ in seen} == {0, 1, 2, 3} and len(seen) > 20


def window(image, row, column, step, size):
    return image[..., row:row + size[0], column:column + size[1]][..., ::step]


def test_equal_seeds_give_equal_batches():
    one, other = (tops(DENSE, "shuffle: true mirror: true crop_height: 2 crop_width: 2 rand_skip: 3", count=9)
                  for _ in range(2))
    np.testing.assert_equal(one, other)


# ImageSegData


def test_seg_data_pads_with_the_mean_and_the_ignored_label():
    wanted, grey, seen = np.zeros((3, 9, 9)), np.full((9, 9), 9), set()
    wanted[:, :6, :7], grey[:6, :7] = 2 * (BLOBS[0] - 3), GREYS[0]
    for seed in range(9):
        data, labels, sizes = tops(SEG, "label_type: PIXEL ignore_label: 9",
                                   "crop_size: 9 mean_value: 3 scale: 2 mirror: true", tops=3, seed=seed)[0]
        step = 1 if (data[0, :, :, -2:] == 0).all() else -1
        seen.add(step)
        np.testing.assert_array_equal(data[0], wanted[..., ::step])
        np.testing.assert_array_equal(labels[0, 0], grey[:, ::step])
        np.testing.assert_array_equal(sizes, [[[[6, 7]]]])
    assert seen == {1, -1}


def test_seg_data_takes_the_middle_in_the_test_phase():
    data, labels, sizes = tops(SEG, "label_type: PIXEL batch_size: 2", "crop_size: 3", tops=3)[0]
    np.testing.assert_array_equal(data, BLOBS[:2, :, 1:4, 2:5])
    np.testing.assert_array_equal(labels[:, 0], GREYS[:2, 1:4, 2:5])
    np.testing.assert_array_equal(sizes.reshape(2, 2), [[3, 3]] * 2)


def test_seg_data_of_whole_images():
    labels = tops(SEG, "label_type: IMAGE batch_size: 2", source="numbers.txt")[0][1]
    np.testing.assert_array_equal(labels, np.broadcast_to(np.reshape([7, 200], (2, 1, 1, 1)), (2, 1, 6, 7)))


def test_seg_data_without_labels():
    labels = tops(SEG, "label_type: NONE ignore_label: 4 batch_size: 2", source="names.txt")[0][1]
    np.testing.assert_array_equal(labels, np.full((2, 1, 6, 7), 4))


def test_seg_data_warns_when_it_mixes_labels(caplog):
    with caplog.at_level(logging.WARNING, "caffe_fcn"):
        net(SEG, "label_type: PIXEL new_height: 3 new_width: 3")
    assert "class numbers are mixed" in caplog.text


# resizing


def test_edges_are_resized_before_they_are_cut():
    cv2 = pytest.importorskip("cv2")
    labels = tops(EDGES, "new_height: 4 new_width: 11")[0][1]
    np.testing.assert_array_equal(labels[0, 0], cv2.resize(GREYS[0], (11, 4)) >= 128)


@pytest.mark.parametrize("size", [(3, 3), (4, 11), (12, 14), (6, 7), (1, 1), (13, 5)])
def test_nearest_labels_against_opencv(size):
    cv2 = pytest.importorskip("cv2")
    labels = tops(DENSE, f"new_height: {size[0]} new_width: {size[1]}")[0][1]
    np.testing.assert_array_equal(labels[0, 0], cv2.resize(GREYS[0], size[::-1], interpolation=cv2.INTER_NEAREST))


def test_nearest_labels_of_a_ramp():
    Image.fromarray(np.arange(6, dtype=np.uint8)[None]).save("ramp.png")
    Image.fromarray(np.zeros((1, 6, 3), np.uint8)).save("black.png")
    Path("ramp.txt").write_text("black.png ramp.png")
    for width, wanted in ((4, [0, 1, 3, 4]), (12, np.arange(12) // 2)):
        labels = tops(DENSE, f"new_height: 1 new_width: {width}", source="ramp.txt")[0][1]
        np.testing.assert_array_equal(labels[0, 0, 0], wanted)


# errors


@pytest.mark.parametrize(("kind", "fields", "transform", "words"), [
    (SEG, "", "", "needs 'label_type': PIXEL, IMAGE or NONE"),
    (SEG, "label_type: PIXEL", "mean_file: 'm'", "give 'mean_value' instead"),
    (SEG, "label_type: NONE ignore_label: 256", "", "at most 255, got 256"),
    (SEG, "label_type: IMAGE", "", r"pairs.txt:1: .* from 0 to 255, got '0l.png'"),
    (DENSE, "", "mirror: true", "in dense_image_data_param, not in transform_param"),
    (DENSE, "crop_height: 3", "", "'crop_height' and 'crop_width' both"),
    (DENSE, "new_height: 3", "", "'new_height' and 'new_width' both"),
    (DENSE, "crop_height: 3 crop_width: 3", "mean_file: 'm'", "give 'mean_value' .* does not fit a window"),
    (EDGES, "batch_size: 0", "", "'batch_size' must be at least 1"),
    (EDGES, "rand_skip: 9", "", "lists only 4 images"),
])
def test_fields_that_do_not_fit(kind, fields, transform, words):
    write_mean(transform)
    with pytest.raises(LayerError, match=words) as caught:
        net(kind, fields, transform)
    assert (caught.value.layer, caught.value.type) == ("d", kind)


def write_mean(transform):
    """The mean file that a transform names."""
    if "mean_file" in transform:
        blob = caffe_pb2.BlobProto(num=1, channels=3, height=6, width=7, data=[0] * 126)
        Path("m").write_bytes(blob.SerializeToString())


@pytest.mark.parametrize(("kind", "fields"), [(EDGES, ""), (DENSE, ""), (SEG, "label_type: PIXEL")])
def test_lists_and_files_that_do_not_fit(kind, fields, folder):
    def refused(text, error, words):
        (folder / "bad.txt").write_text(text)
        with pytest.raises(error, match=words):
            net(kind, fields, source="bad.txt")

    refused("0.png\n", PrototxtError, r"bad.txt:1: expected an image and its labels")
    refused("0.png 0l.png x\n", PrototxtError, r"bad.txt:1")
    refused("\n", PrototxtError, "lists no images")
    refused("0.png gone.png\n", MissingFileError, "bad.txt:1: .*gone.png")
    Image.new("L", (3, 3)).save("small.png")
    refused("0.png small.png\n", ShapeError, r"bad.txt:1: the image has the size \(6, 7\) .* \(3, 3\)")
    palette = Image.new("P", (7, 6))
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save("palette.png")
    refused("0.png palette.png\n", FormatError, "bad.txt:1.*palette")


def test_window_larger_than_the_image():
    with pytest.raises(ShapeError, match=r"window of \(7, 7\) \(height, width\) is larger than the image, \(6, 7\)"):
        net(DENSE, "crop_height: 7 crop_width: 7")


def test_labels_need_no_resizing_where_there_is_none():
    from caffe_fcn.data.lists import PairLine
    from caffe_fcn.data.pairs import PairRecord

    record = PairRecord(PairLine("w", "0.png", "0l.png"), "", True, None, nearest_labels)
    np.testing.assert_array_equal(record.load()[1], GREYS[0])
