"""AutoCrop: a Crop whose offset follows from the net."""

from __future__ import annotations

from ...errors import LayerError
from ..base import Blobs
from ..crop import Crop
from ..registry import register


@register("AutoCrop")
class AutoCrop(Crop):
    """The Crop of Caffe's branch `future`, which later forks call AutoCrop: bottom and reference overlap at equal
    coordinates; Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015.

    A net turns it into a Crop with offsets (see `dialects.make_explicit`): this class shows only its shapes.
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Refuse: alone it knows no offset."""
        raise LayerError("its offset follows from the net that it is part of; alone it cannot run")
