"""Is training in bfloat16 as accurate as in float32?  Documents 003 and 004, both precisions, the same seeds.

    python -m benchmarks.precision DATA

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

from imgclf import Trainer, recipes
from imgclf._backend import threads, versions
from imgclf.files import write_json

from .documents import RESULTS, WORK, Parts, by_folder, digits

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Document:
    """A document's training, and where its pictures come from: training, validation and test set for a seed."""

    recipe: Trainer
    parts: Callable[[Path, Path, int], Parts]


DOCUMENTS = {
    "003 plain": Document(recipes.get("small_data_plain", epochs=20), by_folder(150)),
    "003 augmented": Document(recipes.get("small_data_augmented", epochs=30), by_folder(150)),
    "004": Document(recipes.get("mnist_csv", epochs=5, augmentation=None, early_stopping_patience=None), digits),
}


def run(document: Document, root: Path, seed: int, precision: str) -> dict[str, object]:
    """One training, and what came of it."""
    train, validation, test = document.parts(root, WORK, seed)
    started, used = time.perf_counter(), time.process_time()
    trainer = replace(document.recipe, seed=seed, precision=precision)
    trained = trainer.fit(train, validation, verbose=0)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    assert test is not None, "a document without a test set"
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
    parser.add_argument("--out", type=Path, default=RESULTS / "precision.json")
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
