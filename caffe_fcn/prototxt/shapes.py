"""The shapes of a net's blobs without data, weights or user code, layer by layer, going on where one is refused.

A `Net` stops at the first layer that does not fit and opens its data; here the layers behind an unknown blob are left
unknown and all others are still shaped. Nothing large is allocated: fillers are left out, blobs have no memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..blob import Blob
from ..errors import CaffeFcnError, LayerError, PrototxtError
from ..graph import filter_net, with_state
from ..layers.base import Layer, LayerContext, check_counts
from ..layers.forks.dialects import make_explicit
from ..layers.registry import create_layer, layer_class
from ..net_build import AUTOMATIC, named
from ..proto import caffe_pb2, forks
from ..proto.schema import is_repeated

Shape = tuple[int, ...]

DEFAULT_SIZE = (500, 500)  # rows and columns of images that nothing tells the size of
DATA_PARAMS = {"Data": "data_param", "WindowData": "window_data_param", "HDF5Data": "hdf5_data_param",
               "DenseImageData": "dense_image_data_param"}  # of other types: image_data_param
IMAGE_LABELS = frozenset(("Data", "ImageData", "WindowData"))  # types with one label for each image
TELLS_SHAPE = frozenset(("DummyData", "Input", "MemoryData", "Parameter"))  # inputs that need no file
# Types that run a user's code or write files.
OPAQUE = {"Python": "its code is not run", "HDF5Output": "it writes a file"}

OWN_FILLERS = {"Scale": "scale_param", "PReLU": "prelu_param"}  # types that start from other values than 0
_CONTEXT = LayerContext()


class Sizes(NamedTuple):
    """What a user says about inputs: rows and columns of all images, or whole shapes of blobs by name."""

    image: tuple[int, int] | None = None
    blobs: Mapping[str, Shape] = {}


@dataclass(eq=False)
class LayerShapes:
    """A layer with the shapes of its blobs; None stands for an unknown one.

    `index` is its place in the file, `error` why it is refused, `opaque` why its tops are not known. `problem` is the
    kind of error: "unknown-bottom", "made-twice", "in-place", or "refused" by the layer's own code.
    """

    index: int
    param: Any
    bottoms: list[Shape | None]
    tops: list[Shape | None] = field(default_factory=list)
    blobs: list[Shape] = field(default_factory=list)
    layer: Layer | None = None
    error: CaffeFcnError | None = None
    problem: str = ""
    opaque: str = ""

    @property
    def top_names(self) -> list[str]:
        """Names of the tops, with the one that a loss layer adds."""
        return [*self.param.top, *[AUTOMATIC] * (len(self.tops) - len(self.param.top))]


@dataclass
class NetShapes:
    """The layers of one phase in order, and the shape of each blob that is known."""

    phase: int
    layers: list[LayerShapes] = field(default_factory=list)
    blobs: dict[str, Shape] = field(default_factory=dict)
    assumed: dict[str, Shape] = field(default_factory=dict)  # inputs whose shape is only a guess

    @property
    def errors(self) -> list[LayerShapes]:
        """The layers that are refused."""
        return [layer for layer in self.layers if layer.error]


def net_shapes(
    net: Any, phase: int, sizes: Sizes | None = None, level: int = 0, stages: Iterable[str] = (),
    dialect: str | None = None,
) -> NetShapes:
    """Shape a NetParameter (already upgraded) for a phase; `dialect` as for Net.

    Raises LayerError for include with exclude rules, NetError for an unknown dialect.
    """
    full = with_state(net, phase, level, stages)
    _make_names_text(full)
    kept = filter_net(full)
    indices: list[int] = []
    for param in kept.layer:
        index = indices[-1] + 1 if indices else 0
        while full.layer[index] != param:
            index += 1
        indices.append(index)
    with contextlib.suppress(LayerError):  # the layer that it is about is refused when its turn comes
        make_explicit(kept, dialect)
    builder = _Builder(phase, sizes or Sizes())
    for index, param in zip(indices, kept.layer, strict=True):
        builder.add(index, param)
    return builder.result


def text_of(name: str | bytes) -> str:
    """A name for people; protobuf gives bytes where a file's name is not UTF-8."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name


