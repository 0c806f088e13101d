"""What a classifier said of each picture: one row per picture, and every figure a view of the rows.

In: keys, labels, probabilities.  Out: ``Predictions`` and ``Evaluation``, with metrics, intervals, tables and plots.
Label and answer stand in the same row, so no second pass over the pictures can bring them out of step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import DatasetError
from .tables import Table, Tabular, page, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMED = 30  # classes of a confusion matrix, and mistakes, that a notebook shows
_SMALLEST = 1e-7  # probabilities are clipped here before the logarithm, as Keras does


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Tabular):
    """A classifier's answers, in the order in which the pictures were given.

    >>> said = Predictions(np.array(["a.jpg"]), np.array([[0.2, 0.8]], np.float32), ("cat", "dog"))
    >>> print(said)
    key    prediction  p(cat)  p(dog)
    a.jpg  dog         0.2000  0.8000

    Attributes:
        keys: ``(n,)`` strings: paths, a dataset's keys, or positions of an array.
        probabilities: ``(n, k)`` float32, each row adding up to 1; also for a network with a single sigmoid unit.
        class_names: ``k`` names, in the order of the columns.
    """

    keys: npt.NDArray[np.str_]
    probabilities: npt.NDArray[np.float32]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} pictures: {', '.join(map(visible, self.class_names))})"

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """``(n,)`` the most probable class of each picture, as a position in ``class_names``."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int32)

    @property
    def names(self) -> list[str]:
        """The name of the most probable class of each picture."""
        return [self.class_names[label] for label in self.labels]

    @property
    def confidences(self) -> npt.NDArray[np.float32]:
        """``(n,)`` the probability of that class."""
        return np.asarray(self.probabilities.max(axis=1, initial=0))

    def table(self) -> Table:
        """One row per picture: key, predicted class, and the probability of every class."""
        rows = [
            (str(key), name, *map(float, row))
            for key, name, row in zip(self.keys, self.names, self.probabilities, strict=True)
        ]
        return Table(("key", "prediction", *(f"p({name})" for name in self.class_names)), rows)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Predictions):
    """Answers beside the truth.

    >>> import numpy as np
    >>> right = Evaluation(np.array(["a", "b"]), np.eye(2, dtype=np.float32), ("cat", "dog"), np.array([0, 1]))
    >>> right.accuracy
    1.0

    Attributes:
        true_labels: ``(n,)`` the true classes, as positions in ``class_names``.
    """

    true_labels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        truths, said = np.asarray(self.true_labels), self.probabilities
        if not len(truths) or len(truths) != len(said) or said.shape[1] != len(self.class_names):
            raise DatasetError(
                f"{len(truths):,} labels, probabilities of shape {said.shape} and {len(self.class_names)} classes do "
                "not fit; expected (n,), (n, k) and k, with n at least 1."
            )
        if truths.min() < 0 or truths.max() >= len(self.class_names):
            raise DatasetError(f"true labels go from {truths.min()} to {truths.max()}; label every picture.")
        if not np.isfinite(said).all():
            raise DatasetError("probabilities are no finite numbers: the network is damaged. Train it again.")

    def __str__(self) -> str:
        confusion = f"confusion (rows true, columns predicted)\n{self._confusion_table()}"
        return f"{self._summary()}\n\n{self.per_class()}\n\n{confusion}"

    def _repr_html_(self) -> str:
        shown = page(self._summary(), self.per_class())
        if len(self.class_names) <= _MOST_NAMED:
            shown += page("confusion (rows true, columns predicted)", self._confusion_table())
        if len(wrong := self.mistakes()):
            rows = [self.table().rows[at][:4] for at in wrong[:_MOST_NAMED]]
            head = f"{len(wrong):,} wrong answers, the largest loss first; all rows: table()"
            shown += page(head, Table(("key", "class", "prediction", "loss"), rows))
        return shown

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """``(n,)`` whether the answer is the truth."""
        return np.asarray(self.labels == self.true_labels)

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.correct.mean())

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, after Wilson (1927): what another sample of this size could have given."""
        return wilson_interval(int(self.correct.sum()), len(self))

    @property
    def losses(self) -> npt.NDArray[np.float32]:
        """``(n,)`` cross-entropy of each picture: minus the natural logarithm of the true class's probability.

        Probabilities are clipped at 1e-7, so no picture counts more than 16.1; regularisers do not enter.
        """
        true = self.probabilities[np.arange(len(self)), self.true_labels]
        return -np.log(np.clip(true, _SMALLEST, 1 - _SMALLEST))

    @property
    def loss(self) -> float:
        """The mean of :attr:`losses`."""
        return float(self.losses.mean())

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """``(k, k)`` counts: rows are the true class, columns the predicted one."""
        from sklearn.metrics import confusion_matrix

        counted = confusion_matrix(self.true_labels, self.labels, labels=range(len(self.class_names)))
        return np.asarray(counted, dtype=np.int64)

    def per_class(self) -> Table:
        """Per class: pictures, precision, recall with its 95 % interval (the class's accuracy), F1.

        A figure that cannot be had (no picture of the class, or none predicted as it) is NaN.
        """
        from sklearn.metrics import precision_recall_fscore_support

        figures = precision_recall_fscore_support(
            self.true_labels, self.labels, labels=range(len(self.class_names)), zero_division=np.nan
        )
        rows: list[Sequence[object]] = []
        for label, (name, *values) in enumerate(zip(self.class_names, *figures, strict=True)):
            precision, recall, f1, count = values
            low, high = wilson_interval(int(self.confusion[label, label]), int(count))
            rows.append((name, int(count), float(precision), float(recall), low, high, float(f1)))
        return Table(("class", "pictures", "precision", "recall", "recall_from", "recall_to", "f1"), rows)

    def table(self) -> Table:
        """One row per picture: key, true class, predicted class, loss, and the probability of every class."""
        said = super().table()
        rows = [
            (row[0], self.class_names[label], row[1], float(loss), *row[2:])
            for row, label, loss in zip(said.rows, self.true_labels, self.losses, strict=True)
        ]
        return Table(("key", "class", "prediction", "loss", *said.columns[2:]), rows)

    def mistakes(self, count: int | None = None) -> npt.NDArray[np.int64]:
        """Positions ``(m,)`` of the wrong answers, the largest loss first; at most *count* of them."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.losses[wrong], kind="stable")][:count]

    def captions(self) -> list[str]:
        """What was said of each picture, in a few words: ``"cat, 0.98"``, or ``"cat, taken for dog, 0.71"``."""
        truths = [self.class_names[label] for label in self.true_labels]
        return [
            f"{true}, {share:.2f}" if true == said else f"{true}, taken for {said}, {share:.2f}"
            for true, said, share in zip(truths, self.names, self.confidences, strict=True)
        ]

    def plot(self) -> Figure:
        """The confusion matrix as a figure."""
        from .plots import confusion_matrix

        return confusion_matrix(self.confusion, self.class_names)

    def to_dict(self) -> dict[str, Any]:
        """The figures, without the rows; NaN where one cannot be had."""
        return {
            "pictures": len(self),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "loss": self.loss,
            "class_names": list(self.class_names),
            "confusion": self.confusion.tolist(),
            "per_class": self.per_class().records(),
        }

    def _summary(self) -> str:
        low, high = self.accuracy_interval
        said = f"accuracy {self.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}), loss {self.loss:.4f}"
        return f"{len(self):,} pictures: {said}"

    def _confusion_table(self) -> Table:
        rows = [(name, *map(int, row)) for name, row in zip(self.class_names, self.confusion, strict=True)]
        return Table(("", *self.class_names), rows)


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share, after Wilson (1927); ``(nan, nan)`` without a trial.

    >>> low, high = wilson_interval(832, 1000)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.808 to 0.854
    """
    if trials == 0:
        return float("nan"), float("nan")
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
