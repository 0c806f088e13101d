"""The five documents' trainings, each a ready ``Trainer``, by name.

In: a name.  Out: a ``Trainer``; ``dataclasses.replace`` changes what you want changed.

>>> from imgclf import recipes
>>> recipes.get("small_data_augmented", epochs=40).learning_rate
0.0001
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from .errors import unknown_name
from .tables import Table
from .trainer import Trainer, check_settings

_SMALL_DATA = Trainer("small_cnn", optimizer="rmsprop", learning_rate=1e-4, batch_size=20, epochs=30)
_VGG16 = Trainer(
    "vgg16_bn", optimizer="sgd", learning_rate=1e-3, optimizer_options={"momentum": 0.9}, batch_size=20, epochs=250
)
_RECIPES: Mapping[str, tuple[str, str, Trainer]] = MappingProxyType(
    {
        "dogs_vs_cats": (
            "000",
            "dog or cat, labels in file names: augmented, stops early, halves its learning rate",
            Trainer(
                "bn_cnn",
                optimizer="rmsprop",
                batch_size=15,
                epochs=50,
                augmentation="dogs_vs_cats",
                early_stopping_patience=10,
                reduce_lr_patience=2,
            ),
        ),
        "cat_dog_small": (
            "001",
            "cats and dogs by folder, augmented",
            Trainer(
                "small_cnn",
                options={"filters": (32, 64, 128), "dense": 0, "dropout": 0.5},
                optimizer="adam",
                learning_rate=1e-4,
                batch_size=20,
                epochs=50,
                steps_per_epoch=100,
                augmentation="cat_dog_small",
            ),
        ),
        "vgg16_accurate": (
            "002",
            "VGG16 with batch normalisation, augmented: the accurate model",
            replace(_VGG16, steps_per_epoch=80, augmentation="vgg16"),
        ),
        "vgg16_control": (
            "002",
            "the same, one epoch: the control, made for a handful of pictures with exchanged labels",
            replace(_VGG16, epochs=1, augmentation="vgg16"),
        ),
        "small_data_plain": ("003", "2,000 pictures as they are, until the network overfits", _SMALL_DATA),
        "small_data_augmented": (
            "003",
            "the same with augmentation and dropout",
            replace(
                _SMALL_DATA,
                options={"dropout": 0.5},
                augmentation="book",
                batch_size=32,
                epochs=100,
                steps_per_epoch=100,
            ),
        ),
        "mnist_csv": (
            "004",
            "digits from a CSV of pixels, augmented, stops early",
            Trainer(
                "mnist_cnn",
                optimizer="rmsprop",
                batch_size=32,
                epochs=100,
                augmentation="mnist",
                early_stopping_patience=5,
            ),
        ),
    }
)


def names() -> tuple[str, ...]:
    """The names that :func:`get` knows, in the documents' order.

    >>> names()[-1]
    'mnist_csv'
    """
    return tuple(_RECIPES)


def get(name: str, **changes: Any) -> Trainer:
    """The recipe called *name*, with *changes* to its settings.

    The settings are the document's wherever it says them; the page on the documents tells what came of each.
    Document 004 says neither its augmentation's figures nor the patience of its early stopping: both are ours.  So is
    it that document 002's control makes one pass over its six pictures: the document says 80 steps for both models, but
    its figures are those of a network that has hardly moved.

    >>> get("small_data_augmented", epochs=5).epochs
    5

    Args:
        name: One of :func:`names`.
        changes: Any settings of a ``Trainer``.

    Raises:
        UnknownNameError: no recipe has this name, or no setting has the name of a change.
        OptionError: a change is out of its setting's range.
    """
    if name not in _RECIPES:
        raise unknown_name("recipe", name, _RECIPES)
    check_settings(changes)
    return replace(_RECIPES[name][2], **changes)


def table() -> Table:
    """Name, document and a phrase for each recipe."""
    return Table(("recipe", "document", "what it is"), [(name, *rest[:2]) for name, rest in _RECIPES.items()])
