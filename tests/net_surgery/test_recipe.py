"""Recipes: a whole one from files to files, what is wrong with others, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from surgery_nets import conv, inputs, layer, random_model

import caffe
from caffe_fcn.cli.main import main
from caffe_fcn.errors import CaffeFcnError, MissingFileError, NetError, PrototxtError
from net_surgery import run_recipe, upsample_filt

HEAD = 'net = "net.prototxt"\nweights = "net.caffemodel"\n[output]\nnet = "out.prototxt"\nweights = "out.caffemodel"\n'
NET = (
    inputs(1, 3, 6, 6)
    + conv("c", "data", 4)
    + layer("bn", "BatchNorm", "c")
    + layer("fc", "InnerProduct", "c", "fc", "inner_product_param { num_output: 5 }")
)
STEPS = """
[[step]]
op = "fold_batch_norm"

[[step]]
op = "fold_input"
mean = [104, 116.5, 122]

[[step]]
op = "swap_channels"

[[step]]
op = "fully_convolutional"
layers = ["fc"]

[[step]]
op = "change_classes"
keep = [4, 0]

[[step]]
op = "rename"
layers = { fc = "score" }
blobs = { fc = "score" }
"""


def write(folder: Path, steps: str, net: str = NET, head: str = HEAD) -> str:
    random_model(net).save(folder / "net.prototxt", folder / "net.caffemodel")
    (folder / "recipe.toml").write_text(head + steps)
    return str(folder / "recipe.toml")


def test_a_recipe_runs_from_files_to_files(tmp_path, capsys):
    assert main(["surgery", write(tmp_path, STEPS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if "larger" not in line] == [
        "fold_batch_norm",
        "fold_input",
        "swap_channels",
        "fully_convolutional",
        "change_classes",
        "rename",
    ]
    old = caffe.Net(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"), caffe.TEST)
    new = caffe.Net(str(tmp_path / "out.prototxt"), str(tmp_path / "out.caffemodel"), caffe.TEST)
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, 6, 6)).astype(np.float32)
    expected = old.forward(data=rgb[:, ::-1] - np.array([104, 116.5, 122]).reshape(3, 1, 1))["fc"][:, [4, 0]]
    np.testing.assert_allclose(new.forward(data=rgb)["score"][:, :, 0, 0], expected, rtol=1e-4, atol=1e-3)


def test_weights_come_from_other_files(tmp_path):
    random_model(inputs(1, 3, 6, 6) + conv("c", "data", 4) + conv("cls", "c", 2), seed=5).save(
        tmp_path / "a.prototxt", tmp_path / "donor.caffemodel"
    )
    net = (
        inputs(1, 3, 6, 6)
        + conv("c", "data", 4)
        + conv("score", "c", 3)
        + layer(
            "up",
            "Deconvolution",
            "score",
            "up",
            "convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 }",
        )
    )
    run_recipe(
        write(
            tmp_path,
            """
