"""A Keras model → the Python that builds it, layer by layer.

In: a graph of Keras's own layers.  Out: the lines between its input and its logits, and proof that they build the same.
"""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .. import _backend
from ..architectures.blueprint import identity
from ..architectures.own import logits_model
from ..errors import OptionError
from .literals import call, literal

_WIDTH = 116  # and four of indentation
_TAKEN = {"keras", "layers", "pixels", "logits", "probabilities", "network", "classifier"}


@dataclass(frozen=True)
class Code:
    """How a network is written.

    Attributes:
        lines: Statements from ``pixels`` to ``logits`` and ``probabilities``, then the models ``network``, which ends
            in the former, and ``classifier``, which ends in the latter, on the same weights.
        start: The values that its variables begin with, where the seed does not give them; else None.
        units: How many logits it gives.
        normalises: Whether it has layers of batch normalisation.
    """

    lines: tuple[str, ...]
    start: tuple[Any, ...] | None
    units: int
    normalises: bool


def written_out(network: keras.Model, seed: int, policy: str) -> Code:
    """The code of *network*, which was built under *seed* and *policy* and has not been trained.

    The code is run, and what it builds compared with *network*: settings, wiring, the values of all variables.

    Raises:
        OptionError: layers or functions that are not Keras's own, a network within it, no logits to be cut off.
    """
    trained = logits_model(network)
    if (
        trained is None
        or len(network.inputs) != 1
        or keras.backend.standardize_dtype(network.inputs[0].dtype) != "float32"
    ):
        raise OptionError(
            f"model {network.name!r} cannot be written out: it does not take float32 pixels and end in logits and a "
            "softmax or sigmoid of them. End it in a Dense layer with such an activation."
        )
    try:
        with _backend.undisturbed(), _backend.precision(policy):
            lines = tuple(_statements(network, trained))
    except OptionError as error:
        raise OptionError(f"model {network.name!r}: {error} Train it with imgclf, or without these parts.") from None
    with _backend.seeded(seed), _backend.precision(policy):
        made: dict[str, Any] = {"keras": keras, "layers": keras.layers}
        exec("\n".join(lines), made)  # noqa: S102 - our own, of Keras's constructors and of literals
    again, classifier = made["network"], made["classifier"]
    graph = keras.Model(network.inputs[0], network.outputs[0], name=network.name)  # also of a Sequential model
    if identity(classifier) != identity(graph):
        raise OptionError(
            f"model {network.name!r} cannot be written out: the code gives another network. Build it from Keras's own "
            "layers."
        )
    wanted, found = ([np.asarray(keras.ops.convert_to_numpy(v)) for v in m.variables] for m in (trained, again))
    same = all(np.array_equal(one, two) for one, two in zip(wanted, found, strict=True))
    norms = any(isinstance(layer, keras.layers.BatchNormalization) for layer in trained.layers)
    return Code(lines, None if same else tuple(wanted), int(trained.output_shape[-1]), norms)


def _statements(network: keras.Model, trained: keras.Model) -> Iterator[str]:
    """A line per layer, and those of input and models."""
    graph: Any = getattr(network, "_functional", None) or network
    pixels, logits, outputs = network.inputs[0], trained.outputs[0], network.outputs[0]
    names = {id(pixels): "pixels"}
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    nodes = [node for node in nodes if not isinstance(node.operation, keras.layers.InputLayer)]
    every = [node.operation for node in nodes]
    if twice := [part.name for part in every if every.count(part) > 1]:
        raise OptionError(f"layer {twice[0]!r} is used more than once.")
    chain = all(len(node.input_tensors) == 1 for node in nodes)
    first = graph.operations[0].name
    yield f"pixels = keras.Input({literal(tuple(pixels.shape[1:]))}, name={literal(first)})"
    for node in nodes:
        if len(node.outputs) != 1:
            raise OptionError(f"layer {node.operation.name!r} gives several tensors.")
        output = node.outputs[0]
        special = "logits" if output is logits else "probabilities" if output is outputs else None
        taken = _TAKEN | set(names.values())
        name = special or ("x" if chain else _free(node.operation.name, taken))
        yield _wrapped(f"{name} = ", _layer(node.operation), f"({_arguments(node, names)})")
        names[id(output)] = name
    yield f"network = keras.Model(pixels, logits, name={literal(network.name)})"
    yield f"classifier = keras.Model(pixels, probabilities, name={literal(network.name)})"


def _layer(operation: Any) -> str:
    if not isinstance(operation, keras.Layer):
        raise OptionError(f"{operation.name!r} is a function of keras.ops, and not a layer.")
    if isinstance(operation, keras.Model):
        raise OptionError(f"layer {operation.name!r} is itself a model.")
    return call(type(operation), operation.get_config())


def _wrapped(before: str, made: str, after: str) -> str:
    """One line, or three where it is long."""
    if len(line := before + made + after) <= _WIDTH:
        return line
    kind, _, settings = made.partition("(")
    return f"{before}{kind}(\n    {settings[:-1]}\n){after}"


def _arguments(node: Any, names: dict[int, str]) -> str:
    """What a layer is called with: tensors by their variables, the rest as it is."""

    def said(value: Any) -> str:
        if id(value) in names:
            return names[id(value)]
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(said, value))}]"
        return literal(value)

    usual = inspect.signature(node.operation.call).parameters  # Keras notes what a call leaves out, too
    extra = {key: value for key, value in node.arguments.kwargs.items() if value is not None}
    given = [f"{key}={said(value)}" for key, value in extra.items() if usual[key].default is not value]
    return ", ".join([*map(said, node.arguments.args), *given])


def _free(name: str, taken: set[str]) -> str:
    """A variable for the output of the layer *name*."""
    plain = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_") or "x"
    plain = f"x_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain
    while plain in taken:
        plain += "_"
    return plain
