"""Vectors of float32 for numba kernels, as wide as the registers of this processor.

Numba leaves it to the compiler whether a loop becomes vector code, and with many arrays in one loop it often does not.
Here a kernel says so itself: `load` and `store` move `WIDTH` neighbouring values, ``+``, ``-`` and ``*`` work on all of
them. Indices are flat, into C-contiguous arrays, and are not checked. Imported on first use: numba takes its time.
"""

from __future__ import annotations

import operator
import platform
from collections.abc import Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils, codegen, config
from numba.core.extending import intrinsic, models, overload, register_model


def _features() -> str:
    """The instruction sets that numba compiles for, as NUMBA_CPU_FEATURES and NUMBA_CPU_NAME may restrict them."""
    restricted = getattr(config, "CPU_FEATURES", None)
    return str(codegen.get_host_cpu_features() if restricted is None else restricted)


WIDTH = 16 if "+avx512f" in _features() else 8 if "+avx2" in _features() else 4
REGISTERS = 32 if WIDTH == 16 or platform.machine() in ("aarch64", "arm64") else 16

FUSE = ("contract",)  # a product and its sum become one instruction where there is one


def primitive(function: Any) -> Any:
    """Numba's `intrinsic`, whose type says nothing of how it is called."""
    return intrinsic(function)


class VectorType(types.Type):
    """The numba type of WIDTH float32."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{WIDTH}")


vector = VectorType()
ir_vector = ir.VectorType(ir.FloatType(), WIDTH)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir_vector)


def place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, offset: int = 0) -> Any:
    """The address of the vector at a flat index (plus a constant number of vectors)."""
    data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    at = builder.gep(data, [builder.add(index, index.type(offset * WIDTH))] if offset else [index], inbounds=True)
    return builder.bitcast(at, ir_vector.as_pointer())


def _mask(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)


def broadcast(builder: Any, value: Any) -> Any:
    """A vector of equal values."""
    first = builder.insert_element(ir.Constant(ir_vector, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, _mask([0] * WIDTH))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c."""
    return builder.fadd(builder.fmul(a, b, flags=FUSE), c, flags=FUSE)


def constant(value: float) -> Any:
    """A vector of equal values that is known while code is generated."""
    return ir.Constant(ir_vector, [value] * WIDTH)


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, one instruction wherever the processor has it."""
    kind = ir.FunctionType(ir_vector, [ir_vector] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{WIDTH}f32"), [a, b, c])


def prefetch(builder: Any, address: Any) -> None:
    """Ask for the value at an address to be brought to the cache of the second level."""
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    reading, level, data = number(0), number(2), number(1)
    builder.call(function, [builder.bitcast(address, pointer), reading, level, data])


def _to_intp(context: Any, builder: Any, value: Any, kind: Any) -> Any:
    return context.cast(builder, value, kind, types.intp)


@primitive
def load(typing: Any, array: Any, index: Any) -> Any:
    """load(array, index): the vector at a flat index."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _to_intp(context, builder, args[1], signature.args[1])
        return builder.load(place(context, builder, signature.args[0], args[0], at), align=4)

    return vector(array, index), generate


@primitive
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """store(array, index, vector)."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _to_intp(context, builder, args[1], signature.args[1])
        builder.store(args[2], place(context, builder, signature.args[0], args[0], at), align=4)
        return context.get_dummy_value()

    return types.void(array, index, vector), generate


@primitive
def splat(typing: Any, value: Any) -> Any:
    """splat(x): a vector of equal values."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return broadcast(builder, context.cast(builder, args[0], signature.args[0], types.float32))

    return vector(value), generate


def _arithmetic(name: str) -> Any:
    @primitive
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*args, flags=FUSE)

        return vector(vector, vector), generate

    return operation


_add, _sub, _mul = (_arithmetic(name) for name in ("fadd", "fsub", "fmul"))


def _overload(symbol: Any, operation: Any) -> None:
    @overload(symbol, inline="always")
    def implement(a, b):  # no types: numba wants the same signature as the lambdas'
        if isinstance(a, VectorType) and isinstance(b, VectorType):
            return lambda a, b: operation(a, b)
        if isinstance(a, VectorType) and isinstance(b, types.Float | types.Integer):
            return lambda a, b: operation(a, splat(b))
        if isinstance(b, VectorType) and isinstance(a, types.Float | types.Integer):
            return lambda a, b: operation(splat(a), b)
        return None


