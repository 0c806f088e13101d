"""``DrawnPets``: cats and dogs drawn from a seed, for demos, tests and the grading of explanations.  No download.

What tells the two apart is known, because it is drawn apart: ears and snout.  Colours, pose, background, light and
brightness have the same distribution in both classes, so that a linear model on pixels stays under 80 % and a network
has to find the shapes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL import __version__ as pillow_version

from ..errors import DatasetError, OptionError
from ..images import ImageSpec
from .base import Samples
from .drawing import DRAWING_VERSION, Kind, draw_mask, draw_pet

Layout = Literal["filenames", "folders", "unlabelled"]

_KEY = re.compile(r"(cat|dog)\.(0|[1-9][0-9]{0,8})\.png")
_SMALLEST = 16  # pixels; below, an ear is a dot


@dataclass(frozen=True, repr=False)
class DrawnPets:
    """A balanced source of drawn cats (label 0) and dogs (label 1), the same on every machine with the same Pillow.

    A picture depends on ``seed``, its key and ``image_size`` alone: not on ``count``, the order of reading, or the
    thread.  A set of 1,000 begins with the pictures of a set of 100.

    >>> pets = DrawnPets(4, seed=1)
    >>> pets.samples().keys.tolist()
    ['cat.0.png', 'cat.1.png', 'dog.0.png', 'dog.1.png']
    >>> pets.read("dog.1.png").shape
    (128, 128, 3)

    Attributes:
        count: How many pictures; of an odd number, cats get one more.
        seed: 0 or more.  Sets of different seeds share no picture.
        image_size: ``(height, width)`` in pixels, at least 16 each.

    Raises:
        OptionError: a count below 2, a negative seed, sides below 16 or that are no whole numbers.
    """

    count: int = 1000
    _: KW_ONLY
    seed: int = 0
    image_size: tuple[int, int] = (128, 128)

    def __post_init__(self) -> None:
        for name, least in (("count", 2), ("seed", 0)):
            value = getattr(self, name)
            if not _is_whole(value) or value < least:
                raise OptionError(f"{name} is {value!r}; expected a whole number. Give {least} or more.")
            object.__setattr__(self, name, int(value))
        size = ImageSpec(self.image_size).image_size
        if min(size) < _SMALLEST:
            raise OptionError(
                f"image_size is {size}; ears vanish in so few pixels. Give at least {_SMALLEST} for each side."
            )
        object.__setattr__(self, "image_size", size)

    def __repr__(self) -> str:
        height, width = self.image_size
        return f"DrawnPets({self.count:,} pictures {height}×{width}, 2 classes, seed={self.seed})"

    @property
    def class_names(self) -> tuple[str, ...]:
        """``("cat", "dog")``."""
        return get_args(Kind)

    def samples(self) -> Samples:
        """The keys ``cat.0.png``, …, ``dog.0.png``, … in natural order, and their labels."""
        keys = [f"{name}.{i}.png" for name in self.class_names for i in range(self._count_of(name))]
        labels = [label for label, name in enumerate(self.class_names) for _ in range(self._count_of(name))]
        return Samples(keys=np.array(keys), labels=np.array(labels, np.int32))

    def read(self, key: str) -> npt.NDArray[np.uint8]:
        """The picture of *key*: uint8 ``(h, w, 3)``.

        Raises:
            DatasetError: no picture has this key.
        """
        kind, words = self._parsed(key)
        return draw_pet(words, kind, self.image_size)

    def mask(self, key: str) -> npt.NDArray[np.bool_]:
        """Where the picture of *key* shows what tells cat from dog, its ears and snout: bool ``(h, w)``.

        A good explanation of a classifier points there.  What an object in front hides is left out.

        Raises:
            DatasetError: no picture has this key.
        """
        kind, words = self._parsed(key)
        return draw_mask(words, kind, self.image_size)

    def fingerprint(self) -> str:
        """A digest that changes with the parameters, the drawing, Pillow and NumPy: pixels depend on all of them."""
        parts = ["DrawnPets", self.count, self.seed, self.image_size, DRAWING_VERSION, pillow_version, np.__version__]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def write(
        self,
        folder: str | os.PathLike[str],
        layout: Layout = "filenames",
        *,
        class_folders: tuple[str, str] = ("cat", "dog"),
    ) -> Path:
        """Write all pictures as PNG files into *folder*, which is made where missing; returns its path.

        Files of the same names are overwritten, others stay.

        Args:
            folder: Where to.
            layout: ``"filenames"``: ``cat.0.png``, the label in the name.  ``"folders"``: ``cat/cat.0.png``.
                ``"unlabelled"``: ``1.png``, ``2.png``, … with the classes shuffled by the seed.
            class_folders: The folders of ``"folders"``, cats' first, such as ``("cats", "dogs")``.

        Raises:
            OptionError: an unknown layout, or folders that are not two names.
        """
        if layout not in get_args(Layout):
            raise OptionError(f"layout is {layout!r}. Give one of {', '.join(map(repr, get_args(Layout)))}.")
        folders = _checked_folders(class_folders)
        root = Path(folder)
        for key, name in self._file_names(layout, folders):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.read(key)).save(path, compress_level=1)  # grain hardly shrinks further
        return root

    def _file_names(self, layout: Layout, folders: dict[str, str]) -> list[tuple[str, str]]:
        keys = [str(key) for key in self.samples().keys]
        if layout == "filenames":
            return [(key, key) for key in keys]
        if layout == "folders":
            return [(key, f"{folders[key.split('.')[0]]}/{key}") for key in keys]
        order = np.random.default_rng(self.seed).permutation(len(keys))
        return [(keys[index], f"{place}.png") for place, index in enumerate(order, start=1)]

    def _count_of(self, class_name: str) -> int:
        return (self.count + (class_name == "cat")) // 2

    def _parsed(self, key: str) -> tuple[Kind, tuple[int, int, int]]:
        match = _KEY.fullmatch(key)
        if match is None or int(match[2]) >= self._count_of(match[1]):
            last = [f"{name}.0.png to {name}.{self._count_of(name) - 1}.png" for name in self.class_names]
            raise DatasetError(
                f"no picture {key!r} among {self.count:,} drawn pets: keys go from {' and from '.join(last)}. "
                "Take one from samples().keys, or raise count."
            )
        kind: Kind = "cat" if match[1] == "cat" else "dog"
        return kind, (self.seed, self.class_names.index(kind), int(match[2]))


def _checked_folders(given: tuple[str, str]) -> dict[str, str]:
    """Kind → the folder of its pictures, below the one that is written to."""
    names = () if isinstance(given, str) else tuple(given)
    plain = all(isinstance(name, str) and name not in ("", "..") and Path(name).name == name for name in names)
    if not plain or len(names) != 2 or len({name.casefold() for name in names}) != 2:
        raise OptionError(
            f"class_folders are {given!r}; expected a folder's name for the cats and another for the dogs. "
            "Give two, such as ('cats', 'dogs')."
        )
    return dict(zip(get_args(Kind), names, strict=True))


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
