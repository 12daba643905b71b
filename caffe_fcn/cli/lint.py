"""Check nets and solvers for mistakes; fix what can be fixed safely.

Exit status: 0 nothing found, 1 something found (of at least --fail-on), 2 a file or an option is wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..formats.atomic import atomic_write
from ..prototxt.document import read_text
from ..prototxt.lint import SEVERITIES, WARNING, Finding, Options, all_rules, fix_text, lint_file
from ..prototxt.lint.report import as_json, as_sarif, as_text
from ..prototxt.lint.run import is_solver
from ..prototxt.shapes import parse_sizes

FORMATS = {"json": as_json, "sarif": as_sarif}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.list or args.explain:
        return _explain(parser, args.explain)
    if not args.files:
        parser.error("give the files to check")
    unknown = [name for name in args.ignore + args.only if name not in all_rules()]
    if unknown:
        parser.error(f"there is no rule '{unknown[0]}'; --list lists them")
    options = Options(parse_sizes(args.size), tuple(args.stage), args.dialect, args.memory_limit, args.time_limit,
                      args.gflops)
    findings: list[Finding] = []
    for file in args.files:
        if args.fix:
            _fix(file, options)
        findings += [finding for finding in lint_file(file, options, args.against)
                     if finding.rule not in args.ignore and (not args.only or finding.rule in args.only)]
    findings = list(dict.fromkeys(findings))
    print(FORMATS[args.format](findings) if args.format in FORMATS else as_text(findings, args.show_silenced))
    fatal = SEVERITIES[: SEVERITIES.index(args.fail_on) + 1]
    return int(any(finding.silenced is None and finding.severity in fatal for finding in findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("caffe-fcn lint", description=(__doc__ or "").partition("\n")[0],
                                     epilog="A comment at a layer silences a rule: # lint: ignore[RULE] reason")
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="prototxt of a net or a solver (whose nets are checked as well)")
    add("--fix", action="store_true", help="write the files with all safe fixes, then check them")
    add("--against", metavar="NET", help="a net that should be the same, but for data and losses (train and val)")
    add("--size", action="append", default=[], help="size of the input: HEIGHTxWIDTH, or BLOB=NxCxHxW (repeatable)")
    add("--stage", action="append", default=[], help="a stage that is on (repeatable)")
    add("--dialect", help="whose Caffe the nets are for, where types mean several things (docs/forks.md)")
    add("--format", choices=["text", *FORMATS], default="text", help="of the report")
    add("--ignore", action="append", default=[], metavar="RULE", help="leave a rule out (repeatable)")
    add("--only", action="append", default=[], metavar="RULE", help="only this rule (repeatable)")
    add("--fail-on", choices=SEVERITIES, default=WARNING, help="the mildest finding that gives exit status 1")
    add("--memory-limit", type=float, default=Options().memory_limit, help="GiB for a pass (default %(default)s)")
    add("--time-limit", type=float, default=Options().time_limit, help="seconds for a pass (default %(default)s)")
    add("--gflops", type=float, default=Options().gflops, help="speed of the machine, 1e9/s (default %(default)s)")
    add("--show-silenced", action="store_true", help="list what comments silence, too")
    add("--list", action="store_true", help="list the rules")
    add("--explain", metavar="RULE", help="the reason of a rule")
    return parser


def _fix(file: str, options: Options) -> None:
    """Write a net's file with its fixes, if there are any; solvers and texts that cannot be read are left alone."""
    from ..errors import PrototxtError

    text = read_text(file)
    if is_solver(text):
        return
    try:
        fixed = fix_text(text, file, options)
    except PrototxtError:
        return  # the check that follows reports it
    if fixed != text:
        with atomic_write(file) as target:
            target.write(fixed.encode("utf-8", "surrogateescape"))


def _explain(parser: argparse.ArgumentParser, name: str | None) -> int:
    rules = all_rules()
    if name is not None and name not in rules:
        parser.error(f"there is no rule '{name}'; --list lists them")
    for rule in [rules[name]] if name else rules.values():
        print(f"{rule.name} ({rule.severity}): {rule.reason}")
    return 0
