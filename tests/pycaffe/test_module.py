"""The names of `import caffe`, and what is added to a Net."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import caffe
import caffe_fcn
from caffe_fcn.memory import Head

NET = """
name: "tiny & small"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 8] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "a" type: "Power" bottom: "conv" top: "a" }
layer { name: "b" type: "Power" bottom: "conv" top: "b" }
"""


@pytest.fixture
def net(tmp_path: Path) -> caffe.Net:
    (tmp_path / "net").write_text(NET)
    return caffe.Net(str(tmp_path / "net"), caffe.TEST)


@pytest.mark.slow
def test_replays_of_the_original(shared: Path) -> None:
    for kind in ("pycaffe", "netspec"):
        done = subprocess.run([sys.executable, str(shared / "tools/replay_system.py"), kind,
                               str(shared / "golden" / kind)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:]
        assert " 0 failed" in done.stdout


def test_all_names_are_there() -> None:
    for name in caffe.__all__:
        assert getattr(caffe, name) is not None
    for name in caffe._caffe.__all__:
        assert getattr(caffe._caffe, name) is not None
    assert {"Net", "io", "NetSpec", "layers"} <= set(dir(caffe))
    with pytest.raises(AttributeError, match="no attribute 'Nett'"):
        caffe.Nett  # noqa: B018
    assert caffe.Net is caffe_fcn.Net is caffe._caffe.Net


def test_names_of_the_module_pycaffe() -> None:
    import caffe.pycaffe as module

    assert (module.NCCL, module.Timer, module.Net) == (caffe.NCCL, caffe.Timer, caffe.Net)


@pytest.mark.parametrize(("inputs", "seeds"), [(5, 3), (3, 5)])
def test_batches_of_inputs_and_seeds_that_differ_in_number(inputs: int, seeds: int, tmp_path: Path) -> None:
    """All inputs come back: passes without seeds take the diffs that are there."""
    (tmp_path / "net").write_text(
        'force_backward: true layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 1] } } }\n'
        'layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }')
    x, dy = np.arange(1.0, inputs + 1)[:, np.newaxis], np.arange(1.0, seeds + 1)[:, np.newaxis]
    blobs, diffs = caffe.Net(str(tmp_path / "net"), caffe.TEST).forward_backward_all(x=x, y=dy)
    np.testing.assert_array_equal(blobs["y"], 2 * x)
    want = [2, 4, 6, 0, 6] if inputs > seeds else [2, 4, 6]  # batches of two; the second is padded, then kept
    np.testing.assert_array_equal(diffs["x"][:, 0], want)


def test_importing_is_quick_and_light() -> None:
    code = ("import time; start = time.perf_counter(); import caffe; spent = time.perf_counter() - start; import sys\n"
            "heavy = {'numba', 'scipy', 'PIL', 'h5py', 'lmdb', 'matplotlib'} & set(sys.modules); print(spent, heavy)")
    spent, heavy = min((subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
                        .stdout.split(" ", 1) for _ in range(2)), key=lambda pair: float(pair[0]))
    assert float(spent) < 0.3
    assert heavy.strip() == "set()"


def test_blobs_are_made_by_nets(net: caffe.Net) -> None:
    with pytest.raises(RuntimeError, match="made by nets"):
        caffe._caffe.Blob()
    assert isinstance(net.blobs["data"], caffe._caffe.Blob)
    assert not isinstance(3, caffe._caffe.Blob)


def test_the_number_of_solvers_is_kept() -> None:
    assert caffe.has_nccl() is False  # without CuPy
    caffe.set_solver_count(2)
    assert (caffe.solver_count(), caffe.solver_rank()) == (2, 0)
    caffe.set_solver_count(1)


def test_timer() -> None:
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.01)
    assert 10 <= timer.ms < 5000


def test_log(capsys: pytest.CaptureFixture) -> None:
    logger = logging.getLogger("caffe_fcn")
    before = logger.level
    try:
        caffe.init_log(0)
        caffe.log("hello %s")
        caffe.init_log(2)
        caffe.log("quiet")
        with pytest.raises(ValueError, match="got 7"):
            caffe.init_log(7)
        assert capsys.readouterr().err.strip().endswith("] hello %s")
    finally:
        caffe.init_log(0, stderr=False)
        logger.setLevel(before)


def test_a_net_is_a_table(net: caffe.Net) -> None:
    lines = repr(net).splitlines()
    assert lines[0].startswith("Net 'tiny & small' of ")
    assert lines[0].endswith("TEST: inputs data; outputs a, b")
    assert [line.split() for line in lines[3:]] == [
        ["in", "Input", "data", "2x3x8x8", "1.5", "KiB"],
        ["conv", "Convolution", "data", "conv", "2x4x6x6", "112", "1.1", "KiB"],
        ["relu", "ReLU", "conv", "conv", "2x4x6x6"],
        ["a", "Power", "conv", "a", "2x4x6x6", "1.1", "KiB"],
        ["b", "Power", "conv", "b", "2x4x6x6", "1.1", "KiB"],
        ["5", "layers", "112", "4.9", "KiB"],
    ]
    assert all(blob.memories[0].head is Head.NONE for blob in net.blobs.values())
    html = net._repr_html_()
    assert "tiny &amp; small" in html
    assert html.count("<tr>") == 7


def test_a_net_gives_its_memory_back(net: caffe.Net) -> None:
    with net as same:
        kept = same.forward()["a"]
        weights = net.params["conv"][0].data.copy()
    assert all(blob.memories[0].head is Head.NONE for blob in net.blobs.values())
    assert kept.shape == (2, 4, 6, 6)
    np.testing.assert_array_equal(net.params["conv"][0].data, weights)
    assert net.forward()["a"].shape == (2, 4, 6, 6)


def test_what_was_copied(net: caffe.Net, tmp_path: Path) -> None:
    assert net.copied is None
    net.save(tmp_path / "w")
    assert net.copy_from(tmp_path / "w") is None
    assert "conv" in str(net.copied)


def test_arguments_are_shown_without_type_hints(shared: Path) -> None:
    import inspect
    import typing

    want = json.loads((shared / "golden/pycaffe/signatures.json").read_text())["caffe.io.load_image"]
    assert str(inspect.signature(caffe.io.load_image)) == want
    assert typing.get_type_hints(caffe.io.load_image)["color"] is bool


@pytest.mark.parametrize(("methods", "message"), [
    ("setup forward backward", "has no method 'reshape'"),
    ("setup reshape backward", "no forward pass"),
    ("setup reshape forward", "no backward pass"),
])
def test_layer_without_a_method(methods: str, message: str, tmp_path: Path) -> None:
    """AttributeError, as in the original, with the name of the layer."""
    bodies = {"reshape": "(self, bottom, top): top[0].reshape(*bottom[0].shape)",
              "backward": "(self, top, propagate_down, bottom): pass"}
    lines = [f"    def {name}{bodies.get(name, '(self, bottom, top): pass')}\n" for name in methods.split()]
    module = f"without_{message.split()[-1].strip(chr(39))}"
    (tmp_path / f"{module}.py").write_text("import caffe\nclass Half(caffe.Layer):\n" + "".join(lines))
    (tmp_path / "net").write_text(
        'force_backward: true layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }\n'
        f'layer {{ name: "half" type: "Python" bottom: "x" top: "y" python_param {{ module: "{module}" '
        'layer: "Half" } }')
    with pytest.raises(AttributeError, match=message) as raised:
        net = caffe.Net(str(tmp_path / "net"), caffe.TRAIN)
        net.forward()
        net.backward()
    assert "layer 'half' (Python)" in str(raised.value)


SCRIPT = """
import numpy as np
import caffe
from caffe import layers as L, params as P

