"""Every layer type on device arrays: the cases of the layers' battery, against the CPU."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from caffe_fcn import mode
from caffe_fcn.memory import Head
from tests.layers.cases import Draw

_file = Path(__file__).resolve().parent.parent / "layers" / "test_registry.py"
_spec = importlib.util.spec_from_file_location("layer_battery", _file)
battery = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(battery)
HOST_ONLY = ("DetectionOutput", "DummyData", "HDF5Output", "Python")  # work on the host in every mode


@battery.each()
def test_agrees_with_the_cpu(case, any_gpu):
    bottoms = case.bottoms(Draw(5))
    _, *found = battery.passes(case, bottoms)
    mode.set_mode_cpu()
    _, *wanted = battery.passes(case, bottoms)
    if case.random:
        assert [a.shape for a in found[0] + found[1]] == [a.shape for a in wanted[0] + wanted[1]]
    else:
        for one, other in zip(found, wanted, strict=True):
            battery.close(one, other)


@battery.each([case for case in battery.CASES if case.type not in HOST_ONLY and case.tops(Draw(0))])
def test_computes_on_the_device(case, any_gpu):
    """The tops are where the device is, and nothing of the bottoms came back to the host."""
    run = battery.build_layer(case.text, case.bottoms(Draw(5)), tops=len(case.tops(Draw(0))))
    for blob in run.bottom:
        blob.array  # noqa: B018
    run.layer.forward(run.bottom, run.top)
    if run.bottom:
        assert all(blob.memories[0].head is Head.DEVICE for blob in (*run.bottom, *run.top) if blob.count)
    assert all(isinstance(blob.array, any_gpu.ndarray) for blob in run.top)


@battery.each([case for case in battery.CASES if case.random])
def test_random_layers_repeat(case, any_gpu):
    bottoms = case.bottoms(Draw(9))
    _, *first = battery.passes(case, bottoms)
    _, *second = battery.passes(case, bottoms)
    for one, other in zip(first[0] + first[1], second[0] + second[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_draws_on_the_device(any_gpu):
    """Other numbers than the CPU's, about the right share of them, new ones in every pass."""
    masks = []
    for _ in range(2):
        run = battery.build_layer("type: 'Dropout' dropout_param { dropout_ratio: 0.3 }", [np.ones((100, 100))])
        run.layer.forward(run.bottom, run.top)
        masks.append(run.top[0].data != 0)
    assert masks[0].mean() == pytest.approx(0.7, abs=0.03)
    assert (masks[0] != masks[1]).any()
