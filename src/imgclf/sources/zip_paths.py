"""What a path that goes on inside an archive means: a folder of pictures, a table, or an archive in the archive.

In: the names in an archive and the rest of a path.  Out: the name that is meant, or an error that says what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ..errors import DatasetError, listed
from ..images import IMAGE_SUFFIXES
from .names import natural
from .paths import printable

Wanted = Literal["folder", "table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PACKED = ".zip"


@dataclass(frozen=True)
class Target:
    """What was found.

    Attributes:
        name: A file, or a folder; "" is the whole archive.
        rest: Where the path goes on inside of *name*, an archive; None if it ends here.
    """

    name: str
    rest: tuple[str, ...] | None = None


def find(names: Iterable[str], parts: Sequence[str], wanted: Wanted, shown: Path) -> Target:
    """What *parts* mean among the files *names* of the archive *shown*.

    The ending ``.zip`` may be left out.  Where the archive holds one folder and nothing else, the folder is meant.  A
    path that ends at a folder with a single table, or without pictures and with a single archive, means this one.

    Raises:
        DatasetError: nothing there, or several things.

    >>> find(["train.zip", "test1.zip", "sample.csv"], ["train"], "folder", Path("pets.zip"))
    Target(name='train.zip', rest=())
    >>> find(["pets/cat/1.jpg", "pets/dog/1.jpg"], [], "folder", Path("pets.zip"))
    Target(name='pets', rest=None)
    """
    tree = _Tree(tuple(names), shown)
    folder = ""
    for at, part in enumerate(parts):
        inside = tree.inside(folder)
        if not folder and part not in inside and part + _PACKED not in inside:
            folder = tree.only_folder()
            inside = tree.inside(folder)
        found = part if part in inside else part + _PACKED
        if found not in inside:
            raise tree.nothing(folder, part)
        name = folder + found
        if not inside[found]:
            folder = f"{name}/"
        elif found.lower().endswith(_PACKED):
            return Target(name, tuple(parts[at + 1 :]))
        elif wanted == "folder" or at + 1 < len(parts):
            raise DatasetError(f"{tree.at(name)} is a file, and a folder is expected. Give the folder that holds it.")
        else:
            return Target(name)
    folder = folder or tree.only_folder()
    return tree.table(folder) if wanted == "table" else tree.pictures(folder)


@dataclass(frozen=True)
class _Tree:
    names: tuple[str, ...]
    shown: Path

    def inside(self, folder: str) -> dict[str, bool]:
        """What stands directly in *folder* ("" or ending in a slash): name → whether it is a file."""
        below = (name[len(folder) :].partition("/") for name in self.names if name.startswith(folder))
        return {first: not slash for first, slash, _ in below}

    def only_folder(self) -> str:
        """The folder at the top, if nothing stands beside it; else nothing."""
        top = self.inside("")
        return "".join(f"{name}/" for name, is_file in top.items() if len(top) == 1 and not is_file)

    def table(self, folder: str) -> Target:
        packed = tuple(suffix + _PACKED for suffix in TABLE_SUFFIXES)
        tables = [name for name in self.inside(folder) if name.lower().endswith((*TABLE_SUFFIXES, *packed))]
        if len(tables) == 1:
            return Target(folder + tables[0], () if tables[0].lower().endswith(_PACKED) else None)
        raise self.unclear(folder, tables, "table (.csv, .csv.gz)")

    def pictures(self, folder: str) -> Target:
        if any(name.startswith(folder) and name.lower().endswith(IMAGE_SUFFIXES) for name in self.names):
            return Target(folder.removesuffix("/"))
        archives = [name for name in self.inside(folder) if name.lower().endswith(_PACKED)]
        if len(archives) == 1:
            return Target(folder + archives[0], ())
        raise self.unclear(folder, archives, "picture")

    def at(self, name: str) -> str:
        return repr(printable((self.shown / name).as_posix()))

    def nothing(self, folder: str, part: str) -> DatasetError:
        there = natural(self.inside(folder))
        near = get_close_matches(part, there, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return DatasetError(f"there is no {part!r} in {self.at(folder)}.{hint} It holds {listed(there, most=20)}.")

    def unclear(self, folder: str, several: Sequence[str], what: str) -> DatasetError:
        there = natural(self.inside(folder))
        held = f"It holds {listed(there, most=20)}." if there else "It is empty."
        if not several:
            return DatasetError(f"there is no {what} in {self.at(folder)}. {held} Check the path.")
        first = min(natural(set(several)), key=lambda name: "train" not in name.lower())
        problem = f"holds {len(several)} tables" if what.startswith("table") else "holds no pictures but archives"
        return DatasetError(f"{self.at(folder)} {problem}. {held} Say which is meant: {self.at(folder + first)}.")
