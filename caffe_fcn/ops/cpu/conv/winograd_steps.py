"""One-dimensional transforms of Winograd's convolution: formulas, and the vector code that is made of them.

They are those of Toom and Cook: for tiles of four outputs with the points 0, -A, A, -B, B and infinity, for tiles of
six with 0, -P, P, -Q, Q, -R, R and infinity. With A = sqrt(1/2) and B = sqrt(2) rounding errors are a quarter of those
for the usual points 1 and 2; for P, Q and R a search found none that are better than the usual 1/2, 1 and 2. A formula
takes and returns sequences of anything that can be added and multiplied by numbers.

`..._columns` (source, at, step, target, place, pace) apply a formula to vectors that lie `step` apart from source[at],
and store the results `pace` apart from target[place]. All values are loaded before the first is stored.
`..._rows` do that along a row of tiles, one tile per lane; see `_rows_in` and `_rows_out`. Imported on first use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from numba import types

from .. import simd
from ..simd import WIDTH

A, B = math.sqrt(0.5), math.sqrt(2.0)
P, Q, R = 0.5, 1.0, 2.0
THIRD = 1 / 3
PAIRS = (P, Q * Q + R * R, Q * Q * R * R), (Q, P * P + R * R, P * P * R * R), (R, P * P + Q * Q, P * P * Q * Q)


class Lanes:
    """A vector times a number, while code is generated: what the formulas calculate with.

    A product that is added to something becomes one instruction with the sum where there is one. That is said here and
    not left to the compiler, which might choose another of two products in another kernel, and give other bits.
    """

    def __init__(self, builder: Any, value: Any, factor: float = 1.0) -> None:
        self.builder, self.value, self.factor = builder, value, factor

    @property
    def product(self) -> Any:
        """The vector with its factor."""
        if self.factor == 1:
            return self.value
        return self.builder.fmul(self.value, simd.constant(self.factor))

    def _plus(self, factor: float, value: Any) -> Lanes:
        """Add a number times a vector."""
        total = simd.fused(self.builder, simd.constant(factor), value, self.product)
        return Lanes(self.builder, total)

    def __add__(self, other: Lanes) -> Lanes:
        if other.factor != 1:
            return self._plus(other.factor, other.value)
        if self.factor != 1:
            return other._plus(self.factor, self.value)
        return Lanes(self.builder, self.builder.fadd(self.value, other.value))

    def __sub__(self, other: Lanes) -> Lanes:
        if other.factor != 1 or self.factor != 1:
            return self._plus(-other.factor, other.value)
        return Lanes(self.builder, self.builder.fsub(self.value, other.value))

    def __rmul__(self, factor: float) -> Lanes:
        return Lanes(self.builder, self.value, factor * self.factor)


Formula = Callable[[Sequence[Any]], Sequence[Any]]


def image_by_4(d: Sequence[Any]) -> Sequence[Any]:
    """Six neighbouring values to six, as the transpose of interpolation."""
    even, odd = d[4] - 2.0 * d[2], A * (d[3] - 2.0 * d[1])
    even2, odd2 = d[4] - 0.5 * d[2], B * (d[3] - 0.5 * d[1])
    return d[0] + d[4] - 2.5 * d[2], even + odd, even - odd, even2 + odd2, even2 - odd2, d[1] + d[5] - 2.5 * d[3]


def gradient_by_4(y: Sequence[Any]) -> Sequence[Any]:
    """Four gradients of outputs to six values: the transpose of `output_by_4`."""
    even, odd = y[0] + 0.5 * y[2], A * (y[1] + 0.5 * y[3])
    even2, odd2 = y[0] + 2.0 * y[2], B * (y[1] + 2.0 * y[3])
    return y[0], even + odd, even - odd, even2 + odd2, even2 - odd2, y[3]


def output_by_4(m: Sequence[Any]) -> Sequence[Any]:
    """Six products to four outputs."""
    even, odd, even2, odd2 = m[1] + m[2], A * (m[1] - m[2]), m[3] + m[4], B * (m[3] - m[4])
    return m[0] + even + even2, odd + odd2, 0.5 * even + 2.0 * even2, 0.5 * odd + 2.0 * odd2 + m[5]


def weight_by_4(g: Sequence[Any]) -> Sequence[Any]:
    """Three taps to six values."""
    even, odd = (-2 * THIRD) * g[0] - THIRD * g[2], (-2 * THIRD * A) * g[1]
    even2, odd2 = (THIRD / 2) * g[0] + THIRD * g[2], (THIRD / 2 * B) * g[1]
    return g[0], even + odd, even - odd, even2 + odd2, even2 - odd2, g[2]


def taps_by_4(m: Sequence[Any]) -> Sequence[Any]:
    """Six sums of products to gradients of three taps: the transpose of `weight_by_4`."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return (m[0] + (-2 * THIRD) * even + (THIRD / 2) * even2, (-2 * THIRD * A) * odd + (THIRD / 2 * B) * odd2,
            m[5] + THIRD * (even2 - even))


