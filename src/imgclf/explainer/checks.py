"""Is an explanation right?  Taking away what it points at, and taking away what the network has learnt.

In: pictures, maps and functions that ask the network.  Out: frozen records of curves and similarities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import OptionError, listed, unknown_name
from ..tables import Table
from .cam import TITLES
from .figures import faithfulness_curves, similarity_bars
from .requests import Given
from .results import Attribution, Drawn, Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[Any]
Scale = Literal["probability", "log_odds"]
Scores = Callable[[Images, npt.NDArray[np.int64]], Floats]
"""From pictures ``(m, h, w, c)`` and the position of each to the class's probabilities and log-odds, ``(2, m)``."""


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness(Drawn):
    """What the network says while pixels are taken away from a picture, or put back, in the order of a map.

    Petsiuk et al. 2018, *RISE: Randomized Input Sampling for Explanation of Black-box Models*, section 4.3.  The map
    is followed from its highest value to its lowest; beside it stand a random order, and the inverted one, whose curves
    are those of the map in the mirror.

    >>> import keras
    >>> from imgclf import Explainer
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> why = explainer.grad_cam(pictures, "dog", method="hires_cam")
    >>> explainer.faithfulness(pictures, why).gap().shape
    (2,)

    Attributes:
        keys: ``n`` names of pictures.
        names: ``n`` names: the class of each.
        fractions: ``(steps + 1,)`` the share of pixels taken away or put back, 0 to 1.
        deletion: ``{map: {scale: (n, steps + 1)}}`` from the whole picture on, with the maps ``"map"``, ``"random"``
            and ``"inverted"``, and the scales ``"probability"`` and ``"log_odds"``.
        insertion: The same from the background on.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    fractions: Floats
    deletion: Mapping[str, Mapping[str, Floats]]
    insertion: Mapping[str, Mapping[str, Floats]]

    def __repr__(self) -> str:
        found, random = self.gap().mean(), self.gap("random").mean()
        return f"Faithfulness({len(self.keys)} pictures, gap {found:.3f} against {random:.3f} of a random order)"

    def gap(self, of: str = "map", scale: Scale = "probability") -> Floats:
        """The area under the insertion curve less that under the deletion curve, ``(n,)``: higher is better.

        A random order has about 0, the inverted one exactly the negative.  Where the network is sure whatever it sees,
        the curves of probabilities are flat; those of log-odds are not.
        """
        if of not in self.deletion:
            raise unknown_name("map", of, self.deletion)
        if scale not in self.deletion[of]:
            raise unknown_name("scale", scale, self.deletion[of])
        return self._area(self.insertion[of][scale]) - self._area(self.deletion[of][scale])

    def table(self) -> Table:
        """One row per map: the mean areas and gaps, in probabilities and in log-odds."""
        columns = ["map"]
        rows: list[list[object]] = [[of] for of in self.deletion]
        for scale in ("probability", "log_odds"):
            columns += [f"deletion, {scale}", f"insertion, {scale}", f"gap, {scale}"]
            for row, of in zip(rows, self.deletion, strict=True):
                areas = (float(self._area(curves[of][scale]).mean()) for curves in (self.deletion, self.insertion))
                row += [*areas, float(self.gap(of, scale).mean())]
        return Table([column.replace("_", "-") for column in columns], rows)

    def plot(self) -> Figure:
        """The mean curves: deletion and insertion, in probabilities and in log-odds."""
        curves = {
            (kind, scale): {of: held[of][scale].mean(axis=0) for of in held}
            for scale in ("probability", "log_odds")
            for kind, held in (("deletion", self.deletion), ("insertion", self.insertion))
        }
        return faithfulness_curves(self.fractions, curves)

    def _area(self, curves: Floats) -> Floats:
        between = (curves[..., 1:] + curves[..., :-1]) / 2
        return np.asarray((between * np.diff(self.fractions)).sum(axis=-1))


def curves(
    images: Images, base: Images, maps: npt.NDArray[Any], scores: Scores, *, steps: int, batch: int, seed: int
) -> tuple[Floats, dict[str, dict[str, Floats]], dict[str, dict[str, Floats]]]:
    """The curves of the maps, of a random order and of the inverted maps.

    Args:
        images: ``(n, h, w, c)``.
        base: The same shape: what is seen where a pixel is taken away.
        maps: ``(n, h, w)``; pixels go from the highest value to the lowest, equal ones in a random order.
        scores: Asks the network.
        steps: Steps from all pixels to none.
        batch: Pictures in one call of *scores*.
        seed: Of the random order.

    Returns:
        ``(fractions, deletion, insertion)`` as :class:`Faithfulness` holds them.
    """
    count, size = len(images), images.shape[1] * images.shape[2]
    fractions = np.linspace(0, 1, steps + 1)
    chance = np.random.default_rng(seed).permuted(np.tile(np.arange(size), (count, 1)), axis=1)
    flat = maps.reshape(count, size)
    orders = {
        "map": np.stack([np.lexsort((chance[row], -flat[row])) for row in range(count)]),
        "random": chance,
    }
    deletion: dict[str, dict[str, Floats]] = {name: {} for name in orders}
    insertion: dict[str, dict[str, Floats]] = {name: {} for name in orders}
    for name, order in orders.items():
        ranks = np.argsort(order, axis=1).reshape(count, *images.shape[1:3], 1)  # the place of each pixel in the order
        for held, first, second in ((deletion[name], base, images), (insertion[name], images, base)):
            found = np.empty((2, count * (steps + 1)))
            for start in range(0, found.shape[1], batch):
                rows = np.arange(start, min(start + batch, found.shape[1]))
                which, step = np.divmod(rows, steps + 1)
                gone = ranks[which] < np.round(fractions[step] * size)[:, None, None, None]
                found[:, rows] = scores(np.where(gone, first[which], second[which]), which)
            held["probability"], held["log_odds"] = found.reshape(2, count, steps + 1)
    deletion["inverted"] = {scale: found[:, ::-1] for scale, found in insertion["map"].items()}
    insertion["inverted"] = {scale: found[:, ::-1] for scale, found in deletion["map"].items()}
    return fractions, deletion, insertion


def aligned(
    given: Explanation | Attribution | npt.NDArray[Any], layer: str | None, pictures: Given
) -> tuple[Floats, npt.NDArray[np.int64] | None]:
    """Maps of the pictures' size, high where they speak for the class, and the classes, where these are known.

    Args:
        given: What an explainer gave for the pictures, or signed maps ``(n, height, width)``.
        layer: Whose; None: the last.
        pictures: The pictures.

    Raises:
        OptionError: the maps are of other pictures or another size, or not finite.
        UnknownNameError: a layer that was not explained.
    """
    shape = pictures.taken.shape[:3]
    if isinstance(given, (Explanation, Attribution)):
        if given.keys != pictures.keys or not np.array_equal(given.images, pictures.shown):
            raise OptionError(
                f"the maps explain {listed(given.keys, 3)} and the pictures are {listed(pictures.keys, 3)}, or other "
                "pixels. Give the pictures that were explained."
            )
        labels = given.labels
        maps = given.maps if isinstance(given, Attribution) else given.upsampled(layer, (shape[1], shape[2]))
        if isinstance(given, Explanation) and given.counterfactual:
            maps = -maps
    else:
        maps, labels = np.asarray(given), None
    if maps.shape != shape:
        raise OptionError(
            f"the maps have the shape {maps.shape} and the pictures {shape}: give a map of each picture's size."
        )
    if not np.isfinite(maps).all():
        raise OptionError("the maps hold values that are not finite (NaN or infinite). Give finite ones.")
    return np.asarray(maps, dtype=np.float64), labels


@dataclass(frozen=True, eq=False, repr=False)
class SanityCheck(Drawn):
    """How much of an explanation is left while the network's weights are shuffled, layer by layer from the top.

    Adebayo et al. 2018, *Sanity Checks for Saliency Maps*, where the sign of a rank correlation is kept; here it is
    dropped, as a map in the negative still shows the same structure.

    >>> import keras
    >>> from imgclf import Explainer
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(2, name="dense")])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> explainer.sanity_check(pictures, "dog").shuffled
    ('dense', 'conv')

    Attributes:
        method: The method checked.
        layer: The layer whose maps were compared.
        shuffled: Paths of layers, in the order in which their weights were shuffled; each stays so.  ``"(others)"``
            stands for weights that belong to no layer of their own.
        similarity: ``(len(shuffled),)`` the mean over pictures of Spearman's rank correlation, without its sign, of the
            map with the one before.  NaN where no picture's map had any structure before.
        unlike: The same between maps of *different* pictures before the shuffling: what two maps share that have
            nothing to do with each other.  NaN for a single picture.
    """

    method: str
    layer: str
    shuffled: tuple[str, ...]
    similarity: Floats
    unlike: float

    @property
    def left(self) -> float:
        """The similarity when every weight is shuffled: hardly above ``unlike`` where maps show what was learnt."""
        return float(self.similarity[-1])

    def __repr__(self) -> str:
        known = np.isfinite(self.unlike)
        beside = f"{self.unlike:.2f} between different pictures" if known else "one picture, nothing to compare with"
        return f"SanityCheck({self.method} at {self.layer!r}: {self.left:.2f} left, {beside})"

    def table(self) -> Table:
        """One row per step: the layer shuffled then, and the similarity; the last is that of different pictures."""
        rows = [(path, float(value)) for path, value in zip(self.shuffled, self.similarity, strict=True)]
        rows.append(("(maps of different pictures)", self.unlike))
        return Table(("shuffled down to", "similarity"), rows)

    def plot(self) -> Figure:
        """The similarity after every step."""
        title = f"{TITLES.get(self.method, self.method)} at {self.layer}"
        return similarity_bars(self.shuffled, self.similarity, self.unlike, title=title)


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Floats:
    """Spearman's rank correlation of maps ``(n, h, w)``: ``(n,)``, −1 to 1.

    A map that is the same everywhere has none: NaN if it stands in *one*, 0 if only in *other*.
    """
    from scipy.stats import rankdata

    found = np.zeros(len(one))
    for row, (a, b) in enumerate(zip(one, other, strict=True)):
        first, second = (rankdata(values) - (values.size + 1) / 2 for values in (a, b))
        spread = np.sqrt((first @ first) * (second @ second))
        found[row] = first @ second / spread if spread else 0.0 if np.ptp(a) else np.nan
    return found


def similarity(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """The mean of the correlations without their signs; NaN where there is none."""
    found = np.abs(correlation(one, other))
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")
