from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgclf.errors import DatasetError, ImageError, OptionError
from imgclf.sources import UNLABELLED, ArraySource

GREY = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)


def test_grey_pictures_get_a_channel() -> None:
    source = ArraySource(GREY, [0, 1, 2, 0, 1, 2])
    assert source.load_images().shape == (6, 4, 5, 1)
    assert np.shares_memory(source.load_images(), GREY)
    np.testing.assert_array_equal(source.read("3")[..., 0], GREY[3])
    assert source.samples().keys.tolist() == list("012345")
    assert repr(source) == "ArraySource(6 pictures of 4 × 5 × 1, 3 classes)"


def test_a_memory_map_is_taken_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    source = ArraySource(np.load(tmp_path / "x.npy", mmap_mode="r"))
    np.testing.assert_array_equal(source.load_images()[..., 0], GREY)


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        ([0, 1, 2, 0, 1, 2], ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (np.array([[10], [2], [1], [10], [2], [1]], np.uint8), ("1", "2", "10"), [2, 1, 0, 2, 1, 0]),
        (["b", "a", "b", "a", "b", "c"], ("a", "b", "c"), [1, 0, 1, 0, 1, 2]),
        (np.array(["10", "9"] * 3, object), ("9", "10"), [1, 0, 1, 0, 1, 0]),
        ([-1] * 6, (), [-1] * 6),
        (None, (), [UNLABELLED] * 6),
    ],
)
def test_labels_without_names(labels: object, names: tuple[str, ...], numbers: list[int]) -> None:
    source = ArraySource(GREY, labels)
    assert source.class_names == names
    assert source.samples().labels.tolist() == numbers


def test_labels_with_names() -> None:
    with pytest.warns(UserWarning, match="1 of 6 labels of the set are −1, which means unlabelled"):
        source = ArraySource(GREY, [1, 0, -1, 1, 0, 0], ("cat", "dog"))
    assert source.samples().labels.tolist() == [1, 0, -1, 1, 0, 0]
    assert ArraySource(GREY, ["dog"] * 6, ("cat", "dog")).samples().labels.tolist() == [1] * 6
    assert ArraySource(GREY, class_names=("cat", "dog")).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("labels", "names", "advice"),
    [
        ([0, 1], None, "6 pictures and 2 labels: give one label per picture"),
        (np.eye(6), None, r"argmax\(axis=1\)"),
        (0, None, "one label per picture"),
        ([0, 1, 2, 0, 1, 2], ("a", "b"), r"outside 0 to 1 \(−1: unlabelled\): 2, for 2 .*one class name per label"),
        ([0, 1, -2, 0, 1, 1], ("a", "b"), "outside 0 to 1.*: -2"),
        ([0, 1, -2, 0, 1, 1], None, "down to -2; .* Renumber"),
        ([0.0, 1.0, 0.5, 0, 1, 1], None, "float64, such as 0.0, 1.0, 0.5 and 3 more; .* Convert them"),
        ([True, False] * 3, None, "bool, such as .* Convert them"),
        (["a", None, "b", "a", "", "b"], None, "object, such as None, ''; expected"),
        ([1] * 6, None, "one class only, '1'"),
        (["a", "b", "c"] * 2, ("a", "b"), "lacks: 'c'"),
        (["Cat", "cat"] * 3, None, "Rename"),
    ],
)
def test_labels_that_do_not_fit(labels: object, names: tuple[str, ...] | None, advice: str) -> None:
    with pytest.raises(DatasetError, match=advice):
        ArraySource(GREY, labels, names)


def test_names_that_cannot_be() -> None:
    with pytest.raises(OptionError, match="at least two classes"):
        ArraySource(GREY, [0] * 6, ("cat",))


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (GREY / 255, "from 0 to 1, multiply by 255"),
        (GREY.astype(int), "See to it that they lie in 0..255"),
        (GREY[0], "Reshape"),
        (np.zeros((150, 150, 3), np.uint8), r"images\[None\]"),
        (np.zeros((8, 3, 20, 20), np.uint8), "moveaxis"),
        (np.zeros((8, 20, 20, 4), np.uint8), "1 or 3"),
        (np.zeros((0, 20, 20), np.uint8), "above 0. Reshape"),
        ([np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8)], "fit_image"),
    ],
)
def test_images_that_cannot_be(images: object, advice: str) -> None:
    with pytest.raises(ImageError, match=advice):
        ArraySource(images)


def test_many_classes_for_few_pictures_are_an_id() -> None:
    with pytest.raises(DatasetError, match="Say where the class stands"):
        ArraySource(np.zeros((12, 4, 4), np.uint8), list(range(12)))


def test_fingerprint_follows_the_pixels() -> None:
    images = GREY.copy()
    source = ArraySource(images)
    before = source.fingerprint()
    assert before == ArraySource(GREY, ["a", "b"] * 3).fingerprint()
    images[5, 3, 4] ^= 1
    assert source.fingerprint() != before


def test_labels_of_minus_one_are_counted_aloud() -> None:
    """−1, 0, 1 and −1, 1 are class numbers in many sets."""
    with pytest.warns(UserWarning, match=r"2 of 6 labels .* −1, which means unlabelled.*number the classes 0, 1"):
        source = ArraySource(GREY, [0, -1, 1, 0, -1, 1])
    assert source.class_names == ("0", "1")
    assert source.samples().labels.tolist() == [0, -1, 1, 0, -1, 1]
    with pytest.warns(UserWarning, match="3 of 6 labels"):
        ArraySource(GREY, [-1, 1] * 3, ("neg", "pos"))
