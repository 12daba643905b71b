"""Python: a layer that the user wrote, from a module beside the prototxt or on sys.path."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..data.published_layers import stand_in
from ..data.python_layers import run_ahead, wanted_depth
from ..errors import LayerError, MissingMethodError
from .base import Layer, LayerContext
from .registry import register

_hidden: dict[Path, ModuleType] = {}  # by file: modules that may not stay in sys.modules, their name was taken


@register("Python")
class Python(Layer):
    """`create` gives an object of the user's class, a subclass of ``caffe.Layer``; this class has no objects.

    python_param: `module` and `layer` name the class, `param_str` is for the user's `setup`; share_in_parallel is
    accepted without effect. Exceptions of the user's code are passed through as they are.
    """

    @classmethod
    def create(cls, param: Any, context: LayerContext) -> Layer:
        """Import the module and make the user's object. LayerError if there is no such class of layers."""
        p = param.python_param
        for field in ("module", "layer"):
            if not getattr(p, field):
                raise LayerError(f"python_param needs '{field}'")
        own = _file_beside(p.module, context.folder)
        module = p.module if own else stand_in(p.module, p.layer) or p.module
        user_class = _find_class(load_module(module, context.folder), p.layer)
        if user_class.reshape is Layer.reshape:
            raise MissingMethodError(f"{p.module}.{p.layer} has no method 'reshape', which gives the tops their shapes")
        layer = user_class(param)
        if not hasattr(layer, "blobs"):
            raise LayerError(f"the __init__ of {p.module}.{p.layer} must call super().__init__(param); better, let "
                             "setup do its work")
        if not param.bottom:
            run_ahead(layer, wanted_depth(layer, param))
        return layer


def _find_class(module: ModuleType, name: str) -> type[Layer]:
    place = f"{module.__name__} ({getattr(module, '__file__', None) or 'built in'})"
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Layer)]
        close = difflib.get_close_matches(name, known, 1) or known
        hint = f"; did you mean {' or '.join(repr(key) for key in close)}?" if close else ""
        raise LayerError(f"module {place} has no class '{name}'{hint}")
    if not (isinstance(found, type) and issubclass(found, Layer)):
        raise LayerError(f"{name} of module {place} is not a subclass of caffe.Layer")
    return found


def load_module(name: str, folder: Path | None) -> ModuleType:
    """Import a module, first from `folder`, then from sys.path.

    Modules of the same name in different folders are different modules; only the first stays in sys.modules.
    """
    file = _file_beside(name, folder)
    if file is None or folder is None:
        return _import(name, folder)
    loaded = sys.modules.get(name)
    if loaded is not None and _file_of(loaded) == file:
        return loaded
    if file not in _hidden:
        with _without_strangers(name, folder) as taken, _first_on_path(folder):
            importlib.invalidate_caches()
            module = importlib.import_module(name)
            if not taken:
                return module
            _hidden[file] = module
    return _hidden[file]


def _import(name: str, folder: Path | None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, one that it imports is not
        places = f"in {folder} and on sys.path" if folder else "on sys.path"
        raise LayerError(f"there is no module '{error.name}' {places}; put it beside the prototxt, or its folder on "
                         "PYTHONPATH") from None


def _file_beside(name: str, folder: Path | None) -> Path | None:
    if folder is not None:
        base = folder.joinpath(*name.split("."))
        for file in (base.with_name(base.name + ".py"), base / "__init__.py"):
            if file.is_file():
                return file.resolve()
    return None


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _is_in(module: ModuleType, folder: Path) -> bool:
    """Is a top-level module or package the one that `folder` holds under its name?"""
    file, base = _file_of(module), folder / module.__name__
    if file is None:  # a package without __init__.py
        return base.resolve() in (Path(entry).resolve() for entry in getattr(module, "__path__", ()))
    return file in (base.with_suffix(".py").resolve(), (base / "__init__.py").resolve())


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the user's module may have removed it
            sys.path.remove(str(folder))


@contextlib.contextmanager
def _without_strangers(name: str, folder: Path) -> Iterator[bool]:
    """Take other modules that have this name, or another folder's package, out of sys.modules for a while.

    Yields whether there were any; then those imported meanwhile under that name do not stay.
    """
    first = name.partition(".")[0]
    owner = sys.modules.get(first)
    if name not in sys.modules and (owner is None or _is_in(owner, folder)):
        yield False
        return

    def family() -> dict[str, ModuleType]:
        return {key: module for key, module in sys.modules.items() if key.partition(".")[0] == first}

    strangers = family()
    for key in strangers:
        del sys.modules[key]
    try:
        yield True
    finally:
        for key in family():
            del sys.modules[key]
        sys.modules.update(strangers)
