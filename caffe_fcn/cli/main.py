"""`caffe-fcn COMMAND ...`: one entry for the tools that the original does not have.

Each command is a module of this package with `main(argv) -> exit status`; its docstring's first line is its summary.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from caffe_fcn.errors import CaffeFcnError

INTERRUPTED = 130  # exit status

# command -> module; a module is imported only when its command is asked for
COMMANDS: dict[str, str] = {
    "classify": "classify",
    "convert": "convert",
    "data": "data",
    "detect": "detect",
    "diff": "diff",
    "draw": "draw",
    "draw-net": "draw_net",
    "edit": "edit",
    "explain": "explain",
    "fetch": "fetch",
    "fmt": "fmt",
    "lint": "lint",
    "models": "models",
    "predict": "predict",
    "run": "run",
    "score": "score",
    "show": "show",
    "surgery": "surgery",
    "upgrade": "upgrade",
}


def summary(module: str) -> str:
    """First line of a command module's docstring, read without importing it."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    return text.partition("\n")[0]


def usage() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS), default=0)
    lines = [f"  {name:<{width}}  {summary(module)}" for name, module in COMMANDS.items()]
    return "\n".join(["usage: caffe-fcn COMMAND [ARGUMENTS]", "", *lines, "", "caffe-fcn COMMAND --help tells more"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; user errors are one line on stderr and status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    name = arguments.pop(0)
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        print(f"caffe-fcn: no command '{name}'{hint} (caffe-fcn --help lists them)", file=sys.stderr)
        return 2
    try:
        status = importlib.import_module(f"caffe_fcn.cli.{COMMANDS[name]}").main(arguments)
        sys.stdout.flush()
        return status
    except (CaffeFcnError, FileNotFoundError) as error:
        print(f"caffe-fcn {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"caffe-fcn {name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads the output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        return 1


if __name__ == "__main__":
    sys.exit(main())
