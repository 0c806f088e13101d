"""The class contract from folders to figures: what the usual tools let pass in silence."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError
from imgclf.sources import FolderSource
from imgclf.trainer import Trainer

COLOURS = {"apple": (200, 20, 20), "lime": (20, 200, 20), "plum": (60, 20, 160)}
QUICK = Trainer(
    "small_cnn", options={"filters": (8,), "dense": 0}, optimizer="adam", learning_rate=1e-2, batch_size=4, epochs=8
)


def folder(root, names, count=8):
    """A folder of plain pictures for each name, in the colour of the fruit that it begins with."""
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        colour = next(colour for fruit, colour in COLOURS.items() if name.strip().casefold().startswith(fruit))
        for number in range(count):
            pixels = rng.integers(0, 40, (16, 16, 3), dtype=np.uint8) + np.array(colour, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return Dataset.load(FolderSource(root), image_size=(16, 16), cache=False, progress=False)


@pytest.mark.promise(
    "class-contract", "a validation or test folder that lacks a class shifts no label, and is warned of"
)
def test_a_folder_that_lacks_a_class(tmp_path):
    train = folder(tmp_path / "train", COLOURS)
    partial = folder(tmp_path / "partial", ["apple", "plum"])  # of its own, plum is 1; in training it is 2
    with pytest.warns(UserWarning, match="no pictures of 'lime'"):
        run = QUICK.fit(train, partial, verbose=0)
    assert run.best["val_accuracy"] == 1
    with pytest.warns(UserWarning, match="no pictures of 'lime'"):
        evaluation = run.classifier.evaluate(partial)
    assert evaluation.class_names == ("apple", "lime", "plum")
    assert evaluation.true_labels.tolist() == [0] * 8 + [2] * 8
    assert evaluation.accuracy == 1

    shutil.move(tmp_path / "partial" / "plum", tmp_path / "partial" / "Plum")
    spelt = Dataset.load(FolderSource(tmp_path / "partial"), image_size=(16, 16), cache=False, progress=False)
    for use in (lambda: QUICK.fit(train, spelt, verbose=0), lambda: run.classifier.evaluate(spelt)):
        with pytest.raises(DatasetError, match="'Plum' and 'plum'. Give each class one spelling"):
            use()
