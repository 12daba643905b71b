"""Where images and labels come from: NetSpecs that begin with data layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L

VOC_MEAN = (104.00699, 116.66877, 122.67892)  # of ILSVRC 2012's photos, in the order BGR
SEED = 1337


def python(module: str, layer: str, tops: Sequence[str], /, **settings: Any) -> NetSpec:
    """A net that begins with the tops of a data layer written in Python; `settings` are its param_str."""
    n = NetSpec()
    made = L.Python(module=module, layer=layer, ntop=len(tops), param_str=str({**settings, "seed": SEED}))
    for name, top in zip(tops, made, strict=True):
        n[name] = top
    return n


def inputs(shapes: Mapping[str, Sequence[int]], **more: Any) -> NetSpec:
    """A net that begins with an Input layer for each blob; `more` are other fields of these layers."""
    n = NetSpec()
    for blob, shape in shapes.items():
        n[blob] = L.Input(input_param={"shape": {"dim": list(shape)}}, **more)
    return n


def image(size: int = 500, count: int = 1, layer: str = "input") -> NetSpec:
    """A net that begins with the blob `data` for colour images; users reshape it to the size of theirs."""
    return inputs({"data": (count, 3, size, size)}, name=layer)
