"""The code in the documents runs as it is printed, and the links between them lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "models/*/README.md"]


def code_block(document: Path) -> str:
    """The first Python block of a document."""
    found = re.search(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{document} has no Python block"
    return found[1]


def test_readme_example(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    names: dict = {}
    exec(compile(code_block(root / "README.md"), "README.md", "exec"), names)
    classes = np.bincount(names["out"].ravel(), minlength=11)
    assert names["out"].shape == (360, 480)
    assert classes.argmax() == 3  # the street
    assert (classes[[0, 1, 5, 8]] > 0.02 * names["out"].size).all()  # sky, building, tree, car


def test_layer_of_the_contributors_page(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import caffe
    from caffe_fcn.errors import LayerError
    from caffe_fcn.layers import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    exec(compile(code_block(root / "CONTRIBUTING.md"), "CONTRIBUTING.md", "exec"), {})

    def net(dims: str) -> caffe.Net:
        (tmp_path / "net.prototxt").write_text(
            "force_backward: true\n"
            f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
            'layer { name: "mirror" type: "Mirror" bottom: "data" top: "mirror" }\n'
        )
        return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)

    mirror = net("dim: 2 dim: 3 dim: 4 dim: 5")
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    mirror.blobs["data"].data[...] = values
    assert np.array_equal(mirror.forward()["mirror"], values[..., ::-1])
    mirror.blobs["mirror"].diff[...] = values
    mirror.backward()
    assert np.array_equal(mirror.blobs["data"].diff, values[..., ::-1])
    with pytest.raises(LayerError, match=r"mirror.*takes blobs of 4 axes, got the shape \(2, 3\)"):
        net("dim: 2 dim: 3")


def test_links_between_documents(root: Path) -> None:
    documents = [path for pattern in DOCUMENTS for path in root.glob(pattern)]
    assert len(documents) >= 8
    targets = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert [f"{document}: {target}" for document, target in targets if not (document.parent / target).exists()] == []
