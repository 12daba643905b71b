"""Writing tiny pictures, label pictures and lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (6, 9)  # height, width of the photos, unless a test says otherwise


def photo(path: Path, seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Write a photo; returns (height, width, 3) as a reader finds it: red, green, blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(values).save(path)
    with Image.open(path) as image:
        return np.asarray(image)


def label(path: Path, ids: np.ndarray, palette: bool = True) -> None:
    """Write a label picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(ids, np.uint8))
    if palette:
        picture.putpalette([k for k in range(256) for _ in range(3)])
    picture.save(path)


def text(path: Path, *lines: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def bgr(values: np.ndarray, mean: tuple[float, ...]) -> np.ndarray:
    """What a data blob holds of a photo."""
    return (values[:, :, ::-1].astype(np.float32) - np.asarray(mean, np.float32)).transpose(2, 0, 1)[None]
