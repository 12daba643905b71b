"""Vectors of float32 for numba kernels, as wide as the registers of this processor.

Numba leaves it to the compiler whether a loop becomes vector code, and with many arrays in one loop it often does not.
Here a kernel says so itself: `load` and `store` move `WIDTH` neighbouring values, ``+``, ``-`` and ``*`` work on all of
them. Indices are flat, into C-contiguous arrays, and are not checked. Imported on first use: numba takes its time.

Numba's cache on disk looks at a kernel's own file only: after a change here, touch the files that import it.
"""

from __future__ import annotations

import operator
import platform
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils, codegen, config
from numba.core.extending import intrinsic, models, overload, register_model


def _features() -> str:
    """The instruction sets that numba compiles for, as NUMBA_CPU_FEATURES may restrict them."""
    return str(getattr(config, "CPU_FEATURES", None) or codegen.get_host_cpu_features())


WIDTH = 16 if "+avx512f" in _features() else 8 if "+avx2" in _features() else 4
REGISTERS = 32 if WIDTH == 16 or platform.machine() in ("aarch64", "arm64") else 16

_FUSE = ("contract",)  # a product and its sum become one instruction where there is one


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
    return builder.fadd(builder.fmul(a, b, flags=_FUSE), c, flags=_FUSE)


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
            return getattr(builder, name)(*args, flags=_FUSE)

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


def _turns(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Every other value of a and b, from the first and from the second on: the inverse of `_halves`."""
    return tuple(builder.shuffle_vector(a, b, _mask(list(range(start, 2 * WIDTH, 2))))
                 for start in (0, 1))


@primitive
def load4(typing: Any, array: Any, index: Any) -> Any:
    """load4(array, index): four vectors, the j-th of the values at index + j, index + j + 4 ..."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _to_intp(context, builder, args[1], signature.args[1])
        parts = [builder.load(place(context, builder, signature.args[0], args[0], at, n), align=4) for n in range(4)]
        (even, odd), (even2, odd2) = (_turns(builder, *pair) for pair in (parts[:2], parts[2:]))
        first, third = _turns(builder, even, even2)
        second, fourth = _turns(builder, odd, odd2)
        return context.make_tuple(builder, signature.return_type, [first, second, third, fourth])

    return types.UniTuple(vector, 4)(array, index), generate


@primitive
def store4(typing: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """store4(array, index, a, b, c, d): the inverse of load4."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _to_intp(context, builder, args[1], signature.args[1])
        low, high = (_halves(builder, args[2], args[4]), _halves(builder, args[3], args[5]))
        parts = [part for pair in zip(low, high, strict=True) for part in _halves(builder, *pair)]
        for n, part in enumerate(parts):
            builder.store(part, place(context, builder, signature.args[0], args[0], at, n), align=4)
        return context.get_dummy_value()

    return types.void(array, index, vector, vector, vector, vector), generate


@primitive
def shift(typing: Any, values: Any, last: Any) -> Any:
    """shift(vector, x): the vector without its first value, and x behind it."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        follower = broadcast(builder, context.cast(builder, args[1], signature.args[1], types.float32))
        return builder.shuffle_vector(args[0], follower, _mask(list(range(1, WIDTH + 1))))

    return vector(vector, last), generate


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
