"""Charts of recorded runs, drawn with matplotlib."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np

from caffe_fcn.errors import NotSupportedError
from caffe_fcn.training.runs import Run

POINTS = 2000  # of a curve; more cannot be seen


def require() -> None:
    """Raise NotSupportedError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise NotSupportedError("charts need matplotlib: pip install caffe_fcn[plot]")


def new_figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure and its (rows, columns) array of axes. NotSupportedError if matplotlib is not installed."""
    require()
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save(figure: Any, stream: BinaryIO, kind: str) -> None:
    """Write the figure as "png" or "svg"; the same figure gives the same bytes."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "caffe_fcn"}):
        figure.savefig(stream, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)


def svg(figure: Any) -> str:
    """The figure as an <svg> element."""
    stream = io.BytesIO()
    save(figure, stream, "svg")
    text = stream.getvalue().decode()
    return text[text.index("<svg"):]


def curve(axes: Any, x: np.ndarray, y: np.ndarray, label: str, **style: Any) -> None:
    """Draw a curve; of a very long one, means of neighbours."""
    if len(x) > POINTS:
        step = -(-len(x) // POINTS)
        whole = len(x) // step * step
        x, y = (part[:whole].reshape(-1, step).mean(axis=1) for part in (x, y))
    axes.plot(x, y, label=label, **style)


def titled(axes: Any, title: str, labels: bool = True, log: bool = False) -> None:
    """Title, grid and legend."""
    axes.set_title(title)
    axes.set_xlabel("iteration")
    axes.grid(alpha=0.3)
    if log:
        axes.set_yscale("log")
    if labels and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


def progress(run: Run) -> Any:
    """Loss, loss per labelled pixel and learning rate over the iterations."""
    figure, ((loss, per_label, rate),) = new_figure(1, 3, (13, 3.6))
    curve(loss, *run.series("loss"), "each iteration", alpha=0.35)
    curve(loss, *run.series("smoothed_loss"), "smoothed")
    titled(loss, "Loss")
    for name, (x, y) in run.losses_per_label().items():
        curve(per_label, x, y, name)
    titled(per_label, "Loss per labelled position")
    curve(rate, *run.series("lr"), "lr")
    titled(rate, "Learning rate", labels=False)
    return figure


def tests(run: Run) -> Any | None:
    """What the test nets gave over the iterations; None without tests."""
    scores = run.scores()
    if not scores:
        return None
    columns = min(3, len(scores))
    rows = -(-len(scores) // columns)
    figure, grid = new_figure(rows, columns, (4.4 * columns, 3 * rows))
    for axes, (name, (x, y)) in zip(grid.flat, scores.items(), strict=False):
        axes.plot(x, y, marker=".")
        titled(axes, name, labels=False)
    for axes in grid.flat[len(scores):]:
        axes.set_visible(False)
    return figure


def confusion(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Any:
    """A confusion matrix, each row as shares of the true class's pixels."""
    counts = np.array(matrix, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.45 * len(names)
    figure, ((axes,),) = new_figure(1, 1, (size + 1, size))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    if len(names) <= 25:
        for (row, column), share in np.ndenumerate(shares):
            axes.text(column, row, f"{share:.0%}"[:-1], ha="center", va="center", fontsize=7,
                      color="white" if share > 0.5 else "black")
    return figure


def compare(runs: Iterable[Run]) -> Any:
    """Smoothed loss, learning rate and all test scores of several runs, one colour for each run."""
    found = list(runs)
    names = list(dict.fromkeys(name for run in found for name in run.scores()))
    count = 2 + len(names)
    columns = min(3, count)
    figure, grid = new_figure(-(-count // columns), columns, (4.6 * columns, 3.2 * -(-count // columns)))
    for k, run in enumerate(found):
        curve(grid.flat[0], *run.series("smoothed_loss"), run.name, color=f"C{k}")
        curve(grid.flat[1], *run.series("lr"), run.name, color=f"C{k}")
        for axes, name in zip(grid.flat[2:], names, strict=False):
            if name in run.scores():
                axes.plot(*run.scores()[name], marker=".", label=run.name, color=f"C{k}")
    for axes, name in zip(grid.flat, ("smoothed loss", "learning rate", *names), strict=False):
        titled(axes, name)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure
