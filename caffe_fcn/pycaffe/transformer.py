"""Transformer: from images to what a net's input blob takes, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .resize import resize_image
from .signatures import bare_signatures


class Transformer:
    """Settings for the inputs of a net, applied by `preprocess` and undone by `deprocess`.

    inputs  shapes by input name, such as `{"data": net.blobs["data"].shape}`

    `preprocess` works in this order: resize to the input's height and width, transpose, channel swap, raw scale,
    mean, input scale. What is not set is left out.
    Every method raises ValueError for a name that is not among the inputs.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, npt.NDArray[Any]] = {}
        self.input_scale: dict[str, float] = {}

    def __check_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise ValueError(f"there is no input '{in_}', but {', '.join(map(repr, self.inputs))}")

    def preprocess(self, in_: str, data: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """An image (height, width, channels) as the input `in_` takes it, float32; `data` is not changed."""
        self.__check_input(in_)
        values = np.array(data, np.float32)
        size = tuple(self.inputs[in_][2:])
        if values.shape[:2] != size:
            if values.ndim != 3:
                raise ValueError(f"an image has the axes (height, width, channels), got the shape {values.shape}")
            values = resize_image(values, size)
        if in_ in self.transpose:
            values = values.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            values = values[self.channel_swap[in_], :, :]
        if in_ in self.raw_scale:
            values *= self.raw_scale[in_]
        if in_ in self.mean:
            values -= self.mean[in_]
        if in_ in self.input_scale:
            values *= self.input_scale[in_]
        return values

    def deprocess(self, in_: str, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The image (height, width, channels) that `preprocess` made `data` of, but for its size."""
        self.__check_input(in_)
        values = data.copy().squeeze()
        if in_ in self.input_scale:
            values /= self.input_scale[in_]
        if in_ in self.mean:
            values += self.mean[in_]
        if in_ in self.raw_scale:
            values /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            values = values[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            values = values.transpose(np.argsort(self.transpose[in_]))
        return values

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order of the axes, usually (2, 0, 1): height x width x channels to channels x height x width."""
        self.__check_input(in_)
        axes = len(self.inputs[in_]) - 1
        if len(order) != axes or len({axis % axes for axis in order}) != axes:
            raise ValueError(f"a transpose order names each of the {axes} axes of the input '{in_}' once, "
                             f"got {tuple(order)}")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Order of the channels, usually (2, 1, 0): red, green, blue to blue, green, red."""
        self.__check_input(in_)
        channels = self.inputs[in_][1]
        if len(order) != channels:
            raise ValueError(f"a channel swap names each of the {channels} channels of the input '{in_}', "
                             f"got {tuple(order)}")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Factor before the mean is subtracted: 255 for nets trained on 0..255, with images in 0..1."""
        self.__check_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: npt.NDArray[Any]) -> None:
        """What to subtract: one value per channel, or an image (channels, height, width) that is resized to fit.

        Raises ValueError when the channels are not those of the input, or for another number of axes.
        """
        self.__check_input(in_)
        shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if mean.shape != shape[:1]:
                raise ValueError(f"a mean takes one value per channel: {mean.shape[0]} values for the {shape[0]} "
                                 f"channels of '{in_}'")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"a mean is (channels,) or (channels, height, width), got the shape {mean.shape}")
        elif (mean.shape if mean.ndim == 3 else (1, *mean.shape)) != shape:
            planes = mean if mean.ndim == 3 else mean[np.newaxis]
            if planes.shape[0] not in (1, shape[0]):
                raise ValueError(f"a mean image for '{in_}' needs 1 or {shape[0]} channels, got the shape {mean.shape}")
            mean = resize_image(planes.transpose(1, 2, 0), shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Factor after the mean was subtracted."""
        self.__check_input(in_)
        self.input_scale[in_] = scale


bare_signatures(__name__)
