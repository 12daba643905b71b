"""The layers of a net that compare class scores with labels: losses and accuracies, seen alike."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from caffe_fcn import ops
from caffe_fcn.layers.labels import Predictions
from caffe_fcn.net import Net


@dataclasses.dataclass(frozen=True)
class LabelledLayer:
    """Layer `index` of `net`, with class scores at its bottom 0 and labels at its bottom 1."""

    net: Net
    index: int

    @property
    def layer(self) -> Any:
        """The layer itself."""
        return self.net.layers[self.index]

    @property
    def name(self) -> str:
        """As in the prototxt."""
        return self.net._layer_names[self.index]

    @property
    def is_loss(self) -> bool:
        """A loss, or an accuracy?"""
        return bool(self.layer.is_loss)

    @property
    def weight(self) -> float:
        """The loss weight."""
        return self.net._wiring.top_weights[self.index][0]

    @property
    def score_id(self) -> int:
        """Number of the blob of scores."""
        return self.net._bottom_ids(self.index)[0]

    @property
    def label_id(self) -> int:
        """Number of the blob of labels."""
        return self.net._bottom_ids(self.index)[1]

    @property
    def seen(self) -> Predictions:
        """How the layer sees scores and labels."""
        return self.layer.seen

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.seen.classes

    @property
    def ignore(self) -> int | None:
        """The label that is left out."""
        return self.seen.ignore

    @property
    def predictions(self) -> int:
        """Labels in a batch, ignored ones included."""
        return self.seen.outer * self.seen.inner

    def labels(self) -> np.ndarray:
        """Labels of the last batch, flat int64; -1 where they are ignored."""
        computing = ops.current()
        return computing.to_host(self.seen.read(self.net._blobs[self.label_id], computing.xp)).reshape(-1)

    def scores(self) -> np.ndarray:
        """Scores of the last batch, (outer, classes, inner)."""
        return self.net._blobs[self.score_id].data.reshape(self.seen.shape)

    def usual_divisor(self) -> float:
        """What the summed loss is divided by if no label is ignored."""
        return float(self.layer.divisor(np.zeros((self.seen.outer, self.seen.inner), np.int64)))

    def loss_per_label(self) -> float:
        """The last loss as a mean over the labels that are not ignored, whatever its normalization."""
        labels = self.labels().reshape(self.seen.outer, self.seen.inner)
        total = float(self.net._blobs[self.net._top_ids(self.index)[0]].data.reshape(-1)[0])
        return total * float(self.layer.divisor(labels)) / max(1, int((labels >= 0).sum()))


def labelled_layers(net: Net) -> list[LabelledLayer]:
    """Those of a net, in its order."""
    return [LabelledLayer(net, i) for i, layer in enumerate(net.layers)
            if isinstance(getattr(layer, "seen", None), Predictions)]


def segmentation(net: Net) -> LabelledLayer | None:
    """The last layer that compares a map of scores (N, C, H, W) with labels: what to score as segmentation; or None."""
    for layer in reversed(labelled_layers(net)):
        scores, labels = net._blobs[layer.score_id], net._blobs[layer.label_id]
        if scores.ndim == 4 and scores.shape[1] == layer.classes and labels.count == math.prod(
                scores.shape[:1] + scores.shape[2:]) > scores.shape[0]:
            return layer
    return None


def origin(net: Net, blob: int) -> int:
    """The blob that this one is a copy of: tops of Split layers lead to their bottom."""
    for ids, tops, kind in zip(net._wiring.bottom_ids, net._wiring.top_ids, net._wiring.types, strict=True):
        if kind == "Split" and blob in tops:
            return origin(net, ids[0])
    return blob
