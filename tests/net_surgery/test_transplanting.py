"""transplant, interp and expand_score do what the tutorial's surgery.py does, and say what they did."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from surgery_nets import conv, inputs, layer, random_model

from caffe_fcn.errors import NetError, WeightsError
from net_surgery import expand_score, interp, transplant, upsample_filt

IP = "inner_product_param { num_output: 5 }"
OLD = (
    inputs(1, 3, 4, 4)
    + conv("a", "data", 2)
    + layer("fc", "InnerProduct", "a", "fc", IP)
    + layer("gone", "InnerProduct", "fc", "gone", IP)
)
NEW = (
    inputs(1, 3, 8, 8)
    + conv("a", "data", 2, "kernel_size: 3 bias_term: false")
    + conv("fc", "a", 5, "kernel_size: 2")
    + conv("score", "fc", 3, "kernel_size: 1")
)


def deconvolution(inputs_: int, outputs: int, kernel: int, group: int = 1) -> str:
    return inputs(1, inputs_, 4, 4) + layer(
        "up",
        "Deconvolution",
        "data",
        "up",
        f"convolution_param {{ num_output: {outputs} "
        f"kernel_size: {kernel} stride: 2 group: {group} bias_term: false }}",
    )


def test_transplant_copies_coerces_drops_and_tells():
    old, new = random_model(OLD).build(), random_model(NEW, seed=1).build()
    score = new.params["score"][0].data.copy()
    report = transplant(new, old)
    assert report.of("copied") == [("a", 0), ("fc", 1)] and report.of("coerced") == [("fc", 0)]
    assert report.of("dropped") == [("a", 1), ("gone", 0), ("gone", 1)]
    assert report.of("unfilled") == [("score", 0), ("score", 1)]
    assert np.array_equal(new.params["fc"][0].data.ravel(), old.params["fc"][0].data.ravel())
    assert np.array_equal(new.params["score"][0].data, score)
    assert "coerced   fc 0  (5, 8) to (5, 2, 2, 2)" in str(report).splitlines()


def test_transplant_with_a_suffix_from_models_and_files(tmp_path):
    source = random_model(OLD)
    source.save(tmp_path / "old.prototxt", tmp_path / "old.caffemodel")
    target = inputs(1, 3, 4, 4) + conv("a_p", "data", 2)
    for given in (source, tmp_path / "old.caffemodel"):
        net = random_model(target, seed=1).build()
        assert transplant(net, given, "_p").of("copied") == [("a_p", 0), ("a_p", 1)]
        assert np.array_equal(net.params["a_p"][0].data, source.weights["a"][0])


def test_other_counts_are_refused_unless_forced():
    old, new = (
        random_model(OLD),
        random_model(inputs(1, 3, 8, 8) + conv("a", "data", 2) + conv("fc", "a", 7), seed=1).build(),
    )
    before = new.params["a"][0].data.copy()
    with pytest.raises(WeightsError, match=r"layer 'fc', blob 0: 40 values of shape \(5, 8\) do not fit"):
        transplant(new, old)
    assert np.array_equal(new.params["a"][0].data, before)
    transplant(new, old, force=True)
    assert np.array_equal(new.params["fc"][0].data.ravel()[:80], np.tile(old.weights["fc"][0].ravel(), 2))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 63, 64])
def test_the_bilinear_kernel_sums_to_the_area_of_a_step(size):
    factor, kernel = (size + 1) // 2, upsample_filt(size)
    assert (
        kernel.shape == (size, size) and np.array_equal(kernel, kernel.T) and np.array_equal(kernel, kernel[::-1, ::-1])
    )
    for offset in range(factor):  # each pixel of an enlarged constant gets 1 in total, along each axis
        assert np.isclose(kernel.sum(axis=0)[offset::factor].sum() / kernel.sum() * factor, 1)
    assert kernel.max() == (1 if size % 2 else (1 - 0.5 / factor) ** 2)


@pytest.mark.parametrize(("channels", "group", "kernel"), [(3, 3, 4), (3, 1, 4), (3, 1, 5), (1, 1, 3), (3, 3, 5)])
def test_interp_fills_grouped_and_dense_layers(channels, group, kernel):
    net = random_model(deconvolution(channels, channels, kernel, group)).build()
    net.params["up"][0].data[...] = 0
    interp(net, ["up"])
    weight = net.params["up"][0].data
    expected = np.zeros_like(weight)
    for i in range(channels):
        expected[i, 0 if group > 1 else i] = upsample_filt(kernel)
    assert np.array_equal(weight, expected)


def test_interp_warns_of_weights_beside_the_diagonal(caplog):
    net = random_model(deconvolution(3, 3, 4)).build()
    kept = net.params["up"][0].data[0, 1].copy()
    with caplog.at_level(logging.WARNING):
        interp(net, ["up"])
    assert "layer 'up': weights between different channels" in caplog.text
    assert np.array_equal(net.params["up"][0].data[0, 1], kept)


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (deconvolution(4, 2, 4), "up", "as many outputs as inputs"),
        (
            deconvolution(2, 2, 4).replace("kernel_size: 4", "kernel_h: 4 kernel_w: 2"),
            "up",
            "bilinear filters are square",
        ),
        (deconvolution(2, 2, 4), "upp", "no layer 'upp'"),
    ],
)
def test_interp_refuses(text, name, reason):
    net = random_model(text).build()
    with pytest.raises(NetError, match=reason):
        interp(net, [name])


def test_expand_score_keeps_the_old_classes():
    old = random_model(inputs(1, 3, 4, 4) + conv("score", "data", 2)).build()
    new = random_model(inputs(1, 3, 4, 4) + conv("score59", "data", 5), seed=1).build()
    others = new.params["score59"][0].data[2:].copy()
    expand_score(new, "score59", old, "score")
    for blob, source in zip(new.params["score59"], old.params["score"], strict=True):
        assert np.array_equal(blob.data[:2], source.data)
    assert np.array_equal(new.params["score59"][0].data[2:], others)
    with pytest.raises(WeightsError, match="only the number of classes may grow"):
        expand_score(old, "score", new, "score59")
    with pytest.raises(NetError, match="no layer 'scores'"):
        expand_score(new, "score59", old, "scores")
