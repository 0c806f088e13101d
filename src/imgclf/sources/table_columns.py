"""Columns of a table of pictures: which one names the files and which one the classes, and what stands in them.

In: a ``.csv``, a DataFrame or a mapping.  Out: the cells of the two columns as text, with the place of each row.
"""

from __future__ import annotations

import math
import numbers
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set, Sized
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import DatasetError, OptionError, listed, unknown_name, with_reasons
from ..images import IMAGE_SUFFIXES
from ..tables import visible
from .csv_file import cells_of, check_table_file, fault_at, first_line, lines_of
from .csv_layout import split_cells
from .paths import Place

AUTO = "auto"

Cell = str | None
"""What stands in a cell, as text; None where nothing does."""

# Names by which a column is known, the surest first; letters and digits alone count, in any case.
_FILES = (
    {"filename", "filenames", "filepath", "path", "paths", "file", "files", "imagepath", "imgpath", "imagefile",
     "imagename", "imgname", "imagefilename", "imagefilepath"},
    {"image", "images", "img", "imageid", "imgid", "picture", "photo"},
    {"id"},
)  # fmt: skip
_LABELS = (
    {"label", "labels", "class", "classes", "category", "target"},
    {"classname", "labelname", "classid", "labelid"},
)


class Frame(Protocol):
    """What a DataFrame of any library has."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""
        ...

    def __getitem__(self, name: Any, /) -> Any:
        """The column of a name."""
        ...


@dataclass(frozen=True)
class Columns:
    """The columns that were asked for, with what stands in them.

    Attributes:
        name: What messages call the table.
        header: The names of all columns; positions where there is no header.
        named: Whether the names stood in the first line of a file, which may have been meant as a row.
        cells: The cells of a column, by its position.
        row: What messages call a row, by its position: ``"line 3"``.
    """

    name: str
    header: tuple[str, ...]
    named: bool
    cells: Mapping[int, list[Cell]]
    row: Callable[[int], str]

    def called(self, position: int) -> str:
        """What messages call a column."""
        return _called(self.name, self.header[position])


@dataclass(frozen=True)
class Header:
    """A table of which the names of the columns are known, and nothing else was read.

    Attributes:
        name: What messages call it.
        header: The names of the columns; positions where there is no header.
        read: Reads the columns of these positions, and keeps no other.
        first: The first row, if it has no header: it may tell the column of the files.
        numbers: Names that are whole numbers → their positions.
    """

    name: str
    header: tuple[str, ...]
    read: Callable[[Sequence[int]], Columns]
    first: tuple[str, ...] = ()
    numbers: Mapping[int, int] = field(default_factory=dict)

    def called(self, position: int) -> str:
        """What messages call a column."""
        return _called(self.name, self.header[position])


def header_of_file(place: Place) -> Header:
    """The names of the columns of a ``.csv`` or ``.csv.gz``; its rows are read, once, when columns are asked for.

    A first line in which a cell ends as a picture's name does (``cat.1.jpg``) is no header.

    Raises:
        DatasetError: no table, a quote that is not closed, two columns of one name.
    """
    name, path = repr(str(place.shown)), place.path
    check_table_file(place)
    with place.named():
        line, skip = first_line(path)
        delimiter = max(",;\t", key=line.count)
        try:
            first = tuple(cell.strip() for cell in split_cells(line, delimiter))
        except ValueError as error:
            raise DatasetError(f"the first line of {name}, {line[:60]!r}, {error}. Mend the quotes.") from None
    headless = any(cell.lower().endswith(IMAGE_SUFFIXES) for cell in first)
    header = tuple(map(str, range(len(first)))) if headless else first
    _check_header(header, name)

    def read(positions: Sequence[int]) -> Columns:
        with place.named():
            cells, lines = _cells_of_file(path, skip - headless, delimiter, len(first), positions)
        if not lines:
            raise DatasetError(f"{name} has a header and no rows. Restore it.")
        return Columns(name, header, not headless, cells, lambda at: f"line {lines[at]:,}")

    return Header(name, header, read, first if headless else ())


def _cells_of_file(
    path: Path, skip: int, delimiter: str, width: int, positions: Sequence[int]
) -> tuple[dict[int, list[Cell]], list[int]]:
    """The cells of some columns, and the number of every row's line."""
    kept: dict[int, list[Cell]] = {position: [] for position in positions}
    lines = []
    for number, raw in lines_of(path, skip):
        cells = cells_of(raw, delimiter, path, number)
        if len(cells) != width:
            what = f"has {len(cells)} columns; expected {width}, as on the first line"
            raise fault_at(path, number, what, "Repair the line, or put quotes around a text with commas.")
        for position, column in kept.items():
            column.append(cells[position].strip() or None)
        lines.append(number)
    return kept, lines


def header_of_frame(table: Mapping[str, Sequence[Any]] | Frame) -> Header:
    """The names of the columns of a DataFrame (pandas, Polars and their like), or of a mapping of names to sequences.

    Raises:
        OptionError: it is neither.
        DatasetError: two columns of one name.
    """
    name = f"the {type(table).__name__}"
    keys = list(table) if isinstance(table, Mapping) else list(getattr(table, "columns", ()))
    if not keys or not hasattr(table, "__getitem__"):
        raise OptionError(
            f"the table is a {type(table).__name__}; expected the path of a .csv, a DataFrame, or a mapping of columns "
            "such as {'filename': […], 'class': […]}. Give one."
        )
    header = tuple(map(str, keys))
    _check_header(header, name)

    def read(positions: Sequence[int]) -> Columns:
        columns = {at: _values(table[keys[at]], _called(name, header[at])) for at in positions}
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{header[at]!r} {len(column):,}" for at, column in sorted(columns.items()))
            raise DatasetError(f"the columns of {name} differ in length: {lengths}. Give a cell per picture in each.")
        if not all(columns.values()):
            raise DatasetError(f"{name} has no rows. Give one per picture.")
        cells = {at: _texts(column, _called(name, header[at])) for at, column in columns.items()}
        return Columns(name, header, False, cells, lambda at: f"row {at:,}")

    numbers_ = {int(key): at for at, key in enumerate(keys) if isinstance(key, numbers.Integral)}
    return Header(name, header, read, (), numbers_)


