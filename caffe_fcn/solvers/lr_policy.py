"""How the learning rate depends on the iteration: one function per `lr_policy`.

With i = iteration, b = base_lr, g = gamma, p = power:

fixed      b
step       b * g ** (i // stepsize)
exp        b * g ** i
inv        b * (1 + g * i) ** -p
multistep  b * g ** (number of stepvalues passed)
poly       b * (1 - i / max_iter) ** p
sigmoid    b / (1 + exp(-g * (i - stepsize)))
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

logger = logging.getLogger("caffe_fcn")


class LearningRate:
    """The rate of a solver at any iteration, and the counter of steps that `step` and `multistep` move.

    `param` is a SolverParameter whose fields are read anew each time: scripts may change `base_lr`. `current_step`
    is part of the solver's state. `multistep` moves it by at most one per evaluation, so that equal or already
    passed stepvalues are caught up one by one; reading the rate is an evaluation.
    """

    def __init__(self, param: Any) -> None:
        self.param = param
        self.current_step = 0

    def __call__(self, iteration: int) -> float:
        """Evaluate the rate; NaN or infinite where the formula is."""
        with np.errstate(all="ignore"):
            factor = POLICIES[self.param.lr_policy](self, np.float64(iteration))
            return float(np.float32(self.param.base_lr * factor))

    def _fixed(self, iteration: np.float64) -> np.float64:
        return np.float64(1)

    def _step(self, iteration: np.float64) -> np.float64:
        self.current_step = int(iteration) // self.param.stepsize
        return np.float64(self.param.gamma) ** self.current_step

    def _exp(self, iteration: np.float64) -> np.float64:
        return np.float64(self.param.gamma) ** iteration

    def _inv(self, iteration: np.float64) -> np.float64:
        return (1 + self.param.gamma * iteration) ** -self.param.power

    def _multistep(self, iteration: np.float64) -> np.float64:
        values = self.param.stepvalue
        if self.current_step < len(values) and iteration >= values[self.current_step]:
            self.current_step += 1
            logger.info("MultiStep Status: Iteration %d, step = %d", iteration, self.current_step)
        return np.float64(self.param.gamma) ** self.current_step

    def _poly(self, iteration: np.float64) -> np.float64:
        return (1 - iteration / np.float64(self.param.max_iter)) ** self.param.power

    def _sigmoid(self, iteration: np.float64) -> np.float64:
        return 1 / (1 + np.exp(-self.param.gamma * (iteration - self.param.stepsize)))


POLICIES: dict[str, Callable[[LearningRate, np.float64], np.float64]] = {
    "fixed": LearningRate._fixed,
    "step": LearningRate._step,
    "exp": LearningRate._exp,
    "inv": LearningRate._inv,
    "multistep": LearningRate._multistep,
    "poly": LearningRate._poly,
    "sigmoid": LearningRate._sigmoid,
}
WITH_GAMMA = ("step", "exp", "inv", "multistep", "sigmoid")  # must not be negative there
WITH_STEPSIZE = ("step", "sigmoid")  # must be positive there
