"""Does the written file answer as ``predict`` does?  Pictures of odd shapes, in batches of several sizes.

In: two functions from pictures to probabilities.  Out: the largest difference, or an error that names the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ExportError, OptionError, with_reasons
from ..images import ImageSpec, Pixels
from ..inputs import Pictures, full_size
from ..sources import DrawnPets
from .formats import Answer

TOLERANCE = 1e-4
"""How far a probability of the written file may lie from that of ``predict``."""

Predict = Callable[[Sequence[Pixels]], npt.NDArray[np.float32]]
"""Pictures → probabilities ``(n, classes)``."""

_SEED = 4  # of the drawn pictures
_SMALLEST = 16  # pixels: pets are not drawn smaller
_BATCH = 32


def pictures_for(spec: ImageSpec, given: Pictures | None) -> list[Pixels]:
    """What is compared: *given*, or eight drawn pets; each uint8 ``(h, w, channels)`` of its own size.

    Raises:
        ImageError: *given* cannot be read.
        OptionError: there is none.
    """
    pictures = full_size(given) if given is not None else list(_drawn(spec.image_size))
    if not pictures:
        raise OptionError("check holds no pictures, so nothing could be compared. Give some, or leave it out.")
    return [_in_mode(picture, spec) for picture in pictures]


def compared(answer: Answer, predict: Predict, pictures: Sequence[Pixels], class_names: Sequence[str]) -> float:
    """The largest difference between the probabilities of *answer* and *predict*.

    Raises:
        ExportError: it is more than ``TOLERANCE``, or another class is the most likely one.
    """
    wanted = predict(pictures)
    said = np.concatenate([answer(batch) for batch in batches(pictures)])
    if said.shape != wanted.shape:
        raise ExportError(f"the written file gives {said.shape} probabilities; expected {wanted.shape}.")
    apart = np.abs(said - wanted).max(axis=1)
    wrong = ~(apart <= TOLERANCE) | (said.argmax(axis=1) != wanted.argmax(axis=1))  # nan is never <=
    if wrong.any():
        reasons = [
            f"picture {at} ({pictures[at].shape[0]}×{pictures[at].shape[1]}): {_top(said[at], class_names)} instead of "
            f"{_top(wanted[at], class_names)}, {apart[at]:.1e} apart"
            for at in np.flatnonzero(wrong).tolist()
        ]
        raise ExportError(
            with_reasons(
                f"the written file answers {wrong.sum()} of {len(wanted)} pictures otherwise than predict (at most "
                f"{TOLERANCE:g} apart was expected), and was removed. Try another format, or another layer in place of "
                "one that does something else when it is exported.",
                reasons,
            )
        )
    return float(apart.max())


def batches(pictures: Sequence[Pixels]) -> Iterator[Pixels]:
    """Neighbours of one shape together, in the order given: uint8 ``(n, h, w, c)``."""
    for _, alike in groupby(pictures, key=lambda picture: picture.shape):
        same = list(alike)
        for start in range(0, len(same), _BATCH):
            yield np.stack(same[start : start + _BATCH])


def _drawn(size: tuple[int, int]) -> Iterator[Pixels]:
    """Three as large as wanted, two wide ones, a tall, a small and a larger one, for an image size of *size*."""
    high, wide = size
    small = (high * 2 // 5 + 1, wide // 3 + 1)
    larger = (high + high // 3 + 1, 2 * wide + 5)
    sizes = [size] * 3 + [(high // 2 + 1, 4 * wide + 3)] * 2 + [(4 * high + 3, wide // 2 + 1), small, larger]
    for number, (height, width) in enumerate(sizes):
        pets = DrawnPets(len(sizes), seed=_SEED, image_size=(max(height, _SMALLEST), max(width, _SMALLEST)))
        yield pets.read(f"{pets.class_names[number % 2]}.{number // 2}.png")[:height, :width]


def _in_mode(picture: Pixels, spec: ImageSpec) -> Pixels:
    if picture.shape[2] == spec.channels:
        return picture
    if spec.channels == 3:
        return picture.repeat(3, axis=2)
    return np.asarray(Image.fromarray(picture).convert("L"))[..., None]


def _top(probabilities: npt.NDArray[np.float32], class_names: Sequence[str]) -> str:
    best = int(probabilities.argmax())
    return f"{class_names[best]!r} {probabilities[best]:.6f}"
