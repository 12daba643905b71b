"""Weights of classes that balance how often they occur."""

from __future__ import annotations

import os

import numpy as np

from caffe_fcn.formats.atomic import atomic_write


def median_frequency_weights(pixels: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """(C,) float64: the median of the frequencies of the classes, divided by that of each; 0 for classes never seen.

    Eigen and Fergus, "Predicting depth, surface normals and semantic labels", 2015: the frequency of a class is its
    share of the pixels of those pictures that it is in.

    pixels    (C,) pixels of each class
    labelled  (C,) pixels with any class, of the pictures with that class
    """
    seen = pixels > 0
    frequency = pixels / np.maximum(labelled, 1)
    if not seen.any():
        return np.zeros(len(pixels))
    return np.where(seen, np.median(frequency[seen]) / np.where(seen, frequency, 1), 0.0)


def write_infogain(path: str | os.PathLike[str], weights: np.ndarray) -> None:
    """Write the matrix (1, 1, C, C) of InfogainLoss with the weights on its diagonal, as a binaryproto file."""
    from caffe_fcn.pycaffe.io import array_to_blobproto

    with atomic_write(path) as file:
        file.write(array_to_blobproto(np.diag(weights)[None, None]).SerializeToString())
