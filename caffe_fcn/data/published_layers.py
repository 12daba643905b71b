"""The data layers of the published FCNs: their prototxts name modules that lie beside them, `voc_layers` and others.

A user's own module of such a name comes first; without one, this package's layer of the same name serves.
"""

from __future__ import annotations

import importlib.util
import sys

DATASETS = "caffe_fcn.datasets"
LAYERS = {
    ("voc_layers", "VOCSegDataLayer"): "voc",
    ("voc_layers", "SBDDSegDataLayer"): "sbd",
    ("nyud_layers", "NYUDSegDataLayer"): "nyud",
    ("siftflow_layers", "SIFTFlowSegDataLayer"): "siftflow",
    ("pascalcontext_layers", "PASCALContextSegDataLayer"): "pascalcontext",
}


def stand_in(module: str, layer: str) -> str | None:
    """The module of this package that has a published layer, if sys.path has no module of the published name."""
    ours = LAYERS.get((module, layer))
    if ours is None or module in sys.modules or importlib.util.find_spec(module) is not None:
        return None
    return f"{DATASETS}.{ours}"
