"""`caffe plot RUN [RUN...]`: recorded runs in one picture (PNG, SVG), or the report of one again (HTML)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from caffe_fcn.cli.flags import UsageError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.training import charts, report
from caffe_fcn.training.runs import load

logger = logging.getLogger("caffe_fcn.cli")
KINDS = (".png", ".svg", ".html")


def main(flags: dict[str, Any], folders: list[str]) -> int:
    """Run the command; returns its exit status."""
    output = Path(flags["output"] or "runs.png")
    if not folders:
        raise UsageError("plot needs the folders of recorded runs (made by caffe train --record DIR)")
    if output.suffix not in KINDS:
        raise UsageError(f"--output must end with {', '.join(KINDS)}, got '{output}'")
    if output.suffix == ".html":
        if len(folders) > 1:
            raise UsageError(f"a report shows one run, got {len(folders)}; compare them with --output=runs.png")
        report.write(folders[0], output)
    else:
        figure = charts.compare([load(folder) for folder in folders])
        with atomic_write(output) as file:
            charts.save(figure, file, output.suffix[1:])
    logger.info("Wrote %s", output)
    return 0
