"""Which record files make up a set, and the names of the classes that lie beside them.

In: a file, a folder, a pattern or a list of files.  Out: the files in their order; the class names.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import DatasetError, listed
from ..files import open_file
from .class_names import given_names
from .names import is_hidden, natural, natural_key
from .paths import as_path, check_there, printable

SHARD = re.compile(r"(?P<set>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<rest>.*)")
_RECORDS = re.compile(r".*\.tfrecords?(\.gz)?|.*\.tfrecords?-\d{5}-of-\d{5}|.+-\d{5}-of-\d{5}", re.IGNORECASE)
_LARGEST_NAMES = 2**24  # bytes


def record_files(given: object) -> dict[str, Path]:
    """The files that *given* means, in natural order: what keys and messages call each → its path.

    Raises:
        DatasetError: no such file; of a folder: several sets, or a set of which files are missing.
        OptionError: *given* is no path, and no list of paths.
    """
    if isinstance(given, (list, tuple)) and given:
        files = [_checked(as_path(each, "record file")) for each in given]
    else:
        path = as_path(given, "record file")
        if path.is_dir():
            files = _of_folder(path)
        elif any(sign in path.name for sign in "*?[") and not path.exists():
            files = _of_pattern(path)
        else:
            files = [_checked(path)]
    above = [os.path.abspath(file.parent) for file in files]  # noqa: PTH100 (links stay as they are)
    common = os.path.commonpath(above)
    whole = [Path(folder) / file.name for folder, file in zip(above, files, strict=True)]
    names = [path.relative_to(common).as_posix() for path in whole]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"these record files are given twice: {listed(twice)}. Give each once.")
    found = {printable(name): file for name, file in zip(names, files, strict=True)}
    return {name: found[name] for name in natural(found)}


def set_name(file: Path) -> str:
    """The name of the set that *file* is a part of.

    >>> set_name(Path("pets/train-00003-of-00008.tfrecord"))
    'train'
    """
    match = SHARD.fullmatch(file.name)
    return match["set"] if match else file.name.partition(".")[0]


def names_beside(files: Sequence[Path], label: str) -> tuple[str, ...] | None:
    """The class names that lie beside *files*, or None.

    They are in ``train.classes.json``, as we write it, or in ``label.labels.txt``, as TensorFlow Datasets does.

    Raises:
        DatasetError: it cannot be read, or the parts of a set have different ones.
    """
    found: dict[tuple[str, ...], Path] = {}
    for folder, name in {(file.parent, set_name(file)): None for file in files}:
        for path in (folder / f"{name}.classes.json", folder / f"{label.replace('/', '-')}.labels.txt"):
            if path.is_file():
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
        found = json.loads(text)["class_names"] if path.suffix == ".json" else text.splitlines()
        return given_names(found, least=0) or ()
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise DatasetError(
            f"{str(path)!r} holds no class names: {printable(str(error))} Mend it, or give them as class_names."
        ) from None


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
    found = [Path(each) for each in glob.glob(str(pattern))]  # noqa: PTH207 (a pattern may be absolute)
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


def _checked(path: Path) -> Path:
    shown = check_there(path, "file")
    if not path.is_file():
        raise DatasetError(f"{shown} is no regular file, and a record file is expected. Give a file or their folder.")
    return path
