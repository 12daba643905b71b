"""Data layer for folders as PASCAL VOC lays them out: JPEGImages, SegmentationClass, ImageSets/Segmentation.

Name it in a net beside this file, or with this folder on PYTHONPATH:

    layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers"
            layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'camvid', 'split': 'train'}" } }
"""

from __future__ import annotations

import ast
import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import caffe


@dataclasses.dataclass
class Settings:
    """What param_str may say, as a Python literal of a dict.

    voc_dir, split  the folder, and which list of ImageSets/Segmentation to read
    mean            subtracted from each channel, in the order B, G, R
    random          draw frames at random, else one after another; lists other than of training are never shuffled
    seed            of the draws
    batch           frames at a time; more than 1 needs `crop`, or frames of one size
    crop            (height, width) of pieces to cut at random places, or None for whole frames
    scale           range of factors to resize by before cutting; drawn evenly in its logarithm
    mirror          swap left and right every other time, if there is a `crop`
    jitter          brightness and contrast change by up to this share, if there is a `crop`
    """

    voc_dir: str
    split: str = "train"
    mean: tuple[float, float, float] = (104.00699, 116.66877, 122.67892)
    random: bool = True
    seed: int | None = None
    batch: int = 1
    crop: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    mirror: bool = True
    jitter: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if self.batch < 1 or not 0 < low <= high or (self.crop is None and low != high):
            raise ValueError(f"need batch >= 1 and 0 < scale[0] <= scale[1], and a crop to scale to; got {self}")


def read_settings(text: str) -> Settings:
    """Read a param_str. It is taken as a literal and never evaluated; ValueError says what is wrong."""
    try:
        values = ast.literal_eval(text)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"param_str must be a literal like {{'voc_dir': 'camvid'}}, got {text!r}: {error}") from error
    known = [field.name for field in dataclasses.fields(Settings)]
    if not isinstance(values, dict) or "voc_dir" not in values:
        raise ValueError(f"param_str must be a dict with 'voc_dir', got {text!r}")
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"param_str has unknown keys {unknown}; known: {', '.join(known)}")
    return Settings(**values)


class VOCSegDataLayer(caffe.Layer):
    """Frames and their label pictures.

    top[0]  (batch, 3, H, W)  BGR, mean subtracted
    top[1]  (batch, 1, H, W)  class ids; 255 is not labelled
    """

    def setup(self, bottom: Any, top: Any) -> None:
        """Read the list of frames."""
        if bottom or len(top) != 2:
            raise ValueError("VOCSegDataLayer takes no bottom and gives two tops: data and label")
        self.settings = s = read_settings(self.param_str)
        self.folder = Path(s.voc_dir)
        list_file = self.folder / "ImageSets" / "Segmentation" / f"{s.split}.txt"
        self.ids = list_file.read_text(encoding="utf-8").split()
        if not self.ids:
            raise ValueError(f"{list_file} is empty")
        self.draws = random.Random(s.seed)
        self.next = 0

    def reshape(self, bottom: Any, top: Any) -> None:
        """Load the next batch."""
        frames = [self.piece(*self.load(self.choose())) for _ in range(self.settings.batch)]
        self.data, self.label = (np.stack(part) for part in zip(*frames, strict=True))
        top[0].reshape(*self.data.shape)
        top[1].reshape(*self.label.shape)

    def forward(self, bottom: Any, top: Any) -> None:
        """Give the batch."""
        top[0].data[...] = self.data
        top[1].data[...] = self.label

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        """Nothing lies below."""

    def choose(self) -> str:
        """The id of the next frame."""
        if self.settings.random and "train" in self.settings.split:
            return self.draws.choice(self.ids)
        self.next += 1
        return self.ids[(self.next - 1) % len(self.ids)]

    def load(self, name: str) -> tuple[Image.Image, Image.Image]:
        """A frame and its labels."""
        with Image.open(self.folder / "JPEGImages" / f"{name}.jpg") as frame:
            photo = frame.convert("RGB")
        with Image.open(self.folder / "SegmentationClass" / f"{name}.png") as label:
            label.load()
        if label.mode not in ("P", "L") or label.size != photo.size:
            raise ValueError(f"{name}.png must be a palette or grey picture of the frame's size {photo.size}, got mode "
                             f"{label.mode}, {label.size}")
        return photo, label

    def piece(self, photo: Image.Image, label: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Arrays (3, H, W) and (1, H, W) of the whole frame, or of a piece as the settings say."""
        s = self.settings
        if s.crop is None:
            return self.channels(np.asarray(photo, np.float32)), np.asarray(label)[None]
        height, width = s.crop
        low, high = s.scale
        least = max(height / photo.height, width / photo.width)  # the piece lies within the frame
        scale = max(low * (high / low) ** self.draws.random(), least)
        left = self.draws.random() * (photo.width - width / scale)
        upper = self.draws.random() * (photo.height - height / scale)
        box = (left, upper, left + width / scale, upper + height / scale)
        values = np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR, box), np.float32)
        labels = np.asarray(label.resize((width, height), Image.Resampling.NEAREST, box))
        if s.mirror and self.draws.random() < 0.5:
            values, labels = values[:, ::-1], labels[:, ::-1]
        if s.jitter:
            contrast, brightness = (1 + s.jitter * self.draws.uniform(-1, 1) for _ in range(2))
            centre = values.mean()
            values = np.clip((values - centre) * contrast + centre * brightness, 0, 255)
        return self.channels(values), labels[None]

    def channels(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) RGB to (3, H, W) BGR minus the mean."""
        return (rgb[:, :, ::-1] - np.asarray(self.settings.mean, np.float32)).transpose(2, 0, 1)

    def run_state(self) -> dict[str, Any]:
        """Where the layer stands, for a resumed run."""
        return {"next": self.next, "draws": list(self.draws.getstate()[1])}

    def set_run_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.next = state["next"]
        self.draws.setstate((3, tuple(state["draws"]), None))
