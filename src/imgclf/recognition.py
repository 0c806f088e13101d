"""A path → what lies there: class folders, parts of a set, labelled names, a table, records, an archive of these.

In: one path.  Out: ``Recognised``: a ``SourceSpec`` per part, which says itself in words, as Python and as JSON.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from .errors import DatasetError, OptionError, listed
from .images import IMAGE_SUFFIXES
from .source_spec import KINDS, Kind, SourceSpec
from .sources import DatasetSource
from .sources.contents import Contents, contents_of
from .sources.csv_file import first_line
from .sources.part_names import part_of
from .sources.paths import as_path, printable
from .sources.unpacking import place_of

Part = Literal["all", "train", "validation", "test", "unlabelled"]

_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_RECORDS = re.compile(r"\.tfrecords?(\.gz)?$|\.tfrec$|tfrecord.*-\d+-of-\d+", re.IGNORECASE)
_PIXEL_COLUMNS = 20  # a table of files has fewer columns, one of pixels more: 28×28 = 784
_NUMBERED = r"^(?P<label>.*?[^\W\d_])[\s_.\-]*\(?\d+\)?\.[A-Za-z]+$"  # Abyssinian_12.jpg, cat (3).png, dog-007.jpeg
_ENDINGS = re.compile(r"(\.csv|\.tsv|\.gz|\.zip)+$", re.IGNORECASE)
_PARTING = {"split", "set", "subset", "fold", "part", "partition"}
_DEEPEST = 4  # folders with nothing but one folder in them that are stepped through


@dataclass(frozen=True)
class Recognised:
    """What a path was taken for; ``print`` says it.

    Attributes:
        parts: ``"all"`` (still to be split) or ``"train"``, with ``"validation"``, ``"test"`` and ``"unlabelled"``
            where there are such.
        ignored: Folders beside the parts that are none.
    """

    parts: Mapping[Part, SourceSpec]
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        if "all" in self.parts:
            lines = [str(self.parts["all"])]
        else:
            width = max(map(len, self.parts))
            lines = [f"{name:{width}}  {spec}" for name, spec in self.parts.items() if name != "unlabelled"]
        if spec := self.parts.get("unlabelled"):
            lines.append(f"without labels, left for predict: {printable(spec.path)}")
        if self.ignored:
            lines.append(f"no part of the set, left out: {listed(self.ignored)}")
        return "\n".join(lines)

    @property
    def labelled(self) -> dict[str, SourceSpec]:
        """The parts that have labels."""
        return {name: spec for name, spec in self.parts.items() if name != "unlabelled"}

    def open(self) -> dict[str, DatasetSource]:
        """The sources of the labelled parts, by name."""
        return {name: spec.open() for name, spec in self.labelled.items()}


def recognise(path: str | os.PathLike[str], kind: Kind | None = None, **options: Any) -> Recognised:
    """What lies at *path*, and by which sources it can be read.

    In this order: a table (of pixels if it has many columns, else of files) or TFRecord file; a folder or archive with
    parts called ``train``, ``validation``, ``test`` or the like; a table beside pictures; class folders; pictures whose
    names tell the class (``cat.0.jpg``, ``cat_12.jpg``).  A ``.zip`` is looked into, and so are archives in it.  A
    folder that holds one folder and nothing else is stepped through.

    ::

        found = recognise("pets")
        print(found)
        data = Dataset.load(found.open()["all"], image_size=(150, 150))

    Args:
        path: A folder, a ``.zip``, a table or a TFRecord file.
        kind: ``"folders"``, ``"filenames"``, ``"csv_pixels"``, ``"table"`` or ``"tfrecords"``, where it should not be
            guessed; the path is then not searched for parts.
        options: The source's other arguments; they need *kind*.

    Raises:
        DatasetError: nothing is there, or nothing that can be read as labelled pictures; the message says what is.
    """
    given = as_path(path, "path")
    if kind is not None:
        return Recognised({"all": SourceSpec(kind, str(given), options)})
    if options:
        raise OptionError(f"{listed(options)} need the kind of source. Say kind: one of {listed(KINDS, 9)}.")
    inside = contents_of(given)
    for _ in range(_DEEPEST):
        if inside.only_folder is None or part_of(inside.only_folder):
            break
        given /= inside.only_folder
        inside = contents_of(given)
    if parts := _parts(given, inside):
        used = {Path(spec.path).relative_to(given).parts[0] for spec in parts.values()}
        told = {str(Path(spec.options["directory"]).name) for spec in parts.values() if "directory" in spec.options}
        return Recognised(parts, tuple(sorted(inside.filled - used - told)))
    return Recognised({"all": _one(given, inside, train=None)})


def _parts(path: Path, inside: Contents) -> dict[Part, SourceSpec]:
    """The parts of a set, by the names of folders, archives and tables; nothing where there is no training part."""
    folders, others = _named_parts(inside.folders), _named_parts(filter(_is_readable, inside.files))
    found = {**others, **folders}
    if "train" not in found or (
        len(found) == 1 and inside.filled - {found["train"]}
    ):  # bus, car, train: these are classes
        return {}
    tables = [others[part] for part in others if part in folders] + [
        name for name in _tables(inside) if name not in others.values()
    ]
    specs: dict[Part, SourceSpec] = {}
    for part in ("train", "validation", "test"):
        if part not in found:
            continue
        spec = None
        if part in folders and tables:  # Kaggle's train/ beside train.csv or labels.csv
            spec = _labelled_by(path, tables, {folders[part]})
        if spec is None:
            spec = _one(path / found[part], contents_of(path / found[part]), train=specs.get("train"))
        if part != "train" and "train" in specs:
            spec = _as_trained(spec, specs["train"])
        specs["unlabelled" if _is_unlabelled(spec) else part] = spec
    if "train" in specs and not specs.keys() & {"validation", "test"}:
        return {"all": specs.pop("train"), **specs}
    return specs if "train" in specs else {}


def _named_parts(names: Iterable[str]) -> dict[Part, str]:
    """The one of *names* for each part that they tell."""
    found: dict[Any, str] = {}
    for name in names:
        part = part_of(_ENDINGS.sub("", name))
        if part in found:
            raise DatasetError(
                f"{found[part]!r} and {name!r} are both called as the {part} part is. Give one of them, or put them "
                "into one folder."
            )
        if part in ("train", "validation", "test"):
            found[part] = name
    return found


def _as_trained(spec: SourceSpec, train: SourceSpec) -> SourceSpec:
    """*spec*, without labels where the names of its pictures tell none of the training part's classes."""
    if spec.kind != "filenames" or spec.options.get("labelled") is False:
        return spec
    try:
        told = set(spec.open().class_names)
    except DatasetError:
        told = set()
    known = told & set(train.open().class_names)
    return spec if known else SourceSpec("filenames", spec.path, {"labelled": False})


