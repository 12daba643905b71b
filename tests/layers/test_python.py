"""Python layers: found beside the prototxt, called as Caffe calls them, errors passed through."""

import sys
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import LayerError

NET = """
layer {{ name: 'x' type: 'Input' top: 'x' input_param {{ shape {{ dim: 2 }} }} }}
layer {{ name: 'p' type: 'Python' bottom: 'x' top: 'y' python_param {{ {param} }} }}
force_backward: true
"""
TIMES = """
import caffe
class Times(caffe.Layer):
    def setup(self, bottom, top): self.k = {k}
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top): top[0].data[...] = self.k * bottom[0].data
    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = self.k * top[0].diff
"""


@pytest.fixture
def net_in(tmp_path):
    """Write a module and a net that uses it into a folder of its own; build the net."""
    before, path = set(sys.modules), list(sys.path)

    def make(folder, module, param, name="times_layer"):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        file = place.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(module)
        prototxt = place / "net.prototxt"
        prototxt.write_text(NET.format(param=param))
        return caffe.Net(str(prototxt), caffe.TEST)

    yield make
    assert sys.path == path
    for name in set(sys.modules) - before:
        if not name.startswith(("caffe.", "caffe_fcn.")):  # parts of the engine are imported on first use
            del sys.modules[name]


def output(net):
    net.blobs["x"].data[...] = 1
    return net.forward()["y"].tolist()


PARAM = "module: 'times_layer' layer: 'Times'"


def test_the_layer_is_the_users_object(net_in):
    net = net_in("a", TIMES.format(k=3), PARAM + " param_str: 'abc' share_in_parallel: true")
    layer = net.layers[1]
    assert (type(layer).__name__, type(layer).__module__) == ("Times", "times_layer")
    assert (layer.param_str, layer.phase, layer.type, layer.k) == ("abc", 1, "Python", 3)
    assert output(net) == [3, 3]
    assert net.backward(y=np.ones(2))["x"].tolist() == [3, 3]


def test_same_module_name_in_two_folders(net_in):
    nets = [net_in(folder, TIMES.format(k=k), PARAM) for folder, k in (("a", 2), ("b", 5), ("a/nested", 7))]
    assert [output(net) for net in nets] == [[2, 2], [5, 5], [7, 7]]
    again = net_in("b", TIMES.format(k=5), PARAM)
    assert type(again.layers[1]) is type(nets[1].layers[1])
    assert Path(sys.modules["times_layer"].__file__).parent.name == "a"


def test_nested_folder_first(net_in):
    nets = [net_in(folder, TIMES.format(k=k), PARAM) for folder, k in (("a/nested", 2), ("a", 5))]
    assert [output(net) for net in nets] == [[2, 2], [5, 5]]


def test_modules_of_packages(net_in):
    param = "module: 'times_package.inner' layer: 'Times'"
    nets = [net_in(folder, TIMES.format(k=k), param, "times_package.inner") for folder, k in (("a", 2), ("b", 5))]
    assert [output(net) for net in nets] == [[2, 2], [5, 5]]


def test_a_module_that_the_user_imported_is_the_same(net_in, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "times_layer.py").write_text(TIMES.format(k=4))
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    import times_layer

    net = net_in("a", TIMES.format(k=4), PARAM)
    assert isinstance(net.layers[1], times_layer.Times)


def test_modules_are_found_on_sys_path_too(net_in, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "times_elsewhere.py").write_text(TIMES.format(k=6))
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert output(net_in("a", "", "module: 'times_elsewhere' layer: 'Times'", "unused_module")) == [6, 6]


def test_a_module_may_import_its_neighbour(net_in, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "times_helper.py").write_text("K = 8\n")
    net = net_in("a", "from times_helper import K\n" + TIMES.format(k="K"), PARAM)
    assert output(net) == [8, 8]


def test_names_that_users_take_for_themselves(net_in):
    names = ("params", "data", "idx", "param", "ops", "test", "check", "phase", "top", "bottom", "count", "name")
    taken = "; ".join(f"self.{name} = None" for name in names)
    net = net_in("a", TIMES.format(k=f"2; {taken}"), PARAM)
    assert output(net) == [2, 2]
    assert net.backward(y=np.ones(2))["x"].tolist() == [2, 2]
    assert net.layers[1].type == "Python"


def test_parameters_of_a_python_layer(net_in):
    module = TIMES.format(k="2; self.blobs.add_blob(2, 3); self.blobs[0].data[...] = 7")
    net = net_in("a", module, PARAM)
    assert net.params["p"][0].data.tolist() == [[7] * 3] * 2
    assert len(net.layers[1].blobs) == 1


def test_an_own_constructor(net_in):
    good = TIMES.format(k=2) + "    def __init__(self, param): super().__init__(param); self.mine = 1\n"
    assert net_in("a", good, PARAM).layers[1].mine == 1
    with pytest.raises(LayerError, match=r"must call super\(\).__init__\(param\)"):
        net_in("b", TIMES.format(k=2) + "    def __init__(self, param): pass\n", PARAM)


@pytest.mark.parametrize(("module", "error"), [
    ("import no_such_module_anywhere\n" + TIMES.format(k=1), ModuleNotFoundError),
    ("1 / 0\n" + TIMES.format(k=1), ZeroDivisionError),
    ("def f(:\n", SyntaxError),
    (TIMES.format(k="1 / 0"), ZeroDivisionError),
    (TIMES.format(k="{}['missing']"), KeyError),
])
def test_the_users_errors_pass_through(net_in, module, error):
    with pytest.raises(error) as caught:
        net_in("a", module, PARAM)
    assert caught.type is error
    assert caught.value.__cause__ is None


def test_an_error_in_forward_passes_through(net_in):
    net = net_in("a", TIMES.format(k="[].pop"), PARAM)
    with pytest.raises(TypeError) as caught:
        net.forward()
    assert caught.traceback[-1].path.name == "times_layer.py"


def test_a_failed_import_leaves_the_old_module(net_in):
    net_in("a", TIMES.format(k=1), PARAM)
    first = sys.modules["times_layer"]
    with pytest.raises(ZeroDivisionError):
        net_in("b", "1 / 0", PARAM)
    assert sys.modules["times_layer"] is first


@pytest.mark.parametrize(("module", "param", "message"), [
    (TIMES.format(k=1), "layer: 'Times'", "python_param needs 'module'"),
    (TIMES.format(k=1), "module: 'times_layer'", "python_param needs 'layer'"),
    (TIMES.format(k=1), "module: 'times_layer' layer: 'Time'", "has no class 'Time'; did you mean 'Times'"),
    ("class Times: pass", PARAM, "Times of module times_layer .* is not a subclass of caffe.Layer"),
    ("Times = 3", PARAM, "not a subclass of caffe.Layer"),
])
def test_refused(net_in, module, param, message):
    with pytest.raises(LayerError, match=rf"layer 'p' \(Python\): .*{message}"):
        net_in("a", module, param)


@pytest.mark.parametrize("name", ["no_such_module", "package_without_it.inner"])
def test_a_missing_module(net_in, tmp_path, name):
    words = rf"layer 'p' \(Python\): there is no module '{name.partition('.')[0]}' in .*a and on sys\.path"
    with pytest.raises(LayerError, match=words):
        net_in("a", "", f"module: '{name}' layer: 'Times'")


def test_a_missing_method(net_in):
    module = "import caffe\nclass Times(caffe.Layer):\n    def reshape(self, bottom, top): top[0].reshape(1)\n"
    with pytest.raises(LayerError, match="no forward pass"):
        net_in("a", module, PARAM).forward()
