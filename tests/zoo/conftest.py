from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from caffe_fcn.zoo.cards import read_card

CARD = """
name = "tiny"
family = "fcn"
task_kind = "segmentation"
task = "two classes"
architecture = "one convolution"
parameters = 56
gflops_500 = 0.03
classes = [{ name = "nothing" }, { name = "something" }]

[files]
weights = "tiny.caffemodel"

[input]
blob = "data"
shape = [1, 3, "height", "width"]
channels = "BGR"
mean = [1, 2, 3.5]

[output]
blob = "score"
shape = [1, 2, "height", "width"]
meaning = "scores"

[data]
set = "made up"
"""


@pytest.fixture(scope="session")
def weights(root: Path) -> bytes:
    """A weight file that is part of the project."""
    return (root / "models/camvid-fcn8s-small/camvid_fcn8s_small.caffemodel").read_bytes()


@pytest.fixture
def make_card(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Cards, without weights, of the net that `weights` are of: with more lines in `[files]`, with changes of text."""
    monkeypatch.setenv("CAFFE_FCN_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def make(files: str = "", changes: dict[str, str] | None = None):
        text = CARD.replace('"tiny.caffemodel"', f'"tiny.caffemodel"\n{files}')
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / "tiny"
        folder.mkdir(exist_ok=True)
        shutil.copy(root / "models/camvid-fcn8s-small/deploy.prototxt", folder)
        (folder / "card.toml").write_text(text)
        return read_card(folder / "card.toml")

    return make
