"""Is a source written for Python 2?"""

from __future__ import annotations

import ast
import warnings

NAMES = frozenset((
    "apply", "basestring", "buffer", "cmp", "coerce", "execfile", "file", "intern", "long", "raw_input", "reduce",
    "reload", "unichr", "unicode", "xrange",
))
METHODS = frozenset(("has_key", "iteritems", "iterkeys", "itervalues", "viewitems", "viewkeys", "viewvalues"))
MODULES = frozenset((
    "ConfigParser", "Queue", "SocketServer", "StringIO", "Tkinter", "__builtin__", "cPickle", "cStringIO", "commands",
    "copy_reg", "httplib", "thread", "urllib2", "urlparse",
))


def compiles(text: str) -> bool:
    """Is the text Python 3? Not if statements like `print >>file, x` only look like expressions of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return False
    return _imports_print(nodes) or not any(isinstance(node, ast.Expr) and _begins_with_print(node.value)
                                            for node in nodes)


def _imports_print(nodes: list[ast.AST]) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__"
               and any(alias.name == "print_function" for alias in node.names) for node in nodes)


def _begins_with_print(value: ast.expr) -> bool:
    """`print` alone, `print >>file, x`, `print (a), b`, `print ("%d") % 3`; not a mere call of it, nor two in a row."""
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and _leftmost(value.elts[0]) and not any(map(_calls_print, value.elts[1:]))
    return _leftmost(value) and not _calls_print(value)


def _leftmost(value: ast.expr) -> bool:
    while not isinstance(value, ast.Name):
        match value:
            case ast.BinOp(left=part) | ast.Compare(left=part) | ast.Call(func=part):
                value = part
            case ast.Attribute(value=part) | ast.Subscript(value=part):
                value = part
            case _:
                return False
    return value.id == "print"


def _calls_print(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print"


def is_old(text: str) -> bool:
    """Is the text no Python 3, or does it use names that only Python 2 has?"""
    if not compiles(text):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = list(ast.walk(ast.parse(text)))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own.update(node.arg for node in nodes if isinstance(node, ast.arg))
    own.update(node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    own.update((alias.asname or alias.name) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))
               for alias in node.names)
    return any(_is_old_node(node, own) for node in nodes)


def _is_old_node(node: ast.AST, own: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in NAMES - own
    if isinstance(node, ast.Attribute):
        return node.attr in METHODS
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in MODULES for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES
