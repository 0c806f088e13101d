"""What is watched while Keras builds a network: how many weights it makes, and how it numbers its layers.

In: a block of code that builds.  Out: an error before a weight too many, or names that do not depend on the process.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import threading
from collections.abc import Iterator
from typing import Any

import keras

_GUARD = threading.RLock()


@contextlib.contextmanager
def numbered_names() -> Iterator[None]:
    """A block in which the layers that Keras names are numbered from the start: ``conv2d``, ``conv2d_1``.

    Keras counts the layers of the whole process, so that names, and a saved file's bytes, would depend on what was
    built before.
    """
    counts: dict[str, int] = {}
    owner = threading.get_ident()
    with _patched(keras.Operation, "__init__") as before:

        @functools.wraps(before)
        def init(self: Any, name: str | None = None, **settings: Any) -> None:
            before(self, name=name, **settings)
            if name is None and threading.get_ident() == owner:
                kind = re.sub(r"_\d+$", "", self.name)  # conv2d_7, in Keras's own spelling
                counts[kind] = counts.get(kind, -1) + 1
                self.name = f"{kind}_{counts[kind]}" if counts[kind] else kind

        keras.Operation.__init__ = init
        yield


class Limit:
    """How many weights, of how many elements together, the layers of this thread may get.

    A blueprint of a few bytes can ask for a billion units.  Within ``with limit.guard():`` the first weight too many is
    an error, before it is made.  With *zeros* the weights are zeros, which take next to no time and memory.
    """

    def __init__(self, elements: int, weights: int | None = None, *, zeros: bool = False) -> None:
        self.elements, self.weights, self.zeros = elements, weights, zeros
        self.exceeded = False

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """The block in which the limit holds."""
        owner = threading.get_ident()
        with _patched(keras.layers.Layer, "add_weight") as before:

            @functools.wraps(before)
            def add_weight(layer: Any, *args: Any, **settings: Any) -> Any:
                if threading.get_ident() == owner:
                    self._count(settings.get("shape") or (args[0] if args else ()))
                    if self.zeros and len(args) < 2:
                        settings["initializer"] = "zeros"
                return before(layer, *args, **settings)

            keras.layers.Layer.add_weight = add_weight
            yield

    def _count(self, shape: Any) -> None:
        self.elements -= math.prod(shape) if isinstance(shape, (tuple, list)) else int(shape)
        self.weights = None if self.weights is None else self.weights - 1
        if self.elements < 0 or (self.weights is not None and self.weights < 0):
            self.exceeded = True
            raise MemoryError("the network wants more weights than the file holds")


@contextlib.contextmanager
def _patched(owner: Any, name: str) -> Iterator[Any]:
    """A block in which *name* of *owner* may be replaced; one thread at a time, and the others see it too."""
    with _GUARD:
        before = getattr(owner, name)
        try:
            yield before
        finally:
            setattr(owner, name, before)
