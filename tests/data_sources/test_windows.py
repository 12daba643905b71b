"""Windows of images: the file, the geometry, the batches."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from caffe_fcn.data.windows import place, read_windows
from caffe_fcn.errors import FormatError, LayerError, MissingFileError, PrototxtError, ShapeError

ENTRY = "# 0\na.png\n3 6 7\n2\n5 0.9 1 1 4 4\n2 0.1 0 0 3 3\n"


def layer(fields="", transform="crop_size: 4"):
    return ("layer { name: 'w' type: 'WindowData' top: 'data' top: 'label' "
            f"window_data_param {{ source: 'w.txt' batch_size: 4 {fields} }} transform_param {{ {transform} }} }}")


def test_a_window_without_context_is_warped_to_the_whole_square():
    assert place((1, 2, 4, 3), (6, 7), 9, 0, False, False) == ((slice(2, 4), slice(1, 5)), (9, 9), (0, 0))


def test_context_outside_of_the_image_stays_empty():
    spot = place((0, 0, 3, 3), (8, 8), 8, 2, False, False)  # 4 pixels grow to 8: from -2 to 6
    assert spot == ((slice(0, 7), slice(0, 7)), (6, 6), (2, 2))
    spot = place((0, 0, 3, 3), (8, 8), 8, 2, False, True)
    assert spot == ((slice(0, 7), slice(0, 7)), (6, 6), (2, 0))  # the empty columns are mirrored too


def test_read_windows(folder):
    (folder / "w.txt").write_text(ENTRY + "# 1\nb.png 1 6 7 0")
    windows, channels = read_windows("w.txt", "x/")
    assert [w[:4] for w in windows] == [("x/a.png", 5, np.float32(0.9), (1, 1, 4, 4)),
                                        ("x/a.png", 2, np.float32(0.1), (0, 0, 3, 3))]
    assert channels == 1


def test_batches_begin_with_the_background(folder, run):
    (folder / "w.txt").write_text(ENTRY)
    (data, labels), = run(layer("fg_fraction: 0.6 scale: 2", "crop_size: 4 mean_value: 3"), 1)
    assert labels.tolist() == [0, 0, 5, 5]
    image = np.asarray(Image.open("a.png")).transpose(2, 0, 1)[::-1].astype(np.float32)
    np.testing.assert_array_equal(data[0], (image[:, 0:4, 0:4] - 3) * 2)
    np.testing.assert_array_equal(data[3], (image[:, 1:5, 1:5] - 3) * 2)


def test_mirrored_windows(folder, run):
    (folder / "w.txt").write_text(ENTRY)
    data, _ = run(layer("fg_fraction: 1", "crop_size: 4 mirror: true"), 1)[0]
    image = np.asarray(Image.open("a.png")).transpose(2, 0, 1)[::-1, 1:5, 1:5]
    kinds = {(d == image).all() - 2 * (d == image[:, :, ::-1]).all() for d in data}
    assert kinds <= {1, -2}


def test_cached_images_are_read_once(folder, make_net):
    (folder / "w.txt").write_text(ENTRY)
    net = make_net(layer("cache_images: true"))
    (folder / "a.png").unlink()
    net.forward()


BAD_FILES = {
    "": (PrototxtError, "lists no windows"),
    "a.png 3": (PrototxtError, "'#' must begin the entry, got 'a.png'"),
    ENTRY[:-4]: (PrototxtError, "ends too early"),
    ENTRY.replace("0.9", "x"): (PrototxtError, "'x'"),
    ENTRY.replace("1 1 4 4", "1 1 4 4.5"): (PrototxtError, "w.txt.* expected a whole number, got '4.5'"),
    ENTRY.replace("1 1 4 4", "1 1 4 " + "9" * 400): (PrototxtError, "expected a whole number, got '999"),
    ENTRY.replace("1 1 4 4", "4 1 1 4"): (PrototxtError, "x1 <= x2 and y1 <= y2"),
    ENTRY.replace("0.1", "0.5"): (LayerError, r"'w.txt' has no background window \(overlap < 0.5\)"),
    ENTRY.replace("0.9", "0.4"): (LayerError, r"no object window \(overlap >= 0.5\)"),
    ENTRY.replace("5 0.9", "0 0.9"): (LayerError, "labels of objects begin with 1"),
}


@pytest.mark.parametrize("content", BAD_FILES)
def test_bad_window_files(content, folder, make_net):
    (folder / "w.txt").write_text(content)
    error, message = BAD_FILES[content]
    with pytest.raises(error, match=message):
        make_net(layer())


@pytest.mark.parametrize(("fields", "transform", "message"), [
    ("", "crop_size: 0", "crop_size, at least 1"),
    ("context_pad: 2", "crop_size: 4", "'context_pad' 2 on both sides"),
    ("", "crop_size: 4 mean_value: 1 mean_value: 2", r"once per channel \(3\), got 2"),
    ("", "crop_size: 4 mean_value: 1 mean_file: 'x'", "not both"),
])
def test_bad_layers(fields, transform, message, folder, make_net):
    (folder / "w.txt").write_text(ENTRY)
    with pytest.raises(LayerError, match=message):
        make_net(layer(fields, transform))


def test_errors_name_the_entry_and_the_net_goes_on(folder, make_net):
    (folder / "w.txt").write_text(ENTRY + ENTRY.replace("# 0\na", "# 7\nmissing"))
    net = make_net(layer())
    outcomes = set()
    for _ in range(20):
        try:
            net.forward()
            outcomes.add("fine")
        except MissingFileError as error:
            outcomes.add(str(error).rpartition(":")[0])
    assert outcomes == {"fine", "layer 'w' (WindowData): entry 7 of 'w.txt' ('missing.png')"}


@pytest.mark.parametrize("entry", [ENTRY.replace("4 4", "7 4"), ENTRY.replace("3 6 7", "1 6 7"),
                                   ENTRY.replace("1 1", "-1 1")])
def test_windows_that_do_not_fit_the_image(entry, folder, make_net):
    (folder / "w.txt").write_text(entry)
    with pytest.raises(ShapeError, match=r"do not fit the image, which has the shape \(3, 6, 7\)"):
        make_net(layer("fg_fraction: 1")).forward()


def test_a_damaged_image(folder, make_net):
    (folder / "w.txt").write_text(ENTRY)
    (folder / "a.png").write_bytes(b"junk")
    with pytest.raises(FormatError, match=r"entry 0 of 'w.txt' \('a.png'\): image 'a.png': not an image"):
        make_net(layer()).forward()
