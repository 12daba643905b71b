"""The report of a recorded run: one HTML page that needs no other file, server or network."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator, Sequence
from typing import Any

from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.training import charts
from caffe_fcn.training.forecast import duration
from caffe_fcn.training.runs import Run, load

STYLE = """body { font: 15px/1.45 sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: 2px 12px 2px 0; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
pre { background: #f5f5f5; padding: 1em; overflow: auto }
svg, img { max-width: 100%; height: auto } summary { cursor: pointer; font-weight: bold }"""


def write(folder: str | os.PathLike[str], file: str | os.PathLike[str] | None = None) -> None:
    """Write the report of the record in `folder` as `file` (report.html in that folder).

    Raises what `load` raises, NotSupportedError without matplotlib, FileAccessError.
    """
    run = load(folder)
    page = (f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(run.name)}</title>\n'
            f"<style>{STYLE}</style>\n" + "\n".join(_parts(run)) + "\n</html>\n")
    with atomic_write(file or run.folder / "report.html") as stream:
        stream.write(page.encode())


def _parts(run: Run) -> Iterator[str]:
    yield f"<h1>{html.escape(run.name)}</h1>"
    yield _table(["", ""], _summary(run))
    if run.iterations:
        yield "<h2>Training</h2>" + charts.svg(charts.progress(run))
    tests = charts.tests(run)
    if tests is not None:
        yield "<h2>Tests</h2>" + charts.svg(tests)
    yield from _segmentation(run)
    if run.end and run.end.get("layers"):
        yield "<h2>Time per layer</h2>" + _timings(run.end["layers"])
    for name in sorted(run.folder.glob("*.prototxt")):
        text = html.escape(name.read_text(encoding="utf-8"))
        yield f"<details><summary>{html.escape(name.name)}</summary><pre>{text}</pre></details>"


def _summary(run: Run) -> Iterator[Sequence[Any]]:
    if run.iterations:
        last = run.iterations[-1]
        seconds = sum(event["seconds"] for event in run.iterations)
        yield "iterations", last["iter"]
        yield "time in them", f"{duration(seconds)} ({len(run.iterations) / max(seconds, 1e-9):.2f} a second)"
        yield "last loss (smoothed)", _number(last["smoothed_loss"])
    end = "not ended yet, or killed" if run.end is None else run.end.get("error") or "ended as planned"
    yield "end", end
    for group in ("started", "folder"):
        yield group, run.facts.get(group, "")
    yield "command", " ".join(run.facts.get("command", []))
    for group in ("versions", "machine", "weights", "data"):
        for name, value in run.facts.get(group, {}).items():
            yield f"{group}: {name}", value


def _segmentation(run: Run) -> Iterator[str]:
    scores = run.segmentation()
    if scores is None:
        return
    names = list(run.facts.get("classes", []))
    names += [str(k) for k in range(len(names), len(scores["iu"]))]
    means = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
    yield "<h2>Segmentation, last test</h2>"
    yield _table(["score", ""], [(name.replace("_", " "), _number(scores[name])) for name in means])
    yield _table(["class", "IU"], [(name, _number(iu)) for name, iu in zip(names, scores["iu"], strict=False)])
    yield "<h3>Confusion matrix (per cent of the true class)</h3>" + charts.svg(
        charts.confusion(scores["confusion"], names[:len(scores["iu"])]))
    picture = run.folder / "samples.png"
    if picture.is_file():
        data = base64.b64encode(picture.read_bytes()).decode()
        yield (f'<h3>Frame, truth, prediction</h3><img alt="frames with truth and prediction" '
               f'src="data:image/png;base64,{data}">')


def _timings(layers: Sequence[dict[str, Any]]) -> str:
    total = sum(layer["forward"] + layer["backward"] for layer in layers) or 1.0
    return _table(["layer", "type", "forward ms", "backward ms", "share"], [
        (layer["name"], layer["type"], f"{layer['forward']:.2f}", f"{layer['backward']:.2f}",
         f"{(layer['forward'] + layer['backward']) / total:.1%}") for layer in layers])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(heads: Sequence[str], rows: Any) -> str:
    def cell(value: Any) -> str:
        numeric = str(value)[:1].isdigit() and len(str(value)) < 12
        return f"<td{' class=number' * numeric}>{html.escape(str(value))}</td>"

    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"
