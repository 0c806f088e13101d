from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imgclf.errors import DatasetError
from imgclf.sources.listing import (
    HIDDEN,
    NO_FILE,
    NO_PICTURE,
    SEEN_LINK,
    Ignored,
    content_digest,
    list_pictures,
    pixels_digest,
)
from imgclf.sources.paths import printable


def touch(root: Path, *names: str, content: bytes = b"x") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no links here")


def test_what_is_found_and_what_is_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path, "a/1.jpg", "a/2.JPEG", "a/deep/3.Png", "b/1.gif", "b/1.bmp", "b/1.webp", "b/._1.jpg", "b/notes.txt",
        "b/noending", "b/1.heic", ".git/1.jpg", "__MACOSX/a/1.jpg", "b/Thumbs.db", "0.jpg", "b/.jpg", "c/x.txt",
    )  # fmt: skip
    (tmp_path / "d.png").mkdir()
    listing = list_pictures(str(tmp_path))
    assert list(listing.pictures) == [
        "0.jpg", "a/1.jpg", "a/2.JPEG", "a/deep/3.Png", "b/1.bmp", "b/1.gif", "b/1.webp",
    ]  # fmt: skip
    assert listing.folders == ("a", "b", "c", "d.png")
    reasons = {
        HIDDEN: {".git/", "__MACOSX/", "b/._1.jpg", "b/.jpg", "b/Thumbs.db"},
        NO_PICTURE: {"b/1.heic", "b/noending", "b/notes.txt", "c/x.txt"},
    }
    found = {reason: {item.key for item in listing.ignored if item.reason == reason} for reason in reasons}
    assert found == reasons
    assert len(listing.ignored) == 9


def test_pipes_and_dangling_links_are_no_files(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "a/pipe.jpg")
    link(tmp_path / "a/zero.jpg", Path("/dev/zero"))
    link(tmp_path / "a/gone.jpg", tmp_path / "nowhere.jpg")
    listing = list_pictures(tmp_path)
    assert list(listing.pictures) == ["a/1.jpg"]
    assert listing.ignored == tuple(Ignored(f"a/{name}.jpg", NO_FILE) for name in ("gone", "pipe", "zero"))


def test_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    link(tmp_path / "a/up", tmp_path)
    link(tmp_path / "self", tmp_path / "self")
    listing = list_pictures(tmp_path)
    assert list(listing.pictures) == ["a/1.jpg"]
    assert set(listing.ignored) == {Ignored("a/up/", SEEN_LINK), Ignored("self", NO_FILE)}


def test_links_to_folders_elsewhere_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "store", "x/1.jpg", "x/deep/2.jpg")
    (tmp_path / "set").mkdir()
    link(tmp_path / "set/cats", tmp_path / "store/x")
    listing = list_pictures(tmp_path / "set")
    assert list(listing.pictures) == ["cats/1.jpg", "cats/deep/2.jpg"]
    assert listing.folders == ("cats",)


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_a_real_folder_keeps_its_pictures_beside_a_link_to_it(tmp_path: Path, names: tuple[str, str]) -> None:
    real, other = names
    touch(tmp_path, f"{real}/1.jpg")
    link(tmp_path / other, tmp_path / real)
    listing = list_pictures(tmp_path)
    assert list(listing.pictures) == [f"{real}/1.jpg"]
    assert listing.folders == (real,)
    assert listing.ignored == (Ignored(f"{other}/", SEEN_LINK),)


def test_links_found_behind_links(tmp_path: Path) -> None:
    touch(tmp_path / "one", "1.jpg")
    touch(tmp_path / "two", "2.jpg")
    (tmp_path / "set").mkdir()
    link(tmp_path / "set/x", tmp_path / "one")
    link(tmp_path / "one/y", tmp_path / "two")
    assert list(list_pictures(tmp_path / "set").pictures) == ["x/1.jpg", "x/y/2.jpg"]


def test_an_unreadable_folder_is_an_error(tmp_path: Path, unlistable: Callable[[str], None]) -> None:
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    unlistable("b")
    with pytest.raises(DatasetError, match=r"b' cannot be listed: Permission denied\. Make it readable"):
        list_pictures(tmp_path)


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    try:
        Path(os.fsdecode(folder + b"/caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    listing = list_pictures(tmp_path)
    assert list(listing.pictures) == ["caf\\xe9.jpg"]
    assert Path(listing.pictures["caf\\xe9.jpg"]).read_bytes() == b"x"
    assert content_digest(listing.pictures)
    touch(tmp_path, "caf\\xe9.jpg")
    with pytest.raises(DatasetError, match="Rename one"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("name", ["1.jpg", "cats", "고양이 'a\"b.jpg", "a\nb"])
def test_names_that_are_text_stay(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("set.zip", "no zip archive, by its content"),
        ("set.tar", "Unpack it"),
        ("1.JPG", "folder that holds it"),
        ("t.csv", "CsvPixelsSource"),
        ("t", "Give the folder"),
    ],
)
def test_a_file_in_place_of_a_folder(tmp_path: Path, name: str, advice: str) -> None:
    touch(tmp_path, name)
    with pytest.raises(DatasetError, match=advice):
        list_pictures(tmp_path / name)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder .*pets' \(looked for in .*\)\. Check the path"):
        list_pictures(tmp_path / "pets")


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    touch(tmp_path, "pets/1.jpg")
    assert list(list_pictures("~/pets").pictures) == ["1.jpg"]


def test_digest_notices_a_byte_where_size_and_time_stay(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.jpg" for i in range(150)), content=b"same")
    before = content_digest(list_pictures(tmp_path).pictures)
    changed = tmp_path / "149.jpg"
    status = changed.stat()
    changed.write_bytes(b"sane")
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert content_digest(list_pictures(tmp_path).pictures) != before
    changed.write_bytes(b"same")
    os.utime(changed, (time.time(), 5))
    assert content_digest(list_pictures(tmp_path).pictures) == before


def test_digest_notices_names_and_missing_files(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", content=b"1")
    pictures = dict(list_pictures(tmp_path).pictures)
    digests = {content_digest(pictures), content_digest({"1.jpg": pictures["1.jpg"], "3.jpg": pictures["2.jpg"]})}
    (tmp_path / "2.jpg").unlink()
    digests.add(content_digest(pictures))
    digests.add(content_digest({}))
    assert len(digests) == 4


def test_pixels_digest_is_of_keys_shape_and_pixels() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    keys = np.array(["a", "b"])
    other = images.copy()
    other[1, 2, 3] ^= 1
    digests = [
        pixels_digest(keys, images),
        pixels_digest(keys[::-1], images),
        pixels_digest(keys, images.reshape(2, 4, 3, 1)),
        pixels_digest(keys, other),
    ]
    assert len(set(digests)) == 4
    assert pixels_digest(keys, np.asfortranarray(images)) == digests[0]
