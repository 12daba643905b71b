"""Findings as text, JSON and SARIF 2.1.0 (the format of code scanning services)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from ... import __version__
from .rule import ERROR, WARNING, Finding, all_rules
from .run import UNREADABLE, count_by_severity, without_fixes

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {ERROR: "error", WARNING: "warning"}


def as_text(findings: Sequence[Finding], show_silenced: bool = False) -> str:
    """A line for each finding, like a compiler's, and a last line that counts."""
    lines = []
    for finding in findings:
        if finding.silenced is not None and not show_silenced:
            continue
        place = f"{finding.file or '<text>'}:{finding.line}:{finding.column}"
        layer = f"layer '{finding.layer}': " if finding.layer else ""
        notes = " (can be fixed)" * (finding.fix is not None)
        notes += f" (silenced: {finding.silenced})" if finding.silenced is not None else ""
        lines.append(f"{place}: {finding.severity}: {layer}{finding.message} [{finding.rule}]{notes}")
    counts = count_by_severity(findings)
    total = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items())
    silenced = sum(finding.silenced is not None for finding in findings)
    return "\n".join([*lines, (total or "nothing found") + (f"; {silenced} silenced" if silenced else "")])


def as_json(findings: Iterable[Finding]) -> str:
    """A list of objects: rule, severity, message, file, line, column, layer, index, silenced, fixable."""
    return json.dumps([without_fixes(finding) for finding in findings], indent=2)


def as_sarif(findings: Iterable[Finding]) -> str:
    """A SARIF log of one run, with the rules and their reasons."""
    rules = [
        {"id": rule.name, "shortDescription": {"text": rule.name.replace("-", " ")},
         "fullDescription": {"text": rule.reason}, "defaultConfiguration": {"level": LEVELS.get(rule.severity, "note")}}
        for rule in all_rules().values()
    ]
    rules.append({"id": UNREADABLE, "shortDescription": {"text": UNREADABLE},
                  "fullDescription": {"text": "A text that is no prototxt cannot be checked."},
                  "defaultConfiguration": {"level": "error"}})
    results = [_sarif_result(finding) for finding in findings]
    driver = {"name": "caffe-fcn lint", "version": __version__, "rules": rules}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [
        {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}]}, indent=2)


def _sarif_result(finding: Finding) -> dict[str, object]:
    layer = f"layer '{finding.layer}': " if finding.layer else ""
    place = {"artifactLocation": {"uri": quote((finding.file or "text").replace("\\", "/"), errors="surrogateescape")},
             "region": {"startLine": finding.line, "startColumn": finding.column}}
    result: dict[str, object] = {
        "ruleId": finding.rule, "level": LEVELS.get(finding.severity, "note"),
        "message": {"text": f"{layer}{finding.message}"}, "locations": [{"physicalLocation": place}]}
    if finding.silenced is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.silenced}]
    return result
