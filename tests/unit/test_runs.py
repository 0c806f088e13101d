"""``TrainingRun.load``: a run read back from its folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from squares import squares

from imgclf.dataset import Dataset
from imgclf.errors import ModelFileError, RunError
from imgclf.runs import TrainingRun
from imgclf.trainer import Trainer

TINY = Trainer(
    "small_cnn", options={"filters": (4,), "dense": 0}, optimizer="adam", learning_rate=1e-2, batch_size=8, epochs=3,
    precision="float32",
)  # fmt: skip


def sets():
    return Dataset.from_arrays(*squares(24), ("top", "bottom")).split(validation=0.25)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return TINY.fit(*sets(), run_dir=tmp_path_factory.mktemp("runs") / "squares", verbose=0)


@pytest.fixture
def folder(run, tmp_path):
    """A copy of the run's folder, to be damaged."""
    return shutil.copytree(run.run_dir, tmp_path / "run")


def test_it_equals_what_fit_returned(run):
    """Weights, history, best epoch, seconds, folder and provenance."""
    again = TrainingRun.load(run.run_dir)
    assert again.history == run.history
    assert (again.best_epoch, again.run_dir, again.seconds) == (run.best_epoch, run.run_dir, run.seconds)
    assert json.loads(json.dumps(run.provenance)) == again.provenance
    assert (again.classifier.class_names, again.classifier.spec) == (run.classifier.class_names, run.classifier.spec)
    for one, other in zip(run.classifier.model.get_weights(), again.classifier.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert str(again) == str(run)


def test_an_unfinished_run_is_read_as_far_as_it_is(folder, run):
    """Fewer epochs than the recipe says; and an epoch whose best.keras was written and whose history was not."""
    best = run.best_epoch
    shorter = {name: values[: best - 1] for name, values in run.history.items()}
    (folder / "history.json").write_text(json.dumps(shorter))
    if best == 1:
        (folder / "history.json").unlink()
    assert TrainingRun.load(folder).history == {name: values[:best] for name, values in run.history.items()}


def test_damaged_states_cost_only_the_seconds(folder, run):
    """The newest state that verifies says the seconds; without one there are none."""
    states = sorted(folder.glob("state-*.npz"))
    states[-1].write_bytes(b"x")
    assert TrainingRun.load(folder).seconds == run.seconds[:2]
    states[0].write_bytes(b"x")
    assert TrainingRun.load(folder).seconds == ()


def test_a_figure_that_is_no_number_stays_one(folder, run):
    """JSON's null is NaN again."""
    history = {**run.history, "mine": [None, 1.0, 2.0]}
    (folder / "history.json").write_text(json.dumps(history))
    assert np.isnan(TrainingRun.load(folder).history["mine"][0])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", None, "holds no run: it has no config.json. Give the run_dir"),
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "expected an object, it holds a list"),
        ("config.json", "{}", "lacks 'trainer', 'network'"),
        ("best.keras", None, "none of its epochs has ended. Train it on"),
        ("history.json", '{"loss": 3}', "expected for each figure one number per epoch"),
        ("history.json", '{"loss": [3], "accuracy": []}', "expected for each figure one number per epoch"),
        ("history.json", '{"loss": ["a"]}', "expected for each figure one number per epoch"),
    ],
)
def test_what_is_no_run_is_refused(folder, name, content, said):
    """A file that is missing or damaged is named, with what to do."""
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(RunError, match=said):
        TrainingRun.load(folder)


def test_files_of_two_runs_are_not_mixed(folder, run):
    """best.keras of another recipe; a history that ends before the best epoch."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "network": "other"}))
    with pytest.raises(RunError, match="not of the run in its config"):
        TrainingRun.load(folder)
    (folder / "config.json").write_text(json.dumps(config))
    replace(run.classifier, provenance={**run.provenance, "best_epoch": 9}).save(folder / "best.keras")
    with pytest.raises(RunError, match="not of one run"):
        TrainingRun.load(folder)
    (folder / "best.keras").write_bytes(b"")
    with pytest.raises(ModelFileError):
        TrainingRun.load(folder)


def test_a_model_of_ones_own_needs_trust(tmp_path):
    """As Classifier.load does."""
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    mine = replace(TINY, architecture=model, options={}, epochs=1).fit(*sets(), run_dir=tmp_path / "own", verbose=0)
    with pytest.raises(ModelFileError, match="trust"):
        TrainingRun.load(tmp_path / "own")
    assert TrainingRun.load(tmp_path / "own", trust=True).history == mine.history
