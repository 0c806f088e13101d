"""Callbacks of the field's tools, passed to a recipe: what they write is whole, also where the run was broken off."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from squares import squares

from imgclf import Dataset, Trainer

TRAIN, VALIDATION = Dataset.from_arrays(*squares(40, (28, 28)), ["top", "bottom"]).split(validation=0.25)
STEPS = 5  # an epoch: 30 pictures, 6 in a batch


def recipe(*callbacks):
    return Trainer("mnist_cnn", epochs=3, batch_size=6, precision="float32", callbacks=callbacks)


def fit(folder, *callbacks):
    return recipe(*callbacks).fit(TRAIN, VALIDATION, run_dir=folder, checkpoint_every=2, verbose=0)


def broken(folder, callback, at):
    """A run that is broken off before step *at* by a callback that else does nothing."""
    left = iter(range(at - 1))

    def gone(batch, logs=None):
        if next(left, None) is None:
            raise ConnectionError("gone")

    stopping = keras.callbacks.Callback()
    stopping.on_train_batch_begin = gone
    with pytest.raises(ConnectionError):
        fit(folder, callback, stopping)


def scalars(folder, tag):
    """The steps and values of *tag* in TensorBoard's files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return [(event.step, float(tensor_util.make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]


def board(folder):
    """TensorBoard's callback, where TensorBoard is installed, and TensorFlow, whose writer Keras uses."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("tensorboard")
    return keras.callbacks.TensorBoard(folder, update_freq=1)


def test_tensorboard_shows_a_run_that_was_broken_off_as_one(tmp_path):
    """Every epoch and every step stands once in the event files, in order, with the figures of the history."""
    broken(tmp_path / "run", board(tmp_path / "logs"), at=8)  # the last state is that of step 7
    run = fit(tmp_path / "run", board(tmp_path / "logs"), keras.callbacks.Callback())
    for part, name in (("train", "loss"), ("train", "accuracy"), ("validation", "val_loss")):
        found = scalars(tmp_path / "logs" / part, f"epoch_{name.removeprefix('val_')}")
        assert [step for step, _ in found] == [0, 1, 2]
        np.testing.assert_allclose([value for _, value in found], run.history[name], rtol=1e-6)
    steps = [step for step, _ in scalars(tmp_path / "logs" / "train", "batch_loss")]
    assert steps == list(range(1, 3 * STEPS + 1))


def test_work_that_was_lost_is_written_again(tmp_path):
    """Steps after the last state are trained again, and stand twice: with the same values."""
    broken(tmp_path / "run", board(tmp_path / "logs"), at=9)  # the last state is that of step 7; step 8 is lost
    fit(tmp_path / "run", board(tmp_path / "logs"), keras.callbacks.Callback())
    found = scalars(tmp_path / "logs" / "train", "batch_loss")
    assert sorted(step for step, _ in found) == sorted([*range(1, 3 * STEPS + 1), 8])
    first, again = (value for step, value in found if step == 8)
    assert first == again


class Curve(keras.callbacks.Callback):
    """What docs/callbacks.md shows: the gap between training and validation, and its largest value so far."""

    def __init__(self):
        super().__init__()
        self.largest = 0.0

    def on_epoch_end(self, epoch, logs=None):
        self.largest = max(self.largest, logs["accuracy"] - logs["val_accuracy"])
        logs["largest_gap"] = self.largest


def test_figures_that_a_callback_adds_stand_in_the_history(tmp_path):
    """What is put into logs is a column of the run's table, also where the run was broken off."""
    broken(tmp_path / "broken", Curve(), at=8)
    run = fit(tmp_path / "broken", Curve(), keras.callbacks.Callback())
    whole = fit(tmp_path / "whole", Curve(), keras.callbacks.Callback())
    assert run.history == whole.history
    assert len(run.history["largest_gap"]) == 3
    assert "largest_gap" in run.table().columns


def test_only_callbacks_of_ones_own_are_warned_of(tmp_path):
    """A collection that cannot be kept is named where nobody makes it anew; Keras's own make theirs."""

    class Holding(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.models = [object()]

    with pytest.warns(UserWarning, match=r"Holding\.models"):
        fit(tmp_path, Holding())