caffe.set_mode_cpu()
net = caffe.Net("deploy.prototxt", "net.caffemodel", caffe.TEST)
net.blobs["data"].reshape(1, 3, 10, 10)
net.blobs["data"].data[...] = np.zeros((1, 3, 10, 10))
scores: np.ndarray = net.forward()["score"]
labels = scores[0].argmax(axis=0)
shape: tuple[int, ...] = net.blobs["score"].shape
for name, blobs in net.params.items():
    print(name.upper(), [blob.data.shape for blob in blobs], blobs[0].diff.sum())
transformer = caffe.io.Transformer({"data": net.blobs["data"].shape})
transformer.set_transpose("data", (2, 0, 1))
image = caffe.io.load_image("a.png")
net.forward(data=transformer.preprocess("data", image)[np.newaxis])
solver = caffe.SGDSolver("solver.prototxt")
solver.net.copy_from("net.caffemodel")
solver.step(1)
print(solver.iter, solver.test_nets[0].blobs["loss"].data)
n = caffe.NetSpec()
n.data = L.Input(shape={"dim": [1, 3, 10, 10]})
n.pool = L.Pooling(n.data, kernel_size=2, pool=P.Pooling.MAX)
open("net.prototxt", "w").write(str(n.to_proto()))


class Double(caffe.Layer):
    def setup(self, bottom: caffe.layer_blobs, top: caffe.layer_blobs) -> None:
        pass
"""


def test_type_hints_of_a_users_script(tmp_path: Path, root: Path) -> None:
    """`mypy --strict` follows the main interface, and finds a misspelt name."""
    pytest.importorskip("mypy")
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    script = SCRIPT.replace("caffe.layer_blobs", "list[caffe.Blob]").replace(
        "def setup(self, bottom: list[caffe.Blob], top: list[caffe.Blob])",
        "def setup(self, bottom: Sequence[caffe.Blob], top: Sequence[caffe.Blob])")
    good.write_text("from collections.abc import Sequence\n" + script)
    bad.write_text("import caffe\nnet = caffe.Net('a', caffe.TEST)\nnet.blobs['data'].dta.sum()\n")
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nmypy_path = {root}:{root / 'caffe_fcn/alias'}\nfollow_imports = silent\n"
        "[mypy-h5py.*,lmdb.*,plyvel.*,numba.*,scipy.*,cupy.*,google.*,PIL.*,threadpoolctl.*,fissix.*]\n"
        "ignore_missing_imports = true\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "good.py", "bad.py"], cwd=tmp_path,
                          capture_output=True, text=True)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout
    assert errors[0].startswith("bad.py:3")
    assert '"Blob" has no attribute "dta"' in errors[0]
