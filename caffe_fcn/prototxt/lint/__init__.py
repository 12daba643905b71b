"""Checks of nets and solvers as text: what is wrong, likely a mistake, or could be better; some of it can be fixed.

A comment silences rules for the layer it stands in or above, and gives the reason:
``# lint: ignore[unused-top] read by hand``. ``# lint: ignore-file[...] reason`` does so for the whole file.
"""

from __future__ import annotations

from . import deprecated, losses, params, phases, resources, sizes, structure, upsampling
from .rule import ERROR, INFO, SEVERITIES, WARNING, Finding, Options, Rule, all_rules
from .run import fix_text, lint_file, lint_text

__all__ = [
    "ERROR",
    "INFO",
    "SEVERITIES",
    "WARNING",
    "Finding",
    "Options",
    "Rule",
    "all_rules",
    "deprecated",
    "fix_text",
    "lint_file",
    "lint_text",
    "losses",
    "params",
    "phases",
    "resources",
    "sizes",
    "structure",
    "upsampling",
]
