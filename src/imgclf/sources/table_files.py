"""Files by their names in a table: where each is, and under which key.

In: names and a folder.  Out: paths and keys, in the order of the rows.  A key is a POSIX path relative to the folder,
or to the deepest folder that holds all files if one lies outside: a key never leads up, nor begins at the root.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..errors import DatasetError, OptionError, listed, with_reasons
from ..images import IMAGE_SUFFIXES
from .names import is_hidden, natural
from .paths import Place, printable
from .table_columns import Cell, Columns

_REMOTE = re.compile(r"[\\/]([\\/]|\?\?[\\/])")  # on Windows; to look for such a file is to log in to its host


def checked_extension(extension: str | None) -> str | None:
    """*extension* with its dot.

    Raises:
        OptionError: it is no text.
    """
    if extension is None:
        return None
    if not isinstance(extension, str) or not extension.strip("."):
        raise OptionError(f"extension is {extension!r}; expected the ending of the files' names, such as '.jpg'.")
    return f".{extension.removeprefix('.')}"


def paths_of(table: Columns, column: int, folder: Place, extension: str | None) -> list[str]:
    """The path of every row's file, each of which is there.

    An ending is added to names that have none: *extension*; else the one that the first of them has in the folder.

    Raises:
        DatasetError: empty cells, or files that are not there: all of them at once.
    """
    cells = table.cells[column]
    if empty := [at for at, cell in enumerate(cells) if cell is None]:
        raise DatasetError(
            f"{table.called(column)} is empty in {len(empty):,} rows: {_rows(table, empty)}. Name a file in each, or "
            "remove the rows."
        )
    names = [cell for cell in cells if cell is not None]
    if remote := [at for at, name in enumerate(names) if _REMOTE.match(name)]:
        raise DatasetError(
            f"{table.called(column)} names files of another computer: "
            f"{listed(f'{printable(names[at])} ({table.row(at)})' for at in remote)}. None is asked because a table "
            "says so. Copy the files, or name them relative to the folder that is given as directory."
        )
    ending = _ending(names, folder) if extension is None else extension
    paths = [_path(name, folder, ending, always=extension is not None) for name in names]
    if missing := [at for at, path in enumerate(paths) if not os.path.isfile(path)]:  # noqa: PTH113 (twice as fast)
        raise _missing(table, column, [(at, names[at]) for at in missing], folder)
    if table.named and not _REMOTE.match(said := table.header[column]):
        _check_header_is_none(table.name, said, _path(said, folder, ending, always=extension is not None), paths)
    return paths


def keys_of(paths: Sequence[str], folder: Place) -> list[str]:
    """The key of every path.

    Raises:
        DatasetError: paths on several drives, or out of an archive.
    """
    root = os.path.abspath(folder.path)  # noqa: PTH100 (links stay as they are)
    whole = [os.path.abspath(path) for path in paths]  # noqa: PTH100
    inside = root.rstrip(os.sep) + os.sep
    if outside := [path for path in whole if not path.startswith(inside)]:
        if folder.path != folder.shown:
            raise DatasetError(
                f"{len(outside):,} files of the table lie outside of {str(folder.shown)!r}, an archive. Unpack it "
                "yourself, and give the folder."
            )
        try:
            root = os.path.commonpath([os.path.dirname(path) for path in whole])  # noqa: PTH120
        except ValueError:
            raise DatasetError("the files of the table lie on several drives. Move them to one.") from None
    return [printable(os.path.relpath(path, root).replace(os.sep, "/")) for path in whole]


def check_once(table: Columns, paths: Sequence[str], keys: Sequence[str], labels: Sequence[Cell]) -> None:
    """Refuse a file that stands in two rows: under two labels it teaches nothing, under one it may leak.

    Raises:
        DatasetError: the files, their rows and their labels.
    """
    rows: dict[str, list[int]] = {}
    for at, path in enumerate(paths):
        rows.setdefault(os.path.normpath(path), []).append(at)
    again = [found for found in rows.values() if len(found) > 1]
    torn = [found for found in again if len({labels[at] for at in found}) > 1]
    if torn:
        told = [
            f"{keys[found[0]]!r}: " + ", ".join(f"{labels[at]!r} in {table.row(at)}" for at in found[:3])
            for found in torn
        ]
        head = f"{len(torn):,} files of {table.name} have several labels. Keep the right row of each:"
        raise DatasetError(with_reasons(head, told))
    if again:
        told = [f"{keys[found[0]]!r}: {_rows(table, found)}" for found in again]
        head = f"{len(again):,} files of {table.name} stand in several rows. Keep one row of each:"
        raise DatasetError(with_reasons(head, told))


def _path(name: str, folder: Place, ending: str, *, always: bool) -> str:
    has_one = name.lower().endswith(ending.lower() if always else IMAGE_SUFFIXES)
    path = os.path.join(folder.path, name + ("" if has_one else ending))  # noqa: PTH118
    if "\\" in name and os.sep == "/" and not os.path.isfile(path):  # noqa: PTH113
        path = path.replace("\\", "/")  # written on Windows
    return os.path.normpath(path)


def _ending(names: Sequence[str], folder: Place) -> str:
    """The ending that names without one have in the folder: that of the first of them that is there."""
    bare = next((name for name in names if not name.lower().endswith(IMAGE_SUFFIXES)), None)
    if bare is None:
        return ""
    endings = ("", *IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    return next((each for each in endings if os.path.isfile(_path(bare, folder, each, always=True))), "")  # noqa: PTH113


def _check_header_is_none(table: str, said: str, path: str, paths: Sequence[str]) -> None:
    """Refuse a header that says *said* and names a file, *path*, that no row names: it is a row, and would be lost."""
    if os.path.isfile(path) and path not in set(paths):  # noqa: PTH113
        raise DatasetError(
            f"{table} seems to have no header: its first line says {said!r}, a file that is there, and in no row. "
            "Add a line with the names of the columns before it, such as 'filename,class'; or rename the column, if it "
            "is one."
        )


def _missing(table: Columns, column: int, missing: Sequence[tuple[int, str]], folder: Place) -> DatasetError:
    with os.scandir(folder.path) as entries:
        inside = natural({printable(entry.name) for entry in entries if entry.is_dir() and not is_hidden(entry.name)})
    there = f" Folders there: {listed(inside)}." if inside else ""
    what = listed(f"{printable(name)} ({table.row(at)})" for at, name in missing)
    return DatasetError(
        f"{len(missing):,} files that {table.called(column)} names are not in {str(folder.shown)!r}: {what}.{there} "
        "Give the folder as directory, the ending that the names lack as extension='.jpg', or remove the rows."
    )


def _rows(table: Columns, positions: Sequence[int]) -> str:
    hidden = len(positions) - 5
    return ", ".join(map(table.row, positions[:5])) + (f" and {hidden:,} more" if hidden > 0 else "")
