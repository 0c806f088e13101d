"""The pictures of the page on explanations, from networks trained here: ``python -m benchmarks.explaining``.

Two networks with one Dense layer learn from drawn pets, one from their true labels, one from shuffled ones.  The
pictures go to ``docs/results/explaining/``, with the sentences of the page that say figures.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from imgclf import Classifier, Dataset, DrawnPets, Explainer, Trainer
from imgclf.explainer.cam import METHODS, TITLES
from imgclf.files import write_json
from imgclf.plots import heatmap_rows

from .machine import ROOT, header

PLACE = ROOT / "docs" / "results" / "explaining"
RECIPE = Trainer(
    "small_cnn",
    options={"filters": (32, 64, 128), "dense": 0, "dropout": 0.5},
    learning_rate=5e-4,
    epochs=14,
    seed=1,
)
SHOWN = (3, 8)  # of the cats, and of the dogs, that were held back
_TEST = 200
DEEPER = replace(RECIPE, options={})


def pets(count: int, seed: int) -> Dataset:
    """Drawn pets at 64×64."""
    return Dataset.load(DrawnPets(count, seed=seed, image_size=(64, 64)), image_size=(64, 64), progress=False)


def networks(count: int, epochs: int) -> tuple[dict[str, Classifier], Dataset, dict[str, Any]]:
    """The networks, pictures that neither has seen, and how many of these each gets right."""
    train, validation, test = pets(count, 0), pets(max(count // 5, 20), 1), pets(_TEST, 2)
    shuffled = replace(train, labels=np.random.default_rng(0).permutation(train.labels))
    found = {
        name: replace(recipe, epochs=epochs).fit(data, validation, verbose=0).classifier
        for name, recipe, data in (
            ("true labels", RECIPE, train),
            ("shuffled labels", RECIPE, shuffled),
            ("two Dense layers", DEEPER, train),
        )
    }
    return found, test, {name: float(one.evaluate(test).accuracy) for name, one in found.items()}


def methods(explainers: dict[str, Explainer], images: Dataset) -> Any:
    """Four methods at the last convolution of both networks, for the true class of each picture."""
    classes = [images.class_names[label] for label in images.labels]
    told = {
        (name, method): explainer.grad_cam(images, classes, "last", method)
        for name, explainer in explainers.items()
        for method in METHODS
    }
    rows = [(at, name) for at in range(len(images)) for name in explainers]
    first = next(iter(told.values()))
    columns = {TITLES[method]: [told[name, method].overlay()[at] for at, name in rows] for method in METHODS}
    blank = {
        TITLES[method]: [bool(next(iter(told[name, method].blank.values()))[at]) for at, name in rows]
        for method in METHODS
    }
    titles = [
        f"{name}\nfor {classes[at]}: p = {told[name, 'grad_cam'].probabilities[at, images.labels[at]]:.3f}"
        for at, name in rows
    ]
    return heatmap_rows([first.images[at] for at, _ in rows], columns, titles=titles, blank=blank)


def said(count: str, accuracy: dict[str, float]) -> str:
    """The sentences of the page that say figures."""
    right = [f"{_TEST * share:.0f}" for share in accuracy.values()]
    return f"""\
The pictures on this page are of two networks of the same kind (`small_cnn` with one Dense layer), trained by
`python -m benchmarks.explaining` on {count} drawn pets: one with their true labels, which gets {right[0]} of {_TEST}
new pictures right, and one with shuffled labels, which gets {right[1]} right, about what guessing would.
"""


def gap(explainer: Explainer, images: Dataset, names: list[str], method: Any) -> list[float]:
    """The mean gap of a method's maps at the last convolution, in probability and in log-odds."""
    found = explainer.faithfulness(images, explainer.grad_cam(images, names, "last", method))
    return [float(found.gap(scale=scale).mean()) for scale in ("probability", "log_odds")]


def table(gaps: dict[str, list[list[float]]], count: int) -> str:
    """The gaps in Markdown."""
    rows = [
        f"| {TITLES[method]} | {' | '.join(f'{value:+.2f}' for pair in pairs for value in pair)} |"
        for method, pairs in gaps.items()
    ]
    head = (
        f"| gap, mean of {count} pictures | one Dense layer: probability | log-odds | two Dense layers: probability "
        "| log-odds |"
    )
    return "\n".join([head, "|---|---|---|---|---|", *rows]) + "\n"


def main(place: Path = PLACE, count: int = 2000, epochs: int = RECIPE.epochs) -> None:
    """Train both networks and draw."""
    place.mkdir(parents=True, exist_ok=True)
    trained, test, accuracy = networks(count, epochs)
    explainers = {name: Explainer(classifier) for name, classifier in trained.items()}
    deeper = explainers.pop("two Dense layers")
    shown = test.take([SHOWN[0], 100 + SHOWN[1]])
    classes = [test.class_names[label] for label in shown.labels]
    good = explainers["true labels"]
    checked = test.take([*range(20), *range(100, 120)])
    names = [test.class_names[label] for label in checked.labels]
    why = good.grad_cam(checked, names, "last", "hires_cam")
    gaps = {method: [gap(one, checked, names, method) for one in (good, deeper)] for method in METHODS}
    faithful, sane = good.faithfulness(checked, why), good.sanity_check(checked, method="hires_cam")
    drawn = {
        "methods": methods(explainers, shown),
        "attribution": good.attribute(shown, classes).plot(),
        "faithfulness": faithful.plot(),
        "sanity_check": sane.plot(),
        "feature_maps": good.feature_maps(shown).plot(),
    }
    for name, figure in drawn.items():
        figure.savefig(place / f"{name}.png", dpi=110)
    figures = {
        "accuracy": accuracy,
        "gap": {of: float(faithful.gap(of, "log_odds").mean()) for of in faithful.deletion},
        "left": float(sane.left),
        "gaps": gaps,
    }
    write_json(place / "figures.json", {**header(), "trainer": RECIPE.to_dict(), **figures})
    (place / "networks.md").write_text(said(f"{count:,}", accuracy), "utf-8")
    (place / "gaps.md").write_text(table(gaps, len(checked)), "utf-8")


if __name__ == "__main__":
    main()
