"""Which photos are meant, and how their results are named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import FormatError, MissingFileError
from ...formats.files import check_apart, existing_file

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif", ".jp2")


@dataclass(frozen=True)
class Job:
    """One photo.

    photo  its file
    name   of its results, below the folder of all results and without ending
    also   pictures for further inputs of the net, by blob
    """

    photo: Path
    name: Path
    also: Mapping[str, Path] = field(default_factory=dict)

    def files(self, out: Path, suffixes: Iterable[str]) -> list[Path]:
        """The files of its results."""
        return [out / self.name.with_name(self.name.name + suffix) for suffix in suffixes]


def find_jobs(sources: Sequence[str | os.PathLike[str]], out: Path, suffixes: Sequence[str],
              also: Mapping[str, str | os.PathLike[str]] | None = None) -> list[Job]:
    """The photos named by `sources`, in order, each once; what is in folders is sorted and keeps its subfolders.

    sources   files of any ending, and folders: all pictures below them by their endings, but for hidden ones and what
              is in `out`
    suffixes  of the files that each photo results in. `street.jpg` gives `street`; where another photo has taken one of
              its files already, `street.jpg`, then `street-2`, `street-3` ...
    also      by blob, a file, or a folder where the pictures lie as the photos do below their folder, of any ending

    Raises MissingFileError, FileAccessError; FormatError if a folder has no pictures; FileAccessError if a result would
    replace a file that is read.
    """
    taken: set[str] = set()
    jobs: list[Job] = []
    seen: set[str] = set()
    for photo, relative in (found for source in sources for found in _photos(Path(source), out)):
        if (real := os.path.realpath(photo)) in seen:
            continue
        seen.add(real)
        job = _named(photo, relative, suffixes, taken)
        extra = {blob: _partner(Path(place), relative) for blob, place in (also or {}).items()}
        jobs.append(Job(photo, job.name, extra))
    read = [path for job in jobs for path in (job.photo, *job.also.values())]
    check_apart([file for job in jobs for file in job.files(out, suffixes)], read)
    return jobs


def _photos(source: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Files with their places below the folder that was named."""
    if not source.is_dir():
        yield Path(existing_file(source)), Path(source.name)
        return
    found = sorted(_walk(source, os.path.realpath(out)))
    if not found:
        raise FormatError(f"there are no pictures in the folder '{source}' ({', '.join(ENDINGS)})")
    for path in found:
        yield path, path.relative_to(source)


def _walk(folder: Path, out: str) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders
                      if not name.startswith(".") and os.path.realpath(os.path.join(place, name)) != out]
        yield from (Path(place, name) for name in files
                    if name.lower().endswith(ENDINGS) and not name.startswith("."))


def _named(photo: Path, relative: Path, suffixes: Sequence[str], taken: set[str]) -> Job:
    """A job with the first name of which no file is taken; its files are taken then."""
    number = 1
    for name in _names(relative):
        job = Job(photo, relative.with_name(name))
        wanted = {str(file).casefold() for file in job.files(Path(), suffixes)}  # some systems do not tell A from a
        if taken.isdisjoint(wanted):
            break
        number += 1
    taken |= wanted
    return job


def _names(relative: Path) -> Iterator[str]:
    yield relative.stem
    yield relative.name
    number = 2
    while True:
        yield f"{relative.stem}-{number}"
        number += 1


def _partner(place: Path, relative: Path) -> Path:
    """The picture of a further input that belongs to a photo. Raises MissingFileError."""
    if not place.is_dir():
        return Path(existing_file(place))
    base = place / relative.with_suffix("")
    for ending in (relative.suffix, *ENDINGS):
        if (path := base.with_name(base.name + ending)).is_file():
            return path
    raise MissingFileError(f"'{place}' has no picture '{relative.with_suffix('')}' with an ending of a picture; the "
                           f"photo '{relative}' needs one", str(base))
