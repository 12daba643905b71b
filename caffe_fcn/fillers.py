"""Initial values of blobs: one small function per FillerParameter type."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import mode
from .blob import Blob
from .errors import LayerError
from .memory import Head
from .proto import caffe_pb2


def fill(blob: Blob, filler: Any) -> None:
    """Fill `blob.data` as a FillerParameter says.

    Random values come from `mode.generator()`. Filling fresh memory with the constant 0 allocates nothing.
    Raises LayerError for an unknown type and for parameters or a shape that the type cannot use.
    """
    if filler.type not in _FILLERS:
        close = difflib.get_close_matches(filler.type.lower(), _FILLERS, 1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(sorted(_FILLERS))}"
        raise LayerError(f"unknown filler type '{filler.type}'{hint}")
    if filler.sparse != -1 and filler.type != "gaussian":
        raise LayerError(f"only the 'gaussian' filler can be 'sparse', the type is '{filler.type}'")
    _FILLERS[filler.type](blob, filler)


def _constant(blob: Blob, filler: Any) -> None:
    if filler.value != 0 or blob.memories[0].head is not Head.NONE:
        blob.data[...] = filler.value


def _uniform(blob: Blob, filler: Any) -> None:
    if not -math.inf < filler.min <= filler.max < math.inf:
        raise LayerError(f"filler 'uniform': 'min' must not be above 'max', got {filler.min} and {filler.max}")
    _fill_uniform(blob, filler.min, filler.max)


def _gaussian(blob: Blob, filler: Any) -> None:
    if not 0 < filler.std < math.inf:
        raise LayerError(f"filler 'gaussian': 'std' must be above 0, got {filler.std}")
    if filler.sparse < -1:
        raise LayerError(f"filler 'gaussian': 'sparse' must be at least 0 (or -1 for none), got {filler.sparse}")
    _fill_normal(blob, filler.mean, filler.std)
    if filler.sparse >= 0:
        outputs = _outputs(blob, filler)
        if filler.sparse > outputs:
            raise LayerError(f"filler 'gaussian': 'sparse' must be at most the number of outputs, got "
                             f"{filler.sparse} for {outputs}")
        kept = mode.generator().random(blob.shape) < filler.sparse / max(outputs, 1)
        blob.data[...] *= kept


def _positive_unitball(blob: Blob, filler: Any) -> None:
    """Uniform values from 0 to 1; those of each output are divided by their sum."""
    outputs = _outputs(blob, filler)
    _fill_uniform(blob, 0, 1)
    if blob.count:
        rows = blob.data.reshape(outputs, -1)
        rows /= rows.sum(axis=1, keepdims=True)


def _xavier(blob: Blob, filler: Any) -> None:
    """Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010."""
    limit = math.sqrt(3 / _fan(blob, filler))
    _fill_uniform(blob, -limit, limit)


def _msra(blob: Blob, filler: Any) -> None:
    """He et al., "Delving deep into rectifiers", 2015."""
    _fill_normal(blob, 0, math.sqrt(2 / _fan(blob, filler)))


def _bilinear(blob: Blob, filler: Any) -> None:
    """Every kernel interpolates linearly: the weights of a Deconvolution that enlarges by ceil(size / 2)."""
    if blob.ndim != 4 or blob.height != blob.width:
        raise LayerError(f"filler 'bilinear' is for square 2-D kernels (4 axes), got the shape {blob.shape}")
    factor = (blob.width + 1) // 2
    centre = (2 * factor - 1 - blob.width % 2) / (2 * factor) if factor else 0.0
    line = 1 - np.abs(np.arange(blob.width) / max(factor, 1) - centre)
    blob.data[...] = np.outer(line, line)


_FILLERS: dict[str, Callable[[Blob, Any], None]] = {
    "constant": _constant, "uniform": _uniform, "gaussian": _gaussian, "positive_unitball": _positive_unitball,
    "xavier": _xavier, "msra": _msra, "bilinear": _bilinear,
}


def _outputs(blob: Blob, filler: Any) -> int:
    if not blob.ndim:
        raise LayerError(f"filler '{filler.type}' needs a blob with at least one axis")
    return blob.shape[0]


def _fan(blob: Blob, filler: Any) -> float:
    """How many values each output depends on (FAN_IN), how many depend on each input (FAN_OUT), or the mean.

    As in Caffe both are read off the stored shape: count / shape[0] and count / shape[1].
    """
    fan_in = blob.count / max(_outputs(blob, filler), 1)
    fan_out = blob.count / max(blob.shape[1], 1) if blob.ndim > 1 else blob.count
    norm = filler.variance_norm
    kinds = caffe_pb2.FillerParameter
    fan = fan_out if norm == kinds.FAN_OUT else (fan_in + fan_out) / 2 if norm == kinds.AVERAGE else fan_in
    return fan or 1  # an empty blob: nothing will be drawn


def _fill_uniform(blob: Blob, low: float, high: float) -> None:
    data = blob.data
    mode.generator().random(out=data, dtype=data.dtype.type)
    data *= high - low
    data += low


def _fill_normal(blob: Blob, mean: float, std: float) -> None:
    data = blob.data
    mode.generator().standard_normal(out=data, dtype=data.dtype.type)
    data *= std
    if mean:
        data += mean
