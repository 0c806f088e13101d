"""A training as data: its parts, its journey through JSON, what suits which pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from squares import squares

from imgclf import ArraySource, Dataset, DatasetError, DrawnPets, OptionError, RunError, Trainer, recognise
from imgclf.jobs import Job, config_of, read_config, trainer_code
from imgclf.planning import fitted, plan, seconds_per_epoch, smaller, too_slow
from imgclf.source_spec import SourceSpec


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Forty pictures of 16×16 in class folders."""
    folder = tmp_path_factory.mktemp("jobs") / "pets"
    DrawnPets(40, seed=0, image_size=(16, 16)).write(folder, "folders")
    return folder


def job(folder, **changes):
    made = Job(recognise(folder).labelled, Trainer("mnist_cnn", epochs=1), image_size=(16, 16), validation=0.25)
    return replace(made, **changes)


def test_three_parts_of_one_set(pets):
    """Without parts of their own, validation and test are split off, and the test part is what is told."""
    parts = job(pets, test=0.25).load(progress=False)
    assert [len(part) for part in parts] == [20, 10, 10]
    assert parts.judged[0] == "test"
    parts = job(pets, test=None).load(progress=False)
    assert parts.test is None
    assert parts.judged[0] == "validation"


def test_parts_that_are_there_are_taken(pets, tmp_path):
    """A test folder is the test part; the validation part is split off the training set."""
    spec = SourceSpec("folders", str(pets))
    parts = job(pets, parts={"train": spec, "test": spec}).load(progress=False)
    assert [len(part) for part in parts] == [30, 10, 40]
    parts = job(pets, parts={"train": spec, "validation": spec}, test=0.25).load(progress=False)
    assert [len(part) for part in parts] == [30, 40, 10]
    parts = job(pets, parts={"train": spec, "validation": spec}, test=None).load(progress=False)
    assert parts.test is None


def test_a_damaged_job_is_an_error_of_ours(pets):
    """What a stranger's config.json holds is checked, and never becomes code."""
    held = job(pets).to_dict()
    for broken in (
        {},
        {"parts": 3},
        {"parts": {"all": {}}},
        {**held, "validation": "0.2); print(1"},
        {**held, "split_seed": "1"},
    ):
        with pytest.raises((RunError, OptionError)):
            Job.from_dict(broken, Trainer("mnist_cnn"))
    with pytest.raises(OptionError, match="expected names such as"):
        SourceSpec("folders", "x", {"a=1, b": 2})


def test_groups_stay_on_one_side(pets):
    """Pictures in whose keys the pattern matches the same text, also by the printed code."""
    made = job(pets, groups=r"[.]\d", test=0.25, duplicates="ignore")  # .1 of cat.1.png, cat.11.png, cat.12.png
    parts = [
        {key.rpartition(".png")[0].partition(".")[2][0] for key in part.keys.tolist()}
        for part in made.load(progress=False)
    ]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    names: dict = {}
    exec(made.code, names)
    assert names["test"].keys.tolist() == made.load(progress=False).test.keys.tolist()
    with pytest.raises(DatasetError, match="matches in no key"):
        job(pets, groups="patient").load(progress=False)


def test_a_job_without_pictures():
    """A part to train on is needed."""
    with pytest.raises(OptionError, match="expected 'all' or 'train'"):
        Job({"test": SourceSpec("folders", "x")}, Trainer("mnist_cnn"))


def test_through_json_and_config(pets, tmp_path):
    """What a run notes is the job that it was made of."""
    made = job(pets, fit="pad", duplicates="exact")
    assert Job.from_dict(made.to_dict(), made.trainer) == made
    parts = made.load(progress=False)
    made.trainer.fit(parts.train, parts.validation, run_dir=tmp_path / "run", notes=made.notes(asked={}), verbose=0)
    assert read_config(tmp_path / "run") == made
    assert read_config(tmp_path / "run" / "config.json") == made
    with pytest.raises(RunError, match="it has no config"):
        config_of(tmp_path)
    made.trainer.fit(parts.train, parts.validation, run_dir=tmp_path / "bare", verbose=0)
    with pytest.raises(OptionError, match="Give the path of the pictures"):
        read_config(tmp_path / "bare")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augmentation": "book", "options": {"dropout": 0.5}, "optimizer_options": {"beta_1": 0.8}},
        {"class_weights": {"a'b": 1.0, "c": 2.0}, "seed": 7, "precision": "float32", "early_stopping_patience": 3},
    ],
)
def test_the_code_of_a_recipe_makes_it_again(changes):
    """Whatever its settings are."""
    recipe = replace(Trainer("small_cnn", optimizer="adam"), **changes)
    names = {"Trainer": Trainer}
    exec("\n".join(trainer_code(recipe)), names)
    assert names["trainer"] == recipe


def test_small_pictures_keep_their_size(pets):
    """And photographs get 128×128, or what they have."""
    assert plan(recognise(pets).parts["all"].open()).image_size == (16, 16)
    digits = ArraySource(np.zeros((10, 28, 28), np.uint8), [0, 1] * 5)
    assert plan(digits).image_size is None
    assert plan(digits).trainer.architecture == "mnist_cnn"
    photos = plan(DrawnPets(30, seed=1, image_size=(200, 300)))
    assert photos.image_size == (128, 128)
    assert photos.trainer.architecture == "bn_cnn"
    assert plan(DrawnPets(30, seed=1, image_size=(90, 300))).image_size == (90, 90)


def test_time_gives_epochs():
    """As many as fit, one at least; too few call for smaller pictures."""
    recipe = Trainer("mnist_cnn")
    assert [fitted(recipe, 100, epoch).epochs for epoch in (10, 1000, 0.01)] == [10, 1, 200]
    assert too_slow(100, 10)
    assert not too_slow(1000, 10)
    assert smaller((150, 150)) == (104, 104)
    assert smaller((80, 80)) is None


def test_an_epoch_is_measured():
    """By a few steps of the recipe itself, which stays as it is."""
    train, validation = Dataset.from_arrays(*squares(40), ["top", "bottom"]).split(validation=0.25)
    assert 0 < seconds_per_epoch(Trainer("mnist_cnn", batch_size=8), train, validation) < 60
