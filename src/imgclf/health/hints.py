"""Rules about what a network may learn instead of the classes: light, colour, size.

A difference is told as Cohen's d: the difference of two means over their pooled standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .facts import Facts
from .report import Finding

_ENOUGH = 20  # pictures on either side; means of fewer tell nothing
_LARGE = 0.8  # Cohen's d between classes, "large" in his words; brightness alone then tells 66 % of two classes right
_MEDIUM = 0.5  # between sources, which should be drawn alike
_SHARE = 0.25  # between the shares of grey pictures


def hint_findings(facts: Facts) -> Iterator[Finding]:
    """What in the pictures of *facts* gives the class away, or differs between sources."""
    yield from _mixed(facts)
    area = np.log(np.maximum(facts.heights.astype(np.float64) * facts.widths, 1))
    for number, name in enumerate(facts.sources):
        own = (facts.source == number) & facts.readable
        yield from _by_class(facts, own, name, facts.light, "brightness")
        yield from _by_class(facts, own, name, area, "size")
        yield from _grey_by_class(facts, own, name)
        first = (facts.source == 0) & facts.readable
        difference = _cohens_d(facts.light[own], facts.light[first]) if number else 0.0
        if abs(difference) >= _MEDIUM:
            means = float(facts.light[own].mean()), float(facts.light[first].mean())
            yield Finding(
                "warning",
                "brightness_by_source",
                f"{name!r} is {'brighter' if difference > 0 else 'darker'} than {facts.sources[0]!r}: "
                f"{means[0]:.0f} against {means[1]:.0f} of 255 on average.",
                "Look whether both were taken and stored alike; brightness augmentation bridges small differences.",
            )


def _mixed(facts: Facts) -> Iterator[Finding]:
    seen = facts.readable
    grey = seen & facts.grey
    if grey.any() and (seen & ~facts.grey).any():
        fewer = grey if grey.sum() * 2 <= seen.sum() else seen & ~facts.grey
        kind = ("grey", "coloured") if fewer is grey else ("coloured", "grey")
        what = f"{kind[0]} pictures among {kind[1]} ones: {int(fewer.sum()):,} of {int(seen.sum()):,}"
        rows = tuple((facts.named(position),) for position in np.flatnonzero(fewer))
        yield Finding("note", "mixed_colour", what, "Load with color_mode='grayscale' if colour tells nothing.", rows)


def _by_class(
    facts: Facts, own: npt.NDArray[np.bool_], name: str, values: npt.NDArray[np.floating], what: str
) -> Iterator[Finding]:
    told = []
    for label, class_name in enumerate(facts.class_names):
        inside, outside = own & (facts.labels == label), own & (facts.labels != label) & (facts.labels >= 0)
        difference = _cohens_d(values[inside], values[outside])
        if abs(difference) >= _LARGE:
            word = {"brightness": ("brighter", "darker"), "size": ("larger", "smaller")}[what][difference < 0]
            told.append(f"{class_name!r} is {word} (d = {difference:+.1f})")
    if told:
        yield Finding(
            "note",
            f"{what}_by_class",
            f"the {what} of the pictures of {name!r} tells classes apart: {'; '.join(told[:5])}"
            + (f" and {len(told) - 5} more." if len(told) > 5 else "."),
            "If this is how they were taken rather than what they show, a network may learn it instead of the class.",
        )


def _grey_by_class(facts: Facts, own: npt.NDArray[np.bool_], name: str) -> Iterator[Finding]:
    told = []
    for label, class_name in enumerate(facts.class_names):
        inside, outside = own & (facts.labels == label), own & (facts.labels != label) & (facts.labels >= 0)
        if min(inside.sum(), outside.sum()) >= _ENOUGH:
            shares = float(facts.grey[inside].mean()), float(facts.grey[outside].mean())
            if abs(shares[0] - shares[1]) >= _SHARE:
                told.append(f"{100 * shares[0]:.0f} % of {class_name!r} against {100 * shares[1]:.0f} % of the others")
    if told:
        yield Finding(
            "warning",
            "colour_by_class",
            f"grey pictures are spread unevenly over the classes of {name!r}: {'; '.join(told[:5])}.",
            "Load with color_mode='grayscale', or a network learns the colour mode instead of the class.",
        )


def _cohens_d(one: npt.NDArray[np.floating], two: npt.NDArray[np.floating]) -> float:
    if min(len(one), len(two)) < _ENOUGH:
        return 0.0
    pooled = np.sqrt(
        (one.var(dtype=np.float64) * len(one) + two.var(dtype=np.float64) * len(two)) / (len(one) + len(two))
    )
    difference = float(one.mean(dtype=np.float64) - two.mean(dtype=np.float64))
    return difference / max(float(pooled), 1e-9) if abs(difference) > 1e-6 else 0.0
