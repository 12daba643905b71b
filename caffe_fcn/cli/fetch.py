"""Fetch the public weights of a net: resumed where it broke off, compared with the published checksum."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence

from ..zoo.cards import find
from ..zoo.download import Progress
from ..zoo.fetch import Fetched, fetch


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, or 130 when interrupted (what has arrived is kept)."""
    parser = argparse.ArgumentParser("caffe-fcn fetch", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="a net that `caffe-fcn models` lists, or a folder with a card.toml")
    parser.add_argument("--from", dest="source", metavar="URL|FILE", help="instead of the published address")
    parser.add_argument("--to", metavar="DIR", help="folder (default: $CAFFE_FCN_HOME/NAME or ~/.cache/caffe_fcn/NAME)")
    parser.add_argument("--no-check", action="store_true",
                        help="with --from: take weights of your own, which are not those that were published")
    parser.add_argument("--force", action="store_true", help="fetch although the file is there")
    args = parser.parse_args(argv)
    if args.no_check and args.source is None:
        parser.error("--no-check goes with --from: what comes from the published address is always checked")
    card = find(args.name)
    try:
        with _bar(str(card.files.weights)) as show:
            done = fetch(card, args.source, args.to, not args.no_check, args.force, show)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(_report(done))
    return 0


def _report(done: Fetched) -> str:
    size = f"{done.path.stat().st_size:,} bytes"
    if done.checksum is None:
        checked = "it fits the net; there is no published checksum to compare it with"
    else:
        checked = f"{done.checksum.label} {done.checksum.digest} as published"
    return f"{done.path} {'is there' if done.was_there else 'fetched'} ({size}; {checked})"


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """A bar on a terminal: bytes, rate, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
