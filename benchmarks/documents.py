"""The five documents' trainings on real pictures: what did each claim, and what comes of it here?

    python -m benchmarks.documents DATA                             # everything; hours on two cores
    python -m benchmarks.documents DATA --runs mnist_csv --seeds 1 2 3

``DATA`` holds ``dogs_vs_cats/{train,validation,test}/{cats,dogs}/`` and ``mnist/{train,test}.csv.gz``.  Each run is
written to ``docs/results/<document>.json`` as it ends, and a run that is there is not done again; one that was broken
off goes on where it was.  ``python -m benchmarks.documents_page`` makes the page of the results.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from imgclf import CsvPixelsSource, Dataset, Evaluation, FilenameSource, FolderSource, recipes
from imgclf._backend import threads
from imgclf.files import write_json

from .machine import ROOT, header

RESULTS = ROOT / "docs" / "results"
WORK = ROOT / "out" / "documents"
Parts = tuple[Dataset, Dataset, Dataset | None]


@dataclass(frozen=True)
class Run:
    """One training of a document.

    Attributes:
        document: The name of its example, and of its file of results.
        parts: Training, validation and test set, from the folder of data, a folder for work and a seed.
        changes: What is not as the document has it.
        why: The reason of the changes, for the page.
    """

    document: str
    parts: Callable[[Path, Path, int], Parts]
    changes: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


@cache
def _folder(root: Path, part: str, size: int) -> Dataset:
    source = FolderSource(root / "dogs_vs_cats" / part, class_names=("cats", "dogs"))
    return Dataset.load(source, image_size=(size, size), progress=False)


def by_folder(size: int) -> Callable[[Path, Path, int], Parts]:
    """The 2,000, 1,000 and 1,000 photographs of document 003, at *size*; the seed changes nothing here."""

    def parts(root: Path, work: Path, seed: int) -> Parts:
        del work, seed
        train, validation, test = (_folder(root, part, size) for part in ("train", "validation", "test"))
        return train, validation, test

    return parts


def exchanged(size: int) -> Callable[[Path, Path, int], Parts]:
    """Three cats called dogs and three dogs called cats to learn from; the rest is as it is."""

    def parts(root: Path, work: Path, seed: int) -> Parts:
        train, validation, test = by_folder(size)(root, work, seed)
        few = train.take([i for label in (0, 1) for i in (train.labels == label).nonzero()[0][:3]])
        return replace(few, labels=1 - few.labels), validation, test

    return parts


def by_file_name(root: Path, work: Path, seed: int) -> Parts:
    """All 4,000 photographs in one folder, as Kaggle gives its 25,000, split 80/20; the document's seed is 42."""
    flat = work / "dogs_vs_cats"
    flat.mkdir(parents=True, exist_ok=True)
    for path in sorted((root / "dogs_vs_cats").glob("*/*/*.jpg")):
        if not (flat / path.name).exists():
            (flat / path.name).symlink_to(path.resolve())
    data = Dataset.load(FilenameSource(flat, class_names=("cat", "dog")), image_size=(128, 128), progress=False)
    train, validation = data.split(validation=0.2, seed=seed)
    return train, validation, None


def digits(root: Path, work: Path, seed: int) -> Parts:
    """60,000 digits, split 80/20, and the 10,000 of the test set."""
    del work
    train, test = (
        Dataset.load(CsvPixelsSource(root / "mnist" / f"{name}.csv.gz"), progress=False) for name in ("train", "test")
    )
    train, validation = train.split(validation=0.2, seed=seed, duplicates="ignore")
    return train, validation, test


SMALLER = {"options": {"dense": (256,)}}
RUNS = {
    "dogs_vs_cats": Run("dogs_vs_cats", by_file_name),
    "cat_dog_small": Run("cat_dog_small", by_folder(150)),
    "vgg16_accurate": Run(
        "vgg16_explained",
        by_folder(64),
        {**SMALLER, "epochs": 60},
        "two cores take 22 s for an epoch at 64×64, and would need days for 250 at 224×224",
    ),
    "vgg16_control": Run("vgg16_explained", exchanged(64), SMALLER, "the accurate model's size"),
    "small_data_plain": Run("small_data", by_folder(150)),
    "small_data_augmented": Run("small_data", by_folder(150)),
    "mnist_csv": Run("mnist_csv", digits),
}


def train(name: str, root: Path, work: Path, seed: int, **changes: Any) -> dict[str, Any]:
    """One training, and what came of it; the run's files stay in *work*."""
    run = RUNS[name]
    learn, validation, test = run.parts(root, work, seed)
    recipe = recipes.get(name, **{**run.changes, "seed": seed, **changes})
    cpu = time.process_time()
    trained = recipe.fit(learn, validation, run_dir=work / f"{name}-{seed}", verbose=2)
    cpu = time.process_time() - cpu
    sets = {"train": learn, "validation": validation, **({"test": test} if test is not None else {})}
    return {
        "trainer": recipe.to_dict(),
        "image_size": list(learn.spec.image_size),
        "data": {
            part: {"pictures": len(data), "fingerprint": data.fingerprint, "class_counts": data.class_counts()}
            for part, data in sets.items()
        },
        **header(),
        "threads": threads(),
        "seconds": round(sum(trained.seconds), 1),
        "cpu_seconds": round(cpu, 1),
        "best_epoch": trained.best_epoch,
        "history": {figure: [round(float(value), 6) for value in values] for figure, values in trained.history.items()},
        "validation": _figures(trained.classifier.evaluate(validation)),
        "test": _figures(trained.classifier.evaluate(test)) if test is not None else None,
    }


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    low, high = evaluation.accuracy_interval
    return {
        "pictures": len(evaluation.labels),
        "correct": int(evaluation.correct.sum()),
        "accuracy": float(evaluation.accuracy),
        "interval": [float(low), float(high)],
        "loss": float(evaluation.loss),
    }


def main() -> None:
    """Train what is not in the results yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[42])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, default=WORK, help="where the runs' own files go")
    parser.add_argument("--epochs", type=int, help="fewer epochs, to try the script")
    options = parser.parse_args()
    changes = {"epochs": options.epochs} if options.epochs else {}
    if changes and (options.out == RESULTS or options.work == WORK):
        parser.error("fewer epochs are no result: give another --out and another --work")
    for name in options.runs:
        for seed in options.seeds:
            path = options.out / f"{RUNS[name].document}.json"
            content = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": []}
            if any(row["recipe"] == name and row["seed"] == seed for row in content["runs"]):
                continue
            row = train(name, options.data, options.work, seed, **changes)
            content["runs"].append({"recipe": name, "seed": seed, "why": RUNS[name].why, **row})
            content["runs"].sort(key=lambda row: (list(RUNS).index(row["recipe"]), row["seed"]))
            write_json(path, content)
            figures = row["test"] or row["validation"]
            print(f"{name}, seed {seed}: {figures['accuracy']:.4f}, {row['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
