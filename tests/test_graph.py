import json
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_fcn.errors import LayerError, NetError
from caffe_fcn.graph import filter_net, insert_splits, state_meets, with_state
from caffe_fcn.proto import caffe_pb2

DATA = Path(__file__).parent / "data"
PAIR = "layer { name: 'x' type: 'Input' top: 'x' top: 'z' } "


def rows(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def net_of(text):
    return text_format.Parse(text, caffe_pb2.NetParameter())


def split(text):
    """The net with its splits; the input must stay as it is."""
    net = net_of(text)
    before = net.SerializeToString(deterministic=True)
    result = insert_splits(net)
    assert net.SerializeToString(deterministic=True) == before
    return result


def names(net):
    return [layer.name for layer in net.layer]


FILTERED = [
    pytest.param(row["net"], *case, id="-".join(map(str, (row["name"], *case[:3]))))
    for row in rows("state_filter.json")
    for case in row["cases"]
]


@pytest.mark.parametrize("text, phase, level, stages, layers", FILTERED)
def test_filtering_is_as_recorded(text, phase, level, stages, layers):
    net = net_of(text)
    before = net.SerializeToString(deterministic=True)
    state = with_state(net, caffe_pb2.Phase.Value(phase), level, stages)
    assert names(insert_splits(filter_net(state))) == layers
    assert net.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("row", rows("splits.json"), ids=lambda row: row["name"])
def test_splits_are_as_recorded(row):
    net = split(row["net"])
    blobs = list(dict.fromkeys(blob for layer in net.layer for blob in layer.top))
    assert names(net) == row["layers"]
    assert blobs == row["blobs"]
    assert [[blobs.index(blob) for blob in layer.bottom] for layer in net.layer] == row["bottom_ids"]
    assert [[blobs.index(blob) for blob in layer.top] for layer in net.layer] == row["top_ids"]


def test_the_state_given_replaces_phase_and_level_and_adds_stages():
    net = with_state(net_of("state { phase: TRAIN level: 5 stage: 'a' }"), caffe_pb2.TEST, 1, "bc")
    assert net.state == caffe_pb2.NetState(phase=caffe_pb2.TEST, level=1, stage=["a", "b", "c"])


def test_filtering_keeps_everything_else():
    net = net_of("name: 'n' force_backward: true state { level: 1 } layer { name: 'a' include { min_level: 2 } }")
    assert filter_net(net) == net_of("name: 'n' force_backward: true state { level: 1 }")


@pytest.mark.parametrize("rule, met", [
    ("", True),
    ("phase: TEST", True),
    ("phase: TRAIN", False),
    ("min_level: 3 max_level: 3", True),
    ("min_level: 4", False),
    ("max_level: 2", False),
    ("stage: 'a' stage: 'b'", True),
    ("stage: 'a' stage: 'c'", False),
    ("not_stage: 'c'", True),
    ("not_stage: 'c' not_stage: 'b'", False),
    ("phase: TEST stage: 'a' not_stage: 'b'", False),
])  # fmt: skip
def test_all_conditions_of_a_rule_must_hold(rule, met):
    state = caffe_pb2.NetState(phase=caffe_pb2.TEST, level=3, stage=["a", "b"])
    assert state_meets(state, text_format.Parse(rule, caffe_pb2.NetStateRule())) is met


def test_include_with_exclude_is_refused():
    with pytest.raises(LayerError, match=r"layer 'a' .*include rules and exclude rules") as caught:
        filter_net(net_of("layer { name: 'a' type: 'ReLU' include { } exclude { } }"))
    assert caught.value.layer == "a"


def test_a_written_loss_weight_moves_to_the_split():
    net = split(PAIR + "layer { name: 'e' type: 'EuclideanLoss' bottom: 'x' bottom: 'z' top: 'e' loss_weight: 2 }"
                       "layer { name: 'p' type: 'Power' bottom: 'e' top: 'p' }")  # fmt: skip
    loss, added, power = net.layer[1:]
    assert not loss.loss_weight
    assert (added.name, list(added.loss_weight)) == ("e_e_0_split", [2, 0])
    assert list(power.bottom) == ["e_e_0_split_1"]


def test_a_written_loss_weight_of_zero_is_no_use():
    net = split(PAIR + "layer { name: 'a' bottom: 'x' top: 'a' loss_weight: 0 }"
                       "layer { name: 'b' bottom: 'a' top: 'b' }")  # fmt: skip
    assert names(net) == ["x", "a", "b"]
    assert list(net.layer[1].loss_weight) == [0]


def test_a_loss_weight_without_another_use_stays():
    net = split(PAIR + "layer { name: 'a' bottom: 'x' top: 'a' loss_weight: 3 }")
    assert list(net.layer[1].loss_weight) == [3]


def test_the_weight_of_the_other_top_is_lost_when_one_is_split():
    net = split(PAIR + "layer { name: 'a' bottom: 'x' top: 'u' top: 'v' loss_weight: 3 loss_weight: 4 }"
                       "layer { name: 'b' bottom: 'u' top: 'b' }")  # fmt: skip
    assert names(net) == ["x", "a", "u_a_0_split", "b"]
    assert not net.layer[1].loss_weight
    assert list(net.layer[2].loss_weight) == [3, 0]


def test_a_layer_in_place_takes_over_the_blob():
    net = split(PAIR + "layer { name: 'r' bottom: 'x' top: 'x' } layer { name: 'a' bottom: 'x' top: 'a' }"
                       "layer { name: 'b' bottom: 'x' top: 'b' }")  # fmt: skip
    assert names(net) == ["x", "r", "x_r_0_split", "a", "b"]
    assert list(net.layer[1].bottom) == ["x"]


@pytest.mark.parametrize("bottom, rest, hint", [
    ("conv1_2", "", r"did you mean 'conv1_1'\?"),
    ("late", "layer { name: 'l' top: 'late' }", "layer 'l' makes it, so that layer must come before"),
    ("qqq", "", "add the layer that makes it"),
])  # fmt: skip
def test_an_unknown_bottom_is_named_with_a_hint(bottom, rest, hint):
    text = f"layer {{ name: 'c' top: 'conv1_1' }} layer {{ name: 'r' type: 'ReLU' bottom: '{bottom}' top: 'y' }} {rest}"
    with pytest.raises(NetError, match=rf"layer 'r' \(ReLU\): unknown bottom blob '{bottom}' \(bottom 0\).*{hint}"):
        insert_splits(net_of(text))


def test_input_fields_make_no_blob():
    with pytest.raises(NetError, match="unknown bottom blob 'x'"):
        insert_splits(net_of("input: 'x' input_shape { dim: 1 } layer { name: 'r' bottom: 'x' top: 'y' }"))
