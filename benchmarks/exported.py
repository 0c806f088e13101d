"""Do exported files answer as ``predict`` does?  Networks trained on 2,000 photographs, asked about 1,000 others.

    python -m benchmarks.exported DATA

DATA holds ``dogs_vs_cats/{train,validation,test}/{cats,dogs}/``.  A network that is in the file is not trained again.
What is compared is the answer to all pixels of each test picture.  Latency is the median over the first pictures, one
by one, resize included, on all cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from imgclf import Classifier, Dataset, FolderSource, Trainer
from imgclf.export.formats import FORMATS
from imgclf.files import write_json, write_text
from imgclf.images import Fit, Pixels, read_image

from .machine import ROOT, header

RESULT = ROOT / "docs" / "results" / "exported.json"
_TIMED = 100
NETWORKS: dict[str, tuple[Trainer, int, Fit]] = {
    "small_cnn 64×64, stretch": (Trainer("small_cnn", learning_rate=5e-4, epochs=10, seed=1), 64, "stretch"),
    "small_cnn 64×64, crop": (Trainer("small_cnn", learning_rate=5e-4, epochs=10, seed=1), 64, "crop"),
    "bn_cnn 64×64, pad": (Trainer("bn_cnn", epochs=8, seed=1), 64, "pad"),
}
_PATHS = {"onnx": "pets.onnx", "litert": "pets.tflite", "saved_model": "pets"}


def trained(name: str, root: Path, epochs: int | None) -> Classifier:
    """The network of that name, after a short training."""
    trainer, size, fit = NETWORKS[name]
    train, validation = (
        Dataset.load(FolderSource(root / part), image_size=(size, size), fit=fit, progress=False)
        for part in ("train", "validation")
    )
    recipe = trainer if epochs is None else Trainer(**{**trainer.to_dict(), "epochs": epochs})
    return recipe.fit(train, validation, verbose=0).classifier


def compared(classifier: Classifier, name: str, pictures: list[Pixels], folder: Path) -> dict[str, Any]:
    """One format of *classifier*: how far its answers are from those of ``predict``, and how quick they come."""
    wanted = classifier.predict(pictures).probabilities
    started = time.perf_counter()
    written = classifier.export(folder / _PATHS[name], name)  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    answer = FORMATS[name].open(written.path)
    said = np.concatenate([answer(picture[None]) for picture in pictures])
    apart = np.abs(said - wanted).max(axis=1)
    return {
        "megabytes": round(written.bytes / 1e6, 2),
        "seconds_to_export": round(seconds, 1),
        "other_top_class": int((said.argmax(axis=1) != wanted.argmax(axis=1)).sum()),
        "largest_difference": float(apart.max()),
        "median_difference": float(np.median(apart)),
        "milliseconds": round(1000 * _latency(answer, pictures), 2),
    }


def _latency(answer: Callable[[Pixels], Any], pictures: list[Pixels]) -> float:
    times = []
    for picture in pictures[:_TIMED]:
        started = time.perf_counter()
        answer(picture[None])
        times.append(time.perf_counter() - started)
    return median(times)


def table(networks: dict[str, Any]) -> str:
    """What was found, as the page on exporting shows it."""
    lines = [
        "| network | format | size | another top class | largest difference | one picture |",
        "|---|---|---|---|---|---|",
    ]
    for network, found in networks.items():
        lines.append(f"| {network} | `predict` | | | | {found['predict_milliseconds']:.0f} ms |")
        for name, form in FORMATS.items():
            one = found[name]
            lines.append(
                f"| | {form.title} | {one['megabytes']:.1f} MB | {one['other_top_class']} of {found['pictures']:,} "
                f"| {one['largest_difference']:.0e} | {one['milliseconds']:.0f} ms |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, export, compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--epochs", type=int, help="fewer epochs, to try the script")
    options = parser.parse_args()
    root = options.data / "dogs_vs_cats"
    source = FolderSource(root / "test")
    keys = source.samples().keys.tolist()
    pictures = [read_image(root / "test" / key) for key in keys]
    labels = source.samples().labels
    found: dict[str, Any] = json.loads(options.out.read_text("utf-8"))["networks"] if options.out.exists() else {}
    for name in (name for name in options.networks if name not in found):
        classifier = trained(name, root, options.epochs)
        top = classifier.predict(pictures).probabilities.argmax(axis=1)
        milliseconds = round(1000 * _latency(lambda picture: classifier.predict(picture[0]), pictures), 2)  # noqa: B023
        found[name] = {
            "pictures": len(pictures),
            "accuracy": float((top == labels).mean()),
            "predict_milliseconds": milliseconds,
        }
        with tempfile.TemporaryDirectory() as folder:
            for form in FORMATS:
                found[name][form] = compared(classifier, form, pictures, Path(folder))
                print(name, form, found[name][form], flush=True)
        write_json(options.out, {**header(), "networks": found})
    write_text(options.out.with_suffix(".md"), table(found))


if __name__ == "__main__":
    main()
