"""Options that `classify` and `detect` share: which net, and how its images are prepared."""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.files import existing_file


def model_parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with input, output, the net, and the preparation of images, under the original's names."""
    parser = argparse.ArgumentParser(prog=f"caffe-fcn {name}", description=description)
    parser.add_argument("input_file", help="what to read")
    parser.add_argument("output_file", help="what to write")
    parser.add_argument("--model_def", required=True, help="prototxt of the net")
    parser.add_argument("--pretrained_model", required=True, help="caffemodel of the net")
    parser.add_argument("--gpu", action="store_true", help="compute on the GPU")
    parser.add_argument("--mean_file", default="", help=".npy or .binaryproto; one value per channel or an image")
    parser.add_argument("--input_scale", type=float, help="factor after the mean was subtracted")
    parser.add_argument("--raw_scale", type=float, default=255.0, help="factor for images in 0..1 before that (255)")
    parser.add_argument("--channel_swap", default="2,1,0", help="order of the channels (2,1,0: blue, green, red)")
    return parser


def preparation(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of Classifier and Detector that the options mean; also sets the mode.

    Raises FormatError or MissingFileError for the mean.
    """
    from caffe_fcn import mode

    if options.gpu:
        mode.set_mode_gpu()
    else:
        mode.set_mode_cpu()
    swap = tuple(whole_numbers(options.channel_swap, "--channel_swap")) if options.channel_swap else None
    return {"mean": _mean(options.mean_file) if options.mean_file else None, "input_scale": options.input_scale,
            "raw_scale": options.raw_scale, "channel_swap": swap}


def whole_numbers(text: str, option: str) -> list[int]:
    """Numbers between commas. Raises FormatError naming the option."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise FormatError(f"{option} takes whole numbers with commas between them, got '{text}'") from None


def load_array(path: str | os.PathLike[str]) -> np.ndarray:
    """An array from a .npy file. Raises MissingFileError or FormatError."""
    name = existing_file(path)
    try:
        return np.load(name, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(f"{name}: not a .npy file of numbers: {error}") from None


def _mean(path: str) -> np.ndarray:
    from caffe_fcn.formats import mean

    return mean.read(path) if path.endswith(".binaryproto") else load_array(path)
