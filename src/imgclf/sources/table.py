"""Pictures whose files and classes stand in a table."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, OptionError
from .base import UNLABELLED
from .class_names import given_names, labels_of_table
from .paths import Place, as_path, check_there
from .picture_files import FileSource, PictureFiles
from .table_columns import AUTO, Cell, Columns, Frame, Header, find_columns, header_of_file, header_of_frame
from .table_files import check_once, checked_extension, keys_of, paths_of
from .unpacking import place_of


@final
class TableSource(FileSource):
    """The pictures that a table names, a row each: a file and its class.

    What Keras's ``flow_from_dataframe`` read, under the same names: ``TableSource(frame, "images", x_col="filename",
    y_col="class")``.  The table is read here, and every file looked for; nothing is decoded before ``read``.  Samples
    stand in the order of the rows.  Keys are POSIX paths relative to *directory*; or, if the table names a file outside
    of it, relative to the deepest folder that holds all files.

    >>> import tempfile
    >>> from imgclf import DrawnPets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = DrawnPets(4).write(folder)
    ...     frame = {"filename": ["cat.0.png", "dog.1.png"], "class": ["cat", "dog"]}
    ...     print(TableSource(frame, folder).samples().keys.tolist())
    ['cat.0.png', 'dog.1.png']

    Args:
        table: The path of a ``.csv`` or ``.csv.gz`` (comma, semicolon or tab; in an archive the path goes on:
            ``"dog-breed.zip/labels.csv"``); a DataFrame; or a mapping such as ``{"filename": […], "class": […]}``.
        directory: The folder that the files' names begin at, or a ``.zip``.  None: that of the table; for a DataFrame
            and a mapping the working folder.
        x_col: The column of the files: its name, or its position from 0.  ``"auto"``: the one called ``filename``,
            ``path``, ``file``, ``image``, ``id`` or much like it.
        y_col: The column of the classes, names or whole numbers.  ``"auto"``: the one called ``label``, ``class``,
            ``category`` or ``target``, or the other one of two; None: the pictures are unlabelled.  Empty cells are
            unlabelled, with a warning, and so is −1.
        extension: What names of files lack: ``".jpg"`` where the table says ``cat.1``.  None: the ending that the first
            such name has in the folder.
        class_names: The names of the classes, in the order of the labels.  None: those found, in natural order.
            Labels that are numbers, and not among the names, are positions in them.

    Attributes:
        directory: The folder.
        class_names: The names of the classes; empty if unlabelled and not given.
        ignored: Always empty: every row is a picture.
        files: The path of each key.

    Raises:
        DatasetError: the table is none; its columns cannot be told; files that are not there, all of them at once; a
            file in several rows; one class only, or nearly as many classes as pictures.
        UnknownNameError: no column *x_col* or *y_col*.
        OptionError: something that is no table, or options that cannot be.
        FileError: there is no room to unpack an archive.
    """

    ignored: tuple[()] = ()

    def __init__(
        self,
        table: str | os.PathLike[str] | Mapping[str, Sequence[Any]] | Frame,
        directory: str | os.PathLike[str] | None = None,
        *,
        x_col: str | int = AUTO,
        y_col: str | int | None = AUTO,
        extension: str | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        _check_column("x_col", x_col)
        if y_col is not None:
            _check_column("y_col", y_col)
        ending = checked_extension(extension)
        header, beside = _opened(table)
        files, labels = find_columns(header, x_col, y_col)
        folder = _folder(beside if directory is None else directory)
        self.directory = folder.shown
        self._name = header.name.removeprefix("the ")
        columns = header.read([files] if labels is None else [files, labels])
        with folder.named():
            paths = paths_of(columns, files, folder, ending)
            keys = keys_of(paths, folder)
        cells: list[Cell] = [None] * len(keys) if labels is None else columns.cells[labels]
        check_once(columns, paths, keys, cells)
        given = given_names(class_names, least=0 if labels is None else 2)
        self.files = PictureFiles(dict(zip(keys, paths, strict=True)), folder)
        if len(self.files) < len(keys):
            raise DatasetError(f"two files of {columns.name} would have one key, by odd bytes in a name. Rename one.")
        if labels is None:
            self.class_names, self._labels = given or (), np.full(len(keys), UNLABELLED, np.int32)
        else:
            self.class_names, self._labels = _labels(columns, labels, cells, given)

    def __repr__(self) -> str:
        return f"TableSource({self._name}: {len(self.files):,} pictures, {len(self.class_names)} classes)"


def _opened(table: object) -> tuple[Header, Path]:
    """The columns of what a user gave, and the folder that it lies in."""
    if isinstance(table, (str, bytes, os.PathLike)):
        place = place_of(as_path(table, "table"), "table")
        return header_of_file(place), place.shown.parent
    return header_of_frame(table), Path()  # type: ignore[arg-type] # it says what is wrong


def _folder(given: str | os.PathLike[str]) -> Place:
    folder = place_of(as_path(given, "folder"), "folder")
    with folder.named():
        shown = check_there(folder.path, "folder")
    if not folder.path.is_dir():
        raise DatasetError(f"{shown} is a file, and the folder of the pictures is expected. Give it as directory.")
    return folder


def _labels(
    table: Columns, column: int, cells: Sequence[Cell], given: tuple[str, ...] | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    where = table.called(column)
    known = [at for at, cell in enumerate(cells) if cell is not None]
    if not known:
        raise DatasetError(f"{where} is empty. Fill it in, or say y_col=None for pictures without labels.")
    names, found = labels_of_table([str(cells[at]) for at in known], given, where)
    if len(known) < len(cells):
        warnings.warn(
            f"{where} is empty in {len(cells) - len(known):,} of {len(cells):,} rows: these pictures are unlabelled, "
            "and training leaves them out. Fill in their labels, or remove the rows.",
            stacklevel=3,
        )
    labels = np.full(len(cells), UNLABELLED, np.int32)
    labels[known] = found
    return names, labels


def _check_column(option: str, column: object) -> None:
    if not isinstance(column, str | int) or isinstance(column, bool):
        raise OptionError(f"{option} is {column!r}; expected the name of a column, or its position from 0.")
