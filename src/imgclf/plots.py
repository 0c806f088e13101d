"""Matplotlib figures from plain arrays: every function returns the ``Figure`` and shows nothing.

In: arrays and names.  Out: a figure for ``savefig`` or a notebook.  Results' ``.plot()`` methods call these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .tables import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_TICK = 24  # characters of a name beside an axis
_HEAT = "viridis"  # perceptually even, also in grey and for the colour-blind
_SMALLEST_TILE = 32  # pixels of a channel in a mosaic
_LONGEST_NAME = 24
_EACH_CHANNEL = "each channel from its least value (dark) to its greatest (bright)"


def image_grid(
    images: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    suptitle: str | None = None,
) -> Figure:
    """Pictures row by row, each with its title.

    Args:
        images: uint8 ``(h, w, 1 or 3)`` each; their sizes may differ.
        titles: One per picture.
        columns: Pictures in a row.
        suptitle: One line over all.
    """
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure = new_figure(1.8 * columns, (2.0 if titles is not None else 1.8) * rows + (0.4 if suptitle else 0))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, image in zip(axes, images, strict=False):
        draw_image(axis, image)
    for axis, title in zip(axes, titles or (), strict=False):
        axis.set_title(plain(title), fontsize=8)
    for axis in axes:
        axis.set_axis_off()
    if suptitle:
        figure.suptitle(plain(suptitle))
    return figure


def curves(history: Mapping[str, Sequence[float]], best_epoch: int | None = None) -> Figure:
    """Loss and accuracy over the epochs, training beside validation, and a line at the best epoch.

    Args:
        history: ``loss``, ``val_loss``, ``accuracy``, ``val_accuracy``: one value per epoch; missing ones are left out.
        best_epoch: Counted from 1.
    """
    figure = new_figure(9, 3.6)
    for axis, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, style in ((name, "training", "-"), (f"val_{name}", "validation", "-o")):
            values = history.get(key, ())
            if len(values):
                seen = style if len(values) > 1 else "o"  # a line of one point is not
                axis.plot(range(1, len(values) + 1), values, seen, label=label, markersize=3)
        if best_epoch is not None:
            axis.axvline(best_epoch, color="0.6", linestyle=":", label=f"best epoch ({best_epoch})")
        axis.set_xlabel("epoch")
        axis.set_ylabel(name)
        if max(map(len, history.values()), default=0) == 1:
            axis.set_xlim(0.4, 1.6)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(frameon=False)
    return figure


def confusion_matrix(confusion: npt.NDArray[np.integer[Any]], class_names: Sequence[str]) -> Figure:
    """Counts per true class (rows) and predicted class (columns), shaded by the row's share.

    Args:
        confusion: ``(k, k)`` counts, rows true, columns predicted.
        class_names: ``k`` names.
    """
    k = len(class_names)
    side = max(3.2, 0.55 * k + 1.6)
    figure = new_figure(side + 0.8, side)
    axis = figure.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shown = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axis, label="share of the true class")
    if k <= 30:  # beyond, the numbers would cover each other
        for row, column in np.ndindex(k, k):
            color = "white" if share[row, column] > 0.5 else "black"
            axis.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center", color=color, fontsize=8)
    names = [plain(visible(name), _TICK) for name in class_names]
    axis.set_xticks(range(k), names, rotation=45 if k > 3 else 0, ha="right" if k > 3 else "center")
    axis.set_yticks(range(k), names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    return figure


def counts(values: Mapping[str, int], label: str = "pictures") -> Figure:
    """One bar per name, its count written on it."""
    figure = new_figure(max(3.0, 0.6 * len(values) + 1.5), 3)
    axis = figure.subplots()
    bars = axis.bar(range(len(values)), list(values.values()), color="tab:blue")
    axis.bar_label(bars, fmt="{:,.0f}")
    axis.set_xticks(range(len(values)), [plain(visible(name), _TICK) for name in values])
    axis.margins(y=0.12)
    axis.set_ylabel(label)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def blend(
    images: npt.NDArray[np.uint8], heat: npt.NDArray[np.floating[Any]], alpha: float = 0.5
) -> npt.NDArray[np.uint8]:
    """Heat maps in colour over the pictures in grey, so that every colour is the map's: uint8 ``(n, h, w, 3)``.

    Args:
        images: uint8 ``(n, h, w, c)``: RGB by ITU-R 601-2 luma, any other number of channels by their mean.
        heat: ``(n, h, w)`` in 0..1.
        alpha: The share of the colour, 0..1.
    """
    import matplotlib as mpl

    channels = images.shape[-1]
    luma = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.full(channels, 1 / channels)
    grey = (images @ luma)[..., None]
    color = 255 * mpl.colormaps[_HEAT](heat)[..., :3]
    return np.asarray(np.round((1 - alpha) * grey + alpha * color), dtype=np.uint8)


def heatmap_rows(
    images: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
    overlays: Mapping[str, Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]],
    *,
    titles: Sequence[str],
    blank: Mapping[str, Sequence[bool] | npt.NDArray[np.bool_]],
    alpha: float = 0.5,
    title: str = "",
) -> Figure:
    """A row per picture: the picture, then its overlay of every layer; more than 8 layers go on below.

    Args:
        images: uint8 ``(n, h, w, c)``, or ``n`` pictures of any size.
        overlays: Layer → uint8 ``(n, h, w, 3)``, as :func:`blend` gives them, or ``n`` of any size.
        titles: One per picture.
        blank: Layer → ``(n,)``: on which cells "blank" is written.
        alpha: As given to :func:`blend`; the legend is as pale as the overlays.
        title: What stands above all.
    """
    layers = list(overlays)
    lines = max(1, -(-len(layers) // 8))
    columns = max(1, -(-len(layers) // lines))  # 9 layers are rows of 5 and 4, not of 8 and 1
    figure = new_figure(1.9 * (columns + 1) + 0.9, 2.1 * lines * len(images) + 0.3)
    axes = figure.subplots(lines * len(images), columns + 1, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    for row, image in enumerate(images):
        draw_image(axes[row * lines, 0], drawable(image))
        axes[row * lines, 0].set_title(plain(titles[row]), fontsize=8)
        for position, layer in enumerate(layers):
            axis = axes[row * lines + position // columns, 1 + position % columns]
            draw_image(axis, overlays[layer][row])
            axis.set_title(plain(short_path(layer)), fontsize=8)
            if blank[layer][row]:
                axis.text(0.5, 0.5, "blank", color="white", ha="center", va="center", transform=axis.transAxes)
    _heat_legend(figure, alpha)
    if title:
        figure.suptitle(plain(title), fontsize=10)
    return figure


def feature_map_strips(
    image: npt.NDArray[np.uint8],
    maps: Mapping[str, npt.NDArray[np.floating[Any]]],
    *,
    channels: int = 16,
    title: str | None = None,
) -> Figure:
    """One picture and below it a strip per layer: its first channels, each from its own least to greatest value.

    Args:
        image: uint8 ``(h, w, c)``.
        maps: Layer → ``(h, w, c)``.
        channels: How many channels of each layer.
        title: One line over all.
    """
    channels = max(1, min(channels, max(values.shape[-1] for values in maps.values())))
    figure = new_figure(max(3.0, 0.72 * channels + 2.2), 1.6 + 0.78 * len(maps) + (0.3 if title else 0))
    grid = figure.add_gridspec(len(maps) + 1, 1, height_ratios=[2.0] + [1.0] * len(maps))
    top = figure.add_subplot(grid[0])
    draw_image(top, drawable(image))
    top.set_axis_off()
    for row, (layer, values) in enumerate(maps.items(), start=1):
        axis = figure.add_subplot(grid[row])
        mosaic = _mosaic(values[..., :channels], channels)
        axis.imshow(mosaic, cmap=_HEAT, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        axis.set_box_aspect(image.shape[0] / (image.shape[1] * channels))  # tiles of all layers stand under each other
        shape = "×".join(map(str, values.shape))
        axis.set_ylabel(f"{plain(short_path(layer))}\n{shape}", rotation=0, ha="right", va="center", fontsize=7)
        frameless(axis)
    axis.set_xlabel(_EACH_CHANNEL, fontsize=8)
    if title:
        figure.suptitle(plain(title), fontsize=10)
    return figure


def channel_grid(maps: npt.NDArray[np.floating[Any]], *, title: str | None = None) -> Figure:
    """All channels of one layer, row by row, each from its own least (dark) to its own greatest value (bright).

    Args:
        maps: ``(h, w, c)``.
        title: One line over all.
    """
    channels = maps.shape[-1]
    columns = min(channels, max(4, round(channels**0.5 * 1.4)))
    rows = -(-channels // columns)
    side = min(0.9, 14 / columns)
    figure = new_figure(max(3.0, side * columns + 0.4), max(1.5, side * rows * maps.shape[0] / maps.shape[1] + 0.6))
    axis = figure.subplots()
    axis.imshow(_mosaic(maps, columns), cmap=_HEAT, vmin=0, vmax=1, interpolation="nearest")
    frameless(axis)
    axis.set_xlabel(f"{channels} channels of {maps.shape[0]}×{maps.shape[1]}; {_EACH_CHANNEL}", fontsize=8)
    if title:
        axis.set_title(plain(title), fontsize=9)
    return figure


def draw_image(axis: Axes, image: npt.NDArray[np.uint8]) -> None:
    """One uint8 picture on *axis*, grey where it has one channel, its pixels as they are."""
    if image.ndim == 3 and image.shape[-1] == 1:
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        axis.imshow(image)


def plain(text: str, most: int = 120) -> str:
    r"""*text* as Matplotlib should draw it: a ``$`` in a name is no formula, and control characters are written out.

    The middle of a line of more than *most* characters is left out: else it leaves no room for the picture.

    >>> plain("pure $gold$\x1b[2J")
    'pure \\$gold\\$\\x1b[2J'
    """
    first, *more = text.split("\n", 3)  # a name of a hundred lines would push the pictures out
    lines = [visible(line) for line in (first, *more)]
    short = [line if len(line) <= most else f"{line[: most // 2]}…{line[1 - most // 2 :]}" for line in lines]
    return "\n".join(short).replace("$", r"\$")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which no window shows, and a notebook does."""
    from .figure import NotebookFigure

    return NotebookFigure(figsize=(width, height), layout="constrained")


