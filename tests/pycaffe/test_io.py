"""caffe.io: images, resizing, Transformer, conversions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffe import io
from caffe_fcn.errors import FormatError
from caffe_fcn.proto import caffe_pb2

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (5, 4, 3)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> str:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return str(path)


def test_load_color(tmp_path: Path) -> None:
    loaded = io.load_image(save(tmp_path / "a.png", PICTURE))
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, (PICTURE / 255).astype(np.float32))


@pytest.mark.parametrize(("mode", "shape"), [("L", (5, 4, 3)), ("RGBA", (5, 4, 3)), ("P", (5, 4, 3)), ("1", (5, 4, 3)),
                                             ("LA", (5, 4, 3)), ("I;16", (5, 4, 3)), ("CMYK", (5, 4, 3))])
def test_modes(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    name = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    source = PICTURE[:, :, 0].astype(np.uint16) * 257 if mode == "I;16" else PICTURE
    loaded = io.load_image(save(name, source, None if mode == "I;16" else mode))
    assert loaded.shape == shape
    assert 0 <= loaded.min() <= loaded.max() <= 1
    assert io.load_image(str(name), color=False).shape == (5, 4, 1)
    if mode == "I;16":
        np.testing.assert_allclose(loaded[:, :, 0], PICTURE[:, :, 0] / 255, atol=1e-6)


def test_grey_weights_and_white_below_alpha(tmp_path: Path) -> None:
    loaded = io.load_image(save(tmp_path / "a.png", PICTURE), color=False)
    np.testing.assert_allclose(loaded[:, :, 0], PICTURE @ [0.2125, 0.7154, 0.0721] / 255, atol=1e-6)
    clear = np.dstack([PICTURE, np.zeros((5, 4), np.uint8)])
    np.testing.assert_allclose(io.load_image(save(tmp_path / "b.png", clear), color=False), 1, atol=1e-6)


def test_bad_images(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        io.load_image(str(tmp_path / "none.png"))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(FormatError, match=r"text\.png: cannot be read as an image"):
        io.load_image(tmp_path / "text.png")
    whole = Path(save(tmp_path / "whole.png", RNG.integers(0, 256, (90, 90, 3)).astype(np.uint8))).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"half\.png"):
        io.load_image(tmp_path / "half.png")


def test_resize_keeps_what_is_constant_or_of_the_same_size() -> None:
    flat = io.resize_image(np.full((4, 4, 3), 7.0), (2, 5))
    assert flat.dtype == np.float32
    assert (flat == 7).all()
    image = RNG.random((6, 5, 3))
    np.testing.assert_allclose(io.resize_image(image, (6, 5)), image, atol=1e-6)


def test_resize_doubles_as_bilinear_between_centres() -> None:
    row = np.array([0.0, 1.0, 3.0])[None, :, None] * np.ones((4, 1, 1))
    inner = io.resize_image(row, (4, 6))[1, 1:-1, 0]  # beyond the outer centres the zeros around the image count
    np.testing.assert_allclose(inner, [0.25, 0.75, 1.5, 2.5], atol=1e-6)


def test_resize_of_other_channels_goes_from_corner_to_corner() -> None:
    ramp = np.arange(4.0)[:, None, None] * np.ones((1, 4, 2))
    np.testing.assert_allclose(io.resize_image(ramp, (7, 4))[:, 0, 0], np.arange(7) / 2, atol=1e-6)


def test_resize_refuses_flat_arrays() -> None:
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        io.resize_image(np.ones((5, 4)), (2, 2))
    with pytest.raises(ValueError, match=r"\(0, 2\)"):
        io.resize_image(np.ones((5, 4, 3)), (0, 2))


def test_ten_crops() -> None:
    image = np.arange(30.0).reshape(5, 6, 1)
    crops = io.oversample([image], (3, 4))[..., 0]
    corners = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
    for i, (y, x) in enumerate(corners):
        np.testing.assert_array_equal(crops[i], image[y:y + 3, x:x + 4, 0])
        np.testing.assert_array_equal(crops[i + 5], crops[i][:, ::-1])
    with pytest.raises(ValueError, match=r"cannot cut \(6, 4\)"):
        io.oversample([image], (6, 4))


def transformer() -> io.Transformer:
    t = io.Transformer({"data": (1, 3, 5, 4)})
    t.set_transpose("data", (2, 0, 1))
    t.set_channel_swap("data", (2, 1, 0))
    t.set_raw_scale("data", 255)
    t.set_mean("data", np.array([104.0, 117.0, 123.0]))
    t.set_input_scale("data", 0.5)
    return t


def test_preprocess_and_back() -> None:
    image = (PICTURE / 255).astype(np.float32)
    kept = image.copy()
    t = transformer()
    got = t.preprocess("data", image)
    want = (PICTURE[:, :, ::-1].transpose(2, 0, 1) - np.array([104.0, 117, 123])[:, None, None]) * 0.5
    np.testing.assert_allclose(got, want, atol=1e-4)
    np.testing.assert_allclose(t.deprocess("data", got[None]), image, atol=1e-5)
    np.testing.assert_array_equal(image, kept)


def test_preprocess_never_changes_the_image() -> None:
    """The original scales the caller's array when there is nothing to transpose or resize."""
    t = io.Transformer({"data": (1, 3, 5, 4)})
    t.set_raw_scale("data", 255)
    image = np.ones((5, 4, 3), np.float32)
    t.preprocess("data", image)
    assert (image == 1).all()


