"""A table as a file: unpacked, behind its byte-order mark, in blocks of whole lines, with the place of every fault.

In: the path of a ``.csv`` or ``.csv.gz``.  Out: its lines as bytes, bounded in number and length; or the cells of one.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import DatasetError
from ..files import MAX_RATIO, MAX_UNPACKED, open_file
from .csv_layout import split_cells
from .paths import Place, check_there

MAX_BYTES = 8 * 1024**3
"""Most text that is read from one table, unpacked: a small .gz can hold far more than a memory does."""

MAX_LINE = 32 * 1024**2
"""Longest line, in bytes: a picture of eight million pixels."""

GZIP = b"\x1f\x8b"
"""What a .gz begins with."""

_BLOCK = 1024**2
_PACKED = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc": "7z",
}
_BOM = b"\xef\xbb\xbf"


@contextmanager
def open_table(path: Path) -> Iterator[BinaryIO]:
    """The table opened, unpacked where it is gzip (told by content), behind a byte-order mark.

    Raises:
        DatasetError: it is no regular file any more, is damaged, or cannot be read.
    """
    with reading(path), open_file(path) as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        if file.read(3) != _BOM:
            file.seek(0)
        yield file


def check_table_file(place: Place) -> None:
    """Refuse what is no regular file, as soon as it is given.

    Raises:
        DatasetError: it is not there, or a folder, a pipe, a device.
    """
    with place.named():
        shown = check_there(place.path, "file")
    if not place.path.is_file():
        raise DatasetError(
            f"{shown} is no regular file, and a table (.csv, .csv.gz) is expected. Pictures in folders are for "
            "FolderSource."
        )


def first_line(path: Path) -> tuple[str, int]:
    """The first line that is not blank, and its number from 1.

    Raises:
        DatasetError: the table is empty, damaged or no text.
    """
    with open_table(path) as file:
        number, line = 1, file.readline(MAX_LINE)
        while line and not line.strip() and file.tell() < MAX_LINE:
            number, line = number + 1, file.readline(MAX_LINE)
    if not line.strip():
        raise DatasetError(f"{quoted(path)} is empty. Restore it.")
    if len(line) == MAX_LINE:
        raise _too_long(path, MAX_LINE, "text on one line")
    if packing := next((kind for start, kind in _PACKED.items() if line.startswith(start)), None):
        raise DatasetError(f"{quoted(path)} is {packing}, and a table (.csv, .csv.gz) is expected. Unpack it.")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise DatasetError(f"{quoted(path)} is no table in UTF-8; it begins with {line[:8]!r}. Save it as CSV, UTF-8.")
    if b"\r" in line.rstrip():
        raise DatasetError(f"the lines of {quoted(path)} end as on old Macintoshes (CR). Save it with LF or CR LF.")
    return decoded(line, path, number).rstrip("\r\n"), number


def lines_of(path: Path, skip: int) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank behind the first *skip*, with its number from 1.

    Raises:
        DatasetError: the table is damaged, or too long.
    """
    with open_table(path) as file:
        for _ in range(skip):
            file.readline(MAX_LINE)
        number = skip
        for block in blocks(file, path, most_text(path, file)):
            for line in block.split(b"\n")[:-1]:
                number += 1
                if line.strip():
                    yield number, line


def most_text(path: Path, file: BinaryIO) -> int:
    """The most that is read: of gzip no more than a table can shrink to, so that a small file cannot fill a memory."""
    if not isinstance(file, gzip.GzipFile):
        return MAX_BYTES
    return min(MAX_BYTES, max(MAX_UNPACKED, MAX_RATIO * path.stat().st_size))


def blocks(file: BinaryIO, path: Path, most: int) -> Iterator[bytes]:
    """The rest of *file* in blocks of whole lines, each ending in LF."""
    total, rest = 0, b""
    while chunk := file.read(_BLOCK):
        total += len(chunk)
        if total > most:
            raise _too_long(path, most, "text")
        if len(rest) > MAX_LINE:
            raise _too_long(path, MAX_LINE, "text on one line")
        whole, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield (rest + whole + newline).replace(b"\r\n", b"\n")
            rest = tail
        else:
            rest += tail
    if rest:
        yield rest.replace(b"\r\n", b"\n").rstrip(b"\r") + b"\n"


def _too_long(path: Path, most: int, what: str) -> DatasetError:
    return DatasetError(
        f"{quoted(path)} holds more than {most:,} bytes of {what}. If that is right, unpack it, or split it into "
        "smaller tables."
    )


def cells_of(raw: bytes, delimiter: str, path: Path, line: int) -> list[str]:
    """The cells of one line, out of their quotes.

    Raises:
        DatasetError: a quote that is not closed, a carriage return, or no UTF-8.
    """
    if b"\r" in raw.rstrip():
        raise fault_at(path, line, "has a carriage return (CR) within", "Save the table with LF or CR LF.")
    try:
        return split_cells(decoded(raw, path, line), delimiter)
    except ValueError as error:
        raise fault_at(path, line, str(error), "Mend the quotes.") from None


def fault_at(path: Path, line: int, what: str, advice: str) -> DatasetError:
    """The error of one line, counted from 1."""
    return DatasetError(f"{quoted(path)}, line {line:,}: {what}. {advice}")


def decoded(raw: bytes, path: Path, line: int) -> str:
    """*raw* as text.

    Raises:
        DatasetError: it is no UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        odd = raw[error.start : error.start + 4]
        raise fault_at(path, line, f"{odd!r} is no UTF-8", "Save the table as CSV, UTF-8.") from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say which file it was that could not be read."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{quoted(path)} is damaged: {error}. Fetch it again.") from None
    except OSError as error:
        raise DatasetError(f"{quoted(path)} cannot be read: {error.strerror}. Check the path.") from None


def quoted(path: Path) -> str:
    """*path* as messages show it."""
    return repr(str(path))
