"""One state of a run as one file: a record that JSON can hold and named arrays, with a digest over all of it.

In: plain values and NumPy arrays.  Out: an ``.npz`` file that appears whole or not at all, and both back from it if,
and only if, every bit is as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FileError
from .files import replacing

Arrays = dict[str, npt.NDArray[Any]]
_RECORD, _DIGEST = "record", "sha256"


def write_state(path: Path, record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write *record* and *arrays* to *path*, whole or not at all.

    Types that NumPy does not know by itself, such as bfloat16, are written as unsigned numbers of the same bits.

    Raises:
        FileError: it cannot be written; an older file of that name is as it was.
    """
    text = np.frombuffer(json.dumps(record).encode(), np.uint8)  # Python's JSON keeps NaN and infinity
    content = {_RECORD: text, **{f"arrays/{name}": _plain(array) for name, array in arrays.items()}}
    digest = np.frombuffer(_digest(content), np.uint8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_DIGEST: digest}, **content)


def read_state(path: Path) -> tuple[dict[str, Any], Arrays]:
    """The record and the arrays of *path*.

    Raises:
        FileError: it cannot be read, or a bit of it is not as it was written.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        digest = content.pop(_DIGEST).tobytes()
        record = json.loads(content[_RECORD].tobytes())
    except (PermissionError, FileNotFoundError, MemoryError) as error:
        raise FileError(f"'{path}' cannot be read: {error}.") from error
    except Exception as error:  # zip archives and NumPy raise nearly anything on damaged data
        raise FileError(f"'{path}' is damaged: {error}; the state before it serves.") from error
    if _digest(content) != digest:
        raise FileError(f"'{path}' is damaged: its digest differs; the state before it serves.")
    arrays = {name.removeprefix("arrays/"): array for name, array in content.items() if name != _RECORD}
    return record, arrays


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.asarray(array)
    return array.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "V" else array


def _digest(content: Mapping[str, npt.NDArray[Any]]) -> bytes:
    total = hashlib.sha256()
    for name, array in content.items():
        total.update(repr((name, array.dtype.str, array.shape)).encode())
        total.update(np.ascontiguousarray(array).data if array.size else b"")
    return total.digest()
