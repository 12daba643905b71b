"""ImageLabelmapData: images with edge maps, for HED."""

from __future__ import annotations

import numpy as np

from ...data.layer import FeedLayer
from ...data.pairs import PairBatches, PairRecord, Size, mixed_labels, pair_records
from ...data.transform import Transformer
from ..registry import register


def edges(record: PairRecord, size: Size) -> np.ndarray:
    """1 where the second file of the pair is at least half white, else 0."""
    return mixed_labels(record, size) >= 128


@register("ImageLabelmapData")
class ImageLabelmapData(FeedLayer):
    """Two image files in each line of a list: a photo and its edges; Xie and Tu, "Holistically-nested edge detection",
    2015. image_data_param and transform_param are those of ImageData; the mean and the scale are for the photo alone.

    top[0]  (N, C, H, W)  the photos
    top[1]  (N, 1, H, W)  1 for edges: where the second image is 128 or more, else 0. In BSDS's mean of several people's
                          edges that leaves out what less than half of them drew.
    """

    tops = 2

    def batches(self, generator: np.random.Generator, tops: int) -> PairBatches:
        """See FeedLayer."""
        return PairBatches(pair_records(self.param.image_data_param, lambda line: edges, generator),
                           self.param.image_data_param.batch_size,
                           Transformer(self.param.transform_param, not self.test, generator))
