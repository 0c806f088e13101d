"""Several networks on the same pictures, side by side: an accurate one beside a control.

In: models by name, and pictures.  Out: a frozen record of their explanations that draws itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import OptionError, listed, unknown_name
from ..plots import ending, heatmap_rows, short_path
from ..tables import Table, Tabular, page
from . import Explainer
from .cam import Method
from .checks import correlation
from .requests import ClassName, Layers
from .results import Explanation, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..classifier import Classifier
    from ..head import Score
    from ..inputs import Pictures


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Tabular):
    """What several networks say of the same pictures, and why.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
    ...     keras.layers.Dense(2)])
    >>> pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    >>> both = compare({"one": Explainer(model, ("cat", "dog")), "same": Explainer(model, ("cat", "dog"))}, pictures)
    >>> both.agreement["same"].shape  # pictures, layers
    (2, 1)

    Attributes:
        explanations: Name of the network → its explanation; all of the same pictures and classes.
        predicted: Name of the network → the class that it takes each picture for, ``n`` names.
        truth: ``n`` names: the true classes; None where they are not known.
        columns: Name of the network → the layers compared, as many for each: the same paths where the networks have
            them, else layers of the same relative depth.
    """

    explanations: Mapping[str, Explanation]
    predicted: Mapping[str, tuple[str, ...]]
    truth: tuple[str, ...] | None
    columns: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.explanations)}: {len(self._first.keys)} pictures)"

    def _repr_html_(self) -> str:
        return page(f"{self!r}; plot() draws the maps side by side", self.table())

    @property
    def agreement(self) -> dict[str, npt.NDArray[np.float64]]:
        """How alike each network's maps are to the first one's: by name ``(n, columns)``, Spearman's rank correlation.

        1 for the same order of places, −1 for the opposite one, about 0 where they have nothing in common; NaN where
        the first one's map has no structure.  Maps are brought to the size of the first one's pictures, as if both
        networks had prepared them alike.
        """
        size = self._first.images.shape[1:3]
        first = next(iter(self.explanations))

        def maps(name: str) -> list[npt.NDArray[Any]]:
            return [self.explanations[name].upsampled(layer, size) for layer in self.columns[name]]

        return {
            name: np.stack([correlation(a, b) for a, b in zip(maps(first), maps(name), strict=True)], axis=1)
            for name in self.explanations
        }

    def table(self) -> Table:
        """One row per picture and network: truth, prediction, the class explained, its probability, blank layers."""
        rows: list[tuple[object, ...]] = []
        for at, key in enumerate(self._first.keys):
            for name, found in self.explanations.items():
                p = float(found.probabilities[at, found.labels[at]])
                blank = sum(bool(found.blank[layer][at]) for layer in self.columns[name])
                truth = () if self.truth is None else (self.truth[at],)
                rows.append((key, *truth, name, self.predicted[name][at], found.names[at], p, blank))
        truth = () if self.truth is None else ("truth",)
        return Table(("key", *truth, "network", "predicted", "class", "probability", "blank"), rows)

    def plot(self, alpha: float = 0.5) -> Figure:
        """For each picture a row per network, a column per layer; on each what is true, predicted and explained.

        Every map is scaled for itself, so colours cannot be compared; :attr:`agreement` can.
        """
        images, titles = [], []
        overlays: dict[str, list[npt.NDArray[np.uint8]]] = {title: [] for title in self._titles()}
        blank: dict[str, list[bool]] = {title: [] for title in overlays}
        drawn = {name: found.overlays(self.columns[name], alpha) for name, found in self.explanations.items()}
        for at, key in enumerate(self._first.keys):
            for name, found in self.explanations.items():
                images.append(found.images[at])
                titles.append(self._title(at, key, name))
                for title, layer in zip(overlays, self.columns[name], strict=True):
                    overlays[title].append(drawn[name][layer][at])
                    blank[title].append(bool(found.blank[layer][at]))
        return heatmap_rows(images, overlays, titles=titles, blank=blank, alpha=alpha, title=self._first.description)

    def save(self, path: str | os.PathLike[str], alpha: float = 0.5) -> Path:
        """Write what :meth:`plot` draws as PNG or SVG, by the path's ending, whole or not at all; returns the path."""
        return save_figure(self.plot(alpha), path)

    @property
    def _first(self) -> Explanation:
        return next(iter(self.explanations.values()))

    def _titles(self) -> list[str]:
        """A heading for each column: the layers' names, where networks differ all of them; no two alike."""
        found: list[str] = []
        for layers in zip(*self.columns.values(), strict=True):
            title = " | ".join(dict.fromkeys(short_path(layer) for layer in layers))
            found.append(title if title not in found else f"{title} ({len(found) + 1})")
        return found

    def _title(self, at: int, key: str, name: str) -> str:
        found = self.explanations[name]
        truth = "" if self.truth is None else f"\ntruly {self.truth[at]}"
        p = found.probabilities[at, found.labels[at]]
        against = "against" if found.counterfactual else "for"
        said = f"{name}: {self.predicted[name][at]}\n{against} {found.names[at]}: p = {p:.3f}"
        return f"{ending(key)}{truth}\n{said}"