def _heat_legend(figure: Figure, alpha: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shown = ScalarMappable(Normalize(0, 1), _HEAT)
    width, height = figure.get_size_inches()  # the bar has 0.15 by at most 6 inches, whatever the figure has
    shrink = min(0.9, 6 / height)
    size = {"shrink": shrink, "aspect": shrink * height / 0.15, "fraction": 0.2 / width, "pad": 0.1 / width}
    bar = figure.colorbar(shown, ax=figure.axes, alpha=alpha, **size)
    bar.set_label("share of each map's maximum", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _mosaic(maps: npt.NDArray[np.floating[Any]], columns: int) -> npt.NDArray[np.float64]:
    """The channels of ``(h, w, c)`` as tiles of one array, each scaled to 0..1, NaN between them.

    Small maps are enlarged, whole number by whole number, so that the gaps stay narrow beside them.
    """
    low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
    scaled = (maps - low) / np.where(high > low, high - low, 1)
    times = max(1, -(-_SMALLEST_TILE // min(maps.shape[:2])))
    scaled = scaled.repeat(times, axis=0).repeat(times, axis=1)
    height, width, channels = scaled.shape
    rows, gap = -(-channels // columns), max(1, round(0.06 * width))
    tiles = np.full((rows * columns, height + gap, width + gap), np.nan)
    tiles[:channels, :height, :width] = np.moveaxis(scaled, -1, 0)
    grid = tiles.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    return grid.reshape(rows * (height + gap), columns * (width + gap))[:-gap, :-gap]


def drawable(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """*image* itself if it is grey or RGB, else the mean of its channels."""
    return image if image.shape[-1] in (1, 3) else image.mean(axis=-1, keepdims=True).astype(np.uint8)


def frameless(axis: Axes) -> None:
    """Neither ticks nor a frame."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def short_path(path: str) -> str:
    """The last part of a layer's path, or the end of it: what fits over a small picture."""
    return ending(path.rpartition("/")[2], _LONGEST_NAME)


def ending(text: str, most: int = 26) -> str:
    """The end of a long *text*, where what tells it from others stands."""
    return text if len(text) <= most else f"…{text[1 - most :]}"
