"""Classifier: a net that classifies images, with their preparation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..net import Net
from .io import oversample as make_crops
from .resize import resize_image
from .signatures import bare_signatures
from .transformer import Transformer

TEST = 1


def make_transformer(net: Net, mean: Any, input_scale: Any, raw_scale: Any, channel_swap: Any) -> Transformer:
    """A Transformer for the first input of `net` that takes images (height, width, channels); None sets nothing."""
    name = net.inputs[0]
    transformer = Transformer({name: tuple(net.blobs[name].shape)})
    transformer.set_transpose(name, (2, 0, 1))
    for setting, value in ((transformer.set_mean, mean), (transformer.set_input_scale, input_scale),
                           (transformer.set_raw_scale, raw_scale), (transformer.set_channel_swap, channel_swap)):
        if value is not None:
            setting(name, value)
    return transformer


class Classifier(Net):
    """A net in phase TEST with the preparation of its images.

    image_dims    (height, width) that images are resized to before they are cropped; the input's size by default
    mean, input_scale, raw_scale, channel_swap   as of `caffe_fcn.pycaffe.io.Transformer`
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: npt.NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims: Any = self.crop_dims if image_dims is None or not len(image_dims) else image_dims

    def predict(self, inputs: Sequence[npt.NDArray[Any]], oversample: bool = True) -> npt.NDArray[np.float32]:
        """Classify K images (height, width, channels).

        oversample  average over ten crops of each image; else take the centre only

        Returns (K, classes), or the net's first output as it is without `oversample`.
        Raises IndexError when there are no images, or `inputs` is a single one.
        """
        if not len(inputs) or np.ndim(inputs[0]) != 3:
            raise IndexError("predict takes a list of images (height, width, channels), got "
                             f"{f'entries of shape {np.shape(inputs[0])}' if len(inputs) else 'an empty one'}")
        images = np.stack([resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            images = make_crops(images, self.crop_dims)
        else:
            first = (np.array(self.image_dims) / 2.0 - self.crop_dims / 2.0).astype(int)
            last = first + self.crop_dims
            images = images[:, first[0]:last[0], first[1]:last[1], :]
        name = self.inputs[0]
        prepared = np.stack([self.transformer.preprocess(name, image) for image in images])
        predictions = self.forward_all(None, **{name: prepared})[self.outputs[0]]
        return predictions.reshape(len(inputs), 10, -1).mean(1) if oversample else predictions


bare_signatures(__name__)
