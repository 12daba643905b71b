"""Command `upgrade_solver_proto_text IN OUT`: an old solver in text becomes a current one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from caffe_fcn.cli.upgrade_files import run, upgraded_text
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.upgrade import upgrade_solver

convert = partial(upgraded_text, message_class=caffe_pb2.SolverParameter, upgrade=upgrade_solver)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run("upgrade_solver_proto_text", "the text of an old solver", convert, argv)
