"""A zip archive of one form: the same members give the same bytes, and only these bytes are read back.

In: names and contents.  Out: an ordinary zip file that every program opens; and its members, once every byte around
them is what ``write_archive`` would have put there.  Nothing is ever extracted to the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ModelFileError, listed
from .files import IrregularFileError, open_file
from .tables import visible

LARGEST_JSON = 4 << 20
"""Bytes of a JSON member at most; Python needs about thirty times as much for the worst text of that length."""

LARGEST_TEXT = 16 << 20
"""Bytes of a JSON member that has few parts and so long texts; see :func:`check_size`."""

MOST_PARTS = 3 << 19  # of JSON text above LARGEST_JSON
_DEEPEST = 60  # a Keras configuration has 9 levels, each nested model 5 more
_MOST_MEMBERS, _LONGEST_TABLE = 1000, 1 << 20
_LIMIT = 0xFFFFFFFF  # sizes and offsets of a plain zip have 32 bits
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*", re.ASCII)
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DAY = 0x21  # 1 January 1980, the first that a zip knows: no clock gets into the file
_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, LookupError, RuntimeError)
_RESTORE = "Restore it from a copy, or train again."


@dataclass(frozen=True)
class Member:
    """Where a member's content lies in the file, in bytes, and its CRC-32."""

    name: str
    offset: int
    size: int
    crc: int


def write_archive(path: Path, members: Mapping[str, bytes]) -> None:
    """Write *members* to *path*, stored and in the order given, without dates, attributes or comments.

    Raises:
        ModelFileError: more than a zip holds (4 GiB), or a name outside ``A-Z a-z 0-9 _ . - /``.
    """
    if wrong := [name for name in members if not _NAME.fullmatch(name)]:
        raise ModelFileError(f"the members {listed(wrong)} cannot be saved. Rename the parts of the model they hold.")
    total = sum(len(content) + 200 + 2 * len(name) for name, content in members.items())
    if total > _LIMIT:
        raise ModelFileError(f"the model takes {total / 2**30:.1f} GiB; a file holds 4 at most. Save a smaller one.")
    with path.open("wb") as file:
        heads = b""
        for name, content in members.items():
            crc = zlib.crc32(content)
            heads += _central(name, crc, len(content), file.tell())
            file.write(_local(name, crc, len(content)))
            file.write(content)
        start = file.tell()
        file.write(heads + _end(len(members), len(heads), start))


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """*path*, opened once for reading; only a regular file is, and opening never waits.

    Raises:
        ModelFileError: there is none, or it is a folder, a pipe or a device.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: opening a device may do things
            raise _no_file(path)
        file = open_file(path)
    except IrregularFileError:
        raise _no_file(path) from None
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"'{path}' cannot be opened: {error}. Give the path of a .keras file.") from None
    with file:
        yield file


class Archive:
    """An archive of which every byte outside the members' contents has been compared with what belongs there.

    Raises:
        ModelFileError: it is damaged, cut short, or of another form than :func:`write_archive` gives.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path, self._file = path, file
        size = file.seek(0, os.SEEK_END)
        count, length, start = _read_end(file, path)
        members: dict[str, Member] = {}
        table = memoryview(_read_at(file, start, length))
        at = offset = 0
        while at < length:
            fields = _unpacked(_CENTRAL, table[at:], path)
            name = bytes(table[at + _CENTRAL.size : at + _CENTRAL.size + fields[10]]).decode("ascii", "replace")
            flags, method, crc, packed, content, attributes = *fields[3:5], *fields[7:10], fields[15]
            if fault := _odd(name, members, flags, attributes):
                raise damaged(path, fault)
            if method or packed != content:
                raise damaged(path, f"its member {name!r} is compressed")
            head, entry = _local(name, crc, content), _central(name, crc, content, offset)
            if table[at : at + len(entry)] != entry or _read_at(file, offset, len(head)) != head:
                raise damaged(path, f"the headers of its member {name!r} are not those that imgclf writes")
            members[name] = Member(name, offset + len(head), content, crc)
            offset += len(head) + content
            at += len(entry)
        if at != length or offset != start or len(members) != count or start + length + _END.size != size:
            raise damaged(path, "there is something between its members")
        self.members = members

    def read(self, name: str) -> bytes:
        """The content of a member, compared with its checksum; it is no longer than the file."""
        member = self.members[name]
        content = _read_at(self._file, member.offset, member.size)
        if zlib.crc32(content) != member.crc or len(content) != member.size:
            raise damaged(self.path, f"the content of its member {name!r} does not fit its checksum")
        return content

    def read_json(self, name: str) -> Any:
        """The content of a JSON member; see :func:`parse_json`."""
        if self.members[name].size > LARGEST_TEXT:
            raise damaged(self.path, f"its member {name!r} has {self.members[name].size:,} bytes")
        try:
            content = self.read(name)
            check_size(content)
            return parse_json(content)
        except ValueError as error:
            if isinstance(error, ModelFileError):
                raise
            raise damaged(self.path, f"its member {name!r} is no plain JSON ({error})") from None


def dump_json(content: Any) -> bytes:
    """*content* in the one form of JSON that :func:`parse_json` takes.

    Raises:
        TypeError, ValueError: it holds what JSON does not.
    """
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8")


