"""A zip archive of a stranger → its files, once nothing in it leads elsewhere or is out of all proportion.

In: an open file.  Out: names and sizes; and a file's content, piece by piece, compared with its checksum.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import DatasetError, with_reasons
from ..files import MAX_RATIO, MAX_UNPACKED, open_file
from .names import is_hidden
from .paths import printable

MAX_MEMBERS = 1_000_000
"""Most files in one archive."""

MAX_TABLE = 2**28
"""Longest list of files in an archive, in bytes; Python needs about ten times as much to hold it."""

MAX_BYTES = 2**40
"""Most bytes that one archive may unpack to."""

_PIECE = 2**20
_LONGEST, _DEEPEST = 2000, 50  # of a name, in bytes and folders
_LONGEST_PART = 255  # of one folder or file in it, in bytes: what every file system holds
_MAGIC = (b"PK\3\4", b"PK\5\6")  # the second begins an archive without a file
_END, _LOCATOR = struct.Struct("<4s4H2IH"), struct.Struct("<4sIQI")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks the others without a bound: 4 GB out of 1.5 kB
_OTHER_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 99: "AES"}
_ENCRYPTED, _UTF8, _UNIX = 0x1 | 0x40, 0x800, (3, 19)  # flags; the systems whose file modes an entry carries
_ODD = re.compile(r"[A-Za-z]:|/|.*(\\|\0)|(.*/)?\.{0,2}(/|$)", re.DOTALL)  # absolute, of Windows, up, or empty
_HERE = re.compile(r"\A(\./)+(?=[^/])")
_OF_WINDOWS = re.compile(  # another stream of a file, what cannot stand in a name, ends that are cut off, devices
    r"""[<>:"|?*]|[. ](/|$)|(^|/)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ ]*(\.[^/]*)?(/|$)""",
    re.IGNORECASE,
)
_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError, OSError)
_BY_HAND = "Unpack it yourself, and give the folder."


def is_zip(path: Path) -> bool:
    """Whether *path* is a regular file that begins as a zip archive does, whatever its name."""
    try:
        with open_file(path) as file:
            return file.read(4) in _MAGIC
    except (OSError, ValueError):
        return False


def most_unpacked(size: int) -> int:
    """The bytes that an archive of *size* bytes may unpack to, with all archives in it."""
    return min(MAX_BYTES, max(MAX_UNPACKED, MAX_RATIO * size))


class Zip:
    """The files of an archive; hidden ones (``__MACOSX``, a leading dot) are left out.

    Args:
        file: The archive.
        shown: What messages call it.
        most: The bytes that it may unpack to; None: what its own length allows.

    Attributes:
        shown: What messages call the archive.
        sizes: Name of every file → its size in bytes, as the archive says and :meth:`pieces` sees to.
        digest: Another one for another archive: of its length, its date, and every file's name, size and checksum.

    Raises:
        DatasetError: it is damaged or encrypted; names that lead elsewhere, links, files of one name; more files, or
            more in them, than an honest archive of its size holds.
    """

    def __init__(self, file: BinaryIO, shown: Path, most: int | None = None) -> None:
        self.shown = shown
        status = os.fstat(file.fileno())
        check_table(file, shown)
        with _explained(shown):
            self._archive = zipfile.ZipFile(file)
        entries = [(_name(entry), entry) for entry in self._archive.infolist()]
        kept = [(name, entry) for name, entry in entries if _is_wanted(name)]
        self._entries = dict(kept)
        self.sizes = {name: entry.file_size for name, entry in kept}
        self._check(kept, status.st_size, most_unpacked(status.st_size) if most is None else most)
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
        for name, entry in sorted(self._entries.items()):
            digest.update(f"\0{name}\0{entry.CRC} {entry.file_size}".encode("utf-8", "surrogatepass"))
        self.digest = digest.hexdigest()

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file in pieces of a megabyte at most; at the end its checksum is compared.

        Raises:
            DatasetError: it is damaged.
        """
        entry, size = self._entries[name], 0
        with _explained(self.shown, name), self._archive.open(entry) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                yield piece
            if size != entry.file_size:
                raise zipfile.BadZipFile(f"{size:,} bytes instead of {entry.file_size:,}")

    def _check(self, entries: list[tuple[str, zipfile.ZipInfo]], size: int, most: int) -> None:
        shown, total = _quoted(self.shown), sum(self.sizes.values())
        if len(entries) > MAX_MEMBERS:
            raise DatasetError(f"{shown} holds {len(entries):,} files, more than {MAX_MEMBERS:,}. {_BY_HAND}")
        if total > most:
            raise DatasetError(
                f"{shown} has {size:,} bytes and would unpack to {total:,}, as archives do that are made to fill a "
                f"disk; at most {max(most, 0):,} are expected here. If that is right, unpack it yourself, and give the "
                "folder."
            )
        plain = [name for name in self.sizes if not _is_odd(name)]
        folders = {name[: at.start()] for name in plain for at in re.finditer("/", name)}
        seen: set[str] = set()
        faults = []
        for name, entry in entries:
            if what := _fault(name, entry, again=name in seen or name in folders):
                faults.append(f"{printable(name[:100])!r} {what}")
            seen.add(name)
        faults += _alike([*plain, *sorted(folders)])
        if faults:
            head = f"{shown} has {len(faults):,} files that are not unpacked. {_BY_HAND}"
            raise DatasetError(with_reasons(head, faults))


def check_table(file: BinaryIO, shown: Path) -> None:
    """Refuse an archive whose list of files would fill the memory, before it is read.

    Raises:
        DatasetError: the list is longer than ``MAX_TABLE``.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _END.size - _LOCATOR.size - 2**16)
    file.seek(start)
    tail = file.read()
    at = len(tail) - _END.size
    if tail[at : at + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":  # else there is no comment behind it
        at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        return  # zipfile says what is wrong
    lengths = [_END.unpack_from(tail, at)[5]]
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\6\7"):  # of an archive above 4 GiB
        beside = start + at - _LOCATOR.size - 56
        for place in {_LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2], beside}:
            file.seek(min(max(place, 0), size))
            record = file.read(56)
            if record[:4] == b"PK\6\6":
                lengths.append(int.from_bytes(record[40:48], "little"))
                if place == beside and lengths[0] == 2**32 - 1:  # stands for the record's; without one it counts
                    lengths[0] = 0
    if min(max(lengths), size) > MAX_TABLE:  # what is longer than the file is damaged, and zipfile says so
        raise DatasetError(f"{_quoted(shown)} has a list of files of {max(lengths):,} bytes. {_BY_HAND}")


