"""Reference operations: undoing a max pooling by its mask."""

from __future__ import annotations

from typing import Any

import numpy as np


class UnpoolingOps:
    """Mixed into ReferenceOps. x and mask are (N, C, h, w), out is (N, C, H, W).

    The mask holds flat indices in an H x W plane as floats, which are cut toward zero. Both operations give False, and
    leave what they write undefined, if one is outside the plane; on a GPU an array of one boolean.
    """

    xp: Any

    def unpool(self, x: Any, mask: Any, out: Any) -> bool:
        """Put each value where its mask says, 0 elsewhere; of several values for one place the last stays."""
        places = self._places(mask, out)
        out[...] = 0
        if places is not None:
            out.reshape(-1)[places] = x.reshape(-1)
        return places is not None

    def unpool_backward(self, grad_out: Any, mask: Any, grad_x: Any) -> bool:
        """Fetch each gradient from there; grad_x is overwritten."""
        places = self._places(mask, grad_out)
        if places is not None:
            grad_x.reshape(-1)[...] = grad_out.reshape(-1)[places]
        return places is not None

    def _places(self, mask: Any, large: Any) -> Any:
        """The mask as indices of the flat `large`, or None if one is outside its plane."""
        size = large.shape[2] * large.shape[3]
        with np.errstate(invalid="ignore"):  # NaN and infinity are outside
            inside = self.xp.isfinite(mask) & (mask > -1) & (mask < size)
        if not inside.all():
            return None
        planes = self.xp.arange(large.shape[0] * large.shape[1])[:, None] * size
        return (mask.reshape(len(planes), mask.shape[2] * mask.shape[3]).astype(np.int64) + planes).reshape(-1)
