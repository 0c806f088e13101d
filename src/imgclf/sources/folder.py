"""Pictures in folders, one folder per class."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import final

import numpy as np

from ..errors import DatasetError, listed
from ..images import IMAGE_SUFFIXES
from ..tables import visible
from .class_names import check_spelling, given_names
from .listing import NO_PICTURE, Ignored, Listing, list_pictures, warn_of_left_out
from .names import natural
from .part_names import are_parts, is_part, rank
from .picture_files import FileSource, PictureFiles


@final
class FolderSource(FileSource):
    r"""The pictures of a folder that holds one folder per class.

    Below a class folder every picture counts, however deep.  The folder is listed once, here; nothing is decoded
    before ``read``.  Keys are POSIX paths relative to *root*, in natural order (``cats/2.jpg`` before
    ``cats/10.jpg``), whatever the order of the file system; bytes of a name that are not UTF-8 stand as ``\xe9``.

    >>> import tempfile
    >>> from imgclf import DrawnPets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = FolderSource(DrawnPets(4).write(folder, "folders"))
    ...     print(source.class_names, source.samples().labels.tolist())
    ('cat', 'dog') [0, 0, 1, 1]

    Args:
        root: The folder above the class folders; or a ``.zip``, which is unpacked once, into the cache folder.  The
            path may go on inside it: ``pets.zip/train``.
        class_names: The names of all class folders, in the order of the labels.  None: natural order.

    Attributes:
        root: The folder.
        class_names: The names of the classes; a label is a position in it.
        ignored: Key and reason of everything that is no picture of the set.
        files: The path of each key.

    Raises:
        DatasetError: the folder is not laid out like this; the message says how it is, and what to call instead.
        OptionError: *class_names* are not at least two texts.
        FileError: there is no room to unpack an archive.
    """

    def __init__(self, root: str | os.PathLike[str], class_names: Sequence[str] | None = None) -> None:
        given = given_names(class_names)
        listing = list_pictures(root)
        _check_pictures(listing)
        if given is None or not set(given) <= set(listing.folders):
            _check_level(listing)
        _check_links(listing)
        self.root = listing.root
        self.class_names = _class_folders(listing, given)
        inside = {key: path for key, path in listing.pictures.items() if "/" in key}
        self.files = PictureFiles(inside, listing.place)
        position = {name: label for label, name in enumerate(self.class_names)}
        self._labels = np.array([position[key.partition("/")[0]] for key in inside], np.int32)
        strays = [Ignored(key, "beside the class folders") for key in listing.pictures if "/" not in key]
        self.ignored = (*strays, *listing.ignored)
        if strays:
            warnings.warn(
                f"{len(strays):,} pictures beside the class folders of {str(listing.root)!r} have no class and are "
                f"left out: {listed(stray.key for stray in strays)}. Move them into a class folder.",
                stacklevel=2,
            )
        warn_of_left_out(listing)

    def __repr__(self) -> str:
        return (
            f"FolderSource({str(self.root)!r}: {len(self.files):,} pictures, {len(self.class_names)} classes, "
            f"{len(self.ignored):,} ignored)"
        )


def no_pictures(listing: Listing) -> DatasetError:
    """The error of a folder without a single picture."""
    return DatasetError(
        f"{str(listing.root)!r} holds no pictures ({', '.join(IMAGE_SUFFIXES)}){_passed_over(listing.ignored)}. "
        "Check the path, or convert the files."
    )


def _check_pictures(listing: Listing) -> None:
    if not listing.pictures:
        raise no_pictures(listing)
    if not any("/" in key for key in listing.pictures):
        raise DatasetError(
            f"{str(listing.root)!r} holds {len(listing.pictures):,} pictures and no class folders. If the class stands "
            f"in the file names, use FilenameSource({str(listing.root)!r}); if this folder is itself one class, give "
            f"the folder above it: FolderSource({str(listing.root.resolve().parent)!r}); arrays go to ArraySource."
        )


def _check_links(listing: Listing) -> None:
    """Refuse a folder that is reached by way of two classes: its pictures would have two labels, or lose one class."""
    for key, first in listing.again.items():
        if first and key.partition("/")[0] != first.partition("/")[0]:
            raise DatasetError(
                f"{key!r} and {first!r} of {str(listing.root)!r} are one folder, by a link, and stand in two classes. "
                "Remove the link, or put copies of the pictures there."
            )


def _check_level(listing: Listing) -> None:
    """Recognise ``data`` where ``data/train/cats`` was meant, and say so."""
    if inside := _lower(listing, ""):
        raise DatasetError(
            f"the folders of {str(listing.root)!r} ({listed(listing.folders)}) hold no classes but folders of classes: "
            f"the path is one level too high. If these are your classes all the same, name them in class_names; else "
            f"use FolderSource({str(listing.root / inside)!r})."
        )
    whole = all(is_part(name, whole=True) for name in listing.folders)
    if listing.folders and (whole or are_parts(listing.folders)):
        train = min(listing.folders, key=rank)
        raise DatasetError(
            f"the folders of {str(listing.root)!r} ({listed(listing.folders)}) are parts of a set, not classes. If the "
            f"class stands in the file names, use FilenameSource({str(listing.root / train)!r}); if in the folders' "
            "names, sort the folders into train/<class> and test/<class>; if these are your classes, name them in "
            "class_names."
        )
    if shared := _shared(listing):
        raise DatasetError(
            f"every folder of {str(listing.root)!r} ({listed(listing.folders)}) holds folders {listed(shared)} and no "
            f"picture of its own: which are the classes? If the upper ones are, name them in class_names; if the lower "
            f"ones are, give one of the upper: FolderSource({str(listing.root / listing.folders[0])!r})."
        )
    _check_repeated(listing)


def _check_repeated(listing: Listing) -> None:
    """Refuse a second copy of the set among its classes: ``no``, ``yes`` and ``more/no``, ``more/yes``."""
    names = {name.casefold() for name in listing.folders}
    for top, below in _inner_folders(listing).items():
        again = [name for name in natural(below) if name.casefold() in names - {top.casefold()}]
        if len(again) > 1:
            raise DatasetError(
                f"the folder {top!r} of {str(listing.root)!r} is no class like its neighbours: it holds folders of "
                f"their names again ({listed(again)}), so that pictures may stand twice. Move it out of "
                f"{str(listing.root)!r}; if it is a class, name all classes in class_names."
            )


def _inner_folders(listing: Listing) -> dict[str, set[str]]:
    """Per class folder the names of the folders directly in it; "" where it holds pictures of its own."""
    below: dict[str, set[str]] = {name: set() for name in listing.folders}
    for key in listing.pictures:
        top, _, rest = key.partition("/")
        if rest:
            below[top].add(rest.partition("/")[0] if "/" in rest else "")
    return below


def _shared(listing: Listing) -> list[str]:
    """Folders that stand in every class folder, where these hold nothing else: two or more, and no mere numbers."""
    below = _inner_folders(listing)
    common = set.intersection(*below.values()) if len(below) > 1 else set()
    loose = any("" in names for names in below.values())
    names = natural({name for name in common if not re.fullmatch(r"[\W\d_]+", name)})
    return names if len(names) > 1 and not loose else []


def _lower(listing: Listing, folder: str) -> str:
    """The folder below *folder* that was meant (``train`` among parts of a set), or "" if these look like classes."""
    inside = [key[len(folder) :].split("/") for key in listing.pictures if key.startswith(folder)]
    tops = {parts[0] for parts in inside if len(parts) > 1}
    nested = tops.difference(parts[0] for parts in inside if len(parts) == 2)  # no picture of their own
    parts_of_set = {top for top in tops if is_part(top)}
    if len(tops) == 1 and nested:
        return _lower(listing, f"{folder}{min(tops)}/")
    others = tops - parts_of_set  # beside several of them, a part's name is a class: bus, car, train
    meant = are_parts(parts_of_set) or len(others) < 2
    if parts_of_set & nested and tops <= parts_of_set | nested and meant:
        best = f"{folder}{min(natural(parts_of_set & nested), key=rank)}"
        return _lower(listing, f"{best}/") or best
    return folder.removesuffix("/") if len(tops) > 1 else ""


def _class_folders(listing: Listing, given: tuple[str, ...] | None) -> tuple[str, ...]:
    folders = listing.folders
    if given is None:
        check_spelling(folders, repr(str(listing.root)))
    if given is not None and set(given) != set(folders):
        raise _names_differ(listing, given)
    filled = {key.partition("/")[0] for key in listing.pictures if "/" in key}
    if empty := [name for name in folders if name not in filled]:
        lines = "; ".join(f"{name!r}{_passed_over(listing.ignored, name)}" for name in empty[:5])
        raise DatasetError(
            f"{len(empty)} class folders of {str(listing.root)!r} hold no pictures: {lines}. Put pictures "
            f"({', '.join(IMAGE_SUFFIXES)}) there, or remove the folders."
        )
    if len(folders) == 1:
        raise DatasetError(
            f"{str(listing.root)!r} has one class folder only, {folders[0]!r}; a classifier tells at least two apart. "
            "Add a folder per class."
        )
    return given or folders


def _names_differ(listing: Listing, given: tuple[str, ...]) -> DatasetError:
    faults = []
    for name in given:
        if name not in listing.folders:
            nearest = get_close_matches(name, listing.folders, n=1)
            faults.append(f"no folder {name!r}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
    if extra := [name for name in listing.folders if name not in given]:
        faults.append(f"folders that class_names lacks: {listed(extra)}")
    return DatasetError(
        f"class_names and the folders of {str(listing.root)!r} differ: {'; '.join(faults)}. Name every folder once, "
        "move away those that are no classes, or leave class_names out."
    )


def _passed_over(ignored: Sequence[Ignored], folder: str = "") -> str:
    """``" (ignored: 3 .heic, 1 hidden)"``, or nothing."""
    counts = Counter(
        (visible(PurePosixPath(item.key).suffix.lower()) or item.reason) if item.reason == NO_PICTURE else item.reason
        for item in ignored
        if item.key.startswith(f"{folder}/" if folder else "")
    )
    return f" (ignored: {', '.join(f'{n:,} {what}' for what, n in counts.most_common(5))})" if counts else ""
