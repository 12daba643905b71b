"""Recipes: lists of operations in TOML, run from files to files.

    net = "train_val.prototxt"
    weights = "vgg16.caffemodel"
    shapes = { data = [1, 3, 224, 224] }    # where data layers do not tell

    [[step]]
    op = "fully_convolutional"
    layers = ["fc6", "fc7"]

    [output]
    net = "fcn.prototxt"
    weights = "fcn.caffemodel"

Files are looked for beside the recipe. The names and values in a step are the arguments of the operation, plus `check`,
`force` and `tolerance`.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, Union

from caffe_fcn.errors import CaffeFcnError, LayerError, PrototxtError
from caffe_fcn.formats.files import check_apart, existing_file
from caffe_fcn.proto.text import did_you_mean

from .averaging import average
from .checks import Check, Shapes, runnable
from .classes import change_classes
from .convolutional import fully_convolutional, to_inner_product
from .deploying import deploy
from .folding import fold_batch_norm
from .groups import merge_parallel, split_groups
from .inputs import fold_input, swap_channels
from .model import Model
from .pruning import prune, rename
from .transplanting import expand_score, interp, transplant

MOST = 2**31 - 1  # of a whole number: what a size in a prototxt can be
CHECK_KEYS = {"check": bool, "force": bool, "tolerance": float}
HEAD = {"net": str, "weights": str, "shapes": Shapes, "step": list, "output": dict}


def _transplant(model: Model, weights: Path, suffix: str = "", *, check: Check) -> Model:
    net = runnable(model, check.shapes)
    check.show(str(transplant(net, weights, suffix, check.force)))
    return model.with_weights_of(net)


def _interp(model: Model, layers: Sequence[str], *, check: Check) -> Model:
    net = runnable(model, check.shapes)
    interp(net, layers)
    return model.with_weights_of(net)


def _expand_score(model: Model, layer: str, weights: Path, source: str, *, check: Check) -> Model:
    net = runnable(model, check.shapes)
    expand_score(net, layer, weights, source)
    return model.with_weights_of(net)


def _average(model: Model, snapshots: Sequence[Path], *, check: Check) -> Model:
    return average(model, snapshots, check=check)


OPERATIONS: dict[str, Callable[..., Model]] = {
    "average": _average, "change_classes": change_classes, "deploy": deploy, "expand_score": _expand_score,
    "fold_batch_norm": fold_batch_norm, "fold_input": fold_input, "fully_convolutional": fully_convolutional,
    "interp": _interp, "merge_parallel": merge_parallel, "prune": prune, "rename": rename,
    "split_groups": split_groups, "swap_channels": swap_channels, "to_inner_product": to_inner_product,
    "transplant": _transplant,
}


class Step(NamedTuple):
    """An operation with its arguments."""

    op: str
    arguments: dict[str, Any]
    check: Check


class Recipe(NamedTuple):
    """What a recipe file says, all paths absolute."""

    net: str
    weights: str | None
    steps: list[Step]
    output_net: str
    output_weights: str | None


def read_recipe(path: str | os.PathLike[str], show: Callable[[str], Any] = print) -> Recipe:
    """Read and validate a recipe; `show` receives what its steps print.

    Raises MissingFileError, and PrototxtError (naming the file, step and argument) for anything that does not fit.
    """
    file = existing_file(path)
    table = _load(file)
    folder = Path(file).resolve().parent

    def fail(message: str) -> typing.NoReturn:
        raise PrototxtError(message, file)

    _check_keys(table, HEAD, "the recipe", fail)
    output = table.get("output", {})
    _check_keys(output, {"net": str, "weights": str}, "[output]", fail)
    for where, given in (("the recipe", table), ("[output]", output)):
        if "net" not in given:
            fail(f"{where} lacks net = \"...\"")
    shapes = table.get("shapes")
    steps = [_step(entry, f"step {i + 1}", folder, Check(shapes, show=show), fail)
             for i, entry in enumerate(table.get("step", []))]
    if not steps:
        fail("there is no [[step]]")
    beside = {key: str(folder / given[key]) for given, key in ((table, "net"), (table, "weights")) if key in given}
    return Recipe(beside["net"], beside.get("weights"), steps, str(folder / output["net"]),
                  str(folder / output["weights"]) if "weights" in output else None)


def run_recipe(path: str | os.PathLike[str], show: Callable[[str], Any] = print) -> Model:
    """Run a recipe and write its results; nothing is written if a step fails. Returns the result.

    Raises what `read_recipe` raises, and the errors of the operations with the step's number in front.
    """
    recipe = read_recipe(path, show)
    for out, others in ((recipe.output_net, (recipe.weights, path)), (recipe.output_weights, (recipe.net, path))):
        check_apart([out] if out is not None else [], [other for other in others if other is not None])
    model = Model.load(recipe.net, recipe.weights)
    for number, step in enumerate(recipe.steps, 1):
        with _naming(f"step {number} ({step.op})"):
            model = OPERATIONS[step.op](model, **step.arguments, check=step.check)
    model.save(recipe.output_net, recipe.output_weights)
    return model


@contextlib.contextmanager
def _naming(place: str) -> typing.Iterator[None]:
    try:
        yield
    except LayerError as error:
        error.message = f"{error.message} [{place}]"
        raise
    except CaffeFcnError as error:
        error.args = (f"{place}: {error.args[0]}", *error.args[1:])
        raise


def _load(file: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(file, "rb") as source:
            return tomllib.load(source)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PrototxtError(f"not a TOML file: {error}", file) from None


def _step(entry: Any, where: str, folder: Path, check: Check, fail: Callable[[str], typing.NoReturn]) -> Step:
    if not isinstance(entry, dict) or not isinstance(entry.get("op"), str):
        fail(f"{where} lacks op = \"...\"; there are {', '.join(OPERATIONS)}")
    op = entry["op"]
    if op not in OPERATIONS:
        fail(f"{where}: unknown op '{op}'{did_you_mean(op, OPERATIONS) or '; there are ' + ', '.join(OPERATIONS)}")
    hints = typing.get_type_hints(OPERATIONS[op])
    parameters = {name: parameter for name, parameter in list(inspect.signature(OPERATIONS[op]).parameters.items())[1:]
                  if name != "check"}
    where = f"{where} ({op})"
    _check_keys(entry, {"op": str, **CHECK_KEYS, **{name: hints[name] for name in parameters}}, where, fail)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in entry:
            fail(f"{where} lacks {name}")
    arguments = {name: _paths(entry[name], hints[name], folder) for name in parameters if name in entry}
    return Step(op, arguments, Check(check.shapes, entry.get("tolerance", check.tolerance), entry.get("force", False),
                                     entry.get("check", True), check.show))


def _check_keys(table: Any, known: Mapping[str, Any], where: str, fail: Callable[[str], typing.NoReturn]) -> None:
    if not isinstance(table, dict):
        fail(f"{where} must be a table")
    for key, value in table.items():
        if key not in known:
            fail(f"{where} does not know '{key}'{did_you_mean(key, known) or '; it takes ' + ', '.join(known)}")
        if not _fits(value, known[key]):
            fail(f"{where}: {key} = {value!r} is not {_spelled(known[key])}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from TOML is what a type hint asks for."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin in (list, Sequence):
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    if hint in (Path, str):
        return isinstance(value, str)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST
    return isinstance(value, hint)


def _spelled(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_spelled(part) for part in parts if part is not type(None))
    if origin in (list, Sequence):
        return f"a list, each entry {_spelled(parts[0])}"
    if origin in (dict, Mapping):
        return f"a table, each value {_spelled(parts[1])}"
    names = {str: "a string", Path: "a file name", int: "a whole number", float: "a number", bool: "true or false",
             list: "a list", dict: "a table"}
    return names[hint]


def _paths(value: Any, hint: Any, folder: Path) -> Any:
    """The value with file names made absolute."""
    if hint is Path:
        return folder / value
    if typing.get_args(hint)[:1] == (Path,):
        return [folder / item for item in value]
    return value