[[step]]
op = "transplant"
weights = "donor.caffemodel"
[[step]]
op = "interp"
layers = ["up"]
[[step]]
op = "expand_score"
layer = "score"
weights = "donor.caffemodel"
source = "cls"
""",
            net,
        ),
        lambda line: None,
    )
    new = caffe.Net(str(tmp_path / "out.prototxt"), str(tmp_path / "out.caffemodel"), caffe.TEST)
    donor = random_model(inputs(1, 3, 6, 6) + conv("c", "data", 4) + conv("cls", "c", 2), seed=5).weights
    assert np.array_equal(new.params["c"][0].data, donor["c"][0])
    assert np.array_equal(new.params["score"][0].data[:2], donor["cls"][0])
    assert np.allclose(new.params["up"][0].data[1, 0], upsample_filt(4))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net = [", "not a TOML file"),
        ("net = 'net.prototxt'\n[output]\nnet = 'o'\n", "there is no \\[\\[step\\]\\]"),
        ("weights = 'x'\n", "the recipe lacks net"),
        ("net = 'x'\n[[step]]\nop = 'rename'\n", "\\[output\\] lacks net"),
        (HEAD + "[[step]]\nop = 'renam'\n", "step 1: unknown op 'renam'; did you mean 'rename'"),
        (HEAD + "[[step]]\nname = 'rename'\n", "step 1 lacks op"),
        (HEAD + "[[step]]\nop = 'rename'\n[[step]]\nop = 'prune'\n", "step 2 \\(prune\\) lacks outputs"),
        (HEAD + "[[step]]\nop = 'prune'\noutput = ['a']\n", "does not know 'output'; did you mean 'outputs'"),
        (HEAD + "[[step]]\nop = 'prune'\noutputs = 'a'\n", "outputs = 'a' is not a list, each entry a string"),
        (HEAD + "[[step]]\nop = 'change_classes'\nclasses = true\n", "classes = True is not a whole number"),
        (HEAD + "[[step]]\nop = 'rename'\nlayers = { a = 1 }\n", "is not a table, each value a string"),
        (HEAD + "[[step]]\nop = 'rename'\ntolerance = 'big'\n", "tolerance = 'big' is not a number"),
        ("shapes = { data = 3 }\n" + HEAD + "[[step]]\nop = 'rename'\n", "shapes = .* each value a list"),
        ("wieghts = 'a'\n" + HEAD, "the recipe does not know 'wieghts'; did you mean 'weights'"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(text, reason, tmp_path):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(PrototxtError, match=f"recipe.toml: .*{reason}"):
        run_recipe(tmp_path / "recipe.toml")


def test_snapshots_are_found_beside_the_recipe(tmp_path):
    lines = []
    result = run_recipe(
        write(tmp_path, "[[step]]\nop = 'average'\nsnapshots = ['net.caffemodel', 'net.caffemodel']\n"), lines.append
    )
    assert np.array_equal(result.weights["c"][0], random_model(NET).weights["c"][0])
    assert len(lines) == 2 and lines[0].endswith("net.caffemodel is 0 of its length from the mean")


def test_nothing_is_written_if_a_step_fails(tmp_path, capsys):
    recipe = write(tmp_path, STEPS + "[[step]]\nop = 'prune'\noutputs = ['nothing']\n")
    assert main(["surgery", recipe]) == 2
    assert "step 7 (prune): the net has no blob 'nothing'" in capsys.readouterr().err
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize(
    ("old", "new"), [("out.caffemodel", "net.prototxt"), ("out.prototxt", "net.caffemodel"),
                     ("out.caffemodel", "out.prototxt"), ("out.prototxt", "recipe.toml")])
def test_results_do_not_overwrite_other_files(old, new, tmp_path, capsys):
    recipe = write(tmp_path, STEPS, head=HEAD.replace(old, new))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["surgery", recipe]) == 2
    assert "another file of the same command" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_errors_of_all_kinds_name_the_step(tmp_path):
    recipe = write(tmp_path, "[[step]]\nop = 'transplant'\nweights = 'none.caffemodel'\n")
    with pytest.raises(MissingFileError, match=r"step 1 \(transplant\): there is no file"):
        run_recipe(recipe)
    recipe = write(tmp_path, "[[step]]\nop = 'fold_input'\nmean = [1, 2]\n")
    with pytest.raises(NetError, match=r"step 1 \(fold_input\): layer 'c' takes 3 channels"):
        run_recipe(recipe)


def test_check_reads_without_running(tmp_path, capsys):
    assert main(["surgery", "--check", write(tmp_path, STEPS)]) == 0
    assert "6 step(s)" in capsys.readouterr().out and not list(tmp_path.glob("out.*"))


def test_a_folder_or_a_binary_file_is_no_recipe(tmp_path):
    (tmp_path / "w.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "w.toml"):
        with pytest.raises(CaffeFcnError):
            run_recipe(path)
