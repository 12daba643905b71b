"""A stand-in for the part of nvidia-cudnn-frontend that the package uses: the reference computes what a graph says.

It takes the arguments that the real one takes, in the order of calls that the real one asks for, and reads and writes
memory by the dims and strides of the tensors alone.
"""

from __future__ import annotations

import ctypes
import functools
from enum import Enum
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry

from .array import Tape, counts

data_type = Enum("data_type", "FLOAT HALF DOUBLE NOT_SET")
heur_mode = Enum("heur_mode", "A B FALLBACK OPENSOURCE")
numerical_note = Enum("numerical_note", "TENSOR_CORE DOWN_CONVERT_INPUTS REDUCED_PRECISION_REDUCTION NONDETERMINISTIC "
                      "FFT WINOGRAD WINOGRAD_TILE_4x4 WINOGRAD_TILE_6x6 WINOGRAD_TILE_13x13 STRICT_NAN_PROP")
DTYPES = {data_type.FLOAT: np.dtype(np.float32), data_type.HALF: np.dtype(np.float16)}
REFERENCE = ReferenceOps()


class cudnnGraphNotSupportedError(Exception):
    """As of cudnn; no RuntimeError."""


class Plan(NamedTuple):
    """An engine: who proposes it, what is noted of it, what it needs, when it refuses."""

    name: str
    mode: str
    notes: tuple[str, ...] = ()
    workspace: int = 0
    builds: bool = True
    runs: bool = True
    fuses: bool = True


PLANS = [
    Plan("eng9", "A", ("TENSOR_CORE", "DOWN_CONVERT_INPUTS")),
    Plan("eng8", "A", ("NONDETERMINISTIC",)),
    Plan("eng36", "A", ("TENSOR_CORE",), 4096),
    Plan("eng7", "B", builds=False),
    Plan("eng70", "B", (), 8192),
    Plan("eng5", "B", ("WINOGRAD", "WINOGRAD_TILE_6x6")),
    Plan("eng36", "FALLBACK", ("TENSOR_CORE",), 4096),
    Plan("eng0", "FALLBACK"),
]
known: list[Plan] = list(PLANS)  # tests put others here
ran: list[str] = []  # names of the plans that ran


class Tensor:
    """Describes an array."""

    def __init__(self, dim: Any = (), stride: Any = (), kind: Any = None) -> None:
        self.dim, self.stride, self.kind, self.uid, self.output = list(dim), list(stride), kind, 0, False

    def set_uid(self, uid: int) -> Tensor:
        self.uid = uid
        return self

    def set_dim(self, dim: list[int]) -> Tensor:
        self.dim = list(dim)
        return self

    def set_stride(self, stride: list[int]) -> Tensor:
        self.stride = list(stride)
        return self

    def set_data_type(self, kind: Any) -> Tensor:
        self.kind = kind
        return self

    def set_output(self, output: bool) -> Tensor:
        self.output = output
        return self

    def at(self, pointer: int) -> np.ndarray:
        """The array at an address."""
        dtype = DTYPES[self.kind]
        assert pointer % 16 == 0 and len(self.dim) in (4, 5) and len(self.dim) == len(self.stride)
        count = 1 + sum((n - 1) * s for n, s in zip(self.dim, self.stride, strict=True))
        memory = np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(pointer), dtype)
        return np.lib.stride_tricks.as_strided(memory, self.dim, [s * dtype.itemsize for s in self.stride])


