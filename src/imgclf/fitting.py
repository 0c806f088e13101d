"""The parts of a training run that need no recipe: checks, weights, loss, the run's folder.

In: two ``Dataset``s and plain values.  Out: what ``Trainer.fit`` puts together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .dataset import Dataset
from .errors import DatasetError, OptionError, RunError, listed
from .files import write_json


def matched_validation(train: Dataset, validation: Dataset) -> Dataset:
    """*validation* with its classes matched to those of *train*, once both are fit to be trained on."""
    for name, dataset in (("training", train), ("validation", validation)):
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
    border = 0.0 if from_logits else 0.5

    def accuracy(true: Any, said: Any) -> Any:
        answer = said[:, 0] > border if one_unit else keras.ops.argmax(said, axis=-1)
        labels = keras.ops.cast(keras.ops.reshape(true, (-1,)), "int32")
        return keras.ops.cast(keras.ops.equal(keras.ops.cast(answer, "int32"), labels), "float32")

    try:
        chosen = keras.optimizers.get({"class_name": optimizer, "config": dict(settings)})
    except (TypeError, ValueError) as error:
        raise OptionError(f"optimizer {optimizer!r} refuses its options: {error}. Mend optimizer_options.") from error
    metric = keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")
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


def open_run_dir(run_dir: Path, config: Mapping[str, Any], *, overwrite: bool) -> None:
    """Make *run_dir* ready for a new run and write *config* there; an earlier run is not overwritten unasked."""
    if run_dir.exists() and not run_dir.is_dir():
        raise RunError(f"run_dir '{run_dir}' is a file. Give a folder.")
    earlier = [name for name in ("config.json", "history.json", "best.keras") if (run_dir / name).exists()]
    if earlier and not overwrite:
        raise RunError(
            f"run_dir '{run_dir}' holds an earlier run ({listed(earlier)}). Choose another folder, or pass "
            "overwrite=True."
        )
    for name in earlier:
        (run_dir / name).unlink()
    write_json(run_dir / "config.json", config)
