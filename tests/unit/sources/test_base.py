from __future__ import annotations

import numpy as np
import pytest

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImageError
from imgclf.images import ImageSpec
from imgclf.sources import Samples
from imgclf.sources.base import prepared


def test_lists_become_arrays():
    samples = Samples(["a", "b"], [0, -1])
    assert (samples.keys.tolist(), samples.labels.tolist(), len(samples)) == (["a", "b"], [0, -1], 2)
    assert samples.labels.dtype == np.int32
    assert len(Samples([], [])) == 0


@pytest.mark.parametrize(
    ("keys", "labels", "said"),
    [
        (["a"], [0, 1], "give one label per key"),
        (["a", "b", "a"], [0, 1, 1], "more than once: 'a'. Rename them"),
        (["a", "b"], [0, 1.5], "expected whole numbers"),
        (["a", "b"], ["x", "y"], "expected whole numbers"),
        (["a", "b"], [2**32, 2**32 + 1], "expected positions in class_names"),
    ],
)
def test_what_does_not_fit_is_said(keys, labels, said):
    with pytest.raises(DatasetError, match=said):
        Samples(keys, labels)


SPEC = ImageSpec((4, 5))


class Long:
    """A source that has no shorter way."""

    class_names = ("a", "b")

    def samples(self):
        return Samples(["0", "1"], [0, 1])

    def read(self, key):
        return np.full((8, 8, 1), int(key), np.uint8)


class Short(Long):
    def prepare(self, key, spec):
        return np.full(spec.shape, 100 + int(key), np.uint8)


def test_a_source_without_a_shorter_way_is_read_and_fitted():
    assert (prepared(Long(), "1", SPEC) == np.full((4, 5, 3), 1)).all()
    assert (Dataset.load(Long(), image_size=(4, 5)).images[1] == 1).all()


def test_the_shorter_way_is_taken():
    assert (prepared(Short(), "1", SPEC) == np.full((4, 5, 3), 101)).all()
    assert (Dataset.load(Short(), image_size=(4, 5)).images[1] == 101).all()


def test_who_reads_otherwise_is_read():
    """Else the pictures would be those of the class below, without what the one above does to them."""

    class Inverted(Short):
        def read(self, key):
            return 255 - super().read(key)

    patched = Short()
    patched.read = lambda key: np.full((8, 8, 1), 7, np.uint8)
    assert (prepared(Inverted(), "1", SPEC) == 254).all()
    assert (prepared(patched, "1", SPEC) == 7).all()


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 5, 1), np.uint8), np.zeros((4, 5, 3)), np.zeros((8, 5, 3), np.uint8), 7]
)
def test_a_wrong_shape_is_said_and_no_neighbour_is_overwritten(wrong):
    class Wrong(Short):
        def prepare(self, key, spec):
            return wrong if key == "0" else super().prepare(key, spec)

        def fingerprint(self):
            return "wrong"

    with pytest.raises(ImageError, match=r"prepare\('0', …\) of .*expected uint8 \(4, 5, 3\)\. Mend it"):
        prepared(Wrong(), "0", SPEC)
    with pytest.raises(DatasetError, match="expected uint8"):
        Dataset.load(Wrong(), image_size=(4, 5), on_error="skip")
