"""Reference operations: local response normalisation (Krizhevsky, Sutskever and Hinton 2012)."""

from __future__ import annotations

from typing import Any, NamedTuple

from .pooling import Window


class Response(NamedTuple):
    """The constants of a normalisation: y = x * (k + alpha * mean(x^2 over `size`)) ** -beta."""

    size: int  # odd
    alpha: float
    beta: float
    k: float = 1.0

    @property
    def window(self) -> Window:
        """The average pooling that a normalisation within channels takes."""
        return Window((self.size,) * 2, (1, 1), (self.size // 2,) * 2)


class LrnOps:
    """Mixed into ReferenceOps."""

    xp: Any
    ave_pool: Any  # from PoolingOps
    ave_pool_backward: Any

    def _neighbours(self, x: Any, size: int) -> Any:
        """Sums of x (N, C, inner) over `size` neighbouring channels, those outside counting as 0."""
        total = x.copy()
        for offset in range(1, min(size // 2 + 1, x.shape[1])):
            total[:, offset:] += x[:, :-offset]
            total[:, :-offset] += x[:, offset:]
        return total

    def _scale_across(self, x: Any, response: Response) -> Any:
        scale = self._neighbours(x * x, response.size)
        scale *= response.alpha / response.size
        scale += response.k
        return scale

    def lrn_across(self, x: Any, out: Any, response: Response) -> None:
        """Normalise x (N, C, inner) over neighbouring channels; the mean counts missing channels as 0.

        out may be x itself.
        """
        self.xp.multiply(x, self._scale_across(x, response) ** -response.beta, out=out)

    def lrn_across_backward(self, x: Any, grad_out: Any, grad_x: Any, response: Response) -> None:
        """Gradient of lrn_across, overwriting grad_x."""
        scale = self._scale_across(x, response)
        power = scale ** -response.beta
        through = self._neighbours(grad_out * x * power / scale, response.size)
        through *= -2 * response.alpha * response.beta / response.size
        self.xp.add(grad_out * power, x * through, out=grad_x)

    def _scale_within(self, x: Any, response: Response) -> Any:
        scale = self.xp.empty_like(x)
        self.ave_pool(x * x, scale, response.window)
        scale *= response.alpha
        scale += 1
        return scale

    def lrn_within(self, x: Any, out: Any, response: Response) -> None:
        """Normalise x (N, C, H, W) over a square around each pixel; the mean counts the padding; k is 1.

        out may be x itself.
        """
        self.xp.multiply(x, self._scale_within(x, response) ** -response.beta, out=out)

    def lrn_within_backward(self, x: Any, grad_out: Any, grad_x: Any, response: Response) -> None:
        """Gradient of lrn_within, overwriting grad_x."""
        scale = self._scale_within(x, response)
        power = scale ** -response.beta
        self.ave_pool_backward(grad_out * x * power / scale, grad_x, response.window)
        grad_x *= -2 * response.alpha * response.beta * x
        grad_x += grad_out * power
