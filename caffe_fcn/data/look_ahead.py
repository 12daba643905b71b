"""One batch ahead of a pass that comes for certain: `Python` layers without bottoms, while a solver's net computes.

The code of such a layer is the user's, so neither it nor anyone else may be able to notice. A solver says with
`Net._forward(..., more=True)` that another pass follows with nothing but this package's code before it: see
`Solver._goes_on` and `run_tests`. The other conditions are in `_allows` for the net and in `_may_run` for a layer; what
they cannot rule out is in docs/data.md. If the pass does not come, because of an error or a stop, everything is put
back.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caffe_fcn.blob import Blob
from caffe_fcn.layers.base import Layer
from caffe_fcn.memory import Head
from caffe_fcn.turn import runs_ahead

from .python_layers import has_own_thread, refuses
from .undo import Undo
from .user_code import is_ours, reaches_engine

if TYPE_CHECKING:
    from caffe_fcn.net_build import Wiring

class LookAhead:
    """Makes the next batch of a net's `Python` layers without bottoms in a thread, in the order of the net.

    callbacks  those of the net, by moment

    `enabled` may be set to False to end it.
    """

    def __init__(self, wiring: Wiring, callbacks: Mapping[str, Sequence[Callable[[int], Any]]]) -> None:
        self._wiring, self._callbacks = wiring, callbacks
        self._sources = [i for i, param in enumerate(wiring.layer_params)
                         if param.type == "Python" and not param.bottom]
        self.last = self._sources[-1] if self._sources else -1  # after it, the next batch may be made
        self.enabled = True
        # now, when all views have just been made: a top that grows parts from its views until they are reshaped
        self._overwritten = {i for i in self._sources if self._is_overwritten(wiring.tops[i])}
        self._job: _Job | None = None

    def start(self) -> None:
        """Begin to make the next batch, if nobody can tell. All layers up to `last` must have run."""
        if self.enabled and self._allows():
            layers = list(self._layers())
            if layers:
                self._job = _Job({i: (self._wiring.layers[i], self._wiring.tops[i]) for i in layers})

    def fill(self, i: int) -> bool:
        """Give the tops of layer `i` what was made ahead; False if nothing was. Raises what the layer raised."""
        job = self._job
        if job is None or i not in job.layers:
            return False
        job.wait()
        if i == job.at:
            self._job = None
        job.fill(i)
        return True

    def put_back(self) -> None:
        """Undo what was done for a pass that does not come."""
        if self._job is not None:
            self._job.wait()
            self._job.undo()
            self._job = None

    # conditions

    def _allows(self) -> bool:
        """No code of the user runs in this net but that of layers without bottoms."""
        types = (type(layer) for i, layer in enumerate(self._wiring.layers) if i not in self._sources)
        return is_ours(*types, *(callback for moment in self._callbacks.values() for callback in moment))

    def _layers(self) -> Iterator[int]:
        """The layers to run: those before the first that has to wait, so that their order stays."""
        for i in self._sources:
            if has_own_thread(self._wiring.layers[i]):
                continue
            if not self._may_run(i):
                return
            yield i

    def _may_run(self, i: int) -> bool:
        wiring, layer = self._wiring, self._wiring.layers[i]
        return not (
            refuses(layer, wiring.layer_params[i])
            or layer.blobs  # which the solver updates
            or wiring.layer_backward[i]  # force_backward: the user's `backward` is yet to run
            or any(wiring.top_weights[i])
            or i in self._overwritten
            or reaches_engine(layer, wiring.blobs)
        )

    def _is_overwritten(self, tops: Iterable[Blob]) -> bool:
        """Does a layer work in place on one of the tops? The user's code may go on from the values that it left."""
        wiring = self._wiring
        memories = {id(blob.memories[0]) for blob in tops}
        return any(k in bottoms and id(wiring.blobs[k].memories[0]) in memories
                   for bottoms, made in zip(wiring.bottom_ids, wiring.top_ids, strict=True) for k in made)


class _Job:
    """One pass of some layers, by index, over tops of their own, in a thread."""

    def __init__(self, layers: Mapping[int, tuple[Layer, Sequence[Blob]]]) -> None:
        self.layers = layers
        self.undo = Undo(layer for layer, _ in layers.values())
        self.at = max(layers)  # the layer that is the last to be asked for: it raised, or is the last of all
        self._twins = {i: [_twin(blob) for blob in tops] for i, (_, tops) in layers.items()}
        self._error: BaseException | None = None
        self._turn, self._done = threading.Event(), threading.Event()
        context = contextvars.copy_context()  # such as what numpy.seterr has set
        threading.Thread(target=context.run, args=(self._run,), name="caffe_fcn look-ahead", daemon=True).start()

    def _run(self) -> None:
        runs_ahead(self._turn)
        for i, (layer, _) in self.layers.items():
            try:
                layer.reshape([], self._twins[i])
                layer.forward([], self._twins[i])
            except BaseException as error:  # SystemExit of a user's code too belongs to the pass
                self._error, self.at = error, i
                break
        self._done.set()

    def wait(self) -> None:
        """Wait until the pass is done."""
        self._turn.set()
        self._done.wait()

    def fill(self, i: int) -> None:
        """Copy what layer `i` made into its tops; raise its error after that."""
        for twin, blob in zip(self._twins[i], self.layers[i][1], strict=True):
            _copy(twin, blob)
        if i == self.at and self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # its traceback holds this frame


def _twin(blob: Blob) -> Blob:
    twin = Blob((), blob.dtype)
    _copy(blob, twin)
    return twin


def _copy(source: Blob, target: Blob) -> None:
    """Shape, values and gradients, with what the memory holds beyond the shape: growing brings it back."""
    for half, memory in zip(("data", "diff"), source.memories, strict=True):
        if memory.head is not Head.NONE:
            target.reshape(memory.count)
            getattr(target, half)[...] = memory.host()
    target.reshape(*source.shape)
