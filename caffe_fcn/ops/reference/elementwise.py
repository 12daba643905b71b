"""Reference operations: what acts on each value alone."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from ... import mode


class ElementwiseOps:
    """Mixed into ReferenceOps. Arrays have any shape; `out` and `grad_x` are overwritten and may be an input."""

    xp: Any

    def quiet(self) -> contextlib.AbstractContextManager:
        """A `with` block in which infinities and NaN appear without warnings, where they are Caffe's values."""
        return np.errstate(all="ignore")

    def relu(self, x: Any, out: Any, slope: float) -> None:
        """out = x where x > 0, else slope * x."""
        xp = self.xp
        with self.quiet():
            out[...] = xp.maximum(x, 0) + slope * xp.minimum(x, 0)

    def relu_backward(self, x: Any, grad_out: Any, grad_x: Any, slope: float) -> None:
        """grad_x = grad_out where x > 0, else slope * grad_out (0 where x is NaN)."""
        grad_x[...] = grad_out * ((x > 0) + slope * (x <= 0)).astype(x.dtype)

    def sigmoid(self, x: Any, out: Any) -> None:
        """out = 1 / (1 + exp(-x)), computed as Caffe does: exactly 0 for x below about -18."""
        xp = self.xp
        xp.tanh(0.5 * x, out=out)
        xp.multiply(out, 0.5, out=out)
        xp.add(out, 0.5, out=out)

    def random_mask(self, shape: tuple[int, ...], ratio: float) -> Any:
        """A boolean array, each element False with the probability `ratio`."""
        return self.uniform(shape) >= ratio

    def uniform(self, shape: tuple[int, ...]) -> Any:
        """Random float32 numbers in [0, 1)."""
        return mode.generator().random(shape, np.float32)
