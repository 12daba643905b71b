"""Recordings of the original replayed in GPU mode: every layer on device arrays."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
COPIES = sorted((HERE.parent / "data" / "layers").glob("*.npz"))
_spec = importlib.util.spec_from_file_location("golden_replay", HERE.parent / "layers" / "test_golden.py")
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_copied_recordings(path, tmp_path, any_gpu):
    assert golden.Replay(path, tmp_path).run() == []


@pytest.mark.slow
def test_all_recordings(shared, tmp_path, any_gpu):
    failed = {}
    for path in sorted((shared / "golden" / "layers").glob("*.npz")):
        try:
            found = golden.Replay(path, tmp_path).run()
        except Exception as error:
            found = [repr(error)]
        if found:
            failed[path.stem] = found
    assert failed == {}
