"""The sections of the page, each from what the other modules found out."""

from __future__ import annotations

from collections.abc import Sequence

from ...proto import caffe_pb2
from ..lint import ERROR, Finding
from ..shapes import NetShapes
from ..summary import Summary
from . import html
from .crops import CropOffset
from .losses import MEANING, Loss
from .padding import Padding, Sides

MEAN = 1.5  # a loss of more than so many times the mean over all predictions depends on their number


def overview(summary: Summary, shapes: NetShapes) -> str:
    """What the net is, in a few numbers."""
    phase = caffe_pb2.Phase.Name(shapes.phase)
    inputs = [f"{name} {'x'.join(map(str, shape)) if shape else 'of unknown shape'}"
              for row in shapes.layers if not row.param.bottom
              for name, shape in zip(row.param.top, row.tops, strict=False)]
    guess = "Shapes of data layers are assumed; give others with --size." if shapes.assumed else ""
    parts = [html.paragraph(
        f"{len(summary.rows)} layers in phase {phase}, {summary.total.params:,} parameters, "
        f"{summary.total.flops / 1e9:,.2f} GFLOP for a forward pass at these inputs: "
        f"{', '.join(inputs) or 'none'}.", guess,
        f"A forward pass needs {summary.forward_bytes / 2**20:,.0f} MiB, a training step "
        f"{summary.training_bytes / 2**20:,.0f} MiB (blobs and parameters).")]
    parts += [html.paragraph(f"{row.param.type} '{row.param.name}' is refused: "
                             f"{getattr(row.error, 'message', row.error)}", kind="bad") for row in shapes.errors]
    return "\n".join(parts)


def picture(svg: str) -> str:
    """The drawing."""
    return html.section("Picture", svg)


def table(summary: Summary) -> str:
    """Every layer with its numbers."""
    header, rows = summary.cells()
    words = ("field: how many pixels of the input one output sees. map: output x lies at this pixel of the input. "
             "Kernels count their dilation.")
    return html.section("Layers", html.paragraph(words), html.table(header, rows, left=3, total=True))


def crops(found: Sequence[CropOffset]) -> str:
    """The derivation of every crop offset."""
    if not found:
        return html.section("Crop offsets", html.paragraph("No layer crops rows and columns."))
    parts = [html.paragraph(
        "A Crop must lay each pixel over the one that it was computed from. Every layer maps coordinates: a window of "
        "k pixels with stride s and padding p puts its output x at s x + (k - 1) / 2 - p of its input; a deconvolution "
        "does the same backwards. Composed along the way from the first bottom of the Crop to the second, the scales "
        "cancel and a shift is left: its negative is the offset.")]
    for crop in found:
        parts += [html.heading(f"{crop.layer}: {crop.bottoms[0]} like {crop.bottoms[1]}")]
        parts += [html.block(crop.steps)] if crop.steps else []
        given, derived = _numbers(crop.given), _numbers(crop.derived or ())
        if crop.derived is None:
            parts.append(html.paragraph(f"No offset follows: {crop.reason}. The file says {given}.", kind="bad"))
        elif crop.agrees:
            parts.append(html.paragraph(f"The offset that follows is {derived}, as in the file.", kind="good"))
        else:
            parts.append(html.paragraph(f"The offset that follows is {derived}, but the file says {given}.",
                                        kind="bad"))
    return html.section("Crop offsets", *parts)


def padding(found: Sequence[Padding], crops: Sequence[CropOffset], sides: Sides) -> str:
    """Why layers pad as much as they do."""
    if not found:
        return html.section("Padding", html.paragraph(
            f"No convolution pads more than it needs to keep the size of its input. The net {sides}."))
    parts = []
    for pad in found:
        parts += [html.heading(f"Why pad {pad.pad} in {pad.layer}"), html.paragraph(*_purpose(pad)),
                  html.paragraph(*_limits(pad)), html.paragraph(*(_price(pad) if crops else []))]
    return html.section("Padding", *parts)


