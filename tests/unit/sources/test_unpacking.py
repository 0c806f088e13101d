"""Archives as Kaggle gives them: read as the folder that is in them, once unpacked, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, FileError, ImageError
from imgclf.files import ROOM, cache_folder
from imgclf.sources import CsvPixelsSource, FilenameSource, FolderSource, unpacking, zip_members
from imgclf.sources.paths import Place
from imgclf.sources.unpacking import place_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "unpacked"


def picture(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (3, 2), shade).save(content, "PNG")
    return content.getvalue()


def packed(**files: bytes) -> bytes:
    """An archive; ``__`` in a name stands for a slash, ``_`` for a dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), held)
    return content.getvalue()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


FOLDERS = {f"{kind}__{n}_png": picture(n) for kind, n in [("cat", 1), ("cat", 10), ("cat", 2), ("dog", 3)]}
KEYS = ["cat/1.png", "cat/2.png", "cat/10.png", "dog/3.png"]
CAT_AND_DOG = {"train__cat_0_png": picture(0), "train__cat_1_png": picture(1), "train__dog_0_png": picture(2)}
KAGGLE = {
    "train_zip": packed(**CAT_AND_DOG),
    "test1_zip": packed(test1__1_png=picture(7), test1__2_png=picture(8)),
    "sampleSubmission_csv": b"id,label\n1,0\n",
}
DIGITS = {"train_csv": b"label,p0,p1,p2,p3\n1,0,9,0,80\n2,0,0,70,0\n", "test_csv": b"p0,p1,p2,p3\n1,2,3,40\n5,6,7,80\n"}


def test_folders_in_an_archive(tmp_path):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS))
    source = FolderSource(path)
    assert source.root == path
    assert source.samples().keys.tolist() == KEYS
    assert [int(source.read(key)[0, 0, 0]) for key in KEYS] == [1, 2, 10, 3]
    assert source.ignored == ()
    assert repr(source) == f"FolderSource({str(path)!r}: 4 pictures, 2 classes, 0 ignored)"


def test_one_folder_at_the_top_is_stepped_into(tmp_path):
    path = put(tmp_path / "pets.zip", packed(**{f"pets__{name}": held for name, held in FOLDERS.items()}))
    source = FolderSource(path)
    assert source.samples().keys.tolist() == KEYS
    assert source.root == path / "pets"
    assert FolderSource(f"{path}/pets").samples().keys.tolist() == KEYS


def test_it_is_the_set_that_one_would_unpack_by_hand(tmp_path):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS, _hidden__1_png=b"x", readme_txt=b"hello"))
    for name, held in FOLDERS.items():
        file = tmp_path / "pets" / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(held)
    ours, by_hand = FolderSource(path), FolderSource(tmp_path / "pets")
    assert ours.fingerprint() == by_hand.fingerprint()
    assert ours.samples().labels.tolist() == by_hand.samples().labels.tolist()
    assert [item.key for item in ours.ignored] == ["readme.txt"]
    sets = [Dataset.load(source, image_size=(2, 3), progress=False) for source in (ours, by_hand)]
    np.testing.assert_array_equal(sets[0].images, sets[1].images)


@pytest.mark.parametrize("rest", ["train.zip", "train", "train.zip/train", "train/train"])
def test_an_archive_in_an_archive(tmp_path, rest):
    path = put(tmp_path / "dogs-vs-cats.zip", packed(**KAGGLE))
    source = FilenameSource(path / rest)
    assert source.samples().keys.tolist() == ["cat.0.png", "cat.1.png", "dog.0.png"]
    assert source.root == path / "train.zip" / "train"
    assert [int(source.read(key)[0, 0, 0]) for key in source.samples().keys] == [0, 1, 2]
    assert len(FilenameSource(path / "test1", labelled=False).samples()) == 2


def test_which_archive_is_asked_and_nothing_is_unpacked(tmp_path, cache):
    path = put(tmp_path / "dogs-vs-cats.zip", packed(**KAGGLE))
    with pytest.raises(DatasetError, match=r"no pictures but archives.*Say which is meant: .*cats\.zip/train\.zip'"):
        FilenameSource(path)
    assert not cache.exists()


