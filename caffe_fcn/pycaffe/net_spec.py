"""NetSpec: nets written as Python. Layers are calls, blobs are attributes, `to_proto` gives the NetParameter.

>>> from caffe_fcn.pycaffe.net_spec import NetSpec, layers as L, params as P
>>> n = NetSpec()
>>> n.data = L.Input(shape=dict(dim=[1, 3, 9, 9]))
>>> n.pool = L.Pooling(n.data, kernel_size=3, stride=2, pool=P.Pooling.MAX)
>>> [layer.name for layer in n.to_proto().layer]
['data', 'pool']
"""

from __future__ import annotations

import contextlib
import difflib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..proto import caffe_pb2
from .signatures import bare_signatures

Emitted = dict["Function", Any]  # functions that have their LayerParameter, in order
Names = dict[Any, str]  # of tops and functions


def param_name_dict() -> dict[str, str]:
    """Which LayerParameter field holds the parameters of a type: `{"Convolution": "convolution", ...}`."""
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields
    named = {f.message_type.name: f.name for f in fields if f.name.endswith("_param") and f.message_type is not None}
    return {kind.removesuffix("Parameter"): name.removesuffix("_param") for kind, name in named.items()}


_param_names = param_name_dict()


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set a field of a message from Python values: dicts for messages, lists for repeated fields.

    A single value given for a repeated field counts as a list of one.
    Raises AttributeError for a field that the message does not have, TypeError or ValueError for a wrong value.
    """
    field = _field(proto, name)
    if hasattr(field, "extend") and not isinstance(val, (list, tuple)):
        val = [val]
    if isinstance(val, (list, tuple)):
        for item in val:
            if isinstance(item, Mapping):
                _assign_fields(field.add(), item)
            else:
                with _naming(proto, name, item):
                    field.append(item)
    elif isinstance(val, Mapping):
        _assign_fields(field, val)
    else:
        with _naming(proto, name, val):
            setattr(proto, name, val)


@contextlib.contextmanager
def _naming(proto: Any, name: str, val: Any) -> Iterator[None]:
    """Let errors of the protobuf library say which field they mean."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{proto.DESCRIPTOR.name}: {name} cannot be {val!r}: {error}") from None


