"""A run that is broken off goes on as if nothing had been, on the backend of this process; kills: tests/trust."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict, deque
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from squares import squares

from imgclf import checkpoints
from imgclf.architectures import registry
from imgclf.dataset import Dataset
from imgclf.errors import FileError, OptionError, RunError
from imgclf.run_folder import RunFolder
from imgclf.state_file import read_state, write_state
from imgclf.trainer import Trainer

TRAIN, VALIDATION = Dataset.from_arrays(*squares(40), ["top", "bottom"]).split(validation=0.25)
STEPS = 5  # an epoch: 30 pictures, 6 in a batch


class Counting(keras.callbacks.Callback):
    """A callback of a user's own, with counts that enter the history."""

    def __init__(self):
        super().__init__()
        self.sums = np.zeros(2)
        self.seen = []
        self.pair = (0, None)
        self.named = {"last": np.float32(0)}

    def on_epoch_end(self, epoch, logs=None):
        self.sums += [1, logs["val_loss"]]
        self.seen.append(epoch)
        self.pair = (epoch, "x")
        self.named["last"] = np.float32(logs["loss"])
        logs["mean_val_loss"] = float(self.sums[1] / self.sums[0])
        logs["count"] = len(self.seen)


def trainer(**settings):
    recipe = Trainer(
        "bn_cnn",
        options={"filters": (4,), "dense": 8},
        optimizer="adam",
        learning_rate=0.01,
        batch_size=6,
        epochs=5,
        augmentation="book",
        reduce_lr_patience=1,
        reduce_lr_monitor="val_loss",
        early_stopping_patience=3,
        callbacks=[Counting()],
    )
    return replace(recipe, **settings)


def fit(folder, recipe=None, **options):
    return (recipe or trainer()).fit(TRAIN, VALIDATION, run_dir=folder, verbose=0, **options)


def broken(folder, at, make=trainer, **options):
    """A run that is broken off before step *at* by its one callback, which else is the whole run's."""
    recipe, left = make(), iter(range(at))

    def gone(batch, logs=None):
        if next(left, None) is None:
            raise ConnectionError("gone")

    recipe.callbacks[0].on_train_batch_begin = gone
    with pytest.raises(ConnectionError):
        fit(folder, recipe, **options)


def last_state(folder):
    record, arrays = read_state(sorted(folder.glob("state-*.npz"))[-1])
    del record["seconds"], record["spent"]
    return record, arrays


def assert_same(one, two):
    for name in ("best.keras", "history.json", "config.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    (record, arrays), (record2, arrays2) = last_state(one), last_state(two)
    assert record == record2
    assert list(arrays) == list(arrays2)
    for name, array in arrays.items():
        assert array.dtype == arrays2[name].dtype
        assert array.tobytes() == arrays2[name].tobytes(), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return fit(folder)


@pytest.mark.promise("determinism", "One seed, one machine, one number of threads: the same bits, run after run.")
def test_two_runs_leave_the_same_bits(whole, tmp_path):
    fit(tmp_path)
    assert_same(tmp_path, whole.run_dir)


@pytest.mark.parametrize("at", [0, 2, STEPS, STEPS + 3, 3 * STEPS + 1, 4 * STEPS + 4])
@pytest.mark.parametrize("every", [None, 2])
def test_a_broken_run_goes_on(whole, tmp_path, at, every):
    broken(tmp_path, at, checkpoint_every=every)
    run = fit(tmp_path, checkpoint_every=every)
    assert run.history == whole.history
    assert run.best_epoch == whole.best_epoch
    assert len(run.seconds) == len(whole.seconds)
    assert_same(tmp_path, whole.run_dir)
    pictures = squares(4, seed=3)[0]
    assert (run.classifier.predict(pictures).probabilities == whole.classifier.predict(pictures).probabilities).all()


def test_it_may_break_again_and_again(whole, tmp_path):
    for at in (3, 1, STEPS, 4, 2 * STEPS - 1, 1):
        broken(tmp_path, at, checkpoint_every=3)
    fit(tmp_path)
    assert_same(tmp_path, whole.run_dir)


def test_only_the_work_since_the_last_state_is_lost(tmp_path):
    broken(tmp_path, 2 * STEPS + 4, checkpoint_every=3)
    assert [path.name for path in sorted(tmp_path.glob("state-*"))] == ["state-00000010.npz", "state-00000013.npz"]
    recipe = trainer()
    trained = []
    recipe.callbacks[0].on_train_batch_end = lambda batch, logs=None: trained.append(batch)
    fit(tmp_path, recipe)
    assert len(trained) == 5 * STEPS - 13


def test_a_finished_run_comes_back_at_once(whole, capsys):
    recipe = trainer()
    recipe.callbacks[0].on_train_begin = lambda logs=None: pytest.fail("trained again")
    again = recipe.fit(TRAIN, VALIDATION, run_dir=whole.run_dir)
    assert (again.history, again.best_epoch, again.seconds) == (whole.history, whole.best_epoch, whole.seconds)
    assert "is finished" in capsys.readouterr().out
    pictures = squares(4, seed=3)[0]
    assert (again.classifier.predict(pictures).probabilities == whole.classifier.predict(pictures).probabilities).all()


def test_early_stopping_stops_where_it_would_have(tmp_path):
    def early():
        return trainer(epochs=12, learning_rate=1e-9, early_stopping_patience=2, early_stopping_monitor="val_accuracy")

    one = fit(tmp_path / "one", early())
    assert one.epochs < 12
    broken(tmp_path / "two", (one.epochs - 1) * STEPS + 1, early)
    assert fit(tmp_path / "two", early()).epochs == one.epochs
    assert_same(tmp_path / "one", tmp_path / "two")
    assert fit(tmp_path / "two", early()).epochs == one.epochs  # finished: it does not train the rest


class Halving(keras.callbacks.LearningRateScheduler):
    """It acts when an epoch begins, which a resumed epoch has done already."""

    def __init__(self):
        super().__init__(lambda epoch, rate: rate * 0.5)
        self.began = defaultdict(int)
        self.marks = {1: {"a"}, 2: (1, 2)}
        self.batches = []

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.began[epoch] += 1
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)
        self.marks[1].add(f"{batch}")

    def on_epoch_end(self, epoch, logs=None):
        assert self.batches == list(range(STEPS))
        logs["begun"] = sum(self.began.values())


