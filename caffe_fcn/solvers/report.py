"""The lines that a training run logs. Their words and numbers are those that tools reading Caffe's logs look for."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .base import Solver

logger = logging.getLogger("caffe_fcn")


class Report:
    """Loss averaged over `average_loss` iterations, outputs every `display` iterations, and `debug_info`."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.losses: list[float] = []  # the last `average_loss` ones
        self.smoothed = 0.0
        self.shown = False  # this iteration is displayed
        self._first = 0  # iteration of this call of step
        self._last_shown = 0
        self._since = time.monotonic()
        self._hooked = False

    @property
    def _debugs(self) -> bool:
        return self.shown and self.solver.param_message.debug_info

    def solving(self) -> None:
        """A run up to max_iter begins."""
        logger.info("Solving %s", self.solver.net._wiring.net.name)
        logger.info("Learning Rate Policy: %s", self.solver.param_message.lr_policy)

    def begin(self) -> None:
        """A call of `step` begins: the average starts anew."""
        self.losses, self.smoothed = [], 0.0
        self._first = self.solver.iter
        self._since = time.monotonic()

    def watch(self, shown: bool) -> None:
        """An iteration begins; is it displayed?"""
        self.shown = shown
        if self._debugs and not self._hooked:
            self._hooked = True
            self.solver.net.after_forward(self._debug_forward)
            self.solver.net.after_backward(self._debug_backward)

    def passes_done(self, loss: float) -> None:
        """All passes of an iteration are done, with this mean loss."""
        self._smooth(loss)
        if not self.shown:
            return
        solver, now = self.solver, time.monotonic()
        lapse = now - self._since
        speed = (solver.iter - self._last_shown) / (lapse or 1)
        logger.info("Iteration %d (%g iter/s, %gs/%d iters), loss = %g", solver.iter, speed, lapse,
                    solver.param_message.display, self.smoothed)
        self._since, self._last_shown = now, solver.iter
        self._outputs()

    def last_loss(self, loss: float) -> None:
        """The loss after the last update of a run."""
        self._smooth(loss)
        logger.info("Iteration %d, loss = %g", self.solver.iter, self.smoothed)

    def _smooth(self, loss: float) -> None:
        most = self.solver.param_message.average_loss
        if len(self.losses) < most:
            self.losses.append(loss)
            self.smoothed += (loss - self.smoothed) / len(self.losses)
        else:
            oldest = (self.solver.iter - self._first) % most
            self.smoothed += (loss - self.losses[oldest]) / most
            self.losses[oldest] = loss

    def _outputs(self) -> None:
        net, number = self.solver.net, 0
        for name in net.outputs:
            weight = net.blob_loss_weights[name]
            for value in net.blobs[name].data.reshape(-1):
                share = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
                logger.info("    Train net output #%d: %s = %g%s", number, name, value, share)
                number += 1

    # debug_info: the mean absolute value of everything, layer by layer

    def _debug_forward(self, i: int) -> None:
        if not self._debugs:
            return
        wiring = self.solver.net._wiring
        for k in wiring.top_ids[i]:
            logger.info("    [Forward] Layer %s, top blob %s data: %g", wiring.layer_names[i], wiring.blob_names[k],
                        _mean_abs(wiring.blobs[k].data))
        for k, blob in enumerate(wiring.layers[i].blobs):
            logger.info("    [Forward] Layer %s, param blob %d data: %g", wiring.layer_names[i], k,
                        _mean_abs(blob.data))

    def _debug_backward(self, i: int) -> None:
        if not self._debugs:
            return
        wiring = self.solver.net._wiring
        if wiring.layer_backward[i]:
            self._debug_layer_backward(i)
        if i == 0:
            self._debug_params()

    def _debug_layer_backward(self, i: int) -> None:
        wiring = self.solver.net._wiring
        for k, backward in zip(wiring.bottom_ids[i], wiring.bottom_backward[i], strict=True):
            if backward:
                logger.info("    [Backward] Layer %s, bottom blob %s diff: %g", wiring.layer_names[i],
                            wiring.blob_names[k], _mean_abs(wiring.blobs[k].diff))
        layer = wiring.layers[i]
        for k, (blob, learns) in enumerate(zip(layer.blobs, layer.param_propagate_down, strict=True)):
            if learns:
                logger.info("    [Backward] Layer %s, param blob %d diff: %g", wiring.layer_names[i], k,
                            _mean_abs(blob.diff))

    def _debug_params(self) -> None:
        blobs = self.solver.net._wiring.params.learnable
        halves = [blob.data for blob in blobs], [blob.diff for blob in blobs]
        sums = [sum(float(np.abs(values).sum()) for values in half) for half in halves]
        norms = [sum(float(np.vdot(values, values)) for values in half) ** 0.5 for half in halves]
        logger.info("    [Backward] All net params (data, diff): L1 norm = (%g, %g); L2 norm = (%g, %g)", *sums, *norms)

    def updated(self) -> None:
        """The parameters were updated; their diffs hold the updates."""
        if not self._debugs:
            return
        wiring = self.solver.net._wiring
        for param in wiring.params.all:
            if param.owner < 0:
                logger.info("    [Update] Layer %s, param %s data: %g; diff: %g", wiring.layer_names[param.layer],
                            param.name or param.index, _mean_abs(param.blob.data), _mean_abs(param.blob.diff))


def _mean_abs(values: Any) -> float:
    return float(np.abs(values).mean()) if values.size else 0.0
