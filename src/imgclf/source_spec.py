"""``SourceSpec``: a source of pictures as data, which opens it, prints it, and becomes Python or JSON.

In: a kind, a path and options.  Out: the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import OptionError, listed, unknown_name
from .sources import CsvPixelsSource, DatasetSource, FilenameSource, FolderSource, TableSource, TFRecordSource
from .sources.paths import printable

Kind = Literal["folders", "filenames", "csv_pixels", "table", "tfrecords"]

_SOURCES: Mapping[str, tuple[Callable[..., Any], str]] = {
    "folders": (FolderSource, "one folder per class"),
    "filenames": (FilenameSource, "pictures whose names tell the class"),
    "csv_pixels": (CsvPixelsSource, "a table with a column per pixel"),
    "table": (TableSource, "a table of files and classes"),
    "tfrecords": (TFRecordSource, "TFRecord files"),
}
KINDS = tuple(_SOURCES)
"""The kinds of sources that a path can be read as."""


@dataclass(frozen=True)
class SourceSpec:
    """A source as data: which kind, where, with which options.

    >>> spec = SourceSpec("filenames", "pets/train", {"labelled": False})
    >>> spec.code
    "FilenameSource('pets/train', labelled=False)"

    Attributes:
        kind: ``"folders"``, ``"filenames"``, ``"csv_pixels"``, ``"table"`` or ``"tfrecords"``.
        path: The folder, table or archive.
        options: The source's other arguments, as JSON can hold them.
    """

    kind: Kind
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in _SOURCES:
            raise unknown_name("kind of source", self.kind, _SOURCES)
        if odd := [name for name in self.options if not str(name).isidentifier()]:
            raise OptionError(
                f"options of a source are called {listed(odd)}; expected names such as 'pattern'. Mend them."
            )

    def __str__(self) -> str:
        unlabelled = self.options.get("labelled") is False
        return f"{printable(self.path)}: {'pictures without labels' if unlabelled else _SOURCES[self.kind][1]}"

    @property
    def code(self) -> str:
        """The Python expression that makes the source."""
        said = [repr(self.path), *(f"{name}={value!r}" for name, value in self.options.items())]
        return f"{_SOURCES[self.kind][0].__name__}({', '.join(said)})"

    def open(self) -> DatasetSource:
        """The source itself.

        Raises:
            DatasetError: the path is not laid out so; the message says how it is.
        """
        try:
            source: DatasetSource = _SOURCES[self.kind][0](self.path, **self.options)
        except TypeError as error:
            raise OptionError(f"{_SOURCES[self.kind][0].__name__} does not take these options: {error}.") from None
        return source

    def absolute(self) -> SourceSpec:
        """The same from whatever folder one works in."""
        options = {name: _absolute(value) if name == "directory" else value for name, value in self.options.items()}
        return SourceSpec(self.kind, _absolute(self.path), options)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"kind": self.kind, "path": self.path, "options": dict(self.options)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SourceSpec:
        """From what :meth:`to_dict` gave."""
        return cls(content["kind"], content["path"], dict(content.get("options", {})))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
