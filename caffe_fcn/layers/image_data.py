"""ImageData: images and labels from a list of image files."""

from __future__ import annotations

import numpy as np

from ..data.batches import ImageBatches
from ..data.layer import FeedLayer
from ..data.records import ListRecords, both
from ..data.transform import Transformer
from .registry import register


@register("ImageData")
class ImageData(FeedLayer):
    """The images of a text file with a name and a whole number in each line, transformed by transform_param.

    top[0]  (N, C, H, W)  N = batch_size, C = 3 or with is_color: false 1; H and W are those of the batch's first
                          image, or new_height and new_width, or crop_size
    top[1]  (N,)          labels
    """

    tops = 2

    def batches(self, generator: np.random.Generator, tops: int) -> ImageBatches:
        """See FeedLayer."""
        p = self.param.image_data_param
        self.check(p.source, "image_data_param needs 'source', a list of images")
        size = both(p, "new_height", "new_width")
        records = ListRecords(p.source, p.root_folder, p.is_color, size, p.shuffle, p.rand_skip, generator)
        return ImageBatches(records, p.batch_size, Transformer(self.param.transform_param, not self.test, generator),
                            with_labels=True)
