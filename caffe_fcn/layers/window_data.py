"""WindowData: windows of images, for training region-based detectors."""

from __future__ import annotations

import numpy as np

from ..data.layer import FeedLayer
from ..data.windows import WindowBatches
from .registry import register


@register("WindowData")
class WindowData(FeedLayer):
    """Draws windows from a window file and warps them to squares (Girshick et al., CVPR 2014).

    top[0]  (N, C, crop_size, crop_size)  N = batch_size
    top[1]  (N,)                          labels, 0 for background

    crop_size, mirror and the mean are read from transform_param, but the scale only from window_data_param, and any
    crop_mode other than "square" means "warp", as in Caffe.
    """

    tops = 2

    def batches(self, generator: np.random.Generator, tops: int) -> WindowBatches:
        """See FeedLayer."""
        p, transform = self.param.window_data_param, self.param.transform_param
        self.check(p.source, "window_data_param needs 'source', a window file")
        self.check(transform.crop_size, "WindowData needs transform_param.crop_size, at least 1")
        self.check(p.batch_size, "'batch_size' must be at least 1, got 0")
        return WindowBatches(p, transform, generator)
