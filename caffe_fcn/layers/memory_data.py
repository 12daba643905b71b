"""MemoryData: batches of arrays that the user hands over."""

from __future__ import annotations

import numpy as np

from ..errors import ArrayError
from .base import Blobs, Layer
from .registry import register


@register("MemoryData")
class MemoryData(Layer):
    """Goes through arrays given by ``net.set_input_arrays(data, labels)``, again and again; transforms nothing.

    top[0]  (N, C, H, W)  N = batch_size, with channels, height and width all in memory_data_param
    top[1]  (N,)          labels; (N, 1, 1, 1) from the first forward on, as in Caffe
    """

    bottoms, tops = 0, 2

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Shape the tops."""
        p = self.param.memory_data_param
        self._shape = (p.batch_size, p.channels, p.height, p.width)
        self.check(all(self._shape), "memory_data_param needs batch_size, channels, height and width, all at least 1; "
                                     f"got {self._shape}")
        self._arrays: tuple[np.ndarray, ...] = ()
        self._position = 0
        top[0].reshape(*self._shape)
        top[1].reshape(p.batch_size)

    def set_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Use these float32 arrays, (M, C, H, W) and (M,) or (M, 1, 1, 1), M a multiple of N, from the next forward on.

        They are not copied: what is written into them later is seen. Raises ArrayError.
        """
        if np.ndim(labels) == 1:
            labels = np.ascontiguousarray(labels)[:, None, None, None]
        _check("data array", data, self._shape[1:])
        _check("labels array", labels, (1, 1, 1))
        if len(data) != len(labels):
            raise ArrayError(f"data and labels must have the same first dimension, got {len(data)} and {len(labels)}")
        if len(data) % self._shape[0] or not len(data):
            raise ArrayError(f"first dimensions of input arrays must be a multiple of batch size, {self._shape[0]}; "
                             f"got {len(data)}")
        self._arrays, self._position = (data, labels), 0

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the next batch."""
        self.check(self._arrays, "has no data yet: call net.set_input_arrays(data, labels) before forward")
        rows = slice(self._position, self._position + self._shape[0])
        top[1].reshape(self._shape[0], 1, 1, 1)
        for blob, values in zip(top, self._arrays, strict=True):
            blob.data[...] = values[rows]  # not `array`: the user's arrays are on the host
        self._position = rows.stop % len(self._arrays[0])


def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        raise ArrayError(f"{name} must be C contiguous (use np.ascontiguousarray)")
    if array.ndim != 4:
        raise ArrayError(f"{name} must be 4-d, got the shape {array.shape}")
    if array.dtype != np.float32:
        raise ArrayError(f"{name} must be float32, got {array.dtype}")
    for axis, wanted, got in zip(("number of channels", "height", "width"), shape, array.shape[1:], strict=True):
        if wanted != got:
            raise ArrayError(f"{name} has wrong {axis}: the layer has {wanted}, got {got}")
