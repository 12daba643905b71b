"""The training loop: what happens when, what it logs, and how it ends."""

import logging

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import DivergedError

ACCURACY = """
layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param { num_output: 2 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'y' bottom: 't' top: 'loss' loss_weight: 2 }
layer { name: 'acc' type: 'Accuracy' bottom: 'y' bottom: 't' top: 'acc' include { phase: TEST } }
"""


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "caffe_fcn")

    def lines(*words):
        return [line for line in caplog.messages if any(word in line for word in words)]

    return lines


def test_callbacks_run_once_per_iteration_around_the_passes(make):
    solver, seen = make("iter_size: 3"), []
    bias = solver.net.params["fc"][1]
    solver.add_callback(lambda: seen.append(("start", solver.iter, bool(bias.diff.any()))),
                        lambda: seen.append(("ready", solver.iter, bool(bias.diff.any()))))
    solver.step(2)
    assert seen == [("start", 0, False), ("ready", 0, True), ("start", 1, False), ("ready", 1, True)]


def test_display(make, log):
    solver, losses = make("display: 2 average_loss: 2", ACCURACY), []
    solver.add_listener(lambda event, facts: losses.append(facts["loss"]))
    solver.step(3)
    lines = log("Iteration", "Train net")
    assert [line.split(" (")[0] for line in lines] == [
        "Iteration 0", "    Train net output #0: loss = 0.693147", "Iteration 0, lr = 0.1",
        "Iteration 2", f"    Train net output #0: loss = {losses[2] / 2:g}", "Iteration 2, lr = 0.1"]
    assert lines[0].endswith("s/2 iters), loss = 1.38629")
    assert lines[1].endswith("(* 2 = 1.38629 loss)")
    assert lines[3].endswith(f"s/2 iters), loss = {(losses[1] + losses[2]) / 2:g}")


def test_average_loss_covers_the_last_iterations_of_this_call(make):
    solver, losses, smoothed = make("average_loss: 2"), [], []
    solver.add_listener(lambda event, facts: (losses.append(facts["loss"]), smoothed.append(facts["smoothed_loss"])))
    solver.step(4)
    assert losses[0] > losses[1] > losses[2] > losses[3]
    assert smoothed == pytest.approx([losses[0], *(sum(losses[i - 1:i + 1]) / 2 for i in (1, 2, 3))])
    solver.step(1)
    assert smoothed[4] == pytest.approx(losses[4])


def test_tests(make, log):
    solver = make("test_iter: 2 test_interval: 2 test_compute_loss: true max_iter: 4 snapshot_after_train: false",
                  ACCURACY)
    events = []
    solver.add_listener(lambda event, facts: events.append((event, facts["iter"])))
    solver.solve()
    assert [pair for pair in events if pair[0] == "test"] == [("test", 0), ("test", 2), ("test", 4)]
    lines = log("Test")
    assert lines[:4] == ["Iteration 0, Testing net (#0)", "Test loss: 1.38629",
                         "    Test net output #0: acc = 0",
                         "    Test net output #1: loss = 0.693147 (* 2 = 1.38629 loss)"]
    assert "Optimization Done." in log("Optim")
    np.testing.assert_array_equal(solver.test_nets[0].params["fc"][0].data, solver.net.params["fc"][0].data)


def test_no_test_before_the_first_iteration(make, log):
    make("test_iter: 1 test_interval: 2 test_initialization: false", ACCURACY).step(3)
    assert log("Testing") == ["Iteration 2, Testing net (#0)"]


def test_test_iter_0_reports_nan(make, log):
    make("test_iter: 0 test_interval: 2", ACCURACY).step(1)
    assert log("acc =") == ["    Test net output #0: acc = nan"]


def test_solve_forwards_once_more_to_display_the_last_loss(make, log):
    make("display: 2 max_iter: 2 snapshot_after_train: false").solve()
    assert log("Iteration 2")[-1].startswith("Iteration 2, loss = ")


