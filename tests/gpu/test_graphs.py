"""CUDA graphs: which layers, when, and the same numbers as without."""

import itertools

import numpy as np
import pytest
from standin import counts

import caffe
import caffe_fcn
from caffe_fcn import stats
from caffe_fcn.errors import LabelError
from caffe_fcn.gpu import graphs

USER = """
import caffe
class Same(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = bottom[0].data
    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = top[0].diff
"""
NET = """
layer { name: 'data' type: 'Input' top: 'data' top: 'label'
        input_param { shape { dim: 1 dim: 3 dim: 12 dim: 16 } shape { dim: 1 dim: 1 dim: 12 dim: 16 } } }
layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } } }
layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }
MIDDLE
layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1' pooling_param { kernel_size: 2 stride: 2 } }
layer { name: 'drop' type: 'Dropout' bottom: 'pool1' top: 'pool1' }
layer { name: 'score' type: 'Convolution' bottom: 'pool1' top: 'score'
        convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: 'xavier' } } }
layer { name: 'up' type: 'Deconvolution' bottom: 'score' top: 'up'
        convolution_param { num_output: 5 group: 5 kernel_size: 4 stride: 2 bias_term: false
                            weight_filler { type: 'bilinear' } } param { lr_mult: 0 } }
layer { name: 'out' type: 'Crop' bottom: 'up' bottom: 'data' top: 'out' crop_param { axis: 2 offset: 1 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'out' bottom: 'label' top: 'loss' }
"""
SAME = """
layer { name: 'same' type: 'Python' bottom: 'conv1' top: 'conv2' python_param { module: 'same_layer' layer: 'Same' } }
layer { name: 'silence' type: 'Silence' bottom: 'conv2' }
"""
SOLVER = "net: 'net.prototxt' base_lr: 0.1 lr_policy: 'inv' gamma: 0.1 power: 0.7 momentum: 0.9 random_seed: 3\n"
USES = 3


