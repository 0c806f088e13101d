"""How a table of pixels is laid out, told from its first line: delimiter, header, label column, shape.

In: the first line and what the user says.  Out: a ``Layout``, by which the rows are read.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from math import isqrt, prod

from ..errors import DatasetError, OptionError, listed, unknown_name

DEFAULT_LABEL = "label"

_NUMBER = re.compile(r"\s*([+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|nan|)\s*", re.IGNORECASE)
_INTEGER = re.compile(r"[0-9]{1,9}")
_ACROSS = re.compile(
    r"x[^a-z]*#.*y[^a-z]*#|col[^#]*#.*row[^#]*#|(?<![a-z])c#.*r#", re.IGNORECASE
)  # x0y1: the row comes second
_ORDINAL = re.compile(r"[0-9]{1,9}")
_ID = re.compile(r"(?<![a-z])(ids?|index|key|name|file|filename|path|usage|split|fold)(?![a-z])|[a-z]I[dD]$")
_ONE_CELL = frozenset({"pixel", "pixels", "image", "img"})  # columns that hold a whole picture each

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """How to read the rows.

    Attributes:
        line: The first line, to be found again where the rows are read.
        delimiter: ``","``, ``";"`` or a tab.
        header: The names of the columns, or None.
        width: The number of columns.
        label: The position of the label column, or None.
        shape: ``(height, width, channels)`` of a picture.
    """

    line: str
    delimiter: str
    header: tuple[str, ...] | None
    width: int
    label: int | None
    shape: Shape

    @property
    def ordered(self) -> bool:
        """Whether the columns' names say which pixel and channel each is, by more than a running number."""
        names = [name for at, name in enumerate(self.header or ()) if at != self.label]
        kinds = {_INTEGER.sub("#", name) for name in names}
        return bool(names) and (len(kinds) > 1 or any(kind.count("#") > 1 for kind in kinds))

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
    try:
        cells = tuple(cell.strip() for cell in split_cells(line, delimiter))
    except ValueError as error:
        raise DatasetError(f"the first line of {name}, {line[:60]!r}, {error}. Mend the quotes.") from None
    if len(cells) < 2:
        raise DatasetError(
            f"{name} has one column only, {line[:60]!r}; expected cells between commas, semicolons or tabs. "
            "Save it as CSV."
        )
    if _is_header(cells, label):
        _check_header(cells, name)
        _check_cells(cells, name)
        position = _named_label(cells, name, label)
        found = _shape_of(cells, name, position, shape, header=True)
        pixels = [cell for at, cell in enumerate(cells) if at != position]
        _check_kind(pixels, name)
        _check_order(pixels, name, found)
        return Layout(line, delimiter, cells, len(cells), position, found)
    position = _unnamed_label(cells, name, label, shape)
    found = _shape_of(cells, name, position, shape, header=False)
    return Layout(line, delimiter, None, len(cells), position, found)


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, out of their quotes.

    Raises:
        ValueError: a quote that is not closed, or followed by more: where the cell ends would be a guess.
    """
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        if "field larger" in str(error):  # than 131,072 characters: no pixel, as its reader will find
            return line.split(delimiter)
        raise ValueError("has a quote that is not closed, or not at the end of its cell") from None


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


def _check_cells(header: Sequence[str], name: str) -> None:
    """Refuse a table with all pixels in one cell, such as FER2013's ``emotion,pixels``."""
    whole = [column for column in header if column.casefold() in _ONE_CELL]
    if len(whole) == 1 and len(header) <= 6 and not any(c != whole[0] and c.startswith(whole[0]) for c in header):
        raise DatasetError(
            f"{name} has a column {whole[0]!r}, in which all pixels of a picture seem to stand in one cell; expected a "
            f"column per pixel. Read it yourself and use ArraySource: np.array([cell.split() for cell in "
            f"table[{whole[0]!r}]]).astype('uint8').reshape(-1, height, width)."
        )


def _check_order(header: Sequence[str], name: str, shape: Shape) -> None:
    """Refuse pixels that a tool has sorted as text (``pixel10`` before ``pixel2``): the pictures would be scrambled."""
    kinds = [_INTEGER.sub("#", column) for column in header]
    last: dict[str, tuple[tuple[int, ...], str]] = {}
    for kind, column in zip(kinds, header, strict=True):
        place = tuple(map(int, _INTEGER.findall(column)))
        place = place[::-1] if _ACROSS.search(kind) else place
        if kind in last and place < last[kind][0]:
            raise DatasetError(
                f"{name} has its pixels out of order: {last[kind][1]!r} stands before {column!r}. "
                "Put the columns in the order of their numbers, row by row."
            )
        last[kind] = place, column
    letters = len(last) == 3 and sum(one != two for one, two in pairwise(kinds)) == 2  # r0 r1 … g0 g1 … b0 b1 …
    numbers = [tuple(map(int, _INTEGER.findall(column))) for column in header]
    counted = {len(each) for each in numbers} == {3} and max(each[2] for each in numbers) > 3  # p_2_27_27
    if shape[2] == 3 and len(kinds) > 3 and (letters or counted):
        raise DatasetError(
            f"{name} has one channel after the other ({listed(header, most=3)}); expected a pixel's channels side "
            "by side. Put the columns in the order r0, g0, b0, r1, …"
        )


def _check_kind(header: Sequence[str], name: str) -> None:
    """Refuse a column among the pixels that is named unlike them: a row number, or labels under another name."""
    if odd := _odd(header):
        raise DatasetError(
            f"{name} has {listed(odd)} among its pixels ({listed(header, most=3)}), named unlike them. If the labels "
            f"stand there, say label={odd[0]!r}; else remove the column (pandas: index=False), or name it as a pixel."
        )


def _odd(header: Sequence[str]) -> list[str]:
    """The one or two columns that are named unlike all others, if any."""
    kinds = [_INTEGER.sub("#", column) for column in header]
    ((usual, most),) = Counter(kinds).most_common(1)
    odd = [column for column, kind in zip(header, kinds, strict=True) if not kind or not usual.startswith(kind)]
    return odd if "#" in usual and most >= 3 and 1 <= len(odd) <= 2 else []


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
    if header and (cells[0] == "" or re.fullmatch(r"unnamed: [0-9]+|index", cells[0], re.IGNORECASE)):
        return f"The first column, {cells[0]!r}, is a row number: save with index=False. "
    if header and cells[-1] == "":
        return "The lines end in a separator: remove the empty last column. "
    odd = _odd([cell for at, cell in enumerate(cells) if at != label]) if header else []
    if ids := [column for column in odd if label is not None or _ID.search(column)]:
        return (
            f"{listed(ids)}, named unlike the pixels, is left over: leave it out when you save the table (pandas: "
            f"table.drop(columns={ids[0]!r}).to_csv(path, index=False)). "
        )
    if not header or label is not None or DEFAULT_LABEL in cells:
        return ""
    nearest = get_close_matches(DEFAULT_LABEL, [cell.lower() for cell in cells if not _NUMBER.fullmatch(cell)], n=1)
    like = [cell for cell in cells if nearest and cell.lower() == nearest[0]] or cells[:1]
    return f"There is no column 'label'; if the labels stand in {like[0]!r}, say label={like[0]!r}. "
