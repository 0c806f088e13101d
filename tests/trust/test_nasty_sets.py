"""Folders as people have them: each is read exactly right, or refused with a message that says where and what to do."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import os
import re
import threading
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImageError, ImgclfError, OptionError
from imgclf.sources import FilenameSource, FolderSource

ROW = ("nasty-sets", "More than 60 nasty folders are each read exactly right or refused, saying where and what to do.")
SECONDS = 20  # a hang never ends; a busy machine does

PETS = ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
PET_LABELS = {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "dog/2.png": "dog"}


def shade(name: str) -> int:
    """A grey of its own for every name, so that a neighbour's picture is noticed."""
    return sum(name.encode("utf-8", "surrogateescape")) % 251


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), shade(name)).save(path, "PNG")
    return root


def junk(root: Path, *names: str, content: bytes = b"x") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def linked(root: Path, name: str, target: str | Path) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(target)
    return root


def pipe(root: Path, name: str) -> Path:
    os.mkfifo(root / name)
    return root


def renamed(path: Path, name: bytes) -> None:
    path.rename(path.parent / os.fsdecode(name))


def odd_bytes(root: Path) -> Path:
    fill(root, *PETS)
    renamed(root / "cat/1.png", b"caf\xe9.png")
    renamed(root / "dog", b"h\xfcnd")
    return root


def two_odd_folders(root: Path) -> Path:
    fill(root, "caf\\xe9/1.png", "caf/2.png", "dog/1.png")
    renamed(root / "caf", b"caf\xe9")
    return root


def archive(root: Path) -> Path:
    with zipfile.ZipFile(root / "set.zip", "w") as file:
        file.writestr("cat/1.png", b"x")
    return root / "set.zip"


def many(root: Path, count: int, classes: int) -> Path:
    for label in range(classes):
        (root / str(label)).mkdir()
    for number in range(count):
        (root / str(number % classes) / f"{number}.jpg").touch()
    return root


def same(names: tuple[str, ...]) -> dict[str, str]:
    """Each picture has the class of its first folder."""
    return {name: name.split("/")[0] for name in names}


LONG = "x" * 200
NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
HOSTILE = ("a\nb", "c'd\"e", "\x1b[31mred", "\u202ereversed", "$(rm -rf ~)", "`id`", "; ls", "%s{0}", "-rf", "<b>")
RESERVED = ("CON", "NUL", "aux", "COM1")
NAMES = ("NA", "None", "nan", "1", "True", "null")

# name, how the folder is made, the class of every key in their order, class names, what is passed over, what is warned of
Right = tuple[str, Callable[[Path], Path], dict[str, str], tuple[str, ...], set[str], str]
RIGHT: list[Right] = [
    ("plain", lambda r: fill(r, *PETS), PET_LABELS, ("cat", "dog"), set(), ""),
    ("stray pictures beside the classes", lambda r: fill(r, *PETS, "9.png"), PET_LABELS, ("cat", "dog"), {"9.png"},
     "1 pictures beside the class folders.*'9.png'.*Move them"),
    ("macOS archive litter", lambda r: fill(r, *PETS, "__MACOSX/cat/1.png", "cat/._1.png", ".DS_Store"), PET_LABELS,
     ("cat", "dog"), {"__MACOSX/", "cat/._1.png", ".DS_Store"}, ""),
    ("notebook checkpoints", lambda r: fill(r, *PETS, ".ipynb_checkpoints/1.png", "cat/.ipynb_checkpoints/1.png"),
     PET_LABELS, ("cat", "dog"), {".ipynb_checkpoints/", "cat/.ipynb_checkpoints/"}, ""),
    ("Windows litter", lambda r: junk(fill(r, *PETS), "cat/Thumbs.db", "dog/DESKTOP.INI", "$RECYCLE.BIN/x.png"),
     PET_LABELS, ("cat", "dog"), {"cat/Thumbs.db", "dog/DESKTOP.INI", "$RECYCLE.BIN/"}, ""),
    ("a link loop to the root", lambda r: linked(fill(r, *PETS), "cat/up", r), PET_LABELS, ("cat", "dog"), {"cat/up/"},
     ""),
    ("a link to itself", lambda r: linked(fill(r, *PETS), "self", "self"), PET_LABELS, ("cat", "dog"), {"self"}, ""),
    ("a link to a folder of the same class", lambda r: linked(fill(r, *PETS, "cat/x/3.png"), "cat/y", r / "cat/x"),
     same(("cat/1.png", "cat/2.png", "cat/x/3.png", "dog/1.png", "dog/2.png")), ("cat", "dog"), {"cat/y/"}, ""),
    ("a link to nowhere", lambda r: linked(fill(r, *PETS), "cat/3.jpg", r / "gone.jpg"), PET_LABELS, ("cat", "dog"),
     {"cat/3.jpg"}, "1 files.*left out.*'cat/3.jpg'.*restore"),
    ("a class that is a link", lambda r: linked(fill(r, "s/cat/1.png", "set/dog/1.png"), "set/cat", r / "s/cat") / "set",
     {"cat/1.png": "cat", "dog/1.png": "dog"}, ("cat", "dog"), set(), ""),
    ("a link to a picture outside", lambda r: linked(fill(r, "o.png", "set/a/1.png", "set/b/1.png"), "set/b/2.png",
     r / "o.png") / "set", same(("a/1.png", "b/1.png", "b/2.png")), ("a", "b"), set(), ""),
    ("a named pipe", lambda r: pipe(fill(r, *PETS), "cat/3.jpg"), PET_LABELS, ("cat", "dog"), {"cat/3.jpg"},
     "not a regular file.*'cat/3.jpg'"),
    ("a link to an endless device", lambda r: linked(fill(r, *PETS), "dog/0.png", "/dev/zero"), PET_LABELS,
     ("cat", "dog"), {"dog/0.png"}, "'dog/0.png'"),
    ("a folder called like a picture", lambda r: folders(fill(r, *PETS), "cat/x.png"), PET_LABELS, ("cat", "dog"),
     set(), ""),
    ("a class called like a picture", lambda r: fill(r, "a.png/1.png", "b.png/1.png"), same(("a.png/1.png",
     "b.png/1.png")), ("a.png", "b.png"), set(), ""),
    ("names that are no UTF-8", odd_bytes, {"cat/2.png": "cat", "cat/caf\\xe9.png": "cat", "h\\xfcnd/1.png": "h\\xfcnd",
     "h\\xfcnd/2.png": "h\\xfcnd"}, ("cat", "h\\xfcnd"), set(), ""),
    ("very long names", lambda r: fill(r, f"{LONG}a/{LONG}.png", f"{LONG}b/{LONG}.png"),
     same((f"{LONG}a/{LONG}.png", f"{LONG}b/{LONG}.png")), (f"{LONG}a", f"{LONG}b"), set(), ""),
    ("names with line ends, quotes, escapes", lambda r: fill(r, *(f"{n}/{n}.png" for n in HOSTILE)),
     same(tuple(f"{n}/{n}.png" for n in sorted(HOSTILE))), tuple(sorted(HOSTILE)), set(), ""),
    ("deep below a class", lambda r: fill(r, "a/" + "d/" * 60 + "1.png", "b/1.png"), same(("a/" + "d/" * 60 + "1.png",
     "b/1.png")), ("a", "b"), set(), ""),
    ("names that Windows reserves", lambda r: fill(r, *(f"{n}/1.png" for n in RESERVED)),
     same(tuple(f"{n}/1.png" for n in sorted(RESERVED))), tuple(sorted(RESERVED)), set(), ""),
    ("names that a table would lose", lambda r: fill(r, *(f"{n}/1.png" for n in NAMES)),
     same(tuple(f"{n}/1.png" for n in ("1", "NA", "None", "True", "nan", "null"))),
     ("1", "NA", "None", "True", "nan", "null"), set(), ""),
    ("numbers count by value", lambda r: fill(r, *(f"{n}/{n}.png" for n in (10, 9, 2, 1, 100))),
     same(tuple(f"{n}/{n}.png" for n in (1, 2, 9, 10, 100))), ("1", "2", "9", "10", "100"), set(), ""),
    ("1 and 01 are two names", lambda r: fill(r, "1/1.png", "01/1.png"), same(("01/1.png", "1/1.png")), ("01", "1"),
     set(), ""),
    ("names of one letter's case in files", lambda r: fill(r, "a/X.png", "a/x.png", "b/x.PNG"), same(("a/X.png",
     "a/x.png", "b/x.PNG")), ("a", "b"), set(), ""),
    ("endings in any case", lambda r: fill(r, "a/1.PNG", "a/2.JpG", "b/3.JPEG", "b/4.WebP"), same(("a/1.PNG",
     "a/2.JpG", "b/3.JPEG", "b/4.WebP")), ("a", "b"), set(), ""),
    ("two endings", lambda r: junk(fill(r, *PETS), "cat/3.jpeg.txt", "cat/4.jpg.part", "dog/noending"), PET_LABELS,
     ("cat", "dog"), {"cat/3.jpeg.txt", "cat/4.jpg.part", "dog/noending"}, ""),
    ("formats that are not read", lambda r: junk(fill(r, *PETS), "dog/3.heic", "dog/4.RAW"), PET_LABELS,
     ("cat", "dog"), {"dog/3.heic", "dog/4.RAW"}, "2 files.*1 .heic.*'dog/3.heic', 'dog/4.RAW'.*Convert"),
    ("an archive among the pictures", lambda r: junk(fill(r, *PETS), "dog/more.zip", "all.tar.gz"), PET_LABELS,
     ("cat", "dog"), {"dog/more.zip", "all.tar.gz"}, "'all.tar.gz', 'dog/more.zip'.*unpack"),
    ("tables beside the classes", lambda r: junk(fill(r, *PETS), "labels.csv", "README.md"), PET_LABELS, ("cat", "dog"),
     {"labels.csv", "README.md"}, ""),
    ("a hidden root", lambda r: fill(r / ".data", *PETS), PET_LABELS, ("cat", "dog"), set(), ""),
    ("a root that is a link", lambda r: linked(fill(r / "x", *PETS).parent, "y", r / "x") / "y", PET_LABELS,
     ("cat", "dog"), set(), ""),
    ("a root called train", lambda r: fill(r / "train", *PETS), PET_LABELS, ("cat", "dog"), set(), ""),
    ("one picture per class", lambda r: fill(r, *(f"{n}/1.png" for n in "abcdefgh")),
     same(tuple(f"{n}/1.png" for n in "abcdefgh")), tuple("abcdefgh"), set(), ""),
    ("classes of years below", lambda r: fill(r, "cat/2020/1.png", "cat/2021/1.png", "dog/2020/1.png", "dog/2021/1.png"),
     same(("cat/2020/1.png", "cat/2021/1.png", "dog/2020/1.png", "dog/2021/1.png")), ("cat", "dog"), set(), ""),
    ("vehicles, one of them train", lambda r: fill(r, "bus/1.png", "train/1.png", "train/ice/2.png"),
     same(("bus/1.png", "train/1.png", "train/ice/2.png")), ("bus", "train"), set(), ""),
    ("medical tests", lambda r: fill(r, "test_negative/1.png", "test_positive/1.png"),
     same(("test_negative/1.png", "test_positive/1.png")), ("test_negative", "test_positive"), set(), ""),
]  # fmt: skip

