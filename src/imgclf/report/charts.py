"""The figures of a report: numbers only, no name of a stranger; small, so that they can be read on a phone.

In: figures per epoch, a calibration.  Out: inline SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ..plots import new_figure
from .certainty import Calibration
from .encoding import FIRST, LINE, SECOND, inline_svg

_COLORS = (FIRST, SECOND)
_STYLES = ("-", "--")  # colour is not all that tells two lines apart
_SIZE = (4.4, 2.9)


def lines(series: Sequence[Sequence[float]], what: str, *, name: str, best_epochs: Sequence[int | None]) -> Markup:
    """One or two curves over the epochs, with a dotted line at each best epoch.

    Args:
        series: Values per epoch; the second is drawn dashed.
        what: The word beside the axis.
        name: Before all identifiers of the SVG.
        best_epochs: Counted from 1.
    """
    figure = new_figure(*_SIZE)
    axis = figure.subplots()
    for values, color, style in zip(series, _COLORS, _STYLES, strict=False):
        axis.plot(range(1, len(values) + 1), values, style, color=color, marker="o", markersize=3, linewidth=1.6)
    for epoch, color in zip(best_epochs, _COLORS, strict=False):
        if epoch is not None:
            axis.axvline(epoch, color=color if len(best_epochs) > 1 else "black", linestyle=(0, (2, 3)), linewidth=1.4)
    axis.set_xlabel("epoch")
    axis.set_ylabel(what)
    if max(map(len, series), default=0) == 1:
        axis.set_xlim(0.4, 1.6)
    locator: Any = axis.xaxis.get_major_locator()
    locator.set_params(integer=True, min_n_ticks=1)
    _tidy(axis)
    return inline_svg(figure, name, f"{what.capitalize()} over the epochs; the values stand in the table below.")


def reliability(found: Calibration, *, name: str) -> Markup:
    """Accuracy against confidence, bin by bin with 95 % intervals, above the number of pictures in each bin."""
    figure = new_figure(4.4, 4.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    means = [each.confidence for each in found.bins]
    shares = np.array([each.accuracy for each in found.bins])
    low, high = np.array([each.interval for each in found.bins]).T
    reach = np.maximum([shares - low, high - shares], 0)
    above.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
    above.errorbar(means, shares, reach, fmt="o", color=FIRST, ecolor=FIRST, capsize=3, markersize=5)
    above.set_ylim(-0.02, 1.02)
    above.set_xlim(0, 1)
    above.set_ylabel("share that is right")
    middles = [(each.low + each.high) / 2 for each in found.bins]
    bars = below.bar(middles, [each.count for each in found.bins], width=0.085, color=SECOND)
    below.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    below.margins(y=0.3)
    below.set_ylabel("pictures")
    below.set_xlabel("confidence")
    for axis in (above, below):
        _tidy(axis)
    return inline_svg(figure, name, "Share of right answers against confidence; the values stand in the table below.")


def curves(
    histories: Sequence[Mapping[str, Sequence[float]]], best: Sequence[int | None], *, name: str
) -> list[Markup]:
    """Loss and accuracy: of one run training beside validation, of two runs the validation of both."""
    alone = len(histories) == 1
    found = []
    for what in ("loss", "accuracy"):
        keys = (what, f"val_{what}") if alone else (f"val_{what}",)
        series = [history.get(key, ()) for history in histories for key in keys]
        word = what if alone else f"validation {what}"
        found.append(lines(series, word, name=f"{name}-{what}", best_epochs=best))
    return found


def _tidy(axis: Any) -> None:
    axis.grid(color=LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
