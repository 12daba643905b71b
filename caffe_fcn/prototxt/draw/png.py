"""Pictures as PNG, drawn by Pillow with the font that it brings along."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING

from ...errors import NotSupportedError
from .picture import WHITE, Curve, Picture, Point, Text
from .svg import arrow_head

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

FINE = 2  # pixels are drawn this many times smaller in each direction, then averaged
STEPS = 16  # straight pieces of a curve
DASH, SPACE = 4.0, 3.0
MOST_PIXELS = 1 << 28


def to_png(picture: Picture, scale: float = 2.0) -> bytes:
    """The bytes of a PNG file with `scale` pixels for each of the picture's.

    Raises NotSupportedError for a picture of more than 2**28 pixels before they are averaged.
    """
    from PIL import Image, ImageDraw

    zoom = scale * FINE
    size = max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))
    if size[0] * size[1] > MOST_PIXELS:
        raise NotSupportedError(f"a PNG of {size[0] // FINE} x {size[1] // FINE} pixels is too large; write SVG, or "
                                "choose a smaller scale")
    image = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(image)
    for rect in picture.rects:
        corners = [value * zoom for value in (rect.x, rect.y, rect.x + rect.width, rect.y + rect.height)]
        draw.rounded_rectangle(corners, rect.radius * zoom, rect.fill, rect.stroke or None, round(zoom))
    for curve in picture.curves:
        _curve(draw, curve, zoom)
    for text in picture.texts:
        _text(draw, text, zoom)
    file = io.BytesIO()
    image.reduce(FINE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _text(draw: ImageDraw, text: Text, zoom: float) -> None:
    """A text in the room that is planned for it: made smaller where the font is wider than expected."""
    from PIL import ImageFont

    if not text.text:
        return
    size = text.size * zoom
    font = ImageFont.load_default(size)
    bold = 0.02 * size if text.bold else 0
    wide = font.getlength(text.text) + 2 * bold
    if wide > text.width * zoom:
        font = ImageFont.load_default(size * text.width * zoom / wide)
    draw.text((text.x * zoom, text.y * zoom), text.text, text.color, font, anchor="rs" if text.right else "ls",
              stroke_width=bold, stroke_fill=text.color)


def _curve(draw: ImageDraw, curve: Curve, zoom: float) -> None:
    points = flatten(curve)
    thickness = max(1, round(curve.thickness * zoom))
    for piece in _dashes(points) if curve.dashed else [points]:
        draw.line([(x * zoom, y * zoom) for x, y in piece], curve.color, thickness, joint="curve")
    if curve.arrow:
        draw.polygon([(x * zoom, y * zoom) for x, y in arrow_head(curve)], curve.color)


def flatten(curve: Curve) -> list[Point]:
    """The curve as a chain of straight pieces."""
    points = [curve.start]
    for piece in curve.pieces:
        if len(piece) == 1:
            points += piece
            continue
        p0, (p1, p2, p3) = points[-1], piece
        for step in range(1, STEPS + 1):
            t = step / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            points.append((sum(w * p[0] for w, p in zip(weights, (p0, p1, p2, p3), strict=True)),
                           sum(w * p[1] for w, p in zip(weights, (p0, p1, p2, p3), strict=True))))
    return points


def _dashes(points: list[Point]) -> list[list[Point]]:
    """The pieces of a chain that a dashed line shows."""
    pieces: list[list[Point]] = [[points[0]]]
    on, left = True, DASH
    for (x0, y0), (x1, y1) in pairwise(points):
        length, done = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 0.0
        while length - done > left:
            done += left
            point = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if on:
                pieces[-1].append(point)
            else:
                pieces.append([point])
            on, left = not on, SPACE if on else DASH
        left -= length - done
        if on:
            pieces[-1].append((x1, y1))
    return [piece for piece in pieces if len(piece) > 1]
