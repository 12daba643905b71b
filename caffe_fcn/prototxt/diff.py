"""What two nets say differently: layers and blobs that were renamed are recognised, their order does not count."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..proto import forks
from ..proto.printer import to_text
from ..proto.schema import is_repeated
from .shapes import text_of

# Repeated fields for which nothing and one such value mean the same.
REPEATED_DEFAULTS = {("ConvolutionParameter", "pad"): 0, ("ConvolutionParameter", "stride"): 1,
                     ("ConvolutionParameter", "dilation"): 1, ("CropParameter", "offset"): 0}
Pair = tuple[int, int]  # indices of a layer in the first and in the second net


class Change(NamedTuple):
    """A difference. `kind`: added, removed, renamed (a layer), blob (renamed), changed, order, net."""

    kind: str
    layer: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {f'{self.layer}: ' if self.layer and self.words else self.layer}{self.words}"


def diff_nets(a: Any, b: Any) -> list[Change]:
    """The differences from one NetParameter (upgraded) to another; an empty list if they mean the same.

    Values that equal the default of their field count as not written.
    """
    mine, theirs = list(a.layer), list(b.layer)
    pairs = _match(mine, theirs)
    matched_a, matched_b = {i for i, _ in pairs}, {j for _, j in pairs}
    blobs = _renamed_blobs(mine, theirs, pairs)
    changes = list(_net_changes(a, b))
    changes += [Change("removed", layer.name, layer.type) for i, layer in enumerate(mine) if i not in matched_a]
    changes += [Change("added", layer.name, layer.type) for j, layer in enumerate(theirs) if j not in matched_b]
    changes += [Change("renamed", mine[i].name, f"now '{theirs[j].name}'")
                for i, j in pairs if mine[i].name != theirs[j].name]
    changes += [Change("blob", "", f"'{old}' is now '{new}'") for old, new in blobs.items() if old != new]
    for i, j in pairs:
        changes += [Change("changed", mine[i].name, words) for words in _layer_changes(mine[i], theirs[j], blobs)]
    return changes + list(_order_changes(mine, theirs, pairs, blobs))


# which layers belong together


def _match(mine: Sequence[Any], theirs: Sequence[Any]) -> list[Pair]:
    """Pairs of layers: first by name, then the others by what they are and do."""
    pairs = _match_by(mine, theirs, [(range(len(mine)), range(len(theirs)))], lambda layer: layer.name)
    for key in (_identity, _likeness):
        rest_a = [i for i in range(len(mine)) if i not in {p for p, _ in pairs}]
        rest_b = [j for j in range(len(theirs)) if j not in {q for _, q in pairs}]
        keys_a, keys_b = [key(mine[i]) for i in rest_a], [key(theirs[j]) for j in rest_b]
        for tag, i0, i1, j0, _ in difflib.SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_opcodes():
            if tag == "equal":
                pairs += [(rest_a[i0 + k], rest_b[j0 + k]) for k in range(i1 - i0)]
    return sorted(pairs)


def _match_by(mine: Sequence[Any], theirs: Sequence[Any], groups: Any, key: Any) -> list[Pair]:
    """Pairs of equal keys; of several, those with the same rules, then in order."""
    pairs: list[Pair] = []
    for indices_a, indices_b in groups:
        places: dict[Any, list[int]] = defaultdict(list)
        for j in indices_b:
            places[key(theirs[j])].append(j)
        for i in indices_a:
            candidates = places[key(mine[i])]
            same = [j for j in candidates if list(theirs[j].include) == list(mine[i].include)]
            if candidates:
                candidates.remove(j := (same or candidates)[0])
                pairs.append((i, j))
    return pairs


def _identity(layer: Any) -> str:
    """What a layer is, apart from all names."""
    bare = type(layer)()
    bare.CopyFrom(layer)
    for field in ("name", "bottom", "top"):
        bare.ClearField(field)
    return f"{'; '.join(sorted(_leaves(bare)))} {len(layer.bottom)} {len(layer.top)}"


def _likeness(layer: Any) -> str:
    """Type and numbers of blobs, for layers whose parameters changed with their name."""
    return f"{layer.type} {len(layer.bottom)} {len(layer.top)}"


def _renamed_blobs(mine: Sequence[Any], theirs: Sequence[Any], pairs: Sequence[Pair]) -> dict[str, str]:
    """New name of each blob by its old one, where all pairs agree."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for i, j in pairs:
        for old, new in zip(mine[i].top, theirs[j].top, strict=False):
            votes[old][new] += 1
    names = {old: new.most_common(1)[0][0] for old, new in votes.items()}
    kept = {name for layer in theirs for name in layer.top}
    taken = Counter(names.values())
    return {old: old if (old in kept and old in votes[old]) or taken[new] > 1 else new for old, new in names.items()}


