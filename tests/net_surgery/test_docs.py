"""The code and the recipe in docs/net_surgery.md work."""

from __future__ import annotations

import re

import pytest

import net_surgery
from net_surgery.recipe import OPERATIONS, read_recipe


@pytest.fixture
def page(root):
    return (root / "docs" / "net_surgery.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]


def test_the_code_runs(page, root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    exec(compile(block(page, "python"), "net_surgery.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("swap_channels: ") and lines[-1].endswith("(13, 192, 1, 1)")


def test_the_recipe_can_be_read(page, tmp_path):
    (tmp_path / "recipe.toml").write_text(block(page, "toml"))
    assert [step.op for step in read_recipe(tmp_path / "recipe.toml").steps] == [
        "average", "deploy", "fold_batch_norm", "fold_input", "rename"]  # fmt: skip


def test_every_operation_is_described(page):
    assert [name for name in OPERATIONS if f"`{name}" not in page] == []
    assert [name for name in net_surgery.__all__ if callable(getattr(net_surgery, name)) and name.islower()
            and f"`{name}" not in page and name not in ("compare", "run_recipe", "window_stride")] == []  # fmt: skip
