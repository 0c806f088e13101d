"""How a table of pixels is laid out, told from its first line: delimiter, header, label column, shape.

In: the first line and what the user says.  Out: a ``Layout``, by which the rows are read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from math import isqrt, prod

from ..errors import DatasetError, OptionError, listed, unknown_name

DEFAULT_LABEL = "label"

_NUMBER = re.compile(r"\s*([+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|nan|)\s*", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})")
_ORDINAL = re.compile(r"[0-9]{1,9}")

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """How to read the rows.

    Attributes:
        delimiter: ``","``, ``";"`` or a tab.
        header: The names of the columns, or None.
        width: The number of columns.
        label: The position of the label column, or None.
        shape: ``(height, width, channels)`` of a picture.
    """

    delimiter: str
    header: tuple[str, ...] | None
    width: int
    label: int | None
    shape: Shape

    def column(self, position: int) -> str:
        """What the messages call a column: its name, else its number from 1."""
        return f"column {self.header[position]!r}" if self.header else f"column {position + 1}"


def layout_of(line: str, name: str, label: str | int | None, shape: Shape | None) -> Layout:
    """The layout of the table whose first line is *line*.

    A line of names is a header; one of numbers is not, except for ``0, 1, 2 …`` as pandas writes them.  Without a
    header, *label* as a text cannot be found: then column 1 holds labels if the columns after it make a picture, and
    there are none if all columns do.

    Args:
        line: The first line that is not blank.
        name: What the messages call the table.
        label: Name or position of the label column; None: there is none.
        shape: ``(height, width, channels)``, or None for square pictures of 1 or 3 channels.

    Raises:
        DatasetError: one column only, names that stand twice, no shape that fits, or two.
        UnknownNameError: a label column, asked for by a name other than the default, that is not there.
    """
    delimiter = max(",;\t", key=line.count)
    cells = tuple(cell.strip() for cell in split_cells(line, delimiter))
    if len(cells) < 2:
        raise DatasetError(
            f"{name} has one column only, {line[:60]!r}; expected cells between commas, semicolons or tabs. "
            "Save it as CSV."
        )
    if _is_header(cells, label):
        _check_header(cells, name)
        position = _named_label(cells, name, label)
        found = _shape_of(cells, name, position, shape, header=True)
        _check_order([cell for at, cell in enumerate(cells) if at != position], name, found)
        return Layout(delimiter, cells, len(cells), position, found)
    position = _unnamed_label(cells, name, label, shape)
    return Layout(delimiter, None, len(cells), position, _shape_of(cells, name, position, shape, header=False))


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, out of their quotes."""
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:  # a cell of more than 131,072 characters: no pixel, as its reader will find
        return line.split(delimiter)


def checked_shape(image_shape: Sequence[int] | None) -> Shape | None:
    """*image_shape* with its channels, 1 if not said.

    Raises:
        OptionError: it is not two or three whole numbers of at least 1, or has other channels than 1 or 3.
    """
    if image_shape is None:
        return None
    sides = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if not whole or len(sides) not in (2, 3) or (len(sides) == 3 and sides[2] not in (1, 3)):
        raise OptionError(
            f"image_shape is {image_shape!r}; expected (height, width) or (height, width, channels), whole numbers of "
            "at least 1, with 1 or 3 channels."
        )
    return (sides[0], sides[1], sides[2] if len(sides) == 3 else 1)


def _is_header(cells: Sequence[str], label: str | int | None) -> bool:
    if isinstance(label, str) and label in cells:
        return True
    if _counts_up(cells) or (_counts_up(cells[1:]) and not _NUMBER.fullmatch(cells[0])):
        return True
    return sum(not _NUMBER.fullmatch(cell) for cell in cells) > len(cells) / 2  # one text may be a label