# name, how the folder is made, the error, what its message holds
Wrong = tuple[str, Callable[[Path], object], type[ImgclfError], tuple[str, ...]]
WRONG: list[Wrong] = [
    ("an empty class", lambda r: folders(fill(r, *PETS), "owl"), DatasetError, ("'owl'", "hold no pictures", "or remove")),
    ("a class of other formats", lambda r: junk(fill(r, *PETS), "owl/1.tif", "owl/2.heic"), DatasetError,
     ("'owl'", "1 .tif", "1 .heic", "Put pictures")),
    ("a class of pipes and lost links", lambda r: linked(folders(fill(r, *PETS), "owl"), "owl/1.jpg", r / "gone"),
     DatasetError, ("'owl'", "not a regular file")),
    ("a class of hidden files", lambda r: fill(r, *PETS, "owl/._1.png"), DatasetError, ("'owl'", "1 hidden")),
    ("a single class", lambda r: fill(r, "cat/1.png"), DatasetError, ("'cat'", "one class folder only", "Add a folder")),
    ("pictures in the root", lambda r: fill(r, "1.png", "2.png"), DatasetError,
     ("2 pictures and no class folders", "FilenameSource(", "FolderSource(", "ArraySource")),
    ("an empty root", lambda r: r, DatasetError, ("holds no pictures", "Check the path")),
    ("a root of archives", lambda r: archive(r).parent, DatasetError, ("holds no pictures", "1 .zip")),
    ("classes that differ in case", lambda r: fill(r, "Cat/1.png", "cat/1.png"), DatasetError,
     ("'Cat' and 'cat'", "Rename")),
    ("classes that differ in a space", lambda r: fill(r, "cat/1.png", "cat /1.png", " dog/1.png"), DatasetError,
     ("'cat' and 'cat '", "Rename")),
    ("classes that differ in spaces within", lambda r: fill(r, "red fox/1.png", "red  fox/1.png"), DatasetError,
     ("'red  fox' and 'red fox'",)),
    ("classes that differ in composing", lambda r: fill(r, f"{NFC}/1.png", f"{NFD}/1.png"), DatasetError,
     (ascii(NFC), ascii(NFD), "Rename")),
    ("classes that differ in width", lambda r: fill(r, "cat/1.png", "ｃａｔ/1.png"), DatasetError, ("'cat' and '\\uff43",)),
    ("classes that differ in what nobody sees", lambda r: fill(r, "cat/1.png", "cat\u200b/1.png"), DatasetError,
     ("'cat' and 'cat\\u200b'",)),
    ("straße and strasse", lambda r: fill(r, "straße/1.png", "STRASSE/1.png"), DatasetError, ("'STRASSE' and 'stra",)),
    ("two odd names that read alike", two_odd_folders, DatasetError, ("two folders would both be called", "Rename one")),
    ("train and validation, one level too high", lambda r: fill(r, *(f"{p}/{n}" for p in ("train", "validation")
     for n in PETS)), DatasetError, ("one level too high", "train')", "class_names")),
    ("training_set and test_set", lambda r: fill(r, *(f"{p}/{n}" for p in ("training_set", "test_set") for n in PETS)),
     DatasetError, ("one level too high", "training_set')")),
    ("seg_train/seg_train", lambda r: fill(r, *(f"{p}/{p}/{n}" for p in ("seg_train", "seg_test") for n in PETS)),
     DatasetError, ("one level too high", "seg_train")),
    ("five folds", lambda r: fill(r, *(f"fold{p}/{n}" for p in range(5) for n in PETS)), DatasetError,
     ("one level too high",)),
    ("train and test of loose files", lambda r: fill(r, "train/cat.1.png", "test/1.png"), DatasetError,
     ("parts of a set, not classes", "FilenameSource(", "class_names")),
    ("classes below places", lambda r: fill(r, *(f"{p}/{n}" for p in ("london", "paris") for n in PETS)), DatasetError,
     ("which are the classes?", "'cat', 'dog'", "class_names", "london')")),
    ("train and test below classes", lambda r: fill(r, *(f"{c}/{p}/1.png" for c in "ab" for p in ("train", "test"))),
     DatasetError, ("which are the classes?", "class_names")),
    ("a folder around the set", lambda r: fill(r, *(f"PetImages/{n}" for n in PETS)), DatasetError,
     ("one level too high", "PetImages')")),
    ("two classes that are one folder", lambda r: linked(fill(r, *PETS), "owl", r / "cat"), DatasetError,
     ("'owl' and 'cat'", "one folder", "Remove the link")),
    ("two links to one folder", lambda r: linked(linked(fill(r, "s/1.png", "set/dog/1.png"), "set/cat", r / "s"),
     "set/owl", r / "s") / "set", DatasetError, ("'owl' and 'cat'", "Remove the link")),
    ("a link from one class into another", lambda r: linked(fill(r, *PETS), "cat/more", r / "dog"), DatasetError,
     ("'cat/more' and 'dog'", "two classes")),
    ("a root that is an archive of one class", archive, DatasetError, ("set.zip/cat' holds 1 pictures and no class folders",)),
    ("a root that is a table", lambda r: junk(r, "t.csv") / "t.csv", DatasetError, ("is a file", "CsvPixelsSource")),
    ("a root that is a picture", lambda r: fill(r, "1.png") / "1.png", DatasetError, ("folder that holds it",)),
    ("a root that is a pipe", lambda r: pipe(r, "p") / "p", DatasetError, ("is a file",)),
    ("a root that is not there", lambda r: r / "gone", DatasetError, ("no folder", "gone'", "Check the path")),
    ("a root that is a lost link", lambda r: linked(r, "l", r / "gone") / "l", DatasetError, ("no folder", "Check")),
    ("a root of a name too long", lambda r: r / ("x" * 5000), DatasetError, ("too long", "Check the path")),
    ("a root with a zero byte", lambda r: f"{r}\0x", DatasetError, ("no folder", "\\x00")),
    ("half a character", lambda r: r / "\ud800", DatasetError, ("no folder", "\\ud800")),
    ("an empty text", lambda r: "", OptionError, ("the folder is ''", "Give one")),
    ("nothing", lambda r: None, OptionError, ("the folder is None",)),
    ("a number", lambda r: 7, OptionError, ("the folder is 7",)),
    ("the home of nobody", lambda r: "~nobody-of-this-name/x", OptionError, ("nobody-of-this-name", "Write the path out")),
    ("a path below a file", lambda r: junk(r, "f") / "f" / "x", DatasetError, ("no folder", "Check the path")),
]  # fmt: skip


