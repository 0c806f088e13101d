from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from squares import squares

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, OptionError
from imgclf.images import ImageSpec
from imgclf.sources import ArraySource, FolderSource, Samples


def numbered(counts):
    """A set whose every picture shows its own number, with *counts* pictures of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    return Dataset.from_arrays(images, labels, [f"class {i}" for i in range(len(counts))])


class Own:
    """A user's source: three members, nothing inherited."""

    class_names = ("dark", "bright")

    def __init__(self, keys=("a", "b"), labels=(0, 1), value=7):
        self.given, self.value = Samples(list(keys), list(labels)), value

    def samples(self):
        return self.given

    def read(self, key):
        return np.full((5, 4), self.value, np.uint8) if self.value != "bad" else np.zeros((5, 4, 3))


def test_a_folder_becomes_a_set(square_folder):
    data = Dataset.load(FolderSource(square_folder), image_size=(16, 12))
    assert data.images.shape == (24, 16, 12, 3)
    assert data.class_names == ("bottom", "top")
    assert data.class_counts() == {"bottom": 12, "top": 12}
    assert data.spec == ImageSpec((16, 12))
    assert repr(data) == "Dataset(24 pictures 16×12×3; bottom: 12, top: 12)"
    assert str(data.head(1)) == "key           class_name  label\nbottom/1.png  bottom          0"
    assert [row[0] for row in data.tail(2).rows] == ["top/20.png", "top/22.png"]
    assert len(data.head(1000)) == len(data.tail(1000)) == 24


def test_arrays_keep_their_size_and_colours():
    data = Dataset.from_arrays(*squares(4), ["top", "bottom"])
    assert data.spec == ImageSpec((16, 16))
    assert (data.images == squares(4)[0]).all()
    assert numbered([1, 1]).spec.color_mode == "grayscale"
    grey = ArraySource(np.zeros((2, 4, 4, 1), np.uint8), [0, 1])
    assert Dataset.load(grey, color_mode="rgb").images.shape == (2, 4, 4, 3)
    assert Dataset.load(grey, image_size=(3, 3)).images.shape == (2, 3, 3, 1)


def test_files_need_a_size(square_folder):
    with pytest.raises(OptionError, match=r"as in \(150, 150\)"):
        Dataset.load(FolderSource(square_folder))


def test_broken_pictures_are_all_named_or_skipped(square_folder):
    for name in ("top/0.png", "bottom/1.png"):
        (square_folder / name).write_bytes(b"no picture")
    with pytest.raises(
        DatasetError, match=r"2 of 24 pictures cannot be read.*on_error='skip'(.|\n)*1\.png(.|\n)*0\.png"
    ):
        Dataset.load(FolderSource(square_folder), image_size=(8, 8))
    with pytest.warns(UserWarning, match="2 of 24 pictures .* are left out: 'bottom/1.png', 'top/0.png'"):
        data = Dataset.load(FolderSource(square_folder), image_size=(8, 8), on_error="skip")
    assert len(data) == len(data.images) == 22
    assert [key for key, _ in data.skipped] == ["bottom/1.png", "top/0.png"]
    assert "2 skipped" in repr(data)
    assert data.labels.tolist() == [int(key.startswith("top")) for key in data.keys]  # none has slipped
    with pytest.warns(UserWarning, match="left out"):
        whole = Dataset.load(FolderSource(square_folder), image_size=(8, 8), on_error="skip", cache=False)
    assert (whole.images == data.images).all()
    assert list(whole.keys) == list(data.keys)


def test_skipping_does_not_empty_a_class(square_folder):
    for path in (square_folder / "top").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="none of the pictures of 'top' can be read"):
        Dataset.load(FolderSource(square_folder), image_size=(8, 8), on_error="skip")


def test_a_set_without_one_good_picture_is_an_error_either_way(square_folder):
    for path in square_folder.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="24 of 24 pictures(.|\n)*and 19 more"):
        Dataset.load(FolderSource(square_folder), image_size=(8, 8), on_error="skip")


def test_a_users_own_source_is_taken_as_it_is():
    assert Dataset.load(Own(), image_size=(5, 4), color_mode="grayscale").images.tolist() == [[[[7]] * 4] * 5] * 2
    with pytest.raises(DatasetError, match="'a': pixels are float64.*uint8"):
        Dataset.load(Own(value="bad"), image_size=(5, 4))
    with pytest.raises(DatasetError, match="holds no pictures. Check its path"):
        Dataset.load(Own((), ()), image_size=(5, 4))
    with pytest.raises(DatasetError, match="labels 2 stand for no class; expected 0 to 1"):
        Dataset.load(Own(labels=(0, 2)), image_size=(5, 4))
    with pytest.raises(OptionError, match="expected 'raise' or 'skip'"):
        Dataset.load(Own(), image_size=(5, 4), on_error="ignore")


