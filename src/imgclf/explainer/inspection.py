"""A model that is looked into: the passes over any number of pictures, some at a time.

In: a model and arrays as it takes them.  Out: its layers and head, and what the passes give for all pictures.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..head import Head, Probe, Score, noise, probe
from ..taps import MODEL_LOCK, LayerInfo, leaf_path, walk
from . import passes
from .compiling import Compiler
from .passes import INPUT, Arrays, Reduce, Told

BATCH = 8
"""Pictures per pass: with all 18 layers of VGG16 at 224 × 224, 70 MB for each, and 16 are no faster than 8."""

Labels = npt.NDArray[np.int64]


class Inspection:
    """The passes over one model.

    Args:
        model: A built Keras model.
        class_names: The classes in the order of the outputs; None where they are not known.

    Attributes:
        shape: ``(h, w, c)`` that it takes, None for what is not fixed; None where it does not say.
        has_gradient: Whether the score has a gradient with respect to the pixels: not where these are whole numbers.
        compiler: Compiles and keeps the passes.

    Raises:
        OptionError: names that are not as many as the model has classes, or a head whose logits cannot be found.
    """

    def __init__(self, model: Any, class_names: tuple[str, ...] | None) -> None:
        self.shape = _input_shape(model)
        self._model, self._class_names = model, class_names
        kinds = [keras.backend.standardize_dtype(tensor.dtype) for tensor in getattr(model, "inputs", None) or ()]
        self.has_gradient = all("float" in kind for kind in kinds)
        self.compiler = Compiler(model)
        self._probes: dict[tuple[int, ...], Probe] = {}
        if self.shape is not None and None not in self.shape:
            self.probe()  # a model that cannot be explained is told now

    def probe(self, like: npt.NDArray[Any] | None = None) -> Probe:
        """The layers and the head, found once for each size of picture; *like* gives the size where it is not fixed."""
        shape = self.shape if like is None else like.shape[1:]
        if shape is None or None in shape:
            raise OptionError(
                f"the model takes pictures of shape {shape}, so its layers depend on the picture. "
                "Ask feature_maps(images).maps, or grad_cam(images)."
            )
        size = tuple(int(side) for side in shape if side is not None)
        if size not in self._probes:
            pixels = noise(size, "float32" if like is None else str(like.dtype))
            self._probes[size] = self.compiler.observed(lambda: probe(self._model, pixels))
            _check_names(self._class_names, self._probes[size].head)
        return self._probes[size]

    def activations(self, taken: npt.NDArray[Any], layers: Sequence[LayerInfo]) -> Arrays:
        """The outputs of *layers*, ``(n, h, w, c)`` under their paths."""
        maps = {layer.path: np.empty((len(taken), *layer.shape), np.float32) for layer in layers}
        for part in _parts(len(taken)):  # straight into place: joining the parts would copy all of it once more
            for path, values in passes.activations(self.compiler, taken[part], layers).items():
                maps[path][part] = values
        return maps

    def gradients(
        self,
        taken: npt.NDArray[Any],
        labels: Labels | None,
        layers: Sequence[LayerInfo],
        reduce: Reduce,
        score: Score,
    ) -> Told:
        """:func:`passes.gradients` of all pictures."""
        head = self.probe(taken).head
        return passes.joined(
            passes.gradients(self.compiler, head, taken[part], layers, _part(labels, part), reduce=reduce, score=score)
            for part in _parts(len(taken))
        )

    def pixel_gradients(self, taken: npt.NDArray[Any], labels: Labels, score: Score) -> npt.NDArray[np.float32]:
        """The score's gradient with respect to every pixel, ``(n, h, w, c)``."""
        place = LayerInfo(INPUT, "Input", taken.shape[1:], str(taken.dtype))
        found = self.gradients(taken, labels, [place], _gradient, score).found[INPUT]
        return np.asarray(found, dtype=np.float32)

    def shuffling(self, seed: int, taken: npt.NDArray[Any]) -> Generator[str]:
        """Shuffle the weights of one layer after the other, from the top down; gives the path of each when it is done.

        Weights that no layer of its own holds come last, all at once, as ``"(others)"``.

        Each stays shuffled until the last one is; then, or when the generator is closed, all weights are as before.
        No other thread sees the shuffled network through this library meanwhile.
        """
        leaves = dict(walk(self._model))
        calls = dict.fromkeys(leaf_path(layer.path, leaves) for layer in reversed(self.probe(taken).layers))
        with MODEL_LOCK:
            kept = [(weight, keras.ops.convert_to_numpy(weight)) for weight in self._model.weights]
            rng = np.random.default_rng(seed)
            try:
                held = {path: list(getattr(leaves[path], "weights", ())) for path in calls}
                known = {id(weight) for weights in held.values() for weight in weights}
                held["(others)"] = [weight for weight, _ in kept if id(weight) not in known]
                for path, weights in held.items():
                    for weight in weights:
                        value = keras.ops.convert_to_numpy(weight)
                        weight.assign(rng.permutation(value.ravel()).reshape(value.shape))
                    if weights:
                        yield path
            finally:
                for weight, value in kept:
                    weight.assign(value)

    def scores(self, taken: npt.NDArray[Any], labels: Labels | None, score: Score) -> Told:
        """:func:`passes.scores` of all pictures."""
        head = self.probe(taken).head
        return passes.joined(
            passes.scores(self.compiler, head, taken[part], _part(labels, part), score=score)
            for part in _parts(len(taken))
        )

    def answers(self, taken: npt.NDArray[Any], labels: Labels) -> npt.NDArray[np.float64]:
        """Probabilities and log-odds of the classes *labels*: ``(2, n)``."""
        told = self.scores(taken, labels, "log_odds")
        return np.stack([told.probabilities[np.arange(len(labels)), labels], told.scores]).astype(np.float64)


def _check_names(class_names: tuple[str, ...] | None, head: Head) -> None:
    if class_names is not None and len(class_names) != head.classes:
        raise OptionError(
            f"{len(class_names)} class names for a model of {head.classes} classes; give one name per class"
            + (" (a model with one unit has two classes)." if head.units == 1 else ".")
        )


def _input_shape(model: Any) -> tuple[int | None, ...] | None:
    """``(h, w, c)`` with None for what is not fixed; None for a subclassed model that does not say."""
    shape = getattr(model, "input_shape", None) or (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        return None
    if not isinstance(shape, (list, tuple)) or len(shape) != 4 or isinstance(shape[0], (list, tuple)):
        raise OptionError(
            f"the model's input has the shape {shape}; expected one input (n, height, width, channels). "
            "Wrap the model into one that takes pictures."
        )
    return tuple(shape[1:])


def _parts(count: int) -> list[slice]:
    return [slice(start, start + BATCH) for start in range(0, count, BATCH)]


def _part(labels: npt.NDArray[np.int64] | None, part: slice) -> npt.NDArray[np.int64] | None:
    return None if labels is None else labels[part]


def _gradient(_: Any, gradient: Any) -> Any:
    return gradient
