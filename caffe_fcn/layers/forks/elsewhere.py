"""Types that well-known forks have, but this package has not."""

from __future__ import annotations

_TYPES_OF = {
    "AM-Softmax": ("LabelSpecificAdd",),
    "caffe-face": ("CenterLoss",),
    "CRF-RNN": ("MultiStageMeanfield",),
    "Deformable ConvNets": ("DeformableConvolution",),
    "DeepLab": ("DenseCRF", "DomainTransform", "MatRead", "MatWrite", "UniqueLabel"),
    "DIGITS (NVIDIA)": ("DetectNetTransformation", "L1Loss"),
    "Dilation": ("ImageLabelData",),
    "ENet": ("SpatialDropout",),
    "Fast R-CNN": ("ROIPooling", "SmoothL1Loss"),
    "FlowNet": ("Accum", "ChannelNorm", "Correlation", "Correlation1D", "CustomData", "DataAugmentation", "Downsample",
                "FlowAugmentation", "FlowWarp", "GenerateAugmentationParameters", "L1Loss", "Resample"),
    "L-Softmax": ("LargeMarginInnerProduct",),
    "R-FCN": ("BoxAnnotatorOHEM", "PSROIPooling", "SmoothL1LossOHEM", "SoftmaxWithLossOHEM"),
    "SphereFace": ("MarginInnerProduct",),
    "SSD": ("AnnotatedData", "DetectionEvaluate", "MultiBoxLoss", "SmoothL1Loss", "VideoData"),
}


def forks_with(type_name: str) -> str:
    """The forks known to have this type, in words; empty if none."""
    return " and that of ".join(fork for fork, types in _TYPES_OF.items() if type_name in types)