def _values(column: object, where: str) -> list[object]:
    """What a column of a frame holds, if it is a sequence: the letters of a text are no cells."""
    if isinstance(column, Iterable) and isinstance(column, Sized):
        with suppress(TypeError):  # an array of no dimension has a length by its looks alone
            if len(column) >= 0 and not isinstance(column, str | bytes | Mapping | Set):
                return list(column)
    raise DatasetError(
        f"{where} is {visible(repr(column)[:60])}, a {type(column).__name__}; expected a list, an array or the like, "
        "with a cell per picture. Give one."
    )


def find_columns(table: Header, x_col: str | int, y_col: str | int | None) -> tuple[int, int | None]:
    """The positions of the files' column and of the labels'.

    Where they are not said, they are told by their names, if only one fits; of two columns the other is the other.

    Raises:
        DatasetError: it cannot be told, or one column would be both.
        UnknownNameError: no column of this name.
    """
    files = _said(table, x_col, "x_col")
    labels = _said(table, y_col, "y_col")
    if files is None:
        files = _told(table, _FILES, "x_col", {labels})
    if labels is None and y_col is not None:
        labels = _told(table, _LABELS, "y_col", {files})
    count = len(table.header)
    if files is None and count == 1 + (labels is not None):
        files = next(at for at in range(count) if at != labels)
    if files is None:
        raise _unclear(table, "name the files", "x_col", "")
    if labels is None and y_col is not None and count == 2:
        labels = 1 - files
    if labels is None and y_col is not None and count > 2:
        raise _unclear(table, "hold the labels", "y_col", " or y_col=None for pictures without labels,")
    if files == labels:
        raise DatasetError(f"{table.called(files)} cannot be files and labels at once. Name another in x_col or y_col.")
    return files, labels


def _said(table: Header, column: str | int | None, option: str) -> int | None:
    """The position of the column that was asked for; None if it is to be told, or not wanted."""
    if column is None or (column == AUTO and AUTO not in table.header):
        return None
    if isinstance(column, str):
        if column in table.header:
            return table.header.index(column)
        error = unknown_name("column", column, table.header)
        raise type(error)(f"{option} in {table.name}: {error}")
    if not -len(table.header) <= column < len(table.header):
        last = len(table.header) - 1
        raise DatasetError(f"{option} is {column}, and {table.name} has {last + 1} columns. Give 0 to {last}.")
    position = column % len(table.header)
    if table.numbers.get(column, position) != position:
        raise DatasetError(
            f"{option} is {column}, the name of one column of {table.name} and the position of another, "
            f"{table.header[position]!r}. Say the name as text: {option}='{column}' or {table.header[position]!r}."
        )
    return position


def _told(table: Header, known: Sequence[set[str]], option: str, taken: set[int | None]) -> int | None:
    """The one column whose name, or in the first row whose ending, tells it."""
    if option == "x_col" and table.first:
        fitting = [at for at, cell in enumerate(table.first) if cell.lower().endswith(IMAGE_SUFFIXES)]
        return fitting[0] if len(fitting) == 1 else None
    names = [re.sub(r"[\W_]+", "", name.casefold()) for name in table.header]
    for kind in known:
        fitting = [at for at, name in enumerate(names) if name in kind and at not in taken]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            several = listed(table.header[at] for at in fitting)
            raise DatasetError(f"{table.name} has {several}, and one is expected. Say which: {option}=….")
    return None


def _unclear(table: Header, what: str, option: str, besides: str) -> DatasetError:
    return DatasetError(
        f"which column of {table.name} is to {what}? It has {listed(table.header, most=20)}. Say {option}=…,{besides} "
        "by its name, or its position from 0."
    )


def _called(table: str, column: str) -> str:
    return f"column {column!r} of {table}"


def _check_header(header: Sequence[str], name: str) -> None:
    if twice := sorted(column for column, count in Counter(header).items() if count > 1):
        raise DatasetError(f"{name} has columns of the same name: {listed(twice)}. Rename them, or remove one.")


def _texts(values: Sequence[object], where: str) -> list[Cell]:
    cells, wrong = [], []
    for at, value in enumerate(values):
        try:
            cells.append(_text(value))
        except TypeError:
            wrong.append(f"row {at:,} holds {visible(repr(value)[:60])}")
    if wrong:
        raise DatasetError(with_reasons(f"{where}: texts or numbers are expected. Convert these:", wrong))
    return cells


def _text(value: object) -> Cell:
    """*value* as it would stand in a CSV; None where it is missing, as every library says it."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, str):
        return str(value).strip() or None
    if isinstance(value, numbers.Real):
        return None if math.isnan(value) else str(value)
    if type(value).__name__ in {"bool", "bool_"}:  # NumPy's is no number
        return str(value)
    raise TypeError
