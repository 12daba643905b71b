"""Recorded trainings and snapshots of the original replayed in GPU mode."""

import pytest

from tests.solvers import test_golden as recordings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, for what the solvers write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", recordings.names("solvers"))
def test_training(name, folder, any_gpu):
    recordings.replay_training(recordings.DATA / "solvers" / f"{name}.npz")


@pytest.mark.parametrize("name", recordings.names("snapshots"))
def test_snapshot(name, folder, any_gpu):
    recordings.replay_snapshot(recordings.DATA / "snapshots" / f"{name}.npz", folder)


@pytest.mark.slow
def test_all_trainings_and_snapshots(shared, folder, any_gpu):
    recordings.test_all_trainings(shared)
    recordings.test_all_snapshots(shared, folder)
