"""The rows of a table of pixels, from bytes straight to uint8.

In: an open file and its ``Layout``.  Out: pixels, the text of each label, and the line of each row.

Digits are read by NumPy over blocks of a megabyte: 60,000 rows of 28×28 in about a second.  Only a block that is not
plain (quotes, blanks, a fault) is read again cell by cell, which finds the place of the fault.  Nothing wraps: 300, −5
and 0.5 are errors, where ``astype("uint8")`` gives 44, 251 and 0.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..images import Pixels
from .csv_layout import Layout, split_cells

MAX_BYTES = 8 * 1024**3
"""Most text that is read from one table, unpacked: a small .gz can hold far more than a memory does."""

MAX_LINE = 32 * 1024**2
"""Longest line, in bytes: a picture of eight million pixels."""

_BLOCK = 1024**2  # larger blocks leave the processor's cache: 16 MB takes half as long again
_BOM = b"\xef\xbb\xbf"
_WHOLE = re.compile(r"[+]?[0-9]+([.]0*)?", re.ASCII)
_FRACTION = re.compile(r"[+]?0?[.][0-9]+", re.ASCII)


class Rows(NamedTuple):
    """Some rows: pixels ``(n, height × width × channels)``, labels as text, lines counted from 1."""

    pixels: Pixels
    labels: list[str]
    lines: npt.NDArray[np.int64]


def open_table(path: Path) -> BufferedIOBase:
    """The table opened, unpacked where it is gzip (told by content), behind a byte-order mark."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    file: BufferedIOBase = gzip.GzipFile(path, "rb") if packed else path.open("rb")
    if file.read(3) != _BOM:
        file.seek(0)
    return file


def first_line(path: Path) -> tuple[str, int]:
    """The first line that is not blank, and its number from 1.

    Raises:
        DatasetError: the table is empty, damaged or no text.
    """
    with _told(path), open_table(path) as file:
        number, line = 1, file.readline(MAX_LINE)
        while line and not line.strip():
            number, line = number + 1, file.readline(MAX_LINE)
    if not line:
        raise DatasetError(f"{_shown(path)} is empty. Restore it.")
    if line.startswith((b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04")) or b"\0" in line:
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
    with _told(path), open_table(path) as file:
        for _ in range(skip):
            file.readline()
        line = skip + 1
        for block in _blocks(file, path):
            parts.append(_plain_rows(block, layout, line) or _careful_rows(block, layout, line, path))
            line += block.count(b"\n")
    if not any(len(part.pixels) for part in parts):
        raise DatasetError(f"{_shown(path)} has a header and no rows. Restore it.")
    return Rows(
        np.concatenate([part.pixels for part in parts]),
        [label for part in parts for label in part.labels],
        np.concatenate([part.lines for part in parts]),
    )


def _blocks(file: BufferedIOBase, path: Path) -> Iterator[bytes]:
    """The rest of *file* in blocks of whole lines, each ending in LF."""
    total, rest = 0, b""
    while chunk := file.read(_BLOCK):
        total += len(chunk)
        if total > MAX_BYTES or len(rest) > MAX_LINE:
            what, most = ("text", MAX_BYTES) if total > MAX_BYTES else ("text on one line", MAX_LINE)
            raise DatasetError(
                f"{_shown(path)} holds more than {most:,} bytes of {what}. Split it into smaller tables."
            )
        whole, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield (rest + whole + newline).replace(b"\r\n", b"\n")
            rest = tail
        else:
            rest += tail
    if rest:
        yield rest.replace(b"\r\n", b"\n").rstrip(b"\r") + b"\n"


def _plain_rows(block: bytes, layout: Layout, line: int) -> Rows | None:
    """The rows of a block of nothing but digits between delimiters (and labels), or None if there is more in it."""
    text = np.frombuffer(block, np.uint8)
    newline = text == 10
    ends = np.flatnonzero((text == ord(layout.delimiter)) | newline)
    if b'"' in block or len(ends) % layout.width:
        return None
    table = ends.reshape(-1, layout.width)
    if np.count_nonzero(newline) != len(table) or not newline[table[:, -1]].all():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    labels = _label_texts(block, table, lengths.reshape(table.shape), layout.label)
    if labels is None or lengths.max() > 3:
        return None
    values = _values(text, table, lengths, layout.label)
    if values is None:
        return None
    pixels = values if layout.label is None else np.delete(values, layout.label, axis=1)
    return Rows(pixels, labels, np.arange(line, line + len(table)))


def _label_texts(
    block: bytes, table: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp], label: int | None
) -> list[str] | None:
    """The label cells; their length in *lengths* becomes 1, so that they pass as a digit."""
    if label is None:
        return []
    ends = table[:, label].tolist()
    starts = (table[:, label] - lengths[:, label]).tolist()
    lengths[:, label] = 1
    try:
        labels = [block[start:end].decode().strip() for start, end in zip(starts, ends, strict=True)]
    except UnicodeDecodeError:
        return None
    return labels if all(labels) else None


def _values(
    text: npt.NDArray[np.uint8], table: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp], label: int | None
) -> Pixels | None:
    """The numbers that end before the positions in *table*, or None if one is no number up to 255."""
    digits = text - np.uint8(48)  # what is no digit wraps to 10 or more
    ends = table.reshape(-1)
    ones = digits[ends - 1].reshape(table.shape)  # an empty cell gives its neighbour's delimiter: no digit
    if label is not None:
        ones[:, label] = 0
    values = ones.astype(np.uint16).reshape(-1)
    most = ones.max()
    for place, factor in ((2, 10), (3, 100)):
        longer = np.flatnonzero(lengths >= place)
        higher = digits[ends[longer] - place]
        most = max(most, higher.max(initial=0))
        values[longer] += higher * np.uint16(factor)
    return values.astype(np.uint8).reshape(table.shape) if most <= 9 and values.max() <= 255 else None


def _careful_rows(block: bytes, layout: Layout, line: int, path: Path) -> Rows:
    """The same cell by cell, for what CSV allows besides, and for the place of a fault."""
    pixels, labels, lines = [], [], []
    for number, raw in enumerate(block.split(b"\n")[:-1], start=line):
        if not raw.strip():
            continue
        cells = split_cells(_text(raw, path, number), layout.delimiter)
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


def _label(cells: list[str], layout: Layout, path: Path, line: int) -> str:
    position = layout.label or 0
    if not (text := cells[position].strip()):
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
