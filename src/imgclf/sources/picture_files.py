"""Pictures that are files, each under its key: read, brought to size, digested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..images import ImageSpec, Pixels, prepare_image, read_image
from ..opening import named
from .base import Samples
from .listing import content_digest
from .paths import Place


class PictureFiles:
    """Key → file, in the order of the keys.  A key is looked up and never joined to a path.

    Attributes:
        paths: The path of each key.
        place: The folder that they lie in; errors call it what the user does.
    """

    def __init__(self, paths: Mapping[str, str], place: Place) -> None:
        self.paths = dict(paths)
        self.place = place

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def path(self, key: str) -> str:
        """The path of the picture *key*.

        Raises:
            DatasetError: there is no such picture.
        """
        if (path := self.paths.get(str(key))) is None:
            raise DatasetError(f"no picture {str(key)!r} in this source. The keys are those of samples().")
        return path

    def read(self, key: str) -> Pixels:
        """The picture of *key*; see :func:`imgclf.images.read_image`."""
        with self.place.named():
            return read_image(self.path(key))

    def prepare(self, key: str, spec: ImageSpec) -> Pixels:
        """The picture of *key* as *spec* wants it; see :func:`imgclf.images.prepare_image`."""
        with self.place.named():
            return prepare_image(self.path(key), spec)

    def content(self, key: str) -> bytes:
        """The bytes of the file of *key*.

        Raises:
            ImageError: it is no regular file, too large, or cannot be read.
        """
        with self.place.named():
            return named(self.path(key))[1]

    def digest(self) -> str:
        """A digest of keys and file contents, read anew at every call."""
        return content_digest(self.paths)


class FileSource:
    """What sources of files have in common.

    Attributes:
        files: The path of each key.
    """

    files: PictureFiles
    _labels: npt.NDArray[np.int32]

    def samples(self) -> Samples:
        """The pictures' keys and labels, in the order of ``files``."""
        return Samples(keys=np.array(list(self.files)), labels=self._labels.copy())

    def read(self, key: str) -> Pixels:
        """The picture of *key*: uint8 ``(height, width, 1 or 3)``; see :func:`imgclf.images.read_image`."""
        return self.files.read(key)

    def prepare(self, key: str, spec: ImageSpec) -> Pixels:
        """The picture of *key* as *spec* wants it: uint8 ``spec.shape``; see :func:`imgclf.images.prepare_image`."""
        return self.files.prepare(key, spec)

    def fingerprint(self) -> str:
        """A digest of keys and file contents, read anew at every call; labels and class names do not enter."""
        return self.files.digest()
