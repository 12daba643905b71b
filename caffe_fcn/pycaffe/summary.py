"""A net as a table: layers with the shapes of their tops, parameters and memory; as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..net import Net

HEADER = ("layer", "type", "bottoms", "tops", "parameters", "memory")
RIGHT = (4, 5)  # columns of numbers


class Row(NamedTuple):
    """One layer. `parameters` counts values, `memory` bytes of the tops' values that the layer does not share."""

    layer: str
    type: str
    bottoms: str
    tops: str
    parameters: int
    memory: int

    def cells(self) -> tuple[str, ...]:
        """The texts of the row."""
        numbers = (f"{self.parameters:,}" if self.parameters else "", size(self.memory) if self.memory else "")
        return (self.layer, self.type, self.bottoms, self.tops, *numbers)


def rows(net: Net) -> Iterator[Row]:
    """The layers of a net, without the Splits that were put in; allocates nothing."""
    seen: set[int] = set()
    split_from: dict[str, str] = {}  # an inserted split's tops: the blob that they are copies of
    for i, (name, layer) in enumerate(zip(net._layer_names, net.layers, strict=True)):
        tops = net._wiring.tops[i]
        own = [blob for blob in tops if id(blob.memories[0]) not in seen]
        seen.update(id(blob.memories[0]) for blob in tops)
        given = [net._blob_names[k] for k in net._bottom_ids(i)]
        if layer.type == "Split" and name.endswith("_split"):
            split_from.update((net._blob_names[k], given[0]) for k in net._top_ids(i))
            continue
        shapes = ", ".join(f"{net._blob_names[k]} {'x'.join(map(str, net._wiring.blobs[k].shape)) or 'scalar'}"
                           for k in net._top_ids(i))
        bottoms = ", ".join(split_from.get(blob, blob) for blob in given)
        yield Row(name, layer.type, bottoms, shapes, sum(b.count for b in layer.blobs),
                  sum(b.count * b.dtype.itemsize for b in own))


def as_text(net: Net) -> str:
    """The table with a line about the whole net above and the totals below."""
    table = [HEADER, *(row.cells() for row in rows(net)), _totals(net)]
    widths = [max(len(line[k]) for line in table) for k in range(len(HEADER))]
    lines = ["  ".join(cell.rjust(w) if k in RIGHT else cell.ljust(w)
                       for k, (cell, w) in enumerate(zip(line, widths, strict=True))).rstrip() for line in table]
    return "\n".join([_title(net), lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def as_html(net: Net) -> str:
    """The same table for notebooks."""
    body = "".join(_html_row(row.cells(), "td") for row in rows(net))
    return (f"<p>{html.escape(_title(net))}</p><table><thead>{_html_row(HEADER, 'th')}</thead><tbody>{body}</tbody>"
            f"<tfoot>{_html_row(_totals(net), 'th')}</tfoot></table>")


def size(count: float) -> str:
    """A number of bytes in a unit that suits it."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _title(net: Net) -> str:
    name = f"Net '{net._wiring.net.name}'" if net._wiring.net.name else "Net"
    file = f" of {net._file}" if net._file else ""
    return (f"{name}{file}, {'TRAIN' if net._phase == 0 else 'TEST'}: inputs {', '.join(net.inputs) or 'none'}; "
            f"outputs {', '.join(net.outputs) or 'none'}")


def _totals(net: Net) -> tuple[str, ...]:
    table = list(rows(net))
    memory = sum(row.memory for row in table)
    values = {id(blob): blob for layer in net.layers for blob in layer.blobs}
    parameters = sum(blob.count for blob in values.values())
    return (f"{len(table)} layers", "", "", "", f"{parameters:,}" if parameters else "", size(memory))


def _html_row(cells: Sequence[str], tag: str) -> str:
    style = ' style="text-align:right"'
    return "<tr>" + "".join(f"<{tag}{style if k in RIGHT else ''}>{html.escape(cell)}</{tag}>"
                            for k, cell in enumerate(cells)) + "</tr>"
