"""Eltwise: sum, product or maximum of several blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register

PROD, SUM, MAX = (caffe_pb2.EltwiseParameter.EltwiseOp.Value(name) for name in ("PROD", "SUM", "MAX"))


@register("Eltwise")
class Eltwise(Layer):
    """Combine two or more bottoms of one shape value by value.

    SUM   coeff[0] * bottom[0] + coeff[1] * bottom[1] ...
    PROD  its gradient is the product of the other bottoms, or with stable_prod_grad: false top / bottom
    MAX   the gradient goes to one bottom: the second of the first two if they are equal, a later one if it is
          greater than all before it

    Refuses to run in place, where Caffe silently forgets a bottom.
    """

    bottoms, tops = (2, None), 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the coefficients."""
        p = self.param.eltwise_param
        self._operation = p.operation
        self.check(not p.coeff or self._operation == SUM, "'coeff' is for operation: SUM only")
        self.check(len(p.coeff) in (0, len(bottom)),
                   f"'coeff' must be given once per bottom ({len(bottom)}) or not at all, got {len(p.coeff)}")
        self._coeff = tuple(p.coeff) or (1.0,) * len(bottom)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottoms' common shape."""
        for i, blob in enumerate(bottom):
            if blob.shape != bottom[0].shape:
                raise ShapeError(f"bottoms need the same shape: bottom 0 is {bottom[0].shape}, bottom {i} {blob.shape}")
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        x, y, xp = [blob.array for blob in bottom], top[0].array, self.ops.xp
        if self._operation == SUM:
            self._sum(x, y)
        elif self._operation == PROD:
            xp.multiply(x[0], x[1], out=y)
            for other in x[2:]:
                y *= other
        else:
            y[...] = xp.where(x[0] > x[1], x[0], x[1])
            for other in x[2:]:
                y[...] = xp.where(other > y, other, y)

    def _sum(self, x: list[Any], y: Any) -> None:
        terms = [values if c == 1 else c * values for c, values in zip(self._coeff, x, strict=True)]
        self.ops.xp.add(terms[0], terms[1], out=y)
        for term in terms[2:]:
            y += term

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottoms' diffs."""
        xp, grad_y = self.ops.xp, top[0].grad
        winner = self._winner(bottom) if self._operation == MAX else None
        for i, blob in enumerate(bottom):
            if not propagate_down[i]:
                continue
            if self._operation == SUM:
                xp.multiply(grad_y, self._coeff[i], out=blob.grad)
            elif self._operation == PROD:
                blob.grad[...] = self._product_without(i, bottom, top) * grad_y
            else:
                blob.grad[...] = grad_y * (winner == i)

    def _product_without(self, skip: int, bottom: Blobs, top: Blobs) -> Any:
        if not self.param.eltwise_param.stable_prod_grad:
            with self.ops.quiet():
                return top[0].array / bottom[skip].array
        others = [blob.array for i, blob in enumerate(bottom) if i != skip]
        product = others[0]
        for other in others[1:]:
            product = product * other
        return product

    def _winner(self, bottom: Blobs) -> Any:
        """Index of the bottom that the maximum came from."""
        xp, first, second = self.ops.xp, bottom[0].array, bottom[1].array
        winner = xp.where(first > second, 0, 1)
        best = xp.where(first > second, first, second)
        for i, blob in enumerate(bottom[2:], 2):
            greater = blob.array > best
            winner = xp.where(greater, i, winner)
            best = xp.where(greater, blob.array, best)
        return winner
