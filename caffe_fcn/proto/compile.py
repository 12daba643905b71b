"""Compile ``proto/caffe.proto`` into ``caffe.desc`` beside this file: ``python -m caffe_fcn.proto.compile``.

Needs the package grpcio-tools, which brings protoc; using the result does not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "proto" / "caffe.proto"
TARGET = Path(__file__).with_name("caffe.desc")


def compile_proto(source: Path) -> bytes:
    """Return the serialised FileDescriptorSet of one .proto file, without its comments and positions.

    Raises ImportError without grpcio-tools and ValueError when protoc refuses the file.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "out.desc")
        status = protoc.main(["protoc", f"-I{source.parent}", f"--descriptor_set_out={target}", str(source)])
        if status:
            raise ValueError(f"protoc refuses {source} (exit status {status}); its message is above")
        return target.read_bytes()


if __name__ == "__main__":
    TARGET.write_bytes(compile_proto(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE))
