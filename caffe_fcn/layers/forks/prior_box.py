"""PriorBox: the boxes from which a detector starts."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("PriorBox")
class PriorBox(Layer):
    """Boxes of several sizes and shapes around the centre of each cell; Liu et al., "SSD", 2016.

    bottom[0]  (N, C, H, W)  the cells; only its shape is read
    bottom[1]  (M, D, h, w)  the image; only its shape is read, unless img_size or img_h and img_w are given
    top[0]     (1, 2, 4 H W P)  for each row, column and box: xmin, ymin, xmax, ymax as shares of the image; then
                             likewise their variances

    The boxes of a cell, for each min_size: its square, the square of sqrt(min_size * max_size), then one of the same
    area for each aspect_ratio and (flip) its inverse. Sizes are cut to whole pixels, as in SSD. No gradients.
    """

    bottoms, tops = 2, 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters."""
        param = self.given = extended(self.param).prior_box_param
        low, high = param.min_size, param.max_size
        self.check(low and min(low) > 0, f"'min_size' must be given and above 0, got {list(low)}")
        self.check(not high or (len(high) == len(low) and all(b > a for a, b in zip(low, high, strict=True))),
                   f"'max_size' must be given once for each min_size ({list(low)}) and be larger, got {list(high)}")
        self.check(not param.aspect_ratio or min(param.aspect_ratio) > 0,
                   f"'aspect_ratio' must be above 0, got {list(param.aspect_ratio)}")
        self.variance = list(param.variance) or [0.1]
        self.check(len(self.variance) in (1, 4) and min(self.variance) > 0,
                   f"'variance' must be 1 or 4 numbers above 0, got {self.variance}")
        self.image = self.pair("img_size", "img_h", "img_w")
        self.step = self.pair("step", "step_h", "step_w")
        self.boxes = self.sizes()

    def pair(self, *names: str) -> tuple[float, float] | None:
        """(height, width) from one field, or from two, or None."""
        found = [name for name in names if self.given.HasField(name)]
        self.check(found in ([], [names[0]], [*names[1:]]),
                   f"needs either '{names[0]}' or '{names[1]}' and '{names[2]}', got {found}")
        if not found:
            return None
        values = getattr(self.given, found[0]), getattr(self.given, found[-1])
        self.check(min(values) > 0, f"{found} must be above 0, got {values}")
        return values

    def sizes(self) -> list[tuple[float, float]]:
        """(width, height) of the boxes of a cell, in pixels."""
        ratios = [1.0]
        for ratio in self.given.aspect_ratio:
            if all(abs(ratio - known) >= 1e-6 for known in ratios):
                ratios += [ratio, 1 / ratio] if self.given.flip else [ratio]
        boxes: list[tuple[float, float]] = []
        for i, size in enumerate(map(int, self.given.min_size)):
            boxes.append((size, size))
            if self.given.max_size:
                boxes.append((math.sqrt(size * int(self.given.max_size[i])),) * 2)
            boxes += [(size * math.sqrt(ratio), size / math.sqrt(ratio)) for ratio in ratios[1:]
                      if abs(ratio - 1) >= 1e-6]
        return boxes

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the top."""
        if any(blob.ndim != 4 for blob in bottom):
            raise ShapeError(f"needs bottoms of 4 axes (N, C, H, W), got {[blob.shape for blob in bottom]}")
        top[0].reshape(1, 2, 4 * math.prod(bottom[0].shape[2:]) * len(self.boxes))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the boxes."""
        height, width = bottom[0].shape[2:]
        image_height, image_width = self.image or bottom[1].shape[2:]
        down, right = self.step or (image_height / height, image_width / width)
        half = np.array(self.boxes) / 2  # (P, 2)
        corners = np.empty((height, width, len(self.boxes), 4))
        for axis, (centres, size) in enumerate((
            ((np.arange(width) + self.given.offset)[None, :, None] * right, image_width),
            ((np.arange(height) + self.given.offset)[:, None, None] * down, image_height),
        )):
            corners[..., axis] = (centres - half[:, axis]) / size
            corners[..., axis + 2] = (centres + half[:, axis]) / size
        if self.given.clip:
            corners = corners.clip(0, 1)
        out, xp = top[0].array, self.ops.xp
        out[0, 0] = xp.asarray(corners.reshape(-1))
        out[0, 1].reshape(-1, 4)[...] = xp.asarray(self.variance)
