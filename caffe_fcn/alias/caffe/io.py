"""`caffe.io` is the module `caffe_fcn.pycaffe.io` itself."""

import sys

import caffe_fcn.pycaffe.io as _module
from caffe_fcn.pycaffe.io import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
