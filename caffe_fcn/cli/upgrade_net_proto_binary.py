"""Command `upgrade_net_proto_binary IN OUT`: an old net with its weights (.caffemodel) becomes a current one."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_fcn.cli.upgrade_files import run
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.upgrade import UpgradeReport, upgrade_net
from caffe_fcn.proto.upgrade.readers import parse_binary


def convert(source: str) -> tuple[bytes, UpgradeReport]:
    """Read the net `source`, upgrade it and give its bytes."""
    net = parse_binary(source, caffe_pb2.NetParameter)
    report = upgrade_net(net, source)
    return net.SerializeToString(), report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run("upgrade_net_proto_binary", "an old net with its weights", convert, argv)
