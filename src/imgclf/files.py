"""Files that appear whole or not at all, and the folder where derived data is kept.

In: a path and what to write.  Out: the old file or the new one, never a half of either.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import FileError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside *path*; what is written there becomes *path* when the block ends well.

    The temporary file keeps the suffix of *path* (Keras decides the format by it).  It is flushed to the disk before
    it takes the name, and the folder after, so that a power cut leaves the old file or the new one.  If the block
    raises, the old file is as it was and the temporary one is gone.  Missing parent folders are made.

    Raises:
        FileError: nothing can be written there.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(6)}{target.suffix}")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise FileError(
            f"'{target}' cannot be written: {error.strerror}. Choose another folder, or mend its permissions."
        ) from None
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        with contextlib.suppress(OSError):  # some network mounts refuse to flush a folder; the file is there
            _flush(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write *text* as UTF-8 to *path*, whole or not at all; returns the path."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: object) -> Path:
    """Write *content* as indented JSON to *path*, whole or not at all; NaN becomes null, which JSON has."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


def cache_folder() -> Path:
    """Where decoded pictures are kept: ``$IMGCLF_CACHE``, else the user's cache folder of this platform."""
    if chosen := os.environ.get("IMGCLF_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("imgclf", appauthor=False)


def finite(content: Any) -> Any:
    """*content* with None for every NaN and infinity, which JSON does not have."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
