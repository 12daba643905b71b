"""What the programs of the nets share: layers, trunks, heads, sources of data, solvers, and the writing of files.

Every function adds to a `caffe_fcn.pycaffe.net_spec.NetSpec` and returns the Top that it ends with.
"""

from __future__ import annotations

from .files import Nets, write

__all__ = ["Nets", "write"]
