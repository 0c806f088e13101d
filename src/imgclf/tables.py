"""One small table: named columns and rows, as text, HTML, CSV or records.

In: columns and rows.  Out: what ``print`` and a notebook show, and what a spreadsheet opens.
"""

from __future__ import annotations

import csv
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .files import replacing

_SHOWN = 60  # rows that are printed; files and records have all of them


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
        head = "".join(f"<th>{html.escape(_text(name))}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_text(cell))}</td>" for cell in row) + "</tr>"
            for row in self.rows[:_SHOWN]
        )
        if len(self.rows) > _SHOWN:
            body += f"<tr><td>… and {len(self.rows) - _SHOWN:,} more rows</td></tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def records(self) -> list[dict[str, object]]:
        """One ``{column: value}`` per row: what ``pandas.DataFrame`` takes."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV (UTF-8, a header line, floats in full); returns the path."""
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            writer.writerows(self.rows)
        return Path(path)


def _text(cell: object) -> str:
    text = f"{cell:.4f}" if isinstance(cell, float) else str(cell)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)  # a name may hold control codes
