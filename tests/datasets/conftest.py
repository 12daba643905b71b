"""A way to run a data set's layer in a net."""

from __future__ import annotations

import pytest

import caffe


@pytest.fixture
def make_net(tmp_path):
    """make_net(module, class, settings, tops): a net of one layer of caffe_fcn.datasets, tops "a b"."""

    def make(module, name, settings, tops="data label", more=""):
        text = settings if isinstance(settings, str) else repr(settings)
        blobs = " ".join(f'top: "{top}"' for top in tops.split())
        (tmp_path / "net.prototxt").write_text(
            f'layer {{ name: "data" type: "Python" {blobs} {more} python_param {{ module: '
            f'"caffe_fcn.datasets.{module}" layer: "{name}" param_str: "{text}" }} }}')
        return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)

    return make
