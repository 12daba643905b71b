"""One battery for every layer type: shapes, gradients, kernels, memory, determinism, prototxt, counts of blobs."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest

import caffe
from caffe_fcn import layers, mode, ops
from caffe_fcn.errors import LayerError
from caffe_fcn.layers.registry import BUILT_IN, FORKS, layer_class, module_name
from caffe_fcn.memory import Head
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.text import parse
from tests.layers.cases import CASES as OWN_CASES
from tests.layers.cases import COUNTS, FORK_CASES, WITH_SOURCES, Draw
from tests.layers.helpers import build_layer, check_gradient

CASES = OWN_CASES + FORK_CASES
RECURRENT = ("LSTM", "RNN")  # write all diffs, wanted or not, as Caffe does


def case_name(case):
    return f"{case.type}-{re.sub(r'[^A-Za-z0-9-]+', ' ', case.fields)[:60].strip()}"


def each(cases=CASES):
    return pytest.mark.parametrize("case", cases, ids=case_name)


WITH_GRADIENT = [case for case in CASES if case.gradient]


def moved(case, bottoms):
    return range(len(bottoms)) if case.moved is None else case.moved


def shares_memory(run, which):
    """Does a top use the memory of a bottom or a parameter? which: 0 of data, 1 of diffs."""
    return any(b.memories[which] is t.memories[which] for b in (*run.bottom, *run.layer.blobs) for t in run.top)


def passes(case, bottoms, backward=None, stale=False, **more):
    """Run a case with repeatable parameters and top diffs: (run, its tops, diffs of bottoms and parameters).

    stale: the tops hold other values before, unless they share memory.
    """
    mode.set_random_seed(7)
    backward = case.gradient if backward is None else backward
    more = {"tops": len(case.tops(Draw(0))), **more}
    run = build_layer(case.text, bottoms, **more)
    random = np.random.default_rng(8)
    for blob in run.layer.blobs:
        blob.data[...] = random.normal(size=blob.shape)
    if stale and not shares_memory(run, 0):
        for blob in run.top:
            blob.data[...] = 9
    run.layer.forward(run.bottom, run.top)
    tops = [blob.data.copy() for blob in run.top]
    if backward:
        for blob in run.top:
            blob.diff[...] = random.normal(size=blob.shape)
        run.layer.backward(run.top, [i in moved(case, bottoms) for i in range(len(bottoms))], run.bottom)
        return run, tops, [blob.diff.copy() for blob in (*run.bottom, *run.layer.blobs)]
    return run, tops, []


def close(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * max(1, np.abs(other).max(initial=0)))


def test_every_type_is_in_the_table():
    assert {case.type for case in CASES} | set(WITH_SOURCES) == set(BUILT_IN) | set(FORKS)
    assert set(COUNTS) == set(BUILT_IN) | set(FORKS)


@each()
@pytest.mark.parametrize("seed", [0, 1])
def test_shapes(case, seed):
    _, tops, _ = passes(case, case.bottoms(Draw(seed)), backward=False)
    assert [top.shape for top in tops] == case.tops(Draw(seed))


@each([case for case in WITH_GRADIENT if case.tops(Draw(0))])
def test_gradient(case):
    bottoms = case.bottoms(Draw(2))
    check_gradient(case.text, bottoms, only=list(moved(case, bottoms)), tops=len(case.tops(Draw(2))))


@each()
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_fast_kernels_agree_with_the_reference(case, seed):
    bottoms = case.bottoms(Draw(seed))
    _, *fast = passes(case, bottoms)
    with ops.using(ReferenceOps()):
        _, *plain = passes(case, bottoms)
    for found, wanted in zip(fast, plain, strict=True):
        close(found, wanted)


@each()
def test_float64_agrees_with_float32(case):
    bottoms = case.bottoms(Draw(6))
    single, double = passes(case, bottoms), passes(case, bottoms, dtype=np.float64)
    assert all(blob.dtype == np.float64 for blob in (*double[0].top, *double[0].layer.blobs))
    if not case.random:  # float64 draws other numbers
        close(single[1] + single[2], double[1] + double[2])


@each()
def test_two_runs_give_the_same_bits(case):
    bottoms = case.bottoms(Draw(9))
    _, *first = passes(case, bottoms)
    _, *second = passes(case, bottoms)
    for one, other in zip(first[0] + first[1], second[0] + second[1], strict=True):
        np.testing.assert_array_equal(one, other)


@each([case for case in CASES if case.in_place])
def test_in_place(case):
    bottoms = case.bottoms(Draw(10))
    _, *apart = passes(case, bottoms)
    _, *within = passes(case, bottoms, in_place=True)
    close(within[0] + within[1], apart[0] + apart[1])


@each([case for case in CASES if case.type not in ("DummyData", "Input")])  # which keep what was set
def test_forward_overwrites_its_tops(case):
    bottoms = case.bottoms(Draw(16))
    for found, wanted in zip(passes(case, bottoms, stale=True)[1], passes(case, bottoms)[1], strict=True):
        np.testing.assert_array_equal(found, wanted)


@each()
def test_forward_allocates_no_diffs(case):
    run, _, _ = passes(case, case.bottoms(Draw(11)), backward=False)
    blobs = {"bottom": run.bottom, "top": run.top, "parameter": run.layer.blobs}
    assert [word for word, group in blobs.items() if any(b.memories[1].head is not Head.NONE for b in group)] == []


@each(WITH_GRADIENT)
def test_backward_overwrites_bottom_diffs_and_adds_to_those_of_parameters(case):
    run, _, clean = passes(case, case.bottoms(Draw(12)))
    if shares_memory(run, 1):
        return
    wanted = [i in moved(case, run.bottom) for i in range(len(run.bottom))]
    for blob in (*run.bottom, *run.layer.blobs):
        blob.diff[...] = 3
    run.layer.backward(run.top, wanted, run.bottom)
    for blob, diff, written in zip(run.bottom, clean, wanted, strict=False):
        np.testing.assert_array_equal(blob.diff, diff if written else np.full_like(diff, 3))
    if case.type != "BatchNorm":  # whose blobs are not learned
        close([blob.diff - 3 for blob in run.layer.blobs], clean[len(run.bottom):])


@each([case for case in WITH_GRADIENT if case.type not in RECURRENT])
def test_backward_computes_only_what_is_wanted(case):
    run, _, _ = passes(case, case.bottoms(Draw(13)))
    if shares_memory(run, 1):
        return
    for blob in (*run.bottom, *run.layer.blobs):
        blob.diff[...] = 3
    run.layer.param_propagate_down = [False] * len(run.layer.blobs)
    run.layer.backward(run.top, [False] * len(run.bottom), run.bottom)
    assert all((blob.diff == 3).all() for blob in (*run.bottom, *run.layer.blobs))


def net_of(case):
    """A net of Input layers and the layer."""
    bottoms = case.bottoms(Draw(14))
    inputs = [f"layer {{ name: 'in{i}' type: 'Input' top: 'x{i}' input_param {{ shape {{ "
              f"{' '.join(f'dim: {size}' for size in np.shape(values))} }} }} }}" for i, values in enumerate(bottoms)]
    names = [f"bottom: 'x{i}'" for i in range(len(bottoms))] + [f"top: 'y{i}'" for i in range(len(case.tops(Draw(14))))]
    return parse(f"{' '.join(inputs)} layer {{ name: 'tested' {case.text} {' '.join(names)} }}",
                 caffe_pb2.NetParameter())


@each()
def test_prototxt_round_trip(case):
    message = net_of(case)
    again = parse(to_text(message), caffe_pb2.NetParameter())
    assert again == message
    built = caffe.Net(message, caffe.TRAIN)
    rebuilt = caffe.Net(parse(to_text(built.to_proto()), caffe_pb2.NetParameter()), caffe.TRAIN)
    for one, other in ((built.blobs, rebuilt.blobs), (built.params, rebuilt.params)):
        assert list(one) == list(other)
    assert [blob.shape for blob in built.blobs.values()] == [blob.shape for blob in rebuilt.blobs.values()]
    np.testing.assert_equal([[blob.data for blob in blobs] for blobs in built.params.values()],
                            [[blob.data for blob in blobs] for blobs in rebuilt.params.values()])


def wrong_counts():
    """(type, bottoms, tops, the word that is wrong) for one too few and one too many."""
    for name, (bottoms, tops) in COUNTS.items():
        if "any" in (bottoms, tops):
            continue
        (low, high), (low_top, high_top) = (
            (int(text.strip("+").split("-")[0]), None if "+" in text else int(text.split("-")[-1]))
            for text in (bottoms, bottoms if tops == "=" else tops))
        for count in (low - 1, None if high is None else high + 1):
            if count is not None and count >= 0:
                yield name, count, low_top, "bottom"
        for count in (low_top - 1, low_top + 1 if tops == "=" else None if high_top is None else high_top + 1):
            if count is not None and count >= 0:
                yield name, low, count, "top"


@pytest.mark.parametrize(("kind", "bottoms", "tops", "word"), list(wrong_counts()))
def test_wrong_number_of_bottoms_or_tops(kind, bottoms, tops, word):
    if kind not in FORKS and not importlib.util.find_spec(f"{layers.__name__}.{module_name(kind)}"):
        pytest.skip(f"there is no layer {kind} yet")
    if tops < layer_class(kind).auto_tops:
        return  # the net adds it
    fields = next((case.fields for case in CASES if case.type == kind), "")
    inputs = [f"layer {{ name: 'in{i}' type: 'Input' top: 'x{i}' }}" for i in range(bottoms)]
    names = [f"bottom: 'x{i}'" for i in range(bottoms)] + [f"top: 'y{i}'" for i in range(tops)]
    message = parse(f"{' '.join(inputs)} layer {{ name: 'tested' type: '{kind}' {fields} {' '.join(names)} }}",
                    caffe_pb2.NetParameter())
    with pytest.raises(LayerError, match=word) as caught:
        caffe.Net(message, caffe.TRAIN)
    assert (caught.value.layer, caught.value.type) == ("tested", kind)


# Left out: those that choose from the batch, LSTMUnit (its first axis is 1), Reshape (-1 of no values is anything).
EMPTY = [case for case in CASES
         if case.bottoms(Draw(0)) and case.type not in ("BatchReindex", "Filter", "LSTMUnit", "Reshape")]


@each(EMPTY)
def test_empty_batch(case):
    whole = {"Bias": 1, "DetectionOutput": 2, "InfogainLoss": 2, "LSTM": 2}.get(case.type)  # a bottom without this axis
    bottoms = [values if i == whole else values[:0] for i, values in enumerate(case.bottoms(Draw(15)))]
    _, tops, diffs = passes(case, bottoms)
    assert all(np.isfinite(values).all() for values in (*tops, *diffs))
