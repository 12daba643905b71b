"""Rules about deconvolutions that interpolate, and the crops behind them."""

from __future__ import annotations

from collections.abc import Iterator

from ...coord_map import AxisMismatch, UndefinedMap
from ..shapes import LayerShapes
from .rule import ERROR, INFO, WARNING, Note, View, setter, view_rule


def _pair(row: LayerShapes, field: str, default: int) -> tuple[int, ...]:
    """Kernel, stride or pad of a convolution, as often as it is written."""
    param = row.param.convolution_param
    stem = field.removesuffix("_size")
    if param.HasField(f"{stem}_h") or param.HasField(f"{stem}_w"):
        return getattr(param, f"{stem}_h"), getattr(param, f"{stem}_w")
    return tuple(getattr(param, field)) or (default,)


def _is_frozen(row: LayerShapes) -> bool:
    return bool(row.param.param) and row.param.param[0].lr_mult == 0


@view_rule("deconv-zero", ERROR)
def deconv_zero(view: View) -> Iterator[Note]:
    """A deconvolution without a filler starts at zero; with lr_mult 0 it stays there, its output and all gradients
    below it are zero, and nothing is learned. Only weights from a file or net surgery would help.
    """
    for row in view.of_type("Deconvolution"):
        param = row.param.convolution_param
        filler = param.weight_filler
        zero = filler.type == "constant" and filler.value == 0
        if view.has_loss and zero and _is_frozen(row) and not row.param.param[0].name:
            safe = param.group == param.num_output and param.group > 0
            yield Note(row, "starts at zero (no weight_filler) and stays there (lr_mult: 0); use weight_filler "
                            '{ type: "bilinear" } with group: num_output', ("convolution_param",),
                       setter("convolution_param.weight_filler", {"type": "bilinear"}) if safe else None)


@view_rule("bilinear-group", ERROR)
def bilinear_group(view: View) -> Iterator[Note]:
    """The bilinear filler writes the same kernel for every pair of channels; without group: num_output every output is
    the sum over all channels, not its own channel enlarged.
    """
    for row in view.of_type("Deconvolution"):
        param = row.param.convolution_param
        if param.weight_filler.type == "bilinear" and param.group != param.num_output:
            yield Note(row, f"interpolates with group: {param.group}, so each of the {param.num_output} outputs is the "
                            f"sum of all channels; set group: {param.num_output} (the shape of its weight changes)",
                       ("convolution_param",))


@view_rule("bilinear-kernel", WARNING)
def bilinear_kernel(view: View) -> Iterator[Note]:
    """Interpolation by a factor s takes a kernel of 2s - s % 2; others leave a pattern of stripes."""
    for row in view.of_type("Deconvolution"):
        if row.param.convolution_param.weight_filler.type != "bilinear":
            continue
        for kernel, stride in zip(_pair(row, "kernel_size", 1), _pair(row, "stride", 1), strict=False):
            if kernel != 2 * stride - stride % 2:
                yield Note(row, f"interpolates by {stride} with a kernel of {kernel}; it should be "
                                f"{2 * stride - stride % 2}", ("convolution_param", "kernel_size", 0))


@view_rule("bilinear-bias", INFO)
def bilinear_bias(view: View) -> Iterator[Note]:
    """Interpolation has no bias. One is a parameter more in the weight file, and learns unless its lr_mult is 0."""
    for row in view.of_type("Deconvolution"):
        param = row.param.convolution_param
        if param.weight_filler.type == "bilinear" and param.bias_term and param.num_output == param.group:
            yield Note(row, "interpolates, but has a bias; write bias_term: false", ("convolution_param",))


@view_rule("crop-offset", WARNING)
def crop_offset(view: View) -> Iterator[Note]:
    """The offset of a Crop follows from the layers between its two bottoms; with another one scores lie beside the
    pixels that they are for.
    """
    for row in view.of_type("Crop"):
        if len(row.param.bottom) != 2 or row.param.crop_param.axis != 2:
            continue
        given = tuple(row.param.crop_param.offset) or (0,)
        try:
            derived = view.maps.crop_offsets(*row.param.bottom)
        except (KeyError, UndefinedMap, AxisMismatch):
            continue
        except ValueError as error:
            yield Note(row, str(error), ("crop_param",))
            continue
        count = max(len(given), len(derived))
        if given * (count // len(given)) == derived * (count // len(derived)):
            continue
        values = derived[:1] if len(set(derived)) == 1 else derived
        yield Note(row, f"offset {', '.join(map(str, given))} is not the {', '.join(map(str, values))} that follows "
                        "from the layers between its bottoms", ("crop_param", "offset", 0),
                   setter("crop_param.offset", list(values)))