def test_equal_sets_give_equal_states():
    """0 and 8 meet in one place of a small set, so its order tells which of them came first."""
    one, other = set(), set()
    one.update([0]), one.add(8), other.add(8), other.add(0)
    assert checkpoints._encoded(one, "callback", {}) == checkpoints._encoded(other, "callback", {})


RECIPES = {
    "a callback that acts when an epoch begins": {"callbacks": [Halving]},
    "averages": {"optimizer_options": {"use_ema": True, "ema_overwrite_frequency": 3}},
    "several slots": {"optimizer": "nadam", "optimizer_options": {"gradient_accumulation_steps": 3}},
    "class weights and short epochs": {"class_weights": "balanced", "steps_per_epoch": 3, "epochs": 6},
    "bfloat16": {"precision": "mixed_bfloat16"},
    "best weights of early stopping": {
        "callbacks": [lambda: keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True, start_from_epoch=1)]
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_other_recipes_go_on_too(tmp_path, name):
    def make():
        settings = dict(RECIPES[name])
        made = [kind() for kind in settings.pop("callbacks", [Counting])]
        return trainer(**settings, callbacks=made, early_stopping_patience=None)

    fit(tmp_path / "whole", make())
    for at, every in ((STEPS + 3, 2), (2 * STEPS, None)):
        broken(tmp_path / str(at), at, make, checkpoint_every=every)
        fit(tmp_path / str(at), make())
        assert_same(tmp_path / str(at), tmp_path / "whole")


def test_what_a_callback_cannot_get_back_is_said(tmp_path):
    recipe = trainer()
    recipe.callbacks[0].models = [keras.layers.Dense(1)]
    recipe.callbacks[0].recent = deque([1])
    with pytest.warns(
        UserWarning, match=r"'Counting\.models', 'Counting\.recent': a run that goes on .* does not get these"
    ):
        fit(tmp_path, recipe)


def test_figures_that_are_no_numbers_are_left_out(tmp_path):
    recipe = trainer(epochs=1)
    recipe.callbacks[0].on_epoch_end = lambda epoch, logs: logs.update(said="text", count=np.int64(3))
    run = fit(tmp_path, recipe)
    assert run.history["count"] == [3]
    assert "said" not in run.history


def test_the_folder_is_where_it_was_said_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    recipe = trainer(epochs=2)
    recipe.callbacks[0].on_epoch_begin = lambda epoch, logs=None: os.chdir(tmp_path / "elsewhere")
    run = fit("here", recipe)
    assert run.run_dir == tmp_path / "here"
    assert (tmp_path / "here" / "state-00000010.npz").exists()
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_folder_that_goes_away_is_not_made_anew(tmp_path):
    recipe = trainer()
    recipe.callbacks[0].on_epoch_begin = lambda epoch, logs=None: epoch and shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileError, match="has gone, or its config.json.* Bring it back"):
        fit(tmp_path / "run", recipe)
    assert not (tmp_path / "run").exists()


