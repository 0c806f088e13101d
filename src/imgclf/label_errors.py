"""Pictures that are probably labelled wrongly, by confident learning.

In: an ``Evaluation`` of predictions by networks that never saw the picture (``out_of_fold`` makes one).  Out: the
suspects, the most suspicious first.  ::

    judged = out_of_fold(trainer, data)
    print(label_errors.find(judged))

The method is Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70
(2021), arXiv:1911.00068.  A picture counts for the class for which it is at least as probable as that class's own
pictures are on average; the table of given class against counted class says how many labels of each kind are wrong, and
the pictures with the largest margin against their label are taken to be those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .errors import OptionError
from .evaluation import Evaluation
from .tables import Table, Tabular, page

Rule = Literal["noise_rate", "both", "confident"]

_SAME = 1e-6  # probabilities closer than this are equal
_LEAST = 2e-6  # a class that is never probable still needs a threshold above 0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class LabelErrors(Tabular):
    """Pictures whose label is probably wrong, the most suspicious first; :func:`imgclf.label_errors.find` makes it.

    >>> sure = np.repeat(np.eye(2, dtype=np.float32), 5, axis=0) * 0.9 + 0.05
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])  # the fifth is called a dog
    >>> keys = np.array([f"{i}.jpg" for i in range(10)])
    >>> find(Evaluation(keys, sure, ("cat", "dog"), labels)).keys.tolist()
    ['4.jpg']

    Attributes:
        positions: ``(m,)`` where they stand in the evaluation, and so in the set:
            ``dataset.take(errors.positions).show(titles=errors.captions())``.
        keys: ``(m,)`` strings that name the pictures.
        given_labels: ``(m,)`` int32: the class that the label says, as a position in ``class_names``.
        likely_labels: ``(m,)`` int32: the class that the network says.
        scores: ``(m,)`` 0 to 1: how well picture and label go together; the smallest first.
        class_names: The names of the classes.
        pictures: How many were looked at.
    """

    positions: Ints
    keys: npt.NDArray[np.str_]
    given_labels: npt.NDArray[np.int32]
    likely_labels: npt.NDArray[np.int32]
    scores: Floats
    class_names: tuple[str, ...]
    pictures: int

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"LabelErrors({len(self):,} of {self.pictures:,} pictures)"

    def __str__(self) -> str:
        return f"{self._summary()}\n\n{self.table()}" if len(self) else self._summary()

    def _repr_html_(self) -> str:
        return page(self._summary(), *([self.table()] if len(self) else []))

    def _summary(self) -> str:
        head = f"{len(self):,} of {self.pictures:,} labels are probably wrong"
        return f"{head}, the most suspicious first" if len(self) else f"{head}."

    def table(self) -> Table:
        """One row per picture: key, given class, likely class, score."""
        names = self.class_names
        rows = [
            (str(key), names[given], names[likely], float(score))
            for key, given, likely, score in zip(
                self.keys, self.given_labels, self.likely_labels, self.scores, strict=True
            )
        ]
        return Table(("key", "class", "likely_class", "score"), rows)

    def captions(self) -> list[str]:
        """What is said of each picture, in a few words: ``"cat, likely dog"``."""
        return [
            f"{self.class_names[given]}, likely {self.class_names[likely]}"
            for given, likely in zip(self.given_labels, self.likely_labels, strict=True)
        ]


def find(evaluation: Evaluation, *, rule: Rule = "noise_rate") -> LabelErrors:
    """The pictures of *evaluation* whose label is probably wrong.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], np.float32)
    >>> truth = np.array([0, 0, 0, 1, 1, 1], np.int32)
    >>> keys = np.array(["a", "b", "c", "d", "e", "f"])
    >>> print(find(Evaluation(keys, probabilities, ("cat", "dog"), truth)))
    1 of 6 labels are probably wrong, the most suspicious first
    <BLANKLINE>
    key  class  likely_class   score
    f    dog    cat           0.1000

    Args:
        evaluation: Of predictions that no network made of its own training pictures: those agree with any label.
        rule: ``"noise_rate"`` takes for every pair of classes as many pictures as the estimate says are wrong;
            ``"confident"`` those that were counted for another class; ``"both"``, the most careful, those of
            ``"noise_rate"`` that are also among the least probable of their class.

    Raises:
        OptionError: something that is no evaluation, or an unknown rule.
    """
    if not isinstance(evaluation, Evaluation):
        raise OptionError(
            f"a {type(evaluation).__name__} holds no label errors; expected an Evaluation. Make one with out_of_fold."
        )
    if rule not in get_args(Rule):
        raise OptionError(f"rule is {rule!r}. Give {', '.join(map(repr, get_args(Rule)))}.")
    probabilities = np.asarray(evaluation.probabilities, dtype=np.float64)
    labels = np.asarray(evaluation.true_labels, dtype=np.int64)
    suspects = np.flatnonzero(suspected(probabilities, labels, rule))
    scores = self_confidence(probabilities, labels)[suspects]
    ranked = np.argsort(scores, kind="stable")
    positions = suspects[ranked]
    return LabelErrors(
        positions,
        evaluation.keys[positions],
        labels[positions].astype(np.int32),
        evaluation.labels[positions],
        scores[ranked],
        evaluation.class_names,
        len(evaluation),
    )


def self_confidence(probabilities: Floats, labels: Ints) -> Floats:
    """``(n,)`` the probability of each picture's own label."""
    return np.asarray(probabilities[np.arange(len(labels)), labels])