def parse_json(content: bytes, *, canonical: bool = True) -> Any:
    """What JSON text holds.

    Args:
        content: UTF-8.
        canonical: Take only the text that :func:`dump_json` makes of the same content: this leaves no room for keys
            that stand twice, for infinite numbers, for halves of characters, or for a second reading of any kind.

    Raises:
        ValueError: no such text, or more than sixty levels deep.

    >>> parse_json(dump_json({"size": [8, 8]}))
    {'size': [8, 8]}
    >>> parse_json(b'{"size": 1, "size": 2}')
    Traceback (most recent call last):
    ValueError: it is not written as imgclf writes it
    """
    try:
        parsed = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _depth(parsed) > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if canonical and dump_json(parsed) != content:
        raise ValueError("it is not written as imgclf writes it")
    return parsed


def check_size(content: bytes) -> None:
    """Raise a ``ValueError`` for JSON text that would take much memory: long, or of many parts and not short."""
    parts = sum(content.count(mark) for mark in (b"[", b"{", b",", b":"))
    if len(content) > LARGEST_TEXT or (len(content) > LARGEST_JSON and parts > MOST_PARTS):
        raise ValueError(
            f"it has {len(content):,} bytes and {parts:,} parts, of at most {LARGEST_TEXT:,} and {MOST_PARTS:,}"
        )


def check_foreign(file: BinaryIO, path: Path) -> dict[str, int]:
    """The members of another program's archive and their sizes, once nothing in it is out of all proportion.

    Raises:
        ModelFileError: it is damaged, its members unpack to more than twice its size, are links, encrypted, stand
            twice, or have names that lead elsewhere.
    """
    size = file.seek(0, os.SEEK_END)
    _read_end(file, path)
    try:
        entries = zipfile.ZipFile(file).infolist()
    except _FAULTS as error:
        raise damaged(path, str(error)) from None
    names: dict[str, int] = {}
    for entry in entries:
        if fault := _odd(entry.filename, names, entry.flag_bits, entry.external_attr):
            raise damaged(path, fault)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(path, f"its member {entry.filename!r} is compressed in an odd way")
        names[entry.filename] = entry.file_size
    if sum(names.values()) > 2 * size + (1 << 20):
        raise damaged(path, f"its members unpack to {sum(names.values()):,} bytes, and it has {size:,}")
    return names


def read_foreign(file: BinaryIO, path: Path, name: str) -> bytes:
    """A member of an archive that :func:`check_foreign` has passed."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(name)
    except _FAULTS as error:
        raise damaged(path, f"its member {name!r} cannot be read ({error})") from None


def damaged(path: Path, what: str) -> ModelFileError:
    """The error for a file that is not what was written, for the reason *what*."""
    return ModelFileError(f"'{path}' is damaged or was changed: {visible(what).rstrip('.')}. {_RESTORE}")


def _local(name: str, crc: int, size: int) -> bytes:
    encoded = name.encode("ascii", "replace")
    return _LOCAL.pack(b"PK\3\4", 20, 0, 0, 0, _DAY, crc, size, size, len(encoded), 0) + encoded


def _central(name: str, crc: int, size: int, offset: int) -> bytes:
    encoded = name.encode("ascii", "replace")
    numbers = (crc, size, size, len(encoded), 0, 0, 0, 0, 0, offset)
    return _CENTRAL.pack(b"PK\1\2", 20, 20, 0, 0, 0, _DAY, *numbers) + encoded


def _end(count: int, length: int, start: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0)


def _read_end(file: BinaryIO, path: Path) -> tuple[int, int, int]:
    """Number of members, length and start of the table at the end of the file, which must end there."""
    size = file.seek(0, os.SEEK_END)
    begin = _read_at(file, 0, 8)
    if begin.startswith(b"\x89HDF"):
        raise ModelFileError(
            f"'{path}' is an HDF5 file, not a .keras archive, and HDF5 files are not opened. Open it with Keras where "
            "you trust it, and save it as .keras."
        )
    if not size:
        raise ModelFileError(f"'{path}' is empty. {_RESTORE}")
    if not begin.startswith(b"PK\3\4"):
        raise ModelFileError(f"'{path}' is no .keras archive; it begins with {begin!r}. Give a .keras file.")
    last = _read_at(file, max(size - _END.size, 0), _END.size)
    if not last.startswith(b"PK\5\6"):
        raise ModelFileError(
            f"'{path}' is cut short, or something was added to it: its {size:,} bytes do not end as an archive ends. "
            + _RESTORE
        )
    count, length, start = _unpacked(_END, last, path)[4:7]
    if _end(count, length, start) != last or start + length + _END.size != size:
        raise damaged(path, f"the table at its end does not fit its {size:,} bytes")
    if count > _MOST_MEMBERS or length > _LONGEST_TABLE:
        raise damaged(path, f"it claims {count:,} members")
    return count, length, start


def _odd(name: str, taken: Container[str], flags: int, attributes: int) -> str | None:
    """What is wrong with a member, where it is one of the usual tricks."""
    if not _NAME.fullmatch(name):
        return f"a member is called {name[:100]!r}"
    if name in taken:
        return f"it has two members called {name!r}"
    if flags & 1:
        return f"its member {name!r} is encrypted"
    return f"its member {name!r} is a link" if stat.S_ISLNK(attributes >> 16) else None


def _unpacked(form: struct.Struct, content: bytes | memoryview, path: Path) -> tuple[Any, ...]:
    if len(content) < form.size:
        raise damaged(path, "the table at its end is cut short")
    return form.unpack(content[: form.size])


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _depth(content: Any) -> int:
    level, depth = [content], 0
    while level:
        depth += 1
        inner = [part for part in level if isinstance(part, (dict, list))]
        level = [value for part in inner for value in (part.values() if isinstance(part, dict) else part)]
    return depth


def _no_file(path: Path) -> ModelFileError:
    kind = "a folder" if path.is_dir() else "no regular file"
    return ModelFileError(f"'{path}' is {kind}. Give the path of a .keras file.")
