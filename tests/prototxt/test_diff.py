"""What two nets, or two weight files, say differently."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.formats import caffemodel
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.prototxt.diff import diff_nets
from caffe_fcn.prototxt.weight_stats import compare_weights, weight_stats

NET = """name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "a" type: "Convolution" bottom: "data" top: "a" convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "b" type: "Convolution" bottom: "data" top: "b" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "drop" type: "Dropout" bottom: "a" top: "a" }
layer { name: "p" type: "Pooling" bottom: "b" top: "p" pooling_param { kernel_size: 2 } }
"""


def differences(new, old=NET):
    return [str(change) for change in diff_nets(*(text.parse(t, caffe_pb2.NetParameter()) for t in (old, new)))]


def lines(*indices):
    """The lines of NET in another order, or without some."""
    return "\n".join(NET.splitlines()[i] for i in indices)


@pytest.mark.parametrize(
    ("new", "expected"),
    [(NET, []),
     (lines(0, 1, 3, 2, 4, 5, 6), []),  # order of independent layers
     (NET.replace("kernel_size: 1 }", "kernel_size: 1 stride: 1 pad: 0 bias_term: true group: 1 }"), []),  # defaults
     (NET.replace('top: "p"', 'top: "p" dropout_param { }'), []),
     (NET.replace('name: "n"', 'name: "m" force_backward: true'),
      ['net: name "n" -> "m"', "net: force_backward not given -> true"]),
     (NET.replace("kernel_size: 1", "kernel_size: 5"), ["changed: a: convolution_param.kernel_size 1 -> 5"]),
     (NET.replace('name: "b"', 'name: "c"'), ["renamed: b: now 'c'"]),
     (NET.replace('"b"', '"c"'), ["renamed: b: now 'c'", "blob: 'b' is now 'c'"]),
     (NET.replace('name: "b"', 'name: "c"').replace("kernel_size: 3", "kernel_size: 5"),
      ["renamed: b: now 'c'", "changed: b: convolution_param.kernel_size 3 -> 5"]),
     (lines(0, 1, 2, 3, 4, 5), ["removed: p: Pooling"]),
     (NET + 'layer { name: "s" type: "Softmax" bottom: "p" top: "s" }', ["added: s: Softmax"]),
     (NET.replace('bottom: "b"', 'bottom: "a"'), ["changed: p: bottom b -> a"]),
     (NET.replace('"Dropout"', '"ReLU"'), ["changed: drop: type Dropout -> ReLU"]),
     (NET.replace('top: "p"', 'top: "p" param { lr_mult: 0 }'), ["changed: p: param[0].lr_mult not given -> 0"]),
     (lines(0, 1, 2, 3, 5, 4, 6), ["order: the layers in place on 'a' come in another order: drop, relu"])],
)
def test_diff(new, expected):
    assert differences(new) == expected


def test_layers_of_one_name_in_two_phases():
    both = ("layer { name: 'd' type: 'Data' top: 'x' include { phase: TRAIN } data_param { batch_size: 2 } }\n"
            "layer { name: 'd' type: 'Data' top: 'x' include { phase: TEST } data_param { batch_size: 1 } }\n")
    swapped = "\n".join(reversed(both.splitlines()))
    assert differences(swapped, both) == []


def write(path, **layers):
    net = caffe_pb2.NetParameter()
    for name in layers:
        net.layer.add(name=name, type="Convolution")
    caffemodel.write(path, net, [[np.asarray(blob, np.float32) for blob in blobs] for blobs in layers.values()])
    return path


def test_weights(tmp_path):
    first = write(tmp_path / "a", same=[[1, 2]], scaled=[[3, 4]], gone=[[1]], shape=[[1, 2]])
    second = write(tmp_path / "b", same=[[1, 2]], scaled=[[6, 8]], new=[[1]], shape=[[1, 2, 3]])
    rows = {row.layer: row for row in compare_weights(first, second)}
    assert rows["same"].same and rows["same"].cosine == 1
    assert (rows["scaled"].largest, rows["scaled"].relative) == (4, 1)
    assert rows["scaled"].cosine == pytest.approx(1)
    assert [rows[name].problem.split(",")[0] for name in ("gone", "new")] == ["only in the first", "only in the second"]
    assert "shape is (2,) in the first, (3,) in the second" in rows["shape"].problem
    assert all(row.same for row in compare_weights(first, first))


def test_weights_that_are_not_finite(tmp_path):
    first = write(tmp_path / "a", x=[[np.nan, np.inf, 1]], y=[[0, 0]])
    second = write(tmp_path / "b", x=[[np.nan, -np.inf, 1]], y=[[0, 1]])
    x, y = compare_weights(first, second)
    assert x.largest == np.inf and not x.same
    assert y.largest == 1 and y.relative == np.inf and np.isnan(y.cosine)
    assert compare_weights(first, first)[0].same


def test_stats(tmp_path):
    (row,) = weight_stats(write(tmp_path / "a", x=[[0, 2, 4, np.nan, np.inf]]))
    assert (row.mean, row.smallest, row.largest, row.zeros, row.bad) == (2, 0, 4, 1, 2)
    assert row.std == pytest.approx(np.std([0, 2, 4]))
    (row,) = weight_stats(write(tmp_path / "b", x=[[np.nan]]))
    assert np.isnan(row.mean) and np.isnan(row.std) and row.bad == 1
