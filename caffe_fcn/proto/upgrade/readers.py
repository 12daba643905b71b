"""Nets and solvers from files, made current on the way in."""

from __future__ import annotations

import logging
import os
from typing import Any

from google.protobuf.message import DecodeError

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.files import map_file
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.proto.upgrade.net import UpgradeReport, upgrade_net
from caffe_fcn.proto.upgrade.solver import complete_snapshot_prefix, upgrade_solver

logger = logging.getLogger("caffe_fcn")

PathLike = str | os.PathLike[str]


def read_net(path: PathLike) -> caffe_pb2.NetParameter:
    """Read a net from text and upgrade it; fields that an old layer type does not have are logged and left out.

    Raises MissingFileError, PrototxtError (with line and column) or NetError; each names the file.
    """
    net = text.parse_file(path, caffe_pb2.NetParameter)
    _log(path, upgrade_net(net, os.fspath(path)))
    return net


def read_net_binary(path: PathLike) -> caffe_pb2.NetParameter:
    """Read a net with its weights as one message, and upgrade it, as `read_net`.

    Raises MissingFileError, FormatError or NetError; each names the file.
    """
    net = parse_binary(path, caffe_pb2.NetParameter)
    _log(path, upgrade_net(net, os.fspath(path)))
    return net


def read_solver(path: PathLike, positions: text.Positions | None = None) -> caffe_pb2.SolverParameter:
    """Read a solver from text, upgrade it and complete its `snapshot_prefix`. Nets inside it are not upgraded.

    `positions`, if given, receives the place of every field, as from `text.parse`.
    Raises MissingFileError or PrototxtError; each names the file.
    """
    solver = text.parse_file(path, caffe_pb2.SolverParameter, positions)
    _log(path, upgrade_solver(solver, os.fspath(path)))
    complete_snapshot_prefix(solver, path)
    return solver


def parse_binary(path: PathLike, message_class: Any) -> Any:
    """Read one message from a file in protobuf's binary form.

    Raises MissingFileError, FileAccessError or FormatError; each names the file.
    """
    name = os.fspath(path)
    try:
        message = message_class.FromString(bytes(map_file(path)))
    except DecodeError as error:
        raise FormatError(f"{name}: not a binary {message_class.DESCRIPTOR.name} ({error})") from None
    missing = message.FindInitializationErrors()
    if missing:
        raise FormatError(f"{name}: required fields are missing: {', '.join(missing)}")
    return message


def _log(path: PathLike, report: UpgradeReport) -> None:
    for step in report.steps:
        logger.info("%s: upgraded: %s", os.fspath(path), step)
    for problem in report.problems:
        logger.warning("%s: %s", os.fspath(path), problem)
