"""What a run was made of: versions, machine, checksums of weights and data lists."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from caffe_fcn import __version__
from caffe_fcn.net import Net
from caffe_fcn.ops.cpu import threads

PACKAGES = ("numpy", "numba", "scipy", "protobuf", "pillow")
FILE_FIELDS = ("source", "mean_file")


def describe(nets: Iterable[Net], weights: Iterable[str]) -> dict[str, Any]:
    """Everything as JSON can hold it; `weights` are the files that the run starts from."""
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "command": sys.argv,
        "folder": os.getcwd(),
        "versions": {"caffe_fcn": __version__, "python": platform.python_version(),
                     **{name: _version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count(),
                    "threads": threads.count()},
        "weights": checksums(weights),
        "data": checksums(file for net in nets for file in data_files(net)),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def checksums(files: Iterable[str | Path]) -> dict[str, str]:
    """SHA-256 by name, of files; of a folder (a database), of its files' names and contents."""
    return {str(file): _checksum(Path(file)) for file in dict.fromkeys(files)}


def _checksum(path: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            total.update(file.name.encode() + b"\0")
        if file.is_file() and file.name not in ("lock.mdb", "LOCK"):
            with file.open("rb") as stream:
                for piece in iter(lambda: stream.read(1 << 20), b""):
                    total.update(piece)
    return total.hexdigest()


def data_files(net: Net) -> Iterator[Path]:
    """Lists, databases and means that the layers of a net name, as far as they exist."""
    for param in net._wiring.layer_params:
        for descriptor, value in param.ListFields():
            if descriptor.name == "python_param":
                yield from _python_files(value.param_str)
            elif descriptor.name.endswith("_param") and descriptor.message_type and hasattr(value, "ListFields"):
                for field, name in value.ListFields():
                    if field.name in FILE_FIELDS and Path(name).exists():
                        yield Path(name)


def python_settings(text: str) -> dict[str, Any]:
    """A Python layer's param_str as a dict, if it is the literal of one (nothing is evaluated); else empty."""
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _python_files(text: str) -> Iterator[Path]:
    """Files that a param_str names, and the list of a VOC-style folder."""
    settings = python_settings(text)
    names = [value for value in settings.values() if isinstance(value, str)]
    folder, split = settings.get("voc_dir"), settings.get("split")
    if folder and split:
        names.append(os.path.join(str(folder), "ImageSets", "Segmentation", f"{split}.txt"))
    yield from (Path(name) for name in names if Path(name).is_file())


def class_names(nets: Iterable[Net]) -> list[str]:
    """Lines of `classes.txt` in the VOC-style folder that a Python layer names; empty if there is none."""
    for net in nets:
        for param in net._wiring.layer_params:
            folder = python_settings(param.python_param.param_str).get("voc_dir")
            if folder and (file := Path(str(folder), "classes.txt")).is_file():
                return file.read_text(encoding="utf-8").split()
    return []
