"""Putting a PyTorch module's source together: what `__init__` makes, what `forward` does, and the state dict."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection, Sequence

import numpy as np

from .graph import Graph, Node, Value

# names that the source uses for itself, or that nn.Module has
MODULE_NAMES = (
    "T_destination", "add_module", "apply", "bfloat16", "blobs", "buffers", "call_super_init", "children",
    "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "half", "ipu",
    "load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters",
    "parameters", "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu", "zero_grad",
)
RESERVED = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *MODULE_NAMES, "self", "torch", "nn", "F", "OUTPUTS",
            "Net", "load", "pool_max", "pool_average", "crop", "last_argmax"}


class TorchBuilder:
    """Collects the source of one module; layers' functions call `module`, `parameter`, `set` and `helper`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.init: list[str] = []
        self.steps: list[str] = []
        self.state: dict[str, np.ndarray] = {}
        self.helpers: dict[str, None] = {}
        self._variables: dict[str, str] = {}  # blob -> variable
        self._attributes: set[str] = set()
        self._shared: dict[int, str] = {}  # memory of a parameter -> attribute

    def variable(self, value: Value) -> str:
        """The variable of `forward` that holds a blob."""
        if value.blob not in self._variables:
            self._variables[value.blob] = _identifier(value.blob, self._variables.values())
        return self._variables[value.blob]

    def x(self, node: Node, index: int = 0) -> str:
        """The variable of a bottom."""
        return self.variable(node.bottoms[index])

    def set(self, node: Node, expression: str, top: int = 0) -> None:
        """Add a step to `forward`: a top gets the value of an expression."""
        self.steps.append(f"{self.variable(node.tops[top])} = {expression}")

    def helper(self, name: str) -> str:
        """Ask for a function of the source's own; returns its name."""
        self.helpers[name] = None
        return name

    def module(self, node: Node, expression: str, state: Sequence[tuple[str, np.ndarray]]) -> str:
        """Make a submodule with this state in `__init__`; returns how `forward` spells it."""
        attribute = self._attribute(node.name)
        self.init.append(f"self.{attribute} = {expression}")
        self.state.update((f"{attribute}.{key}", array) for key, array in state)
        return f"self.{attribute}"

    def parameter(self, node: Node, index: int, word: str, shape: tuple[int, ...]) -> str:
        """Make a parameter of this shape in `__init__`, one for all layers that share it; returns its spelling."""
        memory = id(node.layer.blobs[index].memories[0])
        if memory not in self._shared:
            self._shared[memory] = attribute = self._attribute(f"{node.name}_{word}")
            self.init.append(f"self.{attribute} = nn.Parameter(torch.zeros({node.layer.blobs[index].shape}))")
            self.state[attribute] = node.weight(index)
        spelling = f"self.{self._shared[memory]}"
        return spelling if shape == node.layer.blobs[index].shape else f"{spelling}.reshape({shape})"

    def _attribute(self, wish: str) -> str:
        attribute = _identifier(wish, self._attributes)
        self._attributes.add(attribute)
        return attribute


def identifier(name: str) -> str:
    """A Python identifier like `name`."""
    stem = re.sub(r"[^0-9A-Za-z_]", "_", name).lstrip("_")
    return stem if stem and not stem[0].isdigit() else f"n{stem}"


def _identifier(wish: str, taken: Collection[str]) -> str:
    """A Python name like `wish` that is neither taken nor means something already."""
    stem = identifier(wish)
    name, count = stem, 1
    while name in taken or name in RESERVED:
        name, count = f"{stem}_{count}", count + 1
    return name
