"""Comments that silence a rule for a layer or a file, with a reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..net_document import NetDocument
from .rule import WARNING, Finding, all_rules

BAD_SILENCE, UNUSED_SILENCE = "silence-reason", "silence-unused"
_COMMENT = re.compile(r"#[ \t]*lint:[ \t]*ignore(?P<file>-file)?\[(?P<rules>[^\]\n]*)\][ \t]*(?P<reason>[^\n]*)")


class Silence(NamedTuple):
    """A comment: which rules, where (None: the whole file), why, and on which line it stands."""

    rules: tuple[str, ...]
    layer: int | None
    reason: str
    line: int


def apply_silences(findings: list[Finding], document: NetDocument) -> list[Finding]:
    """Mark the findings that a comment silences; add some for comments without a reason or without an effect.

    Sorted by place.
    """
    silences, used, result = list(_silences(document)), set(), []
    for finding in findings:
        for silence in silences:
            if finding.rule in silence.rules and silence.layer in (None, finding.index):
                used.add((silence, finding.rule))
                if silence.reason:
                    finding = dataclasses.replace(finding, silenced=silence.reason)
        result.append(finding)
    for silence in silences:
        if not silence.reason:
            result.append(_about(silence, BAD_SILENCE, "say behind the bracket why this is ignored", document))
        for rule in silence.rules:
            if rule not in all_rules():
                result.append(_about(silence, UNUSED_SILENCE, f"there is no rule '{rule}'", document))
            elif (silence, rule) not in used:
                result.append(_about(silence, UNUSED_SILENCE, f"'{rule}' finds nothing here any more", document))
    return sorted(result, key=lambda finding: (finding.line, finding.column, finding.rule))


def _about(silence: Silence, rule: str, message: str, document: NetDocument) -> Finding:
    return Finding(rule, WARNING, message, document.file, silence.line, 1)


def _silences(document: NetDocument) -> Iterator[Silence]:
    line, index = 1, 0
    for field in [*document.body.fields, None]:
        text = str(field) if field is not None else document.body.tail
        is_layer = field is not None and field.name in ("layer", "layers")
        for match in _COMMENT.finditer(text):
            rules = tuple(rule.strip() for rule in match["rules"].split(",") if rule.strip())
            where = index if is_layer and not match["file"] else None
            yield Silence(rules, where, match["reason"].strip(), line + text.count("\n", 0, match.start()))
        line += text.count("\n")
        index += len(field.values) if field is not None and is_layer else 0
