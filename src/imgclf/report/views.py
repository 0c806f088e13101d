"""What the tables and galleries of a page show, in its order; capped, so that a page stays one.

In: a measured part.  Out: plain records for the template.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..dataset import Dataset
from ..evaluation import Evaluation
from .encoding import Picture, picture
from .subject import Part, Subject
from .wording import percent, shortened

MOST_CLASSES = 20
"""A matrix of more classes is read by nobody; its pairs are listed instead."""

MOST_WRONG, MOST_RIGHT = 12, 6
"""Pictures shown of a cell of the confusion matrix: of mistakes, and of right answers."""

_MOST_ROWS = 60
_MOST_PAIRS = 40
_MOST_PICTURES = 240  # in all cells together: about 1 MB
_THUMB = 96
_SAMPLES = 6
_PASSES = 3


@dataclass(frozen=True)
class Shown:
    """A picture with what is said below it.

    Attributes:
        picture: The picture.
        key: Whose it is, shortened.
        said: What the network said, or what was done to it.
        alt: All of it, for those who do not see it.
    """

    picture: Picture
    key: str
    said: str
    alt: str


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix.

    Attributes:
        anchor: Where its pictures stand on the page.
        true: The true class.
        said: The predicted one.
        count: Pictures.
        share: Of the true class.
        right: Whether the two are the same.
        shown: Some of the pictures: of mistakes those with the largest loss, of right answers the least sure.
    """

    anchor: str
    true: str
    said: str
    count: int
    share: float
    right: bool
    shown: tuple[Shown, ...]

    @property
    def shade(self) -> int:
        """How dark it is drawn, 0 to 9."""
        return min(9, int(np.ceil(9 * self.share)))


def cells(part: Part) -> list[list[Cell]]:
    """The confusion matrix row by row; pictures until the budget is spent, those of mistakes first."""
    return counted(part, _galleries(part))


def counted(
    part: Part, galleries: Mapping[tuple[int, int], tuple[Shown, ...]] = MappingProxyType({})
) -> list[list[Cell]]:
    """The confusion matrix row by row, with the pictures of *galleries* under (true, predicted)."""
    evaluation, names = part.evaluation, [shortened(name, 40) for name in part.evaluation.class_names]
    totals = np.maximum(evaluation.confusion.sum(axis=1), 1)
    return [
        [
            Cell(
                f"cell-{row}-{column}",
                names[row],
                names[column],
                int(count),
                float(count / totals[row]),
                row == column,
                galleries.get((row, column), ()),
            )
            for column, count in enumerate(line)
        ]
        for row, line in enumerate(evaluation.confusion)
    ]


def pairs(matrix: Sequence[Sequence[Cell]]) -> tuple[list[Cell], int]:
    """The cells whose pictures are shown, frequent mistakes first and right answers last; how many are left out."""
    found = [cell for row in matrix for cell in row if cell.count and not cell.right]
    found.sort(key=lambda cell: -cell.count)
    right = [cell for row in matrix for cell in row if cell.count and cell.right] if len(matrix) <= MOST_CLASSES else []
    shown = [cell for cell in (*found[:_MOST_PAIRS], *right) if cell.shown]
    return shown, len(found) - sum(not cell.right for cell in shown)


def _galleries(part: Part) -> dict[tuple[int, int], tuple[Shown, ...]]:
    evaluation = part.evaluation
    truths, said, losses = evaluation.true_labels, evaluation.labels, evaluation.losses
    order = np.lexsort((np.arange(len(losses)), -losses))
    kinds = [(row, column) for row, column in np.argwhere(evaluation.confusion).tolist()]
    kinds.sort(key=lambda kind: (kind[0] == kind[1], -evaluation.confusion[kind]))
    left, found = _MOST_PICTURES, {}
    for row, column in kinds:
        most = min(MOST_RIGHT if row == column else MOST_WRONG, left)
        chosen = [at for at in order if truths[at] == row and said[at] == column][:most]
        found[row, column] = tuple(shown(part.dataset, evaluation, at) for at in chosen)
        left -= len(chosen)
    return found


