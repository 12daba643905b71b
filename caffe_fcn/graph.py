"""NetParameter in, NetParameter out: the layers that a state keeps, and the Split layers that a net needs.

Nothing here changes its input, and nothing here knows shapes or layer classes.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from caffe_fcn.errors import LayerError
from caffe_fcn.proto import caffe_pb2

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import LayerParameter, NetParameter, NetState, NetStateRule

Top = tuple[int, int]  # index of the layer, index of the top in that layer


def with_state(net: NetParameter, phase: int, level: int = 0, stages: Iterable[str] = ()) -> NetParameter:
    """Copy `net` with the state of a net that is built alone.

    `phase` and `level` replace those of the file; `stages` are added to the stages of the file.
    """
    result = type(net)()
    result.CopyFrom(net)
    result.state.phase = phase
    result.state.level = level
    result.state.stage.extend(stages)
    return result


def filter_net(net: NetParameter) -> NetParameter:
    """Copy `net` with only the layers that belong to `net.state` (see `with_state`).

    Raises LayerError where a layer has both include and exclude rules.
    """
    result = _without_layers(net)
    result.layer.extend(layer for layer in net.layer if _belongs(layer, net.state))
    return result


def _belongs(layer: LayerParameter, state: NetState) -> bool:
    """Tell whether a layer is part of the net: any include rule lets it in, any exclude rule keeps it out."""
    if layer.include and layer.exclude:
        raise LayerError(
            "has include rules and exclude rules; give one kind only, as their order would be unclear",
            layer.name,
            layer.type,
        )
    if layer.include:
        return any(state_meets(state, rule) for rule in layer.include)
    return not any(state_meets(state, rule) for rule in layer.exclude)


def state_meets(state: NetState, rule: NetStateRule) -> bool:
    """Tell whether a state fulfils every condition of a rule; a rule without conditions is always met."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)


def insert_splits(net: NetParameter) -> NetParameter:
    """Copy `net` with a Split layer behind each top that has more than one use.

    A use is a bottom of a later layer, or a written loss weight that is not 0. That weight moves to the first
    output of the split. All written loss weights of the producing layer go with it, as in the original, also those
    of its other tops.

    Raises LayerError where a bottom is no top of an earlier layer.
    """
    sources = _sources(net)
    weights = _written_weights(net)
    uses = Counter(source for bottoms in sources for source in bottoms)
    uses.update(top for top, weight in weights.items() if weight)
    taken: Counter[Top] = Counter()  # outputs of each split that already have their user
    result = _without_layers(net)
    for i, layer in enumerate(net.layer):
        copy = result.layer.add()
        copy.CopyFrom(layer)
        for j, source in enumerate(sources[i]):
            if uses[source] > 1:
                copy.bottom[j] = f"{split_name(net, source)}_{taken[source]}"
                taken[source] += 1
        for j in range(len(layer.top)):
            if uses[i, j] > 1:
                weight = weights.get((i, j), 0)
                _fill_split(result.layer.add(), net, (i, j), uses[i, j], weight)
                if weight:
                    copy.ClearField("loss_weight")
                    taken[i, j] = 1
    return result


def split_name(net: NetParameter, top: Top) -> str:
    """Name of the Split layer of a top; `_<k>` behind it names the split's output k."""
    layer = net.layer[top[0]]
    return f"{layer.top[top[1]]}_{layer.name}_{top[1]}_split"


def _fill_split(split: LayerParameter, net: NetParameter, top: Top, uses: int, weight: float) -> None:
    split.name = split_name(net, top)
    split.type = "Split"
    split.bottom.append(net.layer[top[0]].top[top[1]])
    split.top.extend(f"{split.name}_{k}" for k in range(uses))
    if weight:
        split.loss_weight.extend([weight] + [0] * (uses - 1))


def _sources(net: NetParameter) -> list[list[Top]]:
    """For each layer and each of its bottoms, the top that it reads: the last one of that name so far."""
    last: dict[str, Top] = {}
    sources: list[list[Top]] = []
    for i, layer in enumerate(net.layer):
        for j, blob in enumerate(layer.bottom):
            if blob not in last:
                raise LayerError(_unknown_bottom(net, i, j, last), layer.name, layer.type)
        sources.append([last[blob] for blob in layer.bottom])
        last.update((blob, (i, j)) for j, blob in enumerate(layer.top))
    return sources


def _unknown_bottom(net: NetParameter, i: int, j: int, known: Iterable[str]) -> str:
    blob = net.layer[i].bottom[j]
    phase = caffe_pb2.Phase.Name(net.state.phase)
    message = f"unknown bottom blob '{blob}' (bottom {j}): no earlier layer of phase {phase} has it as a top"
    for later in net.layer[i + 1 :]:
        if blob in later.top:
            return f"{message}; layer '{later.name}' makes it, so that layer must come before this one"
    close = difflib.get_close_matches(blob, known, n=3)
    if close:
        return f"{message}; did you mean {' or '.join(repr(name) for name in close)}?"
    return f"{message}; add the layer that makes it, or correct the name"


def _written_weights(net: NetParameter) -> dict[Top, float]:
    """The loss weight of every top that has one in writing."""
    return {
        (i, j): weight
        for i, layer in enumerate(net.layer)
        for j, (_, weight) in enumerate(zip(layer.top, layer.loss_weight, strict=False))
    }


def _without_layers(net: NetParameter) -> NetParameter:
    result = type(net)()
    result.CopyFrom(net)
    result.ClearField("layer")
    return result
