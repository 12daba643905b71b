"""`caffe` with --gpu: which cards are named, and what is said of them."""

import pytest
from standin import cuda

from caffe_fcn import mode
from caffe_fcn.cli.caffe import main


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """The warning comes in each test anew."""
    monkeypatch.setattr(mode, "_warned", False)


def test_device_query_tells_of_each_card(cupy, monkeypatch, capfd):
    monkeypatch.setattr(cuda, "DEVICES", 2)
    assert main(["device_query", "-gpu", "all"]) == 0
    log = capfd.readouterr().err
    for line in ("Device id:                     0", "Device id:                     1",
                 "Major revision number:         9",
                 "Name:                          Stand-in", f"Total global memory:           {cuda.TOTAL}", "cuDNN:",
                 "NCCL:", "GPU in use:            GPU 0"):
        assert line in log, line


@pytest.mark.parametrize(("words", "status"), [("-gpu 0", 1), ("-gpu all", 0), ("", 0)])
def test_device_query_without_a_card(cupy, monkeypatch, capfd, words, status):
    monkeypatch.setattr(cuda, "DEVICES", 0)
    assert main(["device_query", *words.split()]) == status
    log = capfd.readouterr().err
    assert "there is no NVIDIA GPU" in log and "GPU in use:            none" in log and "Device id" not in log


@pytest.mark.parametrize(("gpus", "message"), [("0,1", "--gpu 0,1: GPU 1 was chosen, but there are 1"),
                                               ("0,0", "--gpu names a GPU twice: '0,0'"),
                                               ("0,x", "--gpu is a number")])
def test_cards_that_are_not_there(cupy, capfd, gpus, message):
    assert main(["device_query", "-gpu", gpus]) == 1
    assert message in capfd.readouterr().err
