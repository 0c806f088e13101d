"""Keras models of a user's own: what their outputs mean, and how they are brought to probabilities.

In: any built Keras model from pixels to class scores.  Out: one whose output is probabilities, weights shared.
"""

from __future__ import annotations

from itertools import chain, count
from typing import Any

import keras

from ..endings import activation_name, calls, is_graph, last_step, read_graph
from ..errors import OptionError
from ..head import ending


def ensure_probabilities(model: keras.Model, num_classes: int) -> keras.Model:
    """*model* itself if it ends in probabilities, else *model* with the activation that its logits lack.

    The model's structure tells which of the two it is, never its values.

    Args:
        model: Takes float ``(n, height, width, channels)`` pixels 0..255; gives ``(n, 1)`` or ``(n, num_classes)``, as
            a tensor or as the only one in a dict or list, which is then taken out.
        num_classes: One output unit means two classes.

    Raises:
        OptionError: the inputs or outputs have another shape, several sigmoid units stand side by side, a softmax runs
            over one unit, the model ends in another activation, or it cannot be told what it ends in.
    """
    shape, units = input_shape(model), output_units(model)
    if units != num_classes and not (units == 1 and num_classes == 2):
        raise OptionError(
            f"model {model.name!r} has {units} output units and there are {num_classes} classes; expected "
            f"{'1 or 2' if num_classes == 2 else num_classes}. Change its last layer, or the class names."
        )
    found = ending(model, shape, units)
    _check_activation(model.name, found.activation, units, row=found.row)
    if found.gives_probabilities:
        return model if _is_plain(model) else _ending_in(model, None)
    return _ending_in(model, "sigmoid" if units == 1 else "softmax")


def logits_model(model: keras.Model) -> keras.Model | None:
    """The part of *model* before the softmax or sigmoid that ends it, weights shared; None where it cannot be cut off.

    It can where that is a layer of its own (``Activation``, ``Softmax``) or a function of ``keras.ops``, and not inside
    a nested model or a Dense layer, for which there is :func:`split_head`.

    Losses are computed from logits where they can be had: Keras clips probabilities at 1e-7, and beyond that a wrong
    answer has no gradient.
    """
    last = last_step(model)
    if last is None or len(model.inputs) != 1 or len(last.inputs.shape) != 2:
        return None
    alone = type(last.leaf).__name__ in ("Softmax", "Sigmoid") or _is_keras_activation(
        last.leaf, keras.layers.Activation
    )
    found = read_graph(model, int(last.output.shape[-1]))
    if not alone or not found.gives_probabilities or not found.row or found.path != last.path:
        return None
    return keras.Model(model.inputs[0], last.inputs, name=model.name)


def split_head(model: keras.Model) -> keras.Model:
    """*model* with the softmax or sigmoid of its last Dense layer made a layer of its own, so that logits can be had.

    That Dense layer is changed in place: give a copy.  A model that ends in another way, or uses the layer twice,
    comes back as it is.
    """
    last = last_step(model)
    if last is None or len(model.inputs) != 1 or not _is_keras_activation(last.leaf, keras.layers.Dense):
        return model
    wanted = activation_name(last.leaf)
    if len(last.output.shape) != 2 or calls(model, last.leaf) != 1:
        return model
    last.leaf.activation = keras.activations.linear
    return _ending_in(model, wanted)


def input_shape(model: keras.Model) -> tuple[int, int, int]:
    """``(height, width, channels)`` that *model* takes; an ``OptionError`` where that is not one fixed picture."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) > 1:
        raise OptionError(
            f"model {model.name!r} has {len(inputs)} inputs; expected one, of pictures. Wrap it into a model that "
            "takes pictures only."
        )
    shape = tuple(inputs[0].shape) if inputs else None
    if shape is None or len(shape) != 4 or None in shape[1:] or shape[3] not in (1, 3):
        raise OptionError(
            f"model {model.name!r} takes inputs of shape {shape}; expected (None, height, width, 1 or 3), as from "
            "keras.Input((150, 150, 3)). Build it on such an input first."
        )
    return (int(shape[1]), int(shape[2]), int(shape[3]))


def output_units(model: keras.Model) -> int:
    """How many scores *model* gives a picture."""
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) > 1:
        raise OptionError(
            f"model {model.name!r} has {len(outputs)} outputs; expected one. Choose it: "
            "keras.Model(model.inputs, model.outputs[0])."
        )
    shape = tuple(outputs[0].shape) if outputs else None
    if shape is None or len(shape) != 2 or shape[1] is None:
        raise OptionError(
            f"model {model.name!r} gives outputs of shape {shape}; expected (None, classes). End it in a Dense layer."
        )
    return int(shape[1])


def _check_activation(name: str, activation: str | None, units: int, *, row: bool) -> None:
    if activation == "sigmoid" and units > 1:
        raise OptionError(
            f"model {name!r} ends in {units} sigmoid units, which do not add up to 1. End it in a softmax."
        )
    if activation == "softmax" and units == 1:
        raise OptionError(
            f"model {name!r} ends in a softmax over one unit, which is 1 whatever the picture. End it in a sigmoid, or "
            "in two units."
        )
    if not row:
        raise OptionError(
            f"model {name!r} ends in a softmax that does not run over the {units} classes. Apply it to the axis of the "
            "classes."
        )
    if activation not in ("sigmoid", "softmax", "linear"):
        raise OptionError(
            f"model {name!r} ends in {activation!r}, which gives neither logits nor probabilities. End it in a "
            "Dense layer without activation, or in a sigmoid or softmax."
        )


def _ending_in(model: keras.Model, activation: str | None) -> keras.Model:
    """*model* from one tensor to one tensor, with *activation* appended."""
    if is_graph(model):
        pixels, output = model.inputs[0], model.outputs[0]
    else:  # its graph is not what it does
        pixels = keras.Input(input_shape(model), name="pixels")
        output = keras.tree.flatten(model(pixels))[0]
    if activation is not None:
        output = keras.layers.Activation(activation, dtype="float32", name=_free_name(model))(output)
    return keras.Model(pixels, output, name=model.name)


def _free_name(model: keras.Model) -> str:
    graph: Any = getattr(model, "_functional", None) or model
    taken = {model.name, *(part.name for part in getattr(graph, "operations", model.layers))}
    names = chain(["probabilities"], (f"probabilities_{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _is_plain(model: Any) -> bool:
    """Whether its input and its output are tensors, and not dicts or lists of one."""
    graph = getattr(model, "_functional", None) or model  # a Sequential model has no input itself
    return all(hasattr(structure, "shape") for structure in (graph.input, graph.output))


def _is_keras_activation(leaf: Any, kind: type) -> bool:
    known = (keras.activations.softmax, keras.activations.sigmoid)
    return isinstance(leaf, kind) and getattr(leaf, "activation", None) in known
