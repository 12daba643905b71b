"""`caffe.coord_map` is the module `caffe_fcn.pycaffe.coord_map` itself."""

import sys

import caffe_fcn.pycaffe.coord_map as _module
from caffe_fcn.pycaffe.coord_map import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
