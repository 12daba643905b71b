"""`caffe.detector` is the module `caffe_fcn.pycaffe.detector` itself."""

import sys

import caffe_fcn.pycaffe.detector as _module
from caffe_fcn.pycaffe.detector import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
