"""`caffe._caffe` is the module `caffe_fcn.pycaffe._caffe` itself."""

import sys

import caffe_fcn.pycaffe._caffe as _module
from caffe_fcn.pycaffe._caffe import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
