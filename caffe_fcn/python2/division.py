"""Python 2's arithmetic: whole numbers, also in arrays, divide without remainder; halves are rounded up."""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

NAMES = {name: f"_caffe_fcn_{name}" for name in ("divide", "divide_in_place", "rounded")}
EXACT = 2.0**53  # from here on all floats are whole


def divide(a: Any, b: Any) -> Any:
    """a / b as Python 2 has it."""
    return a // b if _whole(a) and _whole(b) else a / b


def divide_in_place(a: Any, b: Any) -> Any:
    """What `a /= b` leaves in a, as Python 2 has it."""
    return operator.ifloordiv(a, b) if _whole(a) and _whole(b) else operator.itruediv(a, b)


def rounded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """round(...) as Python 2 has it: a float, halves away from zero. `function` is what `round` means in the script."""
    return _round(*args, **kwargs) if function is builtins.round else function(*args, **kwargs)


def _round(number: Any, ndigits: int = 0) -> float:
    value = float(number)
    if not math.isfinite(value) or (ndigits >= 0 and abs(value) >= EXACT):
        return value
    step = Decimal(1).scaleb(-operator.index(ndigits))
    return math.copysign(float((Decimal(value) / step).to_integral_value(ROUND_HALF_UP) * step), value)


def _whole(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "iub"
    return isinstance(value, int)


def translate_tree(tree: ast.Module, new_division: bool) -> list[int]:
    """Let a module's divisions and calls of round go through the functions above.

    new_division  / divides as in Python 3 already

    Returns the numbers of the lines with a division that was changed.
    """
    divider = _Divider(new_division)
    divider.visit(tree)
    if divider.changed:
        names = [ast.alias(name, own) for name, own in NAMES.items()]
        at = 0  # behind the docstring and what must come first
        while at < len(tree.body) and (_is_future(tree.body[at]) or (at == 0 and ast.get_docstring(tree) is not None)):
            at += 1
        tree.body.insert(at, ast.ImportFrom(__name__, names, 0))
        ast.fix_missing_locations(tree)
    return divider.lines


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


class _Divider(ast.NodeTransformer):
    def __init__(self, new_division: bool) -> None:
        self._new_division = new_division
        self.lines: list[int] = []
        self.changed = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """round(...), whatever that name means when it is called."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != "round":
            return node
        self.changed = True
        name = ast.Name(NAMES["rounded"], ast.Load())
        return ast.copy_location(ast.Call(name, [node.func, *node.args], node.keywords), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """a / b, unless one side is written as a float."""
        self.generic_visit(node)
        if self._new_division or not isinstance(node.op, ast.Div) or _is_float(node.left) or _is_float(node.right):
            return node
        self._note(node.lineno)
        name = ast.Name(NAMES["divide"], ast.Load())
        return ast.copy_location(ast.Call(name, [node.left, node.right], []), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """a /= b; a place that is found by calling something keeps Python 3's meaning, or it would be called twice."""
        self.generic_visit(node)
        calls = any(isinstance(part, ast.Call) for part in ast.walk(node.target))
        if self._new_division or not isinstance(node.op, ast.Div) or _is_float(node.value) or calls:
            return node
        self._note(node.lineno)
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        name = ast.Name(NAMES["divide_in_place"], ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.Call(name, [old, node.value], [])), node)

    def _note(self, line: int) -> None:
        self.changed = True
        self.lines.append(line)


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
