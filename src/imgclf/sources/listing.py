r"""The pictures below a folder: which there are, in which order, under which keys, and a digest of their content.

In: a folder.  Out: keys (relative POSIX paths, in natural order) with the path of each, and what was passed over.

A key is text that UTF-8 can write: where a file's name is not, its odd bytes stand as ``\xe9`` in the key, and the
path as the operating system wants it is kept beside the key.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, listed
from ..files import open_handle
from ..images import IMAGE_SUFFIXES
from .names import is_hidden, natural, natural_key
from .paths import Place, as_path, check_there, printable
from .unpacking import place_of

HIDDEN = "hidden"
NO_PICTURE = "not a picture"
NO_FILE = "not a regular file"
SEEN_LINK = "a link to a folder that is listed already"

# What somebody who puts it there means as pictures, and what is passed over all the same.
_MEANT = frozenset({
    ".avif", ".bz2", ".cr2", ".dng", ".gz", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jxl", ".nef",
    ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".rar", ".raw", ".svg", ".tar", ".tga", ".tgz", ".tif", ".tiff", ".xz",
    ".zip", ".7z",
}).difference(IMAGE_SUFFIXES)  # fmt: skip
_PIECE = 2**20  # bytes of a file that are read at a time
_RUN = 64  # files per task of a thread: 4,000 single tasks cost 0.1 s in the pool alone


class Ignored(NamedTuple):
    """One thing below the folder that is no picture of the set, and why; a folder's key ends in ``/``."""

    key: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What stands below a folder.

    Attributes:
        place: The folder.
        pictures: Key of every picture, in natural order → its path.
        folders: Names of the folders directly below the root, hidden ones left out, in natural order.
        ignored: What was passed over, in natural order.
        again: Key of every folder that was met a second time, through a link → the key that it is listed under; "" is
            the root.
    """

    place: Place
    pictures: Mapping[str, str]
    folders: tuple[str, ...]
    ignored: tuple[Ignored, ...]
    again: Mapping[str, str]

    @property
    def root(self) -> Path:
        """The folder as the user calls it."""
        return self.place.shown


def list_pictures(root: str | os.PathLike[str]) -> Listing:
    """Everything below *root*, read once; no picture is opened.  An archive is unpacked first, once.

    Pictures are regular files that end in one of ``IMAGE_SUFFIXES``, in any case.  Hidden files and folders (a
    leading dot, ``__MACOSX``, ``Thumbs.db`` …) are passed over.  Links to folders are followed, but no folder is
    listed twice: links come last, so that a loop ends and real folders keep their pictures.

    Raises:
        OptionError: *root* is no path.
        DatasetError: *root* is missing or no folder, or a folder below it cannot be listed; an archive that is not
            unpacked.
        FileError: there is no room to unpack it.
    """
    place = place_of(as_path(root, "folder"), "folder")
    _check_folder(place)
    walk = _Walk(str(place.path))
    with place.named():
        walk.run()
    folders = (key for key in walk.folders if "/" not in key)
    return Listing(
        place=place,
        pictures={key: walk.pictures[key] for key in natural(walk.pictures)},
        folders=tuple(natural(folders)),
        ignored=tuple(sorted(walk.ignored, key=lambda item: natural_key(item.key))),
        again=walk.again,
    )


def warn_of_left_out(listing: Listing, stacklevel: int = 3) -> None:
    """Warn where pictures in other formats, archives or links to nowhere are passed over: somebody misses them."""
    left = [item for item in listing.ignored if _was_meant(item)]
    if left:
        counts = Counter(_suffix(item.key) if item.reason == NO_PICTURE else item.reason for item in left)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common(5))
        warnings.warn(
            f"{len(left):,} files below {printable(str(listing.root))!r} are left out ({kinds}): "
            f"{listed(item.key for item in left)}. Convert, unpack or restore them, or move them away.",
            stacklevel=stacklevel,
        )


def content_digest(pictures: Mapping[str, str]) -> str:
    """A hex digest of the keys and of every file's bytes (BLAKE2b): size and date of a file do not enter.

    Args:
        pictures: Key → path.  A file that cannot be read counts as such: its error belongs to reading the picture.
    """
    paths = list(pictures.values())
    with ThreadPoolExecutor() as pool:
        runs = pool.map(_file_digests, (paths[start : start + _RUN] for start in range(0, len(paths), _RUN)))
        digests = list(chain.from_iterable(runs))
    total = hashlib.blake2b(digest_size=16)
    for key, digest in zip(pictures, digests, strict=True):
        total.update(key.encode() + b"\0" + digest)
    return total.hexdigest()


def pixels_digest(keys: npt.NDArray[np.str_], images: npt.NDArray[np.uint8]) -> str:
    """A hex digest of the keys and of pictures in memory, ``(n, height, width, channels)``: the shape enters too."""
    total = hashlib.blake2b(repr(images.shape).encode(), digest_size=16)
    total.update("\0".join(keys.tolist()).encode())
    for image in images:
        total.update(np.ascontiguousarray(image).data)
    return total.hexdigest()


@dataclass
class _Walk:
    """One pass over a folder: real folders first, then the links to folders, each folder once."""

    root: str
    pictures: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    ignored: list[Ignored] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        self.enter("", self.root)
        while self.links:
            found, self.links = sorted(self.links, key=lambda link: natural_key(link[0])), []
            for key, path in found:
                self.enter(key, path)

    def enter(self, key: str, path: str) -> None:
        """List the folder *path*, and the real folders in it, unless it is listed already."""
        waiting = [(key, path)]
        while waiting:
            key, path = waiting.pop()
            try:
                if self.is_new(key, path):
                    waiting += self.entries(key, path)
            except OSError as error:
                raise DatasetError(
                    f"the folder {path!r} cannot be listed: {error.strerror}. Make it readable, or move it elsewhere."
                ) from None

    def is_new(self, key: str, path: str) -> bool:
        """Whether the folder *path* is met for the first time, and under a key of its own."""
        status = Path(path).stat()
        first = self.seen.setdefault((status.st_dev, status.st_ino), key)
        if first != key:
            self.again[key] = first
            self.ignored.append(Ignored(f"{key}/", SEEN_LINK))
        elif key in self.folders:
            raise _one_key(key, "folders")
        elif key:
            self.folders.add(key)
        return first == key

    def entries(self, key: str, path: str) -> list[tuple[str, str]]:
        """Sort the entries of one folder; returns its real folders."""
        with os.scandir(path) as entries:
            found = [self.sort(f"{key}/" if key else "", entry) for entry in entries]
        return [folder for folder in found if folder]

    def sort(self, prefix: str, entry: os.DirEntry[str]) -> tuple[str, str] | None:
        """File *entry* where it belongs; returns it if it is a real folder to be listed."""
        key = prefix + printable(entry.name)
        kind = _kind(entry)
        if is_hidden(entry.name):
            self.ignored.append(Ignored(f"{key}/" if kind == "folder" else key, HIDDEN))
        elif kind == "folder":
            if not entry.is_symlink():
                return key, entry.path
            self.links.append((key, entry.path))
        elif kind != "file":
            self.ignored.append(Ignored(key, NO_FILE))
        elif _suffix(entry.name) not in IMAGE_SUFFIXES:
            self.ignored.append(Ignored(key, NO_PICTURE))
        elif self.pictures.setdefault(key, entry.path) != entry.path:
            raise _one_key(key, "files")
        return None


def _one_key(key: str, what: str) -> DatasetError:
    return DatasetError(f"two {what} would both be called {key!r}, one of them in odd bytes. Rename one.")


def _suffix(key: str) -> str:
    return os.path.splitext(key)[1].lower()  # noqa: PTH122 (twice as fast as Path over a long list)


def _was_meant(item: Ignored) -> bool:
    suffix = _suffix(item.key)
    return suffix in _MEANT if item.reason == NO_PICTURE else item.reason == NO_FILE and suffix in IMAGE_SUFFIXES


def _kind(entry: os.DirEntry[str]) -> str:
    """``"folder"`` or ``"file"``, also behind a link; else nothing: a pipe, a device, a link to nowhere or itself."""
    try:
        return "folder" if entry.is_dir() else "file" * entry.is_file()
    except OSError:
        return ""


def _check_folder(place: Place) -> None:
    with place.named():
        shown = check_there(place.path, "folder")
    if not place.path.is_dir():
        suffix = place.shown.suffix.lower()
        raise DatasetError(f"{shown} is a file, and a folder of pictures is expected. {_instead(suffix)}")


def _instead(suffix: str) -> str:
    if suffix in IMAGE_SUFFIXES:
        return "Give the folder that holds it."
    if suffix == ".zip":
        return "It is no zip archive, by its content. Fetch it again."
    if suffix in {".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"}:
        return "Unpack it and give the folder; a table of pixels (.csv, .csv.gz) is for CsvPixelsSource."
    return "Give the folder; a table of pixels (.csv, .csv.gz) is for CsvPixelsSource."


def _file_digests(paths: Sequence[str]) -> list[bytes]:
    return [_file_digest(path) for path in paths]


def _file_digest(path: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    try:
        handle, size = open_handle(path)
        try:
            while piece := os.read(handle, min(size + 1, _PIECE)):
                digest.update(piece)
        finally:
            os.close(handle)
    except OSError as error:
        return f"unreadable {error.errno}".encode()
    return digest.digest()
