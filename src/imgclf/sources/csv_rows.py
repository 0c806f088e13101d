"""The rows of a table of pixels, from bytes straight to uint8.

In: an open file and its ``Layout``.  Out: pixels, the text of each label, and the line of each row.

Blocks of a megabyte go through ``numpy.loadtxt``.  Only a block that is not plain (quotes, blanks, a fault) is read
again cell by cell, which finds the place of the fault.  Nothing wraps: 300, −5 and 0.5 are errors, where
``astype("uint8")`` gives 44, 251 and 0.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..files import open_file
from ..images import Pixels
from .csv_file import GZIP, MAX_LINE, blocks, cells_of, decoded, fault_at, most_text, open_table, quoted, reading
from .csv_layout import Layout

_WHOLE = re.compile(r"[+]?[0-9]+([.]0*)?", re.ASCII)
_FRACTION = re.compile(r"[+]?(0?[.][0-9]+|[0-9]([.][0-9]*)?[eE]-[0-9]+)", re.ASCII)


class Rows(NamedTuple):
    """Some rows: pixels ``(n, height × width × channels)``, labels as text, lines counted from 1."""

    pixels: Pixels
    labels: list[str]
    lines: npt.NDArray[np.int64]


def read_rows(path: Path, layout: Layout, skip: int) -> Rows:
    """All rows behind the first *skip* lines.

    Raises:
        DatasetError: no rows; or the first fault, with its line, column and value.
    """
    parts = []
    with open_table(path) as file:
        before = [file.readline(MAX_LINE) for _ in range(skip)]
        if layout.header and decoded(before[-1], path, skip).rstrip("\r\n") != layout.line:
            raise DatasetError(f"{quoted(path)} has another first line than before: it was changed. Make a new source.")
        line, most = skip + 1, most_text(path, file)
        for block in blocks(file, path, most):
            parts.append(_plain_rows(block, layout, line) or _careful_rows(block, layout, line, path))
            line += block.count(b"\n")
    if not any(len(part.pixels) for part in parts):
        raise DatasetError(f"{quoted(path)} has a header and no rows. Restore it.")
    return Rows(
        np.concatenate([part.pixels for part in parts]),
        [label for part in parts for label in part.labels],
        np.concatenate([part.lines for part in parts]),
    )


def may_be_cut(path: Path, layout: Layout) -> bool:
    """Whether the table ends within its last line, at a number or label that may go on: ``3`` where ``30`` stood.

    Without a line end behind it, a last number from 1 to 25 may have lost a digit; a larger one would pass 255.
    """
    with reading(path), open_file(path) as file:
        if file.read(2) == GZIP:
            return False  # its length and checksum are written at its end
        file.seek(-min(os.fstat(file.fileno()).st_size, 64), os.SEEK_END)
        end = file.read()
    cell = end.rpartition(layout.delimiter.encode())[2]
    if end.endswith((b"\n", b"\r", b'"')) or not cell.strip():
        return False
    return layout.label == layout.width - 1 or not cell.strip().isdigit() or 1 <= int(cell) <= 25


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
        cells = cells_of(raw, layout.delimiter, path, number)
        if len(cells) != layout.width:
            advice = "Is the file cut off there? Repair the line, or remove it."
            raise fault_at(
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
    text = cells[position].strip()
    if "\0" in text:
        raise fault_at(
            path, line, f"{layout.column(position)} holds {text[:40]!r}; expected a label", "Restore the file."
        )
    if not text:
        raise fault_at(
            path, line, f"{layout.column(position)} is empty; expected a label", "Fill it in, or remove the line."
        )
    return text


def _pixel(cell: str, layout: Layout, position: int, path: Path, line: int) -> int:
    text = cell.strip()
    if _WHOLE.fullmatch(text) and len(text) < 20 and (value := int(text.partition(".")[0])) <= 255:
        return value
    found = f"holds {cell[:40]!r}" if text else "is empty"
    advice = "Pixels from 0 to 1: multiply by 255 and round." if _FRACTION.fullmatch(text) else "Correct it."
    raise fault_at(path, line, f"{layout.column(position)} {found}; expected a whole number from 0 to 255", advice)
