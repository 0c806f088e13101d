"""Planted label errors: how many of them are found, and how many of those suspected were planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.label_errors import RECIPES, planted
from squares import squares

from imgclf.cross_validation import out_of_fold
from imgclf.dataset import Dataset
from imgclf.label_errors import find
from imgclf.sources import CsvPixelsSource, FolderSource
from imgclf.trainer import Trainer

ROW, PROMISE = "label-errors", "planted label errors in pictures are found; recall and precision are reported"


def figures(data, changed, trainer, folds, seed=42):
    """Recall, precision, and both in words."""
    judged = out_of_fold(trainer, data, folds=folds, seed=seed)
    errors = find(judged)
    hits = len(np.intersect1d(errors.positions, changed))
    recall, precision = hits / len(changed), hits / max(len(errors), 1)
    chance = len(changed) / len(data)
    said = (
        f"{len(changed)} of {len(data):,} labels changed: recall {recall:.2f}, precision {precision:.2f} "
        f"(by chance {chance:.2f}), {len(judged.mistakes())} mistakes of the network"
    )
    return recall, precision, said


@pytest.mark.promise(ROW, PROMISE)
def test_planted_in_made_pictures(record_property):
    data, changed = planted(Dataset.from_arrays(*squares(200), ("top", "bottom")), 0.06, seed=0)
    trainer = Trainer(
        "small_cnn", options={"filters": (8,), "dense": 0}, optimizer="adam", learning_rate=1e-2, epochs=6
    )
    recall, precision, said = figures(data, changed, trainer, folds=2)
    record_property("measured", f"noise with a bright square: {said}")
    assert recall >= 0.9
    assert precision >= 0.9


@pytest.mark.slow
@pytest.mark.promise(ROW, PROMISE)
def test_planted_in_real_digits(real_data, record_property):
    digits = Dataset.load(CsvPixelsSource(real_data / "mnist" / "test.csv.gz"), progress=False).take(slice(0, None, 5))
    data, changed = planted(digits, 0.06, seed=0)
    recall, precision, said = figures(data, changed, Trainer("mnist_cnn", optimizer="adam", epochs=6), folds=4)
    record_property("measured", f"MNIST: {said}")
    assert recall >= 0.85
    assert precision >= 0.5


@pytest.mark.slow
@pytest.mark.promise(ROW, PROMISE)
def test_planted_in_real_photographs(real_data, record_property):
    """The first run of benchmarks/label_errors.py.  2,000 small photographs make a poor network, and that few suspects
    are planted ones; by chance 0.06 of them would be."""
    pets = Dataset.load(FolderSource(real_data / "dogs_vs_cats" / "train"), image_size=(64, 64), progress=False)
    data, changed = planted(pets, 0.06, seed=1)
    trainer = replace(RECIPES["dogs_vs_cats"], seed=1)
    recall, precision, said = figures(data, changed, trainer, folds=5, seed=1)
    record_property("measured", f"dogs and cats: {said}")
    assert recall >= 0.5
    assert precision >= 0.1