def _tables(inside: Contents) -> list[str]:
    """Tables that may hold labels: what is to be handed in holds made-up ones."""
    return [name for name in inside.files if name.lower().endswith(_TABLES) and "submission" not in name.lower()]


def _is_readable(name: str) -> bool:
    return name.lower().endswith((".zip", *_TABLES))


def _one(path: Path, inside: Contents, train: SourceSpec | None) -> SourceSpec:
    """What one part is; *train* is what its training set was."""
    tables, loose, filled = _tables(inside), inside.loose, inside.filled
    if any(_RECORDS.search(name) for name in inside.files):
        return SourceSpec("tfrecords", str(path))
    if not inside.pictures:
        return _file(path if inside.is_file else path / _only_table(path, inside, tables), train)
    beside = tables and (loose or len(filled) == 1)
    if beside and (spec := _labelled_by(path, tables, filled)) is not None:
        return spec
    if len(filled) < 2 and len(loose) > len(inside.pictures) // 2:
        return _by_name(path, loose)
    if len(filled) == 1 and not loose and (train is None or not filled & set(train.open().class_names)):
        only = path / next(iter(filled))
        return _one(only, contents_of(only), train)
    return SourceSpec("folders", str(path))


def _only_table(path: Path, inside: Contents, tables: Sequence[str]) -> str:
    if len(tables) == 1:
        return tables[0]
    what = f"{len(tables)} tables and no pictures" if tables else "no pictures, table or TFRecord file"
    raise DatasetError(
        f"{printable(str(path))!r} holds {what}; there are {listed(inside.entries) if inside.entries else 'no files'}. "
        f"Give the table; or the folder or archive of labelled pictures ({', '.join(IMAGE_SUFFIXES)})."
    )


