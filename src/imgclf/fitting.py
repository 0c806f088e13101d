"""The parts of a training run that need no recipe: checks, weights, loss, the epochs.

In: two ``Dataset``s and plain values.  Out: what ``Trainer.fit`` puts together.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from . import _backend
from .architectures.blueprint import hand_on
from .batches import Batches
from .dataset import Dataset
from .errors import DatasetError, OptionError, listed
from .fusing import fused_normalisation
from .manifest import check_class_names
from .recorder import MODES, Recorder
from .run_bar import RunBar


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
    check_class_names(train.class_names)  # else the first save would refuse them, after an epoch
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
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    except Exception as error:  # a user's own layers may fail in any way
        raise OptionError(
            f"model {model.name!r} cannot be copied: {error}. Give its layers a get_config, or register a function "
            "that builds it with @registry.register."
        ) from error
    return hand_on(model, copy)


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


def recipe_callbacks(recipe: Any, *, said: int) -> list[keras.callbacks.Callback]:
    """What a ``Trainer`` asks for: a learning rate that is reduced, an early end, then its own callbacks."""
    chosen: list[keras.callbacks.Callback] = []
    if recipe.reduce_lr_patience is not None:
        chosen.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=recipe.reduce_lr_monitor,
                mode=MODES[recipe.reduce_lr_monitor],
                patience=recipe.reduce_lr_patience,
                factor=recipe.reduce_lr_factor,
                min_lr=recipe.reduce_lr_minimum,
                verbose=said,
            )
        )
    if recipe.early_stopping_patience is not None:
        monitor, patience = recipe.early_stopping_monitor, recipe.early_stopping_patience
        chosen.append(keras.callbacks.EarlyStopping(monitor, mode=MODES[monitor], patience=patience, verbose=said))
    return [*chosen, *recipe.callbacks]


def weights_digest(model: keras.Model) -> str:
    """A digest of the weights of *model*."""
    total = hashlib.sha256()
    for weight in model.get_weights():
        total.update(np.ascontiguousarray(weight).tobytes())
    return total.hexdigest()


class _Once(keras.callbacks.CallbackList):
    """The callbacks of a run that may take two calls of ``fit``: they begin and end once, and so does every epoch.

    Attributes:
        taken: The steps of the epoch that an earlier process took; its callbacks have seen them, and its beginning.
    """

    begun = False
    taken = 0

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self.taken:
            super().on_epoch_begin(epoch, logs)
            return
        for callback in self.callbacks:
            if isinstance(callback, (Recorder, RunBar, keras.callbacks.ProgbarLogger)):
                callback.on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch + self.taken, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch + self.taken, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Not at the end of a ``fit``, but of the run: :meth:`end`."""

    def end(self) -> None:
        super().on_train_end(None)


def train_epochs(
    model: keras.Model,
    batches: Batches,
    validation: Batches,
    recorder: Recorder,
    *,
    epochs: int,
    verbose: Any,
) -> None:
    """Train *model* for the steps of *batches* that *recorder* has not seen yet.

    Keras begins at the start of an epoch only, so the rest of a broken-off one is a ``fit`` of its own.

    Args:
        model: Compiled.
        batches: Of *epochs* epochs in all.
        validation: Evaluated after each epoch.
        recorder: Called last, after the callbacks that it knows.
        epochs: Of the whole run.
        verbose: Keras's, or ``"bar"``.
    """
    steps = batches.steps // epochs
    shown, verbose = ([RunBar()], 0) if verbose == "bar" else ([], verbose)
    said = {"verbose": verbose, "epochs": epochs, "steps": steps}
    called = _Once(
        [*recorder.others, recorder, *shown], add_history=True, add_progbar=verbose != 0, model=model, **said
    )
    with contextlib.ExitStack() as stack:
        for bar in shown:
            stack.callback(bar.on_train_end)  # the terminal's cursor comes back, however the run ends
        epoch, within = divmod(recorder.step, steps)
        model.stop_training = False
        for first, last, taken in ((epoch, epoch + bool(within), within), (epoch + bool(within), epochs, 0)):
            if first == last or model.stop_training:
                continue
            if within and not taken:  # the second of two
                recorder.draws = _backend.random_states()
            called.taken = taken
            part = batches.starting_at(first * steps + taken)
            averages = _unaveraged(model.optimizer, wanted=bool(taken))
            with contextlib.closing(part), averages, fused_normalisation(model):
                model.fit(
                    _backend.feed(part),
                    initial_epoch=first,
                    epochs=last,
                    steps_per_epoch=steps - taken,
                    shuffle=False,  # the order is ours, not Keras's
                    validation_data=_backend.feed(validation),
                    callbacks=called,
                    verbose=verbose,
                )
        called.end()


@contextlib.contextmanager
def _unaveraged(optimizer: Any, *, wanted: bool) -> Iterator[None]:
    """A block at whose end Keras does not put an optimiser's moving averages in place: the run has not ended."""
    if wanted:
        optimizer.finalize_variable_values = lambda variables: None  # noqa: ARG005
    try:
        yield
    finally:
        vars(optimizer).pop("finalize_variable_values", None)
