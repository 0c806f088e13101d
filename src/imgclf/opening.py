"""A file → an opened picture that has passed every check that needs no decoding, and its faults in plain words.

In: a path or bytes.  Out: a Pillow picture within limits; or an ``ImageError`` that names the file and the cause.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from . import skeleton
from .decoding import Metered
from .errors import ImageError
from .files import IrregularFileError, open_handle, read_handle
from .formats import FORMATS, format_of, remedy, what_else
from .pillow_settings import pinned

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded, in pixels: below Pillow's own warning at 89 million, above any phone's default."""

MAX_BYTES = 400_000_000
"""Largest file that is read, in bytes: five for each of ``MAX_PIXELS``."""

_KINDS = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISLNK, "link"))


class Room:
    """Room for so many pixels at a time, for all threads together; a picture that is larger is decoded alone.

    Sixteen threads with a picture of 12 million pixels each would take a gigabyte.
    """

    def __init__(self, pixels: int) -> None:
        self._most, self._taken = pixels, 0
        self._door, self._change = threading.Lock(), threading.Condition()

    @contextlib.contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for *pixels*, and keep it."""
        wanted = min(pixels, self._most)
        with self._door, self._change:  # the door: small pictures do not overtake a large one for ever
            self._change.wait_for(lambda: self._taken + wanted <= self._most)
            self._taken += wanted
        try:
            yield
        finally:
            with self._change:
                self._taken -= wanted
                self._change.notify_all()


def named(source: str | os.PathLike[str] | bytes) -> tuple[str, bytes]:
    """What a message calls *source*, and its bytes."""
    if isinstance(source, bytes):
        return "this picture", source
    name = repr(os.fspath(source))
    return name, _file_content(source, name)


@contextlib.contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """*content* as a Pillow picture, after everything that can be checked without decoding."""
    kind = format_of(content)
    if kind is None:
        words = what_else(content)
        raise ImageError(f"is {words}. {remedy(words)}, or remove it.")
    if len(content) > MAX_BYTES:
        raise ImageError(f"has {len(content):,} bytes, more than the {MAX_BYTES:,} that are read. Make it smaller.")
    if what := skeleton.fault(kind, content):
        raise ImageError(f"{what}. Restore it, or remove it.")
    with pinned(MAX_PIXELS), Image.open(Metered(content), formats=FORMATS) as picture:
        check_pixels(picture)
        yield picture


def check_pixels(picture: Image.Image) -> None:
    """Refuse what has more than ``MAX_PIXELS``."""
    if picture.width * picture.height > MAX_PIXELS:
        raise ImageError(
            f"has {picture.width} × {picture.height} pixels, more than the {MAX_PIXELS:,} that are decoded. Make it "
            "smaller first."
        )


@contextlib.contextmanager
def explained(name: str, content: bytes) -> Iterator[None]:
    """Whatever goes wrong as an ``ImageError`` that begins with *name* and says the cause."""
    try:
        yield
    except ImageError as error:
        link = "" if str(error).startswith(("is ", "has ")) else ":"
        raise ImageError(f"{name}{link} {error}") from None
    except MemoryError:
        raise ImageError(f"{name} does not fit into memory. Make it smaller, or free some.") from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} has more pixels than the {MAX_PIXELS:,} that are decoded. Make it smaller first."
        ) from None
    except UnidentifiedImageError:
        early = len(content) < 30 or (format_of(content) == "JPEG" and skeleton.jpeg_ends_early(content))
        what = "truncated: not even its header is whole" if early else "damaged: its header makes no sense"
        raise ImageError(f"{name} is {what}. Restore it, or remove it.") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        cause = str(error) or type(error).__name__
        if "MAX_TEXT" in cause:
            raise ImageError(f"{name} holds a compressed text or profile of more than 1 MB. Save it anew.") from None
        early = format_of(content) == "PNG" and skeleton.png_data_end_early(content)
        if early or "truncated" in cause.lower() or "not enough image data" in cause:
            raise ImageError(f"{name} is truncated: its data end early. Restore it, or remove it.") from error
        if "unsupported" in cause.lower():
            raise ImageError(
                f"{name} is damaged, or of a rare kind that is not read: {cause}. Save it anew."
            ) from error
        raise ImageError(f"{name} is damaged and cannot be decoded: {cause}. Restore it, or remove it.") from error


def _file_content(path: str | os.PathLike[str], name: str) -> bytes:
    """All bytes of a regular file, opened once."""
    try:
        handle, size = open_handle(path)
    except IrregularFileError as error:
        kind = next((word for test, word in _KINDS if test(error.mode)), "device")
        raise ImageError(f"{name} is no regular file but a {kind}. Give the path of a picture.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        cause = getattr(error, "strerror", None) or error
        if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
            cause = "it is a link to something that is not there"
        raise ImageError(f"{name} cannot be opened: {cause}. Check the path and its permissions.") from None
    try:
        if size > MAX_BYTES:
            raise ImageError(f"{name} has {size:,} bytes, more than the {MAX_BYTES:,} that are read.")
        content = read_handle(handle, size)
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}. Check the disk, or restore it.") from None
    finally:
        os.close(handle)
    if not content:
        raise ImageError(f"{name} is empty (0 bytes). Restore it, or remove it.")
    return content