for _symbol, _operation in ((operator.add, _add), (operator.sub, _sub), (operator.mul, _mul)):
    _overload(_symbol, _operation)


def _halves(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """The values of a and b in turn: first those of their lower halves, then those of their upper halves."""
    half = WIDTH // 2
    return tuple(builder.shuffle_vector(a, b, _mask([start + n // 2 + n % 2 * WIDTH for n in range(WIDTH)]))
                 for start in (0, half))


def _pick(builder: Any, parts: Sequence[Any], places: Sequence[int]) -> Any:
    """A vector of the values at these places of the parts, put one behind the other."""
    result = parts[0]
    for n, part in enumerate(parts[1:], 1):
        new = range(n * WIDTH, (n + 1) * WIDTH)
        if n == 1:
            mask = [at if at < 2 * WIDTH else 0 for at in places]
        else:
            mask = [WIDTH + at - n * WIDTH if at in new else lane for lane, at in enumerate(places)]
        result = builder.shuffle_vector(result, part, _mask(mask))
    return result


def deal(builder: Any, parts: Sequence[Any]) -> list[Any]:
    """Deal the values of N vectors, one behind the other, to N vectors in turn; N is 2, 3 or a product of these."""
    count = len(parts)
    if count in (2, 3):
        return [_pick(builder, parts, range(start, count * WIDTH, count)) for start in range(count)]
    pairs = [deal(builder, parts[n:n + 2]) for n in range(0, count, 2)]
    by_two = [deal(builder, [pair[n] for pair in pairs]) for n in range(2)]
    return [by_two[n % 2][n // 2] for n in range(count)]


def collect(builder: Any, parts: Sequence[Any]) -> list[Any]:
    """The inverse of `deal`."""
    count = len(parts)
    if count in (2, 3):
        order = [n % count * WIDTH + n // count for n in range(count * WIDTH)]
        return [_pick(builder, parts, order[n:n + WIDTH]) for n in range(0, count * WIDTH, WIDTH)]
    by_two = [collect(builder, parts[n::2]) for n in range(2)]
    return [part for pair in zip(*by_two, strict=True) for part in collect(builder, pair)]


def shift(builder: Any, values: Any, following: Any, lane: int) -> Any:
    """The values without the first one, and lane number `lane` of another vector behind them."""
    return builder.shuffle_vector(values, following, _mask([*range(1, WIDTH), WIDTH + lane]))


def relu(builder: Any, values: Any) -> Any:
    """What is above 0, and 0 times what is not: 0, or NaN if that is infinite or NaN."""
    zero = ir.Constant(ir_vector, None)
    above = builder.select(builder.fcmp_ordered("<", values, zero), zero, values)
    below = builder.select(builder.fcmp_ordered(">", values, zero), zero, values)
    return builder.fadd(above, builder.fmul(zero, below))


@primitive
def transpose(typing: Any, source: Any, start: Any, step: Any, target: Any, origin: Any, pace: Any) -> Any:
    """Copy WIDTH vectors, `step` apart from source[start], to columns of vectors `pace` apart from target[origin]."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def at(array: int, first: int, gap: int, number: int) -> Any:
            base, stride = (_to_intp(context, builder, args[n], signature.args[n]) for n in (first, gap))
            index = builder.add(base, builder.mul(stride, stride.type(number)))
            return place(context, builder, signature.args[array], args[array], index)

        rows = [builder.load(at(0, 1, 2, n), align=4) for n in range(WIDTH)]
        half = WIDTH // 2
        for _ in range(WIDTH.bit_length() - 1):  # perfect shuffles, one per bit of the index
            rows = [row for pair in zip(rows[:half], rows[half:], strict=True) for row in _halves(builder, *pair)]
        for n, row in enumerate(rows):
            builder.store(row, at(3, 4, 5, n), align=4)
        return context.get_dummy_value()

    return types.void(source, start, step, target, origin, pace), generate
