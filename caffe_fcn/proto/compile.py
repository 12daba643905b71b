"""Compile ``proto/caffe.proto`` and ``proto/forks/*.proto``: ``python -m caffe_fcn.proto.compile``.

The results are the files ``*.desc`` beside this one. Needs the package grpcio-tools, which brings protoc; using the
results does not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "proto"
TARGETS = {  # the results, and what each is made of
    Path(__file__).with_name("caffe.desc"): [SOURCES / "caffe.proto"],
    Path(__file__).with_name("forks.desc"): sorted(SOURCES.glob("forks/*.proto")),
}


def compile_proto(*sources: Path) -> bytes:
    """Return the serialised FileDescriptorSet of .proto files, without their comments and positions.

    They may import those beside them and those in `proto`. Raises ImportError without grpcio-tools and ValueError
    when protoc refuses a file.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "out.desc")
        folders = dict.fromkeys([*(source.parent for source in sources), SOURCES])
        status = protoc.main(["protoc", *(f"-I{path}" for path in folders), f"--descriptor_set_out={target}",
                              *map(str, sources)])
        if status:
            raise ValueError(f"protoc refuses {', '.join(map(str, sources))} (exit status {status}); its message is "
                             "above")
        return target.read_bytes()


if __name__ == "__main__":
    for target, sources in TARGETS.items():
        target.write_bytes(compile_proto(*sources))