def ended(work: Callable[[], object]) -> tuple[object, list[str]]:
    """What *work* gives or raises, and its warnings; it must end."""
    result: list[object] = []
    said: list[str] = []

    def run() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result.append(work())
            except Exception as error:
                result.append(error)
            said.extend(str(warning.message) for warning in caught)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "it hangs"
    return result[0], said


def labels(source: FolderSource | FilenameSource) -> dict[str, str]:
    samples = source.samples()
    names = (source.class_names[label] for label in samples.labels.tolist())
    return dict(zip(samples.keys.tolist(), names, strict=True))


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", RIGHT, ids=[case[0] for case in RIGHT])
def test_read_exactly_right(tmp_path, case: Right):
    _, build, expected, names, ignored, warned = case
    source, said = ended(lambda: FolderSource(build(tmp_path)))
    assert isinstance(source, FolderSource), source
    assert labels(source) == expected
    assert list(source.samples().keys) == list(expected), "another order"
    assert source.class_names == names
    assert {item.key for item in source.ignored} == ignored
    assert len(said) == bool(warned), said
    if warned:
        assert re.search(warned, said[0]), said
    for key in expected:
        pixels, _ = ended(lambda key=key: source.read(key))
        assert isinstance(pixels, np.ndarray), pixels
        assert pixels.shape == (2, 3, 1)


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_refused_with_a_remedy(tmp_path, case: Wrong):
    _, build, kind, parts = case
    error, _ = ended(lambda: FolderSource(build(tmp_path)))
    assert type(error) is kind, error
    message = str(error)
    assert [part for part in parts if part not in message] == [], message
    assert all(c.isprintable() or c == "\n" for c in message), "it would reach the terminal"


