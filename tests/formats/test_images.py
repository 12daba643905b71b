"""Image files to arrays: channels, grey values, resizing, refusals."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from caffe_fcn.errors import BlobMemoryError, FileAccessError, FormatError, MissingFileError
from caffe_fcn.formats.images import decode, encode, read_image, resize

RNG = np.random.default_rng(0)
COLORS = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)
GREYS = RNG.integers(0, 256, (5, 4), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8)
BGR = COLORS.transpose(2, 0, 1)[::-1]


def png(image, **options):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def palette_image(colors=((255, 0, 0), (0, 255, 0), (0, 0, 255))):
    image = Image.fromarray(GREYS % 3)
    image.putpalette([value for color in colors for value in color])
    return image


def deep():
    return Image.fromarray((GREYS.astype(np.uint16) << 8) + 7)


PALETTE = np.uint8([[255, 0, 0], [0, 255, 0], [0, 0, 255]])[GREYS % 3].transpose(2, 0, 1)[::-1]
DECODED = {  # name: file, color, values
    "colors": (png(COLORS), True, BGR),
    "colors as they are": (png(COLORS), None, BGR),
    "grey in three channels": (png(GREYS), True, np.stack([GREYS] * 3)),
    "grey": (png(GREYS), False, GREYS[None]),
    "grey as it is": (png(GREYS), None, GREYS[None]),
    "alpha is dropped": (png(ALPHA), True, ALPHA.transpose(2, 0, 1)[2::-1]),
    "alpha as it is": (png(ALPHA), None, ALPHA.transpose(2, 0, 1)[[2, 1, 0, 3]]),
    "grey with alpha": (png(ALPHA[:, :, :2]), True, np.stack([ALPHA[:, :, 0]] * 3)),
    "palette": (png(palette_image()), True, PALETTE),
    "palette as it is": (png(palette_image()), None, PALETTE),
    "palette with a transparent colour": (png(palette_image(), transparency=0), True, PALETTE),
    "palette of the greys": (png(palette_image([(i, i, i) for i in range(3)])), False, GREYS[None] % 3),
    "16 bits": (png(deep()), True, np.stack([GREYS] * 3)),
    "1 bit": (png(Image.fromarray(GREYS > 99)), False, np.where(GREYS > 99, 255, 0)[None]),
}


@pytest.mark.parametrize("case", DECODED)
def test_decode(case):
    data, color, expected = DECODED[case]
    image = decode(data, "here", color)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


def test_grey_of_colors_is_rounded_down_as_in_the_png_library():
    exact = COLORS @ np.array([0.299, 0.587, 0.114])
    grey = decode(png(COLORS), "here", False)[0]
    assert (grey <= exact + 0.02).all() and (grey > exact - 1.02).all()


def test_grey_of_a_jpeg_is_its_own_brightness():
    data = encode(BGR, "jpg")
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        np.testing.assert_array_equal(decode(data, "here", False)[0], np.asarray(image))


REFUSED = {
    "palette": (png(palette_image()), False, "has a palette; its colours would be taken for the values"),
    "transparent palette": (png(palette_image(), transparency=0), False, "has an alpha channel"),
    "alpha": (png(ALPHA), False, "has an alpha channel"),
    "grey and alpha": (png(ALPHA[:, :, :2]), False, "has an alpha channel"),
    "16 bits as grey": (png(deep()), False, "more than 8 bits a pixel"),
    "16 bits as they are": (png(deep()), None, "has 16 bits a channel"),
    "nothing": (b"", True, "not an image file"),
    "junk": (b"junk" * 99, True, "not an image file"),
    "head only": (png(COLORS)[:60], True, "the image is damaged"),
    "cut": (png(RNG.integers(0, 256, (50, 50), dtype=np.uint8))[:-900], False, "the image is damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    data, color, message = REFUSED[case]
    with pytest.raises(FormatError, match=f"^here: .*{message}"):
        decode(data, "here", color)


def test_an_image_that_claims_a_giant_size_is_refused():
    data = bytearray(png(COLORS))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(FormatError, match="here: the image is damaged"):
        decode(bytes(data), "here", True)


def test_read_image(tmp_path):
    (tmp_path / "a.png").write_bytes(png(COLORS))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), BGR)
    assert read_image(tmp_path / "a.png", color=False).shape == (1, 5, 4)


def test_read_image_errors_begin_with_the_place(tmp_path):
    with pytest.raises(MissingFileError, match=r"^list.txt:3: there is no file '.*none.png'"):
        read_image(tmp_path / "none.png", "list.txt:3")
    with pytest.raises(FileAccessError, match=r"^list.txt:3: cannot read .*it is a folder"):
        read_image(tmp_path, "list.txt:3")
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(FormatError, match=r"^list.txt:3: image '.*a.png': not an image file"):
        read_image(tmp_path / "a.png", "list.txt:3")


@pytest.mark.parametrize("image", [BGR, GREYS[None]], ids=["colors", "grey"])
def test_encode(image):
    np.testing.assert_array_equal(decode(encode(image, "png"), "here"), image)
    assert encode(image, "JPG")[:2] == b"\xff\xd8"
    with pytest.raises(FormatError, match="format 'xyz'; use png or jpg"):
        encode(image, "xyz")


@pytest.mark.parametrize("size", [(5, 4), (10, 8), (3, 9), (1, 1), (11, 2), (60, 50)])
def test_resize_is_bilinear_between_centres(size):
    """Within one grey level of the formula in floating point."""
    image = BGR.astype(float)
    for axis, new in zip((1, 2), size, strict=True):
        old = image.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        weight = (place - low).reshape([-1 if i == axis else 1 for i in range(3)])
        image = image.take(low, axis) * (1 - weight) + image.take(np.minimum(low + 1, old - 1), axis) * weight
    got = resize(BGR, *size)
    assert got.dtype == np.uint8 and got.shape == (3, *size)
    assert abs(got - image).max() <= 1


def test_resize_to_a_size_that_does_not_fit():
    with pytest.raises(BlobMemoryError, match="resizing an image to 4000000000 x 1 needs"):
        resize(BGR, 4_000_000_000, 1)


def test_resize_to_the_same_size_changes_nothing():
    assert resize(BGR, 5, 4) is BGR
