"""`caffe.draw` is the module `caffe_fcn.pycaffe.draw` itself."""

import sys

import caffe_fcn.pycaffe.draw as _module
from caffe_fcn.pycaffe.draw import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
