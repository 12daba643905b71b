"""Where random numbers and data layers stand, in a file beside a snapshot, so that a resumed run goes on exactly.

``.runstate`` is JSON: the states of this package's generator, of NumPy's global one and of `random`, and what layers
with `run_state()` and `set_run_state(state)` give (anything that JSON holds), by layer name, for the trained net and
the test nets, and the best score so far. The file is optional: without it a run resumes as Caffe's does.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import mode
from ..errors import FormatError
from ..formats.atomic import atomic_write

if TYPE_CHECKING:
    from .base import Solver

VERSION = 1


def path_beside(state_file: str) -> str:
    """The name of the run state that belongs to a ``.solverstate`` or ``.solverstate.h5``."""
    return state_file.removesuffix(".h5").removesuffix(".solverstate") + ".runstate"


def write(solver: Solver, path: str) -> None:
    """Write the run state atomically. Raises FileAccessError."""
    kind, keys, *rest = np.random.get_state()
    version, numbers, gauss = random.getstate()
    device = mode.device()
    content = {
        "version": VERSION,
        "iter": solver.iter,
        "generator": mode.generator().bit_generator.state,
        "gpu": None if device is None else device.random.tolist(),
        "numpy": [kind, np.asarray(keys).tolist(), *rest],
        "random": [version, list(numbers), gauss],
        "best": solver._snapshots.best,
        "layers": [_layer_states(net) for net in (solver.net, *solver.test_nets)],
    }
    with atomic_write(path) as file:
        file.write(json.dumps(content).encode())


def _layer_states(net: Any) -> dict[str, Any]:
    return {name: layer.run_state() for name, layer in net.layer_dict.items() if hasattr(layer, "run_state")}


def _setter(net: Any, layer: str) -> Callable[[Any], None]:
    found = getattr(net.layer_dict.get(layer), "set_run_state", None)
    if found is None:
        raise ValueError(f"layer '{layer}' of the net takes no run state")
    return found


def read(path: str, solver: Solver) -> Callable[[], None]:
    """Read a run state and return the function that puts it into force; one that does nothing if there is no file.

    Raises FormatError for a file that is not a run state of this solver.
    """
    if not os.path.exists(path):
        return lambda: None
    nets = (solver.net, *solver.test_nets)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, this program knows {VERSION}")
        layers = [(_setter(net, name), state)
                  for net, states in zip(nets, content["layers"], strict=True) for name, state in states.items()]
        kind, keys, *rest = content["numpy"]
        version, numbers, gauss = content["random"]
        best = content.get("best")
        best = None if best is None else float(best)
        np.random.RandomState().set_state((kind, np.array(keys, np.uint32), *rest))  # refuses a damaged one
        random.Random().setstate((version, tuple(numbers), gauss))
        gpu = content.get("gpu")
        gpu = None if gpu is None else np.array(gpu, np.uint64).reshape(2)
        generator = np.random.default_rng()
        generator.bit_generator.state = content["generator"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: not a run state of this solver ({error}); remove it to resume without") from error

    def apply() -> None:
        mode.generator().bit_generator.state = content["generator"]
        device = mode.device()
        if device is not None and gpu is not None:
            device.seed_random(gpu)
        np.random.set_state((kind, np.array(keys, np.uint32), *rest))
        random.setstate((version, tuple(numbers), gauss))
        solver._snapshots.best = best
        for setter, state in layers:
            setter(state)

    return apply