def _assign_fields(message: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        assign_proto(message, name, value)


def _field(proto: Any, name: str) -> Any:
    known = proto.DESCRIPTOR.fields_by_name
    if name not in known:
        close = difflib.get_close_matches(name, known, 3)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field '{name}'{hint}")
    return getattr(proto, name)


class Top:
    """Output `n` of a Function: what a layer call returns and what other calls take as inputs."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """The NetParameter of this top and everything that it needs."""
        return to_proto(self)

    def _to_proto(self, layers: Emitted, names: Names, autonames: Counter[str]) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """One layer of a net to be: its type, its input tops, its parameters, its output `tops`.

    params  fields of the type's own parameter message or of LayerParameter; also `ntop` (number of tops, 1),
            `in_place` (the tops are the bottoms), `name`

    Raises TypeError for an input that is no Top.
    """

    def __init__(self, type_name: str, inputs: Sequence[Top], params: Mapping[str, Any]) -> None:
        for i, given in enumerate(inputs):
            if not isinstance(given, Top):
                advice = "; name the one you mean" if isinstance(given, tuple) else ""
                raise TypeError(f"input {i} of {type_name} is no Top but a {type(given).__name__}{advice}")
        self.type_name = type_name
        self.inputs = tuple(inputs)
        self.params = dict(params)
        self.ntop: int = self.params.pop("ntop", 1)
        self.in_place: bool = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _get_name(self, names: Names, autonames: Counter[str]) -> str:
        if self not in names and self.ntop > 0:
            names[self] = self._get_top_name(self.tops[0], names, autonames)
        return self._get_top_name(self, names, autonames)

    def _get_top_name(self, top: Any, names: Names, autonames: Counter[str]) -> str:
        if top not in names:
            autonames[self.type_name] += 1
            names[top] = f"{self.type_name}{autonames[self.type_name]}"
        return names[top]

    def _to_proto(self, layers: Emitted, names: Names, autonames: Counter[str]) -> None:
        for fn in needed_functions([self], layers):
            layers[fn] = fn._own_layer(layers, names, autonames)

    def _own_layer(self, layers: Emitted, names: Names, autonames: Counter[str]) -> Any:
        layer = caffe_pb2.LayerParameter(type=self.type_name)
        layer.bottom.extend(layers[top.fn].top[top.n] for top in self.inputs)
        if self.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(self._get_top_name(top, names, autonames) for top in self.tops)
        layer.name = self._get_name(names, autonames)
        for key, value in self.params.items():
            assign_proto(self._owner(layer, key), key, value)
        return layer

    def _owner(self, layer: Any, key: str) -> Any:
        """The message that a keyword means: the type's own parameters, else the layer."""
        own = _param_names.get(self.type_name)
        if own and not key.endswith("param"):
            message = getattr(layer, f"{own}_param")
            if key in message.DESCRIPTOR.fields_by_name or key not in layer.DESCRIPTOR.fields_by_name:
                return message
        return layer


def needed_functions(wanted: Iterable[Function], done: Iterable[Function] = ()) -> list[Function]:
    """`wanted` and what they take their inputs from, inputs first, each once, without those `done`."""
    seen, order = set(done), []
    for function in wanted:
        stack = [(function, iter(function.inputs))]  # no recursion: nets may be thousands of layers deep
        while stack:
            fn, inputs = stack[-1]
            if fn in seen:
                stack.pop()
                continue
            source = next((top.fn for top in inputs if top.fn not in seen), None)
            if source is None:
                stack.pop()
                seen.add(fn)
                order.append(fn)
            else:
                stack.append((source, iter(source.inputs)))
    return order


def to_proto(*tops: Top) -> Any:
    """The NetParameter of the given tops and of everything that they need; layers get automatic names."""
    layers: Emitted = {}
    autonames: Counter[str] = Counter()
    for top in tops:
        top._to_proto(layers, {}, autonames)
    net = caffe_pb2.NetParameter()
    net.layer.extend(layers.values())
    return net


class NetSpec:
    """A net under construction; assigning a Top to an attribute (or item) names the blob and its layer.

    Attributes come back as they were set; a name that was not set raises KeyError. Can be pickled.
    """

    tops: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name == "tops" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # asked for by copy and pickle, before there are any tops
        return self.tops[name]

    def __setitem__(self, key: str, value: Any) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return self.tops[item]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.tops]

    def to_proto(self) -> Any:
        """The NetParameter of all named tops and of what they need, in the order in which they were named.

        Raises AttributeError when something that is no Top was assigned, or for an unknown layer parameter.
        """
        layers: Emitted = {}
        autonames: Counter[str] = Counter()
        for name, top in self.tops.items():
            if not isinstance(top, (Top, Function)):
                raise AttributeError(f"n.{name} is no Top but {type(top).__name__}; a layer with ntop=2 gives two: "
                                     "n.a, n.b = L.Type(..., ntop=2)")
        names = {top: name for name, top in self.tops.items()}
        for top in self.tops.values():
            top._to_proto(layers, names, autonames)
        net = caffe_pb2.NetParameter()
        net.layer.extend(layers.values())
        return net

    def __getstate__(self) -> dict[str, Any]:
        """Functions as a flat list, their inputs by index: deep nets do not recurse while being pickled."""
        functions = needed_functions(top.fn if isinstance(top, Top) else top for top in self.tops.values())
        place = {fn: i for i, fn in enumerate(functions)}
        return {
            "functions": [(fn.type_name, [(place[top.fn], top.n) for top in fn.inputs],
                           {**fn.params, "ntop": fn.ntop, "in_place": fn.in_place}) for fn in functions],
            "tops": [(name, place[top.fn], top.n) if isinstance(top, Top) else (name, place[top], None)
                     for name, top in self.tops.items()],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        functions: list[Function] = []
        for type_name, inputs, params in state["functions"]:
            functions.append(Function(type_name, [functions[i].tops[n] for i, n in inputs], params))
        super().__setattr__("tops", OrderedDict(
            (name, functions[i] if n is None else functions[i].tops[n]) for name, i, n in state["tops"]))


class Layers:
    """`layers.<Type>(*tops, **params)` makes a layer of any type; unknown types are passed on as they are."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        layer_fn.__name__ = name
        layer_fn.__doc__ = f"A {name} layer; returns its Top, or a tuple of `ntop` of them."
        return layer_fn


class _Enums:
    """The enum values of one parameter message."""

    def __init__(self, message: Any) -> None:
        self.__message = message

    def __getattr__(self, param_name: str) -> Any:
        return getattr(self.__message, param_name)


class Parameters:
    """`params.<Type>.<VALUE>` are the enum values of a type's parameters: `params.Pooling.MAX`."""

    def __getattr__(self, name: str) -> Any:
        message = getattr(caffe_pb2, f"{name}Parameter", None) or getattr(caffe_pb2, name, None)
        if message is None:
            raise AttributeError(f"there is no {name}Parameter")
        return _Enums(message)


layers = Layers()
params = Parameters()


bare_signatures(__name__)
