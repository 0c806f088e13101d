from __future__ import annotations

import os
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import DatasetError, ImageError, OptionError
from imgclf.sources import FolderSource, Ignored


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 3), (len(name), 0, 0)).save(root / name, "PNG")
    return root


def labels(source: FolderSource) -> dict[str, str]:
    samples = source.samples()
    return {
        key: source.class_names[label]
        for key, label in zip(samples.keys.tolist(), samples.labels.tolist(), strict=True)
    }


def test_folders_are_classes_in_natural_order(tmp_path: Path) -> None:
    source = FolderSource(fill(tmp_path, "10/1.png", "2/1.png", "1/x.png", "1/2020/may/7.JPG"))
    assert source.class_names == ("1", "2", "10")
    assert labels(source) == {"1/2020/may/7.JPG": "1", "1/x.png": "1", "2/1.png": "2", "10/1.png": "10"}
    assert source.read("1/x.png").shape == (3, 2, 3)
    assert repr(source) == f"FolderSource({str(tmp_path)!r}: 4 pictures, 3 classes, 0 ignored)"


def test_given_names_fix_the_labels_not_the_order_of_keys(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png")
    source = FolderSource(tmp_path, class_names=["dogs", "cats"])
    assert source.class_names == ("dogs", "cats")
    assert source.samples().keys.tolist() == ["cats/1.png", "dogs/1.png"]
    assert source.samples().labels.tolist() == [1, 0]
    assert source.fingerprint() == FolderSource(tmp_path).fingerprint()


def test_names_and_folders_that_differ_are_all_told(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png", "birds/1.png")
    with pytest.raises(DatasetError, match="differ") as caught:
        FolderSource(tmp_path, class_names=("cat", "zebra", "dogs"))
    message = str(caught.value)
    assert "no folder 'cat' (did you mean 'cats'?); no folder 'zebra'; " in message
    assert "class_names lacks: 'birds', 'cats'" in message
    assert "Name every folder once" in message


@pytest.mark.parametrize("names", ["cats", ("cats",), ("cats", 1), ("cats", "")])
def test_names_that_cannot_be(tmp_path: Path, names: object) -> None:
    with pytest.raises(OptionError, match="class_names is"):
        FolderSource(fill(tmp_path, "cats/1.png", "dogs/1.png"), class_names=names)


def test_a_name_given_twice(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Rename"):
        FolderSource(fill(tmp_path, "cats/1.png", "dogs/1.png"), class_names=("cats", "dogs", "cats"))


@pytest.mark.parametrize(
    "pair", [("Cat", "cat"), ("cat", "cat "), (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"))]
)
def test_two_spellings_of_a_name(tmp_path: Path, pair: tuple[str, str]) -> None:
    fill(tmp_path, *(f"{name}/1.png" for name in pair))
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("one folder on this file system")
    with pytest.raises(DatasetError, match="Rename them to one name") as caught:
        FolderSource(tmp_path)
    assert all(ascii(name) in str(caught.value) for name in pair)


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (("train/cats/1.png", "train/dogs/1.png", "validation/cats/1.png", "validation/dogs/1.png"), "train"),
        (("test/cats/1.png", "test/dogs/1.png", "Training/cats/1.png", "Training/dogs/1.png"), "Training"),
        (("train/cats/1.png", "train/dogs/1.png", "test/1.png"), "train"),
        (("train/cats/1.png", "train/dogs/1.png"), "train"),
        (("val/cats/1.png", "test/dogs/1.png"), "val"),
        (("seg_test/cats/1.png", "seg_test/dogs/1.png", "seg_train/cats/1.png", "seg_train/dogs/1.png"), "seg_train"),
        (("a_test/1.png", "a_train/a_train/cats/1.png", "a_train/a_train/dogs/1.png"), "a_train/a_train"),
        (("PetImages/Cat/1.png", "PetImages/Dog/1.png"), "PetImages"),
        (("data/train/cats/1.png", "data/train/dogs/1.png", "data/test/1.png"), "data/train"),
        (("train/cats/1.png", "train/dogs/1.png", "extra/cats/1.png"), "train"),
    ],
)
def test_one_level_too_high(tmp_path: Path, names: tuple[str, ...], meant: str) -> None:
    with pytest.raises(DatasetError, match="one level too high") as caught:
        FolderSource(fill(tmp_path, *names))
    assert f"use FolderSource({str(tmp_path / meant)!r})" in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ("cats/2020/1.png", "cats/2021/1.png", "dogs/2020/1.png", "dogs/2021/1.png"),
        ("train/steam/1.png", "train/electric/1.png", "bus/1.png"),
    ],
)
def test_deep_folders_that_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert len(FolderSource(fill(tmp_path, *names)).class_names) == 2


def test_names_that_are_said_are_believed(tmp_path: Path) -> None:
    fill(tmp_path, "train/steam/1.png", "test/tube/1.png")
    assert FolderSource(tmp_path, class_names=("train", "test")).class_names == ("train", "test")
    with pytest.raises(DatasetError, match="one level too high"):
        FolderSource(tmp_path, class_names=("steam", "tube"))


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="ArraySource") as caught:
        FolderSource(fill(tmp_path / "cats", "cat.0.jpg", "dog.0.jpg"))
    assert f"use FilenameSource({str(tmp_path / 'cats')!r})" in str(caught.value)
    assert f"FolderSource({str(tmp_path)!r})" in str(caught.value)