def _rounded(values: np.ndarray, plan: Plan) -> np.ndarray:
    """What the multipliers see, as float32: tensor cores drop 13 bits of it."""
    values = np.ascontiguousarray(values, np.float32)
    if "TENSOR_CORE" not in plan.notes:
        return values
    return ((values.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


class pygraph:
    """A graph of one convolution and what follows it."""

    def __init__(self, *, io_data_type: Any, intermediate_data_type: Any, compute_data_type: Any, handle: Any) -> None:
        assert isinstance(handle, Handle) and compute_data_type is data_type.FLOAT
        self._steps: list[tuple[str, dict[str, Any], Tensor]] = []
        self._given: list[Tensor] = []
        self._stage, self._plans, self._barred, self._built = 0, list[Plan](), set[str](), set[int]()

    def tensor(self, *, dim: list[int], stride: list[int], data_type: Any, name: str = "") -> Tensor:
        self._given.append(Tensor(dim, stride, data_type))
        return self._given[-1]

    def _step(self, name: str, **arguments: Any) -> Tensor:
        self._steps.append((name, arguments, Tensor()))
        return self._steps[-1][2]

    def conv_fprop(self, *, image: Tensor, weight: Tensor, pre_padding: list[int], post_padding: list[int],
                   stride: list[int], dilation: list[int], compute_data_type: Any, name: str) -> Tensor:
        assert pre_padding == post_padding
        return self._step("fprop", x=image, weight=weight, how=(stride, pre_padding, dilation))

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, pre_padding: list[int], post_padding: list[int],
                   stride: list[int], dilation: list[int], compute_data_type: Any, name: str) -> Tensor:
        assert pre_padding == post_padding
        return self._step("dgrad", out=loss, weight=filter, how=(stride, pre_padding, dilation))

    def conv_wgrad(self, *, image: Tensor, loss: Tensor, pre_padding: list[int], post_padding: list[int],
                   stride: list[int], dilation: list[int], compute_data_type: Any, name: str) -> Tensor:
        assert pre_padding == post_padding
        return self._step("wgrad", x=image, out=loss, how=(stride, pre_padding, dilation))

    def add(self, *, a: Tensor, b: Tensor, compute_data_type: Any, name: str) -> Tensor:
        return self._step("add", a=a, b=b)

    def relu(self, *, input: Tensor, compute_data_type: Any, name: str) -> Tensor:
        return self._step("relu", a=input)

    # in this order

    def _advance(self, stage: int) -> None:
        assert self._stage == stage - 1, "called in the wrong order"
        self._stage = stage

    def validate(self) -> None:
        self._advance(1)
        last = self._steps[-1][2]
        assert last.output and len({t.uid for t in (*self._given, last)}) == len(self._given) + 1
        assert all(t.uid > 0 for t in (*self._given, last))

    def build_operation_graph(self) -> None:
        self._advance(2)
        arrays = self._steps[0][1]
        shapes = {key: t.dim for key, t in arrays.items() if key != "how"}
        wanted = {"x", "weight", "out"} - set(shapes)
        shapes[wanted.pop()] = self._steps[-1][2].dim
        stride, pad, dilation = arrays["how"]
        for n, k, o, s, p, d in zip(*(shapes[key][2:] for key in ("x", "weight", "out")), stride, pad, dilation,
                                    strict=True):
            if (n + 2 * p - d * (k - 1) - 1) // s + 1 != o:
                raise RuntimeError("is_valid_spatial_dim")
        self._shapes, self._group = shapes, shapes["x"][1] // shapes["weight"][1]

    def create_execution_plans(self, modes: list[Any]) -> None:
        self._advance(3)
        fused = len(self._steps) > 1
        self._plans = [plan for mode in modes for plan in known if plan.mode == mode.name and (plan.fuses or not fused)]
        if not self._plans:
            raise cudnnGraphNotSupportedError("no engine proposed a plan")

    def deselect_numeric_notes(self, notes: list[Any]) -> None:
        assert self._stage == 3
        self._barred |= {note.name for note in notes}

    def check_support(self) -> None:
        self._advance(4)

    def get_execution_plan_count(self) -> int:
        return len(self._plans)

    def get_plan_name_at_index(self, index: int) -> str:
        return self._plans[index].name

    def build_plan_at_index(self, index: int) -> None:
        assert self._stage == 4
        plan = self._plans[index]
        if self._barred & set(plan.notes) or not plan.builds:
            raise cudnnGraphNotSupportedError("Deselecting execution plan")
        counts["plan"] += 1
        self._built.add(index)

    def get_workspace_size_plan_at_index(self, index: int) -> int:
        assert index in self._built
        return self._plans[index].workspace

    def execute_plan_at_index(self, pack: dict[int, int], workspace: int, index: int, handle: Any) -> None:
        """Run at addresses."""
        assert index in self._built and type(workspace) is int and workspace % 16 == 0
        assert isinstance(handle, Handle) and handle.stream is not None
        assert {t.uid for t in (*self._given, self._steps[-1][2])} == set(pack)
        assert all(type(pointer) is int for pointer in pack.values())
        plan = self._plans[index]
        if not plan.runs:
            raise RuntimeError("CUDNN_STATUS_EXECUTION_FAILED")
        ran.append(plan.name)
        self._execute(pack, plan)
        if Tape.current is not None:
            Tape.current.append((functools.partial(self._execute, pack, plan), [], {}, None))

    def _execute(self, pack: dict[int, int], plan: Plan) -> None:
        values: dict[int, np.ndarray] = {}
        for name, arguments, result in self._steps:
            inputs = {key: values[id(t)] if id(t) in values else _rounded(t.at(pack[t.uid]), plan)
                      if key in ("x", "weight", "out") else t.at(pack[t.uid]).astype(np.float32)
                      for key, t in arguments.items() if key != "how"}
            values[id(result)] = getattr(self, f"_{name}")(arguments.get("how"), **inputs)
        last = self._steps[-1][2]
        with np.errstate(over="ignore"):
            last.at(pack[last.uid])[...] = values[id(last)]

    def _geometry(self, how: Any) -> Geometry:
        return Geometry(tuple(self._shapes["weight"][2:]), *map(tuple, how), self._group)

    def _fprop(self, how: Any, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        out = np.empty(self._shapes["out"], np.float32)
        REFERENCE.convolution(x, weight, None, out, self._geometry(how))
        return out

    def _dgrad(self, how: Any, out: np.ndarray, weight: np.ndarray) -> np.ndarray:
        x = np.empty(self._shapes["x"], np.float32)
        REFERENCE.convolution_backward_data(out, weight, x, self._geometry(how))
        return x

    def _wgrad(self, how: Any, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        weight = np.zeros(self._shapes["weight"], np.float32)
        REFERENCE.convolution_backward_weight(x, out, weight, self._geometry(how))
        return weight

    def _add(self, how: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b

    def _relu(self, how: Any, a: np.ndarray) -> np.ndarray:
        return np.fmax(a, 0)  # NaN becomes 0


class Handle:
    """On no stream at first."""

    stream: int | None = None


def _set_stream(*, handle: Handle, stream: int) -> None:
    handle.stream = stream


def make() -> ModuleType:
    """The module `cudnn`, with the usual plans."""
    module = ModuleType("cudnn")
    for part in (data_type, heur_mode, numerical_note, cudnnGraphNotSupportedError, pygraph):
        setattr(module, part.__name__, part)
    module.create_handle, module.set_stream = Handle, _set_stream  # type: ignore
    module.backend_version = lambda: 92801  # type: ignore
    known[:] = PLANS
    ran.clear()
    return module