def _name(entry: zipfile.ZipInfo) -> str:
    """The name as it stands in the archive, behind any "./"; UTF-8 where it does not say so and is, as macOS packs."""
    name = _HERE.sub("", entry.orig_filename)
    if entry.flag_bits & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _is_wanted(name: str) -> bool:
    """Whether *name* is no folder and not hidden; an odd one is wanted, so that it is refused."""
    return not name.endswith("/") and (_is_odd(name) or not any(map(is_hidden, name.split("/"))))


def _is_odd(name: str) -> bool:
    return bool(_ODD.match(name)) or _bytes(name) > _LONGEST or name.count("/") > _DEEPEST


def _bytes(name: str) -> int:
    return len(name) if name.isascii() else len(name.encode("utf-8", "surrogatepass"))


def _alike(names: Iterable[str]) -> list[str]:
    """Files and folders that are one on macOS and Windows, where case and composed letters make no difference."""
    spelled: dict[str, str] = {}
    pairs = ((name, spelled.setdefault(unicodedata.normalize("NFC", name).casefold(), name)) for name in names)
    return [
        f"{printable(name[:100])!r} and {printable(first[:100])!r} are one name on macOS and Windows"
        for name, first in pairs
        if name != first
    ]


def _name_fault(name: str) -> str:
    if _ODD.match(name):
        return "is a name that leads elsewhere"
    if _is_odd(name):
        return "is too long or too deep"
    if _bytes(name) > _LONGEST_PART and max(map(_bytes, name.split("/"))) > _LONGEST_PART:
        return f"is too long: a name of more than {_LONGEST_PART} bytes"
    if _OF_WINDOWS.search(name):
        return "is a name that Windows does not have, or takes for something else"
    return ""


def _fault(name: str, entry: zipfile.ZipInfo, *, again: bool) -> str:
    """What is wrong with a file by what the archive says of it, if anything."""
    if what := _name_fault(name):
        return what
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system in _UNIX else 0
    if again:
        return "stands there twice"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if kind not in (0, stat.S_IFREG):
        return "is a link" if kind == stat.S_IFLNK else "is no regular file"
    if entry.compress_type in _METHODS:
        return ""
    method = _OTHER_METHODS.get(entry.compress_type, f"method {entry.compress_type}")
    return f"is packed in a way that is not read: {method}, and stored or deflated is expected"


@contextmanager
def _explained(shown: Path, name: str = "") -> Iterator[None]:
    try:
        yield
    except (*_FAULTS, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DatasetError):
            raise
        where = f"{printable(name)!r} in " if name else ""
        raise DatasetError(f"{where}{_quoted(shown)} is damaged: {error}. Fetch the archive again.") from None


def _quoted(path: Path) -> str:
    return repr(printable(str(path)))
