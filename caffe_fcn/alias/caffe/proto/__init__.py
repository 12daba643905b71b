"""`caffe.proto.caffe_pb2`: the message classes of Caffe's schema."""

import sys

from caffe_fcn.proto import caffe_pb2

sys.modules[f"{__name__}.caffe_pb2"] = caffe_pb2  # so that `import caffe.proto.caffe_pb2` works too

__all__ = ["caffe_pb2"]
