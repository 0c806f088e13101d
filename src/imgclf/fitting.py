"""The parts of a training run that need no recipe: checks, weights, loss, the run's folder.

In: two ``Dataset``s and plain values.  Out: what ``Trainer.fit`` puts together.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .dataset import Dataset
from .errors import DatasetError, OptionError, RunError, listed
from .files import write_json

_RUN_FILES = ("config.json", "history.json", "best.keras")


def matched_validation(train: Dataset, validation: Dataset) -> Dataset:
    """*validation* with its classes matched to those of *train*, once both are fit to be trained on."""
    for name, dataset in (("training", train), ("validation", validation)):
        if not isinstance(dataset, Dataset):
            raise OptionError(
                f"the {name} set is a {type(dataset).__name__}; expected a Dataset. Make one with Dataset.load."
            )
        if not len(dataset):
            raise DatasetError(f"the {name} set holds no pictures. Load some, or split otherwise.")
        dataset.check_labelled("train")
    if len(train.class_names) < 2:
        raise DatasetError(f"there is one class, {listed(train.class_names)}: nothing to tell apart. Add another.")
    if empty := [name for name, count in train.class_counts().items() if not count]:
        raise DatasetError(f"no training pictures of {listed(empty)}. Add some, or leave the class out.")
    if train.spec != validation.spec:
        raise OptionError(
            f"the training set was prepared as {train.spec} and the validation set as {validation.spec}. "
            "Load both with the same image_size, color_mode and fit."
        )
    shared = np.intersect1d(train.rows, validation.rows) if train.store is validation.store else ()
    if len(shared):
        warnings.warn(
            f"{len(shared):,} pictures stand in the training and in the validation set, whose figures then say little "
            "about new pictures. Split the set with Dataset.split.",
            stacklevel=3,
        )
    return validation.with_class_names(train.class_names)


def copied(model: keras.Model) -> keras.Model:
    """A copy of a user's *model*, weights included."""
    try:
        copied = keras.models.clone_model(model)
        copied.set_weights(model.get_weights())
    except Exception as error:  # a user's own layers may fail in any way
        raise OptionError(
            f"model {model.name!r} cannot be copied: {error}. Give its layers a get_config, or register a function "
            "that builds it with @registry.register."
        ) from error
    return copied


def compile_model(model: keras.Model, optimizer: str, settings: Mapping[str, Any], *, from_logits: bool) -> None:
    """Give *model* its optimiser, and the loss and accuracy that follow from its outputs.

    One output unit takes the binary cross-entropy, several the categorical one.  Labels are whole numbers ``(n,)``.
    """
    one_unit = model.output_shape[-1] == 1
    loss = keras.losses.BinaryCrossentropy if one_unit else keras.losses.SparseCategoricalCrossentropy
    try:
        chosen = keras.optimizers.get({"class_name": optimizer, "config": dict(settings)})
    except (TypeError, ValueError) as error:
        raise OptionError(f"optimizer {optimizer!r} refuses its options: {error}. Mend optimizer_options.") from error
    if one_unit:  # Keras refuses a border of 0
        metric = keras.metrics.BinaryAccuracy(name="accuracy", threshold=1e-9 if from_logits else 0.5)
    else:
        metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer=chosen, loss=loss(from_logits=from_logits), metrics=[metric])


def class_weights(wanted: str | Mapping[str, float] | None, train: Dataset) -> npt.NDArray[np.float32] | None:
    """``(k,)`` the weight of each class: ``"balanced"``, by name, or None for no weights."""
    if wanted is None:
        return None
    counts = train.class_counts()
    if isinstance(wanted, str):
        return np.array([len(train) / (len(counts) * count) for count in counts.values()], np.float32)
    if set(wanted) != set(counts):
        raise OptionError(f"class_weights are for {listed(wanted)}; expected one for each of {listed(counts, 20)}.")
    return np.array([wanted[name] for name in counts], np.float32)


def checked_run_dir(run_dir: Path, *, overwrite: bool) -> Path:
    """*run_dir* if a run may write there: an earlier run is not overwritten unasked."""
    if run_dir.exists() and not run_dir.is_dir():
        raise RunError(f"run_dir '{run_dir}' is a file. Give a folder.")
    earlier = [name for name in _RUN_FILES if (run_dir / name).exists()]
    if earlier and not overwrite:
        raise RunError(
            f"run_dir '{run_dir}' holds an earlier run ({listed(earlier)}). Choose another folder, or pass "
            "overwrite=True."
        )
    return run_dir


def open_run_dir(run_dir: Path, config: Mapping[str, Any]) -> None:
    """Remove the files of an earlier run from *run_dir*, and write *config* there."""
    for name in _RUN_FILES:
        (run_dir / name).unlink(missing_ok=True)
    write_json(run_dir / "config.json", config)
