"""Pictures as SVG."""

from __future__ import annotations

from html import escape

from .picture import WHITE, Curve, Picture, Point, Rect, Text

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', Arial, sans-serif"


def to_svg(picture: Picture, title: str = "") -> str:
    """The text of an SVG file. `title` is for readers that cannot see it."""
    width, height = _number(picture.width), _number(picture.height)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="{FONT}" role="img">',
             f"<title>{escape(title)}</title>",
             f'<rect width="{width}" height="{height}" fill="{WHITE}"/>']
    lines += [_rect(rect) for rect in picture.rects]
    lines += [_curve(curve) for curve in picture.curves]
    lines += [_text(text) for text in picture.texts if text.text]
    return "\n".join([*lines, "</svg>", ""])


def _rect(rect: Rect) -> str:
    stroke = f' stroke="{rect.stroke}"' if rect.stroke else ""
    radius = f' rx="{_number(rect.radius)}"' if rect.radius else ""
    sizes = " ".join(f'{name}="{_number(value)}"' for name, value in
                     zip(("x", "y", "width", "height"), rect[:4], strict=True))
    return f'<rect {sizes}{radius} fill="{rect.fill}"{stroke}/>'


def _text(text: Text) -> str:
    bold = ' font-weight="bold"' if text.bold else ""
    right = ' text-anchor="end"' if text.right else ""
    return (f'<text x="{_number(text.x)}" y="{_number(text.y)}" font-size="{_number(text.size)}" fill="{text.color}"'
            f'{bold}{right} xml:space="preserve">{escape(text.text)}</text>')


def _curve(curve: Curve) -> str:
    path = [f"M{_point(curve.start)}"]
    path += [f"{'C' if len(piece) == 3 else 'L'}{' '.join(map(_point, piece))}" for piece in curve.pieces]
    dashed = ' stroke-dasharray="4 3"' if curve.dashed else ""
    line = (f'<path d="{"".join(path)}" fill="none" stroke="{curve.color}" '
            f'stroke-width="{_number(curve.thickness)}"{dashed}/>')
    if not curve.arrow:
        return line
    return f'{line}<polygon points="{" ".join(map(_point, arrow_head(curve)))}" fill="{curve.color}"/>'


def arrow_head(curve: Curve) -> tuple[Point, Point, Point]:
    """The corners of the arrow at the end of a curve, which goes down or sideways there."""
    x, y = curve.pieces[-1][-1]
    before = curve.pieces[-1][-2] if len(curve.pieces[-1]) > 1 else (
        curve.pieces[-2][-1] if len(curve.pieces) > 1 else curve.start)
    if abs(before[1] - y) < 0.01 and abs(before[0] - x) > 0.01:
        back = -6 if before[0] < x else 6
        return (x, y), (x + back, y - 3), (x + back, y + 3)
    return (x, y), (x - 3, y - 6), (x + 3, y - 6)


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
