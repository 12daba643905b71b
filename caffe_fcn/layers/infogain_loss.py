"""InfogainLoss: cross-entropy in which a matrix says what each class is worth for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..proto import caffe_pb2
from .base import Blobs
from .labels import Predictions
from .loss import LossLayer, normalization, normalizer
from .registry import register

SMALLEST = 1e-20  # probabilities count as at least this in the loss


@register("InfogainLoss")
class InfogainLoss(LossLayer):
    """Sum of -H[label, k] log(softmax(scores)[k]) over classes k and positions, divided as loss_param says.

    bottom[0]  (N, C, H, W)  scores; the classes lie on infogain_loss_param.axis (1)
    bottom[1]  (N, H, W)     labels 0 ... C-1, or loss_param.ignore_label
    bottom[2]  C * C values  H, if not read from the binaryproto file infogain_loss_param.source
    top[0]     ()            the loss
    top[1]     (N, C, H, W)  the probabilities, if asked for (no gradient passes through them)

    The divisor is that of SoftmaxWithLoss. Raises ShapeError, LabelError, and for the file MissingFileError,
    FormatError.
    """

    bottoms, tops = (2, 3), (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the matrix, if it comes from a file."""
        source = self.param.infogain_loss_param.source
        if len(bottom) > 2:
            return
        self.check(source, "needs H: give 'infogain_loss_param { source }' or a third bottom")
        from ..formats.blobproto import read_blob
        from ..formats.files import map_file
        from ..formats.wire import Message

        content = map_file(source)
        self.stored = read_blob(Message(content, 0, len(content), source)).data

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes of labels and matrix."""
        super().reshape(bottom, top)
        loss = self.param.loss_param
        ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self.seen = Predictions(bottom[0], bottom[1], self.param.infogain_loss_param.axis, ignore, "loss_param")
        size, classes = bottom[2].count if len(bottom) > 2 else self.stored.size, self.seen.classes
        if size != classes * classes:
            raise ShapeError(f"H needs {classes} x {classes} values, one row for each class of the scores "
                             f"{bottom[0].shape}; it has {size}")
        for probabilities in top[1:]:
            probabilities.reshape_like(bottom[0])

    def read(self, bottom: Blobs) -> tuple[Any, Any, Any]:
        """Probabilities (outer, C, inner), H's row of each label (outer, C, inner; 0 if ignored), labels."""
        xp, scores = self.ops.xp, bottom[0].array.reshape(self.seen.shape)
        labels = self.seen.read(bottom[1], xp)
        chances = xp.empty_like(scores)
        self.ops.softmax(scores, chances)
        matrix = bottom[2].array if len(bottom) > 2 else xp.asarray(self.stored, scores.dtype)
        rows = matrix.reshape(self.seen.classes, -1)[xp.maximum(labels, 0)]  # (outer, inner, C)
        return chances, rows.transpose(0, 2, 1) * (labels >= 0)[:, None], labels

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss, and the probabilities if they have a top."""
        xp = self.ops.xp
        chances, worth, labels = self.read(bottom)
        loss = -(worth * xp.log(xp.maximum(chances, chances.dtype.type(SMALLEST)))).sum()
        top[0].array[...] = loss / self.divisor(labels)
        for probabilities in top[1:]:
            probabilities.array.reshape(chances.shape)[...] = chances

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """softmax * sum of H's row - H's row, 0 where the label is ignored."""
        self.refuse_label_gradient(propagate_down)
        self.check(not any(propagate_down[2:]), "cannot compute a gradient of H: set propagate_down: false for its "
                                                "third bottom")
        if propagate_down[0]:
            chances, worth, labels = self.read(bottom)
            grad = chances * worth.sum(axis=1, keepdims=True) - worth
            bottom[0].grad.reshape(chances.shape)[...] = grad * (top[0].grad / self.divisor(labels))

    def divisor(self, labels: Any) -> Any:
        """What the sum is divided by."""
        mode = normalization(self.param.loss_param, caffe_pb2.LossParameter.VALID)
        return normalizer(self.ops, mode, self.seen.outer, labels.size, labels >= 0)
