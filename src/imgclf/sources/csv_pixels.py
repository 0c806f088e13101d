"""Pictures as rows of a table of pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, OptionError, listed
from ..images import Pixels
from .base import UNLABELLED, Samples
from .channels import channels_apart
from .class_names import given_names, labels_of_table
from .csv_file import check_table_file, first_line
from .csv_layout import DEFAULT_LABEL, checked_shape, layout_of
from .csv_rows import may_be_cut, read_rows
from .listing import pixels_digest
from .paths import as_path
from .unpacking import place_of


class _Content(NamedTuple):
    images: Pixels
    lines: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int32]


@final
class CsvPixelsSource:
    r"""The pictures of a table, ``.csv``, ``.csv.gz`` or in a ``.zip``: one per row, a column per pixel, 0 to 255.

    The pixels of a picture stand row by row, the channels of a pixel side by side.  The first line is read here, and
    tells delimiter (comma, semicolon, tab), header and shape; all rows are read when the first of them is asked for,
    and kept as uint8.  Keys are lines as an editor counts them: ``train.csv:17``.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder, "train.csv")
    ...     _ = table.write_text("\n".join(["label,pixel0,pixel1,pixel2,pixel3", "1,0,0,255,255", "0,255,255,0,0"]))
    ...     source = CsvPixelsSource(table)
    ...     print(source.image_shape, source.class_names, source.samples().keys.tolist())
    (2, 2, 1) ('0', '1') ['train.csv:2', 'train.csv:3']

    Args:
        path: The table.  In an archive the path goes on: ``digit-recognizer.zip/train.csv``.
        label: The label column: its name, or its position from 0.  None, or ``"label"`` where the header has no such
            column: the pictures are unlabelled (Kaggle's ``test.csv``).  In a table without header (first line all
            numbers), column 0 if the columns after it make a picture.
        image_shape: ``(height, width)`` or ``(height, width, channels)``.  None: square pictures of 1 or 3 channels.
        class_names: The names of the classes, in the order of the labels.  None: the labels found, in natural order.
            Labels that are numbers, and not among the names, are positions in them; −1 is unlabelled.

    Attributes:
        path: The table.
        file: What is read: the table itself, or what an archive was unpacked to.
        layout: Delimiter, header and label column.
        image_shape: ``(height, width, channels)``.
        ignored: Always empty: nothing is passed over, blank lines apart.

    Raises:
        DatasetError: the table is missing, or no such table.  When the rows are read: a fault, with line, column and
            value (a row too short or long, an empty cell, no whole number, below 0, above 255); one class only; labels
            that stand first or last, in a table without header.
        UnknownNameError: no column *label*.
        OptionError: *label*, *image_shape* or *class_names* cannot be.
    """

    ignored: tuple[()] = ()

    def __init__(
        self,
        path: str | os.PathLike[str],
        label: str | int | None = DEFAULT_LABEL,
        image_shape: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(label, str | int | None) or isinstance(label, bool):
            raise OptionError(f"label is {label!r}; expected the name of a column, its position from 0, or None.")
        shape = checked_shape(image_shape)
        self._place = place_of(as_path(path, "table"), "table")
        self.path, self.file = self._place.shown, self._place.path
        check_table_file(self._place)
        with self._place.named():
            line, number = first_line(self._place.path)
        self.layout = layout_of(line, repr(str(self.path)), label, shape)
        self._guessed = self.layout.header is None and label == DEFAULT_LABEL and self.layout.label == 0
        self._given = given_names(class_names, least=0 if self.layout.label is None else 2)
        self._skip = number if self.layout.header else number - 1
        self.image_shape = self.layout.shape

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        counts = ""
        if content := self.__dict__.get("_content"):  # not read just for this
            counts = f"{len(content.lines):,} pictures, {len(content.class_names)} classes, "
        return f"CsvPixelsSource({str(self.path)!r}: {counts}{height} × {width} × {channels})"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; a label is a position in it.  Empty if unlabelled and not given."""
        return self._content.class_names

    def samples(self) -> Samples:
        """The rows' keys and labels, in the order of the file."""
        name = self.path.name
        keys = np.array([f"{name}:{line}" for line in self._content.lines.tolist()])
        return Samples(keys=keys, labels=self._content.labels.copy())

    def read(self, key: str) -> Pixels:
        """The picture of *key*: uint8 ``image_shape``, a copy."""
        name, _, line = str(key).rpartition(":")
        lines = self._content.lines
        wanted = int(line) if line.isdecimal() and name == self.path.name else 0
        row = int(np.searchsorted(lines, wanted))
        if row == len(lines) or lines[row] != wanted:
            raise DatasetError(f"no picture {str(key)!r} in {str(self.path)!r}. The keys are those of samples().")
        picture: Pixels = self._content.images[row].copy()
        return picture

    def load_images(self) -> Pixels:
        """All pictures at once, uint8 ``(n, *image_shape)``, read-only."""
        return self._content.images

    def fingerprint(self) -> str:
        """A digest of keys and pixels as they were read; labels and class names do not enter."""
        return pixels_digest(self.samples().keys, self._content.images)

    @cached_property
    def _content(self) -> _Content:
        with self._place.named():
            rows = read_rows(self._place.path, self.layout, self._skip)
        images = rows.pixels.reshape(-1, *self.image_shape)
        images.flags.writeable = False
        self._warn(images)
        if self.image_shape[2] == 3 and not self.layout.ordered:
            self._check_channels(images)
        if self.layout.label is None:
            return _Content(images, rows.lines, self._given or (), np.full(len(images), UNLABELLED, np.int32))
        if self._guessed:
            self._check_guess(rows.labels, rows.pixels[:, -1])
        where = f"{self.layout.column(self.layout.label)} of {str(self.path)!r}"
        return _Content(images, rows.lines, *labels_of_table(rows.labels, self._given, where))

    def _check_guess(self, labels: Sequence[str], last: npt.NDArray[np.uint8]) -> None:
        """Without a header the first column was taken for the labels: refuse where the last looks more like them."""
        if not all(label.isdecimal() for label in labels):
            return
        first, other = (_counts_from_start(np.array(column, np.float64)) for column in (labels, last))
        if other and not first:
            raise DatasetError(
                f"{str(self.path)!r} has no header, and its last column ({listed(np.unique(last).tolist(), most=3)}) "
                "looks more like labels than its first. Say label=-1, or label=0 if they stand first."
            )
        if other:
            warnings.warn(
                f"{str(self.path)!r} has no header, and its first and its last column could both be labels; the first "
                "is taken. Say label=0, or label=-1 if they stand last.",
                stacklevel=5,
            )

    def _check_channels(self, images: Pixels) -> None:
        """Refuse pictures that are far smoother when read as all red, all green, all blue, as CIFAR's files are."""
        if channels_apart(images):
            raise DatasetError(
                f"{str(self.path)!r} seems to hold each picture as all red, all green, all blue values: read so, it is "
                "far smoother than with a pixel's three values side by side, as they are expected. Put the columns in "
                "the order r0, g0, b0, r1, …, or read it yourself and use ArraySource: "
                "table.reshape(-1, 3, height, width).transpose(0, 2, 3, 1). If they do stand side by side, name the "
                "columns so."
            )

    def _warn(self, images: Pixels) -> None:
        """Say what may be wrong in a table without a fault."""
        shown = repr(str(self.path))
        if images.max() == 1:
            warnings.warn(
                f"no pixel of {shown} is above 1, so that all pictures are as good as black. If 1 stands for white, "
                "multiply by 255.",
                stacklevel=5,
            )
        if may_be_cut(self._place.path, self.layout):
            warnings.warn(
                f"the last line of {shown} has no end. If the file was cut off there, its last cell may be incomplete: "
                "look at it, and end the line.",
                stacklevel=5,
            )


def _counts_from_start(column: npt.NDArray[np.float64]) -> bool:
    """Whether the values are 0, 1 … or 1, 2 … without a gap, two at least, as labels mostly are."""
    values = np.unique(column)
    return len(values) > 1 and values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
