"""The exceptions that a user of this package can meet.

Every class derives from :class:`CaffeFcnError` and from the built-in class that a Python user would
catch. Messages say what was found, where (``file:line:column`` or the name of the layer) and what to do.
"""

from __future__ import annotations

import os


class CaffeFcnError(Exception):
    """Base of everything that this package raises on purpose."""


class PrototxtError(CaffeFcnError, ValueError):
    """A text file (net, solver, mean ...) that cannot be read or says something impossible.

    Attributes: ``file`` (str or None), ``line`` and ``column`` (from 1, or None).
    """

    def __init__(self, message: str, file: str | None = None, line: int | None = None, column: int | None = None):
        self.file, self.line, self.column = file, line, column
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)


class NetError(CaffeFcnError, ValueError):
    """A net whose layers do not fit together; names the layer and the blob."""


class LayerError(NetError):
    """A layer that refuses its parameters or its blobs.

    Attributes: ``message``, ``layer`` (its name) and ``type`` (as the prototxt has it); the last two are None
    until known: a layer raises without naming itself, the net adds the names on the way.
    """

    def __init__(self, message: str, layer: str | None = None, type: str | None = None):
        super().__init__(message)
        self.message, self.layer, self.type = message, layer, type

    def __str__(self) -> str:
        if self.layer is None:
            return self.message
        return f"layer '{self.layer}'{f' ({self.type})' if self.type else ''}: {self.message}"


class ShapeError(LayerError):
    """Blobs whose shapes do not fit; the message gives both shapes."""


class LabelError(LayerError):
    """A label or an index outside its range; the message gives the value and its position."""


class MissingMethodError(LayerError, AttributeError):
    """A user's layer without a method that is needed (the original raises AttributeError or ends the process)."""


class UnknownLayerError(LayerError):
    """A layer type that is not registered."""


class NotSupportedError(CaffeFcnError, RuntimeError):
    """Something that this package does not do (yet); the message names the file, the layer and the field."""


class FormatError(CaffeFcnError, ValueError):
    """A binary file (weights, solver state, database, image) that is not what it should be."""


class WeightsError(CaffeFcnError, ValueError):
    """Weights that do not fit the net they are loaded into."""


class BlobMemoryError(CaffeFcnError, MemoryError):
    """More memory is needed than there is; the message says how much and for which blob."""


class RecycledError(CaffeFcnError, RuntimeError):
    """Values were asked for that a net with `keep="outputs"` has not kept."""


class MissingFileError(CaffeFcnError, FileNotFoundError, RuntimeError):
    """A file that is not there (the original raises RuntimeError, Python users expect FileNotFoundError)."""

    def __init__(self, message: str, filename: str | os.PathLike[str] | None = None):
        super().__init__(message)
        self.filename = filename

    def __str__(self) -> str:
        return str(self.args[0])


class FileAccessError(CaffeFcnError, OSError):
    """A file or folder that the system does not let us read or write: no permission, disk full, not a folder.

    Attributes: ``errno`` and ``filename`` as in OSError.
    """

    def __init__(self, message: str, filename: str | os.PathLike[str] | None = None, errno: int | None = None):
        super().__init__(message)
        self.filename, self.errno = filename, errno

    def __str__(self) -> str:
        return str(self.args[0])


class DownloadError(CaffeFcnError, OSError):
    """A file that a server does not give; the message has the address and the answer. Attribute: ``url``."""

    def __init__(self, message: str, url: str):
        super().__init__(message)
        self.url = url


class DivergedError(CaffeFcnError, FloatingPointError):
    """Training whose loss is no longer a finite number; the message names the iteration."""


class ParallelError(CaffeFcnError, RuntimeError):
    """Several processes that train together, one of which failed, is gone or does something else."""


class ArrayError(CaffeFcnError, ValueError, RuntimeError):
    """An array that a layer cannot take (the original raises RuntimeError, Python users expect ValueError)."""