@pytest.mark.promise(*ROW)
def test_there_are_sixty(record_property):
    assert len(RIGHT) + len(WRONG) >= 75
    assert len({case[0] for case in [*RIGHT, *WRONG]}) == len(RIGHT) + len(WRONG)
    record_property("measured", f"{len(RIGHT)} read exactly right, {len(WRONG)} refused by name, 0 silently wrong")


@pytest.mark.promise(*ROW)
def test_every_picture_is_its_own(tmp_path):
    """Keys and files stay together, links, order and odd names notwithstanding."""
    names = [f"{c}/{n}.png" for c in ("10", "9", "a b") for n in ("10", "9", "1", "01", "é", "x'y")]
    source = FolderSource(fill(tmp_path, *names))
    assert {key: int(source.read(key)[0, 0, 0]) for key in source.samples().keys} == {n: shade(n) for n in names}


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("given", ["text", "slash", "bytes", "path", "relative", "home", "dots"])
def test_ways_to_say_the_same_root(tmp_path, monkeypatch, given):
    fill(tmp_path / "pets", *PETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    root = {
        "text": str(tmp_path / "pets"),
        "slash": f"{tmp_path}/pets//",
        "bytes": os.fsencode(tmp_path / "pets"),
        "path": tmp_path / "pets",
        "relative": "pets",
        "home": "~/pets",
        "dots": "pets/../pets/.",
    }[given]
    assert labels(FolderSource(root)) == PET_LABELS


@pytest.mark.promise(*ROW)
def test_a_folder_that_cannot_be_listed(tmp_path, unlistable):
    fill(tmp_path, *PETS)
    unlistable("dog")
    with pytest.raises(DatasetError, match=r"dog' cannot be listed: Permission denied\. Make it readable"):
        FolderSource(tmp_path)


@pytest.mark.promise(*ROW)
def test_a_folder_that_vanishes_while_it_is_listed(tmp_path, monkeypatch):
    fill(tmp_path, *PETS)
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path.name == "dog":
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(DatasetError, match="dog' cannot be listed"):
        FolderSource(tmp_path)


CHANGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("removed", lambda path: path.unlink(), "cannot be opened"),
    ("emptied", lambda path: path.write_bytes(b""), "is empty"),
    ("overwritten", lambda path: path.write_bytes(b"<html>404"), "HTML"),
    ("cut off", lambda path: path.write_bytes(path.read_bytes()[:-20]), "Restore it"),
    ("a pipe now", lambda path: (path.unlink(), os.mkfifo(path)), "no regular file"),
    ("a folder now", lambda path: (path.unlink(), path.mkdir()), "no regular file"),
    ("a device now", lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "no regular file"),
]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize(("what", "change", "told"), CHANGES, ids=[change[0] for change in CHANGES])
def test_a_file_that_changes_after_the_listing(tmp_path, what, change, told):
    source = FolderSource(fill(tmp_path, *PETS))
    before = source.fingerprint()
    change(tmp_path / "dog/1.png")
    error, _ = ended(lambda: source.read("dog/1.png"))
    assert isinstance(error, ImageError), error
    assert told in str(error)
    assert "dog/1.png" in str(error)
    after, _ = ended(source.fingerprint)
    assert isinstance(after, str), after
    assert after != before
    data, _ = ended(lambda: Dataset.load(source, image_size=(2, 3), on_error="skip", cache=False))
    assert isinstance(data, Dataset), data
    assert [key for key, _ in data.skipped] == ["dog/1.png"]
    assert data.keys.tolist() == ["cat/1.png", "cat/2.png", "dog/2.png"]
    assert data.images[:, 0, 0, 0].tolist() == [shade(key) for key in data.keys]


