"""The two passes: forward for feature maps, forward and backward for gradients; any number of layers in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from .. import head as heads
from .._backend import no_grad, value_and_grad
from ..head import Head
from ..taps import MODEL_LOCK, LayerInfo, forward, leaf_path, walk, watched

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Gradients:
    """What one forward and backward pass over ``n`` pictures gives.

    Attributes:
        probabilities: ``(n, classes)`` float32.
        labels: ``(n,)`` the classes explained.
        scores: ``(n,)`` their logits.
        activations: path → the layer's output ``(n, h, w, c)``, in the layer's own precision.
        gradients: path → the derivative of the score with respect to it, same shape.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    activations: Arrays
    gradients: Arrays


def activations(model: Any, images: npt.NDArray[Any], layers: Sequence[LayerInfo]) -> Arrays:
    """One output ``(n, h, w, c)`` per layer for *images*, under the layer's path, from one forward pass."""
    seen: dict[str, Any] = {}
    wanted = {layer.path for layer in layers}

    def on_call(path: str, _: Any, output: Any) -> Any:
        if path in wanted:
            seen[path] = output
        return output

    with MODEL_LOCK, no_grad(), watched(_chosen(dict(walk(model)), layers), on_call):
        forward(model, images)
    return {layer.path: ops.convert_to_numpy(seen[layer.path]) for layer in layers}


def gradients(
    model: Any,
    head: Head,
    images: npt.NDArray[Any],
    layers: Sequence[LayerInfo],
    labels: npt.NDArray[np.int64] | None = None,
) -> Gradients:
    """The class's score, differentiated with respect to the output of every layer at once.

    A tensor of zeros is added to each output; the derivative with respect to it is the one wanted.  So one pass serves
    all layers, whatever the model's shape, and its outputs are those of the untouched model.

    Args:
        model: A built Keras model.
        head: Its head, from :func:`~imgclf.head.probe`.
        images: ``(n, h, w, c)`` as the model takes them.
        layers: Where to differentiate.
        labels: ``(n,)`` the classes; None for each picture's likeliest.
    """
    leaves = dict(walk(model))
    targets = _chosen(leaves, layers)

    def total(zeros: dict[str, Any]) -> tuple[Any, Any]:
        seen: dict[str, Any] = {}

        def on_call(path: str, _: Any, output: Any) -> Any:
            if path not in zeros:
                return output
            seen[path] = output
            return output + zeros[path]

        with watched(targets, on_call), heads.logits_recorded(leaves, head) as box:
            output = heads.single(forward(model, images))
        logits = ops.reshape(box.get("logits", output), output.shape)
        scores, chosen = heads.class_score(logits, labels)
        return ops.sum(scores), {"z": logits, "p": output, "score": scores, "label": chosen, "seen": seen}

    zeros = {layer.path: ops.zeros((len(images), *layer.shape), dtype=layer.dtype) for layer in layers}
    with MODEL_LOCK:
        _, told, found = value_and_grad(total, zeros)
    array = ops.convert_to_numpy
    return Gradients(
        heads.probabilities(head, array(told["z"]), array(told["p"])),
        array(told["label"]).astype(np.int64),
        array(told["score"]).astype(np.float32),
        {layer.path: array(told["seen"][layer.path]) for layer in layers},
        {layer.path: array(found[layer.path]) for layer in layers},
    )


def _chosen(leaves: dict[str, Any], layers: Sequence[LayerInfo]) -> dict[str, Any]:
    """Those of *leaves* that make the calls of *layers*."""
    paths = {leaf_path(layer.path, leaves) for layer in layers}
    return {path: leaf for path, leaf in leaves.items() if path in paths}
