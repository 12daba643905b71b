"""Getting the public weights of a net: downloaded or copied, compared with the published checksum, put in place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import FileAccessError, FormatError, NotSupportedError
from ..formats.atomic import atomic_write
from ..formats.files import existing_file
from .card import Card
from .download import CHUNK, Progress, download, file_errors, forget
from .fitting import check_weights

SCHEMES = ("http", "https")


class Checksum(NamedTuple):
    """A published checksum: "sha1" or "sha256", and the digest in hexadecimal."""

    kind: str
    digest: str

    @property
    def label(self) -> str:
        """As it is written: SHA-1, SHA-256."""
        return self.kind.upper().replace("SHA", "SHA-")


class Fetched(NamedTuple):
    """What `fetch` did: the file, whether it was there before, and what it was compared with (None: nothing)."""

    path: Path
    was_there: bool
    checksum: Checksum | None


def published(card: Card) -> Checksum | None:
    """The checksum of the weights that the card has."""
    files = card.files
    for kind, digest in (("sha256", files.weights_sha256), ("sha1", files.weights_sha1)):
        if digest:
            return Checksum(kind, digest.lower())
    return None


def fetch(
    card: Card,
    source: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    check: bool = True,
    force: bool = False,
    progress: Progress = lambda done, total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Put the weights of a net into `folder` (default: `card.home`), from `source` (default: the published address).

    source    another address (http, https, file) or the path of a file
    check     False: the file may be another one than was published, such as weights of one's own
    force     fetch it although the file is there
    progress, sleep  as for :func:`caffe_fcn.zoo.download.download`

    A file whose checksum was not published must hold weights that fit the net. The file appears under its name when all
    this is done, never before; one with another checksum is removed. A download that breaks goes on with the next call.
    Raises NotSupportedError if no weights were published, DownloadError, FormatError for another file than was
    published, FileAccessError.
    """
    if card.files.weights is None:
        raise NotSupportedError(f"no weights of '{card.name}' were published; docs/models.md tells how to train it")
    expected = published(card) if check else None
    if source is None and folder is None and not force and (found := card.weights_file):
        return _checked(found, expected)
    target = Path(card.home if folder is None else folder) / card.files.weights
    if target.exists() and not force:
        return _checked(target, expected)
    source = source or _source(card)
    with file_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with _alone(part):
        if source.partition("://")[0].lower() in SCHEMES:
            download(source, part, progress, sleep)
            _verify(card, part, expected, source)
            _install(part, target)
        else:
            _copy(card, _path(source), target, expected, progress)
    return Fetched(target, False, expected)


def _source(card: Card) -> str:
    shipped = card.folder / str(card.files.weights)
    if shipped.is_file():
        return str(shipped)
    if card.files.weights_url is None:
        raise NotSupportedError(f"no address of '{card.files.weights}', the weights of '{card.name}', was published; "
                                "--from takes an address or a file")
    return card.files.weights_url


def _path(source: str) -> str:
    if source.startswith("file://"):
        return urllib.request.url2pathname(source.removeprefix("file://"))
    if "://" in source:
        raise NotSupportedError(f"cannot fetch '{source}': only http, https and file addresses are known")
    return source


def _checked(path: Path, expected: Checksum | None) -> Fetched:
    """The file that is there, if it is the published one."""
    if expected is not None:
        _compare(path, expected, f"'{path}' is there, but it", "--force fetches it again")
    return Fetched(path, True, expected)


def _verify(card: Card, part: Path, expected: Checksum | None, source: str) -> None:
    """Remove the file and raise FormatError if it is not the published one, or no file of weights of the net at all."""
    try:
        if expected is None:
            check_weights(card, part)
        else:
            _compare(part, expected, f"what {source} gave", "it was removed")
    except FormatError as error:
        forget(part)
        if expected is None:
            raise FormatError(f"what {source} gave was removed: {error}") from error
        raise


def _compare(path: Path, expected: Checksum, what: str, advice: str) -> None:
    """Raise FormatError if a file has another checksum."""
    total = hashlib.new(expected.kind, usedforsecurity=False)
    with open(existing_file(path), "rb") as file:
        while data := file.read(CHUNK):
            total.update(data)
    if total.hexdigest() != expected.digest:
        raise FormatError(f"{what} is not the file that was published: its {expected.label} is {total.hexdigest()}, "
                          f"the published one {expected.digest}; {advice}")


def _copy(card: Card, source: str, target: Path, expected: Checksum | None, progress: Progress) -> None:
    size, done = os.path.getsize(existing_file(source)), 0
    if size > (free := shutil.disk_usage(target.parent).free):
        raise FileAccessError(f"not enough room in '{target.parent}': {size:,} bytes to copy, {free:,} free", target)
    if expected is None:
        check_weights(card, source)
    else:
        _compare(Path(source), expected, f"'{source}'", "--no-check takes weights of your own")
    with open(source, "rb") as file, atomic_write(target) as out:
        while data := file.read(CHUNK):
            out.write(data)
            progress(done := done + len(data), size)


def _install(part: Path, target: Path) -> None:
    """Give the whole and checked file, which is on the disk by now, its name."""
    with file_errors(target):
        os.replace(part, target)
    forget(part)


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep a second process from writing the same file."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    lock = part.with_name(f"{part.name}.lock")
    with file_errors(lock):
        file = open(lock, "w")  # noqa: SIM115 - closed below, after the lock is released with it
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileAccessError(f"'{part}' is being fetched by another process", part) from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
