"""Many photos: the next is read while the net works on this one; what fails does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ...errors import CaffeFcnError, FileAccessError
from ...formats.atomic import atomic_write
from .jobs import Job
from .predictor import Loaded, Predictor
from .view import Prediction


def predict_all(predictor: Predictor, jobs: Sequence[Job], out: Path
                ) -> Iterator[tuple[Job, Prediction | Exception]]:
    """Predict each photo and write its files below `out`; give the job, with what was predicted or what went wrong.

    Files appear when they are whole; the .json of a photo is the last. Raises FileAccessError if the results cannot be
    written, and nothing for what is wrong with a photo.
    """
    with ThreadPoolExecutor(1) as reader:
        ahead: Iterator[Future[Loaded]] = _one_ahead(predictor, jobs, reader)
        try:
            for job, loaded in zip(jobs, ahead, strict=True):
                try:
                    done = predictor.predict(loaded.result())
                except (CaffeFcnError, MemoryError) as error:
                    yield job, error
                    continue
                _write(done, job, out)
                yield job, done
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


def _one_ahead(predictor: Predictor, jobs: Sequence[Job], reader: ThreadPoolExecutor) -> Iterator[Future[Loaded]]:
    """The photos being read, each with the next one under way."""
    waiting: list[Future[Loaded]] = []
    for job in jobs:
        waiting.append(reader.submit(predictor.read, job.photo, job.also))
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def _write(done: Prediction, job: Job, out: Path) -> None:
    names = [*done.pictures, ".json"]
    files = job.files(out, names)
    try:
        files[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"cannot make the folder '{files[0].parent}': {error.strerror or error}",
                              files[0].parent, error.errno) from error
    for file, picture in zip(files, done.pictures.values(), strict=False):
        with atomic_write(file) as target:
            picture.save(target, "PNG")
    text = json.dumps({"image": str(job.photo), **done.facts}, indent=1, ensure_ascii=False)
    with atomic_write(files[-1]) as target:
        target.write(text.encode(errors="backslashreplace") + b"\n")  # names of files may hold any bytes
