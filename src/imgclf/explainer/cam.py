"""Class activation maps: formulas on tensors, part of the pass; upsampling and normalisation in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from keras import Model, backend, layers, ops

Floats = npt.NDArray[np.float32]

TITLES = {
    "grad_cam": "Grad-CAM",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "grad_cam_plus_plus": "Grad-CAM++",
}
"""How the papers write the methods' names."""

_NOISE = 1e-6
"""Positive values below this share of the largest magnitude are rounding: float32 sums leave about 1e-7."""


def grad_cam(activations: Any, gradients: Any) -> Any:
    """The channels' sum, each weighted by its mean gradient: signed, before any ReLU.

    Selvaraju et al. 2017, *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization*,
    equations 1 and 2.

    Computed where the tensors are: for every layer of VGG16 they are 0.2 GB a picture, and bringing them to NumPy
    costs half of the whole pass again.

    >>> ops.convert_to_numpy(grad_cam(np.ones((1, 2, 2, 3), "float32"), np.full((1, 2, 2, 3), 0.5, "float32"))[0])
    array([[1.5, 1.5],
           [1.5, 1.5]], dtype=float32)

    Args:
        activations: ``(n, h, w, c)`` the layer's output.
        gradients: ``(n, h, w, c)`` of the class's score with respect to it.

    Returns:
        ``(n, h, w)`` float32.
    """
    a, g = _precise(activations, gradients)
    # One axis after the other, and no matrix product: sums of at most a few hundred terms, and never TensorFloat-32.
    weights = ops.mean(ops.mean(g, axis=2, keepdims=True), axis=1, keepdims=True)
    return ops.cast(ops.sum(a * weights, axis=-1), "float32")


def hires_cam(activations: Any, gradients: Any) -> Any:
    """The channels' sum, each value weighted by its own gradient; shapes as for :func:`grad_cam`.

    Draelos and Carin 2020, *Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks*, equation 4.  Before one Dense layer that sees every value, its sum is the logit less the bias.
    """
    a, g = _precise(activations, gradients)
    return ops.cast(ops.sum(a * g, axis=-1), "float32")


def layer_cam(activations: Any, gradients: Any) -> Any:
    """The channels' sum, each value weighted by its gradient where that is above zero; shapes as for :func:`grad_cam`.

    Jiang et al. 2021, *LayerCAM: Exploring Hierarchical Class Activation Maps for Localization*, equations 6 and 7.
    Whatever speaks against the class is left out, so a network that has learnt nothing can look as if it had.
    """
    a, g = _precise(activations, gradients)
    return ops.cast(ops.sum(a * ops.maximum(g, 0), axis=-1), "float32")


def grad_cam_plus_plus(activations: Any, gradients: Any) -> Any:
    """The channels' sum, each weighted by its gradients above zero, which are weighted themselves.

    Chattopadhay et al. 2018, *Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks*, equations 10
    and 19, where the score is passed through an exponential.  Defined for values of 0 and above, as a ReLU gives them:
    where one is below, the divisor may cross zero, and the whole map is NaN.  What speaks against the class is left
    out, as in :func:`layer_cam`; shapes as for :func:`grad_cam`.
    """
    a, g = _precise(activations, gradients)
    total = ops.sum(ops.sum(a, axis=2, keepdims=True), axis=1, keepdims=True)
    risen = ops.maximum(g, 0)
    share = risen / (2 + total * risen)  # g² / (2 g² + total · g³), times g, where g is above zero
    weights = ops.sum(ops.sum(share, axis=2, keepdims=True), axis=1, keepdims=True)
    found = ops.sum(a * weights, axis=-1)
    least = ops.min(a, axis=(1, 2, 3))[:, None, None]
    return ops.cast(ops.where(least < 0, np.nan, found), "float32")


Method = Literal["grad_cam", "hires_cam", "layer_cam", "grad_cam_plus_plus"]
METHODS: Mapping[str, Callable[[Any, Any], Any]] = {
    "grad_cam": grad_cam,
    "hires_cam": hires_cam,
    "layer_cam": layer_cam,
    "grad_cam_plus_plus": grad_cam_plus_plus,
}
"""``method(activations, gradients)``: ``(n, h, w, c)`` twice → the signed map ``(n, h, w)``."""


@functools.cache
def against(method: str) -> Callable[[Any, Any], Any]:
    """The *method* of the negated score, whose map is high where the picture speaks against the class.

    Selvaraju et al. 2017, section 3.3.  Always the same function for a method, as what is compiled is found by it.
    """
    formula = METHODS[method]
    return lambda activations, gradients: formula(activations, -gradients)


def _precise(*tensors: Any) -> list[Any]:
    """As float64 where the network computes in it, else as float32."""
    double = any(backend.standardize_dtype(tensor.dtype) == "float64" for tensor in tensors)
    return [ops.cast(tensor, "float64" if double else "float32") for tensor in tensors]


def upsample(maps: npt.NDArray[Any], size: tuple[int, int]) -> Floats:
    """Bilinear resize with half-pixel centres and clamped edges, as OpenCV's ``INTER_LINEAR``.

    Aligning the corners instead would shift the map by half a cell: at 8 → 32 pixels it correlates 0.89 to 0.95.

    Args:
        maps: ``(n, h, w)``.
        size: ``(height, width)`` wanted.

    Returns:
        ``(n, height, width)`` float32.
    """
    down, across = _weights(maps.shape[1], size[0]), _weights(maps.shape[2], size[1])
    return (down @ maps.astype(np.float64) @ across.T).astype(np.float32)


def is_blank(maps: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether a map ``(n, h, w)`` says nothing for the class: no value above zero; ``(n,)`` bool."""
    highest, magnitude = maps.max(axis=(1, 2)), np.abs(maps).max(axis=(1, 2))
    return np.asarray(highest <= _NOISE * magnitude)


def heatmap(maps: npt.NDArray[Any], size: tuple[int, int]) -> Floats:
    """The maps as they are drawn: negative parts off, upsampled, each divided by its maximum.

    Args:
        maps: ``(n, h, w)`` signed.
        size: ``(height, width)`` of the pictures.

    Returns:
        ``(n, height, width)`` float32 in 0..1; a blank map stays 0 everywhere.
    """
    positive = np.where(is_blank(maps)[:, None, None], 0, np.maximum(maps, 0))
    # A score may be so small that its map underflows when it is squared or divided: scale first.
    scaled = positive / np.maximum(positive.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    drawn = upsample(scaled, size)
    top = drawn.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(drawn, top, out=np.zeros_like(drawn), where=top > 0), dtype=np.float32)


def _weights(given: int, wanted: int) -> npt.NDArray[np.float64]:
    """``(wanted, given)``: row i holds the shares of the input cells in output cell i."""
    source = np.clip((np.arange(wanted) + 0.5) * given / wanted - 0.5, 0, given - 1)
    lower = np.floor(source).astype(np.intp)
    share = source - lower
    weights = np.zeros((wanted, given))
    weights[np.arange(wanted), lower] += 1 - share
    weights[np.arange(wanted), np.minimum(lower + 1, given - 1)] += share
    return weights


def suggested_method(model: Model) -> Literal["grad_cam", "hires_cam"]:
    """The method to be shown for *model*: ``"hires_cam"`` where feature maps are flattened, else ``"grad_cam"``.

    Grad-CAM weighs a whole map by its mean gradient.  Behind a flattening every place of a map has a weight of its own,
    and the mean says little: the page on explaining has the figures.
    """
    flattens = any(isinstance(layer, layers.Flatten) for layer in model._flatten_layers())
    return "hires_cam" if flattens else "grad_cam"
