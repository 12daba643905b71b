"""Forward passes before and after an edit, on the same inputs, and what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from caffe_fcn import TEST
from caffe_fcn.errors import NetError
from caffe_fcn.graph import filter_net, with_state
from caffe_fcn.memory import require_memory
from caffe_fcn.net import Net

from .links import Links, unused_tops
from .model import Model, without_splits
from .sources import input_layer, is_source, source_shapes

Subject = TypeVar("Subject", bound=Model | Net)
Named = Mapping[str, np.ndarray]
Shapes = Mapping[str, Sequence[int]]

SPREAD = 50.0  # of random inputs: that of images minus their mean
SQUASHING = ("Softmax", "Sigmoid", "TanH")  # outputs of these hide differences: look at their bottoms too


def _same(values: Any) -> Any:
    return values


class Equal(NamedTuple):
    """What must be equal before and after an edit.

    title  name of the operation, for the lines printed
    blobs  name before -> name after; None: the outputs after, where a blob of that name existed before
    feed   from inputs before (by name) to inputs after
    pick   from the values of a blob before and after to the parts to compare
    """

    title: str
    blobs: Mapping[str, str] | None = None
    feed: Callable[[Named], Named] = _same
    pick: tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]] = (_same, _same)


class Difference(NamedTuple):
    """How far a blob after the edit is from what it was."""

    blob: str
    largest: float  # absolute difference
    scale: float  # largest absolute value before

    @property
    def relative(self) -> float:
        """The largest difference as a part of the largest value."""
        return self.largest / self.scale if self.scale else self.largest

    def __str__(self) -> str:
        if not self.scale and not self.largest:
            return f"'{self.blob}' is zero before and after, which shows little"
        return f"'{self.blob}' differs by at most {self.largest:.2g} ({self.relative:.1g} of its largest value)"


@dataclasses.dataclass(frozen=True)
class Check:
    """How an operation proves itself.

    shapes     shapes of the inputs by name; needed where they come from data layers
    tolerance  largest difference allowed, as a part of the largest value of the blob
    force      keep the result even if it differs, and allow edits whose effect cannot be exact
    run        False: no forward passes at all
    show       what receives the lines that tell the differences
    """

    shapes: Shapes | None = None
    tolerance: float = 1e-4
    force: bool = False
    run: bool = True
    show: Callable[[str], Any] = print

    def conclude(self, subject: Subject, before: Model, after: Model, *equals: Equal) -> Subject:
        """Compare, print, and return the result as what the subject was: a Model or a Net.

        Raises NetError where blobs differ by more than the tolerance, unless forced.
        """
        for equal in equals if self.run else ():
            for difference in compare(before, after, equal, self.shapes):
                self.show(f"{equal.title}: {difference}")
                if not difference.relative <= self.tolerance and not self.force:
                    raise NetError(f"{equal.title}: {difference}; refused, as at most {self.tolerance:g} is allowed "
                                   "(force it, or allow more, to have it all the same)")
        return cast(Subject, after.build(subject._phase) if isinstance(subject, Net) else after)


STRICT = Check()


def compare(before: Model, after: Model, equal: Equal, shapes: Shapes | None = None) -> list[Difference]:
    """Run both nets (TEST phase) on the same random inputs. Raises NetError where there is nothing to compare."""
    old = runnable(before, shapes)
    for layer in before.net.layer:
        if layer.name in old.params and layer.name not in before.weights and _is_random(layer):
            raise NetError(f"{equal.title}: layer '{layer.name}' has no weights, and its random ones differ between "
                           "two nets; load weights, or go without the check")
    require_memory(3 * sum(old.blobs[name].memories[0].nbytes for name in old.inputs), "inputs of these shapes")
    given = random_inputs(old)
    feed = equal.feed(given)
    new = runnable(after, {name: array.shape for name, array in feed.items()})
    pairs = equal.blobs if equal.blobs is not None else {
        name: name for name in _telling_blobs(new) if name in old.blobs and name not in new.inputs}
    if not pairs:
        raise NetError(f"{equal.title}: no blob is there before and after to compare; go without the check")
    expected, found = forward(old, given, pairs.keys()), forward(new, feed, pairs.values())
    return [_difference(b, equal.pick[0](expected[a]), equal.pick[1](found[b])) for a, b in pairs.items()]


def _is_random(layer: Any) -> bool:
    """Whether a filler of the layer draws random values."""
    fillers = [value for _, param in layer.ListFields() if hasattr(param, "ListFields")
               for field, value in param.ListFields() if field.name.endswith("filler")]
    return any(filler.type not in ("constant", "bilinear") for filler in fillers)


def _difference(name: str, expected: np.ndarray, found: np.ndarray) -> Difference:
    if expected.size != found.size:
        raise NetError(f"blob '{name}' has the shape {found.shape} after the edit, {expected.shape} before")
    expected, found = np.float64(expected).ravel(), np.float64(found).ravel()
    if not expected.size:
        return Difference(name, 0.0, 0.0)
    return Difference(name, float(np.abs(expected - found).max()), float(np.abs(expected).max()))


def _telling_blobs(net: Net) -> list[str]:
    """The outputs, and what goes into those that squash."""
    links = Links(without_splits(net._wiring.net))
    names = [links.blob(top) for top in unused_tops(links)]
    for layer in links.layers:
        if layer.type in SQUASHING and layer.top[0] in names:
            names.append(layer.bottom[0])
    return list(dict.fromkeys(names))


def forward(net: Net, inputs: Named, blobs: Iterable[str]) -> dict[str, np.ndarray]:
    """Copies of these blobs after a pass; gives the memory of the net's blobs back."""
    for name in net.inputs:
        net.blobs[name].data[...] = inputs[name]
    net.forward()
    result = {name: net.blobs[name].data.copy() for name in blobs}
    net.release()
    return result


