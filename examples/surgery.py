"""The helpers that FCN training scripts import from `surgery`; they live in the package net_surgery.

`interp_surgery` is the name that the tutorial's solving script uses for `interp`.
"""

from net_surgery import expand_score, interp, transplant, upsample_filt

interp_surgery = interp

__all__ = ["expand_score", "interp", "interp_surgery", "transplant", "upsample_filt"]