def suspected(probabilities: Floats, labels: Ints, rule: Rule = "noise_rate") -> Mask:
    """``(n,)`` whether a label is probably wrong.

    Args:
        probabilities: ``(n, k)``, rows adding up to 1.
        labels: ``(n,)`` given classes.
        rule: As for :func:`find`.
    """
    counted = counted_classes(probabilities, labels)
    own = self_confidence(probabilities, labels)
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    doubted = others.max(axis=1, initial=-np.inf) > own + _SAME
    if rule == "confident":
        return np.asarray(doubted & (counted >= 0) & (counted != labels))
    estimated = estimated_counts(counted, labels, probabilities.shape[1])
    chosen = np.zeros(len(labels), dtype=bool)
    unlikely = np.zeros(len(labels), dtype=bool)
    for given, row in enumerate(estimated):
        members = np.flatnonzero(labels == given)
        for likely in np.flatnonzero(row):
            if likely != given:
                margin = probabilities[members, likely] - own[members]
                chosen[members[np.argsort(-margin, kind="stable")[: row[likely]]]] = True
        unlikely[members[np.argsort(own[members], kind="stable")[: len(members) - row[given]]]] = True
    return np.asarray(doubted & chosen & (unlikely | (rule != "both")))


def counted_classes(probabilities: Floats, labels: Ints) -> Ints:
    """``(n,)`` the class that each picture counts for; −1 where it is not probable enough for any.

    It counts for a class for which it is at least as probable as the pictures with that label are on average; where
    there are several such, for its most probable class.
    """
    classes = probabilities.shape[1]
    thresholds = np.array(
        [
            probabilities[labels == label, label].mean() if (labels == label).any() else np.inf
            for label in range(classes)
        ]
    )
    reached = probabilities >= np.maximum(thresholds, _LEAST) - _SAME
    several = reached.sum(axis=1) > 1
    counted = np.where(several, probabilities.argmax(axis=1), reached.argmax(axis=1))
    return np.asarray(np.where(reached.any(axis=1), counted, -1), dtype=np.int64)


def estimated_counts(counted: Ints, labels: Ints, classes: int) -> Ints:
    """``(k, k)`` how many pictures with the row's label belong to the column's class, by the estimate.

    The counts are scaled so that each row adds up to all pictures of its label, counted or not; a class keeps one
    picture at least.
    """
    table = np.zeros((classes, classes))
    np.add.at(table, (labels[counted >= 0], counted[counted >= 0]), 1)
    np.fill_diagonal(table, np.maximum(table.diagonal(), 1))
    totals = np.bincount(labels, minlength=classes)
    table = table / table.sum(axis=1, keepdims=True) * totals[:, None]
    table = table / table.sum() * totals.sum()
    whole = np.array([_whole(row) for row in table])
    for label, row in enumerate(whole):
        if not row[label]:
            others = max(int(np.count_nonzero(row)) - 1, 1)
            row[:] = np.maximum(row - 1 / others, 0)  # the others give way evenly
            row[label] = 1
    return whole


def _whole(values: Floats) -> Ints:
    """Whole numbers with the same sum, each at most one away from its value."""
    rounded = np.round(values)
    missing = int(np.round(values.sum() - rounded.sum()))
    order = np.argsort(values - rounded, kind="stable")
    chosen = order[::-1][:missing] if missing > 0 else order[:-missing]
    rounded[chosen] += np.sign(missing)
    return np.asarray(rounded, dtype=np.int64)
