"""Segment the shipped street photo and write pictures of the result: what `make demo` runs.

Usage: python examples/demo.py [PHOTO] [FOLDER]   (default: the shipped photo, demo_out)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "camvid-fcn8s-small"
PHOTO = ROOT / "examples" / "images" / "camvid_street.jpg"

stages: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Add the seconds that the block takes to `stages`."""
    start = time.perf_counter()
    yield
    stages[name] = time.perf_counter() - start


with stage("import caffe"):  # before NumPy, which is part of its cost
    import caffe

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table


def segment(photo: Image.Image, card: dict) -> np.ndarray:
    """The class of every pixel, (H, W) int64."""
    with stage("build the net"):
        net = caffe.Net(str(MODEL / card["files"]["net"]), caffe.TEST)
    with stage("read the weights"):
        net.copy_from(str(MODEL / card["files"]["weights"]))
    with stage("preprocess the photo"):
        bgr = np.array(photo, dtype=np.float32)[:, :, ::-1] - np.array(card["input"]["mean"], dtype=np.float32)
        data = net.blobs[card["input"]["blob"]]
        data.reshape(1, 3, *bgr.shape[:2])
        data.data[...] = bgr.transpose(2, 0, 1)
    with stage("forward, first time"):
        net.forward()
    with stage("forward, again"):
        net.forward()
    return net.blobs[card["output"]["blob"]].data[0].argmax(axis=0)


def draw_legend(classes: list[dict], shares: np.ndarray) -> Image.Image:
    """A swatch, the name and the share of pixels of each class, the largest first."""
    row, width = 34, 360
    font = ImageFont.load_default(size=20)
    picture = Image.new("RGB", (width, row * len(classes) + 12), "white")
    draw = ImageDraw.Draw(picture)
    for place, index in enumerate(np.argsort(-shares, kind="stable")):
        top = 6 + row * place
        draw.rectangle((12, top + 4, 60, top + row - 4), fill=tuple(classes[index]["colour"]), outline="black")
        draw.text((76, top + row // 2), classes[index]["name"].replace("_", " "), fill="black", font=font, anchor="lm")
        draw.text((width - 12, top + row // 2), f"{shares[index]:.1%}", fill="black", font=font, anchor="rm")
    return picture


def write_pictures(photo: Image.Image, labels: np.ndarray, classes: list[dict], shares: np.ndarray, out: Path) -> None:
    """`labels.png` (pixel value = class, with a palette), `overlay.png` and `legend.png`."""
    out.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette([part for entry in classes for part in entry["colour"]])
    picture.save(out / "labels.png")
    Image.blend(photo, picture.convert("RGB"), 0.55).save(out / "overlay.png")
    draw_legend(classes, shares).save(out / "legend.png")


def report(classes: list[dict], shares: np.ndarray, out: Path) -> None:
    """Print what the photo shows and how long each stage took."""
    console = Console()
    seen = Table(title="What the photo shows")
    seen.add_column("class")
    seen.add_column("pixels", justify="right")
    for index in np.argsort(-shares, kind="stable"):
        red, green, blue = classes[index]["colour"]
        seen.add_row(f"[rgb({red},{green},{blue})]██[/] {classes[index]['name']}", f"{shares[index]:.1%}")
    console.print(seen)
    times = Table(title="Where the time went")
    times.add_column("stage")
    times.add_column("ms", justify="right")
    for name, seconds in stages.items():
        times.add_row(name, f"{seconds * 1000:.1f}")
    console.print(times)
    console.print(f"Pictures: labels.png, overlay.png and legend.png in {out}", soft_wrap=True)


def main(photo_file: str = str(PHOTO), folder: str = "demo_out") -> None:
    card = tomllib.loads((MODEL / "card.toml").read_text(encoding="utf-8"))
    out = Path(folder)
    with Image.open(photo_file) as opened:
        photo = opened.convert("RGB")
    labels = segment(photo, card)
    classes = card["classes"]
    shares = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    with stage("write the pictures"):
        write_pictures(photo, labels, classes, shares, out)
    report(classes, shares, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
