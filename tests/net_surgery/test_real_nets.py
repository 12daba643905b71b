"""Surgery on nets with trained weights: the model in this repository, and those beside it."""

from __future__ import annotations

import pytest

import caffe
from net_surgery import Check, Model, change_classes, deploy, fold_batch_norm, fold_input, prune, swap_channels


@pytest.fixture
def camvid(root):
    folder = root / "models" / "camvid-fcn8s-small"
    return Model.load(folder / "deploy.prototxt", folder / "camvid_fcn8s_small.caffemodel")


SMALL = Check(shapes={"data": (1, 3, 64, 96)}, show=lambda line: None)


def test_classes_of_a_trained_net_change(camvid):
    after = change_classes(camvid, keep=[3, 0, -1], check=SMALL)
    counts = {
        layer.convolution_param.num_output
        for layer in after.net.layer
        if "score" in layer.name and layer.type != "Crop"
    }
    assert counts == {3}


def test_a_trained_net_takes_raw_rgb(camvid):
    after = fold_input(swap_channels(camvid, check=SMALL), [122.7, 116.7, 104.0], as_layer=True, check=SMALL)
    assert after.layer("data_prepared").type == "Scale"


def test_a_training_net_with_batch_norm_becomes_a_deploy_net(root):
    train = root / "models" / "camvid-fcn8s-small" / "train.prototxt"
    model = Model.load(train)
    shapes = {"data": (1, 3, 64, 96)}
    stripped = deploy(model, shapes=shapes, check=Check(run=False))
    stripped = stripped.with_weights_of(stripped.build())
    after = fold_batch_norm(stripped, check=SMALL)
    assert not set(after.of_type("BatchNorm", "Scale", "Python", "SoftmaxWithLoss", "Dropout"))
    assert after.build().inputs == ["data"]


def test_a_side_output_of_hed_stays_the_same(shared):
    hed = Model.load(shared / "weights" / "hed_deploy.prototxt", shared / "weights" / "hed_bsds.caffemodel")
    after = prune(hed, ["score-dsn2"], check=SMALL)
    assert after.build(caffe.TEST).outputs == ["score-dsn2"] and len(after.net.layer) < len(hed.net.layer) / 2
