"""What an architecture is, and the registry of them by name."""

from __future__ import annotations

import contextlib
import gc
import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import keras

from .. import _backend
from ..archive import dump_json, parse_json
from ..errors import OptionError, unknown_name
from ..tables import Table
from .blueprint import Blueprint, identity, origin, plain, remember
from .building import Limit, numbered_names

Head = Literal["sigmoid", "softmax"]
Body = Callable[..., Any]
"""``body(pixels, **options) -> features``: a Keras tensor of scaled pixels in, one of features in a vector out."""


@dataclass(frozen=True)
class Architecture:
    """A network without its weights: a name, a body, and what it was made for.

    Every network that it builds is ``input (0..255) → scaling → body → logits → probabilities``.  ``logits`` is a
    Dense layer of that name and ``probabilities`` an Activation of that name: explanations use the first, where a
    saturated probability would have no gradient.

    >>> from imgclf import registry
    >>> small = registry.get("small_cnn")
    >>> small.input_shape, small.head
    ((150, 150, 3), 'sigmoid')
    >>> small.build(num_classes=2).count_params()
    3453121

    Attributes:
        name: The name in the registry.
        body: Everything between the scaled pixels and the logits, with its options as keyword arguments.
        input_shape: ``(height, width, channels)`` of the document, the default.
        head: For two classes: ``"sigmoid"`` (one unit) or ``"softmax"`` (two).  More classes always take a softmax.
        scale: What pixels 0..255 are multiplied by; 1/255 in all five documents.
        offset: What is added after that.
        document: Where it comes from.
    """

    name: str
    body: Body = field(repr=False)
    input_shape: tuple[int, int, int]
    head: Head = "softmax"
    scale: float = 1 / 255
    offset: float = 0.0
    document: str = ""
    _again: dict[bytes, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", self.name):
            raise OptionError(
                f"an architecture cannot be called {self.name!r}; expected a letter, then letters, digits, _ . or -. "
                "Choose another name."
            )

    @property
    def options(self) -> dict[str, Any]:
        """The options of the body and their defaults."""
        parameters = list(inspect.signature(self.body).parameters.values())[1:]
        return {parameter.name: parameter.default for parameter in parameters}

    def check_options(self, names: Iterable[str]) -> None:
        """Raise an ``UnknownNameError`` for the first of *names* that is no option."""
        for name in names:
            if name not in self.options:
                raise unknown_name(f"option of {self.name!r}", name, self.options)

    def build(
        self,
        input_shape: tuple[int, int, int] | None = None,
        num_classes: int = 2,
        *,
        head: Head | None = None,
        **options: Any,
    ) -> keras.Model:
        """A new network with random weights.

        Args:
            input_shape: ``(height, width, channels)``; None takes the document's.
            num_classes: At least 2.
            head: ``"sigmoid"`` gives one unit, the probability of class 1 (two classes only); ``"softmax"`` one per
                class; None takes what the document does.
            **options: Options of this architecture: see :attr:`options`.

        Raises:
            OptionError: fewer than two classes, a sigmoid for more than two, or pictures too small for the network.
            UnknownNameError: an option that this architecture does not have.
        """
        height, width, channels = self.input_shape if input_shape is None else input_shape
        shape = (height, width, channels)
        chosen = resolve_head(head or self.head, num_classes, explicit=head is not None)
        self.check_options(options)
        blueprint = None
        with contextlib.suppress(OptionError):  # then it is as a network of one's own when it is saved
            policy = keras.config.dtype_policy().name
            blueprint = Blueprint(self.name, shape, num_classes, chosen, self._said(options), policy)
        with numbered_names():
            model = self._built(shape, 1 if chosen == "sigmoid" else num_classes, chosen, options)
        if blueprint is not None:
            remember(model, blueprint, self)
        return model

    def build_again(self, blueprint: Blueprint) -> keras.Model:
        """The network of a *blueprint* that names this architecture, with random weights.

        Raises:
            OptionError, UnknownNameError: this architecture does not take what the blueprint says.
        """
        options = {name: plain(value) for name, value in blueprint.options.items()}  # copies: a builder may change them
        with _backend.precision(blueprint.policy):
            return self.build(blueprint.input_shape, blueprint.num_classes, head=blueprint.head, **options)

    def repeats(self, model: keras.Model, blueprint: Blueprint) -> bool:
        """Whether *model* comes out again where *blueprint* has been through a file, as opening the file will ask.

        It is tried once for each blueprint and network, on the CPU, and leaves no trace: training may be under way.
        """
        try:
            said, wanted = dump_json(blueprint.to_dict()), identity(model)
        except ValueError:  # half a character
            return False
        sizes = [math.prod(weight.shape) for weight in model.weights]
        key = said + repr((wanted, sizes)).encode()
        if key not in self._again:
            states = _backend.random_states()
            self._again[key] = False
            for device in (keras.device("cpu"), contextlib.nullcontext()):  # the second for builders that need theirs
                with contextlib.suppress(Exception), device, Limit(sum(sizes), len(sizes), zeros=True).guard():
                    again = self.build_again(Blueprint.from_dict(parse_json(said)))
                    self._again[key] = identity(again) == wanted and _forms(again) == _forms(model)
                    del again
                    break
            _backend.set_random_states(states)
            gc.collect()  # a network holds itself, and a large one would stay until the next collection
        return self._again[key]

    def _built(self, shape: tuple[int, int, int], units: int, head: Head, options: Mapping[str, Any]) -> keras.Model:
        pixels = keras.Input(shape, name="pixels")
        scaled = keras.layers.Rescaling(self.scale, self.offset, name="scaling")(pixels)
        try:
            features = self.body(scaled, **options)
        except TypeError as error:
            raise OptionError(
                f"{self.name!r} refuses the options {options}: {error}. Its defaults are {self.options}."
            ) from error
        except ValueError as error:
            if "negative" in str(error) or "Kernel" in str(error) or "zero-size" in str(error):
                raise OptionError(
                    f"pictures of {shape[0]}×{shape[1]} are too small for {self.name!r}, which was made for "
                    f"{self.input_shape[0]}×{self.input_shape[1]}. Load them with a larger image_size."
                ) from error
            raise
        # Both stay float32 where the rest computes in 16 bits, in which 0.999 and 1 would be the same.
        logits = keras.layers.Dense(units, dtype="float32", name="logits")(features)
        outputs = keras.layers.Activation(head, dtype="float32", name="probabilities")(logits)
        return keras.Model(pixels, outputs, name=self.name)

    def _said(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """*options* and the defaults of the others, so far as a file can hold these."""
        said: dict[str, Any] = {}
        for name, default in self.options.items():
            with contextlib.suppress(OptionError):
                said[name] = plain(default)
        return {**said, **{name: plain(value) for name, value in options.items()}}


def resolve_head(head: Head, num_classes: int, *, explicit: bool) -> Head:
    """The head for *num_classes*: a default sigmoid gives way to a softmax beyond two, an asked-for one is an error."""
    if head not in ("sigmoid", "softmax"):
        raise OptionError(f"head is {head!r}; expected 'sigmoid' or 'softmax'.")
    if num_classes < 2:
        raise OptionError(f"num_classes is {num_classes}; expected at least 2.")
    if head == "sigmoid" and num_classes > 2:
        if explicit:
            raise OptionError(f"a sigmoid head tells two classes apart, and there are {num_classes}. Use 'softmax'.")
        return "softmax"
    return head


class Registry:
    """Architectures by name.

    A network of your own: a function from scaled pixels to features, registered under its name::

        @registry.register(input_shape=(64, 64, 3))
        def tiny(pixels, *, width=8):
            return layers.GlobalAveragePooling2D()(layers.Conv2D(width, 3, activation="relu")(pixels))
    """

    def __init__(self) -> None:
        self._known: dict[str, Architecture] = {}

    def __repr__(self) -> str:
        return f"Registry({', '.join(self.names())})"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def table(self) -> Table:
        """Name, usual input, options and origin of each architecture."""
        rows = [
            (one.name, "×".join(map(str, one.input_shape)), ", ".join(one.options), one.document)
            for one in map(self.get, self.names())
        ]
        return Table(("architecture", "input", "options", "document"), rows)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        return sorted(self._known)

    def get(self, name: str) -> Architecture:
        """The architecture called *name*; an ``UnknownNameError`` suggests the nearest where there is none."""
        if name not in self._known:
            raise unknown_name("architecture", name, self._known)
        return self._known[name]

    def build(
        self,
        name: str,
        input_shape: tuple[int, int, int] | None = None,
        num_classes: int = 2,
        *,
        head: Head | None = None,
        **options: Any,
    ) -> keras.Model:
        """A new network: ``get(name).build(…)``, see :meth:`imgclf.Architecture.build`."""
        return self.get(name).build(input_shape, num_classes, head=head, **options)

    def add(self, architecture: Architecture) -> Architecture:
        """Make *architecture* known; an ``OptionError`` if its name is taken by another.

        The same function defined anew, as when a notebook's cell runs again, takes the place of the earlier one.
        """
        earlier = self._known.get(architecture.name)
        if earlier is not None and not _same_place(earlier.body, architecture.body):
            raise OptionError(
                f"an architecture called {architecture.name!r} is registered already. Choose another name."
            )
        self._known[architecture.name] = architecture
        return architecture

    def register(
        self,
        name: str | None = None,
        *,
        input_shape: tuple[int, int, int],
        head: Head = "softmax",
        scale: float = 1 / 255,
        offset: float = 0.0,
        document: str = "",
    ) -> Callable[[Body], Body]:
        """Decorate a body to register it, under *name* or its own; what follows is :class:`~imgclf.Architecture`'s."""

        def decorate(body: Body) -> Body:
            own = name or str(getattr(body, "__name__", ""))
            self.add(Architecture(own, body, input_shape, head, scale, offset, document))
            return body

        return decorate


def _forms(model: keras.Model) -> list[tuple[Any, ...]]:
    """The shape and type of every weight."""
    return [(*weight.shape, keras.backend.standardize_dtype(weight.dtype)) for weight in model.weights]


def repeatable(model: keras.Model) -> Blueprint | None:
    """What *model* was built from, and can be built from again; None for a network of one's own.

    A warning says so where an architecture built it, and a file cannot tell it how to build it again.
    """
    found = origin(model)
    if found is None or found[1].repeats(model, found[0]):
        return found[0] if found else None
    warnings.warn(
        f"the builder of {found[0].name!r} does not give the same network when it is called again with the options "
        f"{dict(found[0].options)}, or makes more weights than the network has. It is saved as a network of your own: "
        "opening the file needs trust=True.",
        stacklevel=4,
    )
    return None


def _same_place(one: Body, two: Body) -> bool:
    """Whether two functions were defined under the same name in the same module."""
    places = [(getattr(body, "__module__", body), getattr(body, "__qualname__", body)) for body in (one, two)]
    return places[0] == places[1]


registry = Registry()
"""All architectures: the four of the documents, and what users add."""
