"""The one form of a zip archive: the same bytes every time, and no others are read."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.archive import (
    LARGEST_JSON,
    LARGEST_TEXT,
    Archive,
    check_foreign,
    check_size,
    dump_json,
    open_regular,
    parse_json,
    read_foreign,
    write_archive,
)
from imgclf.errors import ModelFileError

MEMBERS = {"a.json": b"{}", "folder/b.h5": bytes(range(256)), "empty": b""}
NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,9}(/[a-z]{1,5})?", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def read(path):
    with open_regular(path) as file:
        archive = Archive(file, path)
        return {name: archive.read(name) for name in archive.members}


@pytest.fixture
def path(tmp_path):
    write_archive(tmp_path / "a.keras", MEMBERS)
    return tmp_path / "a.keras"


@settings(max_examples=60, deadline=None)
@given(members=st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=5))
def test_what_is_written_comes_back_and_every_program_reads_it(tmp_path_factory, members):
    path = tmp_path_factory.getbasetemp() / "any.keras"
    write_archive(path, members)
    assert read(path) == members
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    before = path.read_bytes()
    os.utime(path, (0, 0))
    write_archive(path, members)
    assert path.read_bytes() == before


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_other_bytes_are_read(tmp_path_factory, data):
    """Any byte changed, put in or taken out: an error, and never other content."""
    path = tmp_path_factory.getbasetemp() / "changed.keras"
    write_archive(path, MEMBERS)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["change", "add", "cut"]))
    if kind == "change":
        content[at] ^= data.draw(st.integers(1, 255))
    elif kind == "add":
        content[at:at] = data.draw(st.binary(min_size=1, max_size=40))
    else:
        del content[at : at + data.draw(st.integers(1, 40))]
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="Restore it|Give a"):
        read(path)


def test_the_oracle_opens_what_is_refused(path):
    """Python's own module reads the archives that are refused here: the check is stricter, as it is meant to be."""
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert zipfile.ZipFile(path).testzip() is None
    with pytest.raises(ModelFileError, match=r"is no \.keras archive"):
        read(path)


@pytest.mark.parametrize("name", ["../a", "/a", "a\\b", "a//b", ".", "a/..", "é", "", "a b"])
def test_names_that_lead_elsewhere_are_not_written(tmp_path, name):
    with pytest.raises(ModelFileError, match="Rename the parts"):
        write_archive(tmp_path / "a.keras", {name: b""})
    assert list(tmp_path.iterdir()) == []


def test_what_a_zip_cannot_hold_is_said(tmp_path):
    class Long(bytes):
        def __len__(self):
            return 5 << 30

    with pytest.raises(ModelFileError, match=r"takes 5\.0 GiB; a file holds 4 at most"):
        write_archive(tmp_path / "a.keras", {"a": Long()})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:-5], "cut short"),
        (lambda content: content + b"x", "something was added"),
        (lambda content: b"\x89HDF\r\n\x1a\n" + content, "HDF5 files are not opened"),
        (lambda content: content[4:], "begins with"),
        (lambda content: content[:-22] + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, 9, 9, 0), "does not fit"),
        (lambda content: content[:-12] + struct.pack("<H", 2) + content[-10:], "does not fit"),
        (lambda content: content[:-14] + struct.pack("<2H", 2, 2) + content[-10:], "something between its members"),
    ],
)
def test_a_fault_is_named(path, change, said):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelFileError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(f"'{path}' ")


def test_only_regular_files_are_opened(tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to(path)
    for name, said in (
        ("pipe", "no regular file"),
        ("zero", "no regular file"),
        (".", "a folder"),
        ("gone", "No such"),
    ):
        with pytest.raises(ModelFileError, match=f"{said}.*Give the path"), open_regular(tmp_path / name):
            pass
    assert read(tmp_path / "link") == MEMBERS


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path, monkeypatch):
    """Between the look and the opening something else may take the place."""
    os.mkfifo(tmp_path / "pipe")
    regular = Path(__file__).stat()
    monkeypatch.setattr(type(tmp_path), "stat", lambda *_, **__: regular)
    with pytest.raises(ModelFileError, match="regular file"), open_regular(tmp_path / "pipe"):
        pass


@settings(max_examples=200, deadline=None)
@given(content=JSON)
def test_json_has_one_form(content):
    said = dump_json(content)
    assert parse_json(said) == content
    for other in (b" " + said, said + b"\n", b"\xef\xbb\xbf" + said):
        with pytest.raises(ValueError, match="it is not written|BOM"):
            parse_json(other)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_text_leads_to_anything_but_an_error(content):
    try:
        parsed = parse_json(content)
    except ValueError:
        return
    assert dump_json(parsed) == content


@pytest.mark.parametrize(
    "text", [b'{"a":1,"a":2}', b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 10**5, b"\xff", b"9" * 5000, b"01"]
)
def test_tricks_of_json_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_long_text_of_few_parts_is_json_and_of_many_is_not():
    check_size(b"[" + b"{}," * ((LARGEST_JSON - 3) // 3))
    check_size(b'"' + b"x" * (LARGEST_TEXT - 2) + b'"')
    for content in (b"[" + b"{}," * (LARGEST_JSON // 3) + b"{}]", b'"' + b"x" * LARGEST_TEXT):
        with pytest.raises(ValueError, match="parts, of at most 16,777,216 and 1,572,864"):
            check_size(content)


def test_depth_is_counted_in_loose_text_too():
    assert parse_json(b'[ {"a" : [ ] } ]', canonical=False) == [{"a": []}]
    with pytest.raises(ValueError, match="deeply"):
        parse_json(b"[" * 100 + b"]" * 100, canonical=False)


def foreign(path, *entries, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    with open_regular(path) as file:
        names = check_foreign(file, path)
        return {name: read_foreign(file, path, name) for name in names}


def test_archives_of_other_programs_are_read_within_bounds(tmp_path):
    entries = {"config.json": b"{}", "assets/x/y.txt": b"hello"}
    assert foreign(tmp_path / "a.keras", *entries.items()) == entries
    assert foreign(tmp_path / "b.keras", *entries.items(), compression=zipfile.ZIP_DEFLATED) == entries


def test_archives_out_of_all_proportion_are_not(tmp_path):
    link = zipfile.ZipInfo("config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for said, entries, options in (
        ("unpack to", [("a", bytes(10 << 20))], {"compression": zipfile.ZIP_DEFLATED}),
        ("is a link", [(link, b"/etc/passwd")], {}),
        ("odd way", [("a", b"x")], {"compression": zipfile.ZIP_BZIP2}),
        ("called", [("../a", b"x")], {}),
        ("claims", [(str(number), b"") for number in range(1001)], {}),
    ):
        with pytest.raises(ModelFileError, match=f"{said}.*Restore it"):
            foreign(tmp_path / "a.keras", *entries, **options)
