"""ImageSegData: images with a label for each pixel, for DeepLab."""

from __future__ import annotations

import logging
import re
from typing import Any

import numpy as np

from ...data.layer import FeedLayer
from ...data.lists import PairLine
from ...data.pairs import Labels, PaddingTransformer, PairBatches, mixed_labels, pair_records
from ...errors import LayerError
from ...proto.forks import extended
from ..registry import register

logger = logging.getLogger("caffe_fcn")


@register("ImageSegData")
class ImageSegData(FeedLayer):
    """A list of images and their labels, which `label_type` says: PIXEL, a second image of class numbers; IMAGE, one
    number for the whole image; NONE, no labels. Chen et al., "Semantic image segmentation with deep convolutional nets
    and fully connected CRFs", 2015.

    top[0]  (N, C, H, W)  images, transformed as those of ImageData; where crop_size is larger than an image, the mean
                          is added below and to the right
    top[1]  (N, 1, H, W)  labels, ignore_label (255) where there are none
    top[2]  (N, 1, 1, 2)  height and width of the image within the top

    new_height and new_width resize labels as they resize images, which mixes class numbers, as in DeepLab: it is
    better to resize the files.
    """

    tops = (2, 3)

    def batches(self, generator: np.random.Generator, tops: int) -> PairBatches:
        """See FeedLayer."""
        p = extended(self.param.image_data_param)
        self.check(not self.param.transform_param.HasField("mean_file"),
                   "transform_param: give 'mean_value' instead of 'mean_file', which images of any size cannot have")
        self.check(p.HasField("label_type"), "image_data_param needs 'label_type': PIXEL, IMAGE or NONE")
        self.check(p.ignore_label < 256, f"'ignore_label' must be at most 255, got {p.ignore_label}")
        if p.new_height and p.label_type == p.PIXEL:
            logger.warning("ImageSegData resizes label images as it resizes photos: class numbers are mixed at borders")
        records = pair_records(p, lambda line: _reader(p, line), generator, 1 if p.label_type == p.NONE else 2)
        return PairBatches(records, p.batch_size,
                           PaddingTransformer(self.param.transform_param, not self.test, generator),
                           fill=p.ignore_label, sizes=tops == 3)


def _reader(param: Any, line: PairLine) -> Labels:
    """What reads the labels of a line. Raises LayerError for a number that is no label."""
    if param.label_type == param.PIXEL:
        return mixed_labels
    label = param.ignore_label
    if param.label_type == param.IMAGE:
        if not re.fullmatch("[0-9]{1,3}", line.labels) or int(line.labels) > 255:
            raise LayerError(f"{line.where}: label_type is IMAGE, so that each image needs a label from 0 to 255, got "
                             f"{line.labels[:60]!a}")
        label = int(line.labels)
    return lambda record, size: np.full(size, label, np.uint8)
