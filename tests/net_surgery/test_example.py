"""The tour of net surgery runs, and what it shows is so."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from net_surgery import Model


@pytest.fixture(scope="module")
def tour(root):
    spec = importlib.util.spec_from_file_location("net_surgery_tour", root / "examples" / "net_surgery_tour.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tour_ends_with_equal_windows(tour, capsys):
    assert tour.main([]) < 1e-5
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("fully_convolutional: 'prob' differs by at most")
    assert lines[-1].startswith("without padding: 3 x 3 windows, 32 pixels apart")


def test_the_windows_tell_the_photos_parts_apart(tour):
    net = tour.caffenet(pad=False)
    photo = np.zeros((3, 227, 259))
    photo[:, :, 227:] = 100
    heat = tour.heat_map(tour.fully_convolutional(net, check=tour.QUIET), photo)
    assert heat.shape == (10, 1, 2) and np.abs(heat[:, 0, 0] - heat[:, 0, 1]).max() > 1e-3


def test_the_tour_takes_a_net_from_files(tour, tmp_path, capsys):
    net = tour.caffenet(pad=True, width=1 / 16, classes=3)
    Model.from_net(net).save(tmp_path / "deploy.prototxt", tmp_path / "net.caffemodel")
    tour.main(["--net", str(tmp_path / "deploy.prototxt"), "--weights", str(tmp_path / "net.caffemodel")])
    assert "heat map: 3 x 3 windows of 227 pixels" in capsys.readouterr().out


def test_edited_filters_blur_and_find_edges(tour):
    image = np.zeros((9, 12))
    image[:, 6:] = 1
    out = tour.edit_filters(image).blobs["conv"].data[0]
    assert np.allclose(out[0, :, 0], 1, atol=1e-6) and out[1].max() > 0.5 and np.abs(out[2]).max() < 1e-6
