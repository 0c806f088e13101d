"""Is training in bfloat16 as accurate as in float32?  Documents 003 and 004, both precisions, the same seeds.

    python benchmarks/precision.py ../shared/data --out docs/results/precision.json

One row per run, written as it ends; a run that is in the file is not done again, so the command may be broken off.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from imgclf import CsvPixelsSource, Dataset, FolderSource, Trainer
from imgclf._backend import threads, versions
from imgclf.files import write_json

PRECISIONS = ("float32", "mixed_bfloat16")
Parts = tuple[Dataset, Dataset, Dataset]


@dataclass(frozen=True)
class Document:
    """A document's training, and where its pictures come from: training, validation and test set for a seed."""

    recipe: Trainer
    parts: Callable[[Path, int], Parts]


def pets(root: Path, seed: int) -> Parts:
    """The document's own 2,000, 1,000 and 1,000 photographs; the seed changes nothing here."""
    del seed
    folders = [FolderSource(root / "dogs_vs_cats" / name) for name in ("train", "validation", "test")]
    train, validation, test = (Dataset.load(folder, image_size=(150, 150), progress=False) for folder in folders)
    return train, validation, test


def digits(root: Path, seed: int) -> Parts:
    """60,000 digits, split 80/20, and the 10,000 of the test set."""
    train, test = (
        Dataset.load(CsvPixelsSource(root / "mnist" / f"{name}.csv.gz"), progress=False) for name in ("train", "test")
    )
    train, validation = train.split(validation=0.2, seed=seed, duplicates="ignore")
    return train, validation, test


_BOOK = Trainer("small_cnn", optimizer="rmsprop", learning_rate=1e-4, batch_size=20, epochs=20)
DOCUMENTS = {
    "003 plain": Document(_BOOK, pets),
    "003 augmented": Document(
        replace(_BOOK, options={"dropout": 0.5}, augmentation="book", batch_size=32, epochs=30, steps_per_epoch=100),
        pets,
    ),
    "004": Document(Trainer("mnist_cnn", optimizer="rmsprop", batch_size=32, epochs=5), digits),
}


def run(document: Document, root: Path, seed: int, precision: str) -> dict[str, object]:
    """One training, and what came of it."""
    train, validation, test = document.parts(root, seed)
    started, used = time.perf_counter(), time.process_time()
    trainer = replace(document.recipe, seed=seed, precision=precision)
    trained = trainer.fit(train, validation, verbose=0)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    evaluated = trained.classifier.evaluate(test)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "best_epoch": trained.best_epoch,
        "best_val_accuracy": max(trained.history["val_accuracy"]),
        "last_val_accuracy": trained.history["val_accuracy"][-1],
        "lowest_val_loss": min(trained.history["val_loss"]),
        "last_accuracy": trained.history["accuracy"][-1],
        "test_accuracy": float(evaluated.accuracy),
        "history": {name: [round(float(value), 6) for value in values] for name, values in trained.history.items()},
    }


def main() -> None:
    """Run what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/precision.json"))
    parser.add_argument("--documents", nargs="+", choices=list(DOCUMENTS), default=list(DOCUMENTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, help="fewer epochs, to try the script")
    options = parser.parse_args()
    content = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"runs": []}
    for seed in options.seeds:
        for name in options.documents:
            for precision in PRECISIONS:
                key = {"document": name, "seed": seed, "precision": precision}
                if any(key.items() <= row.items() for row in content["runs"]):
                    continue
                document = DOCUMENTS[name]
                if options.epochs:
                    document = replace(document, recipe=replace(document.recipe, epochs=options.epochs))
                row = run(document, options.data, seed, precision)
                content["versions"] = {**versions(), "threads": threads()}
                content["runs"].append({**key, "trainer": document.recipe.to_dict(), **row})
                write_json(options.out, content)
                print(key, row["best_val_accuracy"], row["test_accuracy"], row["cpu_seconds"], flush=True)


if __name__ == "__main__":
    main()
