"""The innermost part of the products of `large_kernels`: sums of a few rows in registers, and what follows each other.

As in `tile_product`, but the left operand is read where it lies, and sums go on over several pieces of the operands.
Imported on first use, since numba takes its time.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from .. import simd
from ..simd import REGISTERS, WIDTH

RIGHT = 2 * WIDTH  # columns of a product, and what lies side by side in its operands
SIZES = (12, 8, 4) if REGISTERS == 32 else (6, 4, 2)  # rows that one product can have
ROWS = 8 if REGISTERS == 32 else 4  # rows of a product that is summed over tiles


@simd.primitive
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """prefetch(array, index): bring the value at a flat index, which may lie outside, to the second cache."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, value=args[0]).data
        simd.prefetch(builder, builder.gep(data, [context.cast(builder, args[1], signature.args[1], types.intp)]))
        return context.get_dummy_value()

    return types.void(array, index), generate


def _maker(rows: int, lane: int, step: int) -> Any:
    """A product of `rows` rows: value k of row i of the left operand is a[a0 + i * lane + k * step]."""
    @simd.primitive
    def product(typing: Any, pieces: Any, count: Any, a: Any, a0: Any, a_steps: Any, b: Any, b0: Any, b_steps: Any,
                c: Any, c0: Any, add: Any) -> Any:
        """product(pieces, count, a, a0, a_steps, b, b0, b_steps, c, c0, add): rows x RIGHT values.

        a[a0 + i * lane + k * step] times b[b0 + RIGHT * k + j], summed over k < count and over pieces[0] times
        pieces[1] pieces, a_steps and b_steps apart, goes to (or with `add` is added to) c[c0 + RIGHT * i + j].
        """
        kinds = (pieces, count, a, a0, a_steps, b, b0, b_steps, c, c0, add)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = signature.args
            length, a0, b0, c0 = (context.cast(builder, args[n], kinds[n], types.intp) for n in (1, 3, 6, 9))
            (down, across), a_steps, b_steps = (cgutils.unpack_tuple(builder, args[n], 2) for n in (0, 4, 7))
            zero = ir.Constant(simd.ir_vector, None)
            sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(2)] for _ in range(rows)]
            data = context.make_array(kinds[2])(context, builder, value=args[2]).data
            with cgutils.for_range(builder, down) as p, cgutils.for_range(builder, across) as q:
                left0, right0 = (builder.add(start, builder.add(builder.mul(p.index, steps[0]),
                                                                builder.mul(q.index, steps[1])))
                                 for start, steps in ((a0, a_steps), (b0, b_steps)))
                with cgutils.for_range(builder, length) as inner:
                    place = builder.add(right0, builder.mul(inner.index, inner.index.type(RIGHT)))
                    right = [builder.load(simd.place(context, builder, kinds[5], args[5], place, n), align=4)
                             for n in range(2)]
                    start = builder.add(left0, builder.mul(inner.index, inner.index.type(step)))
                    for i in range(rows):
                        at = builder.add(start, start.type(i * lane))
                        left = simd.broadcast(builder, builder.load(builder.gep(data, [at], inbounds=True)))
                        for total, other in zip(sums[i], right, strict=True):
                            builder.store(simd.multiply_add(builder, left, other, builder.load(total)), total)
            pairs = [(total, simd.place(context, builder, kinds[8], args[8], c0, 2 * i + n))
                     for i in range(rows) for n, total in enumerate(sums[i])]
            with builder.if_else(context.cast(builder, args[10], kinds[10], types.boolean)) as (then, otherwise):
                with then:
                    for total, target in pairs:
                        value = builder.fadd(builder.load(target, align=4), builder.load(total))
                        builder.store(value, target, align=4)
                with otherwise:
                    for total, target in pairs:
                        builder.store(builder.load(total), target, align=4)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return product


first_product, second_product, third_product = (_maker(rows, WIDTH, 1) for rows in SIZES)  # rows are tiles
tile_sum = _maker(ROWS, 1, WIDTH)  # rows are channels, and the sum is over tiles
