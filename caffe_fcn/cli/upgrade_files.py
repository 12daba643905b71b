"""What the upgrade_* commands share: arguments, messages, the exit status and the writing of the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from caffe_fcn.errors import CaffeFcnError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.proto import text
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.upgrade import UpgradeReport

EXIT_STATUS = "exit status: 0 all upgraded, 1 written but parts of the old file were left out, 2 nothing written"


def run(
    program: str, what: str, convert: Callable[[str], tuple[bytes, UpgradeReport]], arguments: Sequence[str] | None
) -> int:
    """Run a command line of two files, IN and OUT; returns the exit status.

    `convert` gets the name of IN and gives the content of OUT, which is written in one go or not at all.
    """
    parser = argparse.ArgumentParser(program, description=f"Make {what} current.", epilog=EXIT_STATUS)
    parser.add_argument("input", help="the old file")
    parser.add_argument("output", help="the new file; may be the same")
    args = parser.parse_args(arguments)
    try:
        content, report = convert(args.input)
        with atomic_write(args.output) as file:
            file.write(content)
    except (CaffeFcnError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    for line in report.steps or [f"{args.input} is current already"]:
        print(line, file=sys.stderr)
    for problem in report.problems:
        print(f"{program}: {args.input}: {problem}", file=sys.stderr)
    return 0 if report.complete else 1


def upgraded_text(
    source: str, message_class: type[Message], upgrade: Callable[[Message, str], UpgradeReport]
) -> tuple[bytes, UpgradeReport]:
    """Read the text file `source`, upgrade its message and print that as text again."""
    message = text.parse_file(source, message_class)
    report = upgrade(message, source)
    return to_text(message).encode(), report
