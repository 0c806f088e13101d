from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from imgclf.errors import DatasetError, OptionError
from imgclf.sources import UNLABELLED, FilenameSource, Ignored


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 3)).save(root / name, "PNG")
    return root


PETS = ("cat.0.jpg", "cat.10.jpg", "cat.2.jpg", "dog.0.jpg", "dog.1.jpg")


def test_the_class_is_the_text_before_the_first_dot(tmp_path: Path) -> None:
    source = FilenameSource(fill(tmp_path, *PETS))
    assert source.class_names == ("cat", "dog")
    assert source.samples().keys.tolist() == ["cat.0.jpg", "cat.2.jpg", "cat.10.jpg", "dog.0.jpg", "dog.1.jpg"]
    assert source.samples().labels.tolist() == [0, 0, 0, 1, 1]
    assert source.read("cat.2.jpg").shape == (3, 2, 1)
    assert repr(source) == f"FilenameSource({str(tmp_path)!r}: 5 pictures, 2 classes, 0 ignored)"


def test_given_names_fix_the_labels(tmp_path: Path) -> None:
    source = FilenameSource(fill(tmp_path, *PETS), class_names=("dog", "cat", "bird"))
    assert source.class_names == ("dog", "cat", "bird")
    assert source.samples().labels.tolist() == [1, 1, 1, 0, 0]


def test_names_that_lack_a_class(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"lacks: 'dog'.*Did you mean 'dogs' for 'dog'.*Name every class once"):
        FilenameSource(fill(tmp_path, *PETS), class_names=("cat", "dogs"))
    with pytest.raises(DatasetError, match=r"lacks: 'cat', 'dog'; class_names: 'x', 'y'. Name every class"):
        FilenameSource(tmp_path, class_names=("x", "y"))


@pytest.mark.parametrize(
    "pattern",
    [
        r"_(?P<label>[a-z]+)[.]",
        re.compile(r"^\d+_(?P<label>\w+)\.png$"),
        lambda name: name.split("_")[1].removesuffix(".png"),
    ],
)
def test_patterns(tmp_path: Path, pattern: object) -> None:
    source = FilenameSource(fill(tmp_path, "1_cat.png", "sub/2_dog.png", "sub/cat_/10_cat.png"), pattern)
    assert source.class_names == ("cat", "dog")
    assert dict(zip(source.samples().keys.tolist(), source.samples().labels.tolist(), strict=True)) == {
        "1_cat.png": 0, "sub/2_dog.png": 1, "sub/cat_/10_cat.png": 0,
    }  # fmt: skip


@pytest.mark.parametrize("pattern", ["(cat|dog)", re.compile(r"(?P<class_name>cat)")])
def test_a_pattern_needs_a_group(tmp_path: Path, pattern: object) -> None:
    with pytest.raises(OptionError, match=r"Put \(\?P<label>…\) around"):
        FilenameSource(fill(tmp_path, *PETS), pattern)


@pytest.mark.parametrize("pattern", ["(?P<label>", 7])
def test_what_is_no_pattern(tmp_path: Path, pattern: object) -> None:
    with pytest.raises(OptionError, match="expected a regular expression"):
        FilenameSource(fill(tmp_path, *PETS), pattern)


def test_a_pattern_of_bytes(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="label"):
        FilenameSource(fill(tmp_path, *PETS), re.compile(rb"(?P<label>cat)"))


def test_a_function_that_gives_something_else(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"pattern gave 0 for 'cat.0.jpg'; .* Convert it"):
        FilenameSource(fill(tmp_path, *PETS), lambda name: int(name.startswith("dog")))


def test_mismatches_are_an_error_that_lists_them(tmp_path: Path) -> None:
    fill(tmp_path, *PETS, *(f"{i}x.png" for i in range(9)))
    with pytest.raises(DatasetError, match=r'on_mismatch="skip".*labelled=False') as caught:
        FilenameSource(tmp_path, r"^(?P<label>cat|dog)")
    assert "9 of 14 names" in str(caught.value)
    assert "'4x.png' and 4 more" in str(caught.value)