@pytest.fixture(autouse=True)
def on(tmp_path, monkeypatch):
    """Graphs are used after a few passes; each test runs in a folder with a net and a solver."""
    monkeypatch.setattr(graphs, "USES", USES)
    monkeypatch.setattr(graphs, "_enabled", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same_layer.py").write_text(USER)
    (tmp_path / "net.prototxt").write_text(NET.replace("MIDDLE", ""))
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def fill(net, seed):
    random = np.random.default_rng(seed)
    net.blobs["data"].data[...] = random.normal(size=net.blobs["data"].shape)
    net.blobs["label"].data[...] = random.integers(5, size=net.blobs["label"].shape)


def train(iterations):
    """The values of all blobs and parameters, and the gradients of the latter, after each iteration."""
    caffe.set_random_seed(3)
    solver = caffe.get_solver("solver.prototxt")
    results = []
    for i in range(iterations):
        fill(solver.net, i)
        solver.step(1)
        blobs = [*solver.net.blobs.values(), *itertools.chain(*solver.net.params.values())]
        results.append([half.copy() for blob in blobs for half in (blob.data, blob.diff)])
    return results


def assert_same(ones, others, tolerance):
    for one, other in zip(ones, others, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("middle", ["", SAME], ids=["whole", "with a Python layer"])
def test_training_gives_the_same_numbers(on, any_gpu, monkeypatch, middle):
    stands_in = any_gpu.ndarray.__module__.startswith("standin")
    (on / "net.prototxt").write_text(NET.replace("MIDDLE", middle))
    with stats.watch() as seen:
        with_graphs = train(10)
    assert seen["graph captures"] >= 2 and seen["graph launches"] >= 8
    assert not stands_in or counts["graph"] == seen["graph launches"]
    monkeypatch.setattr(graphs, "_enabled", False)
    with stats.watch() as seen:
        assert_same(train(10), with_graphs, 0 if stands_in else 1e-4)  # on a card other plans may be tried
    assert not seen["graph launches"]


def test_a_pass_is_one_launch(gpu):
    net = caffe.Net("net.prototxt", caffe.TEST)
    fill(net, 0)
    outputs = []
    for i in range(USES + 3):
        if i == USES + 1:
            counts.clear()
        outputs.append(float(net.forward()["loss"]))
    assert counts["graph"] == 2 and not counts["launch"] - 2 * _launches(net)
    assert len(set(outputs)) == 1


def _launches(net):
    """Kernels of one pass: the stand-in's graph starts them again."""
    graphs.set_cuda_graphs(False)
    before = counts["launch"]
    net.forward()
    return counts["launch"] - before


def captures_after(net, change, passes=USES + 1):
    """How many graphs are captured, and launched, by some passes after a change."""
    for _ in range(USES + 1):
        net.forward()
    change()
    with stats.watch() as seen:
        for _ in range(passes):
            net.forward()
    return seen["graph captures"], seen["graph launches"]


CHANGES = {
    "nothing": (lambda net: None, (0, USES + 1)),
    "values": (lambda net: fill(net, 1), (0, USES + 1)),
    "parameters": (lambda net: net.params["conv1"][0].data.fill(1), (0, USES + 1)),
    "another size": (lambda net: _resize(net, 8), (1, 1)),
    "memory": (lambda net: net.release(), (1, 1)),
    "a larger blob": (lambda net: _grow(net), (1, 1)),
    "precision": (lambda net: caffe_fcn.set_matmul_precision("tf32"), (1, 1)),
    "a callback": (lambda net: net.before_forward(lambda i: None), (0, 0)),
    "the switch": (lambda net: graphs.set_cuda_graphs(False), (0, 0)),
    "the CPU": (lambda net: caffe.set_mode_cpu(), (0, 0)),
}


def _resize(net, height):
    for name in ("data", "label"):
        net.blobs[name].reshape(1, net.blobs[name].channels, height, 16)


def _grow(net):
    _resize(net, 24)
    _resize(net, 12)


@pytest.mark.parametrize("name", CHANGES)
def test_what_makes_a_graph_invalid(gpu, name, monkeypatch):
    monkeypatch.setattr("caffe_fcn.precision.apply", lambda cupy: None)
    change, expected = CHANGES[name]
    net = caffe.Net("net.prototxt", caffe.TEST)
    fill(net, 0)
    try:
        assert captures_after(net, lambda: change(net)) == expected
    finally:
        caffe_fcn.set_matmul_precision("float32")
    loss = float(net.forward()["loss"])
    graphs.set_cuda_graphs(False)
    assert float(net.forward()["loss"]) == loss


def test_sizes_that_come_again_keep_their_graphs(gpu):
    net = caffe.Net("net.prototxt", caffe.TEST)
    with stats.watch() as seen:
        for i in range(8 * USES):
            _resize(net, (12, 10)[i % 2])
            fill(net, i)
            net.forward()
    assert seen["graph captures"] == 2 and seen["graph launches"] == 6 * USES


def test_backward_belongs_to_the_latest_forward(gpu):
    """A partial pass draws a new dropout mask: the graph of the whole pass knows only its own."""
    results = []
    for enabled in (True, False):
        graphs.set_cuda_graphs(enabled)
        caffe.set_random_seed(5)
        net = caffe.Net("net.prototxt", caffe.TRAIN)
        fill(net, 0)
        for _ in range(2 * USES + 4):
            net.clear_param_diffs()
            net.forward()
            net.backward()
        net.clear_param_diffs()
        net.forward(start="drop", end="drop")
        net.backward()
        results.append(net.params["conv1"][0].diff.copy())
    assert (results[0] == results[1]).all() and results[0].any()


def test_wrong_labels_are_found_in_graphs(gpu):
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    fill(net, 0)
    for _ in range(USES + 2):
        net.forward()
    net.blobs["label"].data[0, 0, 3, 3] = 9
    with stats.watch() as seen, pytest.raises(LabelError, match=r"layer 'loss'.*9"):
        net.forward()
    assert seen["graph launches"] == 1
    fill(net, 0)
    net.forward()


def test_layers_that_wait_for_the_card_are_left_alone(gpu, monkeypatch, caplog):
    """A type that is believed to start kernels only, but does not, costs one attempt."""
    from caffe_fcn.layers.crop import Crop

    forward = Crop.forward
    monkeypatch.setattr(Crop, "forward", lambda self, bottom, top: (float(bottom[0].array.sum()),
                                                                    forward(self, bottom, top)))
    net = caffe.Net("net.prototxt", caffe.TEST)
    fill(net, 0)
    with caplog.at_level("INFO", "caffe_fcn.gpu"):
        losses = {float(net.forward()["loss"]) for _ in range(USES + 4)}
    assert len(losses) == 1
    messages = [record.message for record in caplog.records if "no CUDA graph" in record.message]
    assert len(messages) == 1 and "layers 0 to 9: cudaErrorStreamCaptureUnsupported" in messages[0]


def test_runs_of_layers(gpu):
    net = caffe.Net("net.prototxt", caffe.TEST)
    found = net._graphs
    found._fits = [False, True, True, False, True, True, True, False, False]
    assert list(found.parts(0, 8)) == [(0, 3, False), (4, 6, True), (7, 8, False)]
    assert list(found.parts(8, 0)) == [(8, 7, False), (6, 4, True), (3, 0, False)]
    assert list(found.parts(0, 4)) == [(0, 0, False), (1, 2, True), (3, 4, False)]
    assert list(found.parts(3, 3)) == [(3, 3, False)]
    assert list(caffe.Net("net.prototxt", caffe.TEST, keep="outputs")._graphs.parts(0, 8)) == [(0, 8, False)]

LAYERS = {
    "AbsVal": "", "Bias": "bias_param { filler { type: 'gaussian' std: 1 } }", "ELU": "", "Flatten": "",
    "InnerProduct": "inner_product_param { num_output: 7 weight_filler { type: 'xavier' } }",
    "LRN": "lrn_param { local_size: 3 }", "PReLU": "", "Power": "power_param { power: 2 shift: 1 }",
    "Pooling": "pooling_param { pool: AVE kernel_size: 3 stride: 2 }",
    "Reshape": "reshape_param { shape { dim: 0 dim: -1 } }",
    "Scale": "scale_param { bias_term: true }", "Sigmoid": "", "Softmax": "", "TanH": "",
    "Convolution": "convolution_param { num_output: 3 kernel_size: 3 dilation: 2 weight_filler { type: 'xavier' } }",
}
LOSSES = {
    "SoftmaxWithLoss": "loss_param { ignore_label: 1 normalization: VALID }", "EuclideanLoss": "",
    "SigmoidCrossEntropyLoss": "loss_param { ignore_label: 1 normalization: VALID }",
}
PARTS = {
    **{name: f"layer {{ name: 'it' type: '{name}' bottom: 'x' top: 'y' {param} }}" for name, param in LAYERS.items()},
    **{name: f"layer {{ name: 'it' type: '{name}' bottom: 'x' bottom: 'T' top: 'y' {param} }}".replace(
        "'T'", "'l'" if name.startswith("Softmax") else "'t'") for name, param in LOSSES.items()},
    "Concat": "layer { name: 'it' type: 'Concat' bottom: 'x' bottom: 't' top: 'y' }",
    "Eltwise": "layer { name: 'it' type: 'Eltwise' bottom: 'x' bottom: 't' top: 'y' eltwise_param { operation: MAX } }",
    "Slice": "layer { name: 'it' type: 'Slice' bottom: 'x' top: 'y' top: 'z' }",
}
START = """
layer { name: 'in' type: 'Input' top: 'x' top: 't' top: 'l' input_param {
  shape { dim: 2 dim: 4 dim: 6 dim: 8 } shape { dim: 2 dim: 4 dim: 6 dim: 8 } shape { dim: 2 dim: 1 dim: 6 dim: 8 } } }
"""


@pytest.mark.parametrize("name", PARTS)
def test_each_type_gives_the_same_numbers(on, gpu, name):
    """Passes over inputs that change, losses with pixels to ignore, and gradients that add up."""
    (on / "part.prototxt").write_text(f"force_backward: true {START} {PARTS[name]}")
    results = []
    for enabled in (True, False):
        graphs.set_cuda_graphs(enabled)
        caffe.set_random_seed(3)
        net = caffe.Net("part.prototxt", caffe.TRAIN)
        random = np.random.default_rng(0)
        found = []
        with stats.watch() as seen:
            for _ in range(2 * USES + 3):
                net.blobs["x"].data[...] = random.normal(size=(2, 4, 6, 8))
                net.blobs["t"].data[...] = random.integers(2, size=(2, 4, 6, 8))
                net.blobs["l"].data[...] = random.integers(4, size=(2, 1, 6, 8))
                net.forward()
                if not name.endswith("Loss"):
                    net.blobs["y"].diff[...] = random.normal(size=net.blobs["y"].shape)
                net.backward()
                blobs = [net.blobs["x"], net.blobs["y"], *itertools.chain(*net.params.values())]
                found.append([half.copy() for blob in blobs for half in (blob.data, blob.diff)])
        assert seen["graph captures"] == 2 * enabled
        results.append(found)
    assert_same(*results, 0)


def test_all_types_that_are_captured_are_tested():
    tested = {*PARTS, "Input", "ReLU", "Dropout", "Deconvolution", "Crop", "Split", "Silence"}
    assert tested == graphs.CAPTURED