def _make_names_text(net: Any) -> None:
    for layer in net.layer:
        for word in ("name", "type"):
            if isinstance(value := getattr(layer, word), bytes):
                setattr(layer, word, text_of(value))
        for names in (layer.bottom, layer.top):
            names[:] = map(text_of, names)


class _Builder:
    """Adds layers one by one; `known` holds the blobs of known shape by name, `made` all, `read` those in use."""

    def __init__(self, phase: int, sizes: Sizes) -> None:
        self.result = NetShapes(phase)
        self.sizes = sizes
        self.known: dict[str, Blob] = {}
        self.made: set[str] = set()
        self.read: set[str] = set()

    def add(self, index: int, param: Any) -> None:
        """Shape one layer."""
        if not param.HasField("phase"):
            param.phase = self.result.phase
        known = self.result.blobs
        row = LayerShapes(index, param, [known.get(name) for name in param.bottom])
        self.result.layers.append(row)
        try:
            with named(param.name, param.type):
                self.check_wiring(row, param)
                self.fill(row, param)
        except CaffeFcnError as error:
            row.error, row.problem = error, row.problem or "refused"
            self.forget(param)
        row.tops = row.tops or [None] * len(param.top)
        self.read.update(param.bottom)
        for name, shape in zip(param.top, row.tops, strict=False):
            known.pop(name, None)
            self.made.add(name)
            self.read.discard(name)
            if shape is not None:
                known[name] = shape

    def check_wiring(self, row: LayerShapes, param: Any) -> None:
        """Bottoms must be there, tops must be new or in place."""
        for i, name in enumerate(param.bottom):
            if name not in self.made:
                row.problem = "unknown-bottom"
                raise LayerError(f"unknown bottom blob '{name}' (bottom {i})")
        for i, name in enumerate(param.top):
            if name not in self.made and name not in list(param.top)[:i]:
                continue
            if name not in list(param.bottom)[i : i + 1]:
                row.problem = "made-twice"
                raise LayerError(f"top blob '{name}' is made by another layer already")
            if name in self.read or list(param.bottom).count(name) > 1:
                row.problem = "in-place"
                raise LayerError(f"cannot run in place: blob '{name}' is also read by another layer or bottom")

    def fill(self, row: LayerShapes, param: Any) -> None:
        """Find the shapes of a layer's tops."""
        kind = layer_class(param.type)
        least = kind.bottoms[0] if isinstance(kind.bottoms, tuple) else kind.bottoms or 0
        if not param.bottom and least == 0 and param.type not in TELLS_SHAPE:
            self.place(row, self.data_shapes(param))
            return
        row.opaque = OPAQUE.get(param.type, "")
        if row.opaque or None in row.bottoms:
            row.opaque = row.opaque or "a bottom's shape is not known"
            self.forget(param)
            return
        if param.type == "InfogainLoss" and len(param.bottom) == 2:
            row.tops = [(), *([row.bottoms[0]] * (len(param.top) - 1))]  # its setup reads a file
            return
        bottoms = [self.known[name] for name in param.bottom]
        tops = [self.known[name] if name == (list(param.bottom)[i:] or [None])[0] else Blob()
                for i, name in enumerate(param.top)]
        tops += [Blob() for _ in range(kind.auto_tops - len(tops))]
        try:
            self.build(row, bottoms, tops)
        except LayerError:
            if not self.try_other_labels(row, bottoms, tops):
                raise
        self.resize(row, tops)
        row.tops = [blob.shape for blob in tops]
        self.known.update(zip(param.top, tops, strict=False))

    def build(self, row: LayerShapes, bottoms: Sequence[Blob], tops: Sequence[Blob]) -> None:
        """Let the layer's own code work the shapes out."""
        bare = type(row.param)()
        bare.CopyFrom(row.param)
        strip_fillers(bare)
        if bare.type in OWN_FILLERS:
            getattr(bare, OWN_FILLERS[bare.type]).filler.value = 0
        row.layer = layer = create_layer(bare, _CONTEXT)
        check_counts(layer, bottoms, tops)
        layer.setup(bottoms, tops)
        layer.reshape(bottoms, tops)
        row.blobs = [blob.shape for blob in layer.blobs]

    def try_other_labels(self, row: LayerShapes, bottoms: Sequence[Blob], tops: Sequence[Blob]) -> bool:
        """Labels of data layers come in several shapes: one number per image, per pixel, or as the scores."""
        assumed, first = self.result.assumed, bottoms[0].shape if bottoms else ()
        for name, blob in zip(row.param.bottom, bottoms, strict=True):
            if name not in assumed or blob.shape != assumed[name] or not first or name == row.param.bottom[0]:
                continue
            for shape in (first[:1], (*first[:1], 1, *first[2:]), first):
                blob.reshape(*shape)
                try:
                    self.build(row, bottoms, tops)
                except LayerError:
                    blob.reshape(*assumed[name])
                    continue
                assumed[name] = self.result.blobs[name] = shape
                row.bottoms = [b.shape for b in bottoms]
                return True
        return False

    def resize(self, row: LayerShapes, tops: Sequence[Blob]) -> None:
        """Give inputs the size that the user asks for."""
        if row.param.bottom or row.param.type == "Parameter":
            return
        for name, blob in zip(row.param.top, tops, strict=False):
            if name in self.sizes.blobs:
                blob.reshape(*self.sizes.blobs[name])
            elif self.sizes.image and blob.ndim == 4:
                blob.reshape(*blob.shape[:2], *self.sizes.image)

    def data_shapes(self, param: Any) -> list[Shape]:
        """A guess at what a data layer will give, from its fields."""
        data = getattr(forks.extended(param), DATA_PARAMS.get(param.type, "image_data_param"))
        count = max(getattr(data, "batch_size", 0), 1)
        crop = param.transform_param.crop_size or getattr(data, "crop_size", 0)
        known = [(crop, crop)] + [tuple(getattr(data, f"{word}_{side}", 0) for side in ("height", "width"))
                                  for word in ("crop", "new")]
        rows, columns = self.sizes.image or next((pair for pair in known if all(pair)), DEFAULT_SIZE)
        gray = param.transform_param.force_gray or not getattr(data, "is_color", True)
        images: Shape = (count, 1 if gray else 3, rows, columns)
        label: Shape = (count,) if param.type in IMAGE_LABELS else (count, 1, rows, columns)
        return [images, *[label] * (len(param.top) - 1)][: len(param.top)]

    def place(self, row: LayerShapes, shapes: Sequence[Shape]) -> None:
        """Make blobs of assumed shapes."""
        row.tops = []
        for name, guess in zip(row.param.top, shapes, strict=True):
            shape = self.sizes.blobs.get(name, guess)
            if name not in self.sizes.blobs:
                self.result.assumed[name] = shape
            self.known[name] = Blob(shape)
            row.tops.append(shape)

    def forget(self, param: Any) -> None:
        """The tops of this layer are not known any more."""
        for name in param.top:
            self.known.pop(name, None)


