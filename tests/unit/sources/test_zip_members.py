"""Archives that were made to harm, or are merely damaged: none is unpacked, each says why."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from imgclf.errors import DatasetError
from imgclf.sources import zip_members
from imgclf.sources.zip_members import Zip, is_zip

CONTENT = b"some text, some text " * 50


def entry(name: str, **fields: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("x")
    made.filename = name
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def packed(path: Path, *entries: zipfile.ZipInfo | str, content: bytes = CONTENT, **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as file:
        for each in entries:
            file.writestr(each, content)
    return path


FILES: list[IO[bytes]] = []


@pytest.fixture(autouse=True)
def closing():
    yield
    while FILES:
        FILES.pop().close()


def opened(path: Path) -> Zip:
    FILES.append(path.open("rb"))
    return Zip(FILES[-1], path)


def read(path: Path) -> dict[str, bytes]:
    members = opened(path)
    return {name: b"".join(members.pieces(name)) for name in members.sizes}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_come_as_they_were_packed(tmp_path, method):
    path = packed(tmp_path / "a.zip", "b/c.txt", "d.txt", compression=method)
    assert read(path) == {"b/c.txt": CONTENT, "d.txt": CONTENT}
    assert opened(path).sizes == {"b/c.txt": len(CONTENT), "d.txt": len(CONTENT)}


@pytest.mark.parametrize(
    ("content", "yes"), [(b"PK\3\4", True), (b"PK\5\6", True), (b"PK", False), (b"", False), (b"\x1f\x8b", False)]
)
def test_what_begins_as_an_archive(tmp_path, content, yes):
    (tmp_path / "a").write_bytes(content)
    assert is_zip(tmp_path / "a") is yes


def test_no_file_is_no_archive(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not any(is_zip(path) for path in (tmp_path, tmp_path / "pipe", tmp_path / "gone", Path("/dev/zero")))


def test_hidden_files_and_folders_are_left_out(tmp_path):
    names = ("a.jpg", ".DS_Store", "__MACOSX/._a.jpg", "b/.c/d.jpg", "b/Thumbs.db", "b/", "e/f.jpg")
    assert list(opened(packed(tmp_path / "a.zip", *names)).sizes) == ["a.jpg", "e/f.jpg"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("고양이/1.jpg", "고양이/1.jpg"), ("caf\xe9.jpg", "caf\xe9.jpg")],
)
def test_names_of_all_languages(tmp_path, name, kept):
    assert list(opened(packed(tmp_path / "a.zip", name)).sizes) == [kept]


def test_utf_8_that_does_not_say_so(tmp_path):
    """As macOS packs: the flag is not set, and the name is UTF-8 all the same."""
    content = packed(tmp_path / "a.zip", "고양이.jpg").read_bytes()
    for magic, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.index(magic) + place
        content = content[:at] + struct.pack("<H", 0) + content[at + 2 :]
    (tmp_path / "a.zip").write_bytes(content)
    assert read(tmp_path / "a.zip") == {"고양이.jpg": CONTENT}


LINK = entry("a.jpg", external_attr=(stat.S_IFLNK | 0o777) << 16, create_system=3)
EVIL = [
    *((entry(name), "leads elsewhere") for name in (
        "../a.jpg", "b/../../a.jpg", "..", "/etc/passwd", "//a.jpg", "C:/a.jpg", "c:a.jpg", "..\\a.jpg", "b\\a.jpg",
        "\\\\host\\a.jpg", "./../a.jpg", ".//a.jpg", "./C:a.jpg", "b//a.jpg", "b/./a.jpg", "\n/../a.jpg", "",
    )),
    (entry("a" * 3000), "too long or too deep"),
    (entry("a/" * 60 + "b"), "too long or too deep"),
    (entry("é/" * 20 + "고" * 700), "too long or too deep"),  # 2,140 bytes
    (entry(f"b/{'a' * 256}"), "is too long: a name of more than 255 bytes"),
    (entry(f"{'고' * 86}/a"), "is too long: a name of more than 255 bytes"),
    *((entry(name), "a name that Windows does not have") for name in (
        "a.jpg:b", "b/a:b/c.jpg", "a<.jpg", "a>.jpg", "a|.jpg", 'a".jpg', "a?.jpg", "a*.jpg", "a.jpg.", "a.jpg ",
        "b./a.jpg", "b /a.jpg", "con", "CON.jpg", "b/nul", "Aux/a.jpg", "prn.tar.gz", "COM1.jpg", "lpt9", "com²",
        "con .jpg", "CONIN$",
    )),
    (LINK, "is a link"),
    (entry("a.jpg", external_attr=(stat.S_IFIFO | 0o666) << 16, create_system=3), "no regular file"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "told"), EVIL, ids=[repr(each[0].filename[:30]) for each in EVIL])
def test_members_that_are_no_honest_files(tmp_path, member, told):
    path = packed(tmp_path / "a.zip", "good.jpg", member)
    with pytest.raises(DatasetError, match=rf"1 files that are not unpacked.*Unpack it yourself[\s\S]*{told}"):
        opened(path)


def test_all_of_them_at_once_and_few_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"has 9 files that are not unpacked") as caught:
        opened(packed(tmp_path / "a.zip", *(f"../{i}" for i in range(9))))
    assert "'../4' is" in str(caught.value)
    assert "and 4 more" in str(caught.value)
    assert all(c.isprintable() or c == "\n" for c in str(caught.value))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b")])
def test_two_files_of_one_name(tmp_path, names):
    with pytest.raises(DatasetError, match="stands there twice"):
        opened(packed(tmp_path / "a.zip", *names))


def flagged(path: Path, flag: int, method: int | None = None) -> Path:
    """The archive with another flag, and another way of packing, in both headers of its file."""
    content = bytearray(packed(path, "a.jpg").read_bytes())
    for magic, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.index(magic) + place
        content[at : at + 2] = struct.pack("<H", flag)
        if method is not None:
            content[at + 2 : at + 4] = struct.pack("<H", method)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("flag", [0x1, 0x41])
def test_an_encrypted_archive(tmp_path, flag):
    with pytest.raises(DatasetError, match=r"'a\.jpg' is encrypted"):
        opened(flagged(tmp_path / "a.zip", flag))


@pytest.mark.parametrize(
    ("method", "called"),
    [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (99, "AES"), (98, "method 98")],
)
def test_ways_of_packing_that_are_not_read(tmp_path, method, called):
    with pytest.raises(
        DatasetError, match=rf"Unpack it yourself[\s\S]*'a\.jpg' is .* not read: {called}, and stored or"
    ):
        opened(flagged(tmp_path / "a.zip", 0, method))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_without_a_bound_is_not_unpacked(tmp_path, method):
    """Such an entry fills the memory in one step, whatever length it claims."""
    path = packed(tmp_path / "a.zip", "a", content=bytes(1_000_000), compression=method)
    with pytest.raises(DatasetError, match="stored or deflated is expected"):
        opened(path)


@pytest.mark.parametrize(
    "name", ["icon.jpg", "a.b.jpg", "console/1.jpg", "com10.jpg", "nullity", "a b/c d.jpg", "a" * 255]
)
def test_names_that_only_look_like_those_of_windows(tmp_path, name):
    assert list(opened(packed(tmp_path / "a.zip", name)).sizes) == [name]


def test_names_that_begin_here(tmp_path):
    """As ``zip -r pets.zip ./`` of some tools writes them."""
    path = packed(
        tmp_path / "a.zip", *map(entry, ("./", "./b/", "./a.jpg", "././b/c.jpg", "./.DS_Store", "./__MACOSX/x:y"))
    )
    assert read(path) == {"a.jpg": CONTENT, "b/c.jpg": CONTENT}
    with pytest.raises(DatasetError, match="'a' stands there twice"):
        opened(packed(tmp_path / "b.zip", entry("a"), entry("./a")))


@pytest.mark.parametrize(
    "names", [("a.jpg", "A.JPG"), ("b/a.jpg", "B/c.jpg"), ("b", "B/c"), ("caf\xe9", "cafe\u0301"), ("ß", "SS")]
)
def test_names_that_are_one_elsewhere(tmp_path, names):
    with pytest.raises(DatasetError, match=r"Unpack it yourself[\s\S]*are one name on macOS and Windows"):
        opened(packed(tmp_path / "a.zip", *names))


def test_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_members, "MAX_UNPACKED", 100_000)
    content = bytes(1_000_000)
    path = packed(tmp_path / "a.zip", "a", "b", content=content, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size * zip_members.MAX_RATIO < 2 * len(content)
    with pytest.raises(DatasetError, match=r"would unpack to 2,000,000, as archives do that are made to fill a disk"):
        opened(path)
    assert len(read(packed(tmp_path / "b.zip", "a", "b", content=content))) == 2  # large, and so is the archive


def test_a_bomb_that_lies_about_its_size(tmp_path):
    """What is read never passes what the archive says, and that it said so is noticed."""
    content = bytearray(packed(tmp_path / "a.zip", "a", content=bytes(500_000), compression=8).read_bytes())
    for magic, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.index(magic) + place
        content[at : at + 4] = struct.pack("<I", 10)
    (tmp_path / "a.zip").write_bytes(content)
    members, got = opened(tmp_path / "a.zip"), []
    with pytest.raises(DatasetError, match="damaged: Bad CRC"):
        got.extend(members.pieces("a"))
    assert sum(map(len, got)) <= 10


def test_fewer_bytes_than_it_says(tmp_path):
    """The checksum of what is there fits, so that the length alone tells."""
    content = bytearray(packed(tmp_path / "a.zip", "a", compression=8).read_bytes())
    for magic, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.index(magic) + place
        content[at : at + 4] = struct.pack("<I", len(CONTENT) + 10)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DatasetError, match=r"'a' in .* is damaged: 1,050 bytes instead of 1,060\. Fetch"):
        read(tmp_path / "a.zip")


def test_the_most_bytes_that_any_archive_unpacks_to(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", "a", "b")
    monkeypatch.setattr(zip_members, "MAX_BYTES", 2 * len(CONTENT))
    assert len(read(path)) == 2
    monkeypatch.setattr(zip_members, "MAX_BYTES", 2 * len(CONTENT) - 1)
    with pytest.raises(DatasetError, match=r"would unpack to 2,100, as .* at most 2,099 are expected"):
        opened(path)


def test_files_that_share_their_bytes(tmp_path):
    """Thousands of entries of one content, as the densest bombs have them."""
    packed(tmp_path / "a.zip", "a", content=bytes(10_000_000), compression=8)
    content = (tmp_path / "a.zip").read_bytes()
    head = content[: content.index(b"PK\1\2")]
    central = content[content.index(b"PK\1\2") : content.index(b"PK\5\6")]
    many = b"".join(central[:46] + bytes([65 + i % 26]) + central[47:] for i in range(26)) * 40
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1040, 1040, len(many), len(head), 0)
    (tmp_path / "a.zip").write_bytes(head + many + end)
    with pytest.raises(DatasetError, match=r"fill a disk|Unpack it yourself|damaged"):
        opened(tmp_path / "a.zip")


def test_more_files_than_an_honest_archive_has(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_members, "MAX_MEMBERS", 3)
    assert len(opened(packed(tmp_path / "a.zip", *"abc")).sizes) == 3
    with pytest.raises(DatasetError, match=r"holds 4 files, more than 3\. Unpack it yourself"):
        opened(packed(tmp_path / "a.zip", *"abcd"))


@pytest.mark.parametrize("comment", [b"", b"PK\5\6 a comment", b"x" * 60_000])
def test_a_list_that_would_fill_the_memory_is_not_read(tmp_path, monkeypatch, comment):
    path = packed(tmp_path / "a.zip", *"abc")
    with zipfile.ZipFile(path, "a") as file:
        file.comment = comment
    monkeypatch.setattr(zip_members, "MAX_TABLE", 100)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    if comment.startswith(b"PK"):
        monkeypatch.undo()  # an end within the comment: zipfile looks there too, and refuses
        with pytest.raises(DatasetError, match="damaged"):
            opened(path)
        return
    with pytest.raises(DatasetError, match=r"list of files of 141 bytes\. Unpack it yourself"):
        opened(path)


def test_the_list_of_a_huge_archive_is_not_read_either(tmp_path, monkeypatch):
    """Archives above 4 GiB have another end before the end, whose numbers count."""
    content = packed(tmp_path / "a.zip", "a").read_bytes()
    at = content.index(b"PK\5\6")
    start = content.index(b"PK\1\2")
    big = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, at - start, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    (tmp_path / "a.zip").write_bytes(content[:at] + big + locator + content[at:])
    assert read(tmp_path / "a.zip") == {"a": CONTENT}
    monkeypatch.setattr(zip_members, "MAX_TABLE", 10)
    with pytest.raises(DatasetError, match=r"list of files of 47 bytes"):
        opened(tmp_path / "a.zip")


def test_the_end_of_a_huge_archive_without_its_list(tmp_path, monkeypatch):
    """A locator that leads nowhere is passed over, and the plain end counts: its length is looked at too."""
    content = packed(tmp_path / "a.zip", "a").read_bytes()
    at = content.index(b"PK\5\6")
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    (tmp_path / "a.zip").write_bytes(content[:at] + locator + content[at:])
    monkeypatch.setattr(zip_members, "MAX_TABLE", 10)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    with pytest.raises(DatasetError, match=r"list of files of 47 bytes"):
        opened(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("at", "gap", "length", "told"),
    [
        (1000, 8, 0, "47"),
        (0, 0, 0, "47"),
        (2**63, 0, 0, "47"),
        (1000, 0, 2**32 - 1, "47"),
        (1000, 8, 2**32 - 1, "4,294,967,295"),
        (0, 8, 48, "48"),
    ],
)
def test_where_the_list_of_a_huge_archive_may_stand(tmp_path, monkeypatch, at, gap, length, told):
    """Where the locator says, or right before it; some readers look there, some here."""
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 47, 500)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, length, 500, 0)
    (tmp_path / "a.zip").write_bytes(bytes(1000) + record + bytes(gap) + locator + end)
    monkeypatch.setattr(zip_members, "MAX_TABLE", 10)
    with (tmp_path / "a.zip").open("rb") as file, pytest.raises(DatasetError, match=rf"list of files of {told} bytes"):
        zip_members.check_table(file, tmp_path / "a.zip")


def test_every_cut_is_noticed(tmp_path):
    whole = packed(tmp_path / "a.zip", "a", "b", compression=8).read_bytes()
    for length in range(4, len(whole)):
        (tmp_path / "b.zip").write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"damaged.*Fetch the archive again"):
            read(tmp_path / "b.zip")


def test_every_turned_byte_is_noticed_or_harmless(tmp_path):
    whole = packed(tmp_path / "a.zip", "aaaa", "bbbb", compression=8).read_bytes()
    told = 0
    for at in range(4, len(whole)):
        (tmp_path / "b.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            found = read(tmp_path / "b.zip")
        except DatasetError as error:
            told += "Fetch" in str(error) or "Unpack" in str(error)
            continue
        assert all(content == CONTENT for content in found.values()), at
    assert told > 100


def test_noise_behind_the_magic(tmp_path):
    rng = np.random.default_rng(0)
    for length in (0, 10, 30, 1000):
        (tmp_path / "a.zip").write_bytes(b"PK\3\4" + rng.bytes(length) + b"PK\5\6" + rng.bytes(18))
        with pytest.raises(DatasetError, match="damaged"):
            read(tmp_path / "a.zip")


def test_another_archive_has_another_digest(tmp_path):
    first = packed(tmp_path / "a.zip", "a")
    same = tmp_path / "b.zip"
    same.write_bytes(first.read_bytes())
    os.utime(same, ns=(0, first.stat().st_mtime_ns))
    assert opened(same).digest == opened(first).digest
    os.utime(same, ns=(0, 0))
    assert opened(same).digest != opened(first).digest
    other = packed(tmp_path / "c.zip", "a", content=CONTENT[::-1])
    os.utime(other, ns=(0, first.stat().st_mtime_ns))
    assert zlib.crc32(CONTENT) != zlib.crc32(CONTENT[::-1])
    assert opened(other).digest != opened(first).digest
