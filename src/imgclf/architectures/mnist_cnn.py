"""``mnist_cnn``: two convolutions and a pooling, for handwritten digits."""

from __future__ import annotations

from typing import Any

from keras import layers

from .base import registry


@registry.register(input_shape=(28, 28, 1), head="softmax", document="004: MNIST from a CSV of pixels")
def mnist_cnn(pixels: Any) -> Any:
    """Conv 64, Conv 32 (3×3, relu), max-pooling: 65,194 parameters at 28×28×1 with ten classes."""
    x = layers.Conv2D(64, 3, activation="relu", name="conv1")(pixels)
    x = layers.Conv2D(32, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    return layers.Flatten(name="flatten")(x)
