"""Net surgery: changing nets together with their weights, with proof that what should stay the same does.

Operations take a `caffe_fcn.Net` or a `Model` (a net and its weights apart from the engine) and return a new one of the
same kind. They run both on random inputs, print how far the outputs are apart, and refuse results that differ.
`transplant`, `interp` and `expand_score` work in place, as in the FCN tutorial's `surgery.py`.
"""

from __future__ import annotations

from .averaging import average
from .checks import Check, Difference, Equal, compare
from .classes import change_classes
from .convolutional import fully_convolutional, to_inner_product
from .deploying import deploy
from .folding import fold_batch_norm
from .groups import merge_parallel, split_groups
from .inputs import fold_input, swap_channels
from .model import Model
from .pruning import prune, rename
from .recipe import run_recipe
from .sliding import window_stride
from .transplanting import TransplantReport, expand_score, interp, transplant, upsample_filt

__all__ = [
    "Check",
    "Difference",
    "Equal",
    "Model",
    "TransplantReport",
    "average",
    "change_classes",
    "compare",
    "deploy",
    "expand_score",
    "fold_batch_norm",
    "fold_input",
    "fully_convolutional",
    "interp",
    "merge_parallel",
    "prune",
    "rename",
    "run_recipe",
    "split_groups",
    "swap_channels",
    "to_inner_product",
    "transplant",
    "upsample_filt",
    "window_stride",
]
