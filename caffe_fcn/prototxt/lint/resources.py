"""Rules about memory and time at a given input size."""

from __future__ import annotations

from collections.abc import Iterator

from ..cost import ITEM, layer_cost, net_cost, pass_bytes
from .rule import INFO, WARNING, Note, View, view_rule

ELEMENTWISE = ("ReLU", "Dropout", "PReLU", "ELU")
WORTH_IT = 1 << 20  # bytes that a layer in place would save


@view_rule("memory-forecast", WARNING)
def memory_forecast(view: View) -> Iterator[Note]:
    """A pass needs all blobs and parameters at once, in training with their gradients. Above the limit
    (--memory-limit, 16 GiB) it may not fit.
    """
    train = view.phase == "TRAIN" and view.has_loss
    needed = pass_bytes(view.shapes, train) / 2**30
    if needed > view.options.memory_limit and view.rows:
        largest = max(view.rows, key=lambda row: layer_cost(row).bytes + layer_cost(row).params * ITEM)
        yield Note(largest, f"a {'training step' if train else 'forward pass'} needs {needed:.1f} GiB, more than "
                            f"{view.options.memory_limit:g}; this layer has the largest part")


@view_rule("time-forecast", WARNING)
def time_forecast(view: View) -> Iterator[Note]:
    """The time of a pass follows from its operations and the speed of the machine (--gflops, 100 a second). A training
    step takes three times as long as a forward pass. Above the limit (--time-limit, 60 s) something may be too large.
    """
    train = view.phase == "TRAIN" and view.has_loss
    operations = net_cost(view.shapes).flops * (3 if train else 1)
    seconds = operations / 1e9 / view.options.gflops
    if seconds > view.options.time_limit and view.rows:
        largest = max(view.rows, key=lambda row: layer_cost(row).flops)
        yield Note(largest, f"a {'training step' if train else 'forward pass'} of {operations / 1e9:.0f} GFLOP takes "
                            f"about {seconds:.0f} s at {view.options.gflops:g} GFLOP/s; this layer has the most")


@view_rule("not-in-place", INFO)
def not_in_place(view: View) -> Iterator[Note]:
    """ReLU, PReLU, ELU and Dropout can work in place, which saves a blob, if nothing else reads their bottom."""
    for row in view.of_type(*ELEMENTWISE):
        bottom = row.param.bottom[0] if row.param.bottom else ""
        maker = view.maker(bottom, row)
        if maker is None or row.problem or bottom in row.param.top or not maker.param.bottom:
            continue
        if len(view.readers(maker, bottom)) == 1 and layer_cost(row).bytes >= WORTH_IT:
            yield Note(row, f"could work in place and save {layer_cost(row).bytes / 2**20:.1f} MiB: write top: "
                            f"\"{bottom}\"", ("top", 0))
