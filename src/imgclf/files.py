"""Files that appear whole or not at all, and the folder where derived data is kept.

In: a path and what to write.  Out: the old file or the new one, never a half of either.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from .errors import FileError

_TEMPORARY = re.compile(r"\.(?P<stem>.{0,40})-[0-9a-f]{12}(?P<suffix>(\.[^.]*)?)")
MAX_RATIO, MAX_UNPACKED = 100, 2**28
"""What is packed may unpack to a hundred times its size (tables of digits: 10 times), and to 256 MB in any case."""

ROOM = 2**28
"""Bytes that are left free on the disk."""

_KEEP_DAYS = 30  # what nobody used for so long is removed from a cache when something is put there
_LITTER_DAYS = 1  # as is what is half done, whose process was killed
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside *path*; what is written there becomes *path* when the block ends well.

    The temporary file keeps the suffix of *path* (Keras decides the format by it).  It is flushed to the disk before
    it takes the name, and the folder after, so that a power cut leaves the old file or the new one.  If the block
    raises, the old file is as it was and the temporary one is gone.  Missing parent folders are made.  A process that
    is killed leaves its temporary file; :func:`remove_litter` knows it.

    Raises:
        FileError: nothing can be written there, or not all of it: no permission, no space, no device.
    """
    target = Path(path)
    target = target.resolve() if target.is_symlink() else target  # the link stays, and leads to the new content
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(6)}{target.suffix}")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _not_written(target, error) from None
    try:
        yield temporary
        if target.is_file():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        _flush(temporary)
        temporary.replace(target)
        with contextlib.suppress(OSError):  # some network mounts refuse to flush a folder; the file is there
            _flush(target.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise _not_written(target, error) from error
        raise


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str], mark: str) -> Iterator[Path]:
    """A new folder beside *path*; what is put there becomes *path* when the block ends well, as in :func:`replacing`.

    A folder that is replaced is set aside and removed once the new one has its name.

    Args:
        path: Missing, an empty folder, or one that holds the file *mark*: no other is replaced.
        mark: The name of a file that every such folder holds.

    Raises:
        FileError: another file or folder has that name, or nothing can be written there.
    """
    target = Path(path)
    target = target.resolve() if target.is_symlink() else target
    if target.exists() and not (target.is_dir() and ((target / mark).is_file() or not any(target.iterdir()))):
        kind = f"a folder without {mark}" if target.is_dir() else "a file"
        raise FileError(f"{str(target)!r} is {kind} and is left as it is. Choose another path.")
    made, aside = (target.with_name(f".{target.name[:40]}-{secrets.token_hex(6)}") for _ in range(2))
    try:
        made.mkdir(parents=True)
        yield made
        for entry in made.rglob("*"):
            _flush(entry)
        if target.exists():
            target.rename(aside)
        try:
            made.rename(target)
        except OSError:
            rename_folder(aside, target, None)
            raise
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise _not_written(target, error) from error
        raise
    shutil.rmtree(aside, ignore_errors=True)


def remove_litter(folder: Path, names: re.Pattern[str]) -> None:
    """Remove from *folder* what killed processes left of the files *names*; for whoever alone may write there."""
    for entry in folder.iterdir():
        found = _TEMPORARY.fullmatch(entry.name)
        if found and names.fullmatch(found["stem"] + found["suffix"]):
            entry.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write *text* as UTF-8 to *path*, whole or not at all; returns the path."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: object) -> Path:
    """Write *content* as indented JSON to *path*, whole or not at all; NaN becomes null, which JSON has."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


class IrregularFileError(OSError):
    """What was to be opened is a folder, a pipe, a device or a socket; ``mode`` says which, as in ``os.stat``."""

    def __init__(self, mode: int) -> None:
        folder = stat.S_ISDIR(mode)
        super().__init__(
            errno.EISDIR if folder else errno.EINVAL, os.strerror(errno.EISDIR) if folder else "no regular file"
        )
        self.mode = mode


def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """A regular file opened for reading, once and without waiting: what is checked is what is read.

    Opening a named pipe would wait, for somebody who writes to it; reading a device might never end.

    Raises:
        IrregularFileError: it is no regular file.
        OSError: it cannot be opened.
        ValueError: there is a zero byte in the path.
    """
    return os.fdopen(open_handle(path)[0], "rb")


def open_handle(path: str | os.PathLike[str]) -> tuple[int, int]:
    """The bare handle of such a file, to be closed by the caller, and its size in bytes.

    With :func:`read_handle` a small file takes a third of the time that a file object takes.

    Raises:
        IrregularFileError, OSError, ValueError: as :func:`open_file`.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise IrregularFileError(status.st_mode)
    except BaseException:
        os.close(handle)
        raise
    return handle, status.st_size


def read_handle(handle: int, size: int) -> bytes:
    """What a file of *size* bytes holds, and one byte more if it has grown; less if it has shrunk."""
    content = os.read(handle, size + 1)  # as much is set aside at once
    while len(content) < size and (more := os.read(handle, size + 1 - len(content))):  # a network's file, a huge one
        content += more
    return content


def cache_folder() -> Path:
    """Where decoded pictures are kept: ``$IMGCLF_CACHE``, else the user's cache folder of this platform."""
    if chosen := os.environ.get("IMGCLF_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("imgclf", appauthor=False)


def check_room(folder: Path, size: int) -> None:
    """Refuse to begin to put *size* bytes into *folder* where they would fill the disk.

    Raises:
        OSError: there is no room.
    """
    if (free := shutil.disk_usage(folder).free) < size + ROOM:
        raise OSError(f"{free:,} bytes are free and {size + ROOM:,} are needed")


def rename_folder(made: Path, folder: Path, aside: Path | None) -> None:
    """Give *made* the name *folder* in one step; what stood there before goes *aside*, to be removed."""
    with contextlib.suppress(OSError):  # another process was faster: what it has put there is the same
        if aside is not None:
            folder.rename(aside)
    with contextlib.suppress(OSError):
        made.rename(folder)


def remove_unused(folder: Path) -> None:
    """Remove what nobody used for long from *folder*, a part of the cache; whoever uses an entry touches it."""
    for entry in folder.iterdir():
        days = _LITTER_DAYS if entry.name.startswith(".") else _KEEP_DAYS
        with contextlib.suppress(OSError):  # another process may be removing it too
            if entry.stat().st_mtime < time.time() - days * 86400:
                shutil.rmtree(entry, ignore_errors=True)


def finite(content: Any) -> Any:
    """*content* with None for every NaN and infinity, which JSON does not have."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _not_written(target: Path, error: OSError) -> FileError:
    earlier = " The file that was there is as it was." if target.exists() else ""
    full = error.errno in _FULL
    advice = "Make room, or choose a folder on another disk." if full else "Choose another folder, or mend this one."
    return FileError(f"{str(target)!r} cannot be written: {error.strerror or error}.{earlier} {advice}")


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
