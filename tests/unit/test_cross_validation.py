from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from squares import squares

from imgclf.cross_validation import out_of_fold
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, OptionError
from imgclf.evaluation import Evaluation, Predictions
from imgclf.trainer import Trainer

NAMES = ("top", "bottom")
QUICK = Trainer(
    "small_cnn", options={"filters": (8,), "dense": 0}, optimizer="adam", learning_rate=1e-2, batch_size=8, epochs=4
)


class Fits:
    """Stands in for ``Trainer.fit``: notes what each network saw, and answers with the number of the fit."""

    def __init__(self):
        self.seen, self.asked, self.seeds = [], [], []

    def __call__(self, trainer, train, validation, **options):
        assert options == {"verbose": 0}
        number = len(self.seen)
        self.seen.append((set(train.keys), set(validation.keys)))
        self.seeds.append(trainer.seed)

        def predict(part):
            self.asked.append(set(part.keys))
            said = np.tile(np.float32([number, 10 - number]) / 10, (len(part), 1))
            return Predictions(part.keys, said, part.class_names)

        return SimpleNamespace(classifier=SimpleNamespace(predict=predict))


@pytest.fixture
def fits(monkeypatch):
    noted = Fits()
    monkeypatch.setattr(Trainer, "fit", lambda self, *args, **options: noted(self, *args, **options))
    return noted


def copied(count=60):
    """Noise with every fifth picture copied: set, and the original of each picture."""
    rng = np.random.default_rng(0)
    original = np.sort(np.concatenate([np.arange(count), np.arange(0, count, 5)]))
    images = rng.integers(0, 255, (count, 16, 16, 1), dtype=np.uint8)[original]
    return Dataset.from_arrays(images, original % 2, NAMES), original


@pytest.mark.promise("label-errors", "no picture is judged by a network that saw it, its group or a copy of it")
def test_no_network_judges_what_it_saw(fits):
    data, original = copied()
    family = {str(key): {original[i], original[i] // 7 + 1000} for i, key in enumerate(data.keys)}
    result = out_of_fold(QUICK, data, folds=4, groups=original // 7)
    assert len(fits.seen) == len(fits.asked) == 4
    for (train, watching), asked in zip(fits.seen, fits.asked, strict=True):
        assert train | watching | asked == set(data.keys)
        assert not train & watching  # which chooses the epoch
        for one, other in ((train, asked), (watching, asked), (train, watching)):
            assert not set.union(*map(family.get, one)) & set.union(*map(family.get, other))
    assert sorted(key for asked in fits.asked for key in asked) == sorted(data.keys)
    for number, asked in enumerate(fits.asked):  # and each answer stands in its picture's row
        rows = np.isin(result.keys, sorted(asked))
        assert result.probabilities[rows, 0] == pytest.approx(number / 10)
    assert result.keys.tolist() == data.keys.tolist()
    assert (result.true_labels == data.labels).all()


def test_seeds_differ_and_stay_in_range(fits):
    data, _ = copied()
    out_of_fold(Trainer("small_cnn", seed=2**32 - 2), data, folds=3)
    assert fits.seeds == [2**32 - 2, 2**32 - 1, 0]


def test_the_seed_decides_the_folds(fits):
    data, _ = copied()
    for seed in (1, 1, 2):
        out_of_fold(QUICK, data, folds=2, seed=seed)
    assert fits.asked[:2] == fits.asked[2:4] != fits.asked[4:]


def test_it_is_as_good_as_the_network():
    data = Dataset.from_arrays(*squares(60), NAMES)
    result = out_of_fold(QUICK, data, folds=3)
    assert isinstance(result, Evaluation)
    assert result.accuracy > 0.9
    assert result.keys.tolist() == data.keys.tolist()
    again = out_of_fold(QUICK, data, folds=3)
    assert (again.probabilities == result.probabilities).all()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"folds": 1}, OptionError, "Give 2 or more"),
        ({"folds": 99}, DatasetError, "folds=99 every class needs at least 99"),
        ({"validation": 0}, OptionError, "expected a share above 0"),
        ({"groups": [1]}, DatasetError, "1 groups for 72 pictures"),
        ({"duplicates": "some"}, OptionError, "Give 'near', 'exact', 'ignore'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(options, error, said, fits):
    with pytest.raises(error, match=said):
        out_of_fold(QUICK, copied()[0], **options)
    assert not fits.seen


def test_a_class_too_small_for_one_of_the_folds_is_said_before_anything_is_trained(fits):
    images = np.random.default_rng(0).integers(0, 255, (12, 16, 16, 1), dtype=np.uint8)
    data = Dataset.from_arrays(images, [0] * 10 + [1] * 2, NAMES)
    with pytest.raises(
        DatasetError, match="folds=2 every class needs at least 4 pictures(.|\n)*'bottom' has 2 pictures$"
    ):
        out_of_fold(QUICK, data, folds=2)
    assert not fits.seen


def test_look_alikes_that_leave_no_folds_are_parted_with_a_warning(fits):
    picture = np.random.default_rng(0).integers(0, 200, (24, 24, 1), dtype=np.uint8)
    images = np.stack([*(picture + np.uint8(k // 2) for k in range(6)), *(255 - picture // 2 - k for k in range(6))])
    data = Dataset.from_arrays(images, [0] * 6 + [1] * 6, NAMES)
    assert len(np.unique(data.kept_together())) == 2
    with pytest.warns(UserWarning, match="only exact copies are kept together"):
        out_of_fold(QUICK, data, folds=3)
    assert len(fits.seen) == 3
    for train, watching in fits.seen:
        assert not {int(key) // 2 for key in train if int(key) < 6} & {
            int(key) // 2 for key in watching if int(key) < 6
        }


def test_what_is_no_recipe_or_set_is_said():
    with pytest.raises(OptionError, match="trainer is a str; expected a Trainer"):
        out_of_fold("small_cnn", copied()[0])
    with pytest.raises(OptionError, match="dataset is a list; expected a Dataset"):
        out_of_fold(QUICK, [1])
    with pytest.raises(DatasetError, match="have no label"):
        out_of_fold(QUICK, Dataset.from_arrays(squares(8)[0], class_names=NAMES))
