"""run an old script: Python 2 is translated on the way, files stay as they are"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType


def main(argv: Sequence[str] | None = None) -> int:
    """Run SCRIPT with its arguments; its exit status, or 1 after an exception of its own."""
    parser = argparse.ArgumentParser(prog="caffe-fcn run", description=__doc__)
    parser.add_argument("--show", action="store_true", help="print what was changed, file by file, to standard error")
    parser.add_argument("script", help="the script to run as the main program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script finds in sys.argv")
    options = parser.parse_args(argv)
    from caffe_fcn.python2 import Translation, run_script

    def show(translation: Translation) -> None:
        if options.show and translation.changes:
            print(translation.changes, file=sys.stderr, end="")

    try:
        run_script(options.script, options.arguments, show)
    except Exception as error:
        trace = _of_the_script(error.__traceback__)
        if trace is None:
            raise  # the script could not even be read
        traceback.print_exception(type(error), error, trace)
        return 1
    return 0


def _of_the_script(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the user's code."""
    package = str(Path(__file__).parents[1])
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(package):
        trace = trace.tb_next
    return trace
