"""Reference operations: what a solver does to a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Rule = Callable[[Any, Any, Sequence[Any]], None]
"""Called as rule(xp, grad, history): turns a gradient into what is to be subtracted from the values, in place."""


class KnownRule:
    """A rule that has a kernel, named after the class."""

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """Apply the rule."""
        raise NotImplementedError

    def numbers(self) -> tuple[float, ...]:
        """What the kernel takes."""
        raise NotImplementedError


class Step(NamedTuple):
    """What happens to a gradient before the rule sees it: it is scaled, and the gradient of the weight decay added."""

    scale: float = 1.0
    decay: float = 0.0
    kind: str = "L2"  # decay * w, or "L1": decay * sign(w), 0 at 0


class UpdateOps:
    """Mixed into ReferenceOps."""

    xp: Any

    def update(self, step: Step, rule: Rule, values: Any, grad: Any, history: Sequence[Any]) -> None:
        """Prepare the gradient, apply the rule, subtract what comes out; grad then holds it.

        All arrays are flat and of one size; `history` is what the rule keeps between iterations.
        """
        if step.scale != 1:
            grad *= step.scale
        if step.decay:
            grad += step.decay * (values if step.kind == "L2" else self.xp.sign(values))
        rule(self.xp, grad, history)
        values -= grad


@dataclass(frozen=True)
class Sgd(KnownRule):
    """Stochastic gradient descent: history: velocity."""

    rate: float
    momentum: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """v = momentum * v + rate * g; the update is v."""
        (velocity,) = history
        grad *= self.rate
        velocity *= self.momentum
        velocity += grad
        grad[...] = velocity

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.momentum


@dataclass(frozen=True)
class Nesterov(KnownRule):
    """Accelerated gradient: history: velocity."""

    rate: float
    momentum: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """u = v; v = momentum * v + rate * g; the update is (1 + momentum) * v - momentum * u."""
        (velocity,) = history
        grad *= self.rate
        scaled_before = self.momentum * velocity
        velocity[...] = grad + scaled_before
        grad[...] = (1 + self.momentum) * velocity - scaled_before

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.momentum, 1 + self.momentum


@dataclass(frozen=True)
class Adam(KnownRule):
    """Adaptive moments: history: mean, mean square. `rate` includes the correction of the bias."""

    rate: float
    momentum: float
    momentum2: float
    delta: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; the update is rate * m / (sqrt(v) + delta)."""
        first, second = history
        first *= self.momentum
        first += (1 - self.momentum) * grad
        second *= self.momentum2
        second += (1 - self.momentum2) * (grad * grad)
        grad[...] = first
        grad /= xp.sqrt(second) + self.delta
        grad *= self.rate

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.momentum, 1 - self.momentum, self.momentum2, 1 - self.momentum2, self.delta


@dataclass(frozen=True)
class RmsProp(KnownRule):
    """Gradients by their root mean square: history: mean square."""

    rate: float
    decay: float
    delta: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """h = d h + (1 - d) g^2; the update is rate * g / (sqrt(h) + delta)."""
        (squares,) = history
        squares *= self.decay
        squares += (1 - self.decay) * (grad * grad)
        grad /= xp.sqrt(squares) + self.delta
        grad *= self.rate

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.decay, 1 - self.decay, self.delta


@dataclass(frozen=True)
class AdaGrad(KnownRule):
    """Gradients by the root of the sum of all squares: history: that sum."""

    rate: float
    delta: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """h = h + g^2; the update is rate * g / (sqrt(h) + delta)."""
        (squares,) = history
        squares += grad * grad
        grad /= xp.sqrt(squares) + self.delta
        grad *= self.rate

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.delta


@dataclass(frozen=True)
class AdaDelta(KnownRule):
    """Steps of the size of earlier ones: history: mean square of gradients, of steps."""

    rate: float
    momentum: float
    delta: float

    def __call__(self, xp: Any, grad: Any, history: Sequence[Any]) -> None:
        """h = m h + (1 - m) g^2; u = g sqrt((s + delta) / (h + delta)); s = m s + (1 - m) u^2; it is rate * u."""
        squares, updates = history
        squares *= self.momentum
        squares += (1 - self.momentum) * (grad * grad)
        grad *= xp.sqrt((updates + self.delta) / (squares + self.delta))
        updates *= self.momentum
        updates += (1 - self.momentum) * (grad * grad)
        grad *= self.rate

    def numbers(self) -> tuple[float, ...]:
        """See KnownRule."""
        return self.rate, self.momentum, 1 - self.momentum, self.delta
