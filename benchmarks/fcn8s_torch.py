"""FCN-8s in PyTorch's functional calls, for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fcn8s
import numpy as np
import torch
from torch.nn import functional


def torch_net(
    height: int, width: int, threads: int, dropout: float
) -> tuple[Callable[[], Any], dict[str, list[Any]]]:
    """The net in its fastest memory layout for convolutions: (a function that returns the scores, params).

    `dropout` is the ratio of values that are dropped after fc6 and fc7.
    """
    torch.set_num_threads(threads)
    layout = torch.channels_last

    def tensor(value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(value).to(memory_format=layout if value.ndim == 4 else torch.preserve_format)

    params = {name: [tensor(value) for value in values] for name, values in fcn8s.random_weights().items()}
    image = tensor(fcn8s.random_image(height, width))

    def convolve(blobs: dict, conv: fcn8s.Conv) -> None:
        top = functional.conv2d(blobs[conv.bottom], *params[conv.name], padding=conv.pad)
        blobs[conv.name] = top.relu_() if conv.relu else top

    def crop(blob: torch.Tensor, like: torch.Tensor, offset: int) -> torch.Tensor:
        rows, columns = like.shape[2:]
        return blob[:, :, offset : offset + rows, offset : offset + columns]

    def upsample(blobs: dict, deconv: fcn8s.Deconv) -> None:
        top = functional.conv_transpose2d(blobs[deconv.bottom], *params[deconv.name], stride=deconv.stride)
        if deconv.skip is None:
            blobs[deconv.top] = crop(top, blobs["data"], deconv.offset).contiguous()
        else:
            blobs[deconv.top] = top + crop(blobs[deconv.skip], top, deconv.offset)

    def scores() -> torch.Tensor:
        blobs = {"data": image}
        for pool, stage in fcn8s.STAGES:
            for conv in stage:
                convolve(blobs, conv)
            blobs[pool] = functional.max_pool2d(blobs[stage[-1].name], 2, 2, ceil_mode=True)
        for conv in fcn8s.HEAD + fcn8s.SKIPS:
            convolve(blobs, conv)
            if conv.name in ("fc6", "fc7"):
                blobs[conv.name] = functional.dropout(blobs[conv.name], dropout)
        for deconv in fcn8s.UPSAMPLING:
            upsample(blobs, deconv)
        return blobs["score"]

    return scores, params