def shown(dataset: Dataset, evaluation: Evaluation, at: int, side: int = _THUMB) -> Shown:
    """Picture *at* with the network's answer and how sure it is."""
    true, answer = evaluation.class_names[evaluation.true_labels[at]], evaluation.names[at]
    key, sure = shortened(str(dataset.keys[at]), 40), percent(float(evaluation.confidences[at]), 0)
    alt = f"{key}: truly {shortened(true, 40)}, answer {shortened(answer, 40)}, {sure} sure"
    return Shown(picture(dataset.pictures([at])[0], side), key, f"{sure} sure", alt)


@dataclass(frozen=True)
class Sample:
    """A training picture and what the network saw of it.

    Attributes:
        name: Its class.
        versions: The original first.
    """

    name: str
    versions: tuple[Shown, ...]


def samples(subject: Subject, train: Dataset) -> list[Sample]:
    """Some training pictures as they are and as the first passes of the run saw them: the very draws of the recipe."""
    augmentation = subject.augmentation
    found = []
    for at in _spread(train):
        image, key = train.pictures([at])[0], shortened(str(train.keys[at]), 40)
        name = shortened(train.class_names[train.labels[at]], 40) if train.labels[at] >= 0 else "(no class)"
        versions = [Shown(picture(image, _THUMB), key, "original", f"{key}, {name}: the original")]
        if augmentation is not None:
            for number in range(_PASSES):
                seen = augmentation(image[None], seed=subject.seed, epoch=number, indices=[at])[0]
                word = f"pass {number + 1}"
                versions.append(Shown(picture(seen, _THUMB), key, word, f"{key}, {name}: as {word} saw it"))
        found.append(Sample(name, tuple(versions)))
    return found


def _spread(dataset: Dataset) -> list[int]:
    """Positions of a few pictures: the first of each class, then the second of each, and so on."""
    order: list[tuple[int, int]] = []
    for label in np.unique(dataset.labels):
        order += [(rank, int(at)) for rank, at in enumerate(np.flatnonzero(dataset.labels == label)[:_SAMPLES])]
    return [at for _, at in sorted(order)[:_SAMPLES]]


@dataclass(frozen=True)
class Counted:
    """How many pictures of a class each part has.

    Attributes:
        name: The class.
        counts: One per part; None where it is not known.
        shares: Of the part, in per cent; what the bars show.
    """

    name: str
    counts: tuple[int | None, ...]
    shares: tuple[float, ...]


def class_counts(subject: Subject, parts: Mapping[str, Dataset | None]) -> tuple[list[str], list[Counted], int]:
    """The parts' names, a row per class, and how many classes are left out; of a part not given, what is recorded."""
    columns: dict[str, Mapping[str, int]] = {}
    for name, dataset in parts.items():
        recorded = subject.recorded(name).get("class_counts")
        if dataset is not None:
            columns[name] = dataset.class_counts()
        elif isinstance(recorded, Mapping) and all(isinstance(count, int) for count in recorded.values()):
            columns[f"{name} (as recorded)"] = recorded
    names = list(dict.fromkeys(name for counts in columns.values() for name in counts))
    totals = [max(sum(counts.values()), 1) for counts in columns.values()]
    rows = []
    for name in names[:_MOST_ROWS]:
        counts = tuple(column.get(name) for column in columns.values())
        shares = tuple(100 * (count or 0) / total for count, total in zip(counts, totals, strict=True))
        rows.append(Counted(shortened(str(name), 40), counts, shares))
    return list(columns), rows, max(len(names) - _MOST_ROWS, 0)


def per_class(part: Part) -> tuple[list[dict[str, object]], int]:
    """The table per class, the weakest first where there are many, and how many are left out."""
    rows = part.evaluation.per_class().records()
    if len(rows) > _MOST_ROWS:
        rows.sort(key=lambda row: float(np.nan_to_num(float(str(row["recall"])), nan=2.0)))
    return rows[:_MOST_ROWS], max(len(rows) - _MOST_ROWS, 0)


def epochs(history: Mapping[str, Sequence[float]]) -> Iterator[tuple[int, list[float]]]:
    """Number and figures of each epoch."""
    for number, row in enumerate(zip(*history.values(), strict=True), start=1):
        yield number, list(row)
