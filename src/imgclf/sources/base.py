"""What a source of labelled pictures is: three attributes, no base class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, ImageError, listed
from ..images import ImageSpec, Pixels, fit_image

UNLABELLED = -1
"""The label of a picture whose class is not known."""


@dataclass(frozen=True, eq=False, init=False)
class Samples:
    """The names of a source's pictures and their labels, nothing decoded yet.

    >>> Samples(keys=["cat.0.jpg", "dog.0.jpg"], labels=[0, 1]).labels.tolist()
    [0, 1]

    Attributes:
        keys: ``(n,)`` strings, unique: a relative POSIX path (``"cats/cat.1.jpg"``) or a line of a table
            (``"train.csv:17"``).
        labels: ``(n,)`` int32: positions in the source's ``class_names``; −1 for a picture without a label.

    Raises:
        DatasetError: keys and labels differ in number, a key stands twice, or labels are no whole numbers.
    """

    keys: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int32]

    def __init__(self, keys: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        names, given = np.asarray(keys, dtype=np.str_).reshape(-1), np.asarray(labels).reshape(-1)
        if given.size and given.dtype.kind not in "iu":
            raise DatasetError(f"labels are {given.dtype}; expected whole numbers, positions in class_names. Convert.")
        if len(names) != len(given):
            raise DatasetError(f"{len(names):,} keys and {len(given):,} labels: give one label per key.")
        unique, counts = np.unique(names, return_counts=True)
        if len(unique) != len(names):
            twice = listed(str(key) for key in unique[counts > 1])
            raise DatasetError(f"keys must be unique, but these stand more than once: {twice}. Rename them.")
        object.__setattr__(self, "keys", names)
        if given.size and not -(2**31) <= int(given.min()) <= int(given.max()) < 2**31:
            raise DatasetError(f"labels go from {given.min()} to {given.max()}; expected positions in class_names.")
        object.__setattr__(self, "labels", given.astype(np.int32))

    def __len__(self) -> int:
        return len(self.keys)


@runtime_checkable
class DatasetSource(Protocol):
    """Anything with these three members is a source; nothing is inherited.

    A source of your own in six lines::

        class Bricks:                                    # dark pictures are class 0, bright ones class 1
            class_names = ("dark", "bright")
            def samples(self):
                return Samples(keys=[f"{i}" for i in range(10)], labels=[i % 2 for i in range(10)])
            def read(self, key):
                return np.full((32, 32, 1), 40 + 150 * (int(key) % 2), np.uint8)

    ``Dataset.load(Bricks(), image_size=(32, 32))`` takes it as it is.  ``read`` is called from several threads.  A
    source may also have ``fingerprint() -> str``, a digest that no other content has: with it the decoded pictures are
    kept in the cache folder, and a second load is instant.  Or ``load_images() -> uint8 (n, h, w, c)``, in the order of
    the keys, where it holds all its pixels anyhow.  Or ``prepare(key, spec) -> uint8 spec.shape``, where it has a
    shorter way to the size wanted than ``fit_image(read(key), spec)``, as files have.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; a label is a position in this tuple."""
        ...

    def samples(self) -> Samples:
        """The pictures' keys and labels, always in the same order, whatever the file system's."""
        ...

    def read(self, key: str) -> npt.NDArray[np.uint8]:
        """The picture of *key*: uint8 ``(height, width, channels)``, 1 channel (grey) or 3 (RGB), of any size."""
        ...


def prepared(source: DatasetSource, key: str, spec: ImageSpec) -> Pixels:
    """The picture of *key* as *spec* wants it: uint8 ``spec.shape``.

    By the source's own ``prepare`` where its class has one.  A class that changes ``read`` alone, of one from which it
    inherits ``prepare``, is asked by its ``read``: the picture must be the one that it gives.

    Raises:
        ImageError: it cannot be read, or is no picture.
        Exception: whatever a user's own source raises.
    """
    kinds = type(source).__mro__
    owner: Mapping[str, Any] = next((vars(kind) for kind in kinds if {"read", "prepare"} & vars(kind).keys()), {})
    if "prepare" not in owner or "read" in getattr(source, "__dict__", ()):
        return fit_image(source.read(key), spec)
    pixels: Pixels = np.asarray(source.prepare(key, spec))  # type: ignore[attr-defined]  # looked for above
    if pixels.dtype != np.uint8 or pixels.shape != spec.shape:
        raise ImageError(
            f"prepare({key!r}, …) of {source!r} gave {pixels.dtype} {pixels.shape}; expected uint8 {spec.shape}. Mend "
            "it, or leave the method out."
        )
    return pixels
