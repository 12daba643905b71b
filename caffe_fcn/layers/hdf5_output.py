"""HDF5Output: writes what a net computes to an HDF5 file."""

from __future__ import annotations

import numpy as np

from ..formats.atomic import atomic_path
from ..formats.hdf5 import disk_errors, import_h5py
from .base import Blobs, Layer
from .registry import register


@register("HDF5Output")
class HDF5Output(Layer):
    """The first forward writes both bottoms to `file_name`, whole and at once; Caffe writes when the net goes.

    bottom[0]  (N, ...)  becomes the data set `data`
    bottom[1]  (N, ...)  becomes the data set `label`

    Both have four axes in the file, missing ones are 1. A second forward is an error, as in Caffe: a file holds one
    batch.
    """

    bottoms, tops = 2, 0

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the name of the file."""
        self._file = self.param.hdf5_output_param.file_name
        self.check(self._file, "hdf5_output_param needs 'file_name'")
        self._written = False

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there are as many labels as data."""
        self.check(bottom[0].num == bottom[1].num,
                   f"needs as many rows in both bottoms, got {bottom[0].shape} and {bottom[1].shape}")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Write the file. Raises FileAccessError, NotSupportedError without h5py."""
        self.check(not self._written, f"'{self._file}' holds a batch already; run the net once, with all rows in one "
                                      "batch, or make a net for each file")
        h5py = import_h5py(self._file)
        with atomic_path(self._file) as temporary, disk_errors(), h5py.File(temporary, "w") as file:
            for name, blob in zip(("data", "label"), bottom, strict=True):
                values = np.reshape(blob.data, (blob.num, blob.channels, blob.height, blob.width))
                file.create_dataset(name, data=values)
        self._written = True

    def backward(self, top: Blobs, propagate_down: object, bottom: Blobs) -> None:
        """Nothing: writing has no gradient."""
