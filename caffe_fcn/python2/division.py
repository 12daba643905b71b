"""Python 2's division: whole numbers, also in arrays, divide without remainder."""

from __future__ import annotations

import ast
import operator
from typing import Any

import numpy as np

NAMES = {"divide": "_caffe_fcn_divide", "divide_in_place": "_caffe_fcn_divide_in_place"}


def divide(a: Any, b: Any) -> Any:
    """a / b as Python 2 has it."""
    return a // b if _whole(a) and _whole(b) else a / b


def divide_in_place(a: Any, b: Any) -> Any:
    """What `a /= b` leaves in a, as Python 2 has it."""
    return operator.ifloordiv(a, b) if _whole(a) and _whole(b) else operator.itruediv(a, b)


def _whole(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "iub"
    return isinstance(value, int)


def translate_tree(tree: ast.Module) -> list[int]:
    """Let a module's divisions go through the functions above; returns the numbers of their lines."""
    divider = _Divider()
    divider.visit(tree)
    if divider.lines:
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
    def __init__(self) -> None:
        self.lines: list[int] = []

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """a / b, unless one side is written as a float."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div) or _is_float(node.left) or _is_float(node.right):
            return node
        self.lines.append(node.lineno)
        name = ast.Name(NAMES["divide"], ast.Load())
        return ast.copy_location(ast.Call(name, [node.left, node.right], []), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """a /= b; a place that is found by calling something keeps Python 3's meaning, or it would be called twice."""
        self.generic_visit(node)
        calls = any(isinstance(part, ast.Call) for part in ast.walk(node.target))
        if not isinstance(node.op, ast.Div) or _is_float(node.value) or calls:
            return node
        self.lines.append(node.lineno)
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        name = ast.Name(NAMES["divide_in_place"], ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.Call(name, [old, node.value], [])), node)


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
