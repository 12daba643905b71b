"""What `transform_param` asks for: crop, mirror, subtract a mean, scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.formats import mean as mean_files


class Placement(NamedTuple):
    """What was drawn for one image: the window's first row and column, and whether it is mirrored."""

    row: int = 0
    column: int = 0
    mirrored: bool = False


class Transformer:
    """(image - mean) * scale of the window of `crop_size`, perhaps mirrored.

    param      TransformationParameter
    train      the TRAIN phase: the window is drawn; else it is the middle one. `mirror` draws in both phases.
    generator  source of the draws; they are taken image by image, in order

    The mean is a file's (the same window of it, not mirrored), one value, or one for each channel.
    Raises LayerError when mean_file and mean_value are both given, MissingFileError, FormatError.
    """

    def __init__(self, param: Any, train: bool, generator: np.random.Generator) -> None:
        if param.HasField("mean_file") and param.mean_value:
            raise LayerError("transform_param: give 'mean_file' or 'mean_value', not both")
        self.crop = param.crop_size
        self._param = param
        self._train = train
        self._generator = generator
        self._scale = np.float32(param.scale)
        self._mean_image = mean_files.read(param.mean_file) if param.HasField("mean_file") else None
        self._mean_values = np.array(param.mean_value, np.float32)[:, None, None]

    @property
    def color(self) -> bool | None:
        """The channels of encoded images: True: 3, False: 1, None: as the file has them."""
        if self._param.force_color and self._param.force_gray:
            raise LayerError("transform_param: give 'force_color' or 'force_gray', not both")
        return True if self._param.force_color else False if self._param.force_gray else None

    def shape(self, image_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """The shape after the transformation of a (channels, height, width) image.

        Raises ShapeError when the image is smaller than the crop or does not fit the mean.
        """
        channels, height, width = image_shape
        if self.crop and min(height, width) < self.crop:
            raise ShapeError(f"crop_size {self.crop} is larger than the image, {height} x {width} (height x width)")
        if self._mean_image is not None and self._mean_image.shape != tuple(image_shape):
            raise ShapeError(f"the mean of '{self._param.mean_file}' has the shape {self._mean_image.shape}, the image "
                             f"{tuple(image_shape)} (channels, height, width)")
        if len(self._mean_values) not in (0, 1, channels):
            raise ShapeError(f"'mean_value' must be given once or once per channel ({channels}), "
                             f"got {len(self._mean_values)}")
        return (channels, self.crop, self.crop) if self.crop else (channels, height, width)

    def draw(self, image_shape: tuple[int, ...]) -> Placement:
        """Draw (TRAIN) or choose (TEST) the window of an image that `shape` accepted."""
        _, height, width = image_shape
        mirrored = bool(self._param.mirror and self._generator.integers(2))
        if not self.crop:
            return Placement(mirrored=mirrored)
        room = height - self.crop, width - self.crop
        row, column = (int(self._generator.integers(n + 1)) if self._train else n // 2 for n in room)
        return Placement(row, column, mirrored)

    def apply(self, image: np.ndarray, placement: Placement, out: np.ndarray) -> None:
        """Write the transformed image into `out`, float32 of the shape that `shape` gave."""
        height, width = out.shape[1:]
        row, column, mirrored = placement
        window = (slice(None), slice(row, row + height), slice(column, column + width))
        target = out[:, :, ::-1] if mirrored else out
        if self._mean_image is not None:
            np.subtract(image[window], self._mean_image[window], out=target)
        elif len(self._mean_values):
            np.subtract(image[window], self._mean_values, out=target)
        else:
            target[...] = image[window]
        if self._scale != 1:
            target *= self._scale