def test_archives_three_deep(tmp_path):
    path = put(tmp_path / "a.zip", packed(b_zip=packed(c_zip=packed(**FOLDERS), notes_txt=b"")))
    assert FolderSource(path / "b/c").samples().keys.tolist() == KEYS
    assert FolderSource(path / "b.zip").root == path / "b.zip" / "c.zip"  # the only thing that can be meant


def nested(levels: int, content: bytes) -> bytes:
    """*content* within so many archives more, ``a.zip`` each."""
    for _ in range(levels):
        content = packed(a_zip=content)
    return content


def test_archives_five_deep_and_no_deeper(tmp_path):
    inmost = packed(**FOLDERS)
    assert FolderSource(put(tmp_path / "5.zip", nested(4, inmost))).samples().keys.tolist() == KEYS
    for levels in (5, 6, 1200):
        path = put(tmp_path / "more.zip", nested(levels, inmost))
        with pytest.raises(DatasetError, match=r"lies in 5 archives.*at most 5 in all\. Unpack them yourself"):
            FolderSource(path)
        with pytest.raises(DatasetError, match="at most 5 in all"):
            FolderSource(path.joinpath(*["a"] * levels))


@pytest.mark.parametrize("levels", [0, 1, 2, 3, 4])
def test_archives_in_archives_share_one_bound(tmp_path, monkeypatch, levels):
    """Each level may look modest beside the one before, as 798 bytes did that became 490 MB."""
    monkeypatch.setattr(zip_members, "MAX_UNPACKED", 20_000)
    content = io.BytesIO(packed(cat__1_png=picture(1), dog__1_png=bytes(300_000)))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("padding.txt", bytes(15_000), zipfile.ZIP_STORED)
    assert len(content.getvalue()) * zip_members.MAX_RATIO > 315_100
    bomb = put(tmp_path / "bomb.zip", nested(levels, content.getvalue()))
    if not levels:
        assert len(FolderSource(bomb).samples()) == 2
        return
    assert bomb.stat().st_size * zip_members.MAX_RATIO < 315_000
    with pytest.raises(DatasetError, match=r"would unpack to 315,\d+, as archives do that are made to fill a disk"):
        FolderSource(bomb)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_what_outer_archives_took_is_no_more_there_for_inner_ones(tmp_path, monkeypatch, levels):
    noise = np.random.default_rng(0).bytes(10_000)
    inner = packed(cat__1_png=picture(1), dog__1_png=picture(2), dog__2_png=noise)
    path = put(tmp_path / "a.zip", nested(levels, inner))
    held = len(noise) + len(picture(1)) + len(picture(2))
    outer = sum(len(nested(level, inner)) for level in range(levels))
    monkeypatch.setattr(zip_members, "MAX_RATIO", 0)
    monkeypatch.setattr(zip_members, "MAX_UNPACKED", held + outer - 1)
    with pytest.raises(DatasetError, match=rf"a\.zip' has .* at most {held - 1:,} are expected here"):
        FolderSource(path)
    monkeypatch.setattr(zip_members, "MAX_UNPACKED", held + outer)
    assert len(FolderSource(path).samples()) == 3


def test_a_table_in_an_archive(tmp_path):
    path = put(tmp_path / "digit-recognizer.zip", packed(**DIGITS))
    train, test = CsvPixelsSource(path / "train.csv"), CsvPixelsSource(str(path / "test.csv"))
    assert train.samples().keys.tolist() == ["train.csv:2", "train.csv:3"]
    assert train.class_names == ("1", "2")
    assert train.read("train.csv:3").ravel().tolist() == [0, 0, 70, 0]
    assert test.class_names == ()
    assert test.path == path / "test.csv"
    with pytest.raises(DatasetError, match=r"holds 2 tables.*digit-recognizer\.zip/train\.csv'"):
        CsvPixelsSource(path)


def test_one_table_in_an_archive(tmp_path):
    path = put(tmp_path / "train.csv.zip", packed(train_csv=DIGITS["train_csv"]))
    assert len(CsvPixelsSource(path).samples()) == 2


