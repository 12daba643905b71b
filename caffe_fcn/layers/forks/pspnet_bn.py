"""PSPNet's BN."""

from __future__ import annotations

from typing import Any

from ...proto import caffe_pb2
from ..base import Blobs
from .bn import BN


class PspNetBN(BN):
    """The TRAIN phase normalises by the batch and adds it to running averages; TEST and `frozen` use these.

    blobs  slope, bias, running mean, running variance, each (1, C, 1, 1); the last two are never learned, frozen
           ones neither
    new average = momentum * old + (1 - momentum) * batch; the variance is that of the batch (biased).
    """

    tops = 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the blobs; keep solvers away from the averages."""
        super().setup(bottom, top)
        while len(self.param.param) < len(self.blobs):
            self.param.param.add()
        for spec in self.param.param[0 if self.given.frozen else 2:]:
            spec.lr_mult = spec.decay_mult = 0

    def fillers(self) -> list[Any]:
        """One for each blob."""
        zero, one = (caffe_pb2.FillerParameter(value=value) for value in (0, 1))
        return [self.given.slope_filler, self.given.bias_filler, zero, one if self.given.frozen else zero]

    @property
    def by_batch(self) -> bool:
        """In the TRAIN phase, unless frozen."""
        return not (self.test or self.given.frozen)

    def statistics(self, x: Any) -> tuple[Any, Any]:
        """Of the batch, after adding it to the averages, or the averages."""
        found = [self.blobs[i].array.reshape(-1) for i in (2, 3)]
        if self.by_batch:
            averages, found = found, list(self.of_batch(x))
            for average, new in zip(averages, found, strict=True):
                average *= self.given.momentum
                average += (1 - self.given.momentum) * new
        return found[0].copy(), self.ops.xp.sqrt(found[1] + self.given.eps)
