"""Old nets and solvers become current ones, as in the original; readers that do it on the way in."""

from caffe_fcn.proto.upgrade.net import UpgradeReport, net_needs_upgrade, upgrade_net
from caffe_fcn.proto.upgrade.readers import read_net, read_net_binary, read_solver
from caffe_fcn.proto.upgrade.solver import solver_needs_upgrade, upgrade_solver

__all__ = [
    "UpgradeReport",
    "net_needs_upgrade",
    "read_net",
    "read_net_binary",
    "read_solver",
    "solver_needs_upgrade",
    "upgrade_net",
    "upgrade_solver",
]
