"""Pictures whose class stands in the file name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, final, get_args

from ..errors import DatasetError, OptionError, listed
from .class_names import given_names, labels_of
from .folder import no_pictures
from .listing import Ignored, list_pictures, warn_of_left_out
from .patterns import Pattern, classes_of, ends_like_a_file
from .picture_files import FileSource, PictureFiles

OnMismatch = Literal["error", "skip"]


@final
class FilenameSource(FileSource):
    r"""The pictures of a folder, each labelled by its own name: ``cat.0.jpg`` is a cat.

    Subfolders are listed too; only a file's own name tells its class.  The folder is listed once, here; nothing is
    decoded before ``read``.  Keys are POSIX paths relative to *root*, in natural order, whatever the order of the file
    system; bytes of a name that are not UTF-8 stand as ``\xe9``.

    >>> import tempfile
    >>> from imgclf import DrawnPets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = FilenameSource(DrawnPets(4).write(folder))
    ...     print(source.class_names, source.samples().keys.tolist())
    ('cat', 'dog') ['cat.0.png', 'cat.1.png', 'dog.0.png', 'dog.1.png']

    Args:
        root: The folder of the pictures; or a ``.zip``, which is unpacked once, into the cache folder.  The path may go
            on inside it, also through an archive in the archive: ``dogs-vs-cats.zip/train.zip``.
        pattern: How to find the class in a name.  None: the text before the first dot.  A regular expression with a
            group ``label``, found anywhere in the name (``re.search``; anchor it with ``^`` and ``$``), such as
            ``r"^(?P<label>[a-z]+)_"``; one that takes more than 2 s for a hundred names is given up.  Or a function
            that takes the name and returns the class, or None.
        class_names: The names of the classes, in the order of the labels.  None: those found, in natural order.
        on_mismatch: What becomes of a file whose name tells no class: ``"error"``, or ``"skip"`` to leave it out and
            count it in ``ignored``.
        labelled: False loads all pictures as unlabelled, such as Kaggle's ``test1/1.jpg``.

    Attributes:
        root: The folder.
        class_names: The names of the classes; empty if unlabelled and not given.
        ignored: Key and reason of everything that is no picture of the set.
        files: The path of each key.

    Raises:
        DatasetError: no pictures; names that tell no class; one class only; nearly as many classes as pictures; the
            ending of a name taken for a class.
        OptionError: a pattern without a group ``label`` or without an end, options that contradict each other.
        FileError: there is no room to unpack an archive.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        pattern: Pattern | None = None,
        class_names: Sequence[str] | None = None,
        *,
        on_mismatch: OnMismatch = "error",
        labelled: bool = True,
    ) -> None:
        given = given_names(class_names, least=2 if labelled else 0)
        if on_mismatch not in get_args(OnMismatch):
            raise OptionError(f"on_mismatch is {on_mismatch!r}; expected one of {get_args(OnMismatch)}.")
        if pattern is not None and not labelled:
            raise OptionError("pattern is given, and labelled=False: a pattern finds labels. Leave one of them out.")
        classes_of((), pattern)  # a pattern that cannot be is told before anything is listed
        listing = list_pictures(root)
        if not listing.pictures:
            raise no_pictures(listing)
        self.root = listing.root
        self.ignored = listing.ignored
        self.files = PictureFiles(listing.pictures, listing.place)
        texts: dict[str, str | None] = dict.fromkeys(self.files)
        if labelled:
            found = classes_of([key.rpartition("/")[2] for key in self.files], pattern)
            texts = dict(zip(self.files, found, strict=True))
            self._leave_out([key for key, text in texts.items() if text is None], on_mismatch, pattern)
            if given is None:
                self._refuse_numbers([texts[key] for key in self.files], pattern)
                self._refuse_endings(texts)
        kept = [texts[key] for key in self.files]
        self.class_names, self._labels = labels_of(kept, given, repr(str(self.root)))
        warn_of_left_out(listing)

    def __repr__(self) -> str:
        return (
            f"FilenameSource({str(self.root)!r}: {len(self.files):,} pictures, {len(self.class_names)} classes, "
            f"{len(self.ignored):,} ignored)"
        )

    def _leave_out(self, mismatched: list[str], on_mismatch: OnMismatch, pattern: Pattern | None) -> None:
        every = len(mismatched) == len(self.files)
        folders = " It sees a file's own name, without folders." if "/" in str(pattern) else ""
        if mismatched and (every or on_mismatch == "error"):
            advice = "Change the pattern" if every else 'Change the pattern, or leave them out with on_mismatch="skip"'
            raise DatasetError(
                f"{len(mismatched):,} of {len(self.files):,} names below {str(self.root)!r} tell no class: "
                f"{listed(mismatched)}.{folders} {advice}; pictures without labels load with labelled=False."
            )
        for key in mismatched:
            del self.files.paths[key]
        self.ignored += tuple(Ignored(key, "its name tells no class") for key in mismatched)

    def _refuse_numbers(self, texts: list[str | None], pattern: Pattern | None) -> None:
        """``1.jpg, 2.jpg``: by the default rule every picture would be a class."""
        if pattern is None and len(set(texts)) == len(texts) and all(str(text).isdecimal() for text in texts):
            raise DatasetError(
                f"the names below {str(self.root)!r} are numbers, such as {next(iter(self.files))!r}, and tell no "
                "class. For pictures without labels say labelled=False; for one folder per class use FolderSource."
            )

    def _refuse_endings(self, texts: dict[str, str | None]) -> None:
        """``cat.jpg`` or ``jpg`` as a class: the pattern takes in the ending of the name."""
        odd = [key for key in self.files if ends_like_a_file(texts[key] or "")]
        if odd:
            raise DatasetError(
                f"the classes of {len(odd):,} names below {str(self.root)!r} take in the ending of the name, such as "
                f"{texts[odd[0]]!r} of {odd[0]!r}. Change the pattern; or name all classes in class_names."
            )