@pytest.mark.promise(*ROW)
def test_a_file_that_is_added_after_the_listing_is_not_there(tmp_path):
    source = FolderSource(fill(tmp_path, *PETS))
    fill(tmp_path, "dog/0.png")
    assert labels(source) == PET_LABELS
    with pytest.raises(DatasetError, match=r"no picture 'dog/0.png'"):
        source.read("dog/0.png")


@pytest.mark.promise(*ROW)
def test_a_class_of_broken_pictures_does_not_vanish(tmp_path):
    fill(tmp_path, *PETS)
    junk(tmp_path, "owl/1.png", "owl/2.jpg", content=b"no picture")
    with pytest.raises(DatasetError, match=r"none of the pictures of 'owl' can be read"):
        Dataset.load(FolderSource(tmp_path), image_size=(4, 4), on_error="skip", cache=False)


@pytest.mark.promise(*ROW)
def test_sizes_and_modes_may_be_mixed(tmp_path):
    fill(tmp_path, *PETS)
    Image.new("RGBA", (9, 7), (255, 0, 0, 128)).save(tmp_path / "cat/3.png")
    Image.new("P", (1, 30)).save(tmp_path / "dog/3.png")
    Image.new("1", (30, 1)).save(tmp_path / "dog/4.png")
    data = Dataset.load(FolderSource(tmp_path), image_size=(5, 5), cache=False)
    assert data.images.shape == (7, 5, 5, 3)
    assert data.images.dtype == np.uint8
    assert data.class_counts() == {"cat": 3, "dog": 4}


@pytest.mark.promise(*ROW)
def test_a_thousand_to_one(tmp_path):
    fill(tmp_path, "rare/1.png", *(f"often/{n}.png" for n in range(1000)))
    source = FolderSource(tmp_path)
    assert np.bincount(source.samples().labels).tolist() == [1000, 1]
    data = Dataset.load(source, image_size=(2, 3), cache=False, progress=False)
    assert data.class_counts() == {"often": 1000, "rare": 1}
    with pytest.raises(DatasetError, match=r"'rare'"):
        data.split()