def test_no_pictures_at_all(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats/1.HEIC").touch()
    (tmp_path / "cats/.hidden").touch()
    with pytest.raises(DatasetError, match=r"\(ignored: 1 .heic, 1 hidden\)\. Check the path, or convert"):
        FolderSource(tmp_path)


def test_empty_class_folders_are_all_told(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png")
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds/1.tif").touch()
    (tmp_path / "fish").mkdir()
    with pytest.raises(DatasetError, match="or remove the folders") as caught:
        FolderSource(tmp_path)
    assert "'birds' (ignored: 1 .tif); 'fish'." in str(caught.value)


@pytest.mark.parametrize("names", [("cats/1.png",), ("a/b/1.png",)])
def test_one_class(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match=r"one class folder only.*Add a folder per class"):
        FolderSource(fill(tmp_path, *names))


def test_pictures_beside_the_folders_are_warned_of_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png", *(f"{i}.png" for i in range(7)))
    with pytest.warns(UserWarning, match=r"7 pictures beside .*'4.png' and 2 more. Move them") as caught:
        source = FolderSource(tmp_path)
    assert caught[0].filename == __file__
    assert len(source.samples()) == 2
    assert source.ignored.count(Ignored("3.png", "beside the class folders")) == 1
    with pytest.raises(DatasetError, match="The keys are"):
        source.read("3.png")


def test_hidden_folders_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png", "__MACOSX/cats/1.png", ".ipynb_checkpoints/1.png", "cats/._1.png")
    source = FolderSource(tmp_path)
    assert source.class_names == ("cats", "dogs")
    assert len(source.ignored) == 3
    assert "3 ignored" in repr(source)


def test_a_class_folder_in_odd_bytes(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png")
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/p\xfclp")  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    os.link(os.fsencode(tmp_path) + b"/cats/1.png", os.fsencode(tmp_path) + b"/p\xfclp/\xff.png")
    source = FolderSource(tmp_path)
    assert source.class_names == ("cats", "p\\xfclp")
    np.testing.assert_array_equal(source.read("p\\xfclp/\\xff.png"), source.read("cats/1.png"))


def test_a_damaged_picture_is_told_when_it_is_read(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.png", "dogs/1.png")
    (tmp_path / "cats/2.jpg").touch()
    source = FolderSource(tmp_path)
    with pytest.raises(ImageError, match=r"2\.jpg' is empty"):
        source.read("cats/2.jpg")


def test_the_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(fill(tmp_path, "cats/1.png", "dogs/1.png"))
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("listed again"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source.samples()
        source.read("cats/1.png")
        source.fingerprint()


REAL = Path(__file__).parents[4] / "shared" / "data" / "dogs_vs_cats"


@pytest.mark.skipif(not REAL.is_dir(), reason="no real pictures here")
def test_real_pictures() -> None:
    source = FolderSource(REAL / "train", class_names=("cats", "dogs"))
    assert np.bincount(source.samples().labels).tolist() == [1000, 1000]
    with pytest.raises(DatasetError, match=r"use FolderSource\('.*train'\)"):
        FolderSource(REAL)


@pytest.mark.parametrize("names", [("train/cat.1.png", "test/1.png"), ("train/cat.0.jpg", "test1/1.jpg")])
def test_parts_of_a_set_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Kaggle's own layout, given one level too high; unless somebody says that these are classes."""
    root = fill(tmp_path, *names)
    with pytest.raises(DatasetError, match=r"use FilenameSource\('.*train'\).* if these are your classes, name them"):
        FolderSource(root)
    classes = tuple(sorted(name.split("/")[0] for name in names))
    assert FolderSource(root, class_names=classes).class_names == classes


def test_upper_and_lower_case_are_classes_where_they_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "a/1.png", "A/1.png")
    with pytest.raises(DatasetError, match="name all of them in class_names"):
        FolderSource(root)
    assert FolderSource(root, class_names=("a", "A")).class_names == ("a", "A")


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        (("yes/1.png", "no/1.png", "brain_tumor_dataset/yes/1.png", "brain_tumor_dataset/no/1.png"), "brain_tumor"),
        (("Sick/1.png", "Well/1.png", "cells/cells/1.png", "cells/sick/1.png", "cells/well/1.png"), "cells"),
        (("a/1.png", "b/1.png", "c/1.png", "mixed/a/1.png", "mixed/b/1.png"), "mixed"),
    ],
)
def test_a_copy_of_the_set_among_its_classes_is_no_class(tmp_path: Path, names: tuple[str, ...], odd: str) -> None:
    with pytest.raises(DatasetError, match=f"the folder '{odd}.*Move it out of") as caught:
        FolderSource(fill(tmp_path, *names))
    assert "class_names" in str(caught.value)
    every = sorted({name.partition("/")[0] for name in names})
    assert len(FolderSource(tmp_path, class_names=every).samples()) == len(names)


@pytest.mark.parametrize(
    ("tops", "train"),
    [
        (("cars_test", "cars_train"), "cars_train"),
        (("cats_test", "cats_train", "dogs_test", "dogs_train"), "cats_train"),
        (("testA", "testB", "trainA", "trainB"), "trainA"),
        (("test_data", "train_data"), "train_data"),
    ],
)
def test_parts_named_with_the_class_are_no_classes(tmp_path: Path, tops: tuple[str, ...], train: str) -> None:
    fill(tmp_path, *(f"{top}/{number}.png" for top in tops for number in range(3)))
    with pytest.raises(DatasetError, match="parts of a set") as caught:
        FolderSource(tmp_path)
    assert f"FilenameSource({str(tmp_path / train)!r})" in str(caught.value)
    assert FolderSource(tmp_path, class_names=tops).class_names == tops


@pytest.mark.parametrize("tops", [("steam_train", "toy_train"), ("bus", "car", "train"), ("control", "test")])
def test_a_word_that_also_means_a_part_may_be_a_class(tmp_path: Path, tops: tuple[str, ...]) -> None:
    assert FolderSource(fill(tmp_path, *(f"{top}/1.png" for top in tops))).class_names == tops


def test_trains_among_other_vehicles_are_a_class_however_deep(tmp_path: Path) -> None:
    tops = ("bus", "car", "train", "truck")
    fill(tmp_path, *(f"{top}/{time}/1.png" for top in tops for time in ("day", "night")))
    with pytest.raises(DatasetError, match="If the upper ones are, name them in class_names"):
        FolderSource(tmp_path)
    (tmp_path / "car/dusk").mkdir()
    fill(tmp_path, "car/1.png")
    assert FolderSource(tmp_path).class_names == tops
