"""DenseImageData: images with a label for each pixel, for SegNet."""

from __future__ import annotations

import numpy as np

from ...data.layer import FeedLayer
from ...data.pairs import PairBatches, RectangleTransformer, nearest_labels, pair_records
from ...data.records import both
from ...proto.forks import extended
from ..registry import register


@register("DenseImageData")
class DenseImageData(FeedLayer):
    """Two image files in each line of a list: a photo and its class numbers; Badrinarayanan et al., "SegNet", 2015.

    top[0]  (N, C, H, W)  the photos; mean and scale of transform_param are for them alone
    top[1]  (N, 1, H, W)  class numbers

    dense_image_data_param: mirror, crop_height and crop_width draw in both phases; new_height and new_width resize both
    files, labels by taking the nearest.
    """

    tops = 2

    def batches(self, generator: np.random.Generator, tops: int) -> PairBatches:
        """See FeedLayer."""
        p, transform = extended(self.param).dense_image_data_param, self.param.transform_param
        self.check(not transform.mirror and not transform.crop_size,
                   "give 'mirror', 'crop_height' and 'crop_width' in dense_image_data_param, not in transform_param, "
                   "where they would not be for the labels")
        transformer = RectangleTransformer(transform, both(p, "crop_height", "crop_width"), p.mirror, generator)
        return PairBatches(pair_records(p, lambda line: nearest_labels, generator), p.batch_size, transformer)
