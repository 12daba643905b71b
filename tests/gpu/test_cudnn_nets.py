"""Layers, nets and solvers with cuDNN, on a stand-in of it: the numbers of the original and of the CPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from standin import dnn

import caffe
from caffe_fcn import stats

TESTS = Path(__file__).resolve().parent.parent
COPIES = sorted((TESTS / "data" / "layers").glob("*onv*.npz"))
SPEC = importlib.util.spec_from_file_location("golden_replay", TESTS / "layers" / "test_golden.py")
golden = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(golden)
NET = """
layer { name: 'data' type: 'Input' top: 'data' top: 'label'
        input_param { shape { dim: 1 dim: 3 dim: 17 dim: 22 } shape { dim: 1 dim: 1 dim: 17 dim: 22 } } }
layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: 'xavier' }
                            bias_filler { value: 0.1 } } }
layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }
layer { name: 'conv2' type: 'Convolution' bottom: 'conv1' top: 'conv2'
        convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 group: 2
                            weight_filler { type: 'xavier' } } }
layer { name: 'relu2' type: 'ReLU' bottom: 'conv2' top: 'conv2' }
layer { name: 'up' type: 'Deconvolution' bottom: 'conv2' top: 'up'
        convolution_param { num_output: 5 kernel_size: 4 stride: 2 weight_filler { type: 'xavier' } } }
layer { name: 'out' type: 'Crop' bottom: 'up' bottom: 'data' top: 'out' crop_param { axis: 2 offset: 1 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'out' bottom: 'label' top: 'loss' }
"""


def trained(tmp_path, steps):
    """Losses and parameters of a few iterations."""
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(f"net: '{tmp_path / 'net.prototxt'}' base_lr: 0.05 momentum: 0.9 "
                                              "lr_policy: 'fixed' snapshot_prefix: 'x' snapshot_after_train: false")
    caffe.set_random_seed(3)
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    random, losses = np.random.default_rng(0), []
    for _ in range(steps):
        solver.net.blobs["data"].data[...] = random.normal(size=(1, 3, 17, 22))
        solver.net.blobs["label"].data[...] = random.integers(0, 5, (1, 1, 17, 22))
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    return losses, [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_recordings_of_convolutions(path, tmp_path, cudnn, gpu):
    assert golden.Replay(path, tmp_path).run() == []


@pytest.mark.slow
def test_all_recordings_of_convolutions(shared, tmp_path, cudnn, gpu):
    paths = sorted((shared / "golden" / "layers").glob("*onv*.npz"))
    assert {path.stem: found for path in paths if (found := golden.Replay(path, tmp_path).run())} == {}
    assert dnn.ran


def test_training_gives_the_numbers_of_the_cpu(tmp_path, cudnn, cupy):
    wanted = trained(tmp_path, steps=8)
    caffe.set_mode_gpu()
    with stats.watch() as seen:
        found = trained(tmp_path, steps=8)
    assert len(dnn.ran) == 8 * 8 and seen["plans built"] >= 8  # three layers and passes, but not the image's gradient
    for one, other in zip((*found[0], *found[1]), (*wanted[0], *wanted[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * max(1, np.abs(other).max()))


def test_a_stream_of_sizes_is_planned_once(tmp_path, cudnn, gpu):
    (tmp_path / "net.prototxt").write_text(NET)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.forward(end="up")
    assert len(dnn.ran) == 3
    with stats.watch() as seen:
        for size in range(19, 59, 2):
            net.blobs["data"].reshape(1, 3, size, size + 3)
            net.forward(end="up")
    assert seen["plans built"] == 0 and seen["convolutions without a plan"] == 60