def compare(
    models: Mapping[str, Explainer | Classifier | keras.Model],
    images: Pictures,
    class_name: ClassName = None,
    layers: Layers = "maps",
    method: Method = "grad_cam",
    *,
    truth: Sequence[str] | None = None,
    score: Score = "logit",
    counterfactual: bool = False,
    smooth: int = 0,
) -> Comparison:
    """Explain the same class of the same pictures by several networks.

    ::

        both = compare({"accurate": classifier, "control": control}, test.take([0, -1]), method="hires_cam")
        both.save("side_by_side.png")

    Args:
        models: Name → a classifier, a Keras model or an explainer.  The classes must be the same.
        images: As for :meth:`~imgclf.Explainer.grad_cam`.
        class_name: The class to explain; None: the true class where it is known, else the one that the first network
            takes each picture for.
        layers: As for :meth:`~imgclf.Explainer.grad_cam`, asked of each network.
        method: As for :meth:`~imgclf.Explainer.grad_cam`, like all that follows but *truth*.
        truth: ``n`` names of the true classes; None takes those of a labelled Dataset.
        score: The logit or the log-odds.
        counterfactual: What speaks against the class.
        smooth: Copies with noise.

    Raises:
        UnknownNameError, OptionError, ImageError: as :meth:`~imgclf.Explainer.grad_cam`; no networks, or
            networks of other classes.
    """
    if not isinstance(models, Mapping):
        raise OptionError(
            f"models is a {type(models).__name__}; expected networks by name, such as {{'accurate': a, 'control': b}}."
        )
    explainers = {name: model if isinstance(model, Explainer) else Explainer(model) for name, model in models.items()}
    if not explainers:
        raise OptionError("models is empty; expected networks by name, such as {'accurate': a, 'control': b}.")
    names = _class_names(explainers)
    if truth is None:
        truth = _truth(images, names)
    else:
        truth, count = _checked(truth, names), next(iter(explainers.values())).count(images)
        if len(truth) != count:
            raise OptionError(f"truth has {len(truth)} names; expected one for each of the {count} pictures.")
    asked: Any = class_name if class_name is not None else truth
    found: dict[str, Explanation] = {}
    for name, explainer in explainers.items():
        found[name] = explainer.grad_cam(
            images, asked, layers, method, score=score, counterfactual=counterfactual, smooth=smooth
        )
        asked = found[name].labels.tolist() if asked is None else asked
    predicted = {
        name: tuple(explainers[name].name_of(int(label)) for label in one.probabilities.argmax(axis=1))
        for name, one in found.items()
    }
    return Comparison(found, predicted, truth, _columns(found))


def _class_names(explainers: Mapping[str, Explainer]) -> tuple[str, ...] | None:
    """The classes that all have.

    Raises:
        OptionError: they differ.
    """
    known = {name: explainer.class_names for name, explainer in explainers.items()}
    if len(set(known.values())) > 1:
        said = "; ".join(f"{name}: {'not known' if names is None else listed(names)}" for name, names in known.items())
        raise OptionError(
            f"the networks have different classes, or in another order ({said}). Compare networks of the same classes; "
            "names of a bare model are given by Explainer(model, class_names=[…])."
        )
    return next(iter(known.values()))


def _truth(images: Any, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The true classes of a labelled Dataset, where the networks know them by these names."""
    labels, given = getattr(images, "labels", None), getattr(images, "class_names", None)
    if labels is None or given is None or names is None or not len(labels) or min(labels) < 0:
        return None
    truth = tuple(given[label] for label in labels)
    return truth if set(truth) <= set(names) else None


def _checked(truth: Sequence[str], names: tuple[str, ...] | None) -> tuple[str, ...]:
    if isinstance(truth, str) or not all(isinstance(name, str) for name in truth):
        raise OptionError(f"truth is {truth!r}; expected a name for each picture, such as ['cat', 'dog'].")
    if names is None:
        raise OptionError(
            "truth is given by name, and the networks' classes have none. Give Explainers with class_names."
        )
    for name in truth:
        if name not in names:
            raise unknown_name("class", name, names)
    return tuple(truth)


def _columns(found: Mapping[str, Explanation]) -> dict[str, tuple[str, ...]]:
    paths = {name: tuple(one.maps) for name, one in found.items()}
    if len(set(paths.values())) == 1:
        return paths
    shared = [path for path in next(iter(paths.values())) if all(path in other for other in paths.values())]
    if shared and len(shared) == min(map(len, paths.values())):
        return dict.fromkeys(paths, tuple(shared))
    count = min(map(len, paths.values()))
    return {name: _spread(held, count) for name, held in paths.items()}


def _spread(paths: Sequence[str], count: int) -> tuple[str, ...]:
    """*count* of *paths* at even distances, the last among them."""
    places = np.linspace(len(paths) - 1, 0, count).round().astype(int)
    return tuple(paths[place] for place in reversed(places))