def test_debug_info(make, log):
    make("display: 2 debug_info: true").step(2)
    lines = log("[")
    assert lines[0] == "    [Forward] Layer in, top blob x data: 0.416667"
    assert "    [Forward] Layer fc, param blob 1 data: 0.25" in lines
    first = next(line for line in lines if "Backward" in line)
    assert first.startswith("    [Backward] Layer loss, bottom blob y diff:")
    assert [line.split(";")[0] for line in lines if "All net params" in line] == [
        "    [Backward] All net params (data, diff): L1 norm = (3.5, 2.25)"]
    assert [line.split(" data:")[0] for line in lines if "Update" in line] == [
        "    [Update] Layer fc, param 0", "    [Update] Layer fc, param 1"]  # of iteration 0 only


@pytest.mark.parametrize("action", ["stop", "snapshot"])
def test_requests(action, make, folder, log):
    solver = make("max_iter: 5 snapshot_after_train: false")
    solver.set_action_function(lambda: action if solver.iter == 2 else None)
    solver.solve()
    assert solver.iter == (2 if action == "stop" else 5)
    assert (folder / "s_iter_2.solverstate").exists() == (action == "snapshot")
    assert log("Optimization") == ["Optimization stopped early." if action == "stop" else "Optimization Done."]


def test_stop_during_a_test_leaves_the_scores_out(make, log):
    solver = make("test_iter: 3 test_interval: 1", ACCURACY)
    solver.set_action_function(lambda: "stop")
    solver.step(3)
    assert solver.iter == 0 and log("Test") == ["Iteration 0, Testing net (#0)", "Test interrupted."]


def test_stop_on_nan_names_the_layer_and_spares_the_parameters(make):
    solver = make(stop_on_nan=True)
    before = solver.net.params["fc"][0].data.copy()
    solver.step(1)
    solver.net.blobs["t"].data[0, 0] = np.inf
    changed = solver.net.params["fc"][0].data.copy()
    with pytest.raises(DivergedError, match=r"iteration 1: the loss is inf; .* top 't' of layer 'in' \(Input\)"):
        solver.step(1)
    np.testing.assert_array_equal(solver.net.params["fc"][0].data, changed)
    assert (before != changed).any() and solver.iter == 1


def test_nan_goes_on_by_default(make):
    solver = make()
    solver.net.blobs["t"].data[...] = np.nan
    solver.step(2)
    assert np.isnan(solver.net.params["fc"][0].data).all() and solver.iter == 2


def test_random_seed_repeats_the_fillers(make):
    net = ACCURACY.replace("num_output: 2", "num_output: 2 weight_filler { type: 'xavier' }")
    first, second, other = (make(f"random_seed: {seed}", net).net.params["fc"][0].data for seed in (5, 5, 6))
    assert (first == second).all() and (first != other).any()


def test_net_without_parameters_steps(make):
    solver = make(net="layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 } } }")
    solver.step(3)
    assert solver.iter == 3


def test_share_weights(make):
    solver = make()
    other = caffe.Net("net.prototxt", caffe.TEST)
    solver.share_weights(other)
    solver.step(1)
    np.testing.assert_array_equal(other.params["fc"][0].data, solver.net.params["fc"][0].data)


def test_param_and_counters_cannot_be_set(make):
    solver = make("max_iter: 7 display: 3")
    assert (solver.param.max_iter, solver.param.display, solver.param.layer_wise_reduce) == (7, 3, True)
    for thing, name in ((solver, "iter"), (solver, "lr"), (solver.param, "max_iter"), (solver.param, "momentum")):
        with pytest.raises(AttributeError):
            setattr(thing, name, 1)
    with pytest.raises(TypeError):
        solver.step(1.5)


@pytest.mark.parametrize("options", [{"snapshot_keep": 0}, {"keep_best": "accuracy"}, {"keep_best": "max:"}])
def test_options_out_of_range(options, make):
    with pytest.raises(ValueError, match=next(iter(options))):
        make(**options)


def test_unknown_option(make):
    with pytest.raises(TypeError, match="typo"):
        make(typo=1)
