"""What the settings of a recipe may be.

In: the attributes of a ``Trainer``.  Out: a phrase for each that cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

import keras
import numpy as np

from ._backend import Precision
from .architectures import Architecture, Head
from .augmentation import Augmentation
from .errors import listed

Monitor = Literal["val_accuracy", "val_loss"]
Verbosity = Literal["auto", 0, 1, 2, "bar"]

OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "muon", "nadam", "rmsprop", "sgd")
"""Keras's optimisers by the names that a recipe takes."""


def frozen(options: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of *options* with tuples for lists, so that a recipe equals itself after a journey through JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def plain_number(value: Any) -> Any:
    """*value* with Python's numbers for NumPy's, which JSON does not know; also within mappings and lists."""
    if isinstance(value, Mapping):
        return {name: plain_number(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain_number, value)) if type(value) in (list, tuple) else value
    return value.item() if isinstance(value, np.generic) else value


def faults(trainer: Any) -> Iterator[str]:
    """What is wrong with the settings of *trainer*, a phrase each."""
    own = isinstance(trainer.architecture, keras.Model)
    if not own and not isinstance(trainer.architecture, (str, Architecture)):
        yield f"architecture is {trainer.architecture!r}; expected a name, an Architecture or a Keras model"
    if own and (trainer.options or trainer.head):
        yield "options and head are for registered architectures; a model of your own comes with its own"
    if own and trainer.precision == "mixed_bfloat16":
        yield "precision is for registered architectures; a model of your own was built in its own"
    if wrong := [callback for callback in trainer.callbacks if not isinstance(callback, keras.callbacks.Callback)]:
        yield f"callbacks hold {listed(wrong)}; expected Keras callbacks"
    options = trainer.optimizer_options
    if options.get("use_ema") and not options.get("ema_overwrite_frequency"):
        yield (
            "optimizer_options hold use_ema without ema_overwrite_frequency; expected both: Keras would put the "
            "averages in place after the last epoch only, too late for the best one"
        )
    if "learning_rate" in trainer.optimizer_options:
        yield "optimizer_options hold a learning_rate; expected it in the setting of that name"
    for name, (fits, expected) in RANGES.items():
        value = getattr(trainer, name)
        if not fits(value):
            yield f"{name} is {value!r}; expected {expected}"


def fit_fault(run_dir: object, checkpoint_every: object, time_limit: object) -> str | None:
    """What is wrong with *checkpoint_every* or *time_limit*, or None."""
    if time_limit is not None and not _number(time_limit):
        return f"time_limit is {time_limit!r}; expected seconds, a number above 0, or None."
    if checkpoint_every is None:
        return None
    if not _whole(checkpoint_every):
        return f"checkpoint_every is {checkpoint_every!r}; expected a whole number of steps of at least 1, or None."
    if run_dir is None:
        return f"checkpoint_every is {checkpoint_every!r} and run_dir is None. Give it a folder."
    return None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _none_or_whole(value: object) -> bool:
    return value is None or _whole(value)


_MONITORS = (lambda value: value in get_args(Monitor), "'val_accuracy' or 'val_loss'")
_COUNT = (_whole, "a whole number of at least 1")
_NONE_OR_COUNT = (_none_or_whole, "a whole number of at least 1, or None")
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "batch_size": _COUNT,
    "epochs": _COUNT,
    "steps_per_epoch": _NONE_OR_COUNT,
    "early_stopping_patience": _NONE_OR_COUNT,
    "reduce_lr_patience": _NONE_OR_COUNT,
    "learning_rate": (_number, "a number above 0, such as 0.001"),
    "reduce_lr_factor": (lambda value: _number(value) and value < 1, "a number between 0 and 1"),
    "reduce_lr_minimum": (lambda value: value == 0 or _number(value), "0 or a number above it"),
    "monitor": _MONITORS,
    "early_stopping_monitor": _MONITORS,
    "reduce_lr_monitor": _MONITORS,
    "head": (lambda value: value is None or value in get_args(Head), "'sigmoid', 'softmax' or None"),
    "precision": (lambda value: value in get_args(Precision), "'auto', 'float32' or 'mixed_bfloat16'"),
    "seed": (lambda value: type(value) is int and 0 <= value < 2**32, "a whole number from 0 to 2³² − 1"),
    "class_weights": (
        lambda value: value in (None, "balanced") or (isinstance(value, Mapping) and all(map(_number, value.values()))),
        "None, 'balanced' or weights above 0 by class name",
    ),
    "augmentation": (
        lambda value: value is None or isinstance(value, (str, Augmentation)),
        "the name of a preset, an Augmentation or None",
    ),
}
