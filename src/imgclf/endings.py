"""What a network ends in: logits, or the softmax or sigmoid of them, told from its structure and never from values.

In: steps from a network's output backwards, read off its graph (here) or from a watched pass (``head``).  Out: an
:class:`Ending`, the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras

_PASSING = ("Reshape", "Flatten", "Dropout", "Identity", "Squeeze", "Cast", "Activation")
_LINEAR = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Conv2D)
_ACTIVATIONS = {name.replace("_", "") for name in dir(keras.activations) if name[0] != "_"} | {"prelu"}


@dataclass(frozen=True)
class Step:
    """One call of a leaf.

    Attributes:
        path: The leaf's path.
        leaf: The layer, or the node that a function of ``keras.ops`` leaves in a graph.
        inputs: The tensor that it was given.
        output: The tensor that it gave.
    """

    path: str
    leaf: Any
    inputs: Any
    output: Any


@dataclass(frozen=True)
class Ending:
    """What makes a network's output.

    Attributes:
        path: The layer or node; None where none was found.
        activation: ``"softmax"``, ``"sigmoid"``, ``"linear"``, the name of another activation; None where the
            structure does not tell.
        recorded: Where the logits are to be had: as the argument of that layer's activation, as its input, or as the
            network's output.
        row: Whether a softmax runs over all scores of a picture, as it should.
    """

    path: str | None
    activation: str | None
    recorded: Literal["activation", "input", "output"]
    row: bool = True

    @property
    def gives_probabilities(self) -> bool:
        """Whether a softmax or sigmoid was found."""
        return self.activation in ("softmax", "sigmoid")


def read_steps(steps: Iterable[Step], units: int) -> Ending:
    """The ending that *steps*, the last first, lead to through what only reshapes; *units*: scores of a picture."""
    for step in steps:
        kind, activation = type(step.leaf).__name__, activation_name(step.leaf)
        if kind in ("Softmax", "Sigmoid"):  # the layers, and the nodes that keras.ops leaves in a graph
            return Ending(step.path, kind.lower(), "input", kind == "Sigmoid" or _is_row(step, units))
        if activation in ("softmax", "sigmoid"):
            return Ending(step.path, activation, "activation", activation == "sigmoid" or _is_row(step, units))
        if not _is_kerass(step.leaf):
            return Ending(step.path, None, "output")
        if isinstance(step.leaf, _LINEAR) and activation == "linear":
            return Ending(step.path, "linear", "output")
        if kind not in _PASSING or activation != "linear":
            other = kind.lower() if activation == "linear" else activation
            return Ending(step.path, other if other.replace("_", "") in _ACTIVATIONS else None, "output")
    return Ending(None, None, "output")


def read_graph(model: Any, units: int) -> Ending:
    """The ending of a functional or Sequential *model* with one output, without running it; of any other: not told."""
    if not is_graph(model):
        return Ending(None, None, "output")
    output = model.outputs[0]
    leaf, node, _ = output._keras_history
    if not isinstance(leaf, keras.layers.Average):
        return read_steps(_graph_steps(output), units)
    parts = [read_steps(_graph_steps(tensor), units) for tensor in leaf._inbound_nodes[node].input_tensors]
    agreed = parts[0].activation if len({part.activation for part in parts}) == 1 else None
    return Ending(leaf.name, agreed, "output", all(part.row for part in parts))  # several networks' mean


def is_graph(model: Any) -> bool:
    """Whether *model* does what its graph says: functional or Sequential, its ``call`` not rewritten."""
    return isinstance(model, keras.Model) and bool(getattr(model, "outputs", None)) and _is_kerass(model)


def last_step(model: Any) -> Step | None:
    """The call that makes the one output of a graph, be it of a whole nested model.

    None where it has several inputs, or is not of Keras's own.
    """
    if not is_graph(model) or len(model.outputs) != 1:
        return None
    return _made(model.outputs[0])


def calls(model: Any, leaf: Any) -> int:
    """How often the graph of *model*, nested ones included, calls *leaf*."""
    graph = getattr(model, "_functional", None) or model
    parts = [node.operation for nodes in graph._nodes_by_depth.values() for node in nodes]
    return sum(part is leaf for part in parts) + sum(calls(part, leaf) for part in parts if is_graph(part))


def activation_name(leaf: Any) -> str:
    """``"linear"`` where *leaf* has no activation; that of a layer that is used as one by its class: ``"softmax"``."""
    found = None if isinstance(leaf, keras.layers.RNN) else getattr(leaf, "activation", None)
    if isinstance(found, keras.Layer):
        return activation_name(found) if hasattr(found, "activation") else type(found).__name__.lower()
    return "linear" if found is None else str(getattr(found, "__name__", type(found).__name__))


def _graph_steps(tensor: Any) -> Iterator[Step]:
    """From a graph's *tensor* back to its input, into nested graphs and out again."""
    around: list[Any] = []
    while True:
        while isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
            if not around:
                return
            tensor = around.pop()
        step = _made(tensor)
        if step is None:
            return
        if is_graph(step.leaf):
            if len(step.leaf.outputs) != 1:
                return
            around.append(step.inputs)
            tensor = step.leaf.outputs[0]
        else:
            yield step
            tensor = step.inputs


def _made(tensor: Any) -> Step | None:
    """The call that made a graph's *tensor*."""
    leaf, node, _ = tensor._keras_history
    if isinstance(leaf, keras.layers.InputLayer) or not _is_kerass(leaf):
        return None
    inputs = leaf._inbound_nodes[node].input_tensors
    return Step(leaf.name, leaf, inputs[0], tensor) if len(inputs) == 1 else None


def _is_kerass(part: Any) -> bool:
    """Whether a call of *part* is as Keras wrote it, so that its class and its attributes say what it does."""
    return str(type(part).call.__module__).split(".")[0] == "keras"


def _is_row(step: Step, units: int) -> bool:
    shape = tuple(step.output.shape)
    last = getattr(step.leaf, "axis", -1) in (-1, len(shape) - 1)
    return bool(last and shape[-1] == units and set(shape[1:-1]) <= {1})
