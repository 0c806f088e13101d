"""A recipe, fitted once per fold → an answer for every picture by a network that never saw it.

In: a ``Trainer`` and a ``Dataset``.  Out: an ``Evaluation`` of the whole set, for an honest figure of a small set, and
for :func:`imgclf.label_errors.find`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .dataset import Dataset
from .errors import DatasetError, OptionError, with_reasons
from .evaluation import Evaluation
from .grouping import Duplicates, Groups, Ints, is_whole, loosened
from .trainer import Trainer

_SEEDS = 2**32


def out_of_fold(
    trainer: Trainer,
    dataset: Dataset,
    *,
    folds: int = 5,
    validation: float = 0.1,
    seed: int = 42,
    groups: Groups | None = None,
    duplicates: Duplicates = "near",
) -> Evaluation:
    """Every picture of *dataset* as judged by a network that saw neither it, nor its group, nor a duplicate of it.

    For each fold *trainer* is fitted to the others.  The held-out fold does not choose the epoch either, nor stop the
    training, nor lower the learning rate: a share *validation* of the other folds does.  Otherwise each fold would pick
    the epoch that suits it, wrong labels included, and look better than new pictures will.

    Takes as long as *folds* trainings.  The same call gives the same numbers, as :meth:`Trainer.fit` does.

    ::

        judged = out_of_fold(Trainer("small_cnn", epochs=10), data, folds=5)
        print(judged.accuracy_interval)  # from all pictures
        print(label_errors.find(judged))  # those that are probably labelled wrongly

    Args:
        trainer: The recipe; fold number i is trained with its seed + i.
        dataset: Labelled pictures; every class in at least *folds* groups of pictures, and in 4 for 2 folds.
        folds: At least 2.  More folds leave more pictures to train on, and take longer.
        validation: The share of each training part that watches the training.
        seed: Decides the folds.
        groups: What belongs together: see :meth:`Dataset.split`.
        duplicates: As for :meth:`Dataset.split`.

    Returns:
        One row per picture, in the order of *dataset*.

    Raises:
        OptionError: something that is no ``Trainer`` or no ``Dataset``, or a number of folds that cannot be.
        DatasetError: a picture has no label, or a class cannot be in every fold.
    """
    if not isinstance(trainer, Trainer):
        raise OptionError(
            f"trainer is a {type(trainer).__name__}; expected a Trainer. Make one with Trainer('small_cnn')."
        )
    if not isinstance(dataset, Dataset):
        raise OptionError(f"dataset is a {type(dataset).__name__}; expected a Dataset. Make one with Dataset.load.")
    dataset.check_labelled("judge its pictures")

    def planned(units: Ints) -> tuple[Ints, list[tuple[Dataset, Dataset]]]:
        _check_enough(dataset, units, folds)
        numbers = dataset.fold_numbers(folds, seed=seed, groups=units, duplicates="ignore")
        rest = [(dataset.take(numbers != fold), units[numbers != fold]) for fold in range(folds)]
        return numbers, [
            part.split(validation=validation, seed=seed, groups=own, duplicates="ignore") for part, own in rest
        ]

    units = dataset.kept_together(groups, duplicates)
    if duplicates == "near":
        numbers, parts = loosened(planned, units, lambda: dataset.kept_together(groups, "exact"))
    else:
        numbers, parts = planned(units)
    probabilities = np.full((len(dataset), len(dataset.class_names)), np.nan, dtype=np.float32)
    for fold, (train, watching) in enumerate(parts):
        run = replace(trainer, seed=(trainer.seed + fold) % _SEEDS).fit(train, watching, verbose=0)
        held_out = numbers == fold
        probabilities[held_out] = run.classifier.predict(dataset.take(held_out)).probabilities
    return Evaluation(dataset.keys, probabilities, dataset.class_names, dataset.labels)


def _check_enough(dataset: Dataset, units: Ints, folds: int) -> None:
    """Raise a ``DatasetError`` if a class has too few pictures, or too few *units* ``(n,)`` of them, for the folds."""
    if not is_whole(folds) or folds < 2:
        return  # which fold_numbers says
    needed = max(folds, 4 if folds == 2 else 0)  # outside each fold 2 must be left: one trains, one watches
    faults = []
    for label, name in enumerate(dataset.class_names):
        own = dataset.labels == label
        if 0 < (count := len(np.unique(units[own]))) < needed:
            tied = "" if count == own.sum() else f" in {count:,} groups that stay together"
            faults.append(f"{name!r} has {int(own.sum()):,} pictures{tied}")
    if faults:
        raise DatasetError(
            with_reasons(
                f"with folds={folds} every class needs at least {needed} pictures, or groups of them: one in each "
                "fold, and outside each fold one that trains and one that watches. Add pictures, drop the class, or "
                "give another number of folds:",
                faults,
            )
        )
