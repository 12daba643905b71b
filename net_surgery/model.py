"""Model: what surgery works on, a net as a message and its weights by layer name."""

from __future__ import annotations

import copy
import difflib
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from caffe_fcn import TEST
from caffe_fcn.errors import NetError, WeightsError
from caffe_fcn.formats import caffemodel, hdf5
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.blobproto import BlobData
from caffe_fcn.formats.files import check_apart
from caffe_fcn.net import Net
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.weights import read_weights

logger = logging.getLogger("caffe_fcn")

PathLike = str | os.PathLike[str]
Arrays = tuple[np.ndarray, ...]

# Axes of a layer's first blob in files that pad shapes to four axes; all other blobs had one.
OLD_AXES = {"Convolution": 4, "Deconvolution": 4, "InnerProduct": 2, "Embed": 2}


class Model:
    """A net and its weights, apart from any running engine; operations take one and return a changed copy.

    net      NetParameter of the current format, all phases, without blobs
    weights  layer name -> arrays (float32), never written to; a layer without an entry keeps its fillers' values
    file     the prototxt it came from: Python layers are searched beside it
    """

    def __init__(self, net: Any, weights: Mapping[str, Iterable[np.ndarray]] | None = None, file: str | None = None):
        self.net = type(net)()
        self.net.CopyFrom(net)
        for layer in self.net.layer:
            layer.ClearField("blobs")
        self.weights: dict[str, Arrays] = {name: tuple(arrays) for name, arrays in (weights or {}).items()}
        self.file = file

    @classmethod
    def load(cls, net_file: PathLike, weights_file: PathLike | None = None) -> Model:
        """Read a prototxt (old ones are upgraded) and, if given, a caffemodel or HDF5 file.

        Weights of layers that the net does not have are left out.
        Raises MissingFileError, PrototxtError, FormatError, or WeightsError for damaged weights.
        """
        model = cls(read_net(net_file), file=os.fspath(net_file))
        if weights_file is not None:
            types = {layer.name: layer.type for layer in model.net.layer}
            every = _stored(weights_file, types)
            stored = {name: list(arrays) for name, arrays in every.items() if name in types}
            left_out = [name for name in every if name not in types]
            if left_out:
                logger.info("%s: not in the net and left out: %s", os.fspath(weights_file), ", ".join(left_out))
            model._fill_shared(stored)
            model.weights = _complete(stored, weights_file)
        return model

    @classmethod
    def from_net(cls, net: Net) -> Model:
        """Copy the layers (without the splits that the engine inserted) and the weights of a net."""
        message = without_splits(net._wiring.net)
        message.ClearField("state")
        for layer in message.layer:  # the rules have been applied
            layer.ClearField("include")
            layer.ClearField("exclude")
        weights = {name: [np.array(blob.data, np.float32) for blob in blobs] for name, blobs in net.params.items()}
        return cls(message, weights, net._file)

    def copy(self) -> Model:
        """A model to change: its message is its own, the arrays are shared (replace them, never write to them)."""
        result = copy.copy(self)
        result.net = type(self.net)()
        result.net.CopyFrom(self.net)
        result.weights = dict(self.weights)
        return result

    def build(self, phase: int = TEST) -> Net:
        """A net of one phase with these weights. Raises LayerError and its kin, WeightsError for shapes."""
        message = type(self.net)()
        message.CopyFrom(self.net)
        message.state.phase = phase
        net = Net.from_message(message, self.file)
        for name, layer in zip(net._layer_names, net.layers, strict=True):
            arrays = self.weights.get(name)
            if arrays is None:
                continue
            wanted, found = [b.shape for b in layer.blobs], [a.shape for a in arrays]
            if wanted != found:
                raise WeightsError(f"layer '{name}': the weights have the shapes {found}, the net needs {wanted}")
            for blob, array in zip(layer.blobs, arrays, strict=True):
                blob.data[...] = array
        return net

    def with_weights_of(self, net: Net) -> Model:
        """A copy whose weights are those of a net built from it."""
        result = self.copy()
        result.weights.update((name, tuple(np.array(b.data) for b in blobs)) for name, blobs in net.params.items())
        return result

    def save(self, net_file: PathLike, weights_file: PathLike | None = None) -> None:
        """Write a prototxt and a caffemodel (HDF5 if its name ends in .h5), each atomically, the weights first.

        Layers without weights are not in the caffemodel. Raises FileAccessError (also for two names of one file),
        WeightsError.
        """
        check_apart([net_file] if weights_file is None else [net_file, weights_file])
        with atomic_write(net_file) as file:
            file.write(to_text(self.net).encode())
            if weights_file is not None:
                self._save_weights(weights_file)

    def _save_weights(self, path: PathLike) -> None:
        first: dict[str, Any] = {}  # of each name: phases may have layers of the same name
        for layer in self.net.layer:
            if layer.name in self.weights:
                first.setdefault(layer.name, layer)
        layers, blobs = list(first.values()), [self.weights[name] for name in first]
        if os.fspath(path).endswith(".h5"):
            hdf5.write(path, [layer.name for layer in layers], blobs)
        else:
            caffemodel.write(path, caffe_pb2.NetParameter(name=self.net.name, layer=layers), blobs)

    # parts

    def layer(self, name: str, *types: str) -> Any:
        """The LayerParameter of this name. NetError unless there is exactly one, of one of the types if given."""
        found = [layer for layer in self.net.layer if layer.name == name]
        if not found:
            names = [layer.name for layer in self.net.layer if not types or layer.type in types]
            close = difflib.get_close_matches(name, names, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise NetError(f"the net has no layer '{name}'{hint}")
        if len(found) > 1:
            raise NetError(f"{len(found)} layers are called '{name}'; rename one, or take the net of one phase first")
        if types and found[0].type not in types:
            raise NetError(f"layer '{name}' is of type {found[0].type}, this needs {' or '.join(types)}")
        return found[0]

    def of_type(self, *types: str) -> list[str]:
        """Names of the layers of these types, in order."""
        return [layer.name for layer in self.net.layer if layer.type in types]

    def check_unshared(self, layer: Any) -> None:
        """Raise NetError if a parameter of the layer is also that of another layer (by its name)."""
        named = {spec.name for spec in layer.param if spec.name}
        for other in self.net.layer:
            common = named & {spec.name for spec in other.param}
            if other.name != layer.name and common:
                raise NetError(f"layer '{layer.name}' shares its parameter '{min(common)}' with layer '{other.name}': "
                               "a change of one would change both; remove the shared name first")

    def set_layers(self, layers: Iterable[Any]) -> None:
        """Replace the list of layers; messages obtained from it before are copies from then on."""
        kept = []
        for layer in layers:
            kept.append(caffe_pb2.LayerParameter())
            kept[-1].CopyFrom(layer)
        del self.net.layer[:]
        self.net.layer.extend(kept)

    def _fill_shared(self, stored: dict[str, list[np.ndarray | None]]) -> None:
        """Give layers the blobs that an HDF5 file stores with the layer that owns them."""
        owners: dict[str, np.ndarray] = {}
        for layer in self.net.layer:
            arrays = stored.get(layer.name, [])
            for i, spec in enumerate(layer.param[:len(arrays)]):
                array = arrays[i]
                if array is not None and spec.name:
                    owners.setdefault(spec.name, array)
                elif spec.name in owners:
                    arrays[i] = owners[spec.name]


def load_weights(path: PathLike, types: Mapping[str, str] | None = None) -> dict[str, Arrays]:
    """The weights of a file by layer name, float32; views of the mapped file where it holds floats.

    `types` says the type of layers (the file's own word holds otherwise): it decides the shape where a file pads it to
    four axes. Of several layers of one name the last wins.
    Raises MissingFileError, FormatError, or WeightsError for blobs of the wrong size or stored with another layer.
    """
    return _complete(_stored(path, types or {}), path)


def _complete(stored: Mapping[str, Sequence[np.ndarray | None]], path: PathLike) -> dict[str, Arrays]:
    result = {name: tuple(array for array in arrays if array is not None) for name, arrays in stored.items()}
    for name, arrays in stored.items():
        if len(result[name]) < len(arrays):
            raise WeightsError(f"{os.fspath(path)}: layer '{name}' shares a blob with another layer, and which one is "
                               "not known: give the prototxt too, or a binary caffemodel")
    return result


def _stored(path: PathLike, types: Mapping[str, str]) -> dict[str, tuple[np.ndarray | None, ...]]:
    """The blobs of a file by layer name; None for those that an HDF5 file stores with another layer."""
    result: dict[str, tuple[np.ndarray | None, ...]] = {}
    for source in read_weights(path):
        axes = OLD_AXES.get(types.get(source.name, source.type), 1)
        if source.blobs:
            result[source.name] = tuple(
                None if blob is None else _array(blob, 1 if i else axes,
                                                 f"{os.fspath(path)}: layer '{source.name}', blob {i}")
                for i, blob in enumerate(source.blobs))
    return result


def _array(blob: BlobData, axes: int, where: str) -> np.ndarray:
    shape = blob.shape
    if blob.legacy:
        if any(size != 1 for size in shape[:-axes]):
            raise WeightsError(f"{where}: the old shape {shape} is not that of a blob with {axes} axes")
        shape = shape[-axes:]
    if blob.data.size != math.prod(shape):
        raise WeightsError(f"{where}: the file has {blob.data.size} values for the shape {shape}; it is damaged or "
                           "was written by another program")
    with np.errstate(over="ignore"):
        return blob.data.reshape(shape).astype(np.float32, copy=False)


def without_splits(net: Any) -> Any:
    """Copy a NetParameter without the Split layers that the engine inserts; loss weights go back where they were."""
    result = type(net)()
    result.CopyFrom(net)
    del result.layer[:]
    origin: dict[str, str] = {}
    for layer in net.layer:
        if layer.type == "Split" and list(layer.top) == [f"{layer.name}_{k}" for k in range(len(layer.top))]:
            origin.update(dict.fromkeys(layer.top, layer.bottom[0]))
            if layer.loss_weight:
                maker = next(entry for entry in reversed(result.layer) if layer.bottom[0] in entry.top)
                maker.loss_weight[:] = [layer.loss_weight[0] * (top == layer.bottom[0]) for top in maker.top]
            continue
        copied = result.layer.add()
        copied.CopyFrom(layer)
        copied.bottom[:] = [origin.get(name, name) for name in layer.bottom]
    return result


def as_model(subject: Model | Net) -> Model:
    """A Model of a Model (itself) or of a Net (a copy)."""
    return Model.from_net(subject) if isinstance(subject, Net) else subject
