"""From what a user gives to a path that can be, and messages when it cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError, ImgclfError, OptionError


@dataclass(frozen=True)
class Place:
    """Where something lies, and where it lies to the user: another path, if it was unpacked from an archive.

    Attributes:
        path: What is opened.
        shown: What the user gave, and what messages say: ``pets.zip/train``.
    """

    path: Path
    shown: Path

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors of imgclf that leave the block say ``shown`` where they said ``path``."""
        try:
            yield
        except ImgclfError as error:
            if self.path == self.shown:
                raise
            said = str(error).replace(_quoted(self.path), _quoted(self.shown))
            raise type(error)(said) from error.__cause__


def as_path(given: object, what: str) -> Path:
    """The path that a user gave, ``~`` resolved; text, bytes or a ``Path``.

    Raises:
        OptionError: it is something else, empty (which would be the working folder), or the home of nobody.
    """
    text = os.fsdecode(given) if isinstance(given, (str, bytes, os.PathLike)) else ""
    if not text:
        raise OptionError(f"the {what} is {given!r}; expected the path of a {what}, such as 'data/pets'. Give one.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise OptionError(f"the {what} {text!r} cannot be found: {error} Write the path out.") from None


def check_there(path: Path, what: str) -> str:
    """*path* as messages show it, once something is there.

    Raises:
        DatasetError: there is nothing, or it cannot be reached; *what* was expected there, ``"file"`` or ``"folder"``.
    """
    shown = repr(printable(str(path)))
    try:
        exists = path.exists()
    except OSError as error:
        raise DatasetError(f"the {what} {shown} cannot be reached: {error.strerror}. Check the path.") from None
    if not exists:
        raise DatasetError(f"there is no {what} {shown} (looked for in {str(Path.cwd())!r}). Check the path.")
    return shown


def printable(name: str) -> str:
    r"""*name* as text that UTF-8 can write: the bytes of a file name that are not text become ``\xe9``.

    >>> printable("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no file system gave
        return name.encode("utf-8", "backslashreplace").decode()


def _quoted(path: Path) -> str:
    return repr(printable(str(path)))[1:-1]
