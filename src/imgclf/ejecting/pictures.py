"""Where the pictures of a run lie, and which of them train, validate and test: data, and not code.

In: datasets and the sources that they came from.  Out: the rows of ``split.csv``, and what the script needs to read the
pictures: a folder of files, tables of pixels, or the pixels themselves.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np

from ..dataset import Dataset
from ..errors import DatasetError, OptionError, listed
from ..files import replacing
from ..sources import CsvPixelsSource, DatasetSource
from ..sources.picture_files import FileSource
from ..sources.unpacking import is_gzip

Sources = DatasetSource | Mapping[str, DatasetSource] | None
Parts = Mapping[str, Dataset]
Layout = tuple[tuple[int, int, int], str, int | None, bool]
Kind = Literal["files", "tables", "arrays"]


@dataclass(frozen=True)
class Pictures:
    """What a script reads.

    Attributes:
        kind: ``"files"``, ``"tables"`` of pixels, or ``"arrays"``: pixels as they were decoded.
        folder: Where files and tables lie; None for arrays.
        columns: Those of ``split.csv`` that name a picture.
        rows: One per picture and part: what *columns* say, class, part.
        layout: Of tables: shape of a picture, delimiter, label column, whether they are packed by gzip.
        archive: Whether *folder* is what an archive was unpacked to.
    """

    kind: Kind
    folder: Path | None
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    layout: Layout | None = None
    archive: bool = False


def pictures_of(parts: Parts, source: Sources) -> Pictures:
    """What the script reads the pictures of *parts* from; arrays where *source* holds neither files nor tables.

    Raises:
        OptionError: a source for some parts only, or one that is none.
        DatasetError: a part has pictures that its source has not.
    """
    if source is None:
        return _arrays(parts)
    sources = (
        {name: source.get(name) for name in parts} if isinstance(source, Mapping) else dict.fromkeys(parts, source)
    )
    if wrong := [name for name, one in sources.items() if not isinstance(one, DatasetSource)]:
        raise OptionError(
            f"there is no source of the pictures for {listed(wrong)}. Give one source, or one for each of "
            f"{listed(parts)}; None writes the pixels themselves."
        )
    tables = [one for one in sources.values() if isinstance(one, CsvPixelsSource)]
    with contextlib.suppress(_NoCommonFolderError):
        if all(isinstance(one, FileSource) for one in sources.values()):
            return _files(parts, sources)
        if len(tables) == len(sources) and len({_layout(table) for table in tables}) == 1:
            return _tables(parts, sources)
    return _arrays(parts)


def write_split(path: Path, pictures: Pictures) -> None:
    """Write ``split.csv``: names of files may hold anything, bytes that are no text and line ends too."""
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow((*pictures.columns, "class", "part"))
        writer.writerows(pictures.rows)


def write_pixels(path: Path, parts: Parts) -> None:
    """Write ``pictures.npz``: an array of uint8 ``(n, height, width, channels)`` per part."""
    arrays: dict[str, Any] = {name: part.images for name, part in parts.items()}
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def digest(parts: Parts) -> str:
    """SHA-256 of all pixels, part by part, picture by picture."""
    total = hashlib.sha256()
    for part in parts.values():
        for row in part.rows:  # one by one: a memory map may be larger than memory
            total.update(np.ascontiguousarray(part.store[row]).data)
    return total.hexdigest()


def _files(parts: Parts, sources: Mapping[str, Any]) -> Pictures:
    found = {name: _paths(sources[name].files.paths, part) for name, part in parts.items()}
    roots = [os.path.abspath(one.files.place.path) for one in sources.values()]  # noqa: PTH100 - text, any bytes
    every = {path for paths in found.values() for path in paths}
    folder = _common([*roots, *map(os.path.dirname, every)])
    rows = [
        (PurePath(os.path.relpath(path, folder)).as_posix(), said, name)
        for name, part in parts.items()
        for path, (_, said) in zip(found[name], _keyed(part), strict=True)
    ]
    archive = any(one.files.place.path != one.files.place.shown for one in sources.values())
    return Pictures("files", Path(folder), ("path",), rows, archive=archive)


class _NoCommonFolderError(Exception):
    """Files lie on several drives of Windows."""


def _common(folders: Sequence[str]) -> str:
    try:
        return os.path.commonpath(folders)
    except ValueError:
        raise _NoCommonFolderError from None


def _tables(parts: Parts, sources: Mapping[str, Any]) -> Pictures:
    paths = {name: os.path.abspath(one.file) for name, one in sources.items()}  # noqa: PTH100
    folder = _common([os.path.dirname(path) for path in paths.values()])  # noqa: PTH120
    rows = [
        (PurePath(os.path.relpath(paths[name], folder)).as_posix(), key.rpartition(":")[2], said, name)
        for name, part in parts.items()
        for key, said in _keyed(part)
    ]
    first = next(iter(sources.values()))
    archive = any(Path(one.file) != Path(one.path) for one in sources.values())
    return Pictures("tables", Path(folder), ("path", "line"), rows, _layout(first), archive)


def _arrays(parts: Parts) -> Pictures:
    rows = [(key, said, name) for name, part in parts.items() for key, said in _keyed(part)]
    return Pictures("arrays", None, ("key",), rows)


def _keyed(part: Dataset) -> list[tuple[str, str]]:
    """The key and the class of each picture."""
    return [(str(key), part.class_names[label]) for key, label in zip(part.keys, part.labels, strict=True)]


def _layout(table: CsvPixelsSource) -> Layout:
    return table.image_shape, table.layout.delimiter, table.layout.label, is_gzip(table.file)


def _paths(paths: Mapping[str, str], part: Dataset) -> list[str]:
    """The path of each picture."""
    if missing := [str(key) for key in part.keys if str(key) not in paths]:
        raise DatasetError(f"no pictures {listed(missing)} in the source. Give the one that the set is loaded from.")
    return [os.path.abspath(paths[str(key)]) for key in part.keys]  # noqa: PTH100
