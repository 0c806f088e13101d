"""``small_cnn``: the small network of the small-data documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .base import registry


@registry.register(input_shape=(150, 150, 3), head="sigmoid", document="003: dogs and cats with little data (and 001)")
def small_cnn(
    pixels: Any, *, filters: Sequence[int] = (32, 64, 128, 128), dense: int = 512, dropout: float = 0.0
) -> Any:
    """Convolutions (3×3, relu), each followed by max-pooling, then a dense layer.

    3,453,121 parameters at 150×150×3 with two classes.  Document 003's augmented run adds ``dropout=0.5``; document
    001's variant is ``filters=(32, 64, 128), dense=0, dropout=0.5``.

    Args:
        pixels: Scaled pixels.
        filters: Channels of each convolution.
        dense: Units of the hidden dense layer; 0 leaves it out.
        dropout: Share of the flattened features that is dropped in training.
    """
    x = pixels
    for number, channels in enumerate(filters, start=1):
        x = layers.Conv2D(channels, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    if dense:
        x = layers.Dense(dense, activation="relu", name="dense")(x)
    return x
