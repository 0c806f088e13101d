"""Archives as they were downloaded: unpacked once, into the cache folder.

In: a path that a user gave, which may end at or go on inside a ``.zip``.  Out: the ``Place`` to read from.

Nothing but regular files is ever made, in a folder of its own that gets its name when it is whole; names were checked
by :mod:`~imgclf.sources.zip_members`.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from ..errors import DatasetError, FileError
from ..files import (
    MAX_RATIO,
    MAX_UNPACKED,
    cache_folder,
    check_room,
    open_file,
    remove_unused,
    rename_folder,
    write_json,
)
from .csv_file import GZIP
from .paths import Place, printable
from .zip_members import Zip, is_zip, most_unpacked
from .zip_paths import Wanted, find

MAX_LEVELS = 5
"""Most archives, each in the one before it, that a path leads through."""

_LOOK = 2**26  # bytes after which room is looked for again
_FILES, _LIST = "files", "files.json"


def place_of(given: Path, wanted: Wanted) -> Place:
    """Where to read what the path *given* means; what is inside an archive is unpacked, if it was not before.

    Raises:
        DatasetError: the archive is damaged, encrypted, or would do harm; nothing in it is meant, or several things.
        FileError: it cannot be unpacked into the cache folder: no room, no permission.
    """
    archive = next((path for path in (given, *given.parents) if is_there(path)), None)
    if archive is None or not is_zip(archive):
        return Place(given, given)
    return _in_archive(archive, given.relative_to(archive).parts, wanted)


def names_in_archive(path: Path) -> list[str] | None:
    """The names of the files that an archive holds below *path*, which ends at or goes on inside it; nothing unpacked.

    None where *path* is no archive and lies in none, or lies in an archive in an archive.

    Raises:
        DatasetError: the archive is damaged, encrypted, or would do harm.
    """
    archive = next((parent for parent in (path, *path.parents) if is_there(parent)), None)
    if archive is None or not is_zip(archive):
        return None
    with _opened(archive, archive, _Bounds(most_unpacked(archive.stat().st_size))) as members:
        names = list(members.sizes)
    prefix = "".join(f"{part}/" for part in path.relative_to(archive).parts)
    below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return below or None


def is_gzip(path: Path) -> bool:
    """Whether *path* begins as gzip does."""
    with open_file(path) as file:
        return file.read(2) == GZIP


def unpacked_gzip(path: Path) -> Path:
    """What gzip has packed, as a file of the cache, where it can be read at any place.

    Raises:
        DatasetError: it is damaged, or unpacks to more than a hundred times its size and 256 MB.
        FileError: there is no room.
    """
    with open_file(path) as packed:
        status = os.fstat(packed.fileno())
        digest = sha256(f"{status.st_size} {status.st_mtime_ns}".encode() + packed.read(2**16))
        packed.seek(max(0, status.st_size - 2**16))
        digest.update(packed.read())  # ends in length and checksum of the whole
        packed.seek(0)
        folder = _kept([digest.hexdigest(), "gzip"], path, lambda made: _gunzip(packed, path, made / _FILES / "whole"))
    return folder / _FILES / "whole"


def _gunzip(packed: BinaryIO, path: Path, made: Path) -> dict[str, int]:
    most, size = max(MAX_UNPACKED, MAX_RATIO * os.fstat(packed.fileno()).st_size), 0
    with made.open("xb") as file, gzip.GzipFile(fileobj=packed) as content:
        while piece := _piece(content, path):
            if size % _LOOK < len(piece):
                check_room(made.parent, _LOOK)
            size += file.write(piece)
            if size > most:
                what = f"{str(path)!r} unpacks to more than {most:,} bytes"
                raise DatasetError(f"{what}. If that is right, unpack it yourself.")
    return {made.name: size}


def _piece(content: gzip.GzipFile, path: Path) -> bytes:
    try:
        return content.read(2**20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{str(path)!r} is damaged: {error}. Fetch it again.") from None


@dataclass(frozen=True)
class _Bounds:
    """What the outermost archive leaves to the one *level* archives deep: *left* bytes to unpack to."""

    left: int
    level: int = 1

    def inside(self, spent: int, shown: Path) -> _Bounds:
        """The bounds of *shown*, an archive in this one, once *spent* bytes were unpacked."""
        if self.level == MAX_LEVELS:
            raise DatasetError(
                f"{printable(str(shown))!r} lies in {MAX_LEVELS} archives, each in the one before; expected are at "
                f"most {MAX_LEVELS} in all. Unpack them yourself, and give the folder."
            )
        return _Bounds(self.left - spent, self.level + 1)


def _in_archive(archive: Path, parts: tuple[str, ...], wanted: Wanted) -> Place:
    """Step from archive to archive, two a turn: one in another is unpacked whole, and may hold the next as a file."""
    path, shown, bounds = archive, archive, _Bounds(most_unpacked(archive.stat().st_size))
    while True:
        with _opened(path, shown, bounds) as members:
            target = find(members.sizes, parts, wanted, shown)
            name, shown = target.name, shown / target.name
            if target.rest is None:
                return Place(_unpacked(members, name), shown)
            bounds = bounds.inside(members.sizes[name], shown)
            folder = _unpacked_inner(members, name, shown, bounds)
        sizes = _sizes(folder)
        target = find(sizes, target.rest, wanted, shown)
        path, shown = folder / _FILES / target.name, shown / target.name
        if target.rest is None:
            return Place(path, shown)
        parts, bounds = target.rest, bounds.inside(sum(sizes.values()), shown)


def _unpacked(members: Zip, name: str) -> Path:
    """The file or folder *name* of an archive, in the cache."""
    below = [file for file in members.sizes if not name or file == name or file.startswith(f"{name}/")]
    folder = _kept([members.digest, name], members.shown, lambda made: _unpack(members, below, made / _FILES))
    return folder / _FILES / name


def _unpacked_inner(members: Zip, name: str, shown: Path, bounds: _Bounds) -> Path:
    """The folder of the cache that holds what is in the archive *name* of an archive."""
    digest_of = [members.digest, name, "inside"]
    return _kept(digest_of, shown, lambda made: _unpack_inner(members, name, shown, made, bounds))


def _unpack(members: Zip, names: list[str], folder: Path) -> dict[str, int]:
    """Write the files *names* below *folder*; returns their sizes."""
    sizes = {name: members.sizes[name] for name in names}
    made: set[Path] = set()
    check_room(folder.parent, sum(sizes.values()))
    for name in names:
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        with path.open("xb") as file:
            for piece in members.pieces(name):
                file.write(piece)
    return sizes


def _unpack_inner(members: Zip, name: str, shown: Path, made: Path, bounds: _Bounds) -> dict[str, int]:
    """Unpack the archive *name* among *members* whole; its own file is gone afterwards."""
    _unpack(members, [name], made / "inner")
    with _opened(made / "inner" / name, shown, bounds) as inner:
        sizes = _unpack(inner, list(inner.sizes), made / _FILES)
    shutil.rmtree(made / "inner")
    return sizes


def _kept(digest_of: list[str], shown: Path, fill: Callable[[Path], dict[str, int]]) -> Path:
    """The folder of the cache that *fill* once filled for this digest."""
    digest = sha256("\0".join(digest_of).encode("utf-8", "surrogatepass")).hexdigest()[:40]
    folder = cache_folder() / "unpacked" / digest
    if _is_whole(folder):
        with suppress(OSError):
            os.utime(folder)  # used now: not to be removed soon
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_unused(folder.parent)
        with tempfile.TemporaryDirectory(prefix=f".{digest}-", dir=folder.parent, ignore_cleanup_errors=True) as place:
            made = Path(place) / "set"
            (made / _FILES).mkdir(parents=True)
            write_json(made / _LIST, fill(made))
            rename_folder(made, folder, None)  # fails where another process was faster, whose readers are at work
            if not _is_whole(folder):
                rename_folder(made, folder, Path(place) / "old")
        if not _is_whole(folder):
            raise OSError("what was unpacked is gone again")
    except OSError as error:
        raise FileError(
            f"{printable(str(shown))!r} cannot be unpacked into {str(folder.parent)!r}: {error.strerror or error}. "
            "Make room there, set IMGCLF_CACHE to another folder, or unpack it yourself and give the folder."
        ) from error
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether all that was unpacked to *folder* is there, by name and size: somebody may have tidied up."""
    try:
        return all((folder / _FILES / name).lstat().st_size == size for name, size in _sizes(folder).items())
    except (OSError, ValueError):
        return False


def _sizes(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = json.loads((folder / _LIST).read_text("utf-8"))
    return sizes


@contextmanager
def _opened(archive: Path, shown: Path, bounds: _Bounds) -> Iterator[Zip]:
    try:
        file = open_file(archive)
    except OSError as error:
        raise DatasetError(f"{str(shown)!r} cannot be read: {error.strerror}. Check the path.") from None
    with file:
        yield Zip(file, shown, bounds.left)


def is_there(path: Path) -> bool:
    """Whether something lies at *path*; not where it cannot be one."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
