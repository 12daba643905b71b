"""DepthwiseConvolution, ConvolutionDepthwise: a convolution of each channel alone."""

from __future__ import annotations

from ..base import Blobs
from ..convolution import Convolution
from ..registry import register


@register("ConvolutionDepthwise")
@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """A Convolution with a group for each channel, whether or not `group` says so. Chollet, "Xception", 2017.

    blobs  weight (num_output, 1, *kernel), bias (num_output)
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Set the group, then as Convolution."""
        param = self.param.convolution_param
        channels = bottom[0].shape[bottom[0].axis(param.axis)]
        self.check(param.group in (1, channels), f"'group' must be the number of channels ({channels}) or left out, "
                                                 f"got {param.group}")
        param.group = channels
        super().setup(bottom, top)
