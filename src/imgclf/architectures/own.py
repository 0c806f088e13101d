"""Keras models of a user's own: what their outputs mean, and how they are brought to probabilities.

In: any built Keras model from pixels to class scores.  Out: one whose output is probabilities, weights shared.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import OptionError


def ensure_probabilities(model: keras.Model, num_classes: int) -> keras.Model:
    """*model* itself if it ends in probabilities, else *model* with the activation that its logits lack.

    The last layer's activation tells; where it cannot be found (a subclassed model), the outputs on random pixels do.

    Args:
        model: Takes float ``(n, height, width, channels)`` pixels 0..255; gives ``(n, 1)`` or ``(n, num_classes)``.
        num_classes: One output unit means two classes.

    Raises:
        OptionError: the inputs or outputs have another shape, or several sigmoid units stand side by side.
    """
    input_shape(model)
    units = output_units(model)
    if units != num_classes and not (units == 1 and num_classes == 2):
        raise OptionError(
            f"model {model.name!r} has {units} output units and there are {num_classes} classes; expected "
            f"{'1 or 2' if num_classes == 2 else num_classes}. Change its last layer, or the class names."
        )
    activation = last_activation(model)
    if activation == "sigmoid" and units > 1:
        raise OptionError(
            f"model {model.name!r} ends in {units} sigmoid units, which do not add up to 1. End it in a softmax."
        )
    if activation in ("sigmoid", "softmax") or (activation is None and _gives_probabilities(model)):
        return model
    wanted = "sigmoid" if units == 1 else "softmax"
    pixels = keras.Input(input_shape(model), name="pixels")
    logits = model(pixels) if activation is None else model.outputs[0]
    outputs = keras.layers.Activation(wanted, dtype="float32", name="probabilities")(logits)
    return keras.Model(pixels if activation is None else model.inputs[0], outputs, name=model.name)


def logits_model(model: keras.Model) -> keras.Model | None:
    """The part of *model* before its last Activation, weights shared; None where no such layer ends it.

    Losses are computed from logits where they can be had: Keras clips probabilities at 1e-7, and beyond that a wrong
    answer has no gradient.
    """
    last = model.layers[-1]
    is_activation = isinstance(last, keras.layers.Activation) and last.name == "probabilities"
    return keras.Model(model.inputs[0], last.input, name=model.name) if is_activation else None


def input_shape(model: keras.Model) -> tuple[int, int, int]:
    """``(height, width, channels)`` that *model* takes; an ``OptionError`` where that is not one fixed picture."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:] or shape[3] not in (1, 3):
        raise OptionError(
            f"model {model.name!r} takes inputs of shape {shape}; expected (None, height, width, 1 or 3), as from "
            "keras.Input((150, 150, 3)). Build it on such an input first."
        )
    return (int(shape[1]), int(shape[2]), int(shape[3]))


def output_units(model: keras.Model) -> int:
    """How many scores *model* gives a picture."""
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] is None:
        raise OptionError(f"model {model.name!r} gives outputs of shape {shape}; expected (None, classes).")
    return int(shape[1])


def last_activation(model: keras.Model) -> str | None:
    """``"sigmoid"``, ``"softmax"``, another activation's name, ``"linear"``; None where the last layer is unknown."""
    if type(model).__module__.split(".")[0] != "keras" or not model.layers:
        return None  # a subclassed model lists its layers in any order
    last: Any = model.layers[-1]
    if isinstance(last, keras.Model):
        return last_activation(last)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    activation = getattr(last, "activation", None)
    return str(getattr(activation, "__name__", None)) if activation is not None else None


def _gives_probabilities(model: keras.Model) -> bool:
    pixels = np.random.default_rng(0).integers(0, 256, (8, *input_shape(model))).astype(np.float32)
    said: npt.NDArray[np.floating[Any]] = keras.ops.convert_to_numpy(model(pixels, training=False))
    sums_to_one = said.shape[1] == 1 or np.allclose(said.sum(axis=1), 1, atol=1e-3)
    return bool((said >= 0).all() and (said <= 1).all() and sums_to_one)
