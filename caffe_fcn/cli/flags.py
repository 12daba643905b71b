"""Command lines as Caffe's tools take them: ``-name``, ``--name=value``, ``--name value``, ``--noname``, anywhere."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from caffe_fcn.errors import CaffeFcnError

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
LOGGING = {"logtostderr": False, "alsologtostderr": False, "colorlogtostderr": False, "minloglevel": 0,
           "stderrthreshold": 0, "v": 0, "log_dir": ""}  # of the original; taken without effect
FAILED = 1  # exit status


class Flag(NamedTuple):
    """One flag: its value when it is not given (the type of which is the flag's), and what it does."""

    default: bool | int | str
    help: str


class UsageError(CaffeFcnError, ValueError):
    """A command line that cannot be understood."""


def parse(arguments: Sequence[str], flags: Mapping[str, Flag]) -> tuple[dict[str, Any], list[str]]:
    """The values of all flags, and the other arguments in their order. Raises UsageError naming the flag."""
    defaults = {**LOGGING, **{name: flag.default for name, flag in flags.items()}}
    values, words = dict(defaults), iter(arguments)
    others: list[str] = []
    for word in words:
        if word == "--":
            others += words
        elif not word.startswith("-") or word == "-":
            others.append(word)
        else:
            name, given, value = word.lstrip("-").partition("=")
            if name not in defaults and isinstance(defaults.get(name.removeprefix("no")), bool) and not given:
                name, given, value = name.removeprefix("no"), "=", "false"
            if name not in defaults:
                raise UsageError(f"unknown flag '{word}'; there are {', '.join(f'--{known}' for known in flags)}")
            if not given:
                value = "true" if isinstance(defaults[name], bool) else next(words, "")
            values[name] = _convert(name, value, defaults[name])
    return {name: values[name] for name in flags}, others


def _convert(name: str, value: str, default: object) -> bool | int | str:
    if isinstance(default, bool):
        if value.lower() not in TRUE + FALSE:
            raise UsageError(f"--{name} is true or false, got '{value}'")
        return value.lower() in TRUE
    if isinstance(default, int):
        try:
            return int(value)
        except ValueError:
            raise UsageError(f"--{name} needs a whole number, got '{value}'") from None
    return value


def run(
    usage: str,
    flags: Mapping[str, Flag],
    counts: range,
    command: Callable[[dict[str, Any], list[str]], int],
    arguments: Sequence[str] | None,
) -> int:
    """Run a command: parse its arguments, print errors as one line. Returns the exit status.

    usage    the line that says how it is called, then what it does; its first word is the program's name
    counts   how many arguments beside flags there may be
    command  is called with the flags by name and the other arguments, and returns the exit status
    """
    program = usage.split()[0]
    arguments = sys.argv[1:] if arguments is None else arguments
    if {"-h", "-help", "--help"} & set(arguments):
        print(help_text(usage, flags))
        return 0
    try:
        values, others = parse(arguments, flags)
        if len(others) not in counts:
            print(help_text(usage, flags), file=sys.stderr)
            return FAILED
        return command(values, others)
    except (CaffeFcnError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED


def help_text(usage: str, flags: Mapping[str, Flag]) -> str:
    """The usage and a line for each flag."""
    lines = [f"usage: {usage}", ""]
    for name, flag in flags.items():
        default = "" if flag.default in (False, "", 0) else f" (default {flag.default})"
        lines += textwrap.wrap(f"--{name}  {flag.help}{default}", 100, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(lines)
