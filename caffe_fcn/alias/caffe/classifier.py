"""`caffe.classifier` is the module `caffe_fcn.pycaffe.classifier` itself."""

import sys

import caffe_fcn.pycaffe.classifier as _module
from caffe_fcn.pycaffe.classifier import *  # noqa: F403 (for type checkers, which do not follow the next line)

sys.modules[__name__] = _module