def without_rules(layers: Iterable[Any]) -> Any:
    """A net of these layers, all of which belong to it."""
    net = caffe_pb2.NetParameter(layer=layers)
    for layer in net.layer:
        layer.ClearField("include")
        layer.ClearField("exclude")
    return net


def strip_fillers(message: Any) -> None:
    """Remove all fillers, so that parameters stay zeros that nobody allocates."""
    for kind, value in message.ListFields():
        if kind.message_type is None:
            continue
        if kind.message_type.name == caffe_pb2.FillerParameter.DESCRIPTOR.name:
            message.ClearField(kind.name)
            continue
        for part in value if is_repeated(kind) else [value]:
            strip_fillers(part)


def parse_sizes(words: Iterable[str]) -> Sizes:
    """Read ``500x334`` (height x width) or ``data=1x3x500x334`` from a command line. Raises PrototxtError."""
    image, blobs = None, {}
    for word in words:
        name, equals, size = word.rpartition("=")
        numbers = size.replace("x", ",").split(",")
        if not all(number.isdecimal() and len(number) < 10 for number in numbers) or (not equals and len(numbers) != 2):
            raise PrototxtError(f"'{word}' is not a size; write HEIGHTxWIDTH, or BLOB=NxCxHxW")
        shape = tuple(map(int, numbers))
        if equals:
            blobs[name] = shape
        else:
            image = (shape[0], shape[1])
    return Sizes(image, blobs)
