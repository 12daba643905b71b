"""When plans are built, tried and chosen, with plans and a clock that are played."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from caffe_fcn import stats
from caffe_fcn.ops.gpu.cudnn import plans
from caffe_fcn.ops.gpu.cudnn.plans import FIRST_TRIAL, LAPS, Budget, PlanError, Plans, Recent


class Ask(NamedTuple):
    """A request: a layer and the size of its image."""

    layer: str
    size: int = 0

    @property
    def family(self):
        return self.layer


class Played:
    """Plans named 0, 1, ... that take the given times on the card and `building` seconds to build."""

    def __init__(self, seconds=(3.0, 1.0, 2.0), building=1.0, failing=(), fixed=False, late=False):
        self.seconds, self.building, self.failing, self.late = seconds, building, set(failing), late
        self.now, self.built, self.ran, self.made, self.pending = 100.0, [], [], 0, False
        self.plans = Plans(self.candidates, self.lap, fixed, lambda: self.now)

    def candidates(self, request):
        for name in range(len(self.seconds)):
            self.now += self.building
            self.built.append((request, name))
            yield lambda given, name=name: self.compute(name)

    def compute(self, name):
        if name in self.failing:
            raise PlanError("CUDNN_STATUS_EXECUTION_FAILED")
        self.ran.append(name)

    def lap(self):
        played = self

        class Lap:
            def stop(self):
                self.name = played.ran[-1]

            def seconds(self):
                return None if played.pending else played.seconds[self.name]

        return Lap()

    def arrays(self):
        self.made += 1
        return {}

    def run(self, *request, times=1, pause=1000.0, measured=True):
        """Run a request; the names of the plans that ran, None without a plan."""
        names = []
        for _ in range(times):
            self.now += pause
            before = len(self.ran)
            done = self.plans.run(Ask(*request), self.arrays, measured)
            names.append(self.ran[-1] if len(self.ran) > before else None)
            assert done == (names[-1] is not None)
        return names


def test_new_layer_is_planned_at_once_and_by_the_first_choice():
    played = Played()
    assert played.run("conv1") == [0]
    assert played.run("conv2") == [0]
    assert len(played.built) == 2


def test_other_sizes_are_not_planned_before_they_come_again():
    played = Played()
    played.run("conv1", 1)
    with stats.watch() as seen:
        assert [played.run("conv1", size) for size in range(2, 50)] == [[None]] * 48
    assert len(played.built) == 1 and played.made == 1  # nothing is prepared for nothing
    assert seen == {"convolutions without a plan": 48}
    assert played.run("conv1", 30) == [0]


def test_planning_takes_a_tenth_of_the_time():
    played = Played(seconds=(1.0,), building=2.0)
    played.run("conv1", 0, pause=0)
    for size in (1, 2):
        played.run("conv1", size, pause=0)
    assert played.run("conv1", 1, pause=0) == [0]  # two seconds, then eighteen of rest
    assert played.run("conv1", 2, times=4, pause=4.4) == [None] * 4
    assert played.run("conv1", 2, pause=4.4) == [0]


def test_new_layers_do_not_wait_for_the_budget():
    played = Played(building=50.0)
    assert [played.run(f"conv{i}", pause=0) for i in range(5)] == [[0]] * 5


def test_fastest_plan_stays():
    played = Played()
    names = played.run("conv1", times=30)
    trials = [name for name in range(3) for _ in range(LAPS)]
    assert names[:FIRST_TRIAL - 1] == [0] * (FIRST_TRIAL - 1)
    assert names[FIRST_TRIAL - 1:][:len(trials)] == trials
    assert set(names[-5:]) == {1}
    with stats.watch() as seen:
        played.run("conv1", times=5)
    assert seen == {}  # settled: neither building nor trying


def test_trials_are_counted():
    played = Played()
    with stats.watch() as seen:
        played.run("conv1", times=30)
    assert seen["plans built"] == 3
    assert seen["convolutions with a plan on trial"] == FIRST_TRIAL - 1 + 3 * LAPS


def test_trials_wait_for_the_budget_but_not_the_call():
    played = Played(building=2.0)
    names = played.run("conv1", times=FIRST_TRIAL - 1 + LAPS, pause=0)
    assert set(names) == {0}
    assert played.run("conv1", times=LAPS, pause=0) == [1] * LAPS  # the second one may be built at once
    assert played.run("conv1", times=5, pause=1.0) == [0] * 5
    assert played.run("conv1", pause=20.0) == [2]


def test_measurements_are_not_waited_for():
    played = Played()
    played.pending = True
    assert set(played.run("conv1", times=40)[20:]) == {0}
    played.pending = False
    assert played.run("conv1", times=3)[1:] == [1, 1]


def test_most_candidates():
    count = plans.MOST_CANDIDATES + 5
    played = Played(seconds=[float(count - i) for i in range(count)])
    played.run("conv1", times=60)
    assert len(played.built) == plans.MOST_CANDIDATES
    assert played.ran[-1] == plans.MOST_CANDIDATES - 1


def test_quickest_lap_counts():
    trial = plans.Trial(lambda given: None)
    trial.laps += [type("Lap", (), {"seconds": lambda self, s=s: s})() for s in (9.0, 2.0, 3.0)]
    assert trial.best() == 2.0


def test_fixed_takes_the_first_choice_always():
    played = Played(fixed=True)
    assert [played.run("conv1", size, times=20) for size in (0, 1)] == [[0] * 20] * 2
    assert len(played.built) == 2


def test_next_plan_takes_over_when_one_fails():
    played = Played(failing=[0])
    with stats.watch() as seen:
        assert played.run("conv1", times=2) == [1, 1]
    assert seen["plans failed"] == 1 and seen["plans built"] == 2


def test_plan_that_fails_on_trial_is_left_out():
    played = Played(seconds=(3.0, 0.0, 2.0), failing=[1])
    assert None not in played.run("conv1", times=30)
    assert played.run("conv1") == [2]


def test_without_a_plan_nothing_is_asked_again(caplog):
    played = Played(seconds=())
    assert played.run("conv1", times=3) == [None] * 3
    assert Played(failing=[0, 1, 2]).run("conv1", times=3) == [None] * 3
    assert played.run("conv2") == [None]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["cuDNN has no plan for Ask(layer='conv1', size=0)"]  # once


def test_nothing_is_built_or_measured_during_a_capture():
    played = Played()
    assert played.run("conv1", measured=False) == [None]
    played.run("conv1")
    assert played.run("conv1", times=20, measured=False) == [0] * 20
    assert len(played.built) == 1


def test_old_plans_are_forgotten(monkeypatch):
    monkeypatch.setattr(plans, "LARGEST", 2)
    played = Played(fixed=True)
    for layer in ("conv1", "conv2", "conv1", "conv3", "conv1", "conv2"):
        played.run(layer)
    assert [request.layer for request, _ in played.built] == ["conv1", "conv2", "conv3", "conv2"]


def test_recent_forgets_the_oldest():
    recent = Recent(2)
    recent.remember("a", 1)
    recent.remember("b", 2)
    assert recent.recall("a") == 1
    recent.remember("c", 3)
    assert list(recent) == ["a", "c"]


def test_failing_work_is_paid_for():
    now = [0.0]

    def work():
        now[0] += 1.0
        raise ValueError

    budget = Budget(0.1, lambda: now[0])
    with pytest.raises(ValueError):
        budget.spend(work)
    now[0] = 9.9
    assert not budget.allows()
    now[0] = 10.1
    assert budget.allows()
