"""What solver files are refused, where the message points, and what stays accepted."""

import logging

import pytest

import caffe
from caffe_fcn.errors import FileAccessError, MissingFileError, PrototxtError
from caffe_fcn.proto import caffe_pb2, text

NET = "net: 'net.prototxt' "
REFUSED = {
    # name: (text with an @ where the message points, if anywhere; part of the message)
    "no net": ("base_lr: 1 lr_policy: 'fixed'", "names no net to train"),
    "two nets": (NET + "\n@train_net: 'net.prototxt'", "more than once (train_net, net)"),
    "unknown type": (NET + "\n @type: 'adam'", "did you mean 'Adam'?"),
    "type given twice": (NET + "type: 'SGD' solver_type: SGD", "remove solver_type"),
    "no policy": (NET + "base_lr: 1", "has no lr_policy"),
    "unknown policy": (NET + "@lr_policy: 'poli'", "did you mean 'poly'?"),
    "step without size": (NET + "@lr_policy: 'step'", "needs a 'stepsize' of at least 1, got 0"),
    "sigmoid with size 0": (NET + "lr_policy: 'sigmoid' @stepsize: 0", "of at least 1, got 0"),
    "gamma below 0": (NET + "lr_policy: 'exp' @gamma: -0.1", "not negative, got -0.1"),
    "average_loss": (NET + "@average_loss: 0", "'average_loss' must be at least 1, got 0"),
    "iter_size": (NET + "@iter_size: 0", "'iter_size' must be at least 1, got 0"),
    "AdaGrad momentum": (NET + "type: 'AdaGrad' @momentum: 0.9", "AdaGrad takes no momentum"),
    "RMSProp momentum": (NET + "type: 'RMSProp' @momentum: 0.9", "RMSProp takes no momentum"),
    "rms_decay": (NET + "type: 'RMSProp' @rms_decay: 1", "below 1, got 1"),
    "regularization": (NET + "weight_decay: 1\n@regularization_type: 'L3'", "'L3' (known: L1, L2)"),
    "too few test_iter": (NET + "test_net: 'net.prototxt' test_interval: 1", "at least 1 times"),
    "too many test_iter": ("train_net: 'net.prototxt' @test_iter: 1 test_interval: 1", "must be given 0 times"),
    "negative test_iter": (NET + "test_iter: 1 @test_iter: -2 test_interval: 1", "batches to test with, got -2"),
    "test_state": (NET + "test_iter: 1 test_interval: 1 @test_state {} test_state {}", "2 times"),
    "test_interval": (NET + "@test_iter: 1", "'test_interval' must be at least 1"),
    "empty weights name": (NET + "\n@weights: 'a,'", "an empty file name in weights: 'a,'"),
}


def place(marked):
    """The `:line:column` of the @ in a text, if there is one, and the text without it."""
    before, mark, after = marked.partition("@")
    line = f":{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    return line if mark else "", before + after


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, folder):
    marked, message = REFUSED[name]
    where, fields = place(marked)
    policy = "" if "policy" in fields or name == "no policy" else "\nbase_lr: 0.1 lr_policy: 'fixed'"
    (folder / "solver.prototxt").write_text(fields + policy)
    if "weights" in name:
        caffe.Net("net.prototxt", caffe.TEST).save("a")
    with pytest.raises(PrototxtError) as caught:
        caffe.get_solver("solver.prototxt")
    assert str(caught.value).startswith(f"solver.prototxt{where}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("fields", [
    "base_lr: 0.1 lr_policy: 'fixed' regularization_type: 'L3'",  # without decay nobody asks
    "base_lr: 0.1 lr_policy: 'multistep'",
    "base_lr: 0.1 lr_policy: 'fixed' weight_decay: -1",
    "base_lr: 0.1 lr_policy: 'fixed' test_interval: 3",
    "base_lr: 0.1 lr_policy: 'fixed' snapshot_prefix: 'no/folder' snapshot_after_train: false max_iter: 1",
    "lr_policy: 'fixed'",
    "base_lr: 0.1 lr_policy: 'poly'",  # max_iter 0: the rate is not a number
])
def test_accepted(fields, make):
    make(base=fields).solve()


