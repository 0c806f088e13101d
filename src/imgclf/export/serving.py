"""The graph that is exported: uint8 pictures of any size in, probabilities of all classes out.

In: a classifier's network and ``ImageSpec``.  Out: a Keras model that resizes as training did, runs the network in
inference mode, and makes two columns of a single sigmoid unit.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ..errors import OptionError, listed
from ..images import ImageSpec
from ..taps import forward
from .resizing import Axis, resize

INPUT, OUTPUT = "images", "probabilities"
"""The names of the graph's ends, in every format."""


class Serving(keras.Model):
    """*network* behind the resize of *spec*: uint8 ``(n, h, w, channels)`` → float32 ``(n, classes)``."""

    def __init__(self, network: keras.Model, spec: ImageSpec) -> None:
        super().__init__(name="serving", dtype="float32")
        self.network, self.spec = network, spec
        self.built = True

    @property
    def signature(self) -> list[keras.InputSpec]:
        """What the graph takes: number, height and width of the pictures are open."""
        return [keras.InputSpec(shape=(None, None, None, self.spec.channels), dtype="uint8", name=INPUT)]

    def call(self, images: Any, training: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Keras passes it
        """``{"probabilities": (n, classes)}``, whatever *training* is."""
        said = forward(self.network, fit(images, self.spec))
        return {OUTPUT: ops.concatenate([1 - said, said], axis=1) if said.shape[1] == 1 else said}


def fit(images: Any, spec: ImageSpec) -> Any:
    """uint8 ``(n, h, w, c)`` as *spec* wants them: float32 ``(n, *spec.shape)``, as :func:`~imgclf.images.fit_image`.

    ``"stretch"`` and ``"pad"`` give the same bits.  For ``"crop"`` Pillow takes the part's edges as float32, and about
    one value in 600 is a grey level off.
    """
    _, height, width, _ = ops.shape(images)
    down, across = {"stretch": _stretched, "crop": _cropped, "pad": _padded}[spec.fit](height, width, spec.image_size)
    pixels = ops.cast(ops.transpose(images, (0, 3, 1, 2)), "float32")
    return ops.reshape(ops.transpose(resize(pixels, down, across), (0, 2, 3, 1)), (-1, *spec.shape))


def check_precision(network: keras.Model) -> None:
    """Refuse a network that does not compute in float32: the formats would not give its numbers.

    Raises:
        OptionError: layers compute in another type of float.
    """
    layers = [layer for layer in network._flatten_layers() if "float" in str(layer.compute_dtype)]
    if other := [layer for layer in layers if layer.compute_dtype != "float32"]:
        names = listed(sorted(layer.name for layer in other))
        raise OptionError(
            f"network {network.name!r} computes in {other[0].compute_dtype} (layers {names}), and what is exported "
            "computes in float32. Build it under the dtype policy 'float32'."
        )


def _stretched(height: Any, width: Any, size: tuple[int, int]) -> tuple[Axis, Axis]:
    high, wide = size
    return Axis(height, high, high, height, high), Axis(width, wide, wide, width, wide)


def _cropped(height: Any, width: Any, size: tuple[int, int]) -> tuple[Axis, Axis]:
    """The same scale both ways, that of the side which is taken whole."""
    high, wide = size
    by_width = wide * height >= high * width
    step, unit = ops.where(by_width, width, height), ops.where(by_width, wide, high)
    above, left = ops.maximum(0, wide * height - high * width), ops.maximum(0, high * width - wide * height)
    return Axis(height, high, high, step, unit, above), Axis(width, wide, wide, step, unit, left)


def _padded(height: Any, width: Any, size: tuple[int, int]) -> tuple[Axis, Axis]:
    """Each side has its own scale, because the shorter one is rounded to whole pixels."""
    high, wide = size
    by_width = wide * height <= high * width
    shown_high = ops.where(by_width, ops.maximum(1, _quotient(height * wide, width)), high)
    shown_wide = ops.where(by_width, wide, ops.maximum(1, _quotient(width * high, height)))
    return _between_bars(height, shown_high, high), _between_bars(width, shown_wide, wide)


def _between_bars(before: Any, shown: Any, length: int) -> Axis:
    start = (length - shown) // 2
    return Axis(before, shown, length, step=before, unit=shown, start=start)


def _quotient(of: Any, by: Any) -> Any:
    """``of / by``, rounded to the nearest whole number, halves to the even one, as Python's ``round``."""
    found = (2 * of + by) // (2 * by)
    half = 2 * of + by - found * 2 * by == 0
    return found - ops.cast(ops.logical_and(half, found % 2 == 1), "int32")
