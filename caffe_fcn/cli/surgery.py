"""Edit a net and its weights by a recipe, checking that outputs stay equal.

`caffe-fcn surgery RECIPE.toml`; docs/net_surgery.md lists the operations.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status. Raises the errors of `net_surgery.run_recipe`."""
    parser = argparse.ArgumentParser(prog="caffe-fcn surgery", description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", help="TOML file: net and weights, a list of steps, and where the result goes")
    parser.add_argument("--check", action="store_true", help="only check that the recipe can be read; run nothing")
    arguments = parser.parse_args(argv)

    from net_surgery.recipe import read_recipe, run_recipe  # after --help, which needs no engine

    if arguments.check:
        print(f"{arguments.recipe}: {len(read_recipe(arguments.recipe).steps)} step(s)")
    else:
        run_recipe(arguments.recipe)
    return 0
