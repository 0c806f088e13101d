"""What an explainer found: frozen records of arrays that draw themselves."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import OptionError, unknown_name
from ..files import replacing
from ..plots import blend, channel_grid, ending, feature_map_strips, heatmap_rows
from ..tables import Table, Tabular, page, visible
from .cam import TITLES, heatmap, is_blank, upsample
from .figures import signed_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class FeatureMaps(Tabular):
    """What the layers of a network make of some pictures.

    >>> import keras
    >>> from imgclf import Explainer
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> explainer.feature_maps(pictures).maps["conv"].shape
    (2, 6, 6, 4)

    Attributes:
        keys: ``n`` names of pictures.
        images: uint8 ``(n, height, width, channels)``.
        maps: The path of a layer → its output, float32 ``(n, h, w, c)``; in the order of the network.
    """

    keys: tuple[str, ...]
    images: Pixels
    maps: Mapping[str, Floats]

    def __repr__(self) -> str:
        return f"FeatureMaps({len(self.keys)} pictures × {_layers(self.maps)})"

    def _repr_html_(self) -> str:
        return page(f"feature maps of {_pictures(self.keys)}; plot() draws them", self.table())

    def table(self) -> Table:
        """One row per layer: the shape of its maps, their least, mean and greatest value over all pictures."""
        rows = [
            (path, "×".join(map(str, maps.shape[1:])), float(maps.min()), float(maps.mean()), float(maps.max()))
            for path, maps in self.maps.items()
        ]
        return Table(("layer", "shape", "least", "mean", "greatest"), rows)

    def plot(self, image: int | str = 0, layer: str | None = None, channels: int = 16) -> Figure:
        """A strip of every layer's first channels, or all channels of one layer.

        Every channel is drawn from its own least value (dark) to its own greatest (bright).

        Args:
            image: Which picture: its position or its key.
            layer: The path of one layer; None draws all of them.
            channels: How many channels of each layer a strip shows.
        """
        row = self._row(image)
        if layer is not None:
            return channel_grid(_of(self.maps, layer)[row], title=f"{layer}: {self.keys[row]}")
        maps = {path: values[row] for path, values in self.maps.items()}
        return feature_map_strips(self.images[row], maps, channels=channels, title=self.keys[row])

    def save(
        self, path: str | os.PathLike[str], image: int | str = 0, layer: str | None = None, channels: int = 16
    ) -> Path:
        """Write what :meth:`plot` draws as PNG or SVG, whole or not at all; returns the path."""
        return save_figure(self.plot(image, layer, channels), path)

    def _row(self, image: int | str) -> int:
        if isinstance(image, str):
            if image not in self.keys:
                raise unknown_name("picture", image, self.keys)
            return self.keys.index(image)
        if not 0 <= image < len(self.keys):
            raise OptionError(f"image is {image}; expected a key, or a position from 0 to {len(self.keys) - 1}.")
        return int(image)


class Drawn(Tabular):
    """What shows itself by one figure as well."""

    @abstractmethod
    def plot(self) -> Figure:
        """The figure."""

    def _repr_html_(self) -> str:
        return page(f"{self!r}; plot() draws it", self.table())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what :meth:`plot` draws as PNG or SVG, by the path's ending, whole or not at all; returns the path."""
        return save_figure(self.plot(), path)


