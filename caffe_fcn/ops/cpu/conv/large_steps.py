"""The one-dimensional transforms of `large_kernels`: load some vectors, transform them, store the results.

They are those of Toom and Cook for four outputs and four taps, with the points A, -A, B, -B, C, -C and infinity. Of
some sets that were tried numerically these had the least rounding errors. The code is generated here, not compiled
from Python, which would take seconds. Imported on first use, since numba takes its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from .. import simd

A, B, C = 0.375, 0.75, 1.5
A2, B2, C2 = A * A, B * B, C * C
A3, B3, C3 = A * A2, B * B2, C * C2
NA, NB, NC = 0.5 / (A2 - B2) / (A2 - C2), 0.5 / (B2 - A2) / (B2 - C2), 0.5 / (C2 - A2) / (C2 - B2)
UA, UB, UC = NA / A, NB / B, NC / C


class _Vector:
    """A vector in generated code; what a formula does with it becomes instructions."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: _Vector) -> _Vector:
        return _Vector(self.builder, self.builder.fadd(self.value, other.value, flags=("contract",)))

    def __sub__(self, other: _Vector) -> _Vector:
        return _Vector(self.builder, self.builder.fsub(self.value, other.value, flags=("contract",)))

    def __rmul__(self, factor: float) -> _Vector:
        constant = ir.Constant(simd.ir_vector, [factor] * simd.WIDTH)
        return _Vector(self.builder, self.builder.fmul(self.value, constant, flags=("contract",)))


def _evaluate(g0: Any, g1: Any, g2: Any, g3: Any) -> tuple[Any, ...]:
    even, odd = g0 + A2 * g2, A * g1 + A3 * g3
    even2, odd2 = g0 + B2 * g2, B * g1 + B3 * g3
    even3, odd3 = g0 + C2 * g2, C * g1 + C3 * g3
    return even + odd, even - odd, even2 + odd2, even2 - odd2, even3 + odd3, even3 - odd3, g3


def _collect(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any, m6: Any) -> tuple[Any, ...]:
    even, odd, even2, odd2, even3, odd3 = m0 + m1, m0 - m1, m2 + m3, m2 - m3, m4 + m5, m4 - m5
    return (even + even2 + even3, A * odd + B * odd2 + C * odd3, A2 * even + B2 * even2 + C2 * even3,
            m6 + A3 * odd + B3 * odd2 + C3 * odd3)


def _from_pixels(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any, d6: Any) -> tuple[Any, ...]:
    even, odd = NA * (d4 - (B2 + C2) * d2 + B2 * C2 * d0), UA * (d5 - (B2 + C2) * d3 + B2 * C2 * d1)
    even2, odd2 = NB * (d4 - (A2 + C2) * d2 + A2 * C2 * d0), UB * (d5 - (A2 + C2) * d3 + A2 * C2 * d1)
    even3, odd3 = NC * (d4 - (A2 + B2) * d2 + A2 * B2 * d0), UC * (d5 - (A2 + B2) * d3 + A2 * B2 * d1)
    return (even + odd, even - odd, even2 + odd2, even2 - odd2, even3 + odd3, even3 - odd3,
            d6 - (A2 + B2 + C2) * d4 + (A2 * B2 + A2 * C2 + B2 * C2) * d2 - A2 * B2 * C2 * d0)


def _to_pixels(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any, m6: Any) -> tuple[Any, ...]:
    even, odd, even2, odd2 = NA * (m0 + m1), UA * (m0 - m1), NB * (m2 + m3), UB * (m2 - m3)
    even3, odd3 = NC * (m4 + m5), UC * (m4 - m5)
    return (B2 * C2 * even + A2 * C2 * even2 + A2 * B2 * even3 - A2 * B2 * C2 * m6,
            B2 * C2 * odd + A2 * C2 * odd2 + A2 * B2 * odd3,
            (A2 * B2 + A2 * C2 + B2 * C2) * m6 - (B2 + C2) * even - (A2 + C2) * even2 - (A2 + B2) * even3,
            -(B2 + C2) * odd - (A2 + C2) * odd2 - (A2 + B2) * odd3,
            even + even2 + even3 - (A2 + B2 + C2) * m6, odd + odd2 + odd3, m6)


def _step(formula: Callable[..., tuple[Any, ...]], inputs: int) -> Any:
    """A primitive (source, at, step, target, to, pace, whole) for a formula of so many vectors."""
    @simd.primitive
    def move(typing: Any, source: Any, at: Any, step: Any, target: Any, to: Any, pace: Any, whole: Any) -> Any:
        kinds = (source, at, step, target, to, pace, whole)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = signature.args
            at, step, to, pace = (context.cast(builder, args[n], kinds[n], types.intp) for n in (1, 2, 4, 5))
            whole = context.cast(builder, args[6], kinds[6], types.boolean)

            def address(array: int, start: Any, gap: Any, number: int) -> Any:
                index = builder.add(start, builder.mul(gap, gap.type(number)))
                return simd.place(context, builder, kinds[array], args[array], index)

            vectors = [builder.load(address(0, at, step, n), align=4) for n in range(min(inputs, 6))]
            if inputs == 7:  # what is not there is neither read nor counted
                last = builder.select(whole, builder.mul(step, step.type(6)), step.type(0))
                value = builder.load(address(0, builder.add(at, last), step, 0), align=4)
                vectors.append(builder.select(whole, value, ir.Constant(simd.ir_vector, None)))
            results = formula(*(_Vector(builder, vector) for vector in vectors))
            for n, result in enumerate(results[:6]):
                builder.store(result.value, address(3, to, pace, n), align=4)
            if len(results) == 7:
                with builder.if_then(whole):
                    builder.store(results[6].value, address(3, to, pace, 6), align=4)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return move


# Each loads vectors from source[at], `step` apart, and stores the results to target[to], `pace` apart. Unless it is
# `whole`, the value at infinity is left out: where there would be seven vectors there are six.
evaluate = _step(_evaluate, 4)  # four coefficients to a polynomial's values at the points
collect = _step(_collect, 7)  # the transpose of evaluate: products to four outputs, sums to four taps
from_pixels = _step(_from_pixels, 7)  # seven neighbours in an image, the transpose of to_pixels
to_pixels = _step(_to_pixels, 7)  # values at the points to the coefficients of the polynomial


@simd.primitive
def accumulate(typing: Any, target: Any, to: Any, source: Any, at: Any) -> Any:
    """accumulate(target, to, source, at): add the vector source[at] to target[to]."""
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        places = [simd.place(context, builder, kinds[n], args[n],
                             context.cast(builder, args[n + 1], kinds[n + 1], types.intp)) for n in (0, 2)]
        builder.store(builder.fadd(*(builder.load(place, align=4) for place in places)), places[0], align=4)
        return context.get_dummy_value()

    return types.void(target, to, source, at), generate
