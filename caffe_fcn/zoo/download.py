"""Resumable download over HTTP: a file may arrive in several pieces, over connections that break.

What has arrived lies in ``NAME.part``; ``NAME.part.json`` says of which version on the server it is a part, so that a
later run goes on where the last one stopped (a Range request with If-Range) or starts again if the file has changed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import DownloadError, FileAccessError
from ..formats.atomic import atomic_write

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 5  # in a row that brought nothing new
RESERVE = 64 << 20  # bytes of the disk that are left alone
BUSY = (408, 425, 429, 500, 502, 503, 504)  # worth another attempt

Progress = Callable[[int, "int | None"], None]


class _Broken(Exception):
    """A connection that ended too early or did not come about; another attempt may help."""


class _Version(NamedTuple):
    """What tells one version of a file on a server from another; `etag` is strong or None."""

    url: str
    etag: str | None
    modified: str | None
    size: int | None

    @property
    def condition(self) -> str | None:
        """The value of If-Range."""
        return self.etag or self.modified


def download(
    url: str, part: Path, progress: Progress = lambda done, total: None, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Fetch `url` (http or https) into the file `part`, going on with what an earlier call left there.

    progress  called with the bytes that are there and the bytes of the whole, None if the server does not say
    Raises DownloadError when the server refuses, or when ATTEMPTS in a row, with pauses that double, bring nothing;
    FileAccessError when the disk is full or cannot be written. `part` stays, for another call.
    """
    failures, best = 0, -1
    while True:
        try:
            return _attempt(url, part, progress)
        except _Broken as error:
            arrived = part.stat().st_size if part.exists() else 0
            failures, best = (failures + 1, best) if arrived <= best else (1, arrived)
            if failures >= ATTEMPTS:
                raise DownloadError(f"cannot fetch {url}: {error} ({failures} attempts in a row; {arrived:,} bytes are "
                                    "here, and the same command goes on from there)", url) from error
            sleep(2.0 ** (failures - 1))


def _attempt(url: str, part: Path, progress: Progress) -> None:
    known = _read_version(part)
    have = part.stat().st_size if part.exists() else 0
    if known is None or known.url != url or not known.condition:
        have = 0
    elif have and have == known.size:
        return
    headers = {"User-Agent": "caffe_fcn", "Accept-Encoding": "identity"}
    if have and known is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(known.condition)}
    with _connected(url, headers, part) as answer:
        start = _start(answer, have, part)
        version = _version(url, answer, start)
        _check_disk(part, version.size, start)
        _write_version(part, version)
        with file_errors(part), open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            _copy(answer, file, start, version.size, progress)
            file.flush()
            os.fsync(file.fileno())


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, done: int, total: int | None, progress: Progress) -> None:
    progress(done, total)
    while True:
        try:
            data = answer.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:  # timeouts and resets are OSErrors
            raise _Broken(f"the connection broke after {done:,} bytes ({_reason(error)})") from error
        if not data:
            break
        file.write(data)
        done += len(data)
        progress(done, total)
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


@contextlib.contextmanager
def _connected(url: str, headers: dict[str, str], part: Path) -> Iterator[http.client.HTTPResponse]:
    opener = urllib.request.OpenerDirector()  # http and https alone, wherever a redirection points
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
                    urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPRedirectHandler,
                    urllib.request.HTTPErrorProcessor, urllib.request.UnknownHandler):
        opener.add_handler(handler())
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # the part is no part of what the server has now
                forget(part)
                raise _Broken("the file on the server has changed") from error
            if error.code in BUSY:
                raise _Broken(f"the server answers {error.code} {error.reason}") from error
            reason = " ".join(str(error.reason).split())  # urllib has several lines about endless redirections
            raise DownloadError(f"cannot fetch {url}: the server answers {error.code} {reason}; "
                                "--from takes another address or a file", url) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise DownloadError(f"cannot fetch {url}: it is no address ({error})", url) from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise DownloadError(f"cannot fetch {url}: {_reason(error)}", url) from error
        raise _Broken(_reason(error)) from error
    with answer:
        yield answer


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)


def _start(answer: http.client.HTTPResponse, have: int, part: Path) -> int:
    """Where the body of the answer belongs in the file; a server that does not know ranges sends the whole."""
    if answer.status != 206:
        return 0
    found = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        forget(part)  # the next attempt asks for the whole
        raise _Broken(f"asked for the bytes from {have} on, the server sent '{answer.headers.get('Content-Range')}'")
    return have


def _version(url: str, answer: http.client.HTTPResponse, start: int) -> _Version:
    etag = answer.headers.get("ETag")
    length = answer.headers.get("Content-Length", "")
    return _Version(url, None if etag is None or etag.startswith("W/") else etag, answer.headers.get("Last-Modified"),
                    start + int(length) if length.isdecimal() else None)


def _check_disk(part: Path, size: int | None, start: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if size is not None and size - start + RESERVE > free:
        raise FileAccessError(f"not enough room in '{part.parent}' for '{part.stem}': {size - start:,} bytes are still "
                              f"to come, {free:,} are free; --to names another folder", part)


def _memo(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_version(part: Path) -> _Version | None:
    try:
        values = json.loads(_memo(part).read_text(encoding="utf-8"))
        return _Version(values["url"], values["etag"], values["modified"], values["size"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not ours: then there is nothing to go on with
        return None


def _write_version(part: Path, version: _Version) -> None:
    with atomic_write(_memo(part)) as file:
        file.write(json.dumps(version._asdict()).encode())


def forget(part: Path) -> None:
    """Remove what has arrived for `part`."""
    for path in (part, _memo(part)):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn the system's own OSError into one that names `path`."""
    try:
        yield
    except OSError as error:
        raise FileAccessError(f"cannot write '{path}': {error.strerror or error}", path, error.errno) from error
