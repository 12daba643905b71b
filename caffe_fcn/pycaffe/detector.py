"""Detector: a net that classifies windows of images (R-CNN; Girshick, Donahue, Darrell and Malik, CVPR 2014)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import NotSupportedError
from ..net import Net
from .classifier import TEST, make_transformer
from .io import load_image
from .resize import resize_image
from .signatures import bare_signatures

Windows = Iterable[Sequence[int]] | npt.NDArray[Any]  # (ymin, xmin, ymax, xmax) each


class Detector(Net):
    """A net in phase TEST that scores windows of images, with the preparation of the windows.

    context_pad  pixels of the input that show what is around the window (R-CNN uses 16); None for the window alone
    mean, input_scale, raw_scale, channel_swap   as of `caffe_fcn.pycaffe.io.Transformer`
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: npt.NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Windows]]) -> list[dict[str, Any]]:
        """Score windows of images.

        images_windows  pairs of an image file and its windows, (ymin, xmin, ymax, xmax) in pixels

        Returns one dict per window with `window`, `prediction` (of the net's first output) and `filename`.
        Raises IndexError when there is no window at all.
        """
        found: list[dict[str, Any]] = []
        prepared = []
        name = self.inputs[0]
        for filename, windows in images_windows:
            image = load_image(filename)
            for window in windows:
                prepared.append(self.transformer.preprocess(name, self.crop(image, window)))
                found.append({"window": window, "filename": filename})
        if not found:
            raise IndexError("there are no windows to detect in: give at least one (ymin, xmin, ymax, xmax)")
        predictions = self.forward_all(None, **{name: np.stack(prepared)})[self.outputs[0]]
        return [{**entry, "prediction": prediction} for entry, prediction in zip(found, predictions, strict=True)]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Score the windows that the module `selective_search_ijcv_with_python` proposes for the images.

        Raises NotSupportedError when that module, a bridge to Matlab code, is not installed.
        """
        try:
            import selective_search_ijcv_with_python as selective_search  # type: ignore[import-not-found]
        except ImportError:
            raise NotSupportedError("the module selective_search_ijcv_with_python is not installed; propose windows "
                                    "with any other tool and give them to detect_windows") from None
        windows = selective_search.get_windows(image_fnames, cmd="selective_search_rcnn")
        return self.detect_windows(zip(image_fnames, windows, strict=True))

    def crop(self, im: npt.NDArray[Any], window: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut a window (ymin, xmin, ymax, xmax) out of an image, with context if `context_pad` is set.

        What lies outside of the image is filled with the mean. Raises ValueError for a window outside of the image.
        """
        box = np.asarray(window)
        if not self.context_pad:
            alone = im[int(box[0]):int(box[2]), int(box[1]):int(box[3])]
            if not alone.size:
                raise ValueError(_outside(box, im))
            return alone
        size = int(self.blobs[self.inputs[0]].width)  # of the input, which is square
        scale = size / (size - 2.0 * self.context_pad)
        source, target, lengths = [], [], []
        for axis in (0, 1):
            place = _with_context(int(box[axis]), int(box[axis + 2]), scale, size, im.shape[axis])
            if place is None:
                raise ValueError(_outside(box, im))
            source.append(slice(place[0], place[1]))
            target.append(slice(place[2], place[2] + place[3]))
            lengths.append(place[3])
        crop = np.ones(self.crop_dims, np.float32) * self.crop_mean.astype(np.float32)
        crop[target[0], target[1]] = resize_image(im[source[0], source[1]], lengths)
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the context, and work out the mean as images (height, width, channels) between 0 and 1 have it."""
        name = self.inputs[0]
        shape = np.array(self.blobs[name].shape[1:])
        back = np.argsort(self.transformer.transpose[name])
        self.crop_dims = shape[back]
        self.context_pad = context_pad
        if not context_pad:
            return
        if self.transformer.mean.get(name) is None:
            self.crop_mean = np.zeros(self.crop_dims, np.float32)
            return
        mean = self.transformer.mean[name].transpose(back)
        if name in self.transformer.channel_swap:
            mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        self.crop_mean = mean / self.transformer.raw_scale.get(name, 1.0)


def _outside(box: npt.NDArray[Any], im: npt.NDArray[Any]) -> str:
    return f"the window {box.tolist()} is not in the image of {im.shape[0]} x {im.shape[1]}"


def _with_context(low: int, high: int, scale: float, size: int, image: int) -> tuple[int, int, int, int] | None:
    """One axis of a window that is grown by `scale`: (first, last) in the image, (start, length) in the crop.

    size, image  lengths of the crop and of the image; None if nothing of the window is in the image
    """
    half = (high - low + 1) / 2.0
    centre = low + half
    first, last = np.round([centre - scale * half, centre + scale * half])
    factor = size / (last - first + 1)
    start = round(max(0.0, -first) * factor)
    first, last = np.clip([first, last], 0, image)
    if last <= first:
        return None
    length = min(round((last - first + 1) * factor), size - start)
    return (int(first), int(last), start, length) if length > 0 else None


bare_signatures(__name__)
