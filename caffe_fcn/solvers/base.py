"""Solver: steps a net, applies an update rule, tests, writes and restores snapshots."""

from __future__ import annotations

import logging
import math
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import mode, ops
from ..blob import Blob
from ..data.user_code import is_ours
from ..errors import ParallelError
from ..memory import Head
from ..net import Net
from ..ops.reference.update import Rule, Step
from ..parallel import rank
from .build import build_test_nets, build_train_net
from .diverged import check_parameters, diverged
from .gradient import clip
from .lr_policy import LearningRate
from .options import SolverOptions
from .param import SolverParameter
from .report import Report
from .snapshots import Snapshots
from .source import check, check_regularization, check_snapshot_folder, read_source
from .testing import run_tests

logger = logging.getLogger("caffe_fcn")


class Solver:
    """Trains a net as a solver file says. Use one of the subclasses, or `get_solver`, which chooses by `type`.

    solver   path of a solver prototxt, or a SolverParameter; paths in it are relative to the working directory
    options  keyword arguments, see SolverOptions

    A subclass is an update rule: it implements `compute_update` and says how many arrays it keeps (`slots`).

    Raises MissingFileError, PrototxtError (file:line:column) for what could not train, and all that building the nets
    raises.
    """

    type = ""  # as in a solver file; set by register_solver
    slots = 1  # history arrays for each parameter
    still_at_rate_0 = False  # a parameter without gradient and history does not move at rate 0, whatever its decay

    def __init__(self, solver: str | os.PathLike[str] | Any, **options: Any) -> None:
        self.options = SolverOptions(**options)
        self._source = source = read_source(solver)
        self.param_message = source.param
        check(source, type(self))
        if source.param.snapshot:
            check_snapshot_folder(source)
        if source.param.random_seed >= 0:
            mode.set_random_seed(source.param.random_seed + rank.solver_rank())
        self._net = build_train_net(source, self.options.dialect)
        check_regularization(source, self._net._wiring.params.decay_mults)
        self._test_nets = build_test_nets(source, self.options.dialect)
        self._iter = 0
        self._rate = LearningRate(source.param)
        self._callbacks: list[tuple[Callable[[], Any], Callable[[], Any]]] = []
        self._listeners: list[Callable[[str, dict[str, Any]], Any]] = []
        self._action: Callable[[], str | None] = lambda: None
        self._stopped = False
        learnable = self._net._wiring.params.learnable
        self.history = [Blob(blob.shape, blob.dtype) for _ in range(self.slots) for blob in learnable]
        self._report = Report(self)
        self._snapshots = Snapshots(self)

    # the update rule

    @classmethod
    def problems(cls, param: Any) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong with it) for settings that the update rule refuses."""
        yield from ()

    def compute_update(self, grad: Any, history: Sequence[Any], rate: float) -> None:
        """Turn a gradient into what is to be subtracted from the parameter, in place.

        grad     flat array of the gradient, weight decay included; holds the update afterwards
        history  `slots` arrays of its size, kept between iterations; changed in place
        rate     learning rate of this parameter

        A parameter may come in pieces, each with its part of the history.
        """
        self._rule(rate)(self.xp, grad, history)

    def _rule(self, rate: float) -> Rule:
        """The update rule with its numbers for this iteration, which a GPU may know; else override compute_update."""
        raise NotImplementedError(f"{type(self).__name__} does not implement compute_update")

    def _current_rule(self, rate: float) -> Rule:
        """`_rule`, unless a subclass has its own compute_update."""
        if type(self).compute_update is Solver.compute_update:
            return self._rule(rate)
        return lambda xp, grad, history: self.compute_update(grad, history, rate)

    @property
    def xp(self) -> Any:
        """The array module of the current mode."""
        return ops.current().xp

    # parts

    @property
    def net(self) -> Net:
        """The net that is trained."""
        return self._net

    @property
    def test_nets(self) -> list[Net]:
        """The nets that are tested; they use the parameters of `net`."""
        return self._test_nets

    @property
    def iter(self) -> int:
        """How many times the parameters were updated."""
        return self._iter

    @property
    def lr(self) -> float:
        """The learning rate of the next update. Reading it moves the counter of `multistep`, as in Caffe."""
        return self._rate(self._iter)

    @property
    def param(self) -> SolverParameter:
        """max_iter, display, layer_wise_reduce (to read) and base_lr (to read and write)."""
        return SolverParameter(self.param_message)

    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], Any] | None = None) -> None:
        """Call `on_start()` before and `on_gradients_ready()` after the passes of every iteration.

        An object with methods of these names, such as an NCCL, may be given instead of the two functions.
        """
        if on_gradients_ready is None:
            on_start, on_gradients_ready = on_start.on_start, on_start.on_gradients_ready
        self._callbacks.append((on_start, on_gradients_ready))

    def add_listener(self, listener: Callable[[str, dict[str, Any]], Any]) -> None:
        """Call `listener(event, facts)` when something has happened; `facts` always has the key "iter".

        "iteration"  loss (of its passes, unsmoothed), smoothed_loss, lr
        "test"       net (index of the test net), scores (name of the output -> flat float32 array)
        "snapshot"   files (names, the weights first)
        """
        self._listeners.append(listener)

    def _tell(self, event: str, **facts: Any) -> None:
        for listener in self._listeners:
            listener(event, {"iter": self._iter, **facts})

    def set_action_function(self, action: Callable[[], str | None]) -> None:
        """Ask `action()` after every iteration and test batch: "snapshot", "stop", or None to go on."""
        self._action = action

    # training

    def step(self, iterations: int) -> None:
        """Train for a number of iterations; tests and snapshots happen when the solver file says so.

        Raises DivergedError if the loss is not finite and the option `stop_on_nan` is set; the parameters are then
        those before the bad iteration.
        """
        self._report.begin()
        try:
            self._run(self._iter + operator.index(iterations))
        finally:
            self._net._look_ahead.put_back()

    def _run(self, stop: int) -> None:
        param = self.param_message
        while self._iter < stop:
            self._net.clear_param_diffs()
            if self._leads_at(param.test_interval) and (self._iter > 0 or param.test_initialization):
                self._test()
                if self._stopped:
                    break
            self._iterate(stop)
            action = self._action()
            if self._leads_at(param.snapshot) or action == "snapshot":
                self.snapshot()
            if action == "stop":
                self._stopped = True
                break

    def _is_due(self, interval: int) -> bool:
        return bool(interval) and self._iter % interval == 0

    def _leads_at(self, interval: int) -> bool:
        """Is something due that one of several solvers that train together does for all?"""
        return rank.is_root() and self._is_due(interval)

    def _goes_on(self, stop: int) -> bool:
        """Does another iteration follow this one, with no code of the user before its passes?"""
        param, following = self.param_message, self._iter + 1
        calls = (param.test_interval if self._test_nets else 0, param.snapshot if self.options.run_state else 0)
        code = (type(self), self._action, *self._listeners, *(call for pair in self._callbacks for call in pair))
        return following < stop and not any(due and following % due == 0 for due in calls) and is_ours(*code)

    def _iterate(self, stop: int) -> None:
        """One iteration of those before `stop`: `iter_size` passes, then the update."""
        for on_start, _ in self._callbacks:
            on_start()
        self._report.watch(self._leads_at(self.param_message.display))
        loss, last = 0.0, len(self._net.layers) - 1
        passes = self.param_message.iter_size
        for k in range(1, passes + 1):
            loss += self._net._forward(0, last, more=k < passes or self._goes_on(stop))
            self._net._backward(last, 0)
        loss /= passes
        if self.options.stop_on_nan and not math.isfinite(loss):
            raise diverged(self._net, self._iter, loss)
        self._report.passes_done(loss)
        for _, on_gradients_ready in self._callbacks:
            on_gradients_ready()
        rate = self._update()
        self._tell("iteration", loss=loss, smoothed_loss=self._report.smoothed, lr=rate)

    def solve(self, resume_file: str | os.PathLike[str] | None = None) -> None:
        """Train up to `max_iter`, from a state file if one is given; write a snapshot at the end."""
        param = self.param_message
        self._stopped = False
        if resume_file is not None:
            self.restore(resume_file)
        if param.snapshot_after_train and rank.is_root():
            check_snapshot_folder(self._source)
        self._report.solving()
        self.step(param.max_iter - self._iter)
        if param.snapshot_after_train and rank.is_root() and not self._is_due(param.snapshot):
            self.snapshot()
        if self._stopped:
            logger.info("Optimization stopped early.")
            return
        if self._leads_at(param.display):
            self._report.last_loss(self._net._forward(0, len(self._net.layers) - 1))
        if self._leads_at(param.test_interval):
            self._test()
        logger.info("Optimization Done.")

    def _test(self) -> None:
        for index, net in enumerate(self._test_nets):
            net.share_with(self._net)
            scores = run_tests(self, index)
            if scores is None:
                self._stopped = True
                return
            if index == 0:
                self._snapshots.keep_best(scores)
            self._tell("test", net=index, scores=scores)

    # updates

    def apply_update(self) -> None:
        """Update the parameters from their diffs, which hold the update afterwards; count the iteration."""
        self._update()

    def _update(self) -> float:
        """Do it and return the rate that was used: asking for it again could move the counter of `multistep`."""
        rate = self._rate(self._iter)
        if self._leads_at(self.param_message.display):
            logger.info("Iteration %d, lr = %g", self._iter, rate)
        clip(self._net._wiring.params.learnable, self.param_message.clip_gradients)
        self._snapshots.check_history()
        params = self._net._wiring.params
        with np.errstate(all="ignore"):  # numbers that are not finite are the loss's business
            for i, (lr_mult, decay_mult) in enumerate(zip(params.lr_mults, params.decay_mults, strict=True)):
                self._update_blob(i, rate * lr_mult, self.param_message.weight_decay * decay_mult)
        self._report.updated()
        self._iter += 1
        return rate

    def _update_blob(self, index: int, rate: float, decay: float) -> None:
        learnable = self._net._wiring.params.learnable
        blob, history = learnable[index], self.history[index::len(learnable)]
        untouched = all(memory.head is Head.NONE for memory in (blob.memories[1], *(h.memories[0] for h in history)))
        if rate == 0 and untouched and self.still_at_rate_0:
            return  # a frozen parameter costs neither time nor memory
        param, rule = self.param_message, self._current_rule(rate)
        step = Step(1 / param.iter_size, decay, param.regularization_type)
        ops.current().update(step, rule, blob.array.reshape(-1), blob.grad.reshape(-1),
                             [h.array.reshape(-1) for h in history])

    # weights and state

    def share_weights(self, net: Net) -> None:
        """Let another net use the parameters of `net`, by layer name."""
        net.share_with(self._net)

    def snapshot(self) -> None:
        """Write weights and state to ``<snapshot_prefix>_iter_<iter>.caffemodel`` and ``.solverstate``.

        With `snapshot_format: HDF5` both names end with ``.h5``. Each file is written under another name first, the
        weights before the state that names them. Raises FileAccessError, or DivergedError for parameters that are not
        finite if the option `stop_on_nan` is set; earlier snapshots are then untouched. ParallelError for another
        solver than the first of several that train together.
        """
        if not rank.is_root():
            raise ParallelError(f"the solver of rank {rank.solver_rank()} writes no snapshots, rank 0 does for all")
        if self.options.stop_on_nan:
            check_parameters(self._net, self._iter)
        if self.options.run_state:
            for net in (self._net, *self._test_nets):
                net._look_ahead.put_back()  # what the layers then tell is of the batches that were used
        self._tell("snapshot", files=self._snapshots.write())

    def restore(self, state_file: str | os.PathLike[str]) -> None:
        """Go back to a snapshot: iteration, history, and the weights that the state file names (if any).

        Raises MissingFileError, FormatError or WeightsError; net and solver are then unchanged.
        """
        self._snapshots.restore(state_file)
