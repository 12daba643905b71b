"""A folder with images and lists, and nets made in it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import caffe


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a test: images a.png ... f.png of 6 x 7 pixels, and list.txt with labels 10 ... 15."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in "abcdef":
        Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)).save(f"{name}.png")
    (tmp_path / "list.txt").write_text("".join(f"{name}.png {i}\n" for i, name in enumerate("abcdef", 10)))
    return tmp_path


@pytest.fixture
def make_net(folder):
    """A function that makes a net of the text of a prototxt, in `folder`."""

    def make(text, phase=caffe.TEST):
        (folder / "net.prototxt").write_text(text)
        return caffe.Net(str(folder / "net.prototxt"), phase)

    return make


@pytest.fixture
def run(make_net):
    """A function that gives what the tops of the first layer hold in each of several passes."""

    def passes(text, count, phase=caffe.TEST, seed=1):
        caffe.set_random_seed(seed)
        net = make_net(text, phase)
        names = next(iter(net.top_names.values()))
        found = []
        for _ in range(count):
            net.forward()
            found.append([net.blobs[name].data.copy() for name in names])
        return found

    return passes
