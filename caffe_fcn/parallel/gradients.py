"""A solver among others: equal parameters at the start, averaged gradients before every update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..blob import Blob
from ..errors import ParallelError
from ..memory import Head
from .transport import Transport

if TYPE_CHECKING:
    from ..solvers import Solver


class Gradients:
    """For `solver.add_callback(gradients)`, after `bcast()`.

    All processes then hold the same parameters, and update them as one with `iter_size` times their number would, up
    to rounding: g = (g_0 + ... + g_{n-1}) / n. Each process has passes over its own batches, whose loss it reports.
    """

    def __init__(self, solver: Solver, transport: Transport) -> None:
        self.solver, self.transport = solver, transport

    def bcast(self) -> None:
        """Give all solvers the parameters, the history and the iteration of rank 0.

        Raises ParallelError where the solvers differ in their kind or their nets.
        """
        solver = self.solver
        params = [param.blob for param in solver.net._wiring.params.all if param.owner < 0]
        what = {"type": solver.type, "shapes": [list(blob.shape) for blob in params]}
        mine = {"what": what, "iter": solver._iter, "current_step": solver._rate.current_step,
                "history": [i for i, blob in enumerate(solver.history) if blob.memories[0].head is not Head.NONE]}
        facts = self.transport.share(mine)
        if facts["what"] != what:
            raise ParallelError(f"rank {self.transport.rank} trains another net, or with another type of solver, than "
                                "rank 0")
        solver._iter, solver._rate.current_step = facts["iter"], facts["current_step"]
        self.transport.broadcast(self._values([*params, *(solver.history[i] for i in facts["history"])]))

    def _values(self, blobs: Sequence[Blob]) -> list[Any]:
        return [(blob.array if self.transport.on_device else blob.data).reshape(-1) for blob in blobs]

    def on_start(self) -> None:
        """Before the passes of an iteration: nothing."""

    def on_gradients_ready(self) -> None:
        """After the passes of an iteration: average the gradients."""
        params = self.solver.net._wiring.params
        blobs = [blob for blob, rate in zip(params.learnable, params.lr_mults, strict=True) if rate]
        grads = [(blob.grad if self.transport.on_device else blob.diff).reshape(-1) for blob in blobs]
        self.transport.add_up(grads)
        for grad in grads:
            grad *= 1 / self.transport.count

    def __call__(self, layer: int) -> None:
        """For `net.after_backward(gradients)`, as of the original: nothing, gradients are summed when all are ready."""
