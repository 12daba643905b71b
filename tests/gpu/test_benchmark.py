"""The benchmark's own side, on a tiny net and the stand-in."""

import argparse
import sys

import numpy as np
import pytest

from caffe_fcn import precision
from caffe_fcn.gpu import graphs

TINY = """
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: 'score' type: 'Convolution' bottom: 'data' top: 'score'
  convolution_param { num_output: 21 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } } }
"""
TRAIN = TINY + """
layer { name: 'label' type: 'Input' top: 'label' input_param { shape { dim: 1 dim: 1 dim: 16 dim: 16 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'score' bottom: 'label' top: 'loss'
  loss_param { ignore_label: 255 } }
"""


def test_the_benchmark_runs(gpu, root, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(root / "benchmarks"), *sys.path])
    monkeypatch.setattr(graphs, "_enabled", False)
    monkeypatch.setattr(precision, "_name", "float32")
    import gpu_fcn8s
    import gpu_measures

    monkeypatch.setattr(gpu_fcn8s, "WARM", 3)
    monkeypatch.setattr(graphs, "USES", 2)
    sizes = gpu_measures.stream_sizes(3, 16)
    photos = [np.ones((1, 3, *size), np.float32) for size in sizes]
    options = argparse.Namespace(size=16, rounds=2, photos=photos, limits=(32, 1000), weights=False,
                                 precision="float32")
    results = gpu_fcn8s.run(gpu, options, (TINY, TRAIN), lambda *_: {
        "mean_score": 1.0, "forward": {"median_s": 1.0}, "training": {"median_s": 1.0},
        "stream": {"new_sizes_s": 1.0, "known_sizes_s": 1.0, "images": 3}})
    assert results["counters"]["graph launches"] >= 4
    assert results["ratios"]["stream"] == pytest.approx(results["caffe_fcn"]["stream"]["new_sizes_s"])
    lines = gpu_fcn8s.report(results)
    assert any(line.startswith("score ") and line.endswith("of the limit") for line in lines)
    assert all(max(size) == 16 and min(size) >= 10 for size in sizes)
