from __future__ import annotations

import keras
import numpy as np
import pytest

from imgclf import _backend
from imgclf.augmentation import Augmentation
from imgclf.batches import Batches
from imgclf.dataset import Dataset
from imgclf.errors import OptionError


def numbered(count=10):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 6, 6, 1), np.uint8)
    return Dataset.from_arrays(images, np.arange(count) % 3, ["a", "b", "c"])


def shown(batch):
    return [int(number) for number in batch[0][:, 0, 0, 0]]


def test_a_pass_shows_every_picture_once_with_its_label():
    batches = Batches(numbered(), batch_size=4, seed=1, steps=9)
    assert len(batches) == 9
    assert [len(batches[step][0]) for step in range(4)] == [4, 4, 2, 4]
    passes = [[number for step in range(3) for number in shown(batches[3 * p + step])] for p in range(3)]
    assert all(sorted(seen) == list(range(10)) for seen in passes)
    assert passes[0] != passes[1] != passes[2]
    for step in range(9):
        pixels, labels, weights = batches[step]
        assert (pixels.dtype, weights.tolist()) == (np.uint8, [1.0] * len(labels))
        assert labels.tolist() == [number % 3 for number in shown(batches[step])]


def test_preparing_ahead_changes_nothing():
    plain = Batches(numbered(), batch_size=4, seed=1, steps=9)
    ahead = Batches(numbered(), batch_size=4, seed=1, steps=9, ahead=3)
    for step in (0, 1, 0, 1, 2, 3, 7, 8, 4):  # Keras looks at two batches before it begins
        assert shown(ahead[step]) == shown(plain[step])
    ahead.close()
    assert len(ahead.dataset) == 0  # let go


def test_a_fault_while_preparing_ahead_arrives_at_its_step():
    batches = Batches(numbered(), batch_size=4, steps=9, ahead=3, class_weights=np.ones(1, np.float32))
    with pytest.raises(IndexError):
        batches[0]


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    def batch(step, seed=1):
        return Batches(numbered(), batch_size=4, seed=seed, steps=9, augmentation=Augmentation.preset("book"))[step]

    for step in (8, 0, 5, 5):
        assert (batch(step)[0] == batch(step)[0]).all()
    assert shown(batch(0)) != shown(batch(0, seed=2))


def test_the_version_of_a_picture_depends_on_pass_and_position_alone():
    augmentation = Augmentation(rotation_range=40, width_shift_range=0.2, brightness_range=(0.5, 1.5))
    data = numbered()
    for size in (3, 10):
        batches = Batches(data, batch_size=size, seed=5, augmentation=augmentation, steps=100)
        positions, passed = batches.positions(len(data) // size + 2)
        alone = augmentation(data.pictures(positions[:1]), seed=5, epoch=passed, indices=positions[:1])
        assert (batches[len(data) // size + 2][0][0] == alone[0]).all()


def test_evaluation_serves_the_sets_own_order():
    assert [shown(batch) for batch in Batches(numbered(5), batch_size=2, shuffle=False)] == [[0, 1], [2, 3], [4]]


def test_classes_are_weighted():
    batches = Batches(numbered(), batch_size=10, class_weights=np.array([1, 2, 4], np.float32))
    _, labels, weights = batches[0]
    assert weights.tolist() == [[1, 2, 4][label] for label in labels]


def test_a_batch_holds_something():
    with pytest.raises(OptionError, match="at least 1"):
        Batches(numbered(), batch_size=0)


def test_whole_numbers_reach_the_network_as_the_same_pixels():
    """A network's input is float32: what it is given as uint8 it sees as 0..255, and not scaled or wrapped around."""
    pixels = keras.Input((2, 2, 3))
    network = keras.Model(pixels, keras.layers.Rescaling(0.5, offset=-0.25)(pixels))
    whole = np.arange(240, 252, dtype=np.uint8).reshape(1, 2, 2, 3)
    seen = keras.ops.convert_to_numpy(network(whole, training=True))
    np.testing.assert_array_equal(seen, whole.astype(np.float32) * 0.5 - 0.25)


def test_fit_is_fed_every_batch_in_its_order():
    batches = Batches(numbered(), batch_size=4, seed=1, steps=9, start=2)
    fed = [tuple(np.asarray(part) for part in batch) for batch in _backend.feed(batches)]
    assert len(fed) == len(batches) == 7
    for step, batch in enumerate(fed):
        for given, expected in zip(batch, batches[step], strict=True):
            np.testing.assert_array_equal(given, expected)
            assert given.dtype == expected.dtype


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has such a pipeline")
def test_what_fit_is_fed_does_not_tune_itself():
    """A pipeline that does makes ``fit`` stand still when it ends: benchmarks/let_go.py."""
    fed = _backend.feed(Batches(numbered(), batch_size=4))
    assert fed.options().autotune.enabled is False
    assert int(fed.cardinality()) == 3
