"""All messages and enums of ``proto/caffe.proto``, as in the module that protoc would generate from it."""

from __future__ import annotations

from . import schema

globals().update(schema.module_contents(schema.FILE, __name__))