def image_by_6(d: Sequence[Any]) -> Sequence[Any]:
    """Eight neighbouring values to eight."""
    one, two, three = P * P + Q * Q + R * R, P * P * Q * Q + P * P * R * R + Q * Q * R * R, P * P * Q * Q * R * R
    result = [three * d[0] - two * d[2] + one * d[4] - d[6]]
    for point, total, product in PAIRS:
        even, odd = d[6] - total * d[4] + product * d[2], point * (d[5] - total * d[3] + product * d[1])
        result += [even + odd, even - odd]
    return [*result, d[7] - one * d[5] + two * d[3] - three * d[1]]


def output_by_6(m: Sequence[Any]) -> Sequence[Any]:
    """Eight products to six outputs."""
    evens, odds = [m[n] + m[n + 1] for n in (1, 3, 5)], [m[n] - m[n + 1] for n in (1, 3, 5)]

    def total(terms: Sequence[Any], power: int) -> Any:
        return P**power * terms[0] + Q**power * terms[1] + R**power * terms[2]

    return (m[0] + total(evens, 0), total(odds, 1), total(evens, 2), total(odds, 3), total(evens, 4),
            total(odds, 5) + m[7])


def _weight_scale(point: float, total: float, product: float) -> float:
    """The common factor of what two opposite points make of the taps."""
    return 1 / (2 * point**2 * (point**4 - total * point**2 + product))


def weight_by_6(g: Sequence[Any]) -> Sequence[Any]:
    """Three taps to eight values."""
    result = [(1 / (P * Q * R) ** 2) * g[0]]
    for point, total, product in PAIRS:
        scale = _weight_scale(point, total, product)
        even, odd = scale * g[0] + (scale * point**2) * g[2], (scale * point) * g[1]
        result += [even + odd, even - odd]
    return [*result, g[2]]


def gradient_by_6(y: Sequence[Any]) -> Sequence[Any]:
    """Six gradients of outputs to eight values: the transpose of `output_by_6`."""
    result = [y[0]]
    for point in (P, Q, R):
        even = y[0] + point**2 * y[2] + point**4 * y[4]
        odd = point * (y[1] + point**2 * y[3] + point**4 * y[5])
        result += [even + odd, even - odd]
    return [*result, y[5]]


def taps_by_6(m: Sequence[Any]) -> Sequence[Any]:
    """Eight sums of products to gradients of three taps: the transpose of `weight_by_6`."""
    first, second, third = (1 / (P * Q * R) ** 2) * m[0], None, m[7]
    for n, (point, total, product) in zip((1, 3, 5), PAIRS, strict=True):
        scale = _weight_scale(point, total, product)
        even, odd = m[n] + m[n + 1], m[n] - m[n + 1]
        first, third = first + scale * even, third + (scale * point**2) * even
        second = (scale * point) * odd if second is None else second + (scale * point) * odd
    return first, second, third


def _load(context: Any, builder: Any, kinds: Any, args: Any, array: int, index: Any, count: int,
          step: Any) -> list[Any]:
    """Vectors from array argument number `array`, `step` values apart from a flat index."""
    places = (builder.add(index, builder.mul(step, step.type(n))) for n in range(count))
    return [builder.load(simd.place(context, builder, kinds[array], args[array], at), align=4) for at in places]