def _file(path: Path, train: SourceSpec | None) -> SourceSpec:
    name = path.name.lower()
    if _RECORDS.search(name):
        return SourceSpec("tfrecords", str(path))
    if name.endswith((*_TABLES, ".zip")):
        if train is not None and train.kind == "csv_pixels":
            return SourceSpec("csv_pixels", str(path))
        first = _first_line(path)
        columns = re.split(r"[,;\t]", first)
        if len(columns) >= _PIXEL_COLUMNS:
            return SourceSpec("csv_pixels", str(path))
        if parting := [name for name in columns if name.strip(' "').casefold() in _PARTING]:
            raise DatasetError(
                f"{printable(str(path))!r} says in column {parting[0].strip()!r} which part a row belongs to, which is "
                "not read from a table. Write a table per part, train.csv and test.csv, or take the column out."
            )
        return SourceSpec("table", str(path))
    if name.endswith(IMAGE_SUFFIXES):
        raise DatasetError(f"{printable(str(path))!r} is one picture. Give the folder, and its class as its folder.")
    raise DatasetError(
        f"{printable(str(path))!r} is no folder, archive (.zip), table ({', '.join(_TABLES)}) or TFRecord file. Give "
        "one of these; unpack other archives first."
    )


def _labelled_by(path: Path, tables: Sequence[str], folders: set[str]) -> SourceSpec | None:
    """The table beside pictures that names them; None where none does.

    Raises:
        DatasetError: several do, and their labels may differ.
    """
    found = []
    for name in tables:
        for folder in (None, *(str(path / one) for one in sorted(folders))):
            spec = SourceSpec("table", str(path / name), {} if folder is None else {"directory": folder})
            try:
                source = spec.open()
            except ValueError:  # it names other files, or none
                continue
            if len(source.class_names) > 1:
                found.append(spec)
                break
    if len(found) > 1:
        raise DatasetError(
            f"several tables in {printable(str(path))!r} label the pictures: "
            f"{listed(Path(spec.path).name for spec in found)}. Give the right one itself."
        )
    return found[0] if found else None


def _by_name(path: Path, names: Sequence[str]) -> SourceSpec:
    """Pictures by their names: by the text before the first dot, or before a number at the end."""
    stems = [PurePosixPath(name).stem for name in names]
    if all(stem.isdecimal() for stem in stems):
        return SourceSpec("filenames", str(path), {"labelled": False})
    if sum("." in stem for stem in stems) > len(stems) / 2:
        return SourceSpec("filenames", str(path))
    told = [match["label"] if (match := re.search(_NUMBERED, name)) else None for name in names]
    counts = Counter(label for label in told if label is not None)
    if None not in told and len(counts) > 1 and len(names) >= 2 * len(counts):
        return SourceSpec("filenames", str(path), {"pattern": _NUMBERED})
    return SourceSpec("filenames", str(path))


def _is_unlabelled(spec: SourceSpec) -> bool:
    if spec.kind == "csv_pixels":  # Kaggle's test.csv has names of columns, and none of them is the label's
        head = _first_line(Path(spec.path)).lower()
        return "label" not in head and any(letter.isalpha() for letter in head)
    return spec.options.get("labelled") is False


def _first_line(path: Path) -> str:
    place = place_of(path, "table")
    with place.named():
        return first_line(place.path)[0]
