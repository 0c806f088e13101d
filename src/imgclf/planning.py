"""Which size, network and recipe suit some pictures, and how many epochs a time allows.

In: a source.  Out: a ``Plan``, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from . import recipes
from .dataset import Dataset
from .errors import ImageError
from .images import inspect_image
from .sources import DatasetSource
from .sources.picture_files import FileSource
from .trainer import Trainer

_LOOKED_AT = 200  # pictures whose sizes are read: their headers only
_SMALL = 48  # pixels of the shorter side: up to here a picture is a sign or a digit, and its own size is kept
_LARGEST = 128  # pixels of a side: document 000's
_EPOCHS = 40
_FEWEST_EPOCHS, _MOST_EPOCHS = 15, 200  # fewer than the first: smaller pictures are better than fewer passes
_SMALLEST = 64  # pixels; below, a photograph says too little


@dataclass(frozen=True)
class Plan:
    """What suits some pictures.

    Attributes:
        image_size: ``(height, width)``; None keeps that of a table of pixels.
        trainer: The recipe.
        reason: Why, in a phrase.
    """

    image_size: tuple[int, int] | None
    trainer: Trainer
    reason: str


def plan(source: DatasetSource) -> Plan:
    """The size, network and recipe that suit the pictures of *source*.

    Small pictures (48 pixels or less on the shorter side) keep their size and get document 004's network, photographs
    document 000's: trained for eight minutes on the 2,000 photographs of document 003, it was right on 74.7 % (71.9 to
    77.3) of 1,000 others, document 003's on 71.5 % (68.6 to 74.2); one seed each.
    """
    keys = [str(key) for key in source.samples().keys]
    sizes = _sizes(source, keys)
    shorter = int(np.median(sizes.min(axis=1)))
    if shorter <= _SMALL:
        own = None if callable(getattr(source, "load_images", None)) else _typical(sizes)
        reason = f"{len(keys):,} small pictures keep their size: mnist_cnn with the recipe mnist_csv"
        return Plan(own, recipes.get("mnist_csv", epochs=_EPOCHS), reason)
    recipe = recipes.get("dogs_vs_cats", epochs=_EPOCHS, batch_size=32)
    side = min(_LARGEST, shorter)
    return Plan((side, side), recipe, f"{len(keys):,} pictures: bn_cnn with the recipe dogs_vs_cats")


def seconds_per_epoch(trainer: Trainer, train: Dataset, validation: Dataset) -> float:
    """What an epoch of *trainer* takes here, from a few steps of it; the first epoch's preparations not counted."""
    size, steps = trainer.batch_size, 6
    few, some = train.take(_spread(len(train), size * steps)), validation.take(_spread(len(validation), 64))
    short = replace(trainer, epochs=2, steps_per_epoch=steps, early_stopping_patience=None, class_weights=None)
    run = short.fit(few, some, verbose=0)
    wanted = trainer.steps_per_epoch or -(-len(train) // size)
    return float(run.seconds[-1]) / steps * wanted * (1 + 0.3 * len(validation) / max(1, wanted * size))


def fitted(trainer: Trainer, seconds: float, epoch: float) -> Trainer:
    """*trainer* with as many epochs of *epoch* seconds as *seconds* allow, one at least."""
    epochs = int(max(1, min(_MOST_EPOCHS, seconds / epoch)))
    return replace(trainer, epochs=epochs)


def too_slow(seconds: float, epoch: float) -> bool:
    """Whether so few epochs fit that smaller pictures are the better choice."""
    return seconds / epoch < _FEWEST_EPOCHS


def smaller(image_size: tuple[int, int]) -> tuple[int, int] | None:
    """The next smaller size, a half of the pixels; None where a photograph would say too little."""
    height, width = (round(side * 0.7 / 2) * 2 for side in image_size)
    return (height, width) if min(height, width) >= _SMALLEST else None


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Positions of at most *most* of *count* things, spread evenly over them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _sizes(source: DatasetSource, keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """``(m, 2)`` heights and widths of some pictures, spread over the set."""
    files = source.files if isinstance(source, FileSource) else None
    found: list[tuple[int, int]] = []
    for position in _spread(len(keys), _LOOKED_AT).tolist():
        key = keys[position]
        try:
            found.append(inspect_image(files.path(key)).size if files is not None else source.read(key).shape[:2])
        except (ImageError, OSError):  # named when it is decoded
            continue
    return np.array(found or [(150, 150)], dtype=np.int64).reshape(-1, 2)


def _typical(sizes: npt.NDArray[np.int64]) -> tuple[int, int]:
    height, width = (int(side) for side in np.median(sizes, axis=0))
    return height, width
