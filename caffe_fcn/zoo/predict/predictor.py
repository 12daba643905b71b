"""A net with its card and weights: photos in, predictions out."""

from __future__ import annotations

import hashlib
import importlib
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BlobMemoryError, FormatError, MissingFileError, NetError, NotSupportedError, WeightsError
from ...formats.files import existing_file
from ...net import Net
from ..card import Card
from ..cards import find
from .photo import read_photo, read_quantity
from .prepare import check_input, prepare
from .view import Options, Prediction, View

TEST = 1  # the phase
CHUNK = 1 << 20
LARGEST_SCALE = 100


@dataclass(frozen=True)
class Loaded:
    """A photo (H, W, 3) uint8 RGB with the values of the net's inputs, (1, C, h, w) float32 by blob."""

    photo: np.ndarray
    inputs: dict[str, np.ndarray]


class Predictor:
    """Predicts with one net, photo after photo, each in its own size.

    >>> predictor = Predictor("camvid-fcn8s-small")
    >>> predictor("examples/images/camvid_street.jpg").text          # doctest: +SKIP
    'building 36.5%, road 21.9%, ...'

    model    the name of a net of the project, a folder with a card.toml, or a Card
    weights  a file; None: the card's, if they are shipped or were fetched
    net      a prototxt in place of the card's
    scale    factor on height and width of photos before the net sees them; results have the size of the photo
    options  what to report

    Raises NetError, PrototxtError, NotSupportedError for a net or card that do not fit each other; MissingFileError,
    which tells how to get them, if the weights are not here; WeightsError if they are not this net's; ValueError for a
    scale that is not positive or very large, or for a net that has a size of its own.
    """

    def __init__(self, model: str | Card, weights: str | os.PathLike[str] | None = None,
                 net: str | os.PathLike[str] | None = None, scale: float = 1.0, options: Options | None = None) -> None:
        self.card = model if isinstance(model, Card) else find(model)
        self.options = options or Options()
        self.scale = scale
        self._kind: Any = importlib.import_module(f"{__package__}.{self.card.task_kind}")
        self._check_card()
        self.suffixes = [*self._kind.suffixes(self.card), ".json"]
        self.weights_file = _weights(self.card, weights)
        self.net_file = Path(existing_file(self.card.net_file if net is None else net))
        self._outputs = [output.blob for output in self.card.outputs]
        self.net = self._load()

    def _check_card(self) -> None:
        card = self.card
        for entry in card.inputs:
            check_input(card, entry)
        if card.input.channels == "D":
            raise NotSupportedError(f"{card.folder}: the first input must be a picture of three channels")
        if not 0 < self.scale <= LARGEST_SCALE:
            raise ValueError(f"need a scale above 0, at most {LARGEST_SCALE}, got {self.scale}")
        if self.scale != 1 and card.input.resize != "none":
            raise ValueError(f"scale: '{card.name}' resizes all photos to a size of its own")

    def _load(self) -> Net:
        net = Net(self.net_file, TEST, keep="outputs")
        wanted = [entry.blob for entry in self.card.inputs]
        if set(net.inputs) != set(wanted):
            raise NetError(f"the card of '{self.card.name}' has the inputs {', '.join(wanted)}; the net "
                           f"'{self.net_file}' takes {', '.join(net.inputs) or 'none'}")
        for name in self._outputs:
            if name not in net.blobs:
                raise NetError(f"the card of '{self.card.name}' has the output '{name}', which the net "
                               f"'{self.net_file}' has not")
        net.copy_from(self.weights_file)
        self._check_filled(net)
        return net

    def _check_filled(self, net: Net) -> None:
        """Refuse weights that leave layers as they were; only of fixed upsampling the prototxt has the values."""
        layers = dict(zip(net._layer_names, net.layers, strict=True))
        empty = [name for name in (layer.name for layer in (net.copied.unfilled if net.copied else ()))
                 if layers[name].param.convolution_param.weight_filler.type != "bilinear"]
        if empty:
            raise WeightsError(f"'{self.weights_file}' has no weights for {len(empty)} layers of '{self.net_file}': "
                               f"{', '.join(empty[:5])}{' ...' if empty[5:] else ''}")

    # photos

    def read(self, photo: str | os.PathLike[str], also: Mapping[str, str | os.PathLike[str]] | None = None) -> Loaded:
        """Read a photo and prepare it; safe in another thread.

        also  for nets with further inputs: their pictures by blob, of the size of the photo

        Raises as `read_photo`, `prepare` and `check_also`; FormatError for pictures of another size.
        """
        pixels = read_photo(photo)
        inputs = {self.card.input.blob: prepare(pixels, self.card.input, self.scale)}
        given = also or {}
        self.check_also(given)
        for entry in self.card.more_inputs:
            path = given[entry.blob]
            values = read_quantity(path, entry.range[0]) if entry.channels == "D" else read_photo(path)
            if values.shape[:2] != pixels.shape[:2]:
                raise FormatError(f"'{os.fspath(path)}' for the input '{entry.blob}' has {values.shape[1]} x "
                                  f"{values.shape[0]} pixels, the photo {pixels.shape[1]} x {pixels.shape[0]}")
            inputs[entry.blob] = prepare(values, entry, self.scale)
        return Loaded(pixels, inputs)

    def check_also(self, blobs: Collection[str]) -> None:
        """Raise MissingFileError or NetError unless these are the names of the net's further inputs."""
        wanted = [entry.blob for entry in self.card.more_inputs]
        for name in wanted:
            if name not in blobs:
                raise MissingFileError(f"'{self.card.name}' needs a picture for its input '{name}' (--also {name}=FILE "
                                       "or FOLDER)")
        for name in blobs:
            if name not in wanted:
                raise NetError(f"'{self.card.name}' has no further input '{name}'; it has "
                               f"{', '.join(wanted) or 'none'}")

    def predict(self, loaded: Loaded) -> Prediction:
        """Run the net. Raises BlobMemoryError for a photo too large, and what its layers raise for one too small.

        Raises NetError for values that are not finite.
        """
        start = time.perf_counter()
        outputs = self._forward(loaded.inputs)
        seconds = time.perf_counter() - start
        done = self._kind.predict(View(self.card, loaded.photo, outputs, self.options))
        height, width = loaded.photo.shape[:2]
        facts = {"width": width, "height": height, "task": self.card.task_kind, "model": self.card.name,
                 "net": str(self.net_file), "weights": {"file": str(self.weights_file), "sha256": self.weights_sha256},
                 "inputs": {name: list(values.shape) for name, values in loaded.inputs.items()}, "scale": self.scale,
                 "seconds": round(seconds, 4), **done.facts}
        return Prediction(done.pictures, facts, done.text)

    def __call__(self, photo: str | os.PathLike[str], also: Mapping[str, str | os.PathLike[str]] | None = None
                 ) -> Prediction:
        """What `read` and `predict` give."""
        return self.predict(self.read(photo, also))

    def _forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            for name, values in inputs.items():
                blob = self.net.blobs[name]
                blob.reshape(*values.shape)
                blob.data[...] = values
            found = self.net.forward(blobs=self._outputs)
        except BlobMemoryError as error:
            self.net.release()
            advice = "" if self.card.input.resize != "none" else "; a smaller --scale needs less"
            raise BlobMemoryError(f"{error}{advice}") from None
        for name in self._outputs:
            if not np.isfinite(found[name]).all():
                raise NetError(f"the output '{name}' has values that are not finite; are '{self.weights_file}' the "
                               f"weights of this net?")
        return {name: found[name][0] for name in self._outputs}

    @cached_property
    def weights_sha256(self) -> str:
        """Of the file of weights."""
        total = hashlib.sha256()
        with open(self.weights_file, "rb") as file:
            while data := file.read(CHUNK):
                total.update(data)
        return total.hexdigest()


def _weights(card: Card, given: str | os.PathLike[str] | None) -> Path:
    found = card.weights_file if given is None else Path(given)
    if found is not None:
        return Path(existing_file(found))
    if card.files.weights_url:
        raise MissingFileError(f"the weights of '{card.name}' are not here: `caffe-fcn fetch {card.name}` gets them, "
                               "--weights names a file of your own")
    if card.files.weights:
        raise MissingFileError(f"the weights of '{card.name}' are not here, and there is no address to fetch them "
                               f"from: get {card.files.weights}, then `caffe-fcn fetch {card.name} --from FILE`, or "
                               "name it with --weights")
    raise MissingFileError(f"no weights of '{card.name}' were published: --weights names a file of your own")
