"""Run a script, translated if it is Python 2, as `python SCRIPT ARGUMENTS` would."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ..formats.files import existing_file
from .importer import OldModules, Report
from .translate import translate


def run_script(script: str | os.PathLike[str], arguments: Sequence[str] = (), report: Report | None = None) -> None:
    """Run a script as the main program, in this process and the current folder.

    report  is called with the Translation of the script and of each module of the user's that it imports

    Where the script itself is Python 2, modules that could be either are taken for Python 2 as well: their whole
    numbers divide as the script expects. No file is changed. What the script raises, SystemExit too, passes through.
    Raises MissingFileError, or FormatError for a script that is neither Python 3 nor Python 2.
    """
    file = existing_file(script)
    told = report or (lambda translation: None)
    translation = translate(Path(file).read_bytes(), file)
    told(translation)
    main = ModuleType("__main__")
    vars(main).update(__file__=file, __builtins__=__builtins__)
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    sys.argv, sys.modules["__main__"] = [file, *arguments], main
    sys.path.insert(0, str(Path(file).resolve().parent))
    try:
        with OldModules(told, True if translation.old else None):
            exec(translation.code, vars(main))
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before
