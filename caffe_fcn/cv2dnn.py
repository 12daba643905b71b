"""The part of `cv2.dnn` that runs Caffe's nets, for scripts written for OpenCV 4: OpenCV 5 cannot read them any more.

>>> import caffe_fcn.cv2dnn as dnn                                        # instead of `from cv2 import dnn`
>>> net = dnn.readNetFromCaffe("deploy.prototxt", "net.caffemodel")       # doctest: +SKIP
>>> net.setInput(dnn.blobFromImage(image, 1.0, (300, 300), (104, 117, 123)))  # doctest: +SKIP
>>> scores = net.forward("score")                                         # doctest: +SKIP

Names, argument order and results are OpenCV's; where it raises cv2.error, the exceptions of Python are raised here.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from . import mode
from .cv2images import blobFromImage, blobFromImages, imagesFromBlob, per_channel
from .errors import NotSupportedError
from .layers import Layer as _EngineLayer
from .net import Net as _EngineNet

__all__ = [
    "DNN_BACKEND_CUDA",
    "DNN_BACKEND_DEFAULT",
    "DNN_BACKEND_OPENCV",
    "DNN_TARGET_CPU",
    "DNN_TARGET_CUDA",
    "Layer",
    "Net",
    "blobFromImage",
    "blobFromImages",
    "imagesFromBlob",
    "readNet",
    "readNetFromCaffe",
]

DNN_BACKEND_DEFAULT, DNN_BACKEND_OPENCV, DNN_BACKEND_CUDA = 0, 3, 5
DNN_TARGET_CPU, DNN_TARGET_CUDA = 0, 6
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[np.uint8]  # a path, or the contents
Array = npt.NDArray[np.float32]


def readNetFromCaffe(prototxt: Source, caffeModel: Source | None = None) -> Net:
    """A Net in phase TEST from a prototxt and a caffemodel, each a path or the contents of the file.

    Raises MissingFileError, PrototxtError, FormatError, WeightsError, LayerError.
    """
    with _file(prototxt, ".prototxt") as text, _file(caffeModel, ".caffemodel") as weights:
        assert text is not None
        return Net(_EngineNet(text, 1, weights=weights or None))


def readNet(model: Source, config: Source | None = None, framework: str = "caffe") -> Net:
    """As readNetFromCaffe, with the two files in either order. NotSupportedError for another framework."""
    if framework.lower() not in ("", "caffe"):
        raise NotSupportedError(f"only Caffe's nets are read, not those of '{framework}'")
    if isinstance(model, (str, os.PathLike)) and os.fspath(model).endswith((".prototxt", ".pbtxt")):
        return readNetFromCaffe(model, config)
    if config is None:
        raise TypeError("readNet needs the prototxt beside the caffemodel")
    return readNetFromCaffe(config, model)


class Layer:
    """One layer of a Net: `name`, `type`, `blobs` (its parameters as arrays that may be written)."""

    def __init__(self, name: str, layer: _EngineLayer) -> None:
        self.name, self.type = name, layer.type
        self.blobs: tuple[Array, ...] = tuple(blob.data for blob in layer.blobs)
        self.preferableTarget = DNN_TARGET_CPU


class Net:
    """A net that takes inputs by `setInput` and gives the outputs of layers by `forward`.

    Layers are named as in the prototxt, but Convolution layers as their tops, and numbered from 1; layers that only
    hold inputs do not count. Where a layer is asked for, its name in the prototxt is as good.
    """

    def __init__(self, net: _EngineNet) -> None:
        self._net = net
        inserted = {name for name, layer in zip(net._layer_names, net.layers, strict=True)
                    if layer.type == "Split" and name.endswith("_split")}
        self._in_prototxt = {name: i for i, (name, layer) in enumerate(zip(net._layer_names, net.layers, strict=True))
                             if layer.type != "Input" and name not in inserted}
        self._places = {net._blob_names[net._top_ids(i)[0]] if net.layers[i].type == "Convolution" else name: i
                        for name, i in self._in_prototxt.items()}
        self._times = np.zeros(len(net.layers))
        self._target = DNN_TARGET_CPU

    # inputs and outputs

    def setInput(self, blob: npt.ArrayLike, name: str = "", scalefactor: float = 1.0,
                 mean: Sequence[float] | float = ()) -> None:
        """Set an input, the first one by default, to (blob - mean) * scalefactor; its shape becomes that of `blob`.

        mean  one value per channel of a blob (images, channels, height, width)
        Raises KeyError for an unknown input.
        """
        if not self._net.inputs:
            raise KeyError("the net has no input: its prototxt begins with a data layer")
        name = name or self._net.inputs[0]
        if name not in self._net.inputs:
            raise KeyError(f"the net has no input '{name}', but {', '.join(map(repr, self._net.inputs))}")
        values = np.asarray(blob, np.float32)
        if np.size(mean):
            values = values - per_channel(mean, values.shape[1])
        target = self._net.blobs[name]
        target.reshape(*values.shape)
        target.data[...] = values * np.float32(scalefactor)

    @overload
    def forward(self, outputName: str = "") -> Array: ...

    @overload
    def forward(self, outputName: list[str] | tuple[str, ...]) -> tuple[Array, ...]: ...

    def forward(self, outputName: str | list[str] | tuple[str, ...] = "") -> Array | tuple[Array, ...]:
        """Run the net; the output of a layer (the last one by default), or a tuple for several names.

        Arrays are copies. A layer's output is what that layer made, before others changed it in place.
        Raises KeyError for an unknown layer.
        """
        names = [outputName] if isinstance(outputName, str) else list(outputName)
        last = next(reversed(self._places))
        places = [self._place(name or last) for name in names]
        mode.set_mode_gpu() if self._target == DNN_TARGET_CUDA else mode.set_mode_cpu()
        found: dict[int, Array] = {}
        for i in range(max(places) + 1):
            start = time.perf_counter()
            self._net._forward(i, i)
            self._times[i] = time.perf_counter() - start
            if i in places:
                found[i] = self._net._wiring.tops[i][0].data.copy()
        outputs = tuple(found[i] for i in places)
        return outputs[0] if isinstance(outputName, str) else outputs

    # layers

    def getLayerNames(self) -> tuple[str, ...]:
        """Names of all layers."""
        return tuple(self._places)

    def getLayerId(self, layer: str) -> int:
        """The number of a layer, -1 if there is none of that name."""
        place = self._places.get(layer, self._in_prototxt.get(layer))
        return -1 if place is None else list(self._places.values()).index(place) + 1

    def getLayer(self, layerId: int | str) -> Layer:
        """A layer by number or name. KeyError if there is none."""
        names = list(self._places)
        if not isinstance(layerId, str):
            if not 0 < layerId <= len(names):
                raise KeyError(f"the net has no layer {layerId}, but 1 to {len(names)}")
            layerId = names[layerId - 1]
        return Layer(layerId, self._net.layers[self._place(layerId)])

    def getLayersCount(self, layerType: str) -> int:
        """Number of the layers of a type."""
        return sum(self._net.layers[i].type == layerType for i in self._places.values())

    def getUnconnectedOutLayers(self) -> npt.NDArray[np.int32]:
        """Numbers of the layers with a top that no layer takes."""
        return np.array([self.getLayerId(name) for name in self.getUnconnectedOutLayersNames()], np.int32)

    def getUnconnectedOutLayersNames(self) -> tuple[str, ...]:
        """Names of the layers with a top that no layer takes."""
        maker: dict[int, str] = {}
        open_ends: dict[str, set[int]] = {name: set() for name in self._places}
        names = {i: name for name, i in self._places.items()}
        for i in range(len(self._net.layers)):
            for blob in self._net._bottom_ids(i):
                if blob in maker:
                    open_ends[maker[blob]].discard(blob)
            if i in names:
                for blob in self._net._top_ids(i):
                    maker[blob] = names[i]
                    open_ends[names[i]].add(blob)
        return tuple(name for name, blobs in open_ends.items() if blobs)

    def getParam(self, layer: int | str, numParam: int = 0) -> Array:
        """Parameter number `numParam` of a layer (0 weights, 1 bias)."""
        return self.getLayer(layer).blobs[numParam]

    def setParam(self, layer: int | str, numParam: int, blob: npt.ArrayLike) -> None:
        """Set a parameter of a layer; ValueError for another shape."""
        target = self.getParam(layer, numParam)
        values = np.asarray(blob, np.float32)
        if values.size != target.size:
            raise ValueError(f"parameter {numParam} of layer {layer!r} has the shape {target.shape}, "
                             f"got {values.shape}")
        target[...] = values.reshape(target.shape)

    def empty(self) -> bool:
        """Has the net no layers?"""
        return not self._places

    # how it runs

    def getPerfProfile(self) -> tuple[int, npt.NDArray[np.float64]]:
        """Nanoseconds of the last forward: all in all, and for each layer by its number minus 1."""
        times = np.array([self._times[i] for i in self._places.values()]) * 1e9
        return int(times.sum()), times

    def setPreferableBackend(self, backendId: int) -> None:
        """Accepted: DEFAULT, OPENCV (both the CPU) and CUDA; the target decides. NotSupportedError for others."""
        if backendId not in (DNN_BACKEND_DEFAULT, DNN_BACKEND_OPENCV, DNN_BACKEND_CUDA):
            raise NotSupportedError(f"backend {backendId} is not supported: take DNN_BACKEND_DEFAULT or "
                                    "DNN_BACKEND_CUDA")

    def setPreferableTarget(self, targetId: int) -> None:
        """DNN_TARGET_CPU or DNN_TARGET_CUDA (the CPU where there is no GPU). NotSupportedError for others."""
        if targetId not in (DNN_TARGET_CPU, DNN_TARGET_CUDA):
            raise NotSupportedError(f"target {targetId} is not supported: take DNN_TARGET_CPU or DNN_TARGET_CUDA")
        self._target = targetId

    def enableFusion(self, fusion: bool) -> None:
        """Accepted without effect: results do not depend on it."""

    def _place(self, name: str) -> int:
        place = self._places.get(name, self._in_prototxt.get(name))
        if place is None:
            close = difflib.get_close_matches(name, self._places, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise KeyError(f"the net has no layer '{name}'{hint}")
        return place


@contextlib.contextmanager
def _file(source: Source | None, suffix: str) -> Iterator[str | None]:
    """The path of a source; contents go into a temporary file for as long as the block lasts."""
    if source is None or isinstance(source, (str, os.PathLike)):
        yield None if source is None else os.fspath(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"contents{suffix}"
        file.write_bytes(bytes(source))
        yield str(file)
