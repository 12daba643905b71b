"""SegAccuracy: pixel accuracy, mean recall and mean intersection over union."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..labels import integers
from ..registry import register


@register("SegAccuracy")
class SegAccuracy(Layer):
    """DeepLab's measures of a segmentation, from the matrix of true and predicted classes.

    bottom[0]  (N, C, H, W)   scores; of equal ones the last wins
    bottom[1]  (N, 1, H, W)   labels 0 ... C - 1; those in seg_accuracy_param.ignore_label (may be several) are left out
    top[0]     (1, 1, 1, 3)   accuracy; recall, mean of the classes that occur; intersection over union, mean of all
                              classes (1 for one that neither occurs nor is predicted)

    With reset: false the matrix grows from batch to batch. Raises ShapeError, LabelError.
    """

    bottoms, tops = 2, 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters."""
        self.given = extended(self.param).seg_accuracy_param
        self.check(self.given.top_k == 1, f"'top_k' must be 1, got {self.given.top_k}")
        self.matrix: Any = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is a label for each pixel."""
        scores, labels = bottom[0].shape, bottom[1].shape
        if len(scores) != 4 or labels != (scores[0], 1, *scores[2:]):
            raise ShapeError(f"needs scores (N, C, H, W) and labels (N, 1, H, W), got {scores} and {labels}")
        top[0].reshape(1, 1, 1, 3)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Fill the matrix, compute the measures."""
        xp, classes, ignored = self.ops.xp, bottom[0].shape[1], list(self.given.ignore_label)
        true = integers(bottom[1], classes, xp, lambda value, position: (
            f"the label at {position} is {value:g}, but the {classes} classes want integers from 0 to {classes - 1} "
            f"or those of seg_accuracy_param {{ ignore_label }}: {ignored or 'none given'}"), ignored)[:, 0]
        predicted = classes - 1 - bottom[0].array[:, ::-1].argmax(axis=1)
        pairs = (true * classes + predicted)[true >= 0]
        found = xp.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        self.matrix = found if self.given.reset or self.matrix is None else self.matrix + found
        top[0].array.reshape(-1)[...] = self.measures()

    def measures(self) -> Any:
        """The three of the matrix (true, predicted)."""
        xp, hits = self.ops.xp, self.matrix.diagonal()
        true, predicted = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        union = true + predicted - hits
        overlap = xp.where(union == 0, 1.0, hits / xp.maximum(union, 1))
        recall = hits / xp.maximum(true, 1)
        accuracy, mean_recall = (total.sum() / xp.maximum(parts, 1)
                                 for total, parts in ((hits, true.sum()), (recall, (true > 0).sum())))
        return xp.stack([accuracy, mean_recall, overlap.mean()])
