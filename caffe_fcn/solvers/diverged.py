"""Where a loss that is not finite came from."""

from __future__ import annotations

from ..errors import DivergedError
from ..net import Net


def diverged(net: Net, iteration: int, loss: float) -> DivergedError:
    """The exception for a pass of `net` whose loss is not finite; it names the first layer that shows it.

    A layer is named for a parameter or a top with NaN or infinite values. Blobs changed in place are seen as the last
    layer left them.
    """
    return DivergedError(
        f"iteration {iteration}: the loss is {loss}; {_origin(net)}. The parameters are those before this iteration. "
        "Try a lower base_lr, clip_gradients, or look for bad inputs")


def check_parameters(net: Net, iteration: int) -> None:
    """Raise DivergedError if a parameter is not finite: a snapshot of it would be of no use."""
    wiring = net._wiring
    for i, layer in enumerate(wiring.layers):
        for k, blob in enumerate(layer.blobs):
            if not layer.ops.xp.isfinite(blob.array).all():
                raise DivergedError(
                    f"iteration {iteration}: parameter {k} of {_place(net, i)} has values that are not finite, so no "
                    "snapshot is written; earlier ones stay. Try a lower base_lr, or clip_gradients")


def _place(net: Net, i: int) -> str:
    return f"layer '{net._wiring.layer_names[i]}' ({net._wiring.types[i]})"


def _origin(net: Net) -> str:
    wiring = net._wiring
    for i, layer in enumerate(wiring.layers):
        parts = [(f"parameter {k}", blob) for k, blob in enumerate(layer.blobs)]
        parts += [(f"top '{wiring.blob_names[k]}'", wiring.blobs[k]) for k in wiring.top_ids[i]]
        for what, blob in parts:
            xp = layer.ops.xp
            if not xp.isfinite(blob.array).all():
                return f"the first values that are not finite are in {what} of {_place(net, i)}"
    return "all blobs are finite, only the sum of the losses is not"
