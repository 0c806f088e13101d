"""The passes: forward for feature maps and scores, forward and backward for gradients; any number of layers in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from .. import head as heads
from .._backend import Pass, value_and_grad
from ..head import Head, Score
from ..taps import LayerInfo, forward, leaf_path, walk, watched
from .compiling import Compiler

Arrays = dict[str, npt.NDArray[Any]]
INPUT = ""
"""The path of what the model takes, beside those of its layers."""

Reduce = Callable[[Any, Any], Any]
"""``reduce(activations, gradients)``, tensors ``(n, h, w, c)``, gives what is wanted of a layer: ``(n, …)``."""


@dataclass(frozen=True)
class Told:
    """What one forward and backward pass over ``n`` pictures gives.

    Attributes:
        probabilities: ``(n, classes)`` float32.
        labels: ``(n,)`` the classes explained.
        scores: ``(n,)`` their scores.
        found: path → what *reduce* made of the layer; empty where nothing was differentiated.
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
    score: Score = "logit",
) -> Told:
    """The class's score, differentiated with respect to the output of every layer at once.

    A tensor of zeros is added to each output; the derivative with respect to it is the one wanted.  So one pass serves
    all layers, whatever the model's shape, and its outputs are those of the untouched model.

    Args:
        compiler: Of a built Keras model.
        head: Its head, from :func:`~imgclf.head.probe`.
        images: ``(n, h, w, c)`` as the model takes them.
        layers: Where to differentiate: calls of layers, and :data:`INPUT`.
        labels: ``(n,)`` the classes; None for each picture's likeliest.
        reduce: What is wanted of each layer, computed as part of the pass.
        score: What is differentiated: see :func:`~imgclf.head.class_score`.
    """
    paths = [layer.path for layer in layers]
    run = _gradient_pass(compiler.model, head, layers, reduce, score)
    return _told(head, compiler.run(("gradients", reduce, score, *paths), run, _arrays(images, labels)), paths)


def scores(
    compiler: Compiler,
    head: Head,
    images: npt.NDArray[Any],
    labels: npt.NDArray[np.int64] | None = None,
    *,
    score: Score = "logit",
) -> Told:
    """The class's score alone, from a forward pass; arguments as for :func:`gradients`."""
    run = _score_pass(compiler.model, head, score)
    return _told(head, compiler.run(("scores", score), run, _arrays(images, labels)), [])


def joined(parts: Iterable[Told]) -> Told:
    """What several passes told, one after the other."""
    told = list(parts)
    return Told(
        np.concatenate([part.probabilities for part in told]),
        np.concatenate([part.labels for part in told]),
        np.concatenate([part.scores for part in told]),
        {path: np.concatenate([part.found[path] for part in told]) for path in told[0].found},
    )


def _arrays(images: npt.NDArray[Any], labels: npt.NDArray[np.int64] | None) -> Arrays:
    return {"images": images} if labels is None else {"images": images, "labels": labels.astype(np.int32)}


def _told(head: Head, told: Any, paths: Sequence[str]) -> Told:
    return Told(
        heads.probabilities(head, told["logits"], told["output"]),
        told["labels"].astype(np.int64),
        told["scores"].astype(np.float32),
        {path: told["found"][path] for path in paths},
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


def _score_pass(model: Any, head: Head, score: Score) -> Pass:
    def run(arrays: Any, state: Sequence[tuple[Any, Any]]) -> Any:
        return _scored(model, head, arrays, arrays["images"], score=score, state=state)

    return run


def _gradient_pass(model: Any, head: Head, layers: Sequence[LayerInfo], reduce: Reduce, score: Score) -> Pass:
    def run(arrays: Any, state: Sequence[tuple[Any, Any]]) -> Any:
        targets = _chosen(dict(walk(model)), [layer.path for layer in layers])

        def total(zeros: dict[str, Any]) -> tuple[Any, Any]:
            seen: dict[str, Any] = {}

            def on_call(path: str, _: Any, output: Any) -> Any:
                if path not in zeros:
                    return output
                seen[path] = output
                return output + zeros[path]

            images = on_call(INPUT, None, ops.convert_to_tensor(arrays["images"]))
            with watched(targets, on_call):
                told = _scored(model, head, arrays, images, score=score, state=state)
            return ops.sum(told["scores"]), (told, seen)

        count = ops.shape(arrays["images"])[0]
        zeros = {layer.path: ops.zeros((count, *layer.shape), dtype=layer.dtype) for layer in layers}
        _, (told, activations), found = value_and_grad(total, zeros)
        return {**told, "found": {path: reduce(activations[path], found[path]) for path in zeros}}

    return run


def _scored(model: Any, head: Head, arrays: Any, images: Any, *, score: Score, state: Sequence[tuple[Any, Any]]) -> Any:
    """What the model says of *images*, and the scores of the classes in *arrays*."""
    with heads.logits_recorded(dict(walk(model)), head) as box:
        output = heads.single(forward(model, images, state))
    logits = ops.reshape(box.get("logits", output), (-1, head.units))
    found, chosen = heads.class_score(logits, arrays.get("labels"), score, head.activation)
    return {"logits": logits, "output": output, "scores": found, "labels": chosen}


def _chosen(leaves: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Those of *leaves* that make the calls of *paths*."""
    wanted = {leaf_path(path, leaves) for path in paths}
    return {path: leaf for path, leaf in leaves.items() if path in wanted}
