"""The layers that the published VOC nets name: put this file beside a net, or its folder on PYTHONPATH.

    layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers"
            layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'camvid', 'split': 'train'}" } }

docs/datasets.md tells what param_str may say. A layer of your own is a class like these: a list of names, a photo and
a label for each name.
"""

from __future__ import annotations

from caffe_fcn.datasets.sbd import SBDDSegDataLayer
from caffe_fcn.datasets.voc import VOCSegDataLayer

__all__ = ["SBDDSegDataLayer", "VOCSegDataLayer"]
