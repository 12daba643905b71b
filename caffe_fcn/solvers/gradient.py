"""What happens to gradients before their update: clipping."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from ..blob import Blob
from ..memory import Head

logger = logging.getLogger("caffe_fcn")


def clip(blobs: Sequence[Blob], limit: float) -> None:
    """Scale all diffs so that their common L2 norm is at most `limit`; a negative one means no limit, 0 clears them."""
    if limit < 0:
        return
    grads = [blob.grad.reshape(-1) for blob in blobs if blob.memories[1].head is not Head.NONE]
    norm = math.sqrt(float(sum((grad @ grad).astype(np.float64) for grad in grads)))  # fetched from a GPU once
    if norm > limit:
        logger.info("Gradient clipping: scaling down gradients (L2 norm %g > %g) by scale factor %g", norm, limit,
                    limit / norm)
        for grad in grads:
            grad *= limit / norm
