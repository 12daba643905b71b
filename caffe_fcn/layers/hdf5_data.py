"""HDF5Data: arrays from HDF5 files."""

from __future__ import annotations

import numpy as np

from ..data.hdf5 import Hdf5Batches
from ..data.layer import FeedLayer
from .registry import register


@register("HDF5Data")
class HDF5Data(FeedLayer):
    """Each top is the data set of its name, `batch_size` rows at a time, in the files that `source` lists.

    top[i]  (N, ...)  N = batch_size, the other axes as in the file

    Batches run on from one file to the next. `shuffle` reorders the files, and the rows within each.
    """

    tops = (1, None)

    def batches(self, generator: np.random.Generator, tops: int) -> Hdf5Batches:
        """See FeedLayer."""
        p = self.param.hdf5_data_param
        self.check(not self.param.HasField("transform_param"), "HDF5Data does not transform: remove transform_param")
        self.check(p.source, "hdf5_data_param needs 'source', a list of HDF5 files")
        self.check(p.batch_size, "'batch_size' must be at least 1, got 0")
        return Hdf5Batches(p.source, list(self.param.top), p.batch_size, p.shuffle, generator)
