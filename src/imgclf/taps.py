"""One forward pass, watched: what every layer received and gave, without changing the model.

No sub-model is ever built, because that fails on Sequential, nested and subclassed models.  Instead the ``call`` of
the chosen layers is shadowed on the instance while one pass runs; the pass may see each output and may replace it.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

OnCall = Callable[[str, Any, Any], Any]
"""``on_call(path, inputs, output) -> output``: sees one call of one leaf, and gives what the network goes on with."""

MODEL_LOCK = threading.RLock()
"""Held while a model runs: a shadow is seen by every thread that calls the model meanwhile."""

_MISSING = object()
_SEALED = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)  # their inside runs in a loop


@dataclass(frozen=True)
class LayerInfo:
    """One call of one leaf layer.

    Attributes:
        path: The names from the model down, joined by ``/``; another layer of the same path
            gets ``~2``, ``~3``, …; a layer that is called again ``#2``, ``#3``, …
        kind: The name of the layer's class, such as ``"Conv2D"``.
        shape: The shape of its output without the batch axis; ``(h, w, c)`` for a feature map.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    dtype: str = field(default="float32", repr=False)

    @property
    def is_spatial(self) -> bool:
        """Whether the output is a feature map ``(h, w, c)`` of more than one pixel each way."""
        return len(self.shape) == 3 and min(self.shape[:2]) > 1 and "float" in self.dtype


def walk(model: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of *model* with their paths: layers without layers inside, and ``keras.ops`` nodes; each once.

    A second leaf of one path, as a subclassed model may have, gets ``~2``, a third ``~3``.
    """
    taken: set[str] = set()
    for path, leaf in _walk(model, "", set()):
        names = itertools.chain([path], (f"{path}~{number}" for number in itertools.count(2)))
        free = next(name for name in names if name not in taken)
        taken.add(free)
        yield free, leaf


def _walk(parent: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for child in _children(parent):
        if id(child) in seen:
            continue
        seen.add(id(child))
        path = f"{prefix}{child.name}"
        if _children(child):
            yield from _walk(child, f"{path}/", seen)
        else:
            yield path, child


def _children(parent: Any) -> list[Any]:
    if not isinstance(parent, keras.Layer) or isinstance(parent, _SEALED):
        return []
    layers = list(parent._flatten_layers(include_self=False, recursive=False))
    nodes = getattr(parent, "operations", None) or ()  # only functional models have them
    return layers + [node for node in nodes if not isinstance(node, keras.Layer)]


@contextmanager
def shadowed(triples: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """A block in which each ``(object, attribute, value)`` holds; afterwards, come what may, all is as it was.

    Keras's own ``__setattr__`` would track the values as part of the model, so it is passed by.
    """
    with MODEL_LOCK:
        before: list[tuple[Any, str, Any]] = []
        try:
            for owner, name, value in triples:
                before.append((owner, name, owner.__dict__.get(name, _MISSING)))
                object.__setattr__(owner, name, value)
            yield
        finally:
            for owner, name, value in reversed(before):
                if value is _MISSING:
                    object.__delattr__(owner, name)
                else:
                    object.__setattr__(owner, name, value)


@contextmanager
def watched(leaves: Mapping[str, Any], on_call: OnCall) -> Iterator[None]:
    """A block in which every call of *leaves* passes through *on_call*; outputs that are no tensor do not."""
    counts: Counter[str] = Counter()

    def shadow(path: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            counts[path] += 1
            name = path if counts[path] == 1 else f"{path}#{counts[path]}"
            return on_call(name, args[0] if args else None, output) if hasattr(output, "shape") else output

        return call

    calls = ("call", "quantized_call")
    with shadowed(
        (leaf, name, shadow(path, getattr(leaf, name)))
        for path, leaf in leaves.items()
        for name in calls
        if hasattr(leaf, name)
    ):
        yield


class _Lent(keras.StatelessScope):
    """A scope in which variables have the values that are lent, and the others cannot be read.

    What is compiled would keep such a value for good.
    """

    def get_current_value(self, variable: Any) -> Any:
        value = super().get_current_value(variable)
        if value is None:
            raise LookupError(
                f"the layers use the variable {variable.path!r}, which is not among the model's variables"
            )
        return value


def forward(model: Any, images: Any, state: Sequence[tuple[Any, Any]] = ()) -> Any:
    """The model's one output for *images* ``(n, h, w, c)``, in inference mode, leaving no state behind.

    Inside a ``StatelessScope`` no variable changes and ``add_loss`` keeps nothing.  Rematerialisation is switched off:
    it would trace the layers a second time.

    Args:
        model: A built Keras model.
        images: ``(n, h, w, c)``.
        state: Values to compute with, as pairs of variable and value; empty means the variables' own.

    Raises:
        LookupError: *state* lacks a variable.
    """
    everything = {id(part): part for part in [*model._flatten_layers(), *(leaf for _, leaf in walk(model))]}
    remat = [part for part in everything.values() if part.__dict__.get("_remat_mode") is not None]
    with shadowed((part, "_remat_mode", None) for part in remat), _Lent(state) if state else keras.StatelessScope():
        pixels = keras.ops.convert_to_tensor(images)
        named = getattr(model, "_inputs_struct", None)  # of a functional model
        return model(dict.fromkeys(named, pixels) if isinstance(named, dict) else pixels, training=False)


def leaf_path(call: str, leaves: Container[str]) -> str:
    """The path of the layer that made the call: ``"block/act#2"`` → ``"block/act"``."""
    return call if call in leaves else call.rpartition("#")[0]
