"""Data: images and labels from a database."""

from __future__ import annotations

import numpy as np

from ..data.batches import ImageBatches
from ..data.layer import FeedLayer
from ..data.records import DatabaseRecords
from ..data.transform import Transformer
from .registry import register


@register("Data")
class Data(FeedLayer):
    """The records of a LevelDB or LMDB in the order of their keys, transformed by transform_param.

    top[0]  (N, C, H, W)  N = batch_size; H and W are those of the batch's first image, or crop_size
    top[1]  (N,)          labels; may be left out

    force_encoded_color and rand_skip have no effect, as in Caffe 1.0.
    """

    tops = (1, 2)

    def batches(self, generator: np.random.Generator, tops: int) -> ImageBatches:
        """See FeedLayer."""
        p = self.param.data_param
        self.check(p.source, "data_param needs 'source', the folder of a database")
        transformer = Transformer(self.param.transform_param, not self.test, generator)
        backend = "lmdb" if p.backend == p.LMDB else "leveldb"
        return ImageBatches(DatabaseRecords(backend, p.source, transformer.color), p.batch_size, transformer, tops == 2)
