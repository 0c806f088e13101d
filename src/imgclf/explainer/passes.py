"""The two passes: forward for feature maps, forward and backward for gradients; any number of layers in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from .. import head as heads
from .._backend import Pass, value_and_grad
from ..head import Head
from ..taps import LayerInfo, forward, leaf_path, walk, watched
from .compiling import Compiler

Arrays = dict[str, npt.NDArray[Any]]
Reduce = Callable[[Any, Any], Any]
"""``reduce(activations, gradients)``, tensors ``(n, h, w, c)``, gives what is wanted of a layer: ``(n, …)``."""


@dataclass(frozen=True)
class Told:
    """What one forward and backward pass over ``n`` pictures gives.

    Attributes:
        probabilities: ``(n, classes)`` float32.
        labels: ``(n,)`` the classes explained.
        scores: ``(n,)`` their logits.
        found: path → what *reduce* made of the layer.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    found: dict[str, Any]


def activations(compiler: Compiler, images: npt.NDArray[Any], layers: Sequence[LayerInfo]) -> Arrays:
    """One float32 output ``(n, h, w, c)`` per layer for *images*, under the layer's path, from one forward pass."""
    paths = [layer.path for layer in layers]
    found: Arrays = compiler.run(("forward", *paths), _forward_pass(compiler.model, paths), {"images": images})
    return {path: found[path] for path in paths}


def gradients(
    compiler: Compiler,
    head: Head,
    images: npt.NDArray[Any],
    layers: Sequence[LayerInfo],
    labels: npt.NDArray[np.int64] | None = None,
    *,
    reduce: Reduce,
) -> Told:
    """The class's score, differentiated with respect to the output of every layer at once.

    A tensor of zeros is added to each output; the derivative with respect to it is the one wanted.  So one pass serves
    all layers, whatever the model's shape, and its outputs are those of the untouched model.

    Args:
        compiler: Of a built Keras model.
        head: Its head, from :func:`~imgclf.head.probe`.
        images: ``(n, h, w, c)`` as the model takes them.
        layers: Where to differentiate.
        labels: ``(n,)`` the classes; None for each picture's likeliest.
        reduce: What is wanted of each layer, computed as part of the pass.
    """
    arrays = {"images": images} if labels is None else {"images": images, "labels": labels.astype(np.int32)}
    name = ("gradients", reduce, *(layer.path for layer in layers))
    told = compiler.run(name, _gradient_pass(compiler.model, head, layers, reduce), arrays)
    return Told(
        heads.probabilities(head, told["logits"], told["output"]),
        told["labels"].astype(np.int64),
        told["scores"].astype(np.float32),
        {layer.path: told["found"][layer.path] for layer in layers},
    )


def _forward_pass(model: Any, paths: Sequence[str]) -> Pass:
    def run(arrays: Any, state: Sequence[tuple[Any, Any]]) -> Any:
        seen: dict[str, Any] = {}

        def on_call(path: str, _: Any, output: Any) -> Any:
            if path in paths:
                seen[path] = ops.cast(output, "float32")
            return output

        with watched(_chosen(dict(walk(model)), paths), on_call):
            forward(model, arrays["images"], state)
        return seen

    return run


def _gradient_pass(model: Any, head: Head, layers: Sequence[LayerInfo], reduce: Reduce) -> Pass:
    def run(arrays: Any, state: Sequence[tuple[Any, Any]]) -> Any:
        leaves = dict(walk(model))
        targets = _chosen(leaves, [layer.path for layer in layers])

        def total(zeros: dict[str, Any]) -> tuple[Any, Any]:
            seen: dict[str, Any] = {}

            def on_call(path: str, _: Any, output: Any) -> Any:
                if path not in zeros:
                    return output
                seen[path] = output
                return output + zeros[path]

            with watched(targets, on_call), heads.logits_recorded(leaves, head) as box:
                output = heads.single(forward(model, arrays["images"], state))
            logits = ops.reshape(box.get("logits", output), (-1, head.units))
            scores, chosen = heads.class_score(logits, arrays.get("labels"))
            return ops.sum(scores), ({"logits": logits, "output": output, "scores": scores, "labels": chosen}, seen)

        count = ops.shape(arrays["images"])[0]
        zeros = {layer.path: ops.zeros((count, *layer.shape), dtype=layer.dtype) for layer in layers}
        _, (told, activations), found = value_and_grad(total, zeros)
        return {**told, "found": {path: reduce(activations[path], found[path]) for path in zeros}}

    return run


def _chosen(leaves: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Those of *leaves* that make the calls of *paths*."""
    wanted = {leaf_path(path, leaves) for path in paths}
    return {path: leaf for path, leaf in leaves.items() if path in wanted}