def test_only_what_is_asked_for_is_unpacked_and_once(tmp_path, cache, monkeypatch):
    path = put(tmp_path / "digit-recognizer.zip", packed(**DIGITS))
    place = place_of(path / "train.csv", "table")
    assert place.shown == path / "train.csv"
    assert [file.name for file in cache.rglob("*.csv")] == ["train.csv"]
    monkeypatch.setattr(unpacking, "_unpack", lambda *_: pytest.fail("unpacked again"))
    assert place_of(path / "train.csv", "table") == place
    nested = put(tmp_path / "dogs.zip", packed(**KAGGLE))
    monkeypatch.undo()
    monkeypatch.setenv("IMGCLF_CACHE", str(cache.parent))
    place = place_of(nested / "train", "folder")
    assert not list(cache.rglob("*.zip")), "the inner archive is not kept"
    monkeypatch.setattr(unpacking, "_unpack", lambda *_: pytest.fail("unpacked again"))
    assert place_of(nested / "train.zip", "folder") == place


def test_another_archive_under_the_same_name_is_noticed(tmp_path):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS))
    before = FolderSource(path)
    put(path, packed(**{**FOLDERS, "dog__3_png": picture(99)}))
    after = FolderSource(path)
    assert after.fingerprint() != before.fingerprint()
    assert int(after.read("dog/3.png")[0, 0, 0]) == 99
    assert int(before.read("dog/3.png")[0, 0, 0]) == 3


@pytest.mark.parametrize("harm", ["removed", "cut", "list gone", "list odd"])
def test_what_somebody_tidied_up_is_unpacked_again(tmp_path, cache, harm):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS))
    FolderSource(path)
    (entry,) = cache.iterdir()
    file = entry / "files" / "dog" / "3.png"
    {
        "removed": file.unlink,
        "cut": lambda: file.write_bytes(b"x"),
        "list gone": (entry / "files.json").unlink,
        "list odd": lambda: (entry / "files.json").write_text("{"),
    }[harm]()
    assert FolderSource(path).samples().keys.tolist() == KEYS
    assert file.read_bytes() == picture(3)
    assert [each.name for each in cache.iterdir()] == [entry.name]


def test_what_nobody_uses_is_removed(tmp_path, cache):
    FolderSource(put(tmp_path / "old.zip", packed(**FOLDERS)))
    (old,) = cache.iterdir()
    os.utime(old, (0, 0))
    (cache / ".litter").mkdir()
    os.utime(cache / ".litter", (time.time() - 2 * 86400,) * 2)
    put(tmp_path / "new.zip", packed(**{**FOLDERS, "dog__4_png": picture(4)}))
    FolderSource(tmp_path / "new.zip")
    assert old not in cache.iterdir()
    assert len(list(cache.iterdir())) == 1


def test_what_is_used_stays(tmp_path, cache):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS))
    FolderSource(path)
    (entry,) = cache.iterdir()
    os.utime(entry, (0, 0))
    FolderSource(path)
    assert entry.stat().st_mtime > time.time() - 3600


