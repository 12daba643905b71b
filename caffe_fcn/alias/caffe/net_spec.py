"""`caffe.net_spec` is the module `caffe_fcn.pycaffe.net_spec` itself."""

import sys

import caffe_fcn.pycaffe.net_spec as _module
from caffe_fcn.pycaffe.net_spec import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
