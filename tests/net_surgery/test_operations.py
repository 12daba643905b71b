"""Each operation on small nets: what it makes, that outputs stay equal (its own check and ours), what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest
from surgery_nets import conv, inputs, layer, random_model

import caffe
from caffe_fcn.errors import NetError, WeightsError
from net_surgery import (
    Check,
    Model,
    average,
    change_classes,
    compare,
    deploy,
    fold_batch_norm,
    fold_input,
    fully_convolutional,
    merge_parallel,
    prune,
    rename,
    split_groups,
    swap_channels,
    to_inner_product,
    upsample_filt,
    window_stride,
)

QUIET = Check(show=lambda line: None)
IP = "inner_product_param {{ num_output: {} {} }}"
POOL = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"


@pytest.fixture
def lines() -> list[str]:
    """What a check printed."""
    return []


def classifier(flatten: bool = False, more: str = "") -> str:
    """Convolution, pooling, three inner products; input 2 x 3 x 10 x 14."""
    head = "flat" if flatten else "p"
    return (
        inputs(2, 3, 10, 14)
        + conv("c", "data", 4)
        + layer("r", "ReLU", "c")
        + layer("p", "Pooling", "c", "p", POOL)
        + (layer("flat", "Flatten", "p", "flat") if flatten else "")
        + layer("fc1", "InnerProduct", head, "fc1", IP.format(7, more))
        + layer("r1", "ReLU", "fc1")
        + layer("d1", "Dropout", "fc1")
        + layer("fc2", "InnerProduct", "fc1", "fc2", IP.format(5, "bias_term: false"))
        + layer("prob", "Softmax", "fc2", "prob")
    )


def types(model: Model) -> dict[str, str]:
    return {entry.name: entry.type for entry in model.net.layer}


def values(model: Model, data: np.ndarray, blob: str) -> np.ndarray:
    net = model.build()
    net.blobs["data"].reshape(*data.shape)
    net.forward(data=data)
    return net.blobs[blob].data.copy()


def photo(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32) * 50


# inner products and convolutions


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("more", ["", "transpose: true"])
def test_fully_convolutional_gives_the_same_numbers(flatten, more, lines):
    before = random_model(classifier(flatten, more))
    after = fully_convolutional(before, check=Check(show=lines.append))
    assert "InnerProduct" not in types(after).values() and "flat" not in types(after)
    assert [after.weights[name][0].shape for name in ("fc1", "fc2")] == [(7, 4, 4, 6), (5, 7, 1, 1)]
    assert list(after.layer("fc1").convolution_param.kernel_size) == []
    assert (after.layer("fc1").convolution_param.kernel_h, after.layer("fc1").convolution_param.kernel_w) == (4, 6)
    data = photo(2, 3, 10, 14)
    np.testing.assert_allclose(
        values(after, data, "fc2")[:, :, 0, 0], values(before, data, "fc2"), rtol=1e-4, atol=1e-4
    )
    assert [line.split("'")[1] for line in lines] == ["prob", "fc2", "prob"] and "a window of a larger input" in lines[
        2
    ]
    assert before.layer("fc1").type == "InnerProduct"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kernel_size: 3", "kernel_size: 5 pad: 1"),
        ("kernel_size: 2 stride: 2", "kernel_size: 3 stride: 2"),  # rounded up: the last window is cut
        ("'ReLU'", "'MVN'"),
    ],
)
def test_larger_inputs_are_checked_only_where_they_must_agree(old, new, lines):
    fully_convolutional(random_model(classifier().replace(old, new, 1)), check=Check(show=lines.append))
    assert [line.split(":")[0] for line in lines] == ["fully_convolutional"] * 2


def test_fully_convolutional_moves_over_a_larger_input():
    before = random_model(classifier())
    after = fully_convolutional(before, check=QUIET)
    down, across = window_stride(after, "fc1")
    assert (down, across) == (2, 2)
    data = photo(1, 3, 10 + 2 * down, 14 + across)
    heat = values(after, data, "fc2")
    assert heat.shape == (1, 5, 3, 2)
    for i, j in np.ndindex(3, 2):
        crop = data[:, :, i * down : i * down + 10, j * across : j * across + 14]
        np.testing.assert_allclose(heat[:, :, i, j], values(before, crop, "fc2"), rtol=1e-4, atol=1e-4)


def test_fully_convolutional_takes_and_returns_nets(capsys):
    net = random_model(classifier()).build()
    result = fully_convolutional(net)
    assert isinstance(result, caffe.Net) and result.layer_dict["fc1"].type == "Convolution"
    assert "fully_convolutional: 'prob' differs by at most" in capsys.readouterr().out


def test_the_way_back_restores_the_weights():
    before = random_model(classifier())
    again = to_inner_product(fully_convolutional(before, check=QUIET), ["fc1"], check=Check(run=False))
    assert again.layer("fc1").type == "InnerProduct"
    assert np.array_equal(again.weights["fc1"][0], before.weights["fc1"][0])


def test_to_inner_product_of_a_net_with_one_full_convolution(lines):
    model = random_model(
        inputs(2, 3, 5, 4) + conv("full", "data", 6, "kernel_h: 5 kernel_w: 4") + layer("r", "ReLU", "full")
    )
    after = to_inner_product(model, check=Check(show=lines.append))
    assert after.weights["full"][0].shape == (6, 60) and len(lines) == 1


def test_inner_products_that_cannot_move_are_refused():
    flat = random_model(inputs(2, 12) + layer("fc", "InnerProduct", "data", "fc", IP.format(3, "")))
    with pytest.raises(NetError, match=r"'fc' reads 'data' of shape \(2, 12\): there is no map"):
        fully_convolutional(flat)
    with pytest.raises(NetError, match=r"'fc2' reads 'fc1' .*convert the layers before it too"):
        fully_convolutional(random_model(classifier()), ["fc2"])
    with pytest.raises(NetError, match="has no layer 'fc9'; did you mean"):
        fully_convolutional(random_model(classifier()), ["fc9"])
    with pytest.raises(NetError, match="'c' is no inner product: its kernel"):
        to_inner_product(random_model(classifier()), ["c"])


# folding

BN_CASES = {
    "in place": conv("c", "data", 4, "kernel_size: 3 bias_term: false")
    + layer("bn", "BatchNorm", "c")
    + layer("s", "Scale", "c", more="scale_param { bias_term: true }")
    + layer("r", "ReLU", "c", "out"),
    "own blobs": conv("c", "data", 4)
    + layer("bn", "BatchNorm", "c", "bn", "batch_norm_param { eps: 0.01 }")
    + layer("s", "Scale", "bn", "s")
    + layer("b", "Bias", "s", "out"),
    "groups": conv("c", "data", 6, "kernel_size: 2 group: 3")
    + layer("s", "Scale", "c", "out", "scale_param { bias_term: true }"),
    "deconvolution": conv("c", "data", 4).replace("'Convolution'", "'Deconvolution'")
    + layer("bn", "BatchNorm", "c", "out"),
    "grouped deconvolution": conv("c", "data", 6, "kernel_size: 2 group: 3").replace("'Convolution'", "'Deconvolution'")
    + layer("bn", "BatchNorm", "c", "out"),
    "inner product": layer("c", "InnerProduct", "data", "c", IP.format(4, "transpose: true"))
    + layer("bn", "BatchNorm", "c", "out"),
}


@pytest.mark.parametrize("case", BN_CASES)
def test_batch_norm_folds(case, lines):
    before = random_model(inputs(2, 3, 6, 5) + BN_CASES[case])
    after = fold_batch_norm(before, check=Check(show=lines.append))
    assert not {"BatchNorm", "Scale", "Bias"} & set(types(after).values())
    assert set(after.weights) == {"c"} and len(after.weights["c"]) == 2
    assert re.fullmatch(r"fold_batch_norm: 'out' differs by at most \S+ \(\S+ of its largest value\)", lines[0])


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        (
            conv("c", "data", 3) + layer("r", "ReLU", "c") + layer("bn", "BatchNorm", "c", "out"),
            ["bn"],
            "must directly follow",
        ),
        (
            conv("c", "data", 3) + layer("bn", "BatchNorm", "c", "out") + layer("sum", "Eltwise", "c out", "sum"),
            ["bn"],
            "read by other layers too",
        ),
        (
            conv("c", "data", 3) + layer("bn", "BatchNorm", "c", more="batch_norm_param { use_global_stats: false }"),
            ["bn"],
            "from each batch",
        ),
        (conv("c", "data", 3) + layer("s", "Scale", "c", more="scale_param { axis: 2 }"), ["s"], "act on channels"),
        (conv("c", "data", 3) + layer("s", "Scale", "c", more="include { phase: TEST }"), ["s"], "include or exclude"),
        (conv("c", "data", 3) + layer("r", "ReLU", "c"), ["r"], "is of type ReLU"),
        (conv("c", "data", 3) + layer("r", "ReLU", "c"), None, "no BatchNorm, Scale or Bias"),
    ],
)
def test_what_cannot_fold_is_refused(text, names, reason):
    with pytest.raises(NetError, match=reason):
        fold_batch_norm(random_model(inputs(2, 3, 6, 5) + text), names)


# groups


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_groups_split(kind, lines):
    before = random_model(
        inputs(2, 6, 5, 5)
        + conv("g", "data", 4, "kernel_size: 3 group: 2").replace("'Convolution'", f"'{kind}'")
        + layer("r", "ReLU", "g")
    )
    after = split_groups(before, "g", check=Check(show=lines.append))
    assert list(types(after)) == ["data", "g_slice", "g_0", "g_1", "g_concat", "r"]
    assert len(lines) == 1 and set(after.weights) == {"g_0", "g_1"}


def test_parallel_convolutions_merge(lines):
    text = inputs(2, 3, 5, 5) + conv("a", "data", 2) + conv("b", "data", 3, "kernel_size: 3 bias_term: false")
    check = Check(show=lines.append)
    sliced = merge_parallel(random_model(text + layer("r", "ReLU", "a")), ["a", "b"], check=check)
    assert list(types(sliced)) == ["data", "a+b", "a+b_slice", "r"]
    joined = merge_parallel(random_model(text + layer("j", "Concat", "a b", "j")), ["a", "b"], "ab", check=check)
    assert types(joined) == {"data": "Input", "ab": "Convolution"} and joined.weights["ab"][0].shape == (5, 3, 3, 3)
    assert len(lines) == 3


def test_merged_convolutions_come_before_all_that_read_them():
    text = inputs(2, 3, 5, 5) + conv("a", "data", 2) + layer("r", "ReLU", "a", "r") + conv("b", "data", 3)
    assert list(types(merge_parallel(random_model(text), ["b", "a"], check=QUIET))) == ["data", "b+a", "b+a_slice", "r"]


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        (conv("a", "data", 2) + conv("b", "data", 2, "kernel_size: 1"), ["a", "b"], "differ in their bottom, window"),
        (conv("a", "data", 2) + conv("b", "a", 2, "kernel_size: 3"), ["a", "b"], "differ in their bottom, window"),
        (conv("a", "data", 2), ["a", "a"], "at least two different"),
        (
            conv("a", "data", 2) + conv("b", "data", 2) + layer("a+b", "ReLU", "b"),
            ["a", "b"],
            "has a layer 'a\\+b' already",
        ),
    ],
)
def test_what_cannot_merge_is_refused(text, names, reason):
    with pytest.raises(NetError, match=reason):
        merge_parallel(random_model(inputs(1, 3, 6, 6) + text), names)


def test_shared_parameters_are_not_changed_for_one_layer():
    shared = "kernel_size: 3 group: 2 } param { name: 'w' "
    model = random_model(inputs(1, 4, 9, 9) + conv("a", "data", 4, shared) + conv("b", "a", 4, shared))
    with pytest.raises(NetError, match="'a' shares its parameter 'w' with layer 'b'"):
        split_groups(model, "a")


# inputs


def test_channels_swap_and_swap_back():
    before = random_model(inputs(1, 3, 6, 6) + conv("c", "data", 2))
    after = swap_channels(before, check=QUIET)
    data = photo(1, 3, 6, 6)
    assert np.allclose(values(after, data[:, ::-1], "c"), values(before, data, "c"), atol=1e-4)
    assert np.array_equal(swap_channels(after, check=QUIET).weights["c"][0], before.weights["c"][0])


def test_mean_folds_into_groups():
    before = random_model(inputs(1, 4, 6, 6) + conv("c", "data", 6, "kernel_size: 3 group: 2"))
    fold_input(before, [100, 110, 120, 130], check=QUIET)


def test_mean_and_scale_fold():
    before = random_model(inputs(1, 3, 6, 6) + conv("c", "data", 2, "kernel_size: 3 bias_term: false"))
    after = fold_input(before, [100, 110, 120], 0.5, check=QUIET)
    raw = np.abs(photo(1, 3, 6, 6))
    prepared = (raw - np.array([100, 110, 120], np.float32).reshape(3, 1, 1)) * np.float32(0.5)
    np.testing.assert_allclose(values(after, raw, "c"), values(before, prepared, "c"), rtol=1e-4, atol=1e-3)
    assert after.layer("c").convolution_param.bias_term


def test_a_mean_is_not_folded_under_padding_unless_forced(lines):
    model = random_model(inputs(1, 3, 6, 6) + conv("c", "data", 2, "kernel_size: 3 pad: 1"))
    with pytest.raises(NetError, match="'c' pads its input"):
        fold_input(model, [100])
    fold_input(model, scale=2, check=QUIET)
    exact = fold_input(model, [100], 2, as_layer=True, check=QUIET)
    assert list(types(exact)) == ["data", "data_prepared", "c"]
    fold_input(model, [100], check=Check(force=True, show=lines.append))
    assert float(lines[0].split("(")[1].split()[0]) > 0.01


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (conv("c", "data", 2) + layer("p", "Pooling", "data", "p", POOL), "'p' \\(Pooling\\) reads 'data' too"),
        (layer("p", "Pooling", "data", "p", POOL), "Convolutions read none directly"),
        (conv("c", "data", 2, "kernel_size: 1 group: 2"), "the order \\[2, 1, 0\\] is not for these"),
    ],
)
def test_inputs_that_others_read_are_refused(text, reason):
    with pytest.raises(NetError, match=reason):
        swap_channels(random_model(inputs(1, 4, 6, 6) + text))


# classes

HEAD = (
    conv("score", "data", 5, "kernel_size: 1")
    + layer(
        "up",
        "Deconvolution",
        "score",
        "up",
        "convolution_param { num_output: 5 kernel_size: 4 stride: 2 bias_term: false GROUP }",
    )
    + conv("skip", "up", 4, "kernel_size: 1").replace("bottom: 'up'", "bottom: 'data'")
    + layer("crop", "Crop", "up data", "crop", "crop_param { axis: 2 offset: 1 }")
    + layer("prob", "Softmax", "crop", "prob")
)


@pytest.mark.parametrize("group", ["", "group: 5"])
@pytest.mark.parametrize("arguments", [{"classes": 7}, {"classes": 3}, {"keep": [4, -1, 0]}])
def test_number_of_classes_changes(group, arguments, lines):
    text = inputs(1, 3, 6, 6) + HEAD.replace("GROUP", group)
    before = prune(random_model(text), ["prob"], check=QUIET)
    if not group:  # no class may tell on another when it goes
        before.weights["up"] = (before.weights["up"][0] * np.eye(5, dtype=np.float32)[:, :, None, None],)
    after = change_classes(before, **arguments, check=Check(show=lines.append))
    keep = arguments.get("keep") or [i if i < 5 else -1 for i in range(arguments["classes"])]
    assert [after.layer(name).convolution_param.num_output for name in ("score", "up")] == [len(keep)] * 2
    weight = after.weights["up"][0]
    assert weight.shape[:2] == (len(keep), 1 if group else len(keep))
    for k, old in enumerate(keep):
        j = 0 if group else k
        expected = before.weights["up"][0][old, 0 if group else old] if old >= 0 else upsample_filt(4)
        assert np.allclose(weight[k, j], expected)
        assert old >= 0 or not after.weights["score"][0][k].any()
    assert len(lines) == 2


def test_classes_that_tell_on_others_cannot_go():
    text = inputs(1, 3, 6, 6) + HEAD.replace("GROUP", "")
    with pytest.raises(NetError, match="'up' differs by at most"):
        change_classes(prune(random_model(text), ["prob"], check=QUIET), 3, check=QUIET)


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        (conv("a", "data", 5) + layer("l", "LRN", "a", "l"), {"classes": 3}, "through layer 'l' \\(LRN\\)"),
        (conv("a", "data", 5) + conv("b", "data", 4), {"classes": 3}, "'b' has 4"),
        (conv("a", "data", 5), {"keep": [5]}, "classes 0 to 4"),
        (conv("a", "data", 5), {"keep": []}, "from 1 to"),
        (conv("a", "data", 5), {}, "say either"),
    ],
)
def test_classes_that_cannot_be_followed_are_refused(text, arguments, reason):
    with pytest.raises(NetError, match=reason):
        change_classes(random_model(inputs(1, 3, 6, 6) + text), **arguments)


# pruning, names, averages


def test_prune_keeps_what_the_output_needs(lines):
    two = (
        "layer { name: 'in' type: 'Input' top: 'data' top: 'other' input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } "
        "shape { dim: 2 dim: 5 } } }"
    )
    before = random_model(
        two
        + conv("a", "data", 2)
        + layer("r", "ReLU", "a")
        + conv("b", "a", 2, "kernel_size: 1")
        + layer("fc", "InnerProduct", "other", "fc", IP.format(2, ""))
    )
    after = prune(before, ["a"], check=Check(show=lines.append))
    assert list(types(after)) == ["in", "a", "r"] and set(after.weights) == {"a"} and len(lines) == 1
    assert list(after.net.layer[0].top) == ["data"] and len(after.net.layer[0].input_param.shape) == 1
    with pytest.raises(NetError, match="no blob 'aa'; did you mean '"):
        prune(before, ["aa"])


def test_rename_keeps_weights_and_numbers(lines):
    before = random_model(inputs(1, 3, 4, 4) + conv("a", "data", 2) + conv("b", "a", 2, "kernel_size: 1"))
    after = rename(
        before, {"a": "first"}, {"data": "image", "b": "score", "a": "hidden"}, check=Check(show=lines.append)
    )
    assert set(after.weights) == {"first", "b"} and list(after.layer("b").bottom) == ["hidden"]
    assert lines == ["rename: 'score' differs by at most 0 (0 of its largest value)"]
    for arguments, reason in (
        ({"layers": {"a": "b"}}, "a layer 'b' already"),
        ({"blobs": {"a": "b"}}, "a blob 'b' already"),
        ({"layers": {"x": "y"}}, "no layer 'x'"),
        ({"blobs": {"x": "y"}}, "no blob 'x'"),
    ):
        with pytest.raises(NetError, match=reason):
            rename(before, **arguments)


def test_average_of_snapshots(tmp_path, lines):
    text = inputs(1, 3, 4, 4) + conv("a", "data", 2)
    models = [random_model(text, seed=seed) for seed in range(3)]
    files = [tmp_path / f"{i}.caffemodel" for i in range(3)]
    for model, file in zip(models, files, strict=True):
        model.save(tmp_path / "net.prototxt", file)
    result = average(models[0], files, check=Check(show=lines.append))
    expected = np.mean([model.weights["a"][0].astype(np.float64) for model in models], axis=0)
    assert np.allclose(result.weights["a"][0], expected, atol=1e-7) and len(lines) == 3
    random_model(inputs(1, 3, 4, 4) + conv("a", "data", 3)).save(tmp_path / "net.prototxt", files[1])
    with pytest.raises(WeightsError, match="holds no layer of the net"):
        average(rename(models[0], {"a": "other"}, check=QUIET), files[:1])
    with pytest.raises(WeightsError, match=r"layer 'a' has the shapes .*2, 3, 3, 3.* but .*3, 3, 3, 3"):
        average(models[0], files)


# deploy

TRAIN = (
    "layer { name: 'd' type: 'Python' top: 'data' top: 'label' python_param { module: 'nowhere' layer: 'None' } }\n"
    + conv("a", "data", 4, "kernel_size: 3 weight_filler { type: 'msra' }").replace(
        "top: 'a'", "top: 'a' param { lr_mult: 1 decay_mult: 1 }"
    )
    + layer("drop", "Dropout", "a")
    + conv("score", "a", 3, "kernel_size: 1")
    + layer("loss", "SoftmaxWithLoss", "score label", "loss", "loss_param { ignore_label: 255 }")
    + layer("acc", "Accuracy", "score label", "acc", "include { phase: TEST }")
)
SHAPES = {"data": (1, 3, 7, 7)}


def test_deploy_keeps_what_predicts(lines):
    before = random_model(TRAIN, SHAPES)
    after = deploy(before, shapes=SHAPES, softmax=True, check=Check(show=lines.append))
    assert types(after) == {"d": "Input", "a": "Convolution", "score": "Convolution", "prob": "Softmax"}
    assert not after.layer("a").param and not after.layer("a").convolution_param.HasField("weight_filler")
    assert lines == ["deploy: 'score' differs by at most 0 (0 of its largest value)"]
    assert after.build().outputs == ["prob"]


def test_deploy_takes_a_python_layer_with_a_loss_weight_for_a_loss():
    loss = (
        "layer { name: 'l' type: 'Python' bottom: 'score' bottom: 'label' top: 'l' loss_weight: 1 "
        "python_param { module: 'nowhere' layer: 'None' } }\n"
    )
    before = random_model(TRAIN.partition("layer { name: 'loss'")[0] + loss, SHAPES)
    assert deploy(before, shapes=SHAPES, check=QUIET).build().outputs == ["score"]


def test_deploy_needs_the_input_shape():
    with pytest.raises(NetError, match=r"the shape of the input 'data' is not known.*give shapes, like data"):
        deploy(random_model(TRAIN, SHAPES))


# checks


def test_a_result_that_differs_is_refused_unless_forced(lines):
    before = random_model(inputs(1, 3, 4, 4) + conv("a", "data", 2))
    after = before.copy()
    after.weights["a"] = (after.weights["a"][0] * np.float32(1.01), after.weights["a"][1])
    from net_surgery import Equal

    (difference,) = compare(before, after, Equal("edit"))
    assert 0.001 < difference.relative < 0.1
    with pytest.raises(NetError, match=r"edit: 'a' differs by at most .*refused"):
        Check(show=lines.append).conclude(before, before, after, Equal("edit"))
    assert Check(force=True, show=lines.append).conclude(before, before, after, Equal("edit")) is after


def test_a_check_without_known_inputs_says_what_it_needs():
    with pytest.raises(NetError, match=r"needs the shapes of the net's inputs \(data, label\)"):
        rename(random_model(TRAIN, SHAPES), {"a": "b"})


def test_a_check_needs_weights_unless_fillers_are_fixed(lines):
    text = inputs(1, 3, 4, 4) + conv("a", "data", 2, "kernel_size: 3 weight_filler { type: 'FILLER' }")
    for filler in ("xavier", "bilinear"):
        model = random_model(text.replace("FILLER", filler))
        model.weights.clear()
        if filler == "bilinear":
            rename(model, {"a": "b"}, check=Check(show=lines.append))
        else:
            with pytest.raises(NetError, match="rename: layer 'a' has no weights, and its random ones differ"):
                rename(model, {"a": "b"})
    assert lines == ["rename: 'a' differs by at most 0 (0 of its largest value)"]


def test_operations_leave_their_subject_alone():
    before = random_model(classifier())
    message, arrays = (
        before.net.SerializeToString(),
        {name: [b.copy() for b in blobs] for name, blobs in before.weights.items()},
    )
    rename(change_classes(fully_convolutional(before, check=QUIET), 3, check=QUIET), {"c": "x"}, check=QUIET)
    assert before.net.SerializeToString() == message
    assert all(np.array_equal(a, b) for name in arrays for a, b in zip(arrays[name], before.weights[name], strict=True))