# what they say


def _net_changes(a: Any, b: Any) -> Iterator[Change]:
    bare = []
    for net in (a, b):
        copy = type(net)()
        copy.CopyFrom(net)
        copy.ClearField("layer")
        bare.append(copy)
    yield from (Change("net", "", words) for words in _value_changes(_leaves(bare[0]), _leaves(bare[1])))


def _layer_changes(mine: Any, theirs: Any, blobs: dict[str, str]) -> Iterator[str]:
    if mine.type != theirs.type:
        yield f"type {mine.type} -> {theirs.type}"
    for field in ("bottom", "top"):
        old, new = list(getattr(mine, field)), list(getattr(theirs, field))
        if [blobs.get(name, name) for name in old] != new:
            yield f"{field} {', '.join(old) or 'none'} -> {', '.join(new) or 'none'}"
    yield from _value_changes(_leaves(mine, ("name", "type", "bottom", "top", "blobs")),
                              _leaves(theirs, ("name", "type", "bottom", "top", "blobs")))


def _value_changes(mine: dict[str, str], theirs: dict[str, str]) -> Iterator[str]:
    for path in dict.fromkeys((*mine, *theirs)):
        old, new = mine.get(path), theirs.get(path)
        if old != new:
            yield f"{path} {old or 'not given'} -> {new or 'not given'}"


def _leaves(message: Any, without: Sequence[str] = (), prefix: str = "") -> dict[str, str]:
    """Every value that is not the default, as text, by its path."""
    found: dict[str, str] = {}
    message = forks.extended(message) if forks.has_fork_fields(message) else message
    for field, value in message.ListFields():
        if field.name in without:
            continue
        path = f"{prefix}{field.name}"
        if field.message_type is not None:
            parts = [(f"{path}[{i}].", part) for i, part in enumerate(value)] if is_repeated(field) else [
                (f"{path}.", value)]
            for start, part in parts:
                inner = _leaves(part, (), start)
                found.update(inner or ({start[:-1]: "{ }"} if is_repeated(field) else {}))
        elif is_repeated(field):
            if list(value) != [REPEATED_DEFAULTS.get((field.containing_type.name, field.name))]:
                found[path] = ", ".join(_spelled(message, field, item) for item in value)
        elif not field.has_default_value or value != field.default_value:
            found[path] = _spelled(message, field, value)
    return found


def _spelled(message: Any, field: Any, value: Any) -> str:
    bare = type(message)()
    value = text_of(value) if field.type == field.TYPE_STRING else value
    if is_repeated(field):
        getattr(bare, field.name).append(value)
    else:
        setattr(bare, field.name, value)
    return to_text(bare).partition(": ")[2].strip()


def _order_changes(
    mine: Sequence[Any], theirs: Sequence[Any], pairs: Sequence[Pair], blobs: dict[str, str]
) -> Iterator[Change]:
    """Blobs whose layers in place come in another order, which changes what is computed."""
    partner = dict(pairs)
    for blob in dict.fromkeys(name for layer in mine for name in layer.top):
        new = blobs.get(blob, blob)
        before = [partner.get(i) for i, layer in enumerate(mine) if blob in layer.top and blob in layer.bottom]
        after = [j for j, layer in enumerate(theirs) if new in layer.top and new in layer.bottom]
        if before != after and len(before) > 1 and sorted(before, key=str) == sorted(after, key=str):
            yield Change("order", "", f"the layers in place on '{blob}' come in another order: "
                                      f"{', '.join(theirs[j].name for j in after)}")
