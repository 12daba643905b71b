"""Plain array code, one mixin class per topic: the readable truth that fast kernels are tested against."""

from __future__ import annotations

from typing import Any

import numpy as np

from .channels import ChannelOps
from .checking import CheckingOps
from .convolution import ConvolutionOps
from .elementwise import ElementwiseOps
from .lrn import LrnOps
from .pooling import PoolingOps
from .softmax import SoftmaxOps
from .unpooling import UnpoolingOps
from .update import UpdateOps


class ReferenceOps(ConvolutionOps, PoolingOps, UnpoolingOps, LrnOps, SoftmaxOps, ElementwiseOps, CheckingOps,
                   ChannelOps, UpdateOps):
    """All operations. `xp` is the array module (numpy, cupy) for what needs no operation of its own."""

    xp: Any = np
