"""`examples/demo.py` writes its three pictures, and they agree with each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def result(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the pictures and what the demo printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    photo = root / "examples" / "images" / "camvid_street.jpg"
    command = [sys.executable, str(root / "examples" / "demo.py"), str(photo), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out.parent, timeout=240)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_pictures(result: tuple[Path, str], root: Path) -> None:
    out, _ = result
    photo = np.asarray(Image.open(root / "examples" / "images" / "camvid_street.jpg"), np.float32)
    with Image.open(out / "labels.png") as picture:
        labels, colours = np.asarray(picture), np.asarray(picture.convert("RGB"), np.float32)
    with Image.open(out / "overlay.png") as picture:
        overlay = np.asarray(picture, np.float32)
    assert labels.shape == (360, 480) and labels.max() <= 10
    assert tuple(colours[labels == 3][0]) == (128, 64, 128)  # road in CamVid's colour
    assert np.abs(overlay - (0.45 * photo + 0.55 * colours)).max() <= 1
    with Image.open(out / "legend.png") as picture:
        legend = picture.convert("RGB")
    assert legend.getpixel((36, 23)) == (128, 64, 128)  # the road has the largest share


def test_printed_tables(result: tuple[Path, str]) -> None:
    _, printed = result
    for word in ("road", "building", "import caffe", "build the net", "read the weights", "preprocess", "forward"):
        assert word in printed
    for name in ("labels.png", "overlay.png", "legend.png"):
        assert name in printed
