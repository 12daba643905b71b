"""Write the prototxts of camvid-fcn16s: one stage of the skip experiment."""

from __future__ import annotations

from caffe_fcn_models import blocks, camvid_skips


def nets() -> blocks.Nets:
    """The nets and the solver, by the names of their files."""
    return camvid_skips.nets("camvid-fcn16s")


if __name__ == "__main__":
    blocks.write(__file__, nets())
