"""Rules about parameters: sharing, multipliers, fillers, normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...proto.schema import is_repeated
from ...proto.text import did_you_mean
from ..shapes import LayerShapes
from .rule import ERROR, INFO, WARNING, Note, View, view_rule

FILLERS = ("constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear")
PERMISSIVE = 1


@view_rule("shared-params", ERROR)
def shared_params(view: View) -> Iterator[Note]:
    """Parameters of one name share their memory: their shapes must be equal (with share_mode: PERMISSIVE their
    counts), and multipliers that both state as well.
    """
    owners: dict[str, tuple[LayerShapes, int]] = {}
    for row in view.rows:
        for i, shape in enumerate(row.blobs):
            spec = row.param.param[i] if i < len(row.param.param) else None
            if spec is None or not spec.name:
                continue
            owner, k = owners.setdefault(spec.name, (row, i))
            if owner is row and k == i:
                continue
            other, first = owner.blobs[k], owner.param.param[k]
            same = math.prod(shape) == math.prod(other) if spec.share_mode == PERMISSIVE else shape == other
            if not same:
                yield Note(row, f"shares '{spec.name}' with '{owner.param.name}', but has the shape {shape} instead of "
                                f"{other}", ("param", i, "name"))
            for field in ("lr_mult", "decay_mult"):
                if spec.HasField(field) and first.HasField(field) and getattr(spec, field) != getattr(first, field):
                    yield Note(row, f"shares '{spec.name}' with '{owner.param.name}', but has another {field} "
                                    f"({getattr(spec, field):g}, not {getattr(first, field):g})", ("param", i, field))


@view_rule("param-count", ERROR)
def param_count(view: View) -> Iterator[Note]:
    """A `param` for a parameter that the layer has not is refused; often bias_term: false was added later."""
    for row in view.rows:
        if row.layer is not None and len(row.param.param) > len(row.blobs):
            yield Note(row, f"'param' is given {len(row.param.param)} times, the layer has {len(row.blobs)} parameters",
                       ("param", len(row.blobs)))


@view_rule("unknown-filler", ERROR)
def unknown_filler(view: View) -> Iterator[Note]:
    """A filler type that does not exist is only noticed when the net is built for training; names are lower case."""
    for row in view.rows:
        for path, filler in _fillers(row.param, ()):
            if filler.type not in FILLERS:
                yield Note(row, f"there is no filler '{filler.type}'{did_you_mean(filler.type, FILLERS)}",
                           (*path, "type"))


def _fillers(message: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for i, part in enumerate(value if is_repeated(field) else [value]):
            here = (*path, field.name, i) if is_repeated(field) else (*path, field.name)
            if field.message_type.name == "FillerParameter":
                yield here, part
            else:
                yield from _fillers(part, here)


@view_rule("batch-norm-lr", WARNING)
def batch_norm_lr(view: View) -> Iterator[Note]:
    """BatchNorm keeps running sums, which no solver learns; a multiplier other than 0 is refused or overruled."""
    for row in view.of_type("BatchNorm"):
        for i, spec in enumerate(row.param.param):
            if spec.lr_mult != 0:
                yield Note(row, f"param {i} has lr_mult {spec.lr_mult:g}; leave `param` out, or write lr_mult: 0",
                           ("param", i))
                break


@view_rule("batch-norm-stats", WARNING)
def batch_norm_stats(view: View) -> Iterator[Note]:
    """BatchNorm takes the statistics of the batch in training and the running ones in tests, by itself. Written down,
    use_global_stats holds for both phases: with `false` a test depends on the other images of the batch.
    """
    for row in view.of_type("BatchNorm"):
        param = row.param.batch_norm_param
        if view.phase == "TEST" and param.HasField("use_global_stats") and not param.use_global_stats:
            yield Note(row, "use_global_stats: false in phase TEST: results depend on the batch",
                       ("batch_norm_param", "use_global_stats"))


@view_rule("batch-norm-scale", INFO)
def batch_norm_scale(view: View) -> Iterator[Note]:
    """BatchNorm only normalises; the learned factor and bias of the paper (Ioffe and Szegedy, 2015) are a Scale layer
    with bias_term: true behind it.
    """
    for row in view.of_type("BatchNorm"):
        readers = view.readers(row, row.param.top[0]) if row.param.top else []
        if readers and not any(reader.param.type == "Scale" for reader in readers):
            yield Note(row, f"no Scale layer reads '{row.param.top[0]}'")


@view_rule("bias-before-norm", INFO)
def bias_before_norm(view: View) -> Iterator[Note]:
    """BatchNorm subtracts the mean, and with it any bias of the layer before: bias_term: false saves a parameter."""
    for row in view.of_type("Convolution", "Deconvolution"):
        if not row.param.top or not row.param.convolution_param.bias_term:
            continue
        readers = view.readers(row, row.param.top[0])
        if readers and all(reader.param.type == "BatchNorm" for reader in readers[:1]) and (
                len(readers) == 1 or readers[0].param.top[:1] == readers[0].param.bottom[:1]):
            yield Note(row, f"its bias is taken out again by '{readers[0].param.name}'; write bias_term: false",
                       ("convolution_param",))
