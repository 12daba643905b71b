"""Data sets: a `Python` layer for each, checks of a folder, and conversions into the layout of PASCAL VOC.

A net names a layer as ``python_param { module: "caffe_fcn.datasets.voc" layer: "VOCSegDataLayer" param_str: "..." }``.
"""
