"""Which record files make up a set, and the names of the classes that lie beside them.

In: a file, a folder, a pattern or a list of files.  Out: the files in their order; the class names.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import DatasetError, listed
from ..files import open_file
from .class_names import given_names
from .names import is_hidden, natural, natural_key
from .paths import as_path, check_there, printable

SHARD = re.compile(r"(?P<set>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<rest>.*)")
_RECORDS = re.compile(r".*\.tfrecords?(\.gz)?|.*\.tfrecords?-\d{5}-of-\d{5}|.+-\d{5}-of-\d{5}", re.IGNORECASE)
_ENDING = re.compile(r"\.tfrecords?(\.gz)?$", re.IGNORECASE)
_PATTERN = re.compile(r"[*?\[]")
_LARGEST_NAMES = 2**24  # bytes

LABELS = ("image/class/label", "label", "image/class/text", "class")
"""The features that usually hold the class; the names in ``train.classes.json`` are theirs, and of no other."""


def record_files(given: object) -> dict[str, Path]:
    """The files that *given* means, in natural order: what keys and messages call each → its path.

    Raises:
        DatasetError: no such file; one part of a set in two files, such as a file and what it was packed to; of a
            folder: several sets, or a set of which files are missing.
        OptionError: *given* is no path, and no list of paths.
    """
    if isinstance(given, (list, tuple)) and given:
        files = [_checked(as_path(each, "record file")) for each in given]
    else:
        path = as_path(given, "record file")
        if path.is_dir():
            files = _of_folder(path)
        elif _PATTERN.search(str(path)) and not path.exists():
            files = _of_pattern(path)
        else:
            files = [_checked(path)]
    above = [os.path.abspath(file.parent) for file in files]  # noqa: PTH100 (links stay as they are)
    common = os.path.commonpath(above)
    whole = [Path(folder) / file.name for folder, file in zip(above, files, strict=True)]
    names = [path.relative_to(common).as_posix() for path in whole]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DatasetError(f"these record files are given twice: {listed(twice)}. Give each once.")
    _check_parts(whole)
    found = {printable(name): file for name, file in zip(names, files, strict=True)}
    if len(found) < len(files):
        alike = sorted(name for name, count in Counter(map(printable, names)).items() if count > 1)
        raise DatasetError(f"record files whose names are no UTF-8 look like others: {listed(alike)}. Rename them.")
    return {name: found[name] for name in natural(found)}


def set_name(file: Path) -> str:
    """The name of the set that *file* is a part of.

    >>> set_name(Path("pets/train-00003-of-00008.tfrecord"))
    'train'
    >>> set_name(Path("pets/train.v1.tfrecord.gz"))
    'train.v1'
    """
    match = SHARD.fullmatch(file.name)
    return match["set"] if match else _ENDING.sub("", file.name)


def names_beside(files: Sequence[Path], label: str) -> tuple[str, ...] | None:
    """The class names that lie beside *files*, or None.

    They are in ``train.classes.json``, as we write it, or in ``label.labels.txt``, as TensorFlow Datasets does.  The
    first names the classes of the usual features, see :data:`LABELS`: a number of another one means something else.

    Raises:
        DatasetError: it cannot be read, or the parts of a set have different ones.
    """
    found: dict[tuple[str, ...], Path] = {}
    for folder, name in {(file.parent, set_name(file)): None for file in files}:
        ours, theirs = folder / f"{name}.classes.json", folder / f"{label.replace('/', '-')}.labels.txt"
        for path in (ours, theirs):
            if path.is_file() and (path == theirs or label in LABELS):
                found.setdefault(_names(path), path)
                break
    if len(found) > 1:
        several = listed(str(path) for path in found.values())
        raise DatasetError(f"the record files have several lists of classes: {several}. Read them apart.")
    return next(iter(found), None)


def _names(path: Path) -> tuple[str, ...]:
    try:
        with open_file(path) as file:
            text = file.read(_LARGEST_NAMES).decode()
        return given_names(_listed_in(text) if path.suffix == ".json" else text.splitlines(), least=0) or ()
    except OSError as error:
        why = f"{error.strerror or error}."
    except (ValueError, RecursionError) as error:
        why = printable(str(error).rstrip(".")) + "."
    raise DatasetError(f"{str(path)!r} holds no class names: {why} Mend it, or give them as class_names.")


def _listed_in(text: str) -> list[str]:
    """The class names in our own file; what they are is looked at by the caller."""
    content = json.loads(text)
    names = content.get("class_names") if isinstance(content, dict) else None
    if not isinstance(names, list):
        what = "a list" if isinstance(content, list) else repr(content)[:80]
        raise ValueError(f"it is {what}; expected {{'class_names': ['cat', 'dog']}}")
    return names


def _of_folder(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if _RECORDS.fullmatch(path.name) and not is_hidden(path.name)]
    files = [path for path in files if path.is_file()]
    sets = natural({set_name(path) for path in files})
    if not files:
        raise DatasetError(f"the folder {str(folder)!r} holds no record files (.tfrecord, …-00000-of-00008). Check it.")
    if len(sets) > 1:
        raise DatasetError(
            f"the folder {str(folder)!r} holds several sets: {listed(sets)}. Say which, by a pattern: "
            f"{str(folder / (sets[0] + '*'))!r}."
        )
    _check_complete(files, folder)
    return files


def _of_pattern(pattern: Path) -> list[Path]:
    folder = pattern.parent
    if _PATTERN.search(str(folder)) and not folder.exists():
        raise DatasetError(
            f"there is no folder {str(folder)!r} (looked for in {str(Path.cwd())!r}), and only the last part of a path "
            "may be a pattern. Give a pattern within one folder, or a list of files."
        )
    if not _PATTERN.search(pattern.name):
        return [_checked(pattern)]
    found = [folder / each for each in glob.glob(pattern.name, root_dir=folder)]  # noqa: PTH207 (links as they are)
    files = [path for path in found if path.is_file() and not path.name.endswith((".json", ".txt"))]
    if not files:
        raise DatasetError(f"no file fits {str(pattern)!r} (looked for in {str(Path.cwd())!r}). Check the pattern.")
    return sorted(files, key=lambda path: natural_key(str(path)))


def _check_complete(files: Sequence[Path], folder: Path) -> None:
    parts = [match for file in files if (match := SHARD.fullmatch(file.name))]
    counts = {int(part["count"]) for part in parts}
    if len(counts) > 1 or (parts and len(parts) < len(files)):
        raise DatasetError(f"the files of {str(folder)!r} are parts of several sets: {listed(f.name for f in files)}.")
    missing = sorted(set(range(max(counts, default=0))) - {int(part["number"]) for part in parts})
    if missing:
        raise DatasetError(
            f"of the {max(counts)} record files of {str(folder)!r} {len(missing)} are missing: {listed(missing)}. "
            "Fetch them, or give the files that there are as a list."
        )


def _check_parts(files: Sequence[Path]) -> None:
    """Refuse two files that are one part of one set, such as ``a.tfrecord`` and ``a.tfrecord.gz``."""
    parts: dict[tuple[object, ...], list[str]] = {}
    for file in files:
        match = SHARD.fullmatch(file.name)
        part = (match["number"], match["count"]) if match else None
        parts.setdefault((file.parent, set_name(file), part), []).append(file.name)
    if twice := [names for names in parts.values() if len(names) > 1]:
        alike = "; ".join(" and ".join(map(repr, sorted(names))) for names in twice[:5])
        raise DatasetError(
            f"of {len(twice):,} parts there are several files, and their pictures would be read twice: {alike}. "
            "Keep one of each, or give those as a list."
        )


def _checked(path: Path) -> Path:
    shown = check_there(path, "file")
    if not path.is_file():
        raise DatasetError(f"{shown} is no regular file, and a record file is expected. Give a file or their folder.")
    return path
