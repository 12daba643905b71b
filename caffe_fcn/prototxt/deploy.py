"""From a net that trains to one that is deployed, and back: data layers, losses and phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import NetError, UnknownLayerError
from ..graph import filter_net, with_state
from ..layers.registry import layer_class
from ..proto import caffe_pb2
from .heads import heads
from .net_document import LayerPart, NetDocument
from .shapes import net_shapes

FEEDS = frozenset(("Data", "DummyData", "HDF5Data", "ImageData", "MemoryData", "Python", "WindowData"))
PROBABILITIES = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}


def to_deploy(
    document: NetDocument, shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    probabilities: bool = False, force: bool = False,
) -> None:
    """Make the net of phase TEST run on its own: Input layers in place of data, no losses and metrics, no phases.

    shape          of the input, or of each input by blob name; by default what the data layer tells
    probabilities  put a Softmax (or Sigmoid) in the place of the loss

    Raises NetError, and changes nothing, where something else than a loss needs labels whose shape is not given.
    """
    net = document.message()
    if net.layers or net.input:
        raise NetError("this net is of an old format; upgrade it first (caffe-fcn upgrade)")
    shapes = net_shapes(net, caffe_pb2.TEST)
    guesses = {name: size for row in shapes.layers if row.param.type in FEEDS and not row.param.bottom
               for name, size in zip(row.top_names, row.tops, strict=True)}
    with document.transaction(force):
        _keep_phase(document, caffe_pb2.TEST)
        for layer in document.layers():
            if _is_loss(layer):
                _drop_loss(document, layer, probabilities)
        feeds = [layer for layer in document.layers() if layer.type in FEEDS and not layer.bottoms]
        if not feeds:
            raise NetError("the net has no data layer for phase TEST; it is for deployment already")
        needed = [top for layer in feeds for top in layer.tops if _is_read(document, top)]
        given = shape if isinstance(shape, Mapping) else {needed[0]: shape} if shape and needed else {}
        for name in needed:
            size = given.get(name) or guesses.get(name)
            if not size:
                raise NetError(f"the net still needs the input '{name}'; give its shape")
            _insert_input(document, name, size, feeds[0])
        for layer in feeds:
            document.remove(layer, rewire=False)


def to_train(
    document: NetDocument, data: str, label: str = "label", ignore_label: int | None = None, force: bool = False
) -> None:
    """Put data layers (their text) in the place of the Input layers, and a loss behind the only head.

    A Softmax or Sigmoid at the end becomes the loss that goes with it. Raises NetError where the head is not clear.
    """
    new = NetDocument(data)
    with document.transaction(force):
        tops = {top for layer in new.layers() for top in layer.tops}
        inputs = [layer for layer in document.layers(type="Input") if tops.intersection(layer.tops)]
        if not inputs:
            raise NetError(f"no Input layer makes any of the tops of the new data layers ({', '.join(sorted(tops))})")
        for layer in new.layers():
            document.insert(str(layer.field), before=inputs[0])
        for layer in inputs:
            document.remove(layer, rewire=False)
        found = list(heads(document.message().layer))
        if len(found) != 1:
            raise NetError(f"the net has {len(found)} outputs ({', '.join(found)}); put the losses in by hand (insert)")
        _append_loss(document, found[0], label, ignore_label)


def _append_loss(document: NetDocument, output: str, label: str, ignore_label: int | None) -> None:
    loss = caffe_pb2.LayerParameter(name="loss", type="SoftmaxWithLoss", top=["loss"])
    maker = next(layer for layer in reversed(document.layers()) if output in layer.tops)
    for name, kind in PROBABILITIES.items():
        if maker.type == kind:
            loss.type, output = name, maker.bottoms[0]
            document.remove(maker, rewire=False)
    loss.bottom.extend([output, label])
    if ignore_label is not None:
        loss.loss_param.ignore_label = ignore_label
    document.insert(loss)


def _keep_phase(document: NetDocument, phase: int) -> None:
    """Remove the layers of other phases, and the rules from those that stay."""
    for layer in document.layers():
        alone = caffe_pb2.NetParameter(layer=[layer.message()])
        if not filter_net(with_state(alone, phase)).layer:
            document.remove(layer, rewire=False)
            continue
        for rules in ("include", "exclude"):
            if layer.body.named(rules):
                layer.delete(rules)


def _is_loss(layer: LayerPart) -> bool:
    """Whether it is a loss or a metric: something that compares scores with labels, or ends what nobody reads."""
    try:
        known = layer_class(layer.type).is_loss
    except UnknownLayerError:
        known = False
    return known or layer.type in ("Accuracy", "Silence") or any(layer.get("loss_weight", []))


def _drop_loss(document: NetDocument, layer: LayerPart, probabilities: bool) -> None:
    if probabilities and layer.type in PROBABILITIES:
        kind = PROBABILITIES[layer.type]
        document.insert(caffe_pb2.LayerParameter(name="prob", type=kind, bottom=layer.bottoms[:1], top=["prob"]),
                        before=layer)
    document.remove(layer, rewire=False)


def _is_read(document: NetDocument, blob: str) -> bool:
    return any(blob in layer.bottoms for layer in document.layers())


def _insert_input(document: NetDocument, name: str, shape: Sequence[int], before: LayerPart) -> None:
    dims = " ".join(f"dim: {size}" for size in shape)
    document.insert(f'layer {{\n  name: "{name}"\n  type: "Input"\n  top: "{name}"\n'
                    f"  input_param {{ shape {{ {dims} }} }}\n}}", before=before)