def random_inputs(net: Net, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal values of a spread as of images for every input; zeros for those that are labels."""
    generator = np.random.default_rng(seed)
    labels = _labels(without_splits(net._wiring.net))
    spread = {name: np.float32(0 if name in labels else SPREAD) for name in net.inputs}
    return {name: generator.standard_normal(net.blobs[name].shape, np.float32) * spread[name] for name in net.inputs}


def _labels(message: Any) -> set[str]:
    """Blobs that losses and accuracies compare with."""
    return {name for layer in message.layer if layer.type.endswith("Loss") or layer.type == "Accuracy"
            for name in layer.bottom[1:]}


def runnable(model: Model, shapes: Shapes | None = None) -> Net:
    """The net of the TEST phase with all data layers replaced by inputs; what needs an input of unknown shape is cut.

    `shapes` by name of the input win over what the layers say. Raises NetError if nothing is left.
    """
    message = filter_net(with_state(model.net, TEST))
    known = _known_shapes(message, shapes or {})
    layers, lacking, unknown = [], set(), []
    for layer in message.layer:
        if is_source(layer):
            for top in layer.top:
                if top in known:
                    layers.append(input_layer(top, top, known[top]))
                else:
                    unknown.append(top)
                    lacking.add(top)
        elif lacking.intersection(layer.bottom):
            lacking.update(layer.top)
        else:
            layers.append(layer)
    if not any(layer.bottom for layer in layers):
        raise NetError(f"the check needs the shapes of the net's inputs ({', '.join(unknown) or 'it has none'}): give "
                       "shapes, or go without the check")
    result = model.copy()
    result.net.ClearField("state")
    result.set_layers(layers)
    return result.build()


def _known_shapes(message: Any, shapes: Shapes) -> dict[str, Sequence[int]]:
    """Shapes of what sources make; labels that would not fit other shapes of the data are left out."""
    own = {top: shape for layer in message.layer if is_source(layer)
           for top, shape in zip(layer.top, source_shapes(layer), strict=True) if shape is not None}
    moved = any(name in own and tuple(shape) != own[name] for name, shape in shapes.items())
    labels = _labels(message) if moved else set()
    return {**{name: shape for name, shape in own.items() if name not in labels}, **shapes}


def blob_shapes(model: Model, shapes: Shapes | None = None) -> dict[str, tuple[int, ...]]:
    """Shape of every blob in the TEST phase."""
    return {name: blob.shape for name, blob in runnable(model, shapes).blobs.items()}


def output_names(model: Model) -> list[str]:
    """Names of the blobs that no layer of the TEST phase reads, in order."""
    links = Links(filter_net(with_state(model.net, TEST)))
    return [links.blob(top) for top in unused_tops(links)]
