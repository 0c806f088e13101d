"""The rows of a table of pixels, from bytes straight to uint8.

In: an open file and its ``Layout``.  Out: pixels, the text of each label, and the line of each row.

Blocks of a megabyte go through ``numpy.loadtxt``.  Only a block that is not plain (quotes, blanks, a fault) is read
again cell by cell, which finds the place of the fault.  Nothing wraps: 300, −5 and 0.5 are errors, where
``astype("uint8")`` gives 44, 251 and 0.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..files import open_file
from ..images import Pixels
from .csv_layout import Layout, split_cells

MAX_BYTES = 8 * 1024**3
"""Most text that is read from one table, unpacked: a small .gz can hold far more than a memory does."""

MAX_LINE = 32 * 1024**2
"""Longest line, in bytes: a picture of eight million pixels."""

MAX_RATIO, MAX_UNPACKED = 100, 256 * 1024**2
"""A .gz may unpack to a hundred times its size (digits on black: 8 times), and to this many bytes in any case."""

_BLOCK = 1024**2
_GZIP = b"\x1f\x8b"
_PACKED = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc": "7z",
}
_BOM = b"\xef\xbb\xbf"
_WHOLE = re.compile(r"[+]?[0-9]+([.]0*)?", re.ASCII)
_FRACTION = re.compile(r"[+]?(0?[.][0-9]+|[0-9]([.][0-9]*)?[eE]-[0-9]+)", re.ASCII)


class Rows(NamedTuple):
    """Some rows: pixels ``(n, height × width × channels)``, labels as text, lines counted from 1."""

    pixels: Pixels
    labels: list[str]
    lines: npt.NDArray[np.int64]


@contextmanager
def open_table(path: Path) -> Iterator[BinaryIO]:
    """The table opened, unpacked where it is gzip (told by content), behind a byte-order mark.

    Raises:
        DatasetError: it is no regular file any more, is damaged, or cannot be read.
    """
    with _told(path), open_file(path) as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        if file.read(3) != _BOM:
            file.seek(0)
        yield file


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
        raise DatasetError(f"{_shown(path)} is empty. Restore it.")
    if len(line) == MAX_LINE:
        raise _too_long(path, MAX_LINE, "text on one line")
    if packing := next((kind for start, kind in _PACKED.items() if line.startswith(start)), None):
        raise DatasetError(f"{_shown(path)} is {packing}, and a table (.csv, .csv.gz) is expected. Unpack it.")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise DatasetError(f"{_shown(path)} is no table in UTF-8; it begins with {line[:8]!r}. Save it as CSV, UTF-8.")
    if b"\r" in line.rstrip():
        raise DatasetError(f"the lines of {_shown(path)} end as on old Macintoshes (CR). Save it with LF or CR LF.")
    return _text(line, path, number).rstrip("\r\n"), number


def read_rows(path: Path, layout: Layout, skip: int) -> Rows:
    """All rows behind the first *skip* lines.

    Raises:
        DatasetError: no rows; or the first fault, with its line, column and value.
    """
    parts = []
    with open_table(path) as file:
        before = [file.readline(MAX_LINE) for _ in range(skip)]
        if layout.header and _text(before[-1], path, skip).rstrip("\r\n") != layout.line:
            raise DatasetError(f"{_shown(path)} has another first line than before: it was changed. Make a new source.")
        line, most = skip + 1, _most_text(path, file)
        for block in _blocks(file, path, most):
            parts.append(_plain_rows(block, layout, line) or _careful_rows(block, layout, line, path))
            line += block.count(b"\n")
    if not any(len(part.pixels) for part in parts):
        raise DatasetError(f"{_shown(path)} has a header and no rows. Restore it.")
    return Rows(
        np.concatenate([part.pixels for part in parts]),
        [label for part in parts for label in part.labels],
        np.concatenate([part.lines for part in parts]),
    )


def may_be_cut(path: Path, layout: Layout) -> bool:
    """Whether the table ends within its last line, at a number or label that may go on: ``3`` where ``30`` stood.

    Without a line end behind it, a last number from 1 to 25 may have lost a digit; a larger one would pass 255.
    """
    with _told(path), open_file(path) as file:
        if file.read(2) == _GZIP:
            return False  # its length and checksum are written at its end
        file.seek(-min(os.fstat(file.fileno()).st_size, 64), os.SEEK_END)
        end = file.read()
    cell = end.rpartition(layout.delimiter.encode())[2]
    if end.endswith((b"\n", b"\r", b'"')) or not cell.strip():
        return False
    return layout.label == layout.width - 1 or not cell.strip().isdigit() or 1 <= int(cell) <= 25


def _most_text(path: Path, file: BinaryIO) -> int:
    """The most that is read: of gzip no more than a table can shrink to, so that a small file cannot fill a memory."""
    if not isinstance(file, gzip.GzipFile):
        return MAX_BYTES
    return min(MAX_BYTES, max(MAX_UNPACKED, MAX_RATIO * path.stat().st_size))


def _blocks(file: BinaryIO, path: Path, most: int) -> Iterator[bytes]:
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
        f"{_shown(path)} holds more than {most:,} bytes of {what}. If that is right, unpack it, or split it into "
        "smaller tables."
    )


def _plain_rows(block: bytes, layout: Layout, line: int) -> Rows | None:
    """The rows of a block of plain numbers (and labels), by NumPy; None if there is more in it, or a fault."""
    lines, delimiter = block.split(b"\n")[:-1], layout.delimiter.encode()
    columns = [position for position in range(layout.width) if position != layout.label]
    # Rows that are too short fail below, for want of a pixel or the label; with as many cells in all none is too long.
    if b'"' in block or b"\r" in block or block.count(delimiter) != len(lines) * (layout.width - 1):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # before NumPy 2, a fraction is cut off with no more than a warning
            text = io.StringIO(block.decode())
            pixels = np.loadtxt(text, np.uint8, comments=None, delimiter=layout.delimiter, usecols=columns, ndmin=2)
        labels = [] if layout.label is None else _label_texts(lines, delimiter, layout.label)
    except (ValueError, IndexError, Warning):
        return None
    if len(pixels) != len(lines) or not all(labels) or b"\0" in block:  # NumPy leaves out blank lines
        return None
    return Rows(pixels, labels, np.arange(line, line + len(lines)))


def _label_texts(lines: Sequence[bytes], delimiter: bytes, label: int) -> list[str]:
    return [line.split(delimiter, label + 1)[label].decode().strip() for line in lines]


def _careful_rows(block: bytes, layout: Layout, line: int, path: Path) -> Rows:
    """The same cell by cell, for what CSV allows besides, and for the place of a fault."""
    pixels, labels, lines = [], [], []
    for number, raw in enumerate(block.split(b"\n")[:-1], start=line):
        if not raw.strip():
            continue
        cells = _cells(raw, layout, path, number)
        if len(cells) != layout.width:
            advice = "Is the file cut off there? Repair the line, or remove it."
            raise _fault(
                path, number, f"has {len(cells)} columns; expected {layout.width}, as on the first line", advice
            )
        if layout.label is not None:
            labels.append(_label(cells, layout, path, number))
        pixels.append([_pixel(cell, layout, i, path, number) for i, cell in enumerate(cells) if i != layout.label])
        lines.append(number)
    shape = (len(lines), layout.width - (layout.label is not None))
    return Rows(np.array(pixels, np.uint8).reshape(shape), labels, np.array(lines, np.int64))


def _cells(raw: bytes, layout: Layout, path: Path, line: int) -> list[str]:
    if b"\r" in raw.rstrip():
        raise _fault(path, line, "has a carriage return (CR) within", "Save the table with LF or CR LF.")
    try:
        return split_cells(_text(raw, path, line), layout.delimiter)
    except ValueError as error:
        raise _fault(path, line, str(error), "Mend the quotes.") from None


def _label(cells: list[str], layout: Layout, path: Path, line: int) -> str:
    position = layout.label or 0
    text = cells[position].strip()
    if "\0" in text:
        raise _fault(
            path, line, f"{layout.column(position)} holds {text[:40]!r}; expected a label", "Restore the file."
        )
    if not text:
        raise _fault(
            path, line, f"{layout.column(position)} is empty; expected a label", "Fill it in, or remove the line."
        )
    return text


def _pixel(cell: str, layout: Layout, position: int, path: Path, line: int) -> int:
    text = cell.strip()
    if _WHOLE.fullmatch(text) and len(text) < 20 and (value := int(text.partition(".")[0])) <= 255:
        return value
    found = f"holds {cell[:40]!r}" if text else "is empty"
    advice = "Pixels from 0 to 1: multiply by 255 and round." if _FRACTION.fullmatch(text) else "Correct it."
    raise _fault(path, line, f"{layout.column(position)} {found}; expected a whole number from 0 to 255", advice)


def _fault(path: Path, line: int, what: str, advice: str) -> DatasetError:
    return DatasetError(f"{_shown(path)}, line {line:,}: {what}. {advice}")


def _text(raw: bytes, path: Path, line: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        odd = raw[error.start : error.start + 4]
        raise _fault(path, line, f"{odd!r} is no UTF-8", "Save the table as CSV, UTF-8.") from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say which file it was that could not be read."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{_shown(path)} is damaged: {error}. Fetch it again.") from None
    except OSError as error:
        raise DatasetError(f"{_shown(path)} cannot be read: {error.strerror}. Check the path.") from None


def _shown(path: Path) -> str:
    return repr(str(path))
