"""Photos of any kind as RGB, upright."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from caffe_fcn import memory
from caffe_fcn.errors import BlobMemoryError, FormatError, MissingFileError
from caffe_fcn.zoo.predict import photo
from caffe_fcn.zoo.predict.photo import read_photo, read_quantity

RED, GREEN = (200, 10, 20), (10, 180, 30)


@pytest.fixture
def picture():
    """3 rows, 4 columns, red with a green upper left pixel."""
    image = Image.new("RGB", (4, 3), RED)
    image.putpixel((0, 0), GREEN)
    return image


@pytest.mark.parametrize(("mode", "ending"), [
    ("RGB", "png"), ("RGBA", "png"), ("P", "png"), ("RGB", "bmp"), ("RGB", "tif"), ("CMYK", "tif"), ("RGB", "gif"),
    ("RGB", "webp")])
def test_modes(picture, tmp_path, mode, ending):
    path = tmp_path / f"photo.{ending}"
    image = picture.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else picture.convert(mode)
    image.save(path, **({"lossless": True} if ending == "webp" else {}))
    found = read_photo(path)
    assert found.shape == (3, 4, 3) and found.dtype == np.uint8
    assert tuple(found[0, 0]) == GREEN and tuple(found[2, 3]) == RED


def test_cmyk_jpeg(tmp_path):
    Image.new("RGB", (16, 16), RED).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_photo(tmp_path / "a.jpg").astype(int) - RED).max() < 8


def test_a_transparent_palette(picture, tmp_path):
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.png", transparency=b"\x00\xff")
    assert tuple(read_photo(tmp_path / "a.png")[2, 3]) == RED


@pytest.mark.parametrize(("values", "expected"), [
    (np.array([[0, 100], [200, 255]], np.uint8), [[0, 100], [200, 255]]),
    (np.array([[0, 256], [0x7FFF, 0xFFFF]], np.uint16), [[0, 1], [127, 255]]),
    (np.array([[False, True]]), [[0, 255]])])
def test_grey_gives_three_equal_channels(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "a.png")
    found = read_photo(tmp_path / "a.png")
    assert found.shape[2] == 3
    assert all(found[:, :, channel].tolist() == expected for channel in range(3))


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize(("tag", "turn"), [
    (1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90),
    (2, lambda a: a[:, ::-1])])
def test_orientation(tmp_path, tag, turn, ending):
    image = Image.new("RGB", (32, 16), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = tag
    image.save(tmp_path / f"a.{ending}", exif=exif, **({"quality": 100} if ending == "jpg" else {}))
    found = read_photo(tmp_path / f"a.{ending}")
    assert np.array_equal(found > 128, turn(np.asarray(image)) > 128)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_tags_that_cannot_be_read_turn_nothing(picture, tmp_path):
    picture.save(tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    assert tuple(read_photo(tmp_path / "a.png")[0, 0]) == GREEN


def test_files_that_are_refused(picture, tmp_path):
    picture.resize((64, 64)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:len(whole) - 60])
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    for name, message in (("cut.jpg", "the image is damaged: .*truncated"), ("text.png", "not an image file"),
                          ("float.tif", "holds floating point values")):
        with pytest.raises(FormatError, match=f"{name}.*{message}"):
            read_photo(tmp_path / name)
    with pytest.raises(MissingFileError):
        read_photo(tmp_path / "none.png")


def test_more_pixels_than_memory(picture, tmp_path, monkeypatch):
    picture.save(tmp_path / "a.png")
    monkeypatch.setattr(photo, "BYTES", 1 << 40)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 30)
    with pytest.raises(BlobMemoryError, match=r"a photo of 4 x 3 needs 12288\.0 GiB, 1\.0 GiB are free"):
        read_photo(tmp_path / "a.png")


def test_more_pixels_than_pillow_reads(picture, tmp_path, monkeypatch):
    picture.save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(FormatError, match=r"a\.png' has more pixels than are read: Image size \(12 pixels\)"):
        read_photo(tmp_path / "a.png")


def test_quantities(tmp_path):
    Image.fromarray(np.array([[1, 60000], [0, 0]], np.uint16)).save(tmp_path / "a.png")
    assert read_quantity(tmp_path / "a.png", 0)[:, :, 0].tolist() == [[1, 60000], [0, 0]]
    with pytest.raises(FormatError, match=r"a\.png' has 2 pixels without a depth \(less than 1\)"):
        read_quantity(tmp_path / "a.png", 1)
