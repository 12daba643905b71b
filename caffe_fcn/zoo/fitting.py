"""Whether a file of weights belongs to a net, where no checksum tells."""

from __future__ import annotations

import math
import os
from pathlib import Path

from ..errors import FormatError
from ..formats import caffemodel
from ..formats.files import existing_file
from ..proto.upgrade import read_net
from ..prototxt.shapes import net_shapes
from .card import Card

TEST = 1  # the phase


def check_weights(card: Card, path: str | os.PathLike[str]) -> None:
    """Raise FormatError unless a file holds weights for layers of the card's net, and those as many as these have.

    Layers that only one of both has are not looked at, nor is the order of the axes: old files give every blob four.
    """
    layers = {layer.name: [blob.data.size for blob in layer.blobs if blob is not None]
              for layer in caffemodel.read(path) if layer.blobs}
    if not layers:
        raise FormatError(f"'{Path(path)}' holds no weights")
    rows = net_shapes(read_net(existing_file(card.net_file)), TEST).layers
    wanted = {row.param.name: list(map(math.prod, row.blobs)) for row in rows if row.blobs}
    common = layers.keys() & wanted.keys()
    if not common:
        raise FormatError(f"'{Path(path)}' holds no weights of '{card.name}': none of its layers has such a name")
    for name in (name for name in layers if name in common and layers[name] != wanted[name]):
        raise FormatError(f"'{Path(path)}' holds other weights than those of '{card.name}': layer '{name}' has blobs "
                          f"of {layers[name]} values there, of {wanted[name]} in the net")
