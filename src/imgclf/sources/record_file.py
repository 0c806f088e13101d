"""TFRecord files: records of bytes, one after the other, each with its length and two checksums.

In: a file or payloads.  Out: where each payload lies, once every checksum was right; or the file.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these, the payload, and the masked CRC-32C of the
payload.  TensorFlow's ``RecordWriter`` defines it; TensorFlow is not needed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from google_crc32c import value as crc32c

from ..errors import DatasetError, ImageError
from ..files import open_file, open_handle, read_handle

LARGEST_RECORD = 2**30
"""Longest payload that is read, in bytes; protobuf itself ends at twice that."""

_HEAD, _CHECK = struct.Struct("<QI"), struct.Struct("<I")
_DELTA, _ALL = 0xA282EAD8, 0xFFFFFFFF
_BUFFER = 2**20


def masked(content: bytes) -> int:
    """The CRC-32C of *content*, turned and shifted: a checksum of data that hold checksums is no good otherwise.

    >>> hex(masked(b""))
    '0xa282ead8'
    """
    crc: int = crc32c(content)
    return (((crc >> 15) | (crc << 17)) + _DELTA) & _ALL


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Write one record."""
    length = struct.pack("<Q", len(payload))
    file.write(b"".join((length, _CHECK.pack(masked(length)), payload, _CHECK.pack(masked(payload)))))


def begins_with_a_record(path: Path) -> bool:
    """Whether *path* is empty or begins with the length of a record and its checksum."""
    with open_file(path) as file:
        head = file.read(_HEAD.size)
    return not head or (len(head) == _HEAD.size and _HEAD.unpack(head)[1] == masked(head[:8]))


def records(path: Path, shown: str) -> Iterator[tuple[int, bytes]]:
    """Every payload of a file and the byte that it begins at; both checksums of each are compared.

    Args:
        path: The file, as it is opened.
        shown: What messages call it.

    Raises:
        DatasetError: a length or a payload that does not fit its checksum, or an end within a record.
        OSError: it cannot be read.
    """
    with open_file(path) as raw:
        size, at, number = os.fstat(raw.fileno()).st_size, 0, 0
        with open(raw.fileno(), "rb", buffering=_BUFFER, closefd=False) as file:
            while head := file.read(_HEAD.size):
                length = _length(head, size - at, number, shown)
                at += _HEAD.size
                record = file.read(length + _CHECK.size)
                payload = _payload(record, length, number, shown)
                yield at, payload
                at += len(record)
                number += 1


def read_records(path: Path, places: Iterable[tuple[int, int]], shown: str) -> Iterator[bytes | ImageError]:
    """The payload at each of *places*, a byte and a length, compared with its checksum; the file is opened once.

    One that is not there any more, or is another one, is an error in its place.
    """
    try:
        handle, _ = open_handle(path)
    except OSError as error:
        yield from (_unreadable(shown, error) for _ in places)
        return
    try:
        for at, length in places:
            yield _payload_at(handle, at, length, shown)
    finally:
        os.close(handle)


def read_record(path: Path, at: int, length: int, shown: str) -> bytes:
    """The payload of *length* bytes at byte *at*, compared with its checksum.

    Raises:
        ImageError: it is not there any more, or another one.
    """
    (found,) = read_records(path, [(at, length)], shown)
    if isinstance(found, ImageError):
        raise found
    return found


def _payload_at(handle: int, at: int, length: int, shown: str) -> bytes | ImageError:
    try:
        os.lseek(handle, at, os.SEEK_SET)
        record = read_handle(handle, length + _CHECK.size)[: length + _CHECK.size]
    except OSError as error:
        return _unreadable(shown, error)
    if len(record) < length + _CHECK.size or _CHECK.unpack_from(record, length)[0] != masked(record[:length]):
        return ImageError(f"{shown} has changed since it was listed. Make a new source.")
    return record[:length]


def _unreadable(shown: str, error: OSError) -> ImageError:
    return ImageError(f"{shown} cannot be read: {error.strerror}. Check the path.")


def _length(head: bytes, left: int, number: int, shown: str) -> int:
    """The length that *head* says, once it is right; *left* bytes of the file begin with it."""
    if len(head) < _HEAD.size:
        raise _damaged(shown, number, "the file ends within its length")
    length, check = _HEAD.unpack(head)
    if check != masked(head[:8]):
        raise _damaged(shown, number, "its length does not fit its checksum")
    if length > min(LARGEST_RECORD, left - _HEAD.size - _CHECK.size):
        inside = "the file ends within it" if length <= LARGEST_RECORD else "no picture is so large"
        raise _damaged(shown, number, f"it has {length:,} bytes, and {inside}")
    return int(length)


def _payload(record: bytes, length: int, number: int, shown: str) -> bytes:
    payload = record[:length]
    if len(record) < length + _CHECK.size:
        raise _damaged(shown, number, "the file ends within it")
    if _CHECK.unpack_from(record, length)[0] != masked(payload):
        raise _damaged(shown, number, "its content does not fit its checksum")
    return payload


def _damaged(shown: str, number: int, why: str) -> DatasetError:
    hint = "Is it a TFRecord file? If so, fetch it again." if number == 0 else "Fetch the file again."
    return DatasetError(f"record {number:,} of {shown} is damaged: {why}. {hint}")
