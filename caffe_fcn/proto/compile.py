"""Compile ``proto/*.proto`` into ``*.desc`` beside this file: ``python -m caffe_fcn.proto.compile``.

Needs the package grpcio-tools, which brings protoc; using the result does not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "proto"
TARGET = Path(__file__).with_name("caffe.desc")
FORKS = Path(__file__).with_name("forks.desc")


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
    for target in (TARGET, FORKS):
        target.write_bytes(compile_proto(SOURCES / f"{target.stem}.proto"))
