"""SPP: pool the whole input to fixed numbers of bins at several scales."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..blob import Blob
from ..errors import ShapeError
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .pooling import Pooling
from .registry import register


@register("SPP")
class SPP(Layer):
    """He et al., "Spatial pyramid pooling in deep convolutional networks", 2014.

    bottom[0]  (N, C, H, W)
    top[0]     (N, K)  the bins of 1 x 1, 2 x 2, 4 x 4 ... pools, pyramid_height of them, flattened and joined;
                       (N, C, 1, 1) for a pyramid_height of 1

    The kernel, and stride, is ceil(size / bins), half of what is then missing is padding: an input too small for
    that is refused with ShapeError.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the height."""
        height = self.param.spp_param.pyramid_height
        self.check(1 <= height <= 16, f"'pyramid_height' must be from 1 to 16, got {height}")
        self._shape: tuple[int, ...] | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Make a pool for each level, if the bottom's shape is new; size the top."""
        shape = bottom[0].shape
        if shape == self._shape:
            return
        if len(shape) != 4:
            raise ShapeError(f"needs a bottom of 4 axes (N, C, H, W), got {shape}")
        height = self.param.spp_param.pyramid_height
        pools = [self.pool(1 << level, shape) for level in range(height)]
        pooled = [Blob((), bottom[0].dtype) for _ in pools] if height > 1 else list(top)
        for pool, blob in zip(pools, pooled, strict=True):
            pool.setup(bottom, [blob])
            pool.reshape(bottom, [blob])
        if height > 1:
            top[0].reshape(shape[0], sum(math.prod(blob.shape[1:]) for blob in pooled))
        self._shape, self.pools, self.pooled = shape, pools, pooled

    def pool(self, bins: int, shape: tuple[int, ...]) -> Pooling:
        """The Pooling layer of one level."""
        param = caffe_pb2.LayerParameter(type="Pooling", phase=self.param.phase)
        window: dict[str, int] = {}
        for side, size in zip("hw", shape[2:], strict=True):
            kernel = -(-size // bins)
            pad = (kernel * bins - size + 1) // 2
            if pad >= max(kernel, 1):
                raise ShapeError(f"a bottom {shape} is too small for {bins} x {bins} bins: use a larger one or a "
                                 "smaller 'pyramid_height'")
            window |= {f"kernel_{side}": kernel, f"stride_{side}": kernel, f"pad_{side}": pad}
        param.pooling_param.MergeFrom(caffe_pb2.PoolingParameter(pool=self.param.spp_param.pool, **window))
        return Pooling(param)

    def parts(self, array: Any) -> Iterator[Any]:
        """Views (N, K of a level) of the top's values or diff."""
        start = 0
        for blob in self.pooled:
            size = math.prod(blob.shape[1:])
            yield array[:, start: start + size]
            start += size

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Pool each level, join the results."""
        for pool, blob in zip(self.pools, self.pooled, strict=True):
            pool.forward(bottom, [blob])
        if len(self.pools) > 1:
            for part, blob in zip(self.parts(top[0].array), self.pooled, strict=True):
                part[...] = blob.array.reshape(part.shape)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add up the gradients of all levels."""
        if not propagate_down[0]:
            return
        if len(self.pools) == 1:
            self.pools[0].backward(top, propagate_down, bottom)
            return
        share = Blob(bottom[0].shape, bottom[0].dtype)
        share.share_data(bottom[0])
        grad = bottom[0].grad
        grad[...] = 0
        for pool, blob, part in zip(self.pools, self.pooled, self.parts(top[0].grad), strict=True):
            blob.grad[...] = part.reshape(blob.shape)
            pool.backward([blob], propagate_down, [share])
            grad += share.grad
