"""How many planted label errors are found in real pictures, and how many right labels are suspected.

    python benchmarks/label_errors.py ../shared/data --out docs/results/label_errors.json

A share of the labels is changed at random; every picture is judged out of fold; the suspects are compared with what was
changed.  Real sets have errors of their own, so a precision of 1 cannot be expected.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from imgclf import CsvPixelsSource, Dataset, FolderSource, Trainer
from imgclf.cross_validation import out_of_fold
from imgclf.files import write_json
from imgclf.label_errors import find

RULES = ("noise_rate", "both", "confident")
RECIPES = {
    "dogs_vs_cats": Trainer(
        "small_cnn",
        options={"filters": (32, 64, 128), "dense": 0, "dropout": 0.5},
        optimizer="adam",
        augmentation="book",
        epochs=20,
        monitor="val_loss",
    ),
    "mnist": Trainer("mnist_cnn", optimizer="adam", epochs=6, monitor="val_loss"),
}


def load(name: str, root: Path) -> Dataset:
    """2,000 photographs of pets at 64×64, or every 20th of MNIST's 60,000 digits."""
    if name == "dogs_vs_cats":
        return Dataset.load(FolderSource(root / name / "train"), image_size=(64, 64), progress=False)
    digits = Dataset.load(CsvPixelsSource(root / name / "train.csv.gz"), progress=False)
    return digits.take(slice(0, None, 20))


def planted(data: Dataset, share: float, seed: int) -> tuple[Dataset, np.ndarray]:
    """The set with *share* of its labels changed to another class, and where."""
    rng = np.random.default_rng(seed)
    changed = rng.permutation(len(data))[: round(share * len(data))]
    labels = data.labels.copy()
    labels[changed] = (labels[changed] + rng.integers(1, len(data.class_names), len(changed))) % len(data.class_names)
    return replace(data, labels=labels), changed


def figures(suspects: np.ndarray, changed: np.ndarray) -> dict[str, float]:
    """Recall and precision of *suspects*."""
    hits = len(np.intersect1d(suspects, changed))
    return {
        "suspects": len(suspects),
        "recall": round(hits / len(changed), 4),
        "precision": round(hits / max(len(suspects), 1), 4),
    }


def measure(name: str, root: Path, share: float, folds: int, seed: int) -> dict[str, object]:
    """One set, one seed."""
    data, changed = planted(load(name, root), share, seed)
    start = time.perf_counter()
    judged = out_of_fold(replace(RECIPES[name], seed=seed), data, folds=folds, seed=seed)
    seconds = time.perf_counter() - start
    truth = judged.labels == load(name, root).labels
    ranked = np.argsort(judged.probabilities[np.arange(len(data)), data.labels], kind="stable")
    return {
        "seed": seed,
        "pictures": len(data),
        "planted": len(changed),
        "seconds": round(seconds, 1),
        "accuracy_on_true_labels": round(float(truth.mean()), 4),
        **{rule: figures(find(judged, rule=rule).positions, changed) for rule in RULES},
        "every_mistake": figures(judged.mistakes(), changed),
        "precision_of_the_first_as_planted": figures(ranked[: len(changed)], changed)["precision"],
    }


def summary(runs: list[dict[str, object]]) -> dict[str, object]:
    """Mean and spread (standard deviation) of every figure over the seeds."""

    def of(values: list[float]) -> dict[str, float]:
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        return {"mean": round(statistics.mean(values), 4), "sd": round(spread, 4)}

    said: dict[str, object] = {}
    for key, value in runs[0].items():
        if isinstance(value, dict):
            said[key] = {name: of([run[key][name] for run in runs]) for name in value}
        elif key not in ("seed", "pictures", "planted"):
            said[key] = of([run[key] for run in runs])
    return said


def main() -> None:
    """Measure, and write after every run."""
    from machine import header  # beside this script; whoever imports it from elsewhere needs no header

    parser = argparse.ArgumentParser(description="Plant label errors in real pictures and look for them.")
    parser.add_argument("data", type=Path, help="the folder that holds dogs_vs_cats and mnist")
    parser.add_argument("--out", type=Path, default=Path("docs/results/label_errors.json"))
    parser.add_argument("--share", type=float, default=0.06, help="of the labels, changed")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sets", nargs="+", choices=RECIPES, default=list(RECIPES))
    args = parser.parse_args()
    results: dict[str, object] = {}
    content = {
        "command": "python " + " ".join(["benchmarks/label_errors.py", "../shared/data", *sys.argv[2:]]),
        **header(),
        "share_planted": args.share,
        "folds": args.folds,
        "sets": results,
    }
    for name in args.sets:
        runs: list[dict[str, object]] = []
        for seed in args.seeds:
            runs.append(measure(name, args.data, args.share, args.folds, seed))
            print(json.dumps(runs[-1]), flush=True)
            results[name] = {"recipe": RECIPES[name].to_dict(), "summary": summary(runs), "runs": runs}
            write_json(args.out, content)


if __name__ == "__main__":
    main()
