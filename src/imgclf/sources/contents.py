"""What a folder or an archive holds, by names alone: nothing is decoded, and no archive in a folder is unpacked.

In: a path, which may go on inside a ``.zip``.  Out: ``Contents``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from ..images import IMAGE_SUFFIXES
from .names import is_hidden, natural
from .paths import check_there, printable
from .unpacking import is_there, names_in_archive, place_of
from .zip_members import is_zip


@dataclass(frozen=True)
class Contents:
    """The names below a folder, or in an archive; hidden ones are left out.

    Attributes:
        names: Relative POSIX paths of the files, those of links to folders left out.
        is_file: Whether the path is a single file instead, and no archive.
    """

    names: tuple[str, ...] = ()
    is_file: bool = False

    @property
    def folders(self) -> list[str]:
        """The folders at the top."""
        return natural({name.partition("/")[0] for name in self.names if "/" in name})

    @property
    def files(self) -> list[str]:
        """The files at the top."""
        return natural(name for name in self.names if "/" not in name)

    @property
    def entries(self) -> list[str]:
        """Folders and files at the top."""
        return [*self.folders, *self.files]

    @property
    def pictures(self) -> list[str]:
        """The files that are pictures by their endings."""
        return [name for name in self.names if name.lower().endswith(IMAGE_SUFFIXES)]

    @property
    def loose(self) -> list[str]:
        """The pictures at the top."""
        return [name for name in self.pictures if "/" not in name]

    @property
    def filled(self) -> set[str]:
        """The folders at the top with pictures in them."""
        return {name.partition("/")[0] for name in self.pictures if "/" in name}

    @property
    def only_folder(self) -> str | None:
        """The folder at the top that nothing stands beside."""
        return self.folders[0] if len(self.folders) == 1 and not self.files else None


def contents_of(path: Path) -> Contents:
    """What stands at *path*, by name.

    Raises:
        DatasetError: nothing is there, or an archive is damaged.
    """
    if (inside := names_in_archive(path)) is not None:
        return Contents(tuple(inside))
    real = path
    if not is_there(path) and any(map(is_zip, path.parents)):  # an archive in an archive
        try:
            real = place_of(path, "folder").path
        except DatasetError:
            real = place_of(path, "table").path
    check_there(real, "file or folder")
    return Contents(tuple(_walked(real))) if real.is_dir() else Contents(is_file=True)


def _walked(folder: Path) -> Iterable[str]:
    for root, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not is_hidden(name)]
        below = Path(root).relative_to(folder).as_posix()
        prefix = "" if below == "." else printable(below) + "/"
        yield from (prefix + printable(name) for name in files if not is_hidden(name))
        for name in folders:  # a link to a folder of pictures is followed when they are listed; here its name is enough
            if (Path(root) / name).is_symlink():
                yield from (f"{prefix}{printable(name)}/{one}" for one in _some(Path(root) / name))


def _some(folder: Path) -> list[str]:
    try:
        return [printable(name) for name in os.listdir(folder)[:1000] if not is_hidden(name)]  # noqa: PTH208
    except OSError:
        return []