@given(
    counts=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_a_split_is_complete_disjoint_and_stratified(counts, share, seed):
    data = numbered(counts)
    train, validation = data.split(validation=share, seed=seed)
    assert sorted([*train.keys, *validation.keys]) == sorted(data.keys)
    assert len(train) + len(validation) == len(data)
    for name, count in data.class_counts().items():
        held = validation.class_counts()[name]
        assert abs(held - count * share) <= 1
        assert 1 <= held <= count - 1
    assert (validation.images[:, 0, 0, 0] == [int(key) for key in validation.keys]).all()  # pixels follow their keys


@given(order=st.permutations(range(20)))
@settings(max_examples=30, deadline=None)
def test_a_split_does_not_depend_on_the_order(order):
    keys, labels = [f"{i}.png" for i in order], [i % 2 for i in order]
    sorted_source = Own([f"{i}.png" for i in range(20)], [i % 2 for i in range(20)])
    for options in ({}, {"groups": lambda key: key[:1]}):
        _, held = Dataset.load(Own(keys, labels), image_size=(1, 1)).split(duplicates="ignore", **options)
        _, wanted = Dataset.load(sorted_source, image_size=(1, 1)).split(duplicates="ignore", **options)
        assert set(held.keys) == set(wanted.keys)


def test_a_split_follows_its_seed_and_is_the_same_for_ever():
    data = numbered([20, 20])
    assert list(data.split(seed=1)[1].keys) == list(data.split(seed=1)[1].keys)
    assert list(data.split(seed=1)[1].keys) != list(data.split(seed=2)[1].keys)
    assert [int(key) for key in data.split()[1].keys][:4] == GOLDEN


GOLDEN = [1, 6, 7, 10]


def test_adding_a_picture_moves_few_others():
    before = set(numbered([100, 100]).take(range(199)).split()[1].keys)
    assert len(before ^ set(numbered([100, 100]).split()[1].keys)) <= 2


def test_what_cannot_be_split_is_said():
    with pytest.raises(DatasetError, match="each of 2 parts. Add pictures(.|\n)*'class 1' has 1 picture$"):
        numbered([4, 1]).split()
    with pytest.raises(DatasetError, match="Split first, and repeat them afterwards"):
        numbered([4, 4]).take([0, 0, 1, 4, 5]).split()
    for share in (20, 0, 1, -0.1, float("nan"), "0.2", None, True):
        with pytest.raises(OptionError, match=r"such as 0\.2"):
            numbered([4, 4]).split(validation=share)
    with pytest.raises(DatasetError, match="nothing to split. Load some"):
        numbered([4, 4]).take([]).split()
    with pytest.raises(OptionError, match="nothing is left to train on"):
        numbered([4, 4]).split(validation=0.5, test=0.5)
    with pytest.raises(OptionError, match="expected a whole number. Give one, such as 42"):
        numbered([4, 4]).split(seed=0.5)
    with pytest.raises(OptionError, match="Give 'near', 'exact', 'ignore'"):
        numbered([4, 4]).split(duplicates="all")
    with pytest.raises(DatasetError, match="2 pictures have no label: '0', '1'. Label them to split"):
        Dataset.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), class_names=["a", "b"]).split()


def test_three_parts():
    data = numbered([20, 11])
    train, validation, test = data.split(validation=0.2, test=0.1)
    assert sorted([*train.keys, *validation.keys, *test.keys]) == sorted(data.keys)
    assert (validation.class_counts(), test.class_counts()) == (
        {"class 0": 4, "class 1": 2},
        {"class 0": 2, "class 1": 1},
    )
    assert data.split(validation=0.5, test=0.1)[2].keys.tolist() == test.keys.tolist()
    assert data.split(validation=0.1)[1].keys.tolist() == test.keys.tolist()
    with pytest.raises(DatasetError, match="each of 3 parts(.|\n)*'class 1' has 2 pictures"):
        numbered([4, 2]).split(validation=0.2, test=0.1)


