"""What the doctor finds during the first iterations, each mistake once, and nothing in a sound net."""

from __future__ import annotations

import re

import pytest

import caffe
from caffe_fcn.cli.caffe import main
from caffe_fcn.training.doctor import Doctor
from caffe_fcn.training.forecast import duration

SOUND = """
layer { name: 'data' type: 'DummyData' top: 'data' top: 'label' dummy_data_param {
  shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 dim: 1 dim: 8 dim: 8 }
  data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' value: LABEL } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' convolution_param {
  num_output: 4 kernel_size: 2 stride: 2 weight_filler { type: 'xavier' } } }
layer { name: 'score' type: 'Convolution' bottom: 'conv' top: 'score'
  convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: 'up' type: 'Deconvolution' bottom: 'score' top: 'up' param { lr_mult: 0 } convolution_param {
  num_output: 2 group: 2 bias_term: false kernel_size: 4 stride: 2 pad: 1 weight_filler { type: 'bilinear' } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'up' bottom: 'label' top: 'loss' loss_param { ignore_label: 255 } }
layer { name: 'acc' type: 'Accuracy' bottom: 'up' bottom: 'label' top: 'acc' accuracy_param { ignore_label: 255 }
  include { phase: TEST } }
"""
RATE = "base_lr: 0.01 momentum: 0.9"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, net=SOUND, label=1, rate=RATE):
    (folder / "net.prototxt").write_text(net.replace("LABEL", str(label)))
    (folder / "solver.prototxt").write_text(
        f"net: 'net.prototxt' {rate} lr_policy: 'fixed' max_iter: 90 test_iter: 1 test_interval: 30 "
        "test_initialization: false snapshot_prefix: 's' snapshot: 1 random_seed: 1")


def findings(folder, **how):
    write(folder, **how)
    solver = caffe.get_solver("solver.prototxt")
    solver.param_message.snapshot = 0
    doctor = Doctor(solver)
    solver.step(3)
    return doctor.findings


def test_sound_net(folder):
    found = findings(folder, net=SOUND.replace("value: LABEL", "value: 1").replace(
        "data_filler { type: 'constant' value: 1 }", "data_filler { type: 'uniform' min: 0 max: 1.99 }"))
    assert [finding.text for finding in found if finding.is_warning] == []
    assert any("0.0% of the labels of 'loss' are ignored" in finding.text for finding in found)


@pytest.mark.parametrize(("change", "how", "message"), [
    (("type: 'bilinear'", "type: 'constant'"), {},
     "layer 'up' (Deconvolution) has all-zero weights that lr_mult: 0 keeps"),
    (("type: 'bilinear'", "type: 'constant'"), {},
     "no gradient reaches 'conv' blob 0, 'conv' blob 1, 'score' blob 0, 'score' blob 1 in the first 3"),
    (("type: 'xavier'", "type: 'constant'"), {}, "top 'conv' of layer 'conv' (Convolution) is all zero in the first 3"),
    (("accuracy_param { ignore_label: 255 }", ""), {}, "ignore_label of layer 'loss' is 255, that of 'acc' not set"),
    (("", ""), {"label": 255}, "100.0% of the labels of 'loss' are ignored"),
    (("", ""), {"label": 1}, "classes 0 of 'loss' have no labels"),
    (("loss_param { ", "loss_param { normalize: false "), {"rate": "base_lr: 0.1 momentum: 0.9"},
     "the loss 'loss' is summed over predictions (128 of them) and base_lr 0.1 is large"),
    (("", ""), {"rate": "base_lr: 1e-10 momentum: 0.99"}, "'loss' is a mean over predictions and base_lr 1e-10"),
    (("type: 'xavier'", "type: 'constant' value: 3e38"), {},
     "top 'conv' of layer 'conv' (Convolution) has values that are not finite in iteration 0"),
])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mistakes(folder, change, how, message):
    found = findings(folder, net=SOUND.replace(*change) if change[0] else SOUND, **how)
    assert any(finding.is_warning and message in finding.text for finding in found), found


def test_adam_may_sum(folder):
    found = findings(folder, net=SOUND.replace("ignore_label: 255", "ignore_label: 255 normalize: false", 1),
                     rate="base_lr: 0.1 momentum: 0.9 type: 'Adam'")
    assert not any("base_lr" in finding.text for finding in found)


def test_check_command(folder, capfd):
    write(folder)
    assert main(["train", "-solver", "solver.prototxt", "--check"]) == 1
    text = capfd.readouterr().err
    assert "Check: classes 0 of 'loss' have no labels" in text and "Check: 0.0% of the labels" in text
    assert re.search(r"Forecast: about \d+ s for 87 more iterations .* and 2 test batches; about \S+ GiB", text)
    assert not list(folder.glob("s_iter*"))


def test_warnings_once_while_training(folder, capfd):
    write(folder, label=1)
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    assert capfd.readouterr().err.count("Check: classes 0") == 1
    assert main(["train", "-solver", "solver.prototxt", "--nodoctor"]) == 0
    assert "Check: " not in capfd.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(42.4, "42 s"), (61, "1 min 1 s"), (3725, "1 h 2 min")])
def test_duration(seconds, text):
    assert duration(seconds) == text