def test_a_state_of_a_later_version_is_not_guessed_at(tmp_path):
    broken(tmp_path, STEPS + 1)
    (path,) = tmp_path.glob("state-*")
    record, arrays = read_state(path)
    write_state(path, {**record, "schema": 2}, arrays)
    with pytest.raises(RunError, match=r"written by another imgclf \(schema 2; this one reads 1\)"):
        fit(tmp_path)


@pytest.mark.promise(
    "other-run", "Other data, classes or another recipe under the same run_dir are refused, with what differs."
)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rate": 0.02}, r"trainer\.learning_rate was 0\.01 and is now 0\.02"),
        ({"epochs": 9}, r"trainer\.epochs was 5 and is now 9"),
        ({"augmentation": None}, r"trainer\.augmentation was 'book' and is now None"),
        ({"options": {"filters": (5,), "dense": 8}}, r"trainer\.options\.filters was \[4\] and is now \[5\]"),
        ({"callbacks": ()}, r"trainer\.callbacks was \['Counting'\] and is now None"),
    ],
)
def test_another_recipe_is_refused(whole, settings, said):
    before = {path.name: path.read_bytes() for path in whole.run_dir.iterdir()}
    with pytest.raises(RunError, match=rf"(?s)holds another run\. Choose another folder, or pass overwrite.*{said}"):
        fit(whole.run_dir, trainer(**settings))
    assert {path.name: path.read_bytes() for path in whole.run_dir.iterdir()} == before


def test_other_data_or_classes_are_refused(whole):
    fewer = TRAIN.take(range(len(TRAIN) - 1))
    with pytest.raises(RunError, match=r"(?s)train\.pictures was 30 and is now 29.*train\.fingerprint was"):
        trainer().fit(fewer, VALIDATION, run_dir=whole.run_dir, verbose=0)
    with pytest.raises(RunError, match=r"validation\.fingerprint was"):
        trainer().fit(TRAIN, VALIDATION.take(range(8)), run_dir=whole.run_dir, verbose=0)
    renamed = [replace(part, class_names=("up", "down")) for part in (TRAIN, VALIDATION)]
    with pytest.raises(RunError, match=r"class_names was \['top', 'bottom'\] and is now \['up', 'down'\]"):
        trainer().fit(*renamed, run_dir=whole.run_dir, verbose=0)


def test_another_network_under_the_same_name_is_refused(tmp_path):
    def define(units):
        @registry.register("changing", input_shape=(16, 16, 3))
        def body(pixels):
            return layers.Dense(units, activation="relu")(layers.Flatten()(pixels))

        return Trainer("changing", batch_size=6, epochs=1)

    try:
        fit(tmp_path, define(4))
        with pytest.raises(RunError, match=r"network was '.*' and is now"):
            fit(tmp_path, define(5))
        fit(tmp_path, define(4))
    finally:
        del registry._known["changing"]


def test_a_model_of_ones_own_goes_on_too(tmp_path):
    """Its layers are numbered anew in every process, and its first weights are others: neither counts."""

    def own():
        x = pixels = keras.Input((16, 16, 3))
        x = layers.Conv2D(4, 3, activation="relu")(layers.RandomFlip()(x) * 2.0 - 255.0)
        x = layers.Dropout(0.3)(layers.Flatten()(keras.ops.tanh(x)))
        return Trainer(
            keras.Model(pixels, layers.Dense(2, activation="softmax")(x)),
            batch_size=6,
            epochs=3,
            callbacks=[Counting()],
        )

    broken(tmp_path / "one", STEPS + 2, own)
    states = {path.name: path.read_bytes() for path in (tmp_path / "one").glob("state-*")}
    (tmp_path / "two").mkdir()
    for path in (tmp_path / "one").iterdir():
        (tmp_path / "two" / path.name).write_bytes(path.read_bytes())
    assert states
    with pytest.warns(UserWarning, match="other weights than the one with which the run .* began"):
        one, two = fit(tmp_path / "one", own()), fit(tmp_path / "two", own())
    assert one.history == two.history
    assert last_state(tmp_path / "one")[0]["best_epoch"] == last_state(tmp_path / "two")[0]["best_epoch"]


