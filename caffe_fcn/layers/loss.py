"""What loss layers share: one scalar top with weight 1, labels without gradient, normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..ops.reference import ReferenceOps
from ..proto import caffe_pb2
from .base import Blobs, Layer


class LossLayer(Layer):
    """A layer whose top[0] is a scalar loss of bottom[0] (scores) against bottom[1] (labels).

    The top is added when the prototxt names none, and counts with weight 1 unless loss_weight says otherwise.
    """

    bottoms: Any = 2
    tops: Any = 1
    auto_tops = 1
    is_loss = True

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Labels get no gradient."""
        return bottom_index != 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that scores and labels have the same batch size; make top[0] a scalar."""
        if bottom[0].shape[:1] != bottom[1].shape[:1]:
            raise ShapeError(f"scores {bottom[0].shape} and labels {bottom[1].shape} need the same first dimension")
        top[0].reshape()

    def refuse_label_gradient(self, propagate_down: Sequence[bool]) -> None:
        """Raise LayerError if a gradient of the labels is asked for."""
        self.check(not propagate_down[1], "cannot compute a gradient of its labels: set propagate_down: false for "
                                          "its second bottom")


def normalization(loss_param: Any, default: int) -> int:
    """The NormalizationMode that a LossParameter asks for: `normalization` wins over the old `normalize`."""
    if loss_param.HasField("normalization"):
        return loss_param.normalization
    if loss_param.HasField("normalize"):
        modes = caffe_pb2.LossParameter
        return modes.VALID if loss_param.normalize else modes.BATCH_SIZE
    return default


def normalizer(ops: ReferenceOps, mode: int, batch: int, full: int, counted: Any | None) -> Any:
    """The divisor of a summed loss, at least 1: a number, on a GPU it may be an array of one.

    batch: for BATCH_SIZE; full: number of predictions (FULL); counted: booleans, which of them are not ignored (VALID),
    or None if none can be.
    """
    modes = caffe_pb2.LossParameter
    if mode == modes.VALID and counted is not None:
        return ops.at_least_one(counted)
    return max(1.0, float({modes.FULL: full, modes.VALID: full, modes.BATCH_SIZE: batch, modes.NONE: 1}[mode]))
