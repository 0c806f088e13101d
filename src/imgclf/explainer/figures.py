"""Figures of what an explainer found, from plain arrays; the rest is in ``plots``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..plots import draw_image, drawable, frameless, new_figure, plain, short_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating[Any]]
_SIGNED = "RdBu_r"  # even on both sides of white, also for the colour-blind


def signed_maps(images: npt.NDArray[np.uint8], maps: Floats, *, titles: Sequence[str], label: str) -> Figure:
    """A row per picture: the picture, then its map, red above 0 and blue below.

    Args:
        images: uint8 ``(n, h, w, c)``.
        maps: ``(n, h, w)`` of any sign, each drawn to the 99.5 % quantile of its magnitudes.
        titles: One per picture.
        label: What the maps are.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(5.2, 2.1 * len(images) + 0.3)
    axes = figure.subplots(len(images), 2, squeeze=False)
    for (left, right), image, values, title in zip(axes, images, maps, titles, strict=True):
        draw_image(left, drawable(image))
        left.set_title(plain(title), fontsize=8)
        top = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
        right.imshow(values, cmap=_SIGNED, vmin=-top, vmax=top, interpolation="nearest")
        right.set_title(plain(f"{label}\n± {top:.2g}"), fontsize=8)
        left.set_axis_off()
        frameless(right)
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), _SIGNED), ax=axes, ticks=[-1, 0, 1], shrink=0.9, aspect=30)
    bar.ax.set_yticklabels(["against", "0", "for the class"])
    return figure


def faithfulness_curves(fractions: Floats, curves: Mapping[tuple[str, str], Mapping[str, Floats]]) -> Figure:
    """A panel for every (deletion or insertion, scale), with a line per map.

    Args:
        fractions: ``(steps + 1,)`` the share of pixels taken away or put back.
        curves: ``{(kind, scale): {map: (steps + 1,)}}``.
    """
    figure = new_figure(4.2 * 2, 3.1 * -(-len(curves) // 2))
    axes = figure.subplots(-(-len(curves) // 2), 2, squeeze=False).ravel()
    for axis, ((kind, scale), lines) in zip(axes, curves.items(), strict=False):
        for (name, values), style in zip(lines.items(), ("-", "--", ":"), strict=False):
            axis.plot(fractions, values, style, label=name)
        axis.set_xlabel(f"share of pixels {'taken away' if kind == 'deletion' else 'put back'}")
        axis.set_ylabel(scale.replace("_", "-"))
        axis.set_title(kind, fontsize=9)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    return figure


def similarity_bars(shuffled: Sequence[str], similarity: Floats, unlike: float, *, title: str) -> Figure:
    """A bar for every step of a sanity check.

    Args:
        shuffled: Paths of layers.
        similarity: ``(len(shuffled),)`` 0 to 1.
        unlike: A line there, unless it is NaN.
        title: One line over all.
    """
    figure = new_figure(6, 0.28 * len(shuffled) + 1.1)
    axis = figure.subplots()
    axis.barh([plain(short_path(path)) for path in shuffled], similarity, color="0.45")
    if np.isfinite(unlike):
        axis.axvline(unlike, color="black", linestyle=":", label="maps of different pictures")
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    axis.set_xlim(0, 1)
    axis.invert_yaxis()
    axis.set_xlabel("similarity to the trained network's map")
    axis.set_title(plain(title), fontsize=9)
    return figure
