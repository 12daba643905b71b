"""NetSpec: what programs write, and how mistakes are told."""

from __future__ import annotations

import copy
import pickle

import pytest

import caffe
from caffe import layers as L
from caffe import params as P
from caffe_fcn.pycaffe import net_spec


def small() -> caffe.NetSpec:
    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [2, 3]}, {"dim": [2]}], ntop=2)
    n.fc = L.InnerProduct(L.Power(n.data, scale=2), num_output=4, weight_filler={"type": "xavier"},
                          param=[{"lr_mult": 0}])
    n.relu = L.ReLU(n.fc, in_place=True)
    n.quiet = L.Silence(n.label, ntop=0)
    return n


def test_names_and_parameters() -> None:
    net = small().to_proto()
    assert [(layer.name, list(layer.bottom), list(layer.top)) for layer in net.layer] == [
        ("data", [], ["data", "label"]), ("Power1", ["data"], ["Power1"]), ("fc", ["Power1"], ["fc"]),
        ("relu", ["fc"], ["fc"]), ("quiet", ["label"], []),
    ]
    assert net.layer[2].inner_product_param.weight_filler.type == "xavier"
    assert net.layer[2].param[0].lr_mult == 0
    assert net.layer[2].param[0].HasField("lr_mult")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))], ids=["copy", "pickle"])
def test_specs_can_be_copied(copied) -> None:
    spec = small()
    again = copied(spec)
    assert again.to_proto() == spec.to_proto()
    again.more = L.ReLU(again.fc)
    assert len(again.to_proto().layer) == len(spec.to_proto().layer) + 1


def test_nets_of_thousands_of_layers() -> None:
    top = L.Input(shape={"dim": [1]})
    for _ in range(3000):
        top = L.ReLU(top)
    n = caffe.NetSpec()
    n.last = top
    assert len(n.to_proto().layer) == len(top.to_proto().layer) == 3001
    assert pickle.loads(pickle.dumps(n)).to_proto() == n.to_proto()


def test_keyword_of_the_layer_and_of_its_parameters() -> None:
    top = L.Convolution(L.Input(), num_output=3, kernel_size=[3, 1], include={"phase": caffe.TRAIN}, loss_weight=2,
                        convolution_param={"stride": 2})
    layer = top.to_proto().layer[1]
    assert list(layer.convolution_param.kernel_size) == [3, 1]
    assert list(layer.convolution_param.stride) == [2]
    assert layer.include[0].phase == caffe.TRAIN
    assert list(layer.loss_weight) == [2]


def test_enums() -> None:
    assert (P.Pooling.AVE, P.Eltwise.MAX, P.ParamSpec.PERMISSIVE) == (1, 2, 1)


def raises_nothing() -> None:
    n = caffe.NetSpec()
    n.pair = L.DummyData(ntop=2)
    n.to_proto()


ERRORS = {
    "not a top": (lambda: L.ReLU("data"), TypeError, "input 0 of ReLU is no Top but a str"),
    "a pair of tops": (lambda: L.ReLU(L.DummyData(ntop=2)), TypeError, "name the one you mean"),
    "unknown parameter": (lambda: L.Power(L.Input(), exponent=1).to_proto(), AttributeError, "no field 'exponent'"),
    "close parameter": (lambda: L.Power(L.Input(), scales=1).to_proto(), AttributeError, "did you mean 'scale'"),
    "wrong value": (lambda: L.Power(L.Input(), scale="big").to_proto(), TypeError, "scale cannot be 'big'"),
    "unknown enum": (lambda: P.Pooling.MEDIAN, AttributeError, "MEDIAN"),
    "unknown message": (lambda: P.Poling.MAX, AttributeError, "no PolingParameter"),
    "unknown name": (lambda: caffe.NetSpec().nothing, KeyError, "nothing"),
    "no ntop": (raises_nothing, AttributeError, "n.pair is no Top but tuple"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes(name: str) -> None:
    run, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        run()


def test_table_of_parameter_messages() -> None:
    names = net_spec.param_name_dict()
    assert names["Convolution"] == "convolution"
    assert "Deconvolution" not in names