def _counts_up(cells: Sequence[str]) -> bool:
    """``0, 1, 2 …`` or ``1, 2, 3 …``: names that pandas makes up; no picture looks like this."""
    if len(cells) < 3 or not all(_ORDINAL.fullmatch(cell) for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _check_header(header: Sequence[str], name: str) -> None:
    if len(set(header)) != len(header):
        twice = sorted({column for column in header if header.count(column) > 1})
        raise DatasetError(f"{name} has columns of the same name: {listed(twice)}. Rename them, or remove one.")


def _check_order(header: Sequence[str], name: str, shape: Shape) -> None:
    """Refuse pixels that a tool has sorted as text (``pixel10`` before ``pixel2``): the pictures would be scrambled."""
    parts = [_NUMBERED.fullmatch(column) for column in header]
    numbers = [(part[1], int(part[2])) for part in parts if part]
    if len(numbers) < len(header):
        return
    for (prefix, number), (next_prefix, next_number) in pairwise(numbers):
        if prefix == next_prefix and next_number < number:
            raise DatasetError(
                f"{name} has its pixels out of order: {prefix}{number} stands before {prefix}{next_number}. "
                "Put the columns in the order of their numbers."
            )
    prefixes = list(dict.fromkeys(prefix for prefix, _ in numbers))
    if shape[2] == len(prefixes) == 3 and len(numbers) > 3:
        changes = sum(one != two for (one, _), (two, _) in pairwise(numbers))
        if changes == 2:  # r0 r1 … g0 g1 … b0 b1 …
            raise DatasetError(
                f"{name} has one channel after the other ({listed(prefixes)}); expected a pixel's channels side by "
                "side. Put the columns in the order r0, g0, b0, r1, …"
            )


def _named_label(header: Sequence[str], name: str, label: str | int | None) -> int | None:
    if not isinstance(label, str):
        return _position(header, name, label)
    if label in header:
        return list(header).index(label)
    if label == DEFAULT_LABEL:
        return None  # Kaggle's test.csv
    error = unknown_name("column", label, header)
    raise type(error)(f"{name}: {error} label=None reads pictures without labels.")


def _unnamed_label(cells: Sequence[str], name: str, label: str | int | None, shape: Shape | None) -> int | None:
    if not isinstance(label, str):
        return _position(cells, name, label)
    if label != DEFAULT_LABEL:
        raise DatasetError(
            f"{name} has no header, so no column {label!r}; its first line begins {listed(cells, most=3)}. "
            "Give the position of the label column instead: label=0."
        )
    texts = [position for position, cell in enumerate(cells) if not _NUMBER.fullmatch(cell)]
    if texts in ([0], [len(cells) - 1]):
        return texts[0]
    with_label, without = _fits(len(cells) - 1, shape), _fits(len(cells), shape)
    if with_label and without:
        raise DatasetError(
            f"{name} has {len(cells)} columns and no header: they may be a picture, or a label and a picture. "
            "Say label=None or label=0."
        )
    return 0 if with_label else None


def _position(cells: Sequence[str], name: str, label: int | None) -> int | None:
    if label is None:
        return None
    if not -len(cells) <= label < len(cells):
        raise DatasetError(f"label is {label}, and {name} has {len(cells)} columns. Give 0 to {len(cells) - 1}.")
    return label % len(cells)


def _fits(columns: int, shape: Shape | None) -> bool:
    return prod(shape) == columns if shape else _square(columns) is not None


def _square(columns: int) -> Shape | None:
    for channels in (1, 3):
        side = isqrt(columns // channels)
        if side and side * side * channels == columns:
            return (side, side, channels)
    return None


def _shape_of(cells: Sequence[str], name: str, label: int | None, shape: Shape | None, *, header: bool) -> Shape:
    columns = len(cells) - (label is not None)
    if _fits(columns, shape):
        return shape or _square(columns) or (0, 0, 0)
    expected = f"{prod(shape)} = {' × '.join(map(str, shape))}" if shape else "side² or 3 × side²"
    besides = " besides the label" if label is not None else ""
    raise DatasetError(
        f"{name} has {columns} columns of pixels{besides}; expected {expected}. {_hint(cells, label, header=header)}"
        "Pass image_shape=(height, width) or (height, width, channels)."
    )


def _hint(cells: Sequence[str], label: int | None, *, header: bool) -> str:
    if header and cells[0] == "":
        return "A first column without a name is a row number: save with index=False. "
    if not header or label is not None or DEFAULT_LABEL in cells:
        return ""
    nearest = get_close_matches(DEFAULT_LABEL, [cell.lower() for cell in cells if not _NUMBER.fullmatch(cell)], n=1)
    like = [cell for cell in cells if nearest and cell.lower() == nearest[0]] or cells[:1]
    return f"There is no column 'label'; if the labels stand in {like[0]!r}, say label={like[0]!r}. "
