"""Cards of one's own with nets of one or two layers whose results are known."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caffe

NET = """
layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }} }} }}
layer {{ name: "mix" type: "Convolution" bottom: "data" top: "mixed"
  convolution_param {{ num_output: {outputs} kernel_size: 1 }} }}
{rest}
"""
REST = {
    "segmentation": "",
    "edges": 'layer { name: "prob" type: "Sigmoid" bottom: "mixed" top: "prob" }',
    "pose": 'layer { name: "prob" type: "Sigmoid" bottom: "mixed" top: "prob" }',
    "depth": "",
    "classification": """
        layer { name: "pool" type: "Pooling" bottom: "mixed" top: "pool"
          pooling_param { pool: AVE global_pooling: true } }
        layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
        layer { name: "prob" type: "Softmax" bottom: "flat" top: "prob" }"""}
CARD = """
name = "{name}"
family = "fcn"
task_kind = "{kind}"
task = "made up"
architecture = "one convolution"
parameters = 12
gflops_500 = 0.01
{top}
[files]
weights = "own.caffemodel"

[input]
blob = "data"
shape = [1, 3, "height", "width"]
channels = "BGR"
mean = [10, 20, 30]
{input}

[output]
blob = "{output}"
shape = [1, {outputs}, "height", "width"]
meaning = "made up"
{more}

[data]
set = "made up"
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A folder with card, net and weights: the outputs are `weights` (K, 3) times BGR minus mean, plus `bias`."""
    monkeypatch.setenv("CAFFE_FCN_HOME", str(tmp_path / "home"))

    def make(kind, weights, bias=None, top="", input="", more="", rest="", name="own", size=8) -> str:
        weights = np.asarray(weights, np.float32)
        folder = tmp_path / name
        folder.mkdir()
        text = NET.format(size=size, outputs=len(weights), rest=textwrap.dedent(REST[kind]) + rest)
        (folder / "deploy.prototxt").write_text(text)
        output = "prob" if 'top: "prob"' in text else "mixed"
        (folder / "card.toml").write_text(CARD.format(
            name=name, kind=kind, top=top, input=input, more=more, output=output, outputs=len(weights)))
        net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
        net.params["mix"][0].data[...] = weights[:, :, None, None]
        net.params["mix"][1].data[...] = 0 if bias is None else bias
        net.save(str(folder / "own.caffemodel"))
        return str(folder)

    return make