def test_mismatches_are_skipped_and_counted_when_asked(tmp_path: Path) -> None:
    fill(tmp_path, *PETS, "Zebra.jpg", "x/Ape.jpg", ".hidden.jpg")
    source = FilenameSource(tmp_path, r"^(?P<label>cat|dog)", on_mismatch="skip")
    assert len(source.samples()) == 5
    assert Ignored("Zebra.jpg", "its name tells no class") in source.ignored
    assert len(source.ignored) == 3
    with pytest.raises(DatasetError, match="The keys are"):
        source.read("Zebra.jpg")


@pytest.mark.parametrize("on_mismatch", ["error", "skip"])
def test_nothing_matches(tmp_path: Path, on_mismatch: str) -> None:
    with pytest.raises(DatasetError, match=r"5 of 5 names .*Change the pattern; pictures without"):
        FilenameSource(fill(tmp_path, *PETS), "^(?P<label>bird)", on_mismatch=on_mismatch)


@pytest.mark.parametrize("pattern", [r"^(?P<label>cat|dog|)", r"^((?P<label>cat|dog)|.)", lambda name: " "])
def test_an_empty_label_is_a_mismatch(tmp_path: Path, pattern: object) -> None:
    with pytest.raises(DatasetError, match="tell no class"):
        FilenameSource(fill(tmp_path, *PETS, "x.png"), pattern)


def test_unlabelled(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{i}.jpg" for i in range(1, 13)))
    source = FilenameSource(tmp_path, labelled=False)
    assert source.class_names == ()
    assert source.samples().keys.tolist() == [f"{i}.jpg" for i in range(1, 13)]
    assert source.samples().labels.tolist() == [UNLABELLED] * 12
    assert FilenameSource(tmp_path, labelled=False, class_names=("cat", "dog")).class_names == ("cat", "dog")


@pytest.mark.parametrize("count", [2, 30])
def test_numbers_are_no_classes(tmp_path: Path, count: int) -> None:
    with pytest.raises(DatasetError, match="say labelled=False"):
        FilenameSource(fill(tmp_path, *(f"{i}.jpg" for i in range(count))))


def test_an_id_is_no_class(tmp_path: Path) -> None:
    fill(tmp_path, *(f"cat_{i}.jpg" for i in range(12)))
    with pytest.raises(DatasetError, match=r"12 classes for 12 pictures.*Say where the class stands"):
        FilenameSource(tmp_path)
    with pytest.raises(DatasetError, match="Say where the class stands"):
        FilenameSource(tmp_path, r"_(?P<label>\d+)")


def test_few_pictures_may_each_have_a_class(tmp_path: Path) -> None:
    assert FilenameSource(fill(tmp_path, "cat.jpg", "dog.jpg")).class_names == ("cat", "dog")


def test_one_class(tmp_path: Path) -> None:
    fill(tmp_path, "cat.0.jpg", "cat.1.jpg")
    with pytest.raises(DatasetError, match=r"one class only, 'cat'.*name all classes in class_names"):
        FilenameSource(tmp_path)
    assert FilenameSource(tmp_path, class_names=("cat", "dog")).samples().labels.tolist() == [0, 0]


def test_two_spellings(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'Cat' and 'cat'"):
        FilenameSource(fill(tmp_path, "Cat.0.jpg", "cat.1.jpg", "dog.1.jpg"))


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no pictures \(\.jpg.*Check the path"):
        FilenameSource(tmp_path)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected one of"):
        FilenameSource(fill(tmp_path, *PETS), on_mismatch="ignore")
    with pytest.raises(OptionError, match="Leave one of them out"):
        FilenameSource(tmp_path, "(?P<label>cat)", labelled=False)


def test_a_function_that_fails_is_named_with_the_file(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "cat.png")
    with pytest.raises(OptionError, match=r"pattern failed for 'cat\.png': IndexError.*Mend it"):
        FilenameSource(tmp_path, pattern=lambda name: name.split("_")[1])
