"""Does what a classifier says of its own certainty come true?

In: an ``Evaluation``.  Out: confidence against accuracy in bins, and two figures of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..evaluation import Evaluation, wilson_interval

BINS = 10
"""Bins of equal width from 0 to 1."""

_DRAWS = 200
_SEED = 0


@dataclass(frozen=True)
class Bin:
    """The pictures whose confidence, the probability of the answer given, lies between two bounds.

    Attributes:
        low: The lower bound, which belongs to the bin below (0 to the first).
        high: The upper bound, which belongs to this one.
        count: Pictures.
        confidence: Their mean confidence.
        accuracy: The share of them that is answered rightly.
        interval: The 95 % interval of that share, after Wilson (1927).
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """How well confidence and accuracy agree.

    Attributes:
        bins: Those that hold pictures, from the lowest confidence on.
        confidence: The mean confidence of all pictures.
        error: The expected calibration error: the mean over the pictures of how far the accuracy of their bin is from
            the mean confidence there (Naeini et al. 2015; Guo et al. 2017).  0 is best.
        chance: The error that 95 of 100 perfectly calibrated classifiers with these confidences would stay below, by
            drawing their right answers (consistency resampling, Bröcker and Smith 2007): few pictures alone make an
            error.
        brier: The mean over the pictures of the squared distances of all probabilities from 1 for the true class and
            0 for the others (Brier 1950): from 0, which is best, to 2.
    """

    bins: tuple[Bin, ...]
    confidence: float
    error: float
    chance: float
    brier: float


def calibration(evaluation: Evaluation) -> Calibration:
    """The calibration of *evaluation*; the same one gives the same figures.

    >>> sure = Evaluation(np.array(["a", "b"]), np.eye(2, dtype=np.float32), ("cat", "dog"), np.array([0, 1]))
    >>> found = calibration(sure)
    >>> (found.error, found.brier, found.bins[0].count)
    (0.0, 0.0, 2)
    """
    said = evaluation.confidences.astype(np.float64)
    correct = evaluation.correct
    places = _places(said)
    rng = np.random.default_rng(_SEED)
    drawn = [_error(said, rng.random(len(said)) < said, places) for _ in range(_DRAWS)]
    truth = np.eye(len(evaluation.class_names))[evaluation.true_labels]
    return Calibration(
        tuple(_bins(said, correct, places)),
        float(said.mean()),
        _error(said, correct, places),
        float(np.quantile(drawn, 0.95)),
        float(((evaluation.probabilities - truth) ** 2).sum(axis=1).mean()),
    )


def _places(said: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bin ``(n,)`` of each confidence; rounded, since 0.8 in float32 is a little more."""
    return np.asarray(np.clip(np.ceil(np.round(said, 6) * BINS).astype(np.int64) - 1, 0, BINS - 1))


def _error(said: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_], places: npt.NDArray[np.int64]) -> float:
    """The sum over the bins of |right answers − sum of confidences|, per picture."""
    return float(np.abs(np.bincount(places, correct - said, BINS)).sum() / len(said))


def _bins(
    said: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_], places: npt.NDArray[np.int64]
) -> Iterator[Bin]:
    for place in np.unique(places).tolist():
        inside = places == place
        count, right = int(inside.sum()), int(correct[inside].sum())
        mean = float(said[inside].mean())
        yield Bin(place / BINS, (place + 1) / BINS, count, mean, right / count, wilson_interval(right, count))
