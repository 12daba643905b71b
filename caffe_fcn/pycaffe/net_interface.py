"""The names under which pycaffe scripts reach a net's parts, and forward/backward over NumPy arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import mode, ops
from ..blob import Blob, BlobVec
from ..errors import ArrayError, NetError
from ..proto.text import did_you_mean
from .fetched import Fetched
from .signatures import bare_signatures

if TYPE_CHECKING:
    from ..layers.base import Layer
    from ..net_build import Wiring


class NetInterface:
    """Mixed into Net; all of it rests on `_wiring`, `_forward` and `_backward`."""

    _wiring: Wiring

    def _forward(self, start: int, end: int) -> float:
        raise NotImplementedError

    def _backward(self, start: int, end: int) -> None:
        raise NotImplementedError

    def _keep_also(self, names: Iterable[str]) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        """A table of the layers."""
        from .summary import as_text

        return as_text(self)  # type: ignore[arg-type]

    def _repr_html_(self) -> str:
        """The same table where a notebook shows a net."""
        from .summary import as_html

        return as_html(self)  # type: ignore[arg-type]

    # parts by index

    @property
    def _layer_names(self) -> list[str]:
        return self._wiring.layer_names

    @property
    def _blobs(self) -> BlobVec:
        return BlobVec(self._wiring.blobs)

    @property
    def _blob_names(self) -> list[str]:
        return self._wiring.blob_names

    @property
    def _blob_loss_weights(self) -> list[float]:
        return self._wiring.loss_weights

    @property
    def _inputs(self) -> list[int]:
        return self._wiring.inputs

    @property
    def _outputs(self) -> list[int]:
        return self._wiring.outputs

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._wiring.bottom_ids[layer]

    def _top_ids(self, layer: int) -> list[int]:
        return self._wiring.top_ids[layer]

    # parts by name

    def _cached(self, key: str, make: Callable[[], Any]) -> Any:
        """A table that is made once: scripts rely on `net.blobs is net.blobs`."""
        tables = self.__dict__.setdefault("_tables", {})
        if key not in tables:
            tables[key] = make()
        return tables[key]

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, those that Caffe inserts included."""
        return self._wiring.layers

    @property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        """Layers by name (of equal names the last)."""
        return self._cached("layer_dict", lambda: OrderedDict(zip(self._layer_names, self.layers, strict=True)))

    @property
    def blobs(self) -> OrderedDict[str, Blob]:
        """Blobs by name, in order of creation."""
        return self._cached("blobs", lambda: OrderedDict(zip(self._blob_names, self._wiring.blobs, strict=True)))

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Loss weight of each blob by name."""
        return self._cached("loss_weights", lambda: OrderedDict(
            zip(self._blob_names, self._blob_loss_weights, strict=True)))

    @property
    def params(self) -> OrderedDict[str, BlobVec]:
        """Parameter blobs by layer name, for the layers that have some: weights at 0, bias at 1."""
        return self._cached("params", lambda: OrderedDict(
            (name, layer.blobs) for name, layer in zip(self._layer_names, self.layers, strict=True) if layer.blobs))

    @property
    def inputs(self) -> list[str]:
        """Names of the tops of Input layers."""
        return [self._blob_names[i] for i in self._inputs]

    @property
    def outputs(self) -> list[str]:
        """Names of the blobs that no layer takes, sorted."""
        return [self._blob_names[i] for i in self._outputs]

    @property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        """Names of each layer's bottoms by layer name."""
        return self._blob_names_by_layer("bottom_names", self._bottom_ids)

    @property
    def top_names(self) -> OrderedDict[str, list[str]]:
        """Names of each layer's tops by layer name."""
        return self._blob_names_by_layer("top_names", self._top_ids)

    def _blob_names_by_layer(self, key: str, ids: Any) -> OrderedDict[str, list[str]]:
        return self._cached(key, lambda: OrderedDict(
            (name, [self._blob_names[k] for k in ids(i)]) for i, name in enumerate(self._layer_names)))

    # passes

    def _index_of(self, layer: str) -> int:
        """Index of the first layer of this name; NetError if there is none."""
        if layer not in self._layer_names:
            raise NetError(f"the net has no layer '{layer}'{did_you_mean(layer, self._layer_names)}")
        return self._layer_names.index(layer)

    def forward(
        self, blobs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Run the net, or its layers from `start` to `end` (names, both included).

        blobs   names of further blobs to return beside the outputs
        kwargs  inputs by name, copied into the input blobs first (all of them, or none); arrays on a GPU, too

        Returns arrays by name: the net's outputs, or the tops of `end`, and `blobs`; views, not copies.
        """
        names = self._layer_names
        first = self._index_of(start) if start is not None else 0
        last = self._index_of(end) if end is not None else len(names) - 1
        wanted = set((self.top_names[end] if end is not None else self.outputs) + (blobs or []))
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise ValueError(f"all inputs of the net are needed, and nothing else: got {sorted(kwargs)}, "
                                 f"the net takes {sorted(self.inputs)}")
            self._assign(kwargs, "data", "Input")
        self._keep_also(wanted)
        self._forward(first, last)
        return self._results(wanted, "data")

    def backward(
        self, diffs: list[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Run backward, from layer `start` down to layer `end` (names, both included).

        diffs   names of further blobs whose diffs to return beside those of the inputs
        kwargs  diffs of outputs by name, copied in first

        Returns the diffs of the net's inputs, or of the bottoms of `end`, and of `diffs`; views, not copies.
        """
        names = self._layer_names
        first = self._index_of(start) if start is not None else len(names) - 1
        last = self._index_of(end) if end is not None else 0
        wanted = set((self.bottom_names[end] if end is not None else self.inputs) + (diffs or []))
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise ValueError(f"diffs of all outputs are needed, and nothing else: got {sorted(kwargs)}, "
                                 f"the net has {sorted(self.outputs)}")
            self._assign(kwargs, "diff", "Diff")
        self._backward(first, last)
        return self._results(wanted, "diff")

    def _results(self, names: Iterable[str], half: str) -> dict[str, np.ndarray]:
        """Arrays by name; from a GPU each comes when it is asked for."""
        if mode.device() is not None:
            return Fetched(self.blobs, names, half)
        return {name: getattr(self.blobs[name], half) for name in names}

    def _assign(self, values: Mapping[str, Any], half: str, word: str) -> None:
        device = mode.device()
        for name, value in values.items():
            blob = self.blobs[name]
            on_card = device is not None and hasattr(value, "__cuda_array_interface__")
            shape = tuple(value.shape) if on_card else np.shape(value)
            if shape[:1] != blob.shape[:1]:
                raise ValueError(f"{word} '{name}' has another batch size than the blob: its shape is {shape}, that of "
                                 f"the blob {blob.shape}")
            if device is not None and on_card:
                blob.memories[half == "diff"].overwritten(device)
                getattr(blob, f"{half}_gpu")[...] = ops.current().xp.asarray(value)
            else:
                getattr(blob, half)[...] = value

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Let the net's first layer, a MemoryData layer, go through these arrays from the next forward on.

        data    (M, C, H, W) float32, C contiguous; M a multiple of the layer's batch size
        labels  (M,) or (M, 1, 1, 1) float32

        Raises ArrayError for other arrays, and when the first layer is of another type.
        """
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        from ..layers.memory_data import MemoryData

        first = self.layers[0] if self.layers else None
        if not isinstance(first, MemoryData):
            raise ArrayError("set_input_arrays feeds a MemoryData layer that is the first of the net; this one begins "
                             f"with {first.type if first else 'nothing'}")
        first.set_arrays(data, labels)

    def forward_all(self, blobs: list[str] | None = None, **kwargs: Any) -> dict[str, np.ndarray]:
        """Run all of the given inputs through the net in batches; the last one is padded with zeros.

        Arguments as of `forward`; the first axis of the inputs may be any multiple of the batch or not.
        Returns arrays by name with one entry per input.
        """
        collected: dict[str, list[np.ndarray]] = {name: [] for name in set(self.outputs + (blobs or []))}
        for batch in self._batch(kwargs):
            for name, value in self.forward(blobs, None, None, **batch).items():
                collected[name].extend(value.copy())
        return self._cut(collected, kwargs)

    def forward_backward_all(
        self, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run inputs and output diffs (both by name) through the net in batches, forward and backward.

        Where there are more batches of one than of the other, the passes without take what the blobs hold.
        Returns (blobs by name, diffs by name) as `forward` and `backward` do.
        """
        all_blobs: dict[str, list[np.ndarray]] = {name: [] for name in set(self.outputs + (blobs or []))}
        all_diffs: dict[str, list[np.ndarray]] = {name: [] for name in set(self.inputs + (diffs or []))}
        forwards = self._batch({name: kwargs[name] for name in self.inputs if name in kwargs})
        backwards = self._batch({name: kwargs[name] for name in self.outputs if name in kwargs})
        for inputs, seeds in zip_longest(forwards, backwards, fillvalue=dict[str, Any]()):
            for name, value in self.forward(blobs, None, None, **inputs).items():
                all_blobs[name].extend(value.copy())
            for name, value in self.backward(diffs, None, None, **seeds).items():
                all_diffs[name].extend(value.copy())
        return self._cut(all_blobs, kwargs), self._cut(all_diffs, kwargs)

    @staticmethod
    def _cut(collected: Mapping[str, Sequence[np.ndarray]], inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Stack what batches gave, without the padding of the last one."""
        count = len(next(iter(inputs.values())))
        return {name: np.asarray(values)[:count] for name, values in collected.items()}

    def _batch(self, blobs: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
        """Cut arrays into batches of the net's size; the last one is padded with zeros."""
        if not blobs:
            raise RuntimeError("no input given: name the inputs as arguments")
        size = self.blobs[next(iter(blobs))].shape[0]
        arrays = {name: np.asarray(value) for name, value in blobs.items()}
        for start in range(0, len(next(iter(arrays.values()))), size):
            batch = {name: value[start:start + size] for name, value in arrays.items()}
            lack = size - len(next(iter(batch.values())))
            if lack:
                batch = {name: np.concatenate([value, np.zeros((lack, *value.shape[1:]), value.dtype)])
                         for name, value in batch.items()}
            yield batch


bare_signatures(__name__)
