"""The worst mistakes of a classifier, and where it looked when it made them.

In: a measured part.  Out: each picture with a map for the answer and one for the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..classifier import Classifier
from ..errors import ImgclfError
from ..explainer import Explainer, Explanation
from ..explainer.cam import suggested_method
from .encoding import Picture, picture
from .subject import Part
from .views import Shown, shown
from .wording import percent, shortened

MOST = 8
"""Mistakes that are explained."""

_SIDE = 144


@dataclass(frozen=True)
class Mistake:
    """A picture that was named wrongly.

    Attributes:
        shown: The picture.
        true: Its class.
        said: What it was taken for.
        sure: How sure the network was of that.
        given: The probability that it gave to the truth.
        maps: What speaks for the answer, and what for the truth; empty where the network cannot be explained.  None
            where nothing speaks for it.
    """

    shown: Shown
    true: str
    said: str
    sure: str
    given: str
    maps: tuple[Picture | None, ...]


@dataclass(frozen=True)
class Mistakes:
    """The worst mistakes.

    Attributes:
        rows: Those with the largest loss.
        total: How many mistakes there are.
        method: The name of the method of the maps, with the layer; why there are none, where there are none.
        explained: Whether there are maps.
    """

    rows: tuple[Mistake, ...]
    total: int
    method: str
    explained: bool


def worst(part: Part, classifier: Classifier) -> Mistakes:
    """The :data:`MOST` mistakes with the largest loss, explained."""
    evaluation = part.evaluation
    positions = evaluation.mistakes(MOST).tolist()
    total = int((~evaluation.correct).sum())
    if not positions:
        return Mistakes((), total, "", explained=False)
    try:
        answers, truths = _explained(part, classifier, positions)
    except ImgclfError as error:
        rows = tuple(_mistake(part, at, ()) for at in positions)
        return Mistakes(rows, total, shortened(str(error), 300), explained=False)
    maps = list(zip(_pictures(answers), _pictures(truths), strict=True))
    rows = tuple(_mistake(part, at, pair) for at, pair in zip(positions, maps, strict=True))
    layer = shortened(next(iter(answers.maps)))
    return Mistakes(rows, total, f"{answers.description} at layer {layer}", explained=True)


def _explained(part: Part, classifier: Classifier, positions: list[int]) -> tuple[Explanation, Explanation]:
    explainer, chosen = Explainer(classifier), part.dataset.take(positions)
    answers = part.evaluation.labels[positions].tolist()
    truths = part.evaluation.true_labels[positions].tolist()
    suited = suggested_method(classifier.model)
    return explainer.grad_cam(chosen, answers, method=suited), explainer.grad_cam(chosen, truths, method=suited)


def _pictures(explanation: Explanation) -> list[Picture | None]:
    blank = next(iter(explanation.blank.values()))
    return [None if empty else picture(image, _SIDE) for image, empty in zip(explanation.overlay(), blank, strict=True)]


def _mistake(part: Part, at: int, maps: tuple[Picture | None, ...]) -> Mistake:
    evaluation = part.evaluation
    true = int(evaluation.true_labels[at])
    return Mistake(
        shown(part.dataset, evaluation, at, _SIDE),
        shortened(evaluation.class_names[true], 40),
        shortened(evaluation.names[at], 40),
        percent(float(evaluation.confidences[at])),
        percent(float(evaluation.probabilities[at, true])),
        maps,
    )
