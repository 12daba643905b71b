"""FCN-8s in PyTorch on a GPU, as fast as it gets there without another compiler: cuDNN, channels last, CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fcn8s
import torch
from torch.nn import functional

DROPPED = ("fc6", "fc7")


class TorchNet:
    """The net on the card; precision "float32" or "tf32"."""

    def __init__(self, precision: str) -> None:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True
        self.params = {name: [self.put(value) for value in values] for name, values in fcn8s.random_weights().items()}

    @staticmethod
    def put(value: Any) -> torch.Tensor:
        """A NumPy array on the card."""
        tensor = torch.from_numpy(value).cuda()
        return tensor.to(memory_format=torch.channels_last) if value.ndim == 4 else tensor

    def image(self, height: int, width: int) -> torch.Tensor:
        """Noise, as the other side gets."""
        return self.put(fcn8s.random_image(height, width))

    def scores(self, image: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
        """The forward pass: (1, classes, height, width)."""
        blobs = {"data": image}
        for pool, stage in fcn8s.STAGES:
            for conv in stage:
                self._convolve(blobs, conv)
            blobs[pool] = functional.max_pool2d(blobs[stage[-1].name], 2, 2, ceil_mode=True)
        for conv in fcn8s.HEAD + fcn8s.SKIPS:
            self._convolve(blobs, conv)
            if dropout and conv.name in DROPPED:
                blobs[conv.name] = functional.dropout(blobs[conv.name], dropout)
        for deconv in fcn8s.UPSAMPLING:
            top = functional.conv_transpose2d(blobs[deconv.bottom], *self.params[deconv.name], stride=deconv.stride)
            like = top if deconv.skip else image
            part = blobs[deconv.skip] if deconv.skip else top
            rows, columns = like.shape[2:]
            cut = part[:, :, deconv.offset : deconv.offset + rows, deconv.offset : deconv.offset + columns]
            blobs[deconv.top] = top + cut if deconv.skip else cut.contiguous()
        return blobs["score"]

    def _convolve(self, blobs: dict[str, torch.Tensor], conv: fcn8s.Conv) -> None:
        top = functional.conv2d(blobs[conv.bottom], *self.params[conv.name], padding=conv.pad)
        blobs[conv.name] = top.relu_() if conv.relu else top


def as_graph(work: Callable[[], Any], warm: int = 11) -> Callable[[], Any]:
    """A function that replays what `work` does as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warm):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def forward(net: TorchNet, height: int, width: int) -> Callable[[], Any]:
    """A forward pass at one size, as a graph."""
    image = net.image(height, width)
    with torch.no_grad():
        return as_graph(lambda: net.scores(image))


def stream(net: TorchNet) -> Callable[[Any], Any]:
    """From an image of any size on the host to its scores there; neither graphs nor trying all algorithms pay then."""
    torch.backends.cudnn.benchmark = False

    def run(image: Any) -> Any:
        with torch.no_grad():
            return net.scores(net.put(image)).cpu()

    return run


def iteration(net: TorchNet, labels: Any, rates: tuple[float, float, float], dropout: float) -> Callable[[], Any]:
    """Forward, backward and update with the rate, momentum and decay of `rates`, as a graph."""
    fixed = {deconv.name for deconv in fcn8s.UPSAMPLING}
    learned = [v.requires_grad_() for name, values in net.params.items() if name not in fixed for v in values]
    optimizer = torch.optim.SGD(learned, rates[0], rates[1], weight_decay=rates[2], fused=True)
    image, target = net.image(*labels.shape[1:]), torch.from_numpy(labels).cuda()

    def iterate() -> None:
        optimizer.zero_grad(set_to_none=False)
        loss = functional.cross_entropy(net.scores(image, dropout), target, ignore_index=255, reduction="sum")
        loss.backward()
        optimizer.step()

    return as_graph(iterate)
