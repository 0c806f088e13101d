"""Small classifiers to save and to attack."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from imgclf import Architecture, Classifier, ImageSpec, registry


def mean_colour(pixels, *, width=0):
    """Next to no network: its file has 12 kB."""
    x = layers.GlobalAveragePooling2D(name="mean")(pixels)
    return layers.Dense(width, name="dense")(x) if width else x


MEAN_COLOUR = Architecture("mean_colour", mean_colour, (8, 8, 3), "sigmoid")


def classifier(name="small_cnn", names=("top", "bottom"), size=(8, 8), **options):
    """A classifier with random weights, from a seed."""
    keras.utils.set_random_seed(3)
    options = options or ({"filters": (2,), "dense": 0} if name == "small_cnn" else {})
    return Classifier(registry.build(name, (*size, 3), len(names), **options), names, ImageSpec(size), {"note": "hé"})


def saved(path, *arguments, **options):
    """The path of a saved classifier."""
    return classifier(*arguments, **options).save(path)


def same(loaded, path):
    """Whether *loaded* has the weights that the file *path* gives."""
    weights = Classifier.load(path).model.get_weights()
    return all(np.array_equal(one, two) for one, two in zip(loaded.model.get_weights(), weights, strict=True))
