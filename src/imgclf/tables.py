"""One small table: named columns and rows, as text, HTML, CSV, JSON, records or a pandas DataFrame.

In: columns and rows.  Out: what ``print`` and a notebook show, and what a spreadsheet opens.

Names of files and classes are a stranger's: here they lose what a terminal, a browser or a spreadsheet would obey.
"""

from __future__ import annotations

import csv
import html
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import MissingPackageError
from .files import replacing, write_json

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 60  # rows that are printed; files and records have all of them
_WIDE = 30  # columns that a notebook shows: a thousand classes would make a page of megabytes

# What a spreadsheet takes for a formula (OWASP, "CSV injection"; the wide forms count in Japanese ones).  A cell also
# begins behind a semicolon, tab or line end where the spreadsheet cuts lines otherwise than at commas.
_FORMULA = "=+\\-@＝＋－＠"
_BEGINS = r"(?:^|(?<=[;\t\r\n]))"
_DANGEROUS = re.compile(rf"{_BEGINS}(?=[\s\x00-\x1f\']*[{_FORMULA}])")
_DEFUSED = re.compile(rf"{_BEGINS}\'(?=[\s\x00-\x1f\']*[{_FORMULA}])")
_NEEDS_QUOTES = re.compile(r'[",;\t\r\n]|^\s|\s$|^$')


@dataclass(frozen=True)
class Table:
    """Rows under named columns; ``print(table)`` aligns the first 60, numbers to the right.

    >>> print(Table(("key", "label"), [("cat.0.jpg", 0), ("dog.0.jpg", 1)]))
    key        label
    cat.0.jpg      0
    dog.0.jpg      1

    Attributes:
        columns: The names of the columns.
        rows: One sequence per row, as long as ``columns``.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        head = [_text(name) for name in self.columns]
        cells = [[_text(cell) for cell in row] for row in self.rows[:_SHOWN]]
        right = [
            bool(self.rows) and all(isinstance(row[i], (int, float)) for row in self.rows)
            for i in range(len(self.columns))
        ]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if r else cell.ljust(width) for cell, width, r in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in [head, *cells]
        ]
        if len(self.rows) > _SHOWN:
            lines.append(f"… and {len(self.rows) - _SHOWN:,} more rows")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        hidden = len(self.columns) - _WIDE
        head = "".join(f"<th>{html.escape(_text(name))}</th>" for name in self.columns[:_WIDE])
        head += f"<th>… and {hidden:,} more columns</th>" if hidden > 0 else ""
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_text(cell))}</td>" for cell in row[:_WIDE]) + "</tr>"
            for row in self.rows[:_SHOWN]
        )
        if len(self.rows) > _SHOWN:
            body += f"<tr><td>… and {len(self.rows) - _SHOWN:,} more rows</td></tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def records(self) -> list[dict[str, object]]:
        """One ``{column: value}`` per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """The table as a ``pandas.DataFrame``, all rows, columns in order.

        Raises:
            MissingPackageError: pandas, which imgclf does without, is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingPackageError(
                "to_pandas needs pandas, which is not installed: pip install pandas, or use records()."
            ) from None
        return pd.DataFrame([tuple(row) for row in self.rows], columns=list(self.columns))

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as JSON (UTF-8), a list of :meth:`records`; returns the path.

        NaN and infinity, which JSON does not have, become null.
        """
        names = [writable(name) for name in self.columns]
        return write_json(path, [dict(zip(names, map(_plain, row), strict=True)) for row in self.rows])

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV (UTF-8, a header line, floats in full); returns the path.

        Before a text that a spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-`` or ``@``) stands an
        apostrophe, which :meth:`from_csv` takes away again.  Numbers stay numbers.
        """
        with (
            replacing(path) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            file.write(self.csv())
        return Path(path)

    def csv(self) -> str:
        """The text that :meth:`to_csv` writes."""
        return "".join(_line(row) for row in (self.columns, *self.rows))

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> Table:
        """The table that :meth:`to_csv` wrote, every cell as text."""
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            columns, *rows = [[_DEFUSED.sub("", cell) for cell in row] for row in csv.reader(file)]
        return cls(columns, rows)


class Tabular(ABC):
    """What shows itself by one table: printed, in a notebook, as CSV, JSON or a DataFrame."""

    @abstractmethod
    def table(self) -> Table:
        """The table."""

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`table` as CSV; returns the path."""
        return self.table().to_csv(path)

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`table` as JSON, an object per row, null for NaN and infinity; returns the path."""
        return self.table().to_json(path)

    def to_pandas(self) -> pd.DataFrame:
        """:meth:`table` as a ``pandas.DataFrame``; a ``MissingPackageError`` where pandas is not installed."""
        return self.table().to_pandas()


def page(text: str, *tables: Table) -> str:
    """What a notebook shows of a result: the lines of *text* as paragraphs, and the *tables*, all of it escaped.

    >>> page("2 of <b>")
    '<p>2 of &lt;b&gt;</p>'
    """
    lines = [f"<p>{html.escape(visible(line))}</p>" for line in text.splitlines() if line]
    return "".join([*lines, *(table._repr_html_() for table in tables)])


def visible(text: str) -> str:
    r"""*text* as a terminal may show it: every character that is no letter, mark, sign or blank in Python's escapes.

    So no name moves the cursor, colours the screen, begins a line of its own or turns the reading direction.

    >>> visible("cat\x1b[2J\n\u202e.jpg")
    'cat\\x1b[2J\\n\\u202e.jpg'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def writable(value: object) -> str:
    """*value* as text that UTF-8 can write: half characters, which a file's name may hold, in Python's escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _text(cell: object) -> str:
    return f"{cell:.4f}" if isinstance(cell, float) else visible(str(cell))


def _plain(cell: object) -> Any:
    """*cell* as JSON holds it: numbers and None as they are, everything else as text that UTF-8 can write."""
    value = cell.item() if isinstance(cell, np.generic) else cell
    return value if value is None or isinstance(value, (bool, int, float)) else writable(value)


def _line(row: Sequence[object]) -> str:
    """One line of CSV.  Python's writer, before 3.13, writes a carriage return without quotes, which cuts the row."""
    cells = ["" if cell is None else _defused(cell) for cell in row]
    return (
        ",".join('"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell for cell in cells) + "\n"
    )


def _defused(cell: object) -> str:
    text = str(cell)
    return text if isinstance(cell, Number) else _DANGEROUS.sub("'", text)
