"""The stand-in refuses what CuPy refuses, and has nothing that CuPy lacks."""

import importlib
import operator
import sys

import numpy as np
import pytest
from standin import array, counts, cuda


@pytest.mark.parametrize("mix", [
    lambda a: a + np.ones(3, np.float32),
    lambda a: np.ones(3, np.float32) + a,
    lambda a: np.add(a, np.ones(3, np.float32)),
    lambda a: operator.setitem(a, slice(None), np.ones(3, np.float32)),
    np.asarray,
    np.median,
    operator.index,
    lambda a: np.ones(3)[a],
    lambda a: np.add(a, a, where=a > 0),
])
def test_host_and_device_do_not_mix(mix, cupy):
    with pytest.raises(TypeError):
        mix(cupy.ones(3, np.float32))


def test_numpy_s_functions_go_to_the_device(cupy):
    x = cupy.asarray(np.array([1.0, 4.0], np.float32))
    assert isinstance(np.sqrt(x), cupy.ndarray)
    assert isinstance(np.concatenate([x, x]), cupy.ndarray)
    assert x.sum().shape == ()
    assert (cupy.asnumpy(2 * x + np.float32(1)) == [3, 9]).all()


def test_a_graph_runs_again_into_the_same_memory(cupy):
    x, y = cupy.zeros(3, np.float32), cupy.zeros(3, np.float32)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        y[...] = x * 2 + 1
        graph = stream.end_capture()
    x += 5
    graph.launch()
    assert y.tolist() == [11, 11, 11]


def test_fetching_breaks_a_capture(cupy):
    x = cupy.zeros((), np.float32)
    stream = cupy.cuda.Stream()
    stream.begin_capture()
    with pytest.raises(cuda.CUDARuntimeError, match="capturing"):
        float(x)
    stream.end_capture()


def test_fetching_is_counted(cupy):
    x = cupy.zeros(2, np.float32)
    x.get(), float(x.sum()), bool(x.any())
    assert (counts["get"], counts["item"]) == (1, 2)


def test_there_is_nothing_that_cupy_lacks(cupy, monkeypatch):
    monkeypatch.undo()
    sys.modules.pop("cupy", None)
    real = pytest.importorskip("cupy", minversion="14")
    real_cuda = importlib.import_module("cupy.cuda")
    pairs = [(cupy, real), (cupy.cuda, real_cuda), (array.ndarray, real.ndarray), (cuda._Runtime, real_cuda.runtime),
             *((getattr(cuda, name), getattr(real_cuda, name)) for name in ("Device", "Event", "Graph", "Stream"))]
    lacking = [f"{ours.__name__}.{name}" for ours, theirs in pairs for name in vars(ours)
               if name not in ("__weakref__", "__module__", "__annotations__") and not hasattr(theirs, name)]
    assert lacking == []