def test_missing_files_name_the_solver(folder):
    for marked, message in (("base_lr: 1 lr_policy: 'fixed' @net: 'lost.prototxt'", "no net file 'lost.prototxt'"),
                            (NET + "base_lr: 1 lr_policy: 'fixed' @weights: 'w'", "no weights file 'w'")):
        where, fields = place(marked)
        (folder / "solver.prototxt").write_text(fields)
        with pytest.raises(MissingFileError) as caught:
            caffe.get_solver("solver.prototxt")
        assert str(caught.value).startswith(f"solver.prototxt{where}: there is {message}")
    with pytest.raises(MissingFileError, match=r"nowhere\.prototxt"):
        caffe.get_solver("nowhere.prototxt")


def test_missing_net_that_lies_beside_the_solver_is_pointed_out(folder, monkeypatch):
    (folder / "sub").mkdir()
    (folder / "sub" / "solver.prototxt").write_text("base_lr: 1 lr_policy: 'fixed' net: 'n.prototxt'")
    (folder / "sub" / "n.prototxt").write_text("")
    with pytest.raises(MissingFileError, match=r"'sub/n\.prototxt' exists: start from the folder"):
        caffe.get_solver("sub/solver.prototxt")


def test_unwritable_prefix_is_found_before_training(make):
    with pytest.raises(FileAccessError, match=r"solver\.prototxt:1:33: cannot write snapshots 'no/x_iter_\.\.\.'"):
        make("snapshot: 1", base="base_lr: 0.1 lr_policy: 'fixed' snapshot_prefix: 'no/x'")
    solver = make(base="base_lr: 0.1 lr_policy: 'fixed' max_iter: 1 snapshot_prefix: 'no/x'")
    with pytest.raises(FileAccessError, match="'no' exists"):
        solver.solve()
    assert solver.iter == 0


def test_probe_leaves_nothing_behind(make, folder):
    make("snapshot: 1")
    assert sorted(path.name for path in folder.iterdir()) == ["net.prototxt", "solver.prototxt"]


def test_old_net_inside_a_solver_is_missed_with_a_warning(make, caplog):
    with caplog.at_level(logging.WARNING):
        solver = make(net="layers { name: 'd' type: DUMMY_DATA top: 'd' dummy_data_param { num: 1 channels: 1 "
                          "height: 1 width: 1 } }")
    assert len(solver.net.layers) == 0
    assert "old format" in caplog.text


def test_class_decides_over_the_file(folder):
    (folder / "solver.prototxt").write_text("base_lr: 1 lr_policy: 'fixed' type: 'Adam' net: 'net.prototxt'")
    assert type(caffe.SGDSolver("solver.prototxt")) is caffe.SGDSolver
    assert type(caffe.get_solver("solver.prototxt")) is caffe.AdamSolver


def test_solver_from_a_message():
    param = text.parse("base_lr: 1 lr_policy: 'fixed' net: 'net.prototxt'", caffe_pb2.SolverParameter())
    solver = caffe.get_solver(param)
    solver.param.base_lr = 0.5
    assert solver.lr == 0.5 and param.base_lr == 1
    with pytest.raises(PrototxtError, match=r"^the solver names no net"):
        caffe.get_solver(caffe_pb2.SolverParameter())


def test_python_layers_are_found_beside_the_net(folder, make):
    (folder / "nets").mkdir()
    (folder / "nets" / "mine.py").write_text(
        "import caffe\nclass One(caffe.Layer):\n    def setup(self, b, t): pass\n"
        "    def reshape(self, b, t): t[0].reshape(1)\n    def forward(self, b, t): t[0].data[...] = 1\n"
        "    def backward(self, t, p, b): pass\n")
    (folder / "nets" / "net.prototxt").write_text(
        "layer { name: 'one' type: 'Python' top: 'one' python_param { module: 'mine' layer: 'One' } }")
    (folder / "solver.prototxt").write_text("base_lr: 1 lr_policy: 'fixed' net: 'nets/net.prototxt'")
    solver = caffe.get_solver("solver.prototxt")
    solver.step(1)
    assert solver.net.blobs["one"].data[0] == 1
