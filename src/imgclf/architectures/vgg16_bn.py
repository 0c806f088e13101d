"""``vgg16_bn``: VGG16 with a batch normalisation in each block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from .base import registry

# Simonyan and Zisserman 2014 (arXiv 1409.1556), configuration D: channels and convolutions of each block
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


@registry.register(input_shape=(224, 224, 3), head="sigmoid", document="002: VGG16, feature maps and Grad-CAM")
def vgg16_bn(pixels: Any, *, dense: Sequence[int] = (4096, 4096)) -> Any:
    """VGG16 (configuration D of arXiv 1409.1556) with ``he_normal`` weights and batch normalisation.

    One BatchNormalization stands between the last convolution and the pooling of each block: 14,714,688 parameters in
    the convolutions and 5,888 in the normalisations.

    Args:
        pixels: Scaled pixels.
        dense: Units of the hidden dense layers; the default's first alone has 102,764,544 parameters at 224×224, so
            give smaller ones, such as ``(256,)``, where memory or time is short.
    """
    x = pixels
    for block, (channels, convolutions) in enumerate(_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            x = layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{number}",
            )(x)
        x = layers.BatchNormalization(name=f"block{block}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(dense, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"dense{number}")(x)
    return x
