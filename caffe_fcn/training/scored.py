"""Follows a segmentation net through a test: confusion matrix, and pictures of a few frames."""

from __future__ import annotations

import colorsys

import numpy as np

from caffe_fcn.evaluation.confusion import Scores, confusion
from caffe_fcn.net import Net
from caffe_fcn.training.labels import LabelledLayer, segmentation

FRAMES = 4  # to show


class ScoredNet:
    """Adds up what `net` predicts, until `take` is called; shows frames evenly among `batches` batches."""

    def __init__(self, net: Net, layer: LabelledLayer, batches: int) -> None:
        self.net, self.layer = net, layer
        self.spacing, self.seen = max(1, batches // FRAMES), 0
        self.matrix = np.zeros((layer.classes, layer.classes), np.int64)
        self.frames: list[np.ndarray] = []
        net.after_forward(self._forward_done)

    def _forward_done(self, i: int) -> None:
        if i != len(self.net.layers) - 1:
            return
        shape = self.net._blobs[self.layer.score_id].shape
        best = self.layer.scores().argmax(axis=1).reshape(shape[0], *shape[2:])
        truth = self.layer.labels().reshape(best.shape)
        self.matrix += confusion(truth, best, self.layer.classes)
        if self.seen % self.spacing == 0 and len(self.frames) < FRAMES:
            self.frames.append(self._picture(truth[0], best[0]))
        self.seen += 1

    def _picture(self, truth: np.ndarray, best: np.ndarray) -> np.ndarray:
        """Frame, truth and prediction side by side, (H, 3 W, 3) uint8."""
        colours = palette(self.layer.classes)
        parts = [np.where((truth >= 0)[..., None], colours[truth], 0), colours[best]]
        for blob in self.net._blobs:
            if blob.ndim == 4 and blob.shape[1] in (1, 3) and blob.shape[2:] == truth.shape:
                parts.insert(0, _visible(blob.data[0]))
                break
        return np.concatenate(parts, axis=1).astype(np.uint8)

    def take(self) -> tuple[Scores, np.ndarray | None]:
        """The scores since the last call, and the frames below one another; then begin anew."""
        scores, frames = Scores(self.matrix.copy()), self.frames
        self.matrix[...], self.frames, self.seen = 0, [], 0
        same = [frame for frame in frames if frame.shape[1:] == frames[0].shape[1:]]
        return scores, np.concatenate(same) if same else None


def scored(net: Net, batches: int) -> ScoredNet | None:
    """Follow a net, tested with so many batches, if it compares maps of scores with labels."""
    layer = segmentation(net)
    return None if layer is None else ScoredNet(net, layer, batches)


def _visible(values: np.ndarray) -> np.ndarray:
    """(C, H, W), BGR or grey, of any range, as (H, W, 3) RGB from 0 to 255."""
    low, high = float(values.min()), float(values.max())
    grey = (values[::-1].transpose(1, 2, 0) - low) * (255 / max(high - low, 1e-6))
    return np.broadcast_to(grey, (*grey.shape[:2], 3))


def palette(classes: int) -> np.ndarray:
    """Colours that differ well, (classes, 3) uint8."""
    hues = (np.arange(classes) * 0.618034) % 1
    return np.array([[round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.65, 0.95 - 0.3 * (k % 2))]
                     for k, hue in enumerate(hues)], np.uint8)
