"""Passes over a model, compiled where that can be done, and run as they are where not: the same numbers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from .._backend import Pass, compiled, no_grad
from ..taps import MODEL_LOCK, walk

T = TypeVar("T")
Arrays = Mapping[str, npt.NDArray[Any]]

_LIBRARIES = ("keras", "tensorflow", "jax", "jaxlib", "torch", "numpy", "builtins", "functools")
"""Whose objects are told apart by identity: what they hold changes with every step, or never."""

_KEPT = 8
"""Compiled passes that are kept: each holds a graph or machine code, a few MB for VGG16."""


class Compiler:
    """Runs passes over one model; each is compiled when it first runs, and the last 8 are kept.

    New weights are seen, because a compiled pass refers to the variables.  Everything else that layers are made of,
    such as an activation or a precision, is built in, so a change of any attribute, also within an array or an object
    that it holds (three levels deep), lets all of them go.  What cannot be compiled (Python control flow on tensors) or
    changes its own attributes as it runs is run as it is.

    Attributes:
        model: A built Keras model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._made_of: Any = None
        self._restless = False

    def observed(self, run: Callable[[], T]) -> T:
        """What *run*, which runs the model, gives; and whether the model changes itself is noted."""
        for _ in range(2):  # a first run may set things up
            before, found = attributes(self.model), run()
            if attributes(self.model) == before:
                return found
        self._restless = True
        return found

    def run(self, name: Any, fn: Pass, arrays: Arrays) -> Any:
        """What *fn* gives for *arrays*, as NumPy arrays.

        Args:
            name: Hashable; every *fn* of one name does the same.
            fn: A pass over the model.
            arrays: Its arguments, all of the same number of pictures.
        """
        with MODEL_LOCK, no_grad():
            found = fn(arrays, ()) if self._restless else self._run(name, fn, arrays)
            return keras.tree.map_structure(keras.ops.convert_to_numpy, found)

    def _run(self, name: Any, fn: Pass, arrays: Arrays) -> Any:
        made_of = attributes(self.model)
        if made_of != self._made_of:
            self._kept.clear()
            self._made_of = made_of
        key = (name, *((one, array.shape[1:], array.dtype.str) for one, array in sorted(arrays.items())))
        if key not in self._kept:
            self._kept[key] = compiled(fn, self.model.variables, arrays)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        quick = self._kept[key]
        if quick is not None:
            try:
                return quick(arrays)
            except Exception:  # whatever tracing may raise; a true error comes again below, as itself
                found = fn(arrays, ())
                self._kept[key] = None  # and is not tried again
                return found
        return fn(arrays, ())


def attributes(model: Any) -> list[Any]:
    """Every attribute of the model and of all its parts, to be compared with what they are later."""
    parts = [model, *model._flatten_layers(), *(leaf for _, leaf in walk(model))]
    return [_comparable(vars(part)) for part in {id(part): part for part in parts}.values()]


class _Same:
    """Equal to nothing but what holds the same object, which it keeps alive, so that no other gets its address."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held

    __hash__ = object.__hash__


def _comparable(value: Any, depth: int = 3) -> Any:
    if _plain(value):
        return value
    if isinstance(value, np.ndarray):  # it may be changed in place, as may all that follows
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, (set, frozenset)) and all(map(_plain, value)):
        return sorted(map(repr, value))
    if depth and isinstance(value, dict):
        return [(_comparable(key, 0), _comparable(one, depth - 1)) for key, one in value.items()]
    if depth and isinstance(value, (list, tuple)):
        return [_comparable(one, depth - 1) for one in value]
    inside = _comparable(vars(value), depth - 1) if depth and _is_users(value) else None
    return _Same(value), inside


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, bytes))


def _is_users(value: Any) -> bool:
    """Whether it is an object of a user's own; layers are parts of the model, and compared as such."""
    package = type(value).__module__.partition(".")[0]
    return package not in _LIBRARIES and hasattr(value, "__dict__") and not isinstance(value, keras.Operation)
