"""``bn_cnn``: three blocks with batch normalisation and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .base import registry


@registry.register(input_shape=(128, 128, 3), head="softmax", document="000: dog or cat, labels in file names")
def bn_cnn(
    pixels: Any,
    *,
    filters: Sequence[int] = (32, 64, 128),
    dense: int = 512,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
) -> Any:
    """Blocks of convolution (3×3, relu), batch normalisation, max-pooling and dropout, then a dense block.

    12,942,786 parameters at 128×128×3 with two classes.

    Args:
        pixels: Scaled pixels.
        filters: Channels of each block's convolution.
        dense: Units of the hidden dense layer.
        dropout: Share dropped after each block.
        dense_dropout: Share dropped after the dense layer.
    """
    x = pixels
    for number, channels in enumerate(filters, start=1):
        x = layers.Conv2D(channels, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense, activation="relu", name="dense")(x)
    x = layers.BatchNormalization(name="bn_dense")(x)
    return layers.Dropout(dense_dropout, name="dropout_dense")(x)
