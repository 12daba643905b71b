"""Dialects: what a type means in the nets of one fork, where its name alone would mean something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import LayerError, NetError
from ...proto import caffe_pb2
from ...proto.forks import extended
from ...proto.text import parse
from ..registry import is_users_own
from .bn import PSPNET, SEGNET

Rewrite = Callable[[Any, int], None]  # of layer i of a NetParameter, in place


class Dialect(NamedTuple):
    """Whose Caffe it is, and how to say without it what a type means."""

    of: str
    rewrites: Mapping[str, Rewrite]


def make_explicit(net: Any, dialect: str | None) -> None:
    """Rewrite the layers of a NetParameter, of which each belongs to the net, to what they mean without a dialect.

    In place. `AutoCrop` means the same in all dialects and becomes a `Crop` with offsets. Types that a user registered
    stay. The result can be saved and built again without the dialect.

    Raises NetError for an unknown dialect; LayerError for a layer that contradicts it or whose offset does not
    follow from the net.
    """
    if dialect is not None and dialect not in DIALECTS:
        known = ", ".join(f"'{name}' ({entry.of})" for name, entry in DIALECTS.items())
        raise NetError(f"unknown dialect {dialect!r}; there are {known}")
    rewrites = {"AutoCrop": _derive_offset, **(DIALECTS[dialect].rewrites if dialect else {})}
    for i, layer in enumerate(net.layer):
        if layer.type in rewrites and not is_users_own(layer.type):
            try:
                rewrites[layer.type](net, i)
            except LayerError as error:
                error.layer, error.type = layer.name, layer.type
                raise


def _derive_offset(net: Any, i: int) -> None:
    """Lay the pixels of both bottoms over each other, unless crop_param says how."""
    layer, before = net.layer[i], net.layer[:i]
    if not layer.HasField("crop_param"):
        made = {top for earlier in before for top in earlier.top}
        if (len(layer.bottom), len(layer.top)) != (2, 1) or not set(layer.bottom) <= made:
            return  # the net will refuse it
        layer.crop_param.offset.extend(_offsets(before, *layer.bottom))
    layer.type = "Crop"


def _offsets(layers: Sequence[Any], source: str, reference: str) -> tuple[int, ...]:
    """The offsets of a Crop behind these layers, of which each belongs to the net."""
    from ...coord_map import CoordMaps

    net = caffe_pb2.NetParameter(layer=layers)
    for layer in net.layer:
        for field in ("include", "exclude", "blobs"):
            layer.ClearField(field)
    try:
        return CoordMaps(net).crop_offsets(source, reference)
    except ValueError as error:
        raise LayerError(f"the offset does not follow from the net: {error}; give crop_param {{ offset }}") from error


def _balance(net: Any, i: int) -> None:
    net.layer[i].type = "ClassBalancedSigmoidCrossEntropyLoss"


def _give(layer: Any, fields: str) -> None:
    layer.MergeFrom(parse(fields, caffe_pb2.LayerParameter()))


def _normalize(net: Any, i: int) -> None:
    _give(net.layer[i], "norm_param { }")


def _bn(own: set[str], other: set[str], field: str) -> Rewrite:
    """BN as the fork means it whose bn_param has the fields `own`; `field` says so."""

    def rewrite(net: Any, i: int) -> None:
        given = {entry.name for entry, _ in extended(net.layer[i]).bn_param.ListFields()}
        if given & other:
            raise LayerError(f"bn_param has fields of another fork than the dialect's: {sorted(given & other)}; the "
                             f"dialect's are {sorted(own)}")
        if not given:
            _give(net.layer[i], f"bn_param {{ {field} }}")

    return rewrite


_SEGNET_BN, _PSPNET_BN = _bn(SEGNET, PSPNET, "bn_mode: LEARN"), _bn(PSPNET, SEGNET, "frozen: false")

DIALECTS: dict[str, Dialect] = {
    "deeplab": Dialect("DeepLab", {}),
    "enet": Dialect("ENet", {"BN": _SEGNET_BN}),
    "fcn-future": Dialect("the first FCN nets (Caffe's branch `future`)", {"Crop": _derive_offset}),
    "hed": Dialect("HED", {"Crop": _derive_offset, "SigmoidCrossEntropyLoss": _balance}),
    "pspnet": Dialect("PSPNet", {"BN": _PSPNET_BN}),
    "segnet": Dialect("SegNet", {"BN": _SEGNET_BN}),
    "ssd": Dialect("SSD", {"Normalize": _normalize}),
}
