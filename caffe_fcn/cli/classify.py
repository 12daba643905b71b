"""classify an image, a folder of images or an array of them"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe_fcn.cli.model_options import load_array, model_parser, preparation, whole_numbers
from caffe_fcn.errors import FormatError
from caffe_fcn.formats.atomic import atomic_write


def main(argv: Sequence[str] | None = None) -> int:
    """Write the predictions, (images, classes), to OUTPUT_FILE in the .npy format."""
    parser = model_parser("classify", __doc__ or "")
    parser.add_argument("--center_only", action="store_true", help="take the centre instead of ten crops")
    parser.add_argument("--images_dim", default="256,256", help="height,width that images are resized to (256,256)")
    parser.add_argument("--ext", default="jpg", help="ending of the images in a folder (jpg)")
    options = parser.parse_args(argv)
    from caffe_fcn.pycaffe.classifier import Classifier

    net = Classifier(options.model_def, options.pretrained_model,
                     image_dims=whole_numbers(options.images_dim, "--images_dim"), **preparation(options))
    images = read_images(options.input_file, options.ext)
    print(f"Classifying {len(images)} inputs.", file=sys.stderr)
    predictions = net.predict(images, not options.center_only)
    name = options.output_file if options.output_file.endswith(".npy") else f"{options.output_file}.npy"
    with atomic_write(name) as file:
        np.save(file, predictions)
    return 0


def read_images(source: str, ending: str) -> list[np.ndarray]:
    """Images (height, width, channels) between 0 and 1: a .npy array of them, a folder, or one file.

    Raises FormatError for an empty folder or a .npy file of something else.
    """
    from caffe_fcn.pycaffe.io import load_image

    if source.endswith(".npy"):
        array = load_array(source)
        if array.ndim != 4:
            raise FormatError(f"{source}: must hold (images, height, width, channels), has the shape {array.shape}")
        return list(array)
    folder = Path(source)
    if not folder.is_dir():
        return [load_image(source)]
    files = sorted(folder.glob(f"*.{ending}"))
    if not files:
        raise FormatError(f"there is no *.{ending} in the folder '{source}' (--ext names another ending)")
    return [load_image(file) for file in files]