def _purpose(pad: Padding) -> list[str]:
    """What a large padding makes up for."""
    words = [f"To keep the size of its input, its {pad.window}x{pad.window} window would need a pad of {pad.usual}. "
             f"With {pad.pad} its output is {pad.grows} pixels larger than its input along each axis."]
    for layer, lost, scale in pad.shrinking:
        words.append(f"Behind it '{layer}' has less padding than its window takes and gives {lost} pixels less than it "
                     f"gets; each stands for {scale:g} pixels of the input: {lost * scale:g} in all.")
    for crop, missing in pad.uncovered:
        words.append(f"With pad {pad.usual} what '{crop}' cuts would not cover the image: its offset would be "
                     f"{-missing:g}, so {missing:g} pixels at each side would have no score.")
    return words


def _limits(pad: Padding) -> list[str]:
    """For which inputs the net runs with it and without."""
    words = [f"With pad {pad.usual} the net {pad.bare_sides}."]
    words += [f"One pixel less is refused by {pad.refusing}."] if pad.refusing else []
    words.append(f"With pad {pad.pad} it {pad.sides}.")
    if pad.enough and pad.needed and pad.enough < pad.needed:
        words.append(f"For large inputs a pad of {pad.enough} would do.")
    if pad.needed == pad.pad:
        words.append("For inputs as small as that no smaller pad would do.")
    elif pad.needed:
        words.append(f"For inputs as small as that a pad of {pad.needed} would do; {pad.pad} leaves a margin.")
    return words


def _price(pad: Padding) -> list[str]:
    return ["The border of zeros moves the coordinates of all blobs behind; the offsets of the crops take that back. "
            f"The price is time: the layers compute {pad.grows} more rows and columns."]


def loss(found: Sequence[Loss], others: Sequence[str]) -> str:
    """What the losses' numbers mean."""
    if not found and not others:
        return html.section("Loss", html.paragraph("The net has no loss in this phase."))
    parts = []
    for one in found:
        parts += [html.heading(f"{one.layer} ({one.type})"), html.paragraph(*_scale(one))]
    if others:
        parts.append(html.paragraph(f"Nothing is known here about the scale of: {', '.join(others)}."))
    if len(found) + len(others) > 1:
        parts.append(html.paragraph("Training minimises the sum of all losses, each times its weight."))
    return html.section("Loss", *parts)


def _scale(one: Loss) -> list[str]:
    """Sentences about the scale of a loss."""
    if not one.mode:
        return [f"Half the sum of the {one.predictions:,} squared differences, divided by the number of images "
                f"({one.divisor / 2:g}); weight {one.weight:g}. It grows with the size of the inputs."]
    ignored = f" Pixels with label {one.ignored} do not count." if one.ignored is not None else ""
    counted = f"{one.divisor:,.0f}"
    if one.mode == "VALID":
        counted = f"as many as are not ignored (at most {counted})"
    words = [f"Normalisation {one.mode}: {MEANING[one.mode]}; weight {one.weight:g}.{ignored}",
             f"At this size there are {one.predictions:,} predictions, and their sum is divided by {counted}."]
    if one.start is not None:
        words.append(f"An untrained net, for which all classes are equally likely, has a loss of about "
                     f"{one.start * one.weight:,.6g}; one above that is worse than guessing.")
    if one.terms <= MEAN:
        return [*words, "Loss and gradients do not depend on the size of the images; learning rates are those of "
                        "classification nets."]
    return [*words,
            f"Loss and gradients are {one.terms:,.0f} times those of a mean over all predictions, and they grow with "
            "the size of the images. So is the step: a learning rate of 1e-10 here moves the weights as "
            f"{one.terms * 1e-10:.3g} would with the mean. Rates, weight decay and gradient clipping must be chosen "
            "together with the normalisation."]


def findings(found: Sequence[Finding]) -> str:
    """What lint says."""
    rows = [(f"{one.line}", one.severity, one.rule, one.layer or "",
             f"{one.message}{f' (silenced: {one.silenced})' if one.silenced else ''}") for one in found]
    if not rows:
        return html.section("Findings", html.paragraph("caffe-fcn lint finds nothing.", kind="good"))
    errors = sum(one.severity == ERROR and one.silenced is None for one in found)
    words = f"caffe-fcn lint finds {len(rows)} thing{'s' * (len(rows) > 1)}; errors: {errors}."
    return html.section("Findings", html.paragraph(words),
                        html.table(["line", "severity", "rule", "layer", "finding"], rows, left=5))


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
