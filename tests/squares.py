"""Pictures that a tiny network tells apart in a few steps."""

from __future__ import annotations

import numpy as np


def squares(count, size=(16, 16), seed=0):
    """Noise with a bright square at the top left (class 0) or the bottom right (class 1): images, labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 90, (count, *size, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    half = size[0] // 2
    for image, label in zip(images, labels, strict=True):
        rows = slice(0, half) if label == 0 else slice(half, None)
        image[rows, rows] += np.uint8(120)
    return images, labels