@pytest.mark.promise(*ROW)
def test_a_huge_folder(tmp_path):
    source, _ = ended(lambda: FolderSource(many(tmp_path, 8000, 16)))
    assert isinstance(source, FolderSource), source
    assert source.class_names == tuple(str(n) for n in range(16))
    assert all(int(key.split("/")[1][:-4]) % 16 == label for key, label in _pairs(source))
    assert len(source.samples()) == 8000


def _pairs(source: FolderSource) -> list[tuple[str, int]]:
    samples = source.samples()
    return list(zip(samples.keys.tolist(), samples.labels.tolist(), strict=True))


def _shorten(top):
    """Remove a chain of folders from its top: shutil.rmtree, which pytest uses when it tidies up, calls itself."""
    while (top / "dd").exists():
        (top / "dd").rename(top.with_name("next"))
        top.rmdir()
        top.with_name("next").rename(top)


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("depth", [1500, 4000])
def test_deeper_than_a_path_can_be(tmp_path, depth):
    """Made step by step, as an attacker would."""
    fill(tmp_path, *PETS)
    start = os.open(tmp_path / "cat", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("dd", dir_fd=start)
        below = os.open("dd", os.O_RDONLY, dir_fd=start)
        os.close(start)
        start = below
    os.close(start)
    try:
        found, _ = ended(lambda: FolderSource(tmp_path))
    finally:
        _shorten(tmp_path / "cat" / "dd")
    assert isinstance(found, FolderSource | DatasetError), found
    if isinstance(found, DatasetError):
        assert "cannot be listed: File name too long" in str(found)
    else:
        assert labels(found) == PET_LABELS


# what the validation folder holds, what its counts are under the training set's names, what is warned of or refused
OTHERS: list[tuple[str, tuple[str, ...], list[str], str, str]] = [
    ("the same", ("a/1.png", "b/2.png", "c/3.png"), ["a", "b", "c"], "", ""),
    ("one lacks", ("a/1.png", "c/3.png"), ["a", "c"], "no pictures of 'b'", ""),
    ("the first lacks", ("b/1.png", "c/3.png", "c/4.png"), ["b", "c", "c"], "no pictures of 'a'", ""),
    ("one more", ("a/1.png", "b/2.png", "c/3.png", "d/4.png"), [], "", "'d'"),
    ("one more in front", ("A0/1.png", "a/1.png", "b/2.png", "c/3.png"), [], "", "'A0'"),
    ("all others", ("x/1.png", "y/2.png"), [], "", "'x', 'y'"),
]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize(("what", "names", "expected", "warned", "refused"), OTHERS, ids=[case[0] for case in OTHERS])
def test_labels_of_another_folder_do_not_shift(tmp_path, what, names, expected, warned, refused):
    load = {"image_size": (2, 3), "cache": False}
    train = Dataset.load(FolderSource(fill(tmp_path / "train", "a/1.png", "b/2.png", "c/3.png")), **load)
    other = Dataset.load(FolderSource(fill(tmp_path / "validation", *names)), **load)
    found, said = ended(lambda: other.with_class_names(train.class_names))
    if refused:
        assert isinstance(found, DatasetError), found
        assert refused in str(found)
        return
    assert isinstance(found, Dataset), found
    assert [found.class_names[label] for label in found.labels] == expected
    assert [warned in text for text in said] == [True] * bool(warned), said


@pytest.mark.promise(*ROW)
def test_an_order_of_one_s_own_is_matched_by_name(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    load = {"image_size": (2, 3), "cache": False}
    mixed = Dataset.load(FolderSource(root, class_names=("c", "a", "b")), **load)
    assert mixed.labels.tolist() == [1, 2, 0]
    assert mixed.with_class_names(("a", "b", "c")).labels.tolist() == [0, 1, 2]


@pytest.mark.promise(*ROW)
def test_more_classes_than_pictures(tmp_path):
    """Named by hand: those without a picture are classes all the same, and none is shifted."""
    source = FilenameSource(fill(tmp_path, "owl.1.png", "cat.1.png"), class_names=("ant", "cat", "dog", "owl", "yak"))
    assert labels(source) == {"cat.1.png": "cat", "owl.1.png": "owl"}
    assert source.samples().labels.tolist() == [1, 3]
