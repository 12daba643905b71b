"""The pages about the Python interface: their code runs, their links lead somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

PAGES = ["migration.md", *(f"pycaffe/{name}.md" for name in (
    "classifier", "coord_map", "draw", "index", "io", "names", "net", "netspec", "old_scripts", "python_layers"))]


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / "docs" / page
    text = file.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (file.parent / target).exists()] == []
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks or page.endswith("index.md")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("models", "examples"):
        (tmp_path / name).symlink_to(root / name)
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(file), "exec"), names)


def test_all_pages_are_listed(root: Path) -> None:
    folder = root / "docs/pycaffe"
    assert {path.relative_to(root / "docs").as_posix() for path in folder.glob("*.md")} == set(PAGES) - {PAGES[0]}
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in index for path in folder.glob("*.md") if path.name != "index.md")