@dataclass(frozen=True, eq=False, repr=False)
class _Explained(Tabular):
    """What explanations of every kind say of the pictures and of the classes explained."""

    keys: tuple[str, ...]
    images: Pixels
    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    probabilities: Floats
    scores: Floats
    method: str

    def _repr_html_(self) -> str:
        return page(f"{self.description} of {_pictures(self.keys)}; plot() draws the maps", self.table())

    @property
    def description(self) -> str:
        """What the maps are, in words."""
        return _word(self.method)

    def _answers(self) -> list[tuple[str, str, float, float]]:
        """For each picture: key, class explained, its probability, its score."""
        chosen = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)[:, 0]
        return list(zip(self.keys, self.names, chosen.tolist(), self.scores.tolist(), strict=True))

    def _titles(self, before: str = "") -> list[str]:
        """For each picture: its key, the class explained, and the model's answer for it."""
        said = ", whose p =" if before else ": p ="
        return [f"{ending(key)}\n{before}{name}{said} {p:.3f}" for key, name, p, _ in self._answers()]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(_Explained):
    """Which parts of some pictures speak for a class: one signed map per picture and layer.

    >>> import keras
    >>> from imgclf import Explainer
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> why = explainer.grad_cam(pictures, "dog", method="hires_cam")
    >>> why.names, why.maps["conv"].shape
    (('dog', 'dog'), (2, 6, 6))

    Attributes:
        keys: ``n`` names of pictures.
        images: uint8 ``(n, height, width, channels)``.
        names: ``n`` names: the class that each picture's maps speak for.
        labels: ``(n,)`` the same classes as numbers.
        probabilities: float32 ``(n, k)``: the model's answer for every class.
        scores: float32 ``(n,)``: what was differentiated, before softmax or sigmoid: see *score*.
        method: How the maps were made: ``"grad_cam"``, ``"hires_cam"``, ``"layer_cam"``, ``"grad_cam_plus_plus"``.
        maps: The path of a layer → float32 ``(n, h, w)`` of any sign, above 0 where the picture speaks for the class.
            ReLU and scaling happen only in drawing.
        score: ``"logit"`` or ``"log_odds"``.
        counterfactual: Whether the maps are above 0 where the picture speaks *against* the class.
        smooth: The copies with noise that the maps are the mean of; 0: the picture's own.
    """

    maps: Mapping[str, Floats]
    score: str = "logit"
    counterfactual: bool = False
    smooth: int = 0

    def __repr__(self) -> str:
        return f"Explanation({self.method}: {len(self.keys)} pictures × {_layers(self.maps)})"

    @property
    def description(self) -> str:
        """What the maps are, in words: the head of the figure."""
        words = [TITLES[self.method]]
        words += ["of the log-odds"] if self.score == "log_odds" else []
        words += [f"mean of {self.smooth} copies with noise"] if self.smooth else []
        return ", ".join(words)

    def layer(self, path: str | None = None) -> Floats:
        """The signed maps of one layer (None: the last): float32 ``(n, h, w)``.

        Raises:
            UnknownNameError: a layer that was not explained.
        """
        return _of(self.maps, path)

    @property
    def blank(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Layer → ``(n,)``: whether nothing in the map speaks for the class, so that it is drawn empty."""
        return {path: is_blank(values) for path, values in self.maps.items()}

    def table(self) -> Table:
        """One row per picture: key, class, probability, score, and how many of the layers are blank."""
        blank = np.sum(list(self.blank.values()), axis=0)
        rows = [(*answer, int(count)) for answer, count in zip(self._answers(), blank, strict=True)]
        return Table(("key", "class", "probability", _word(self.score), "blank"), rows)

    def heatmap(self, layer: str | None = None) -> Floats:
        """The maps of one layer (None: the last) at the size of the pictures: float32 ``(n, height, width)``, 0..1.

        Negative values count as 0, and each map is divided by its own maximum: colours cannot be compared between
        pictures.  A blank map is 0 everywhere.
        """
        height, width = self.images.shape[1:3]
        return heatmap(self.layer(layer), (height, width))

    def overlay(self, layer: str | None = None, alpha: float = 0.5) -> Pixels:
        """The heat maps of one layer (None: the last) over the pictures: uint8 ``(n, height, width, 3)``.

        The picture is in grey, so that every colour is the map's.

        Args:
            layer: The path of a layer.
            alpha: The share of the heat map, 0 to 1; the rest is the picture.
        """
        if not 0 <= alpha <= 1:
            raise OptionError(f"alpha is {alpha}; expected the heat map's share, from 0 to 1.")
        return blend(self.images, self.heatmap(layer), alpha)

    def overlays(self, layers: Iterable[str], alpha: float = 0.5) -> dict[str, Pixels]:
        """:meth:`overlay` of several layers, by their paths."""
        return {path: self.overlay(path, alpha) for path in layers}

    def upsampled(self, layer: str | None, size: tuple[int, int]) -> Floats:
        """The signed maps of one layer (None: the last), brought to (height, width): float32 ``(n, height, width)``."""
        return upsample(self.layer(layer), size)

    def plot(self, alpha: float = 0.5) -> Figure:
        """A row per picture: the picture, then every layer's heat map; "blank" where nothing speaks for the class."""
        titles = self._titles("against " if self.counterfactual else "")
        overlays = self.overlays(self.maps, alpha)
        return heatmap_rows(self.images, overlays, titles=titles, blank=self.blank, alpha=alpha, title=self.description)

    def save(self, path: str | os.PathLike[str], alpha: float = 0.5) -> Path:
        """Write what :meth:`plot` draws as PNG or SVG, by the path's ending, whole or not at all; returns the path."""
        return save_figure(self.plot(alpha), path)


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(_Explained, Drawn):
    """What each pixel of some pictures does for a class.

    >>> import keras
    >>> from imgclf import Explainer
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> explainer.attribute(pictures, "dog", method="gradient").values.shape
    (2, 8, 8, 3)

    Keys, images, names, labels, probabilities, scores and *score* are those of an :class:`~imgclf.Explanation`.

    Attributes:
        method: ``"integrated_gradients"``, ``"gradient"`` or ``"occlusion"``.
        values: float32 ``(n, height, width, channels)``, with one channel for occlusion: above 0 where a pixel speaks
            for the class.  For integrated gradients and occlusion in units of the score, for the gradient per grey
            level.
        completeness_error: float32 ``(n,)``: of integrated gradients, the sum of all values less what the picture adds
            to the baseline's score, which would be 0 with endless steps; None for the other methods.
        settings: What the method went by: steps, baseline, smooth, window, stride.
    """

    values: Floats
    completeness_error: Floats | None = None
    score: str = "logit"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Attribution({self.method}: {len(self.keys)} pictures of {'×'.join(map(str, self.values.shape[1:]))})"

    @property
    def maps(self) -> Floats:
        """All channels of a pixel together: float32 ``(n, height, width)``, signed."""
        return np.asarray(self.values.sum(axis=-1), dtype=np.float32)

    def table(self) -> Table:
        """One row per picture: key, class, probability, score; of integrated gradients, their sum and its error."""
        columns, answers = ("key", "class", "probability", _word(self.score)), self._answers()
        if self.completeness_error is None:
            return Table(columns, answers)
        sums = self.values.sum(axis=(1, 2, 3), dtype=np.float64)
        ends = zip(sums.tolist(), self.completeness_error.tolist(), strict=True)
        rows = [(*answer, *end) for answer, end in zip(answers, ends, strict=True)]
        return Table((*columns, "sum", "completeness error"), rows)

    def plot(self) -> Figure:
        """A row per picture: the picture, then its map: red speaks for the class, blue against it, white for nothing.

        Each map has its own scale, from the 99.5 % quantile of its magnitudes down to the negative of it.
        """
        return signed_maps(self.images, self.maps, titles=self._titles(), label=_word(self.method))


def _pictures(keys: tuple[str, ...]) -> str:
    return visible(keys[0]) if len(keys) == 1 else f"{len(keys):,} pictures"


def _word(name: str) -> str:
    return name.replace("_", " ")


def _of(maps: Mapping[str, Floats], layer: str | None) -> Floats:
    if layer is None:
        return maps[list(maps)[-1]]
    if layer not in maps:
        raise unknown_name("layer of this explanation", layer, maps)
    return maps[layer]


def _layers(maps: Mapping[str, Floats]) -> str:
    shown = list(maps) if len(maps) <= 3 else [*list(maps)[:1], "…", *list(maps)[-1:]]
    return f"{len(maps)} layers: {', '.join(shown)}"


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write *figure* as PNG or SVG, by the path's ending, whole or not at all; returns the path.

    Raises:
        OptionError: another ending.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise OptionError(f"{os.fspath(path)!r} ends in {suffix!r}; expected '.png' or '.svg'.")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=150)
    return Path(path)
