"""What LSTM and RNN share: the loop over time, the input's projection, the state that survives a pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..blob import Blob
from ..errors import ShapeError
from .base import Blobs, Layer


class Recurrent(Layer):
    """A layer whose state goes from each time step to the next.

    bottom[0]   (T, N, ...)  the input, flattened from axis 2 on (K values)
    bottom[1]   (T, N)       cont: 0 where a sequence begins (the state is dropped), else 1
    bottom[2]   (N, ...)     static input of all steps, flattened from axis 1 on (S values); may be left out
    then, with expose_hidden: the states before the first step, each (1, N, D)
    top[0]      (T, N, D)    D is num_output
    then, with expose_hidden: the states after the last step, each (1, N, D)
    blobs       weight of the input (R, K), bias (R), weight of the static input (R, S) if there is one, and the
                subclass's own; R = gates * D

    Without expose_hidden a forward begins with the state that the last one ended with (at first 0), as long as
    cont says so. No gradient passes through the states at the two ends, nor through cont. As in Caffe all
    inputs and parameters get their gradients, also those with propagate_down: false or lr_mult: 0. Raises ShapeError.
    """

    states = 1  # how many arrays (N, D) go from step to step
    gates = 1

    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self.exposed = self.states if param.recurrent_param.expose_hidden else 0
        self.bottoms = (2 + self.exposed, 3 + self.exposed)
        self.tops = 1 + self.exposed

    def allow_force_backward(self, bottom_index: int) -> bool:
        """cont has no gradient."""
        return bottom_index != 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make and fill the parameters."""
        size = self.size = self.param.recurrent_param.num_output
        self.check(size >= 1, f"'num_output' must be at least 1, got {size}")
        self.static = len(bottom) == 3 + self.exposed
        self.dtype = bottom[0].dtype
        self._check_shapes(bottom)
        self._inputs = [(self.gates * size, math.prod(bottom[0].shape[2:]))]
        self.add_weight(self._inputs[0])
        self.add_bias(self.gates * size)
        if self.static:
            self._inputs.append((self.gates * size, math.prod(bottom[2].shape[1:])))
            self.add_weight(self._inputs[1])
        self.add_own_params()
        self._state = [Blob((), self.dtype) for _ in range(self.states)]

    def add_weight(self, shape: tuple[int, int]) -> None:
        """Append a weight."""
        self.add_param(shape, self.param.recurrent_param.weight_filler, self.dtype)

    def add_bias(self, size: int) -> None:
        """Append a bias."""
        self.add_param((size,), self.param.recurrent_param.bias_filler, self.dtype)

    def add_own_params(self) -> None:
        """Append the subclass's parameters."""
        raise NotImplementedError

    def _check_shapes(self, bottom: Blobs) -> None:
        x, cont = bottom[0].shape, bottom[1].shape
        if len(x) < 3 or cont != x[:2]:
            raise ShapeError(f"needs an input (T, N, ...) and cont (T, N), got {x} and {cont}")
        if self.static and (bottom[2].ndim < 2 or bottom[2].shape[0] != x[1]):
            raise ShapeError(f"the static input needs the shape ({x[1]}, ...), got {bottom[2].shape}")
        for blob in self._given(bottom):
            if blob.count != x[1] * self.size:
                raise ShapeError(f"an exposed state needs the shape {(1, x[1], self.size)}, got {blob.shape}")

    def _given(self, bottom: Blobs) -> Blobs:
        """The bottoms that hold exposed states."""
        return bottom[len(bottom) - self.exposed:]

    def _driving(self, bottom: Blobs) -> list[tuple[int, int]]:
        """(index of the bottom, index of its weight) of the inputs."""
        return [(0, 0), (2, 2)] if self.static else [(0, 0)]

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes; size tops and state."""
        self._check_shapes(bottom)
        steps, batch = bottom[0].shape[:2]
        for (index, weight), (_, size) in zip(self._driving(bottom), self._inputs, strict=True):
            found = math.prod(bottom[index].shape[2 - index // 2:])
            if found != size:
                raise ShapeError(f"bottom {index} of shape {bottom[index].shape} has {found} values for each item, "
                                 f"the weight {self.blobs[weight].shape} is for {size}")
        top[0].reshape(steps, batch, self.size)
        for blob in (*top[1:], *self._state):
            blob.reshape(1, batch, self.size)

    # the loop

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Step through time."""
        steps, batch = bottom[0].shape[:2]
        carried = [blob.array.reshape(batch, self.size).copy() for blob in self._given(bottom) or self._state]
        drive, cont, out = self._drive(bottom), bottom[1].array, top[0].array
        self._kept: list[Any] = []
        for t in range(steps):
            out[t], carried, kept = self.step(drive[t], cont[t][:, None], carried)
            if self.needs_backward:
                self._kept.append(kept)
        for blob, final in zip(top[1:] or self._state, carried, strict=True):
            blob.array[0] = final

    def _drive(self, bottom: Blobs) -> Any:
        """What the inputs add to each step: (T, N, R)."""
        x, weight, bias = bottom[0].array, self.blobs[0].array, self.blobs[1].array
        drive = (x.reshape(-1, weight.shape[1]) @ weight.T + bias).reshape(*x.shape[:2], bias.size)
        if self.static:
            weight = self.blobs[2].array
            drive += bottom[2].array.reshape(-1, weight.shape[1]) @ weight.T
        return drive

    def step(self, drive: Any, cont: Any, states: list[Any]) -> tuple[Any, list[Any], Any]:
        """One step from drive (N, R), cont (N, 1), states [(N, D)]: output (N, D), states, what backward needs."""
        raise NotImplementedError

    def step_backward(self, kept: Any, grad_out: Any, grads: list[Any]) -> tuple[Any, list[Any]]:
        """Gradients of drive and states before a step from those of its output and of the states after it.

        Adds to the diffs of the subclass's own parameters.
        """
        raise NotImplementedError

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Step back through time."""
        self.check(not propagate_down[1], "cannot compute a gradient of cont: set propagate_down: false for its "
                                          "second bottom")
        xp, grad_top = self.ops.xp, top[0].grad
        steps, batch = bottom[0].shape[:2]
        grad_drive = xp.empty((steps, batch, self.gates * self.size), self.dtype)
        grads = [xp.zeros((batch, self.size), self.dtype) for _ in range(self.states)]
        for t in reversed(range(steps)):
            grad_drive[t], grads = self.step_backward(self._kept[t], grad_top[t], grads)
        bias = self.blobs[1].grad
        bias += grad_drive.sum(axis=(0, 1))
        for index, place in self._driving(bottom):
            weight = self.blobs[place]
            rows = grad_drive.reshape(-1, weight.shape[0]) if index == 0 else grad_drive.sum(axis=0)
            self.ops.add_product(rows.T, bottom[index].array.reshape(-1, weight.shape[1]), weight.grad)
            bottom[index].grad[...] = (rows @ weight.array).reshape(bottom[index].shape)
