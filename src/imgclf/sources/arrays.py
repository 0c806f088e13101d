"""Pictures that are in memory already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, ImageError, listed
from ..images import Pixels
from .base import UNLABELLED, Samples
from .class_names import given_names, labels_in_range, labels_of, warn_of_unlabelled
from .listing import pixels_digest


@final
class ArraySource:
    """Pictures from an array, with their labels.

    >>> pixels = np.zeros((10, 28, 28), np.uint8)
    >>> ArraySource(pixels, labels=["cat", "dog"] * 5)
    ArraySource(10 pictures of 28 × 28 × 1, 2 classes)

    The pixels are not copied.  Keys are the positions, ``"0"``, ``"1"`` ….

    Args:
        images: uint8 ``(n, height, width)`` or ``(n, height, width, 1 or 3)``, values 0 to 255, also a memory map.
        labels: ``(n,)`` or ``(n, 1)``: whole numbers or names of classes.  With *class_names*, numbers are positions
            in them, −1 for unlabelled; without, the numbers found are the names: ``"0"``, ``"1"`` ….  None: unlabelled.
        class_names: The names of the classes, in the order of the labels.

    Attributes:
        class_names: The names of the classes; empty if unlabelled and not given.
        ignored: Always empty: nothing is passed over.

    Raises:
        ImageError: *images* are not uint8, or of another shape.
        DatasetError: *labels* do not fit: their number, type or range; one class only.
        OptionError: *class_names* are not at least two texts.
    """

    ignored: tuple[()] = ()

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        given = given_names(class_names, least=0 if labels is None else 2)
        self._images = _checked_images(images)
        count = len(self._images)
        if labels is None:
            self.class_names, self._labels = given or (), np.full(count, UNLABELLED, np.int32)
        else:
            self.class_names, self._labels = _checked_labels(labels, given, count)

    def __repr__(self) -> str:
        height, width, channels = self._images.shape[1:]
        return (
            f"ArraySource({len(self._images):,} pictures of {height} × {width} × {channels}, "
            f"{len(self.class_names)} classes)"
        )

    def samples(self) -> Samples:
        """The positions as keys, and the labels."""
        return Samples(keys=np.arange(len(self._images)).astype(np.str_), labels=self._labels.copy())

    def read(self, key: str) -> Pixels:
        """The picture of *key*: uint8 ``(height, width, channels)``, a copy."""
        text = str(key)
        if not text.isdecimal() or not text.isascii() or int(text) >= len(self._images) or text != str(int(text)):
            raise DatasetError(f"no picture {text!r}. The keys are '0' to '{len(self._images) - 1}'.")
        picture: Pixels = self._images[int(text)].copy()
        return picture

    def load_images(self) -> Pixels:
        """All pictures at once, uint8 ``(n, height, width, channels)``, read-only."""
        return self._images

    def fingerprint(self) -> str:
        """A digest of keys and pixels; labels and class names do not enter."""
        return pixels_digest(self.samples().keys, self._images)


def _checked_images(images: npt.ArrayLike) -> Pixels:
    try:
        pixels: npt.NDArray[Any] = np.asarray(images)
    except ValueError:
        raise ImageError(
            "the pictures differ in shape, and one array is expected. Bring them to one size with "
            "imgclf.images.fit_image, or give them as files to FolderSource."
        ) from None
    if pixels.dtype != np.uint8:
        hint = (
            "If they run from 0 to 1, multiply by 255 and round; then" if pixels.dtype.kind == "f" else "See to it that"
        )
        raise ImageError(
            f"images are {pixels.dtype}; expected uint8 from 0 to 255. {hint} they lie in 0..255, and convert with "
            ".astype('uint8'). The network does its own scaling."
        )
    view = (pixels[..., None] if _is_grey(pixels) else pixels).view()
    if view.ndim != 4 or view.shape[3] not in (1, 3) or 0 in view.shape:
        raise ImageError(
            f"images have the shape {pixels.shape}; expected (n, height, width) or (n, height, width, 1 or 3), all "
            f"above 0. {_advice(pixels.shape)}"
        )
    view.flags.writeable = False
    return view


def _is_grey(pixels: npt.NDArray[Any]) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] not in (1, 3)  # (150, 150, 3) is one picture, not 150


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and 0 not in shape:
        return "One picture becomes a set by images[None]; grey pictures 1 or 3 wide need images[..., None]."
    if len(shape) == 4 and shape[1] in (1, 3):
        return "Channels come last: np.moveaxis(images, 1, -1)."
    return "Reshape them."


def _checked_labels(
    labels: npt.ArrayLike, class_names: tuple[str, ...] | None, count: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]  # as keras.datasets.cifar10 has them
    if values.ndim != 1:
        raise DatasetError(
            f"labels have the shape {values.shape}; expected one label per picture, ({count},). "
            "One-hot labels become numbers by labels.argmax(axis=1)."
        )
    if len(values) != count:
        raise DatasetError(f"{count:,} pictures and {len(values):,} labels: give one label per picture.")
    if values.dtype.kind in "iu":
        return _from_numbers(values, class_names)
    if not all(isinstance(value, str) and value for value in values.tolist()):
        odd = [value for value in values.tolist() if not (isinstance(value, str) and value)]
        raise DatasetError(
            f"labels are {values.dtype}, such as {listed(odd, most=3)}; expected whole numbers or names. Convert them; "
            "unlabelled pictures have the number −1."
        )
    return labels_of(values.tolist(), class_names, "the set")


def _from_numbers(
    values: npt.NDArray[Any], class_names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    warn_of_unlabelled(int((values == UNLABELLED).sum()), len(values), "the set")
    if class_names is not None:
        return class_names, labels_in_range(values, class_names, "the set")
    if len(values) and values.min() < UNLABELLED:
        raise DatasetError(
            f"labels reach down to {values.min()}; expected 0, 1 … and −1 for unlabelled. Renumber them."
        )
    return labels_of([None if v == UNLABELLED else str(v) for v in values.tolist()], None, "the set")
