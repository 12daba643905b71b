"""SegNet's BN."""

from __future__ import annotations

from typing import Any

from ..base import Blobs
from .bn import BN

EPS = 1e-9


class SegNetBN(BN):
    """bn_mode LEARN normalises by the batch in both phases; INFERENCE only scales and shifts.

    blobs           scale (1, C, 1, 1), shift (1, C, 1, 1)
    top[1], top[2]  (1, C, 1, 1)  mean and variance of the batch (LEARN)
    """

    def fillers(self) -> list[Any]:
        """One for each blob."""
        return [self.given.scale_filler, self.given.shift_filler]

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the tops their shapes."""
        super().reshape(bottom, top)
        for blob in top[1:]:
            blob.reshape(1, self.channels, 1, 1)

    @property
    def by_batch(self) -> bool:
        """In LEARN only."""
        return self.given.bn_mode == self.given.LEARN

    def statistics(self, x: Any) -> tuple[Any, Any]:
        """Of the batch, or such that nothing changes."""
        xp = self.ops.xp
        if not self.by_batch:
            return xp.zeros(self.channels, x.dtype), xp.ones(self.channels, x.dtype)
        self.found = self.of_batch(x)
        return self.found[0], xp.sqrt(self.found[1] + EPS)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Normalise, scale and shift; show mean and variance if they have tops."""
        super().forward(bottom, top)
        if self.by_batch:
            for blob, values in zip(top[1:], self.found, strict=False):
                blob.array.reshape(-1)[...] = values