def _store(context: Any, builder: Any, kinds: Any, args: Any, array: int, index: Any, step: Any,
           values: Sequence[Any]) -> None:
    for n, value in enumerate(values):
        at = builder.add(index, builder.mul(step, step.type(n)))
        builder.store(value, simd.place(context, builder, kinds[array], args[array], at), align=4)


def _apply(builder: Any, formula: Formula, values: Sequence[Any]) -> list[Any]:
    return [result.product for result in formula([Lanes(builder, value) for value in values])]


def _columns(formula: Formula, count: int) -> Any:
    @simd.primitive
    def columns(typing: Any, source: Any, at: Any, step: Any, target: Any, place: Any, pace: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = signature.args
            start, step, place, pace = (context.cast(builder, args[n], kinds[n], types.intp) for n in (1, 2, 4, 5))
            values = _load(context, builder, kinds, args, 0, start, count, step)
            _store(context, builder, kinds, args, 3, place, pace, _apply(builder, formula, values))
            return context.get_dummy_value()

        return types.void(source, at, step, target, place, pace), generate

    return columns


def _rows_in(formula: Formula, tile: int, overlap: bool) -> Any:
    """(source, at, target, place, pace): a row of WIDTH tiles from source[at] on, `tile` values each.

    With `overlap` a formula takes two more values, those that follow the tile. Results go `pace` apart.
    """
    @simd.primitive
    def rows(typing: Any, source: Any, at: Any, target: Any, place: Any, pace: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = signature.args
            start, place, pace = (context.cast(builder, args[n], kinds[n], types.intp) for n in (1, 3, 4))
            values = simd.deal(builder, _load(context, builder, kinds, args, 0, start, tile, start.type(WIDTH)))
            if overlap:
                after = builder.add(start, start.type(tile * WIDTH))
                last = builder.load(simd.place(context, builder, kinds[0], args[0], after), align=4)
                values += [simd.shift(builder, values[n], last, n) for n in range(2)]
            _store(context, builder, kinds, args, 2, place, pace, _apply(builder, formula, values))
            return context.get_dummy_value()

        return types.void(source, at, target, place, pace), generate

    return rows


def _rows_out(formula: Formula, tile: int) -> Any:
    """(source, at, bias, relu, target, place): the vectors from source[at] on to a row of WIDTH tiles.

    Each gives `tile` values. `bias` (float32) is added to them, with `relu` what is negative becomes 0 (NaN if
    infinite, as the layer has it).
    """
    @simd.primitive
    def rows(typing: Any, source: Any, at: Any, bias: Any, relu: Any, target: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kinds = signature.args
            start, place = (context.cast(builder, args[n], kinds[n], types.intp) for n in (1, 5))
            offset = simd.broadcast(builder, context.cast(builder, args[2], kinds[2], types.float32))
            joined = context.cast(builder, args[3], kinds[3], types.boolean)
            values = _load(context, builder, kinds, args, 0, start, tile + 2, start.type(WIDTH))
            results = []
            for value in _apply(builder, formula, values):
                plain = builder.fadd(value, offset)
                results.append(builder.select(joined, simd.relu(builder, plain), plain))
            _store(context, builder, kinds, args, 4, place, place.type(WIDTH), simd.collect(builder, results))
            return context.get_dummy_value()

        return types.void(source, at, bias, relu, target, place), generate

    return rows


image4_columns, image4_rows = _columns(image_by_4, 6), _rows_in(image_by_4, 4, True)
image6_columns, image6_rows = _columns(image_by_6, 8), _rows_in(image_by_6, 6, True)
gradient4_columns, gradient4_rows = _columns(gradient_by_4, 4), _rows_in(gradient_by_4, 4, False)
gradient6_columns, gradient6_rows = _columns(gradient_by_6, 6), _rows_in(gradient_by_6, 6, False)
output4_columns, output4_rows = _columns(output_by_4, 6), _rows_out(output_by_4, 4)
output6_columns, output6_rows = _columns(output_by_6, 8), _rows_out(output_by_6, 6)
weight4_columns, weight6_columns = _columns(weight_by_4, 3), _columns(weight_by_6, 3)
taps4_columns, taps6_columns = _columns(taps_by_4, 6), _columns(taps_by_6, 8)