def test_a_damaged_archive_leaves_nothing(tmp_path, cache):
    content = packed(**FOLDERS)
    at = content.rindex(b"PK\3\4") + 60
    path = put(tmp_path / "pets.zip", content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    with pytest.raises(DatasetError, match=r"'dog/3\.png' in .*pets\.zip' is damaged.*Fetch the archive again"):
        FolderSource(path)
    assert list(cache.iterdir()) == []


def test_an_evil_archive_leaves_nothing(tmp_path, cache):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("cat/1.png", picture(1))
        archive.writestr("../../escaped.png", picture(1))
    outer = put(tmp_path / "outer.zip", packed(inner_zip=content.getvalue()))
    for path in (put(tmp_path / "pets.zip", content.getvalue()), outer):
        with pytest.raises(DatasetError, match=r"'\.\./\.\./escaped\.png' is a name that leads elsewhere"):
            FolderSource(path)
    assert not list(tmp_path.rglob("escaped.png"))
    assert not list(tmp_path.rglob("1.png"))


def test_a_disk_that_is_full_before(tmp_path, cache, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FileError, match=r"pets\.zip' cannot be unpacked into .*1,000 bytes are free.*IMGCLF_CACHE"):
        FolderSource(put(tmp_path / "pets.zip", packed(**FOLDERS)))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("enough", [True, False])
def test_the_room_that_the_pictures_take(tmp_path, monkeypatch, enough):
    size = sum(map(len, FOLDERS.values()))
    usage = shutil.disk_usage(tmp_path)._replace(free=ROOM + size - (not enough))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    path = put(tmp_path / "pets.zip", packed(**FOLDERS))
    if enough:
        assert len(FolderSource(path).samples()) == 4
        return
    with pytest.raises(FileError, match=rf"{usage.free + 1:,} are needed"):
        FolderSource(path)


def test_a_disk_that_gets_full_on_the_way(tmp_path, cache):
    """A limit on the size of files stands for it: the system refuses what is written beyond."""
    resource = pytest.importorskip("resource", reason="of Unix")
    noise = np.random.default_rng(0).bytes(200_000)
    path = put(tmp_path / "pets.zip", packed(**FOLDERS, zebra__1_png=noise))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FileError, match=rf"cannot be unpacked .*{os.strerror(errno.EFBIG)}.*Make room"):
            FolderSource(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(cache.iterdir()) == []
    assert len(FolderSource(path).samples()) == 5


def test_a_cache_that_cannot_be(tmp_path, monkeypatch):
    monkeypatch.setenv("IMGCLF_CACHE", str(put(tmp_path / "file", b"")))
    with pytest.raises(FileError, match=r"cannot be unpacked into .*set IMGCLF_CACHE to another folder"):
        FolderSource(put(tmp_path / "pets.zip", packed(**FOLDERS)))


def test_several_at_once(tmp_path, cache):
    for turn in range(10):
        path = put(tmp_path / f"{turn}.zip", packed(**FOLDERS))
        start = threading.Barrier(6)

        def read(path=path, start=start):
            start.wait()
            return FolderSource(path).samples().keys.tolist()

        with ThreadPoolExecutor(6) as pool:
            found = [each.result() for each in [pool.submit(read) for _ in range(6)]]
        assert found == [KEYS] * 6
        assert len(list(cache.iterdir())) == turn + 1


def test_errors_say_the_path_that_was_given(tmp_path):
    path = put(tmp_path / "pets.zip", packed(**FOLDERS, cat__x_png=b"<html>404"))
    source = FolderSource(path)
    with pytest.raises(ImageError, match=r"pets\.zip/cat/x\.png' is an HTML page") as caught:
        source.read("cat/x.png")
    assert str(cache_folder()) not in str(caught.value)
    table = put(tmp_path / "t.zip", packed(t_csv=b"label,p0\n1,2\n1,300\n"))
    with pytest.raises(DatasetError, match=r"t\.zip/t\.csv', line 3: column 'p0' holds '300'"):
        CsvPixelsSource(table, class_names=("a", "b")).samples()


def test_advice_leads_further_inside(tmp_path):
    path = put(
        tmp_path / "set.zip",
        packed(**{f"{part}__{name}": held for part in ("train", "test") for name, held in FOLDERS.items()}),
    )
    with pytest.raises(DatasetError, match=r"one level too high.*FolderSource\('.*set\.zip/train'\)"):
        FolderSource(path)
    assert len(FolderSource(path / "train").samples()) == 4


@pytest.mark.parametrize("given", ["", "x", "pets", "pets/cat"])
def test_what_is_no_archive_stays_as_it_is(tmp_path, given):
    (tmp_path / "pets").mkdir()
    assert place_of(tmp_path / given, "folder") == Place(tmp_path / given, tmp_path / given)


def test_relative_paths_and_home(tmp_path, monkeypatch):
    put(tmp_path / "pets.zip", packed(**FOLDERS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert FolderSource("pets.zip").root == Path("pets.zip")
    assert FolderSource("~/pets.zip").samples().keys.tolist() == KEYS


def test_a_link_to_an_archive(tmp_path):
    put(tmp_path / "pets.zip", packed(**FOLDERS))
    (tmp_path / "link").symlink_to(tmp_path / "pets.zip")
    assert FolderSource(tmp_path / "link").samples().keys.tolist() == KEYS
