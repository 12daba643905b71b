"""Looks for likely mistakes during the first iterations of a training run."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.memory import Head
from caffe_fcn.solvers import Solver
from caffe_fcn.training.forecast import forecast
from caffe_fcn.training.labels import LabelledLayer, labelled_layers, origin

logger = logging.getLogger("caffe_fcn.doctor")

MOSTLY_IGNORED = 0.9  # share of ignored labels worth a warning
# Learning rate * gradient relative to that of a mean over predictions / (1 - momentum), of plain descent. Rates in use
# lie between 2e-7 (FCN-8s: 1e-14, summed over 250000 pixels, momentum 0.99) and about 1.
SMALLEST_STEP, LARGEST_STEP = 5e-8, 10.0
WEIGHTED = ("Deconvolution", "Convolution", "InnerProduct")
PLAIN_DESCENT = ("SGD", "Nesterov")  # the others scale the gradient away


class Finding(NamedTuple):
    """Something to tell the user: likely a mistake, or only worth knowing."""

    is_warning: bool
    text: str


class Doctor:
    """Watches the first `iterations` iterations of a solver; `findings` is complete after them.

    Everything that only might be a mistake at first (zero scores and gradients below zero-filled score layers are
    usual in the first iteration) is reported only if it lasts through all watched iterations.
    """

    def __init__(self, solver: Solver, iterations: int = 3) -> None:
        self.solver, self.iterations, self.done = solver, iterations, 0
        self.findings: list[Finding] = []
        self._report_at_end = False
        self._times: list[float] = []  # seconds of each iteration
        self._begun = 0.0
        net = solver.net
        self._zero_tops = {k for i, ids in enumerate(net._wiring.top_ids) if net._wiring.bottom_ids[i] for k in ids}
        self._zero_grads = {k for k, rate in enumerate(net._wiring.params.lr_mults) if rate}
        self._broken: str | None = None
        self._labels = {layer.index: np.zeros(layer.classes + 1, np.int64) for layer in labelled_layers(net)}
        for check in (self._dead_weights, self._ignore_labels, self._steps):
            self.findings += [Finding(True, text) for text in check()]
        net.after_forward(self._forward_done)
        solver.add_callback(self._begin, self._gradients_ready)
        solver.add_listener(self._iteration_done)

    def report_when_done(self) -> None:
        """Log the warnings and the forecast once the watched iterations are over."""
        self._report_at_end = True

    def report(self, notes: bool) -> None:
        """Log what was found, with notes or only the warnings."""
        for finding in self.findings:
            if finding.is_warning:
                logger.warning("Check: %s", finding.text)
            elif notes:
                logger.info("Check: %s", finding.text)
        logger.info("Forecast: %s", forecast(self.solver, self._seconds()))

    # before the first iteration

    def _dead_weights(self) -> Iterator[str]:
        net = self.solver.net
        for param in net._wiring.params.all:
            rate = net._wiring.params.lr_mults[param.learnable]
            kind = net._wiring.types[param.layer]
            if param.index or rate or kind not in WEIGHTED or param.blob.data.any():
                continue
            advice = ("fill them with weight_filler { type: \"bilinear\" } or interpolation surgery"
                      if kind == "Deconvolution" else "load weights or give a filler")
            yield (f"layer '{net._layer_names[param.layer]}' ({kind}) has all-zero weights that lr_mult: 0 keeps: its "
                   f"output stays 0 and no gradient passes; {advice}")

    def _ignore_labels(self) -> Iterator[str]:
        for net in (self.solver.net, *self.solver.test_nets):
            layers = labelled_layers(net)
            for loss in (layer for layer in layers if layer.is_loss):
                for other in layers:
                    same = origin(net, other.label_id) == origin(net, loss.label_id)
                    if same and not other.is_loss and other.ignore != loss.ignore:
                        yield (f"ignore_label of layer '{loss.name}' is {_ignore(loss)}, that of '{other.name}' "
                               f"{_ignore(other)}, for the same labels; set both alike")

    def _steps(self) -> Iterator[str]:
        param = self.solver.param_message
        if param.type not in PLAIN_DESCENT or not param.base_lr or not self._zero_grads:
            return
        rates = self.solver.net._wiring.params.lr_mults
        largest = max(rates[k] for k in self._zero_grads)
        for layer in labelled_layers(self.solver.net):
            factor = layer.predictions / layer.usual_divisor() if layer.is_loss else 0
            if layer.predictions < 2 or not factor:
                continue
            step = param.base_lr * largest * factor * layer.weight / max(1 - param.momentum, 1e-6)
            kind = "summed over predictions" if factor > 2 else "a mean over predictions"
            if step > LARGEST_STEP:
                yield (f"the loss '{layer.name}' is {kind} ({layer.predictions} of them) and base_lr {param.base_lr:g} "
                       f"is large for that; use normalization: VALID, or a rate near {param.base_lr / step:.0e}")
            elif step < SMALLEST_STEP:
                yield (f"the loss '{layer.name}' is {kind} and base_lr {param.base_lr:g} is tiny for that: hardly "
                       "anything will be learned; use normalize: false, or a larger rate")

    # during the watched iterations

    def _begin(self) -> None:
        self._begun = time.perf_counter()

    def _forward_done(self, i: int) -> None:
        if self.done >= self.iterations:
            return
        wiring = self.solver.net._wiring
        for k in wiring.top_ids[i]:
            values = wiring.blobs[k].array
            largest = float(abs(values).max()) if values.size else 1.0
            if largest:
                self._zero_tops.discard(k)
            if not math.isfinite(largest) and self._broken is None:
                self._broken = (f"top '{wiring.blob_names[k]}' of layer '{wiring.layer_names[i]}' ({wiring.types[i]}) "
                                f"has values that are not finite in iteration {self.solver.iter}")

    def _gradients_ready(self) -> None:
        if self.done >= self.iterations:
            return
        net = self.solver.net
        for k in list(self._zero_grads):
            blob = net._wiring.params.learnable[k]
            if blob.memories[1].head is not Head.NONE and bool(blob.grad.any()):
                self._zero_grads.discard(k)
        for layer in labelled_layers(net):
            self._labels[layer.index] += np.bincount(layer.labels() + 1, minlength=layer.classes + 1)

    def _iteration_done(self, event: str, _: dict[str, Any]) -> None:
        if event != "iteration" or self.done >= self.iterations:
            return
        self._times.append(time.perf_counter() - self._begun)
        self.done += 1
        if self.done == self.iterations:
            self.findings += self._conclude()
            if self._report_at_end:
                self.report(notes=False)

    def _seconds(self) -> float:
        """Of an iteration; the first one is slower than the others."""
        return float(np.mean(self._times[1:] or self._times or [0.0]))

    # after them

    def _conclude(self) -> Iterator[Finding]:
        wiring, seen = self.solver.net._wiring, f"in the first {self.iterations} iterations"
        if self._broken:
            yield Finding(True, self._broken)
        first = next(((name, kind, wiring.blob_names[k]) for name, kind, ids in
                      zip(wiring.layer_names, wiring.types, wiring.top_ids, strict=True) for k in ids
                      if k in self._zero_tops and kind not in ("Accuracy", "Silence")), None)
        if first:
            yield Finding(True, f"top '{first[2]}' of layer '{first[0]}' ({first[1]}) is all zero {seen}")
        dead = [f"'{wiring.layer_names[p.layer]}' blob {p.index}" for p in wiring.params.all
                if p.owner < 0 and p.learnable in self._zero_grads]
        if dead:
            more = f" and {len(dead) - 5} more" if len(dead) > 5 else ""
            yield Finding(True, f"no gradient reaches {', '.join(dead[:5])}{more} {seen}: nothing is learned there; "
                                "are all weights of a layer above zero (deconvolution without filler)?")
        for layer in labelled_layers(self.solver.net):
            yield from self._label_findings(layer, seen)

    def _label_findings(self, layer: LabelledLayer, seen: str) -> Iterator[Finding]:
        ignored, *counts = self._labels[layer.index]
        total = ignored + sum(counts)
        if not layer.is_loss or not total:
            return
        share = ignored / total
        yield Finding(bool(share > MOSTLY_IGNORED), f"{share:.1%} of the labels of '{layer.name}' are ignored {seen}")
        absent = [str(k) for k, count in enumerate(counts) if not count]
        if absent:
            only_one = len(counts) - len(absent) <= 1 and layer.predictions > 1
            yield Finding(only_one, f"classes {', '.join(absent)} of '{layer.name}' have no labels {seen}")


def _ignore(layer: LabelledLayer) -> str:
    return "not set" if layer.ignore is None else str(layer.ignore)

