"""Replay the recordings of the original: a few from tests/data/layers, all where the extra data is there."""

import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe_fcn import layers
from caffe_fcn.layers.registry import BUILT_IN, module_name

COPIES = sorted((Path(__file__).parent.parent / "data" / "layers").glob("*.npz"))
# Where the original differentiates at values that it has overwritten, this project gives the right gradient.
OURS_DIFFERS = {"BNLL-inplace", "Clip-inplace", "Log-inplace", "Power-inplace"}


class Replay:
    """One recorded case run here; `found` lists what differs."""

    def __init__(self, path, folder):
        case = np.load(path)
        self.name, self.meta, self.groups = path.stem, json.loads(str(case["meta"])), defaultdict(dict)
        for key in case.files:
            prefix, _, name = key.partition(":")
            self.groups[prefix][name] = case[key]
        prototxt = folder / "net.prototxt"
        prototxt.write_text(str(case["prototxt"]))
        self.net = caffe.Net(str(prototxt), getattr(caffe, str(case["phase"])))
        self.found = []

    def run(self):
        for name, values in self.groups["in"].items():
            self.net.blobs[name].reshape(*values.shape)
            self.net.blobs[name].data[...] = values
        for key, values in self.groups["param"].items():
            blob = self._param(key)
            blob.data[...] = values.reshape(blob.shape)
        self.net.forward()
        if self.meta["random"]:
            self._compare_random()
            return self.found
        for name, values in self.groups["out"].items():
            if name in self.net.blobs or name not in self.meta["splits"]:
                self._compare(f"out {name}", self.net.blobs[name].data, values)
        if self.meta["backward"] and self.name not in OURS_DIFFERS:
            self._backward()
        return self.found

    def _backward(self):
        self.net.clear_param_diffs()
        for name, values in self.groups["topdiff"].items():
            self.net.blobs[name].diff[...] = values
        self.net.backward()
        for name, values in self.groups["diff"].items():
            if name in self.net.blobs:
                self._compare(f"diff {name}", self.net.blobs[name].diff, values)
        for key, values in self.groups["paramdiff"].items():
            self._compare(f"paramdiff {key}", self._param(key).diff, values)
        for key, values in self.groups["paramafter"].items():
            self._compare(f"paramafter {key}", self._param(key).data, values)

    def _compare_random(self):
        """Dropout: the values that both runs kept are the same, and neither keeps all or nothing."""
        for name in self.groups["out"].keys() - self.groups["in"].keys():
            got, want = self.net.blobs[name].data, self.groups["out"][name]
            both = (got != 0) & (want != 0)
            assert 0.01 < both.mean() < 0.99
            self._compare(f"out {name}", np.where(both, got, 0), np.where(both, want, 0))

    def _param(self, key):
        layer, _, index = key.rpartition(":")
        return self.net.params[layer][int(index)]

    def _compare(self, what, got, want):
        scale = max(1.0, float(np.abs(want[np.isfinite(want)]).max(initial=0)))
        if got.shape != want.shape:
            self.found.append(f"{what}: shape {got.shape}, recorded {want.shape}")
        elif not np.allclose(got, want, self.meta["rtol"], self.meta["atol"] * scale, equal_nan=True):
            self.found.append(f"{what}: {got.ravel()[:5]} ..., recorded {want.ravel()[:5]} ...")


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_copied_recordings(path, tmp_path):
    assert Replay(path, tmp_path).run() == []


def test_all_recordings(shared, tmp_path):
    missing = [name for name in BUILT_IN if not importlib.util.find_spec(f"{layers.__name__}.{module_name(name)}")]
    failed, skipped = {}, []
    for path in sorted((shared / "golden" / "layers").glob("*.npz")):
        if any(f'type: "{name}"' in str(np.load(path)["prototxt"]) for name in missing):
            skipped.append(path.stem)
        elif found := Replay(path, tmp_path).run():
            failed[path.stem] = found
    assert failed == {}
    if skipped:
        pytest.skip(f"{len(skipped)} recordings of layers that are not there yet: {', '.join(missing)}")


def test_there_are_recordings_to_replay():
    assert COPIES
