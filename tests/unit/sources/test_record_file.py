from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from imgclf.errors import DatasetError, ImageError
from imgclf.files import IrregularFileError
from imgclf.sources import record_file
from imgclf.sources.record_file import begins_with_a_record, masked, read_record, read_records, records, write_record

PAYLOADS = [b"one", b"", b"three" * 1000, b"\0" * 12]


def written(path: Path, *payloads: bytes) -> Path:
    with path.open("wb") as file:
        for payload in payloads:
            write_record(file, payload)
    return path


def test_records_come_as_they_were_written(tmp_path):
    path = written(tmp_path / "a", *PAYLOADS)
    found = list(records(path, "'a'"))
    assert [payload for _, payload in found] == PAYLOADS
    assert [read_record(path, at, len(payload), "'a'") for at, payload in found] == PAYLOADS


def test_the_bytes_are_those_of_the_format(tmp_path):
    """A record that TensorFlow 2.21 wrote: ``tf.io.TFRecordWriter(path).write(b"imgclf")``."""
    assert written(tmp_path / "a", b"imgclf").read_bytes().hex() == "06000000000000007369d537696d67636c6677aa609b"


def test_the_checksum_is_castagnolis():
    """The check value of CRC-32C in every catalogue, 0xe3069283, turned by 15 bits and shifted by the constant."""
    crc = 0xE3069283
    assert masked(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def test_a_file_without_records(tmp_path):
    assert list(records(written(tmp_path / "a"), "'a'")) == []
    assert begins_with_a_record(tmp_path / "a")


def test_every_cut_is_noticed(tmp_path):
    whole = written(tmp_path / "a", b"one", b"two").read_bytes()
    ends = {0, len(whole) // 2}
    for length in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:length])
        if length in ends:
            assert len(list(records(tmp_path / "b", "'b'"))) == (length > 0)
            continue
        with pytest.raises(
            DatasetError, match=rf"record {int(length > len(whole) // 2)} of 'b' is damaged.*ends within"
        ):
            list(records(tmp_path / "b", "'b'"))


def test_every_turned_byte_is_noticed(tmp_path):
    whole = written(tmp_path / "a", b"one", b"two").read_bytes()
    for at in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(
            DatasetError, match=rf"record {int(at >= len(whole) // 2)} of 'b' is damaged.*checksum.*etch"
        ):
            list(records(tmp_path / "b", "'b'"))


@pytest.mark.parametrize("length", [2**63, 2**40, 2**30, 100])
def test_a_length_that_lies_takes_no_memory(tmp_path, length):
    head = struct.pack("<Q", length)
    (tmp_path / "a").write_bytes(head + struct.pack("<I", masked(head)) + b"short")
    with pytest.raises(DatasetError, match=rf"has {length:,} bytes, and (the file ends within|no picture is so large)"):
        list(records(tmp_path / "a", "'a'"))


def test_how_long_a_record_may_be(tmp_path):
    """Told by its length alone; the file has holes, and takes no room."""
    for length, told in ((2**30, "does not fit its checksum"), (2**30 + 1, "no picture is so large")):
        head = struct.pack("<Q", length)
        with (tmp_path / "a").open("wb") as file:
            file.write(head + struct.pack("<I", masked(head)))
            file.truncate(12 + length + 4)
        with pytest.raises(DatasetError, match=told):
            list(records(tmp_path / "a", "'a'"))


def test_a_record_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(record_file, "LARGEST_RECORD", 10)
    with pytest.raises(DatasetError, match=r"record 1 .* has 11 bytes, and no picture is so large"):
        list(records(written(tmp_path / "a", b"x" * 10, b"x" * 11), "'a'"))


def test_several_records_by_one_open(tmp_path, monkeypatch):
    path = written(tmp_path / "a", *PAYLOADS)
    places = [(at, len(payload)) for at, payload in records(path, "'a'")]
    opened = []
    true_open = record_file.open_handle
    monkeypatch.setattr(record_file, "open_handle", lambda path: opened.append(path) or true_open(path))
    assert list(read_records(path, places, "'a'")) == PAYLOADS
    assert opened == [path]
    found = list(read_records(path, [places[0], (places[1][0] + 1, 3), places[2]], "'a'"))
    assert (found[0], found[2]) == (PAYLOADS[0], PAYLOADS[2])
    assert isinstance(found[1], ImageError)
    path.unlink()
    assert [str(each) for each in read_records(path, places[:2], "'a'")] == [
        f"'a' cannot be read: {os.strerror(2)}. Check the path."
    ] * 2


@pytest.mark.parametrize("content", [b"<html>404", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(100), b"PK\3\4" * 9])
def test_what_is_no_record_file(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert not begins_with_a_record(tmp_path / "a")
    with pytest.raises(DatasetError, match="Is it a TFRecord file"):
        list(records(tmp_path / "a", "'a'"))


def test_noise(tmp_path):
    rng = np.random.default_rng(0)
    for length in range(1, 200, 7):
        (tmp_path / "a").write_bytes(rng.bytes(length))
        with pytest.raises(DatasetError, match="damaged"):
            list(records(tmp_path / "a", "'a'"))


@pytest.mark.parametrize("change", ["gone", "shorter", "other", "pipe"])
def test_a_file_that_changes_after_it_was_listed(tmp_path, change):
    path = written(tmp_path / "a", *PAYLOADS)
    (at, payload) = list(records(path, "'a'"))[2]
    path.unlink()
    if change == "shorter":
        written(path, b"one")
    elif change == "other":
        written(path, *PAYLOADS[:2], b"THREE" + payload[5:])
        with path.open("r+b") as file:
            file.seek(at)
            file.write(payload[:1])
    elif change == "pipe":
        os.mkfifo(path)
    with pytest.raises(ImageError, match=r"'x' (cannot be read|has changed since it was listed)"):
        read_record(path, at, len(payload), "'x'")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(IrregularFileError):
            begins_with_a_record(path)
