"""A net's prototxt by its layers: find, rename, insert, remove, replace, move."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from typing import Any

from ..errors import CaffeFcnError, LayerError, NetError
from ..proto import caffe_pb2
from ..proto.printer import to_text
from ..proto.upgrade import upgrade_net
from .cst import Block, Body, Field
from .document import Document, Part, eval_string
from .shapes import net_shapes


class LayerPart(Part):
    """A layer of a document."""

    def __init__(self, document: NetDocument, field: Field, body: Body) -> None:
        super().__init__(document, body)
        self.field = field

    def _strings(self, name: str) -> list[str]:
        return [eval_string(value) for _, value in self.body.entries(name)]

    @property
    def name(self) -> str:
        """Its name, "" if it has none."""
        return (self._strings("name") or [""])[0]

    @property
    def type(self) -> str:
        """Its type, "" if it has none; that of an old `layers` block in capitals."""
        return str(self.get("type", ""))

    @property
    def bottoms(self) -> list[str]:
        """Names of its bottoms."""
        return self._strings("bottom")

    @property
    def tops(self) -> list[str]:
        """Names of its tops."""
        return self._strings("top")

    def __repr__(self) -> str:
        return f"<layer '{self.name}' ({self.type})>"


class NetDocument(Document):
    """The text of a net. A change that would break the net raises NetError unless `force` is given.

    Layers are told apart by name; where several have one (for different phases), `layer` wants an index too.
    """

    def __init__(self, text: str, file: str | None = None) -> None:
        super().__init__(text, caffe_pb2.NetParameter, file)

    def problems(self) -> dict[Any, str]:
        """Layers that are refused in some phase."""
        net = self.message()
        try:
            upgrade_net(net, self.file or "the net")
            rows = [(phase, row) for phase in (0, 1) for row in net_shapes(net, phase).errors]
        except (LayerError, NetError) as error:
            return {"net": str(error)}
        return {(phase, row.param.name, row.param.type, row.problem): str(row.error) for phase, row in rows}

    # finding

    def layers(self, name: str | None = None, type: str | None = None, pattern: str | None = None) -> list[LayerPart]:
        """The layers in order; of a `name` (which may hold ``*`` and ``?``), of a `type`, or whose name matches a
        regular expression as a whole.
        """
        found = []
        for field in self.body.fields:
            if field.name in ("layer", "layers"):
                for value in field.values:
                    assert isinstance(value, Block)
                    found.append(LayerPart(self, field, value.body))
        if name is not None:
            found = [layer for layer in found if fnmatch.fnmatchcase(layer.name, name)]
        if type is not None:
            found = [layer for layer in found if layer.type == type]
        if pattern is not None:
            expression = re.compile(pattern)
            found = [layer for layer in found if expression.fullmatch(layer.name)]
        return found

    def layer(self, name: str, index: int | None = None) -> LayerPart:
        """The layer of this name, or number `index` of several. Raises NetError unless there is exactly one."""
        found = [layer for layer in self.layers() if layer.name == name]
        if not found:
            close = difflib.get_close_matches(name, [layer.name for layer in self.layers()], 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise NetError(f"the net has no layer '{name}'{hint}")
        if index is None and len(found) > 1:
            raise NetError(f"the net has {len(found)} layers called '{name}'; give an index as well")
        if index is not None and not 0 <= index < len(found):
            raise NetError(f"the net has {len(found)} layers called '{name}', there is no number {index}")
        return found[index or 0]

    def blobs(self) -> list[str]:
        """Names of all blobs, in order of appearance."""
        names = [*(eval_string(value) for _, value in self.body.entries("input"))]
        for layer in self.layers():
            names += layer.bottoms + layer.tops
        return list(dict.fromkeys(names))

    # renaming

    def rename_layer(self, old: str, new: str, blob: bool = False, force: bool = False) -> None:
        """Rename all layers called `old`; with `blob` also the blob of that name. Weights are found by layer name."""
        layers = [layer for layer in self.layers() if layer.name == old]
        if not layers:
            self.layer(old)
        if not force and any(layer.name == new for layer in self.layers()):
            raise NetError(f"there is a layer '{new}' already")
        with self.transaction(force):
            for layer in layers:
                layer.set("name", new)
            if blob and old in self.blobs():
                self.rename_blob(old, new, force)

    def rename_blob(self, old: str, new: str, force: bool = False) -> None:
        """Rename a blob wherever it is a top, a bottom or an input."""
        blobs = self.blobs()
        if old not in blobs:
            close = difflib.get_close_matches(old, blobs, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise NetError(f"the net has no blob '{old}'{hint}")
        if new in blobs and not force:
            raise NetError(f"there is a blob '{new}' already")
        with self.transaction(force):
            parts: list[tuple[Part, tuple[str, ...]]] = [(self, ("input",))]
            parts += [(layer, ("bottom", "top")) for layer in self.layers()]
            for part, names in parts:
                for name in names:
                    for i, (_, value) in enumerate(part.body.entries(name)):
                        if eval_string(value) == old:
                            part.set(f"{name}[{i}]", new)

    # whole layers: each is given by name (and index), or as a LayerPart

    def insert(
        self, layer: Any, after: str | LayerPart | None = None, before: str | LayerPart | None = None,
        force: bool = False,
    ) -> LayerPart:
        """Put in a layer (a LayerParameter, or the text of one ``layer { ... }``), at the end unless told where."""
        field = _layer_field(layer)
        with self.transaction(force):
            self.body.insert(self._place(after, before), field)
        return self._part(field)

    def remove(
        self, layer: str | LayerPart, rewire: bool = True, index: int | None = None, force: bool = False
    ) -> None:
        """Take a layer out. With `rewire` those that read its top read its bottom instead, if it has one of each."""
        gone = self._single(layer, index)
        bottoms, tops = gone.bottoms, gone.tops
        with self.transaction(force):
            self.body.remove(gone.field)
            made_elsewhere = any(tops[0] in other.tops for other in self.layers()) if tops else True
            if rewire and len(bottoms) == len(tops) == 1 and not made_elsewhere:
                for other in self.layers():
                    for i, bottom in enumerate(other.bottoms):
                        if bottom == tops[0]:
                            other.set(f"bottom[{i}]", bottoms[0])

    def replace(
        self, layer: str | LayerPart, new: Any, index: int | None = None, force: bool = False
    ) -> LayerPart:
        """Put a layer (as for `insert`) in the place of another; comments around it stay."""
        old, field = self._single(layer, index), _layer_field(new)
        with self.transaction(force):
            old.field.name, old.field.colon, old.field.value = field.name, field.colon, field.value
        return self._part(old.field)

    def move(
        self, layer: str | LayerPart, after: str | LayerPart | None = None, before: str | LayerPart | None = None,
        index: int | None = None, force: bool = False,
    ) -> None:
        """Put a layer, with the comment right above it, to another place."""
        field = self._single(layer, index).field
        if any(self._part_of(place).field is field for place in (after, before) if place is not None):
            raise NetError(f"layer '{self._part(field).name}' cannot be moved next to itself")
        with self.transaction(force):
            comment = field.lead.rpartition("\n\n")[2].strip()
            self.body.remove(field)
            self.body.insert(self._place(after, before), field)
            if comment:
                field.lead += f"{comment}\n"

    def _part_of(self, layer: str | LayerPart, index: int | None = None) -> LayerPart:
        return layer if isinstance(layer, LayerPart) else self.layer(layer, index)

    def _single(self, layer: str | LayerPart, index: int | None) -> LayerPart:
        """The layer; refuses one that is written in a list of layers."""
        part = self._part_of(layer, index)
        if len(part.field.values) != 1:
            raise NetError("the layers are written as one list; write each as layer { ... } (caffe-fcn fmt does)")
        return part

    def _place(self, after: str | LayerPart | None, before: str | LayerPart | None) -> int:
        """Where a new field belongs in the body: before the first or behind the last layer of a name."""
        if after is not None and before is not None:
            raise ValueError("give 'after' or 'before', not both")
        if before is not None:
            return self.body.fields.index(self._all_of(before)[0].field)
        if after is not None:
            return self.body.fields.index(self._all_of(after)[-1].field) + 1
        return len(self.body.fields)

    def _all_of(self, place: str | LayerPart) -> Sequence[LayerPart]:
        """All layers of a name, at least one."""
        if isinstance(place, LayerPart):
            return [place]
        return [layer for layer in self.layers() if layer.name == place] or [self.layer(place)]

    def _part(self, field: Field) -> LayerPart:
        return next(layer for layer in self.layers() if layer.field is field)


def _layer_field(layer: Any) -> Field:
    """A LayerParameter or a text as a field of a net."""
    if not isinstance(layer, str):
        layer = to_text(caffe_pb2.NetParameter(layer=[layer]))
    try:
        fields = Document(layer.strip(), caffe_pb2.NetParameter).body.fields
    except CaffeFcnError as error:
        raise NetError(f"the text of the layer cannot be read: {error}") from None
    if [field.name for field in fields] != ["layer"] or len(fields[0].values) != 1:
        raise NetError("the text must be of one layer: layer { name: ... }")
    return fields[0]
