"""Running plans of cuDNN on one GPU."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....gpu.find import cudnn_problem
from ..columns import add_bias
from . import graph
from .plans import PlanError, Plans, Run
from .request import Request

FIXED = "CAFFE_FCN_FIXED_PLANS"
ALIGNMENT = 16  # bytes to which cuDNN takes arrays to be aligned
logger = logging.getLogger("caffe_fcn.gpu")
Arrays = Mapping[int, Any]  # arrays by their numbers of `graph`


class CudnnMissing(Exception):
    """Says why cuDNN cannot be used, and what to do."""


class Cudnn:
    """cuDNN on the current GPU. Raises CudnnMissing if it cannot be used."""

    def __init__(self, cupy: Any) -> None:
        reason = cudnn_problem()
        if reason is not None:
            raise CudnnMissing(reason)
        import cudnn

        self._cudnn, self._cupy = cudnn, cupy
        self._threads = threading.local()
        try:
            self._handle()
        except RuntimeError as error:
            raise CudnnMissing(f"cuDNN {cudnn.backend_version()} does not start on this GPU ({error})") from error
        self.plans = Plans(self._candidates, lambda: EventLap(cupy), os.environ.get(FIXED, "") not in ("", "0"))

    def run(self, request: Request, arrays: Callable[[], Arrays]) -> bool:
        """Compute; False if it has to be done without cuDNN. `arrays` is called only if cuDNN is about to run.

        Arrays are contiguous and aligned.
        """
        capturing = self._cupy.cuda.get_current_stream().is_capturing()
        return self.plans.run(request, arrays, measured=not capturing)

    def _handle(self) -> Any:
        """This thread's handle, on the current stream."""
        stream = self._cupy.cuda.get_current_stream().ptr
        here = self._threads
        if not hasattr(here, "handle"):
            here.handle, here.stream = self._cudnn.create_handle(), None
        if here.stream != stream:
            self._cudnn.set_stream(handle=here.handle, stream=stream)
            here.stream = stream
        return here.handle

    def _candidates(self, request: Request) -> Iterator[Run]:
        """The plans of a request that can be built, cuDNN's first choice first.

        If there are none with bias and ReLU, those without, followed by a kernel of our own.
        """
        found = False
        for run in self._plans_of(request):
            found = True
            yield run
        if request.after and not found:
            for run in self._plans_of(request._replace(after="")):
                yield self._with_bias(run, request.after == "bias, relu")

    def _plans_of(self, request: Request) -> Iterator[Run]:
        try:
            made = graph.build(self._cudnn, request, handle=self._handle())
        except graph.refusals(self._cudnn) as error:
            logger.debug("cuDNN refuses %s: %s", request, error)
            return
        for index, _, workspace in graph.plans(self._cudnn, made):
            yield self._runner(made, index, workspace)

    def _runner(self, made: Any, index: int, workspace: int) -> Run:
        """Run a plan on arrays; it takes its workspace from CuPy's pool each time."""
        failures = (*graph.refusals(self._cudnn), self._cupy.cuda.memory.OutOfMemoryError)

        def run(given: Arrays) -> None:
            pointers = {number: array.data.ptr for number, array in given.items()}
            try:
                room = self._cupy.empty(max(workspace, 1), "uint8")
                made.execute_plan_at_index(pointers, room.data.ptr, index, handle=self._handle())
            except failures as error:
                raise PlanError(str(error)) from error

        return run

    @staticmethod
    def _with_bias(run: Run, rectify: bool) -> Run:
        def both(given: Arrays) -> None:
            rest = dict(given)
            bias = rest.pop(graph.BIAS)
            run(rest)
            add_bias(rest[graph.OUT], bias, rectify)

        return both


class EventLap:
    """Time that the GPU spends between two places of the current stream."""

    def __init__(self, cupy: Any) -> None:
        self._cuda = cupy.cuda
        self._start, self._end = cupy.cuda.Event(), cupy.cuda.Event()
        self._start.record()

    def stop(self) -> None:
        """See Lap."""
        self._end.record()

    def seconds(self) -> float | None:
        """See Lap. Does not wait."""
        return self._cuda.get_elapsed_time(self._start, self._end) / 1000 if self._end.done else None
