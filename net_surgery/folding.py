"""BatchNorm, Scale and Bias layers folded into the layer before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import NetError, WeightsError

from .checks import STRICT, Check, Equal, Subject
from .links import Links, bypass
from .model import Model, as_model

LINEAR = ("Convolution", "Deconvolution", "InnerProduct")
AFFINE = ("BatchNorm", "Scale", "Bias")


def fold_batch_norm(subject: Subject, layers: Sequence[str] | None = None, *, check: Check = STRICT) -> Subject:
    """Fold BatchNorm, Scale and Bias layers into the Convolution, Deconvolution or InnerProduct before them.

    Each is y = a x + b for each channel, with stored statistics: a goes into the weight, b into the bias (which the
    layer gets if it had none). Blob names that later layers read stay. The result is for the TEST phase.

    layers   the names to fold; without them all that follow such a layer directly and alone
    Raises NetError for a named layer that cannot be folded, with the reason.
    """
    before = as_model(subject)
    after = before.copy()
    if layers is not None:
        for name in layers:
            after.layer(name, *AFFINE)
    folded = set()
    for name in after.of_type(*AFFINE) if layers is None else sorted(layers, key=after.of_type(*AFFINE).index):
        host, obstacle = _host(after, name)
        if not obstacle:
            _fold(after, name, host)
            folded.add(name)
        elif layers is not None:
            raise NetError(f"layer '{name}' cannot be folded: {obstacle}")
    if not folded:
        raise NetError("no BatchNorm, Scale or Bias layer directly follows a layer that it could be folded into")
    return check.conclude(subject, before, after, Equal("fold_batch_norm"))


def _host(model: Model, name: str) -> tuple[str, str]:
    """The layer to fold into, and what stands in the way if anything does."""
    layer, links = model.layer(name), Links(model.net)
    i = links.index(name)
    host = links.maker(i)
    if host is None or host.type not in LINEAR or len(host.top) != 1:
        return "", f"it must directly follow a {', '.join(LINEAR[:-1])} or {LINEAR[-1]} layer with one top"
    if len(links.uses[links.sources[i][0]]) > 1:  # type: ignore[index]
        return "", f"'{layer.bottom[0]}' is read by other layers too"
    if len(layer.bottom) > 1:
        return "", "its operand is a bottom, not a parameter"
    p = layer.batch_norm_param
    if layer.type == "BatchNorm" and p.HasField("use_global_stats") and not p.use_global_stats:
        return "", "use_global_stats: false takes the statistics from each batch"
    if layer.type != "BatchNorm":
        p = layer.scale_param if layer.type == "Scale" else layer.bias_param
        if p.num_axes != 1 or (p.axis != 1 and not (host.type == "InnerProduct" and p.axis == -1)):
            return "", "it does not act on channels (axis 1, num_axes 1)"
    if host.type == "InnerProduct" and host.inner_product_param.axis != 1:
        return "", f"'{host.name}' has another axis than 1"
    for part in (layer, host):
        if part.include or part.exclude:
            return "", f"'{part.name}' has include or exclude rules: take the net of one phase first (deploy)"
        if part.name not in model.weights:
            raise WeightsError(f"layer '{part.name}' has no weights to fold; load them with the net")
        model.check_unshared(part)
    return host.name, ""


def _fold(model: Model, name: str, host_name: str) -> None:
    host = model.layer(host_name)
    scale, shift = _affine(model.layer(name), model.weights[name])
    weight, *bias = (array.astype(np.float64) for array in model.weights[host_name])
    offset = bias[0] if bias else np.zeros(1)
    if host.type == "Deconvolution":  # (C_in, outputs / group, h, w): outputs of group g are in rows of that group
        p = host.convolution_param
        rows = weight.reshape(p.group, -1, *weight.shape[1:])  # (group, C_in / group, outputs / group, h, w)
        weight = (rows * scale.reshape(p.group, 1, -1, 1, 1)).reshape(weight.shape)
    elif host.type == "InnerProduct" and host.inner_product_param.transpose:
        weight = weight * scale
    else:
        weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    param = host.inner_product_param if host.type == "InnerProduct" else host.convolution_param
    if not bias:
        param.ClearField("bias_term")
    model.weights[host_name] = weight.astype(np.float32), (offset * scale + shift).astype(np.float32)
    del model.weights[name]
    bypass(model, name)


def _affine(layer: Any, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(a, b), float64 of one value per channel, of y = a x + b."""
    first, *rest = (array.astype(np.float64) for array in arrays)
    if layer.type == "Bias":
        return np.ones_like(first), first
    if layer.type == "Scale":
        return first, rest[0] if rest else np.zeros_like(first)
    weight = 1 / rest[1][0] if rest[1][0] else 0.0
    scale = 1 / np.sqrt(rest[0] * weight + layer.batch_norm_param.eps)
    return scale, -first * weight * scale
