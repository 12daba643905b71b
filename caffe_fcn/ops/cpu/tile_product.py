"""The innermost part of a matrix product: a tile of the result, held in registers.

F. Van Zee, R. van de Geijn: BLIS: A Framework for Rapidly Instantiating BLAS Functionality, 2015. BLAS libraries do the
same, but take their operands as plain matrices; here transformed or gathered values are written in the order in which
the tile reads them.

Left operands are packed as panels (panels, K, LEFT), right operands as (panels, K, RIGHT): what one step of the sum
reads lies side by side. Imported on first use, since numba takes its time.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from . import simd
from .simd import REGISTERS, WIDTH

ROWS = 8 if REGISTERS == 32 else 6  # of a tile: with its two vectors per row the sums fill the registers
RIGHT = 2 * WIDTH  # columns of a tile and of a panel of the right operand
LEFT = math.lcm(ROWS, WIDTH)  # rows of a panel of the left operand


def _product(wide: int, *kinds: Any) -> Any:
    """Signature and code of a tile of `wide` vectors in each row, for arguments of these types.

    The last two, `ahead` and `pace`, may be left out.
    """
    signature = types.void(*kinds)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        count, a0, b0, c0, step = (context.cast(builder, args[n], kinds[n], types.intp) for n in (0, 2, 4, 6, 7))
        zero = ir.Constant(simd.ir_vector, None)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(wide)] for _ in range(ROWS)]
        data = context.make_array(kinds[1])(context, builder, value=args[1]).data
        with cgutils.for_range(builder, count) as loop:
            row = builder.add(b0, builder.mul(loop.index, loop.index.type(RIGHT)))
            right = [builder.load(simd.place(context, builder, kinds[3], args[3], row, n), align=4)
                     for n in range(wide)]
            column = builder.add(a0, builder.mul(loop.index, loop.index.type(LEFT)))
            if len(kinds) > 9:
                ahead, pace = (context.cast(builder, args[n], kinds[n], types.intp) for n in (9, 10))
                later = builder.add(ahead, builder.mul(loop.index, pace))
                simd.prefetch(builder, builder.gep(data, [later]))
            for i in range(ROWS):
                value = builder.load(builder.gep(data, [builder.add(column, column.type(i))], inbounds=True))
                left = simd.broadcast(builder, value)
                for total, other in zip(sums[i], right, strict=True):
                    builder.store(simd.multiply_add(builder, left, other, builder.load(total)), total)
        places = [[simd.place(context, builder, kinds[5], args[5], builder.add(c0, builder.mul(step, step.type(i))), n)
                   for n in range(wide)] for i in range(ROWS)]
        pairs = [pair for row, targets in zip(sums, places, strict=True) for pair in zip(row, targets, strict=True)]
        with builder.if_else(context.cast(builder, args[8], kinds[8], types.boolean)) as (then, otherwise):
            with then:
                for total, target in pairs:
                    builder.store(builder.fadd(builder.load(target, align=4), builder.load(total)), target, align=4)
            with otherwise:
                for total, target in pairs:
                    builder.store(builder.load(total), target, align=4)
        return context.get_dummy_value()

    return signature, generate


@simd.primitive
def tile_product(typing: Any, count: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, step: Any,
                 add: Any) -> Any:
    """tile_product(count, a, a0, b, b0, c, c0, step, add): ROWS x RIGHT values of a product, `count` long sums.

    a[a0 + LEFT * k + i] times b[b0 + RIGHT * k + j], summed over k, goes to (or with `add` is added to)
    c[c0 + step * i + j]. All indices are flat; nothing is checked.
    """
    return _product(2, count, a, a0, b, b0, c, c0, step, add)


@simd.primitive
def half_product(typing: Any, count: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, step: Any,
                 add: Any) -> Any:
    """As tile_product for the left half of the tile, ROWS x WIDTH values."""
    return _product(1, count, a, a0, b, b0, c, c0, step, add)


@simd.primitive
def tile_product_ahead(typing: Any, count: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, step: Any, add: Any,
                       ahead: Any, pace: Any) -> Any:
    """As tile_product; step k also asks for a[ahead + pace * k] to be brought to the cache, which may lie outside a.

    So that the left operand, which is large, comes from the main memory while others are multiplied.
    """
    return _product(2, count, a, a0, b, b0, c, c0, step, add, ahead, pace)


@simd.primitive
def half_product_ahead(typing: Any, count: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, step: Any, add: Any,
                       ahead: Any, pace: Any) -> Any:
    """As tile_product_ahead for the left half of the tile, ROWS x WIDTH values."""
    return _product(1, count, a, a0, b, b0, c, c0, step, add, ahead, pace)
