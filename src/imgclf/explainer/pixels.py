"""What each pixel does for a class: gradients, their integral, and covering a part after the other.

In: pictures as the network takes them.  Out: signed values, one per pixel and channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..head import Score
from .inspection import BATCH, Inspection
from .passes import Told

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

PixelMethod = Literal["integrated_gradients", "gradient", "occlusion"]
PIXEL_METHODS: tuple[str, ...] = get_args(PixelMethod)
_NOISE = 0.1
"""Standard deviation of the noise, as a share of the picture's range of values; the paper's figures take 0.1 to 0.2."""


def attributed(
    inside: Inspection, taken: Images, told: Told, method: str, *, score: Score, settings: Mapping[str, Any]
) -> tuple[Floats, Floats | None]:
    """The values of *method* for the pictures *taken*, and integrated gradients' error of completeness.

    Args:
        inside: The model.
        taken: ``(n, h, w, c)``.
        told: What the model says of them, and the classes explained.
        method: One of :data:`PIXEL_METHODS`.
        score: What is explained.
        settings: Of the method.

    Raises:
        OptionError: gradients of a model that takes whole numbers.
    """
    if method != "occlusion" and not inside.has_gradient:
        raise OptionError(
            "the model's input takes whole numbers, through which no gradient passes. Take method='occlusion', or "
            "build the model on a float32 input."
        )

    def gradient(some: Images, which: Labels) -> Floats:
        return inside.pixel_gradients(some, told.labels[which], score)

    def scores(some: Images, which: Labels) -> Floats:
        return inside.scores(some, told.labels[which], score).scores

    every = np.arange(len(taken))
    if method == "gradient":
        copies = (noisy(taken, copy) for copy in range(settings["smooth"]))
        return mean({"": gradient(copy, every)} for copy in (copies if settings["smooth"] else [taken]))[""], None
    base = backgrounds(taken, settings["baseline"])
    if method == "occlusion":
        window, stride = settings["window"], settings["stride"]
        return occlusion(taken, base, scores, told.scores, window=window, stride=stride, batch=BATCH), None
    values = integrated_gradients(taken, base, gradient, settings["steps"], BATCH)
    added = told.scores.astype(np.float64) - scores(base, every)
    return values, np.asarray(values.sum(axis=(1, 2, 3), dtype=np.float64) - added, dtype=np.float32)


def noisy(images: Images, copy: int) -> Images:
    """The pictures ``(n, h, w, c)`` with Gaussian noise, another for every *copy*, the same for every picture.

    Smilkov et al. 2017, *SmoothGrad: removing noise by adding noise*.
    """
    drawn = np.random.default_rng(copy).normal(size=images.shape[1:]).astype(np.float32)
    spans = images.max(axis=(1, 2, 3), keepdims=True) - images.min(axis=(1, 2, 3), keepdims=True)
    return np.asarray(images + _NOISE * spans * drawn, dtype=images.dtype)


def mean(copies: Iterable[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[np.float32]]:
    """The mean of every entry over *copies*, which are summed as they come."""
    total: dict[str, npt.NDArray[np.float64]] = {}
    count = 0
    for count, copy in enumerate(copies, start=1):  # noqa: B007 - the last one is wanted
        for name, values in copy.items():
            total[name] = total.get(name, np.zeros(values.shape)) + values
    return {name: np.asarray(values / count, dtype=np.float32) for name, values in total.items()}


def backgrounds(images: Images, baseline: float | Literal["mean"]) -> Images:
    """``(n, h, w, c)``: what counts as nothing to be seen: one value, or each picture's mean colour.

    Raises:
        OptionError: another text, or no finite number.
    """
    if isinstance(baseline, bool) or (baseline != "mean" and not (_is_number(baseline) and np.isfinite(baseline))):
        raise OptionError(f"baseline is {baseline!r}; expected a pixel's value, or 'mean'.")
    if baseline == "mean":
        return np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape).astype(images.dtype)
    return np.full_like(images, baseline)


def integrated_gradients(
    images: Images, base: Images, gradient: Callable[[Images, Labels], Floats], steps: int, batch: int
) -> Floats:
    """The gradients' integral on the straight way from *base* to the picture, times the way: ``(n, h, w, c)``.

    Sundararajan et al. 2017, *Axiomatic Attribution for Deep Networks*, equation 1, by the midpoint rule.  All values
    together are the score of the picture less that of its base, up to what so many steps leave.

    Args:
        images: ``(n, h, w, c)``.
        base: The same shape.
        gradient: From pictures ``(m, h, w, c)`` and the position of each in *images* to the score's gradient.
        steps: Points on the way.
        batch: Pictures in one call of *gradient*.
    """
    total = np.zeros(images.shape, np.float64)
    for rows in _batches(len(images) * steps, batch):
        which, share = rows // steps, ((rows % steps + 0.5) / steps)[:, None, None, None]
        points = np.asarray(base[which] + share * (images[which] - base[which]), dtype=images.dtype)
        for at, found in zip(which, gradient(points, which), strict=True):  # many times as fast as np.add.at
            total[at] += found
    return np.asarray(total / steps * (images.astype(np.float64) - base), dtype=np.float32)


def occlusion(
    images: Images,
    base: Images,
    scores: Callable[[Images, Labels], npt.NDArray[np.float32]],
    whole: npt.NDArray[np.float32],
    *,
    window: tuple[int, int],
    stride: tuple[int, int],
    batch: int,
) -> Floats:
    """How much the score falls where a window is covered by *base*: ``(n, h, w, 1)``, the mean over all windows.

    Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section 4.2.

    Args:
        images: ``(n, h, w, c)``.
        base: The same shape.
        scores: From pictures ``(m, h, w, c)`` and the position of each in *images* to their scores ``(m,)``.
        whole: ``(n,)`` the scores of the pictures themselves.
        window: Height and width, in pixels.
        stride: Pixels down and across from one window to the next.
        batch: Pictures in one call of *scores*.
    """
    size = images.shape[1:3]
    downs, acrosses = (_starts(size[axis], window[axis], stride[axis]) for axis in (0, 1))
    places = [(slice(top, top + window[0]), slice(left, left + window[1])) for top in downs for left in acrosses]
    fallen, times = np.zeros((*images.shape[:3], 1)), np.zeros((*size, 1))
    for place in places:
        times[place] += 1
    for rows in _batches(len(images) * len(places), batch):
        which, where = np.divmod(rows, len(places))
        covered = images[which]
        for row, (picture, place) in enumerate(zip(which, where, strict=True)):
            covered[row][places[place]] = base[picture][places[place]]
        for picture, place, score in zip(which, where, scores(covered, which), strict=True):
            fallen[picture][places[place]] += whole[picture] - score
    return np.asarray(fallen / times, dtype=np.float32)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating))


def _starts(size: int, window: int, stride: int) -> list[int]:
    """Where windows begin, so that the last one reaches the end."""
    last = max(size - window, 0)
    return [*range(0, last, stride), last]


def _batches(count: int, size: int) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