def test_missing_settings_are_left_out_and_sizes_adapt() -> None:
    t = io.Transformer({"data": [1, 3, 8, 6]})
    assert t.preprocess("data", PICTURE).shape == (8, 6, 3)
    t.set_transpose("data", (2, 0, 1))
    assert t.preprocess("data", PICTURE).shape == (3, 8, 6)


def test_mean_image_is_resized() -> None:
    t = transformer()
    t.set_mean("data", np.arange(3.0)[:, None, None] * np.ones((1, 9, 9)) + 1)
    np.testing.assert_allclose(t.mean["data"][:, 2, 2], [1, 2, 3], atol=0.1)
    t.set_mean("data", np.full((3, 9, 9), 7.0))
    assert (t.mean["data"] == 7).all()


SETTINGS = [
    (lambda t: t.set_transpose("data", (1, 0)), "transpose order"),
    (lambda t: t.set_transpose("data", (0, 0, 1)), "transpose order"),
    (lambda t: t.set_channel_swap("data", (1, 0)), "channel swap"),
    (lambda t: t.set_mean("data", np.ones(2)), "2 values for the 3 channels"),
    (lambda t: t.set_mean("data", np.ones((2, 5, 4))), "1 or 3 channels"),
    (lambda t: t.set_mean("data", np.ones((1, 3, 5, 4))), "a mean is"),
    (lambda t: t.set_raw_scale("image", 2), "there is no input 'image', but 'data'"),
    (lambda t: t.preprocess("image", PICTURE), "there is no input 'image', but 'data'"),
    (lambda t: t.preprocess("data", PICTURE[0]), "height, width, channels"),
]


@pytest.mark.parametrize(("call", "message"), SETTINGS)
def test_bad_settings(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(transformer())


def test_datums() -> None:
    raw = io.array_to_datum(PICTURE, 3)
    assert (raw.channels, raw.height, raw.width, raw.label) == (5, 4, 3, 3)
    np.testing.assert_array_equal(io.datum_to_array(raw), PICTURE)
    io.datum_to_array(raw)[...] = 0  # a copy that may be written
    floats = io.array_to_datum(PICTURE / 2)
    np.testing.assert_array_equal(io.datum_to_array(floats), PICTURE / 2)
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        io.array_to_datum(PICTURE[:, :, 0])
    raw.width = 9
    with pytest.raises(FormatError, match="60 values"):
        io.datum_to_array(raw)


def test_encoded_datum(tmp_path: Path) -> None:
    datum = caffe_pb2.Datum(encoded=True, data=Path(save(tmp_path / "a.png", PICTURE)).read_bytes())
    np.testing.assert_array_equal(io.datum_to_array(datum), PICTURE[:, :, ::-1].transpose(2, 0, 1))


def test_blob_messages() -> None:
    values = RNG.random((2, 3))
    blob = io.array_to_blobproto(values, diff=-values)
    np.testing.assert_allclose(io.blobproto_to_array(blob), values, atol=1e-6)
    np.testing.assert_allclose(io.blobproto_to_array(blob, return_diff=True), -values, atol=1e-6)
    old = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert io.blobproto_to_array(old).shape == (1, 2, 1, 3)
    doubles = caffe_pb2.BlobProto(shape={"dim": [2]}, double_data=[1 / 3, 2])
    assert io.blobproto_to_array(doubles)[0] == 1 / 3
    text = io.arraylist_to_blobprotovector_str([values, values[0]])
    assert [a.shape for a in io.blobprotovector_str_to_arraylist(text)] == [(2, 3), (3,)]