def test_every_picture_stands_in_one_fold():
    data = numbered([13, 7])
    folds = data.folds(3)
    assert [len(train) + len(validation) for train, validation in folds] == [20, 20, 20]
    assert sorted(key for _, validation in folds for key in validation.keys) == sorted(data.keys)
    for train, validation in folds:
        assert not set(train.keys) & set(validation.keys)
        assert validation.class_counts()["class 0"] in (4, 5)
        assert validation.class_counts()["class 1"] in (2, 3)
    assert [v.keys.tolist() for _, v in data.folds(3, seed=1)] != [v.keys.tolist() for _, v in folds]
    with pytest.raises(DatasetError, match="each of 8 parts(.|\n)*'class 1' has 7 pictures"):
        data.folds(8)
    for count in (1, 0, -2, 2.0, "5", True):
        with pytest.raises(OptionError, match="Give 2 or more, such as 5"):
            data.folds(count)


def noisy(copies, size=64):
    """Different pictures, each followed by so many slightly brighter copies as *copies* says; labels alternate."""
    rng = np.random.default_rng(0)
    images, labels, originals = [], [], []
    for number, count in enumerate(copies):
        picture = rng.integers(0, 200, (8, 8, 3), dtype=np.uint8).repeat(size // 8, axis=0).repeat(size // 8, axis=1)
        images += [picture + np.uint8(7 * copy) for copy in range(count + 1)]
        labels += [number % 2] * (count + 1)
        originals += [number] * (count + 1)
    return Dataset.from_arrays(np.array(images), labels, ["a", "b"]), np.array(originals)


def test_near_duplicates_stay_on_one_side_and_are_looked_for_once(monkeypatch):
    data, originals = noisy([1, 2, 0, 0, 0, 0, 3, 0, 0, 1] * 2)
    for part in (*data.split(validation=0.4), *data.folds(4)[0]):
        inside = np.isin(data.keys, part.keys)
        assert not set(originals[inside]) & set(originals[~inside])
    assert (data.kept_together() == np.unique(originals, return_inverse=True)[1]).all()
    assert data.duplicate_groups[originals == 1].tolist() == [2, 2, 2]
    monkeypatch.setattr("imgclf.grouping.alike", None)  # a second search would fail
    monkeypatch.setattr("imgclf.dataset.alike", None)
    data.split(seed=7)
    assert len(np.unique(data.kept_together(duplicates="ignore"))) == len(data)
    with pytest.raises(TypeError):
        data.kept_together(duplicates="exact")


def test_duplicates_do_not_depend_on_the_order_of_listing():
    """Chains of frames, each like the next, as in a video: where such a chain is cut must not be chance."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (7, 12, 12, 3)).repeat(4, axis=1).repeat(4, axis=2)
    shares = np.linspace(0, 1, 24)[:, None, None, None]
    frames = [(one * (1 - shares) + two * shares).astype(np.uint8) for one, two in pairwise(blocks)]
    data = Dataset.from_arrays(np.concatenate(frames), np.repeat(np.arange(6) % 2, 24), ["a", "b"])
    assert 6 <= len(np.unique(data.duplicate_groups)) < len(data) / 2
    order = rng.permutation(len(data))
    turned = data.take(order)
    same = data.duplicate_groups[order]
    assert ((turned.duplicate_groups[:, None] == turned.duplicate_groups) == (same[:, None] == same)).all()
    with pytest.warns(UserWarning, match="near copies stay together, so parts miss their shares: 'a' has 10 pictures"):
        assert set(turned.split()[1].keys) == set(data.split()[1].keys)


def test_near_copies_under_two_labels_are_not_kept_together():
    data, _ = noisy([1, 1, 1, 1, 1, 1])
    labels = np.arange(12) % 2
    apart = Dataset.from_arrays(data.images, labels, ["a", "b"])
    assert len(np.unique(apart.kept_together())) == 12
    images = np.array(data.images)
    images[1] = images[0]  # equal pixels under two labels are one picture
    again = Dataset.from_arrays(images, labels, ["a", "b"])
    assert again.kept_together()[0] == again.kept_together()[1]
    assert len(np.unique(again.kept_together())) == 11


def test_look_alikes_that_leave_no_split_are_parted_with_a_warning():
    data, _ = noisy([5, 5])
    for make in (lambda: data.split(), lambda: data.folds(3)[0]):
        with pytest.warns(UserWarning, match="only exact copies are kept together, as with duplicates='exact'"):
            parts = make()
        assert all(min(part.class_counts().values()) >= 1 for part in parts)
    with pytest.raises(DatasetError, match="'a' has 6 pictures in 1 group"):  # a user's own groups are not overridden
        data.split(groups=np.arange(12) // 6)


def test_a_share_that_look_alikes_miss_is_said():
    data, _ = noisy([7, 7, 0, 0])
    with pytest.warns(UserWarning, match="where [45] were wanted.*split with duplicates='exact'"):
        data.split(validation=0.5)
    data.split(validation=0.5, duplicates="exact")


def test_exact_copies_alone():
    images = np.repeat(np.arange(10, dtype=np.uint8), 2)[:, None, None, None] * np.ones((1, 16, 16, 1), np.uint8)
    data = Dataset.from_arrays(images, np.arange(20) % 4 // 2, ["a", "b"])
    train, validation = data.split(duplicates="exact", validation=0.4)
    assert not set(train.images[:, 0, 0, 0]) & set(validation.images[:, 0, 0, 0])
    apart = data.split(duplicates="ignore", validation=0.4)
    assert set(apart[0].images[:, 0, 0, 0]) & set(apart[1].images[:, 0, 0, 0])


def test_a_class_of_copies_cannot_be_split():
    data = Dataset.from_arrays(np.zeros((4, 16, 16, 1), np.uint8), [0, 0, 1, 1], ["a", "b"])
    with pytest.raises(DatasetError, match="'a' has 2 pictures in 1 group that stay together"):
        data.split()
    assert len(data.split(duplicates="ignore")[1]) == 2


def test_groups_stay_together():
    data = numbered([12, 12])
    for groups in (np.arange(24) // 3, [f"g{i // 3}" for i in range(24)], lambda key: int(key) // 3):
        train, validation = data.split(validation=0.25, groups=groups)
        assert len(validation) == 6
        assert not {int(key) // 3 for key in train.keys} & {int(key) // 3 for key in validation.keys}
    by_key = {str(i): i // 3 for i in range(24)}
    assert data.split(validation=0.25, groups=by_key)[1].keys.tolist() == validation.keys.tolist()
    assert [len(part) for _, part in data.folds(4, groups=by_key)] == [6, 6, 6, 6]


@pytest.mark.parametrize(
    ("positions", "taken"),
    [
        ([3, 1], [3, 1]),
        ([-1], [7]),
        (2, [2]),
        (np.int64(2), [2]),
        (slice(1, 6, 2), [1, 3, 5]),
        (np.arange(8) % 4 == 1, [1, 5]),
        ([], []),
        (range(2), [0, 1]),
    ],
)
def test_a_part_is_taken_as_numpy_would(positions, taken):
    assert numbered([4, 4]).take(positions).keys.tolist() == [str(key) for key in taken]


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([0.5], "expected whole numbers"),
        (["cat.jpg"], "a mask of 8 bools, or a slice"),
        ([8, 99, -9], "no positions 8, 99, -9; give 0 to 7"),
        ([True, False], "a mask of 8 bools"),
        ([[1]], "expected whole numbers"),
        ([[1], [1, 2]], "expected whole numbers"),
        (np.array([2**64 - 1], np.uint64), "no positions 18446744073709551615"),
    ],
)
def test_what_is_no_position_is_said(positions, said):
    with pytest.raises(DatasetError, match=said):
        numbered([4, 4]).take(positions)


@pytest.mark.parametrize("size", ["64", 32, (64,), ("a", 2), (32, 32, 3), (8.0, 8)])
def test_a_size_that_is_none_is_said(size, square_folder):
    for source in (FolderSource(square_folder), ArraySource(*squares(4))):
        with pytest.raises(OptionError, match=r"expected \(height, width\)"):
            Dataset.load(source, image_size=size)


def test_a_size_beyond_memory_is_said():
    with pytest.raises(DatasetError, match="Choose a smaller image_size"):
        Dataset.load(ArraySource(*squares(64)), image_size=(1_000_000, 1_000_000))


@pytest.mark.parametrize("given", ["pets", None, Own, {"samples": 1}])
def test_what_is_no_source_is_said(given):
    with pytest.raises(
        OptionError, match=r"expected an object with class_names, samples and read, such as FolderSource"
    ):
        Dataset.load(given, image_size=(4, 4))


def test_a_source_gives_samples():
    class Careless(Own):
        def samples(self):
            return ["a", "b"]

    with pytest.raises(OptionError, match="gave a list; expected Samples"):
        Dataset.load(Careless(), image_size=(4, 4))


def test_parts_share_the_pixels():
    data = numbered([4, 4])
    part = data.take([5, 1]).take([1])
    assert part.store is data.store
    assert part.images[0, 0, 0, 0] == 1
    assert data.images is data.store
    assert part.pictures([0]).flags.writeable


def test_classes_are_matched_by_name():
    data = numbered([2, 3])
    turned = data.with_class_names(["class 1", "class 0"])
    assert turned.labels.tolist() == [1, 1, 0, 0, 0]
    assert data.with_class_names(data.class_names) is data
    with pytest.raises(DatasetError, match=r"'class 0' are not among 'class 1'\. Rename"):
        data.with_class_names(["class 1"])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("cat", "Cat"),
        ("cat ", "cat"),
        ("black  cat", "black cat"),
        ("caf\u00e9", "cafe\u0301"),
        ("Stra\u00dfe", "STRASSE"),
        ("\uff43at", "cat"),
        ("\u213b", "fax"),
    ],
)
@pytest.mark.promise("class-contract", "names that differ only in case, spaces or Unicode form are an error")
def test_one_class_in_two_spellings_is_an_error(theirs, ours):
    other = Dataset.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), [0, 1], [theirs, "dog"])
    with pytest.raises(DatasetError, match="differ only in case, spaces.*Give each class one spelling") as caught:
        other.with_class_names([ours, "dog"])
    assert ascii(theirs) in str(caught.value)
    assert ascii(ours) in str(caught.value)


def test_classes_that_differ_in_case_on_purpose_are_two():
    letters = Dataset.from_arrays(np.zeros((2, 2, 2, 1), np.uint8), [0, 1], ["a", "A"])
    assert letters.with_class_names(["A", "a"]).labels.tolist() == [1, 0]


def test_the_class_digest_is_of_names_and_order():
    data = numbered([2, 2])
    assert data.class_digest == numbered([3, 9]).class_digest
    assert data.class_digest != data.with_class_names(["class 1", "class 0"]).class_digest
    with pytest.raises(OptionError, match="expected several texts, each different"):
        data.with_class_names(["class 0", "class 1", "class 1"])


def test_a_class_without_pictures_need_not_be_known():
    data = numbered([2, 2, 2])
    part = data.take(data.labels < 2).with_class_names(["class 1", "class 0"])
    assert part.labels.tolist() == [1, 1, 0, 0]
    with pytest.warns(UserWarning, match="no pictures of 'class 2'"):
        data.take(data.labels < 2).with_class_names(data.class_names)


def test_pixels_cannot_be_changed(square_folder):
    for data in (numbered([1, 1]), Dataset.load(FolderSource(square_folder), image_size=(8, 8), cache=False)):
        with pytest.raises(ValueError, match="read-only"):
            data.images[:] = 7


def test_the_users_own_array_stays_writeable():
    class Held(Own):
        pixels = np.zeros((2, 5, 4, 1), np.uint8)

        def load_images(self):
            return self.pixels

    data = Dataset.load(Held())
    assert not data.images.flags.writeable
    assert Held.pixels.flags.writeable


@pytest.mark.parametrize("names", ["ab", ("a", "a"), ("a", 1)])
def test_the_class_names_of_ones_own_source_are_checked(names):
    class Careless(Own):
        class_names = names

    with pytest.raises(OptionError, match="expected several texts, each different"):
        Dataset.load(Careless(), image_size=(4, 4))


def test_a_class_without_pictures_is_warned_of():
    with pytest.warns(UserWarning, match="no pictures of 'other'"):
        numbered([2, 3]).with_class_names(["class 0", "class 1", "other"])


def test_unlabelled_pictures_stay_unlabelled():
    with pytest.warns(UserWarning, match="1 of 3 labels"):
        data = Dataset.from_arrays(np.zeros((3, 2, 2, 1), np.uint8), [-1, 1, 0], ["a", "b"])
    assert data.with_class_names(["b", "a"]).labels.tolist() == [-1, 0, 1]
    assert data.class_counts() == {"a": 1, "b": 1, "(unlabelled)": 1}
    assert data.head(1).rows[0] == ("0", "", -1)


def test_the_fingerprint_is_of_the_content(square_folder, monkeypatch):
    data = Dataset.load(FolderSource(square_folder), image_size=(8, 8))
    again = Dataset.load(FolderSource(square_folder), image_size=(8, 8), cache=False)
    assert data.fingerprint == again.fingerprint
    others = [
        data.take(range(23)),
        data.take(range(23, -1, -1)),
        data.with_class_names(["top", "bottom"]),
        Dataset.load(FolderSource(square_folder), image_size=(8, 8), fit="pad"),
    ]
    assert len({other.fingerprint for other in [data, *others]}) == 5
    changed = data.images.copy()
    changed[20, 3, 3, 1] ^= 1
    assert replace(data, store=changed).fingerprint != data.fingerprint


def test_show_spreads_over_the_set():
    figure = numbered([30, 30]).show(4, columns=2)
    assert [axis.get_title() for axis in figure.axes] == ["class 0", "class 0", "class 1", "class 1"]
    assert len(numbered([1, 1]).show().axes) == 2
    assert [axis.get_title() for axis in numbered([1, 1]).show(titles=["x", "y"]).axes] == ["x", "y"]
