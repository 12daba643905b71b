"""DetectionOutput: from the predictions of a detector to a list of boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("DetectionOutput")
class DetectionOutput(Layer):
    """Decode boxes, keep the best of those that overlap (non-maximum suppression); Liu et al., "SSD", 2016.

    bottom[0]  (N, 4 P L)     box predictions for P priors, L is 1, or num_classes with share_location: false
    bottom[1]  (N, P C)       class scores, C is num_classes
    bottom[2]  (1, 2, 4 P)    priors and variances, from PriorBox
    top[0]     (1, 1, K, 7)   image, class, score, xmin, ymin, xmax, ymax of K boxes; without any, a row (image, -1 ...)
                              for each image

    code_type CORNER, CENTER_SIZE or CORNER_SIZE says what the predictions are. Overlap is intersection over union;
    eta below 1 lowers the threshold after each kept box while it is above 0.5. A fourth bottom is ignored.
    No gradients.
    """

    bottoms, tops = (3, 4), 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the parameters."""
        param = self.given = extended(self.param).detection_output_param
        self.check(param.num_classes >= 1, f"'num_classes' must be at least 1, got {param.num_classes}")
        self.check(param.nms_param.nms_threshold >= 0, "'nms_threshold' must not be negative, got "
                                                       f"{param.nms_param.nms_threshold}")
        self.check(0 < param.nms_param.eta <= 1, f"'eta' must be above 0 and at most 1, got {param.nms_param.eta}")
        self.located = 1 if param.share_location else param.num_classes

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes; how many boxes there are shows in forward."""
        boxes, scores, priors = bottom[:3]
        count = priors.count // 8
        batch = boxes.shape[0] if boxes.ndim else 0
        if (not boxes.ndim or scores.shape[:1] != boxes.shape[:1] or boxes.count != batch * count * self.located * 4
                or scores.count != batch * count * self.given.num_classes):
            raise ShapeError(f"{count} priors {priors.shape} of {self.given.num_classes} classes need boxes (N, "
                             f"{count * self.located * 4}) and scores (N, {count * self.given.num_classes}), got "
                             f"{boxes.shape} and {scores.shape}")
        self._sizes = batch, count
        top[0].reshape(1, 1, 1, 7)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Decode and choose: one box after the other, so on the host in every mode."""
        batch, count = self._sizes
        priors, variances = bottom[2].data.reshape(2, count, 1, 4)
        boxes = self.decode(bottom[0].data.reshape(batch, count, self.located, 4), priors, variances)
        scores = bottom[1].data.reshape(batch, count, self.given.num_classes)
        rows = [row for image in range(batch) for row in self.detect(image, boxes[image], scores[image])]
        if not rows:
            rows = [[image, *[-1] * 6] for image in range(batch)]
        top[0].reshape(1, 1, len(rows), 7)
        top[0].data[0, 0] = np.asarray(rows, top[0].dtype).reshape(-1, 7)

    def decode(self, predicted: Any, priors: Any, variances: Any) -> Any:
        """Corners of the boxes, (N, P, L, 4), from predictions of this shape and priors (P, 1, 4)."""
        code = self.given.DESCRIPTOR.fields_by_name["code_type"].enum_type.values_by_number[self.given.code_type].name
        offset = predicted if self.given.variance_encoded_in_target else predicted * variances
        size = priors[..., 2:] - priors[..., :2]
        if code == "CORNER":
            return priors + offset
        if code == "CORNER_SIZE":
            return priors + offset * np.concatenate((size, size), axis=-1)
        centre = (priors[..., :2] + priors[..., 2:]) / 2 + offset[..., :2] * size
        half = np.exp(offset[..., 2:]) * size / 2
        return np.concatenate((centre - half, centre + half), axis=-1)

    def detect(self, image: int, boxes: Any, scores: Any) -> list[list[float]]:
        """The rows of one image, by class; boxes (P, L, 4), scores (P, C)."""
        found = []
        for label in range(self.given.num_classes):
            if label != self.given.background_label_id:
                own = boxes[:, min(label, self.located - 1)]
                found += [(label, i) for i in self.suppress(own, scores[:, label])]
        limit = self.given.keep_top_k
        if -1 < limit < len(found):
            found = sorted(sorted(found, key=lambda entry: -scores[entry[1], entry[0]])[:limit],
                           key=lambda entry: entry[0])
        return [[image, label, float(scores[i, label]), *map(float, boxes[i, min(label, self.located - 1)])]
                for label, i in found]

    def suppress(self, boxes: Any, scores: Any) -> list[int]:
        """Indices of the boxes (P, 4) to keep, the best first."""
        rules = self.given.nms_param
        order = np.argsort(-scores, kind="stable")
        if self.given.HasField("confidence_threshold"):
            order = order[scores[order] > self.given.confidence_threshold]
        if rules.HasField("top_k") and rules.top_k > -1:
            order = order[:rules.top_k]
        kept: list[int] = []
        threshold = rules.nms_threshold
        for i in map(int, order):
            if kept and float(overlaps(boxes[i], boxes[np.array(kept)]).max()) > threshold:
                continue
            kept.append(i)
            if rules.eta < 1 and threshold > 0.5:
                threshold *= rules.eta
        return kept


def overlaps(box: Any, others: Any) -> Any:
    """Intersection over union of a box (4) with others (K, 4); 0 for boxes turned inside out."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.where((sides > 0).all(axis=1), sides[:, 0] * sides[:, 1], 0)
    areas = [np.maximum(b[..., 2:] - b[..., :2], 0).prod(axis=-1) for b in (box, others)]
    union = areas[0] + areas[1] - common
    return np.where(common > 0, common / np.where(union > 0, union, 1), 0)
