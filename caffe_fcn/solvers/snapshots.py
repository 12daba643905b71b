"""Snapshots of a solver: weights and state in files, and back."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FileAccessError, MissingFileError, WeightsError
from ..formats import hdf5, solverstate
from ..formats.solverstate import SolverState
from ..memory import Head
from ..proto import caffe_pb2
from . import run_state
from .source import beside_hint

if TYPE_CHECKING:
    from ..blob import Blob
    from .base import Solver

logger = logging.getLogger("caffe_fcn")


class Snapshots:
    """Writes and restores the snapshots of one solver."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self._written: list[list[str]] = []  # files of each snapshot, oldest first
        self.best: float | None = None  # score of the best test so far
        self._misfits: list[int] = []  # history arrays of a restored state that do not fit their parameter
        self._check_best()

    def name(self, suffix: str) -> str:
        """The file of this iteration's snapshot that ends with `suffix`."""
        return f"{self.solver.param_message.snapshot_prefix}_iter_{self.solver.iter}{suffix}"

    def write(self) -> list[str]:
        """Write weights, then the state that names them; then forget snapshots that are too old to keep.

        Returns the names of the files, the weights first. FileAccessError says what is left to go on from.
        """
        try:
            files = self._write_files()
        except FileAccessError as error:
            last = f", the last one is '{self._written[-1][1]}'" if self._written else ""
            raise FileAccessError(f"{error}. There is no snapshot of iteration {self.solver.iter}; earlier ones are "
                                  f"untouched{last}", error.filename, error.errno) from error
        self._written = [old for old in self._written if old != files] + [files]
        self._forget()
        return files

    def _write_files(self) -> list[str]:
        solver = self.solver
        ending = solverstate.SUFFIX_HDF5 if self._uses_hdf5 else ""
        weights, state = self.name(f".caffemodel{ending}"), self.name(f".solverstate{ending}")
        beside = run_state.path_beside(state)
        if not solver.options.run_state and os.path.exists(beside):
            os.unlink(beside)  # of an earlier run: it must not be taken for this one's
        kind = "HDF5" if ending else "binary proto"
        logger.info("Snapshotting to %s file %s", kind, weights)
        save_weights(solver, weights)
        logger.info("Snapshotting solver state to %s file %s", kind, state)
        files = [weights, state]
        if solver.options.run_state:
            files.append(beside)
            run_state.write(solver, beside)
        solverstate.write(state, solver.iter, weights, list(map(_untouched, solver.history)),
                          solver._rate.current_step)
        return files

    @property
    def _uses_hdf5(self) -> bool:
        return self.solver.param_message.snapshot_format == caffe_pb2.SolverParameter.HDF5

    def _forget(self) -> None:
        keep = self.solver.options.snapshot_keep
        while keep is not None and len(self._written) > keep:
            for file in reversed(self._written.pop(0)):  # the state first: it must never name weights that are gone
                try:
                    os.unlink(file)
                except OSError as error:
                    logger.warning("cannot remove the old snapshot '%s': %s", file, error.strerror)

    def _check_best(self) -> None:
        """Raise ValueError if there is no such score as the one to watch."""
        if self.solver.options.keep_best is None:
            return
        if not self.solver.test_nets:
            raise ValueError("keep_best needs a test net (test_iter, test_interval) in the solver")
        output, known = self.solver.options.keep_best.partition(":")[2], self.solver.test_nets[0].outputs
        if output not in known:
            raise ValueError(f"keep_best: the first test net has no output '{output}' (it has {', '.join(known)})")

    def keep_best(self, scores: dict[str, np.ndarray]) -> None:
        """After a test: write the weights if the score to watch is better than ever."""
        if self.solver.options.keep_best is None:
            return
        sense, _, output = self.solver.options.keep_best.partition(":")
        score = float(scores[output].mean())
        better = self.best is None or (score > self.best if sense == "max" else score < self.best)
        if score == score and better:
            self.best = score
            ending = solverstate.SUFFIX_HDF5 if self._uses_hdf5 else ""
            file = f"{self.solver.param_message.snapshot_prefix}_best.caffemodel{ending}"
            logger.info("Iteration %d, best %s so far: %g; writing %s", self.solver.iter, output, score, file)
            save_weights(self.solver, file)

    # back again

    def restore(self, path: str | os.PathLike[str]) -> None:
        """See Solver.restore. Everything is read and checked before the solver is changed."""
        solver, file = self.solver, os.fspath(path)
        state = solverstate.read(path)
        self._check(state, file)
        later = run_state.read(run_state.path_beside(file), solver)
        if state.learned_net is not None:
            if not os.path.exists(state.learned_net):
                raise MissingFileError(f"{file} names the weights '{state.learned_net}', which are not there (looked "
                                       f"from '{os.getcwd()}'){beside_hint(state.learned_net, file)}",
                                       state.learned_net)
            solver.net.copy_from(state.learned_net)
        self._misfits = []
        for index, (blob, stored) in enumerate(zip(solver.history, state.history, strict=True)):
            if stored.data.size == blob.count:
                blob.data[...] = stored.data.reshape(blob.shape)
            else:
                self._misfits.append(index)
                logger.warning("%s: history %d has %d values for a parameter of shape %s", file, index,
                               stored.data.size, blob.shape)
        solver._iter = state.iter
        solver._rate.current_step = state.current_step
        later()
        logger.info("Restored iteration %d from %s", state.iter, file)

    def _check(self, state: SolverState, file: str) -> None:
        history = self.solver.history
        if len(state.history) != len(history):
            raise WeightsError(
                f"{file}: holds the history of {len(state.history)} arrays, but this {self.solver.type} solver has "
                f"{len(history)}; is it a state of this net and this solver type?")
        if not file.endswith(solverstate.SUFFIX_HDF5):
            return  # binary ones may lie about shapes: Caffe takes them
        for index, (blob, stored) in enumerate(zip(history, state.history, strict=True)):
            if stored.shape != blob.shape:
                raise WeightsError(f"{file}: history {index} has the shape {stored.shape}, the parameter {blob.shape}")

    def check_history(self) -> None:
        """Refuse to update with a restored history that does not fit (Caffe would use stray memory)."""
        if self._misfits:
            raise WeightsError(f"the restored state does not fit the net: history {self._misfits[0]} has another "
                               "number of values than its parameter; restore a state of this net")


def _untouched(blob: Blob) -> np.ndarray:
    """The values of a history array; those of frozen parameters stay without memory."""
    return np.zeros(blob.shape, blob.dtype) if blob.memories[0].head is Head.NONE else blob.data


def save_weights(solver: Solver, path: str) -> None:
    """Write the weights of the trained net in the format that `snapshot_format` says."""
    net, param = solver.net, solver.param_message
    if param.snapshot_format != caffe_pb2.SolverParameter.HDF5:
        net.save(path, param.snapshot_diff)
        return
    wiring = net._wiring
    blobs = [[blob.data for blob in layer.blobs] for layer in wiring.layers]
    diffs = [[blob.diff for blob in layer.blobs] for layer in wiring.layers] if param.snapshot_diff else None
    hdf5.write(path, wiring.layer_names, blobs, diffs, wiring.params.is_borrowed)
