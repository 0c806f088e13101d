"""The saved classifier: an ordinary ``.keras`` archive with one more member, ``imgclf.json``.

In: a Keras model and a record that JSON can hold.  Out: one file, and both back from it.  Plain
``keras.saving.load_model`` opens the file too, without imgclf and on any backend.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from .errors import ModelFileError
from .files import finite, replacing

MEMBER = "imgclf.json"
SCHEMA = 1
"""The version of what ``imgclf.json`` holds; files of an older one stay readable."""


def write_model(path: str | os.PathLike[str], model: keras.Model, record: Mapping[str, Any]) -> Path:
    """Write *model* and *record* to *path*, whole or not at all; returns the path.

    Raises:
        ModelFileError: the path does not end in ``.keras``.
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise ModelFileError(
            f"'{target}' does not end in .keras, the one format that is written. Call it '{target}.keras'."
        )
    try:
        content = json.dumps({"schema": SCHEMA, **finite(record)}, ensure_ascii=False, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"the provenance cannot be saved as JSON: {error}. Take out what is no text or number."
        ) from error
    with replacing(target) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(MEMBER, content)
    return target


def read_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
) -> tuple[keras.Model, dict[str, Any] | None]:
    """The model of *path*, opened in Keras's safe mode, and its record: None where the file is another program's.

    Args:
        path: A ``.keras`` file.
        custom_objects: A user's own layers by name, as Keras takes them.

    Raises:
        ModelFileError: no such file, no ``.keras`` archive, damaged, from a later version, or refused by Keras.
    """
    target = Path(path)
    if not target.is_file():
        raise ModelFileError(f"'{target}' is no file. Give the path of a .keras file.")
    with target.open("rb") as file:
        if file.read(4) == b"\x89HDF":
            raise ModelFileError(
                f"'{target}' is an HDF5 file, not a .keras archive. Open it with Keras where you trust it, and save it "
                "as .keras."
            )
    try:
        with zipfile.ZipFile(target) as archive:
            damaged = archive.testzip()
            record = json.loads(archive.read(MEMBER)) if MEMBER in archive.namelist() else None
            foreign = "config.json" not in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise ModelFileError(
            f"'{target}' is damaged, or no .keras archive: {error}. Restore it from a copy, or train again."
        ) from error
    if damaged or foreign:
        what = f"its member {damaged!r} is damaged" if damaged else "it is a zip archive without a Keras model"
        raise ModelFileError(f"'{target}' cannot be opened: {what}. Restore it from a copy, or train again.")
    if record is not None and (not isinstance(record, dict) or not isinstance(record.get("schema"), int)):
        raise ModelFileError(f"'{target}' holds a damaged record, {MEMBER}. Restore it from a copy, or train again.")
    if record is not None and record["schema"] > SCHEMA:
        raise ModelFileError(
            f"'{target}' was written by a later imgclf (schema {record['schema']}; this one reads up to {SCHEMA}). "
            "Update imgclf."
        )
    return _keras_model(target, custom_objects), record


def _keras_model(path: Path, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything here
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelFileError(
            f"'{path}' cannot be rebuilt by Keras: {cause[:300]}. A layer of your own must "
            "be given in custom_objects; code inside the file is never run."
        ) from error
