"""Two classifiers on the same pictures: is the one better, or was it luck?

In: two ``Evaluation``s, row by row of the same pictures.  Out: McNemar's exact test and the interval of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import OptionError, listed
from ..evaluation import Evaluation

_Z = 1.959964  # the normal quantile of 97.5 %


@dataclass(frozen=True, eq=False)
class Paired:
    """How two classifiers compare, picture by picture.

    Attributes:
        first_alone: Positions of the pictures that only the first answers rightly.
        second_alone: Positions of those that only the second does.
        both: How many both answer rightly.
        neither: How many neither does.
    """

    first_alone: npt.NDArray[np.int64]
    second_alone: npt.NDArray[np.int64]
    both: int
    neither: int

    @property
    def count(self) -> int:
        """All pictures."""
        return len(self.first_alone) + len(self.second_alone) + self.both + self.neither

    @property
    def p_value(self) -> float:
        """McNemar's exact test (1947): how often two equally good classifiers would differ at least as unevenly.

        Only pictures on which one alone is right say anything; equally good ones share them like a fair coin.  1.0
        where there are none.

        >>> def positions(count):
        ...     return np.arange(count)
        >>> Paired(positions(8), positions(1), 50, 3).p_value
        0.0390625
        """
        from scipy.stats import binomtest

        first, second = len(self.first_alone), len(self.second_alone)
        return float(binomtest(first, first + second, 0.5).pvalue) if first + second else 1.0

    @property
    def difference(self) -> float:
        """The second's accuracy less the first's."""
        return (len(self.second_alone) - len(self.first_alone)) / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference, after Agresti and Min (2005): half a picture is added to each count."""
        first, second, total = len(self.first_alone) + 0.5, len(self.second_alone) + 0.5, self.count + 2
        middle = (second - first) / total
        reach = _Z * float(np.sqrt(first + second - (second - first) ** 2 / total)) / total
        return max(middle - reach, -1.0), min(middle + reach, 1.0)


def paired(first: Evaluation, second: Evaluation) -> Paired:
    """The comparison of *first* and *second*, whose classes may stand in another order.

    Raises:
        OptionError: they are of different pictures or classes.
    """
    if first.keys.tolist() != second.keys.tolist():
        raise OptionError("the evaluations are of different pictures. Evaluate both on the same Dataset.")
    if set(first.class_names) != set(second.class_names):
        raise OptionError(
            f"the classes differ: {listed(first.class_names)} and {listed(second.class_names)}. Compare classifiers of "
            "the same classes."
        )
    one, other = first.correct, second.correct
    return Paired(
        np.flatnonzero(one & ~other), np.flatnonzero(other & ~one), int((one & other).sum()), int((~one & ~other).sum())
    )