def damaged(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = b""
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_a_damaged_state_gives_way_to_the_one_before(whole, tmp_path, how):
    broken(tmp_path, 3 * STEPS + 2)
    damaged(sorted(tmp_path.glob("state-*"))[-1], how)
    with pytest.warns(UserWarning, match=r"(?s)goes on from state-00000010\.npz:.*state-00000015\.npz' is damaged"):
        fit(tmp_path)
    assert_same(tmp_path, whole.run_dir)


def test_without_a_sound_state_nothing_is_thrown_away_unasked(tmp_path):
    broken(tmp_path, 3 * STEPS + 2)
    for path in tmp_path.glob("state-*"):
        damaged(path, "cut")
    with pytest.raises(RunError, match=r"no state .* can be read\. Restore one, or pass overwrite=True"):
        fit(tmp_path)
    assert len(list(tmp_path.glob("state-*"))) == 2
    fit(tmp_path, overwrite=True)


def test_other_versions_go_on_with_a_warning(whole, tmp_path):
    broken(tmp_path, STEPS + 1)
    config = json.loads((tmp_path / "config.json").read_text())
    config["threads"] = 77
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match=r"(?s)last digits may differ.*threads was 77"):
        fit(tmp_path)


def test_files_that_are_no_run_are_left_alone(tmp_path):
    (tmp_path / "best.keras").write_bytes(b"mine")
    with pytest.raises(
        RunError, match=r"cannot be recognised \('best\.keras'\)\. Choose another folder, or pass overwrite"
    ):
        fit(tmp_path)
    assert (tmp_path / "best.keras").read_bytes() == b"mine"
    (tmp_path / "best.keras").rename(tmp_path / "history.json")
    with pytest.raises(RunError, match="cannot be recognised"):
        fit(tmp_path)
    (tmp_path / "history.json").rename(tmp_path / "mine")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="Give a folder"):
        fit(tmp_path / "file")


@pytest.mark.promise("lock", "Of two processes on one run_dir the second refuses.")
def test_two_runs_in_one_folder(tmp_path):
    with RunFolder(tmp_path).locked(), pytest.raises(RunError, match="another run is at work .* choose another folder"):
        fit(tmp_path)
    fit(tmp_path)


def test_litter_of_killed_processes_is_removed(whole, tmp_path):
    broken(tmp_path, STEPS + 1)
    litter = [".state-00000010-0123456789ab.npz", ".best-0123456789ab.keras", ".history-0123456789ab.json"]
    for name in [*litter, ".mine-0123456789ab.txt", ".best.keras"]:
        (tmp_path / name).write_text("half")
    fit(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left.isdisjoint(litter)
    assert {".mine-0123456789ab.txt", ".best.keras"} <= left


@pytest.mark.promise(
    "disk-full", "A disk that is full leaves the old file, says so, and the run goes on once there is room."
)
def test_a_full_disk_stops_the_run_and_loses_nothing(whole, tmp_path, monkeypatch):
    from imgclf import run_folder

    def full(path, record, arrays):
        raise FileError("no space")

    broken(tmp_path, 2 * STEPS + 1)
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "write_state", full)
        with pytest.raises(FileError):
            fit(tmp_path)
    fit(tmp_path)
    assert_same(tmp_path, whole.run_dir)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_steps_between_states_are_whole_numbers(tmp_path, wrong):
    with pytest.raises(OptionError, match="a whole number of steps"):
        fit(tmp_path / "new", checkpoint_every=wrong)
    assert not (tmp_path / "new").exists()
    with pytest.raises(OptionError, match="run_dir is None. Give it a folder"):
        fit(None, checkpoint_every=2)


def test_a_time_limit_pauses_the_run(tmp_path):
    """A call that has no time left trains one epoch, and the calls after it end with the bits of one in one go."""
    fit(tmp_path / "whole")
    for epochs in range(1, 6):
        assert fit(tmp_path / "paused", time_limit=1e-6).epochs == epochs
    assert_same(tmp_path / "whole", tmp_path / "paused")
    assert fit(tmp_path / "paused", time_limit=1e-6).epochs == 5  # finished: nothing more is trained


def test_a_time_limit_that_is_ample_changes_nothing(tmp_path):
    """All epochs are trained where there is time."""
    assert fit(tmp_path, time_limit=3600).epochs == 5


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "10m", True])
def test_a_time_limit_that_cannot_be(limit):
    """Seconds above 0 are expected."""
    with pytest.raises(OptionError, match="expected seconds"):
        trainer().fit(TRAIN, VALIDATION, time_limit=limit)


def test_notes_stand_in_the_config_and_make_no_other_run(tmp_path):
    """A run goes on under other notes, and config.json keeps the first ones."""
    short = trainer(epochs=1)
    fit(tmp_path, short, notes={"where": "here"})
    fit(tmp_path, short, notes={"where": "there"})
    assert json.loads((tmp_path / "config.json").read_text())["notes"] == {"where": "here"}
