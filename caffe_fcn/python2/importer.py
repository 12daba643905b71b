"""An import hook that translates modules of the user's folders as they are imported; nothing is written to disk."""

from __future__ import annotations

import importlib.machinery
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .translate import Translation, translate

Report = Callable[[Translation], None]
INSTALLED = {"site-packages", "dist-packages"}  # folders of packages: of the environment, the system, the user


class OldModules:
    """A meta path finder; installed while it is used as a context manager.

    report  is told of every module that was translated

    Modules of Python itself, of installed packages and of this one are left alone.
    """

    def __init__(self, report: Report, old: bool | None = None) -> None:
        self._report, self._old = report, old
        paths = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib")}
        self._foreign = [Path(path).resolve() for path in paths] + [Path(__file__).resolve().parents[1]]

    def __enter__(self) -> OldModules:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The specification that Python would find, with a loader that translates; None where it is to do the rest."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        file = Path(spec.loader.path).resolve()
        if INSTALLED & set(file.parts) or any(folder in file.parents for folder in self._foreign):
            return None
        spec.loader = _Loader(name, spec.loader.path, self._report, self._old)
        spec.cached = None
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, report: Report, old: bool | None) -> None:
        super().__init__(name, path)
        self._report, self._old = report, old

    def get_code(self, fullname: str) -> CodeType:
        """Compiled without the cache: other imports must not find translated code there."""
        in_package = "." in fullname or self.is_package(fullname)
        translation = translate(self.get_data(self.path), self.path, self._old, in_package)
        self._report(translation)
        return translation.code
