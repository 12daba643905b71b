"""Embed: look up a vector for each index."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs, Layer
from .labels import indices
from .registry import register


@register("Embed")
class Embed(Layer):
    """The rows of a table that the bottom's values choose, plus a bias.

    bottom[0]  (*M)              integers 0 ... input_dim - 1
    top[0]     (*M, num_output)
    blobs      table (input_dim, num_output); bias (num_output) unless bias_term: false

    Raises LabelError for an index outside the table (Caffe reads stray memory). Indices have no gradient.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make and fill table and bias."""
        param = self.param.embed_param
        self.check(param.num_output >= 1, f"'num_output' must be at least 1, got {param.num_output}")
        self.check(param.input_dim >= 1, f"'input_dim' must be at least 1, got {param.input_dim}")
        self.add_param((param.input_dim, param.num_output), param.weight_filler, bottom[0].dtype)
        if param.bias_term:
            self.add_param((param.num_output,), param.bias_filler, bottom[0].dtype)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top one more axis."""
        top[0].reshape(*bottom[0].shape, self.param.embed_param.num_output)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Look the indices up."""
        table, out = self.blobs[0].array, top[0].array
        out[...] = table[indices(bottom[0], table.shape[0], self.ops.xp, "index")]
        if len(self.blobs) > 1:
            out += self.blobs[1].array

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add each gradient to the row that it came from."""
        self.check(not propagate_down[0], "cannot compute a gradient of its indices: set propagate_down: false")
        grad = top[0].grad
        if self.param_propagate_down[0]:
            table, xp = self.blobs[0].grad, self.ops.xp
            xp.add.at(table, indices(bottom[0], table.shape[0], xp, "index"), grad)
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            bias = self.blobs[1].grad
            bias += grad.reshape(-1, bias.size).sum(axis=0)
