"""Walls on which a drawn cat, a drawn dog and two scenes without a pet hang, and a network that can look at them.

Each picture hangs alone on grey, which is what a convolution's padding looks like to this network; so it sees each one
as it saw those that it was trained on.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from imgclf import DrawnPets
from imgclf.sources.drawing import _lit
from imgclf.sources.scenery import Canvas, draw_background

SIDE, GAP, GREY = 48, 16, 128
CLASSES = ("cat", "dog", "none")


def pets(count, seed):
    """*count* cats and dogs, cats first: images ``(n, SIDE, SIDE, 3)`` and labels."""
    source = DrawnPets(count, seed=seed, image_size=(SIDE, SIDE))
    samples = source.samples()
    return np.stack([source.read(key) for key in samples.keys]), samples.labels


def scenes(count, seed):
    """What stands behind drawn pets, without any: images ``(n, SIDE, SIDE, 3)``."""
    found = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        canvas = Canvas((SIDE, SIDE), masked=False)
        draw_background(canvas, rng)
        found.append(_lit(canvas.picture.reduce(canvas.zoom), rng))
    return np.stack(found)


def walls(count, seed):
    """Images ``(n, 144, 144, 3)``, and a mask of where the cat and where the dog hangs: ``{name: (n, 144, 144)}``."""
    animals, _ = pets(2 * count, seed)
    others = scenes(2 * count, seed)
    side = 2 * SIDE + 3 * GAP
    images = np.full((count, side, side, 3), GREY, np.uint8)
    masks = {name: np.zeros((count, side, side), bool) for name in CLASSES[:2]}
    for at in range(count):
        hung = [animals[at], animals[count + at], others[2 * at], others[2 * at + 1]]
        for what, place in enumerate(np.random.default_rng((seed, at)).permutation(4)):
            top, left = (GAP + (SIDE + GAP) * where for where in divmod(int(place), 2))
            here = (at, slice(top, top + SIDE), slice(left, left + SIDE))
            images[here] = hung[what]
            if what < 2:
                masks[CLASSES[what]][here] = True
    return images, masks


def network(side):
    """Four convolutions, global average pooling, one Dense layer; its weights fit pictures of any *side*."""
    pixels = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.MaxPooling2D()(layers.ReLU()(x))
    x = layers.Conv2D(64, 3, padding="same", activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Dense(len(CLASSES), activation="softmax")(x))
