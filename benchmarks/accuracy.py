"""The part of the page on precision: what ``benchmarks/precision.py`` found, seed by seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

PAIR = ("float32", "mixed_bfloat16")
_PICTURES = {"003 plain": 1_000, "003 augmented": 1_000, "004": 10_000}  # of the test sets

HEAD = """\
## Is bfloat16 as accurate?

The same training in both precisions, with the same seeds, and so the same first weights and the same order of pictures.
The classifier that comes out is float32 in both cases; it is the best epoch by validation accuracy, and the test set
is looked at once. Each pair of columns is float32, then bfloat16. Written by `python -m benchmarks.precision DATA`.

| document | seed | test accuracy | | lowest validation loss | | CPU-seconds | |
|---|---|---|---|---|---|---|---|
"""


def section(path: Path) -> str:
    """A table of the pairs, and for each document the mean difference; nothing where no pair is finished."""
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    found = pairs(runs)
    if not found:
        return ""
    lines = [_row(document, seed, pair) for (document, seed), pair in found.items()]
    said = [_said(name, [pair for (document, _), pair in found.items() if document == name]) for name in _PICTURES]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(filter(None, said)) + "\n"


def pairs(runs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], list[Mapping[str, Any]]]:
    """By document and seed, the runs in float32 and in bfloat16."""
    by = {(run["document"], run["seed"], run["precision"]): run for run in runs}
    keys = sorted({(document, seed) for document, seed, _ in by})
    return {
        (document, seed): [by[document, seed, precision] for precision in PAIR]
        for document, seed in keys
        if all((document, seed, precision) in by for precision in PAIR)
    }


def _row(document: str, seed: int, pair: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        f"{run[figure]:{form}}"
        for figure, form in (("test_accuracy", ".4f"), ("lowest_val_loss", ".4f"), ("cpu_seconds", ".0f"))
        for run in pair
    ]
    return f"| {document} | {seed} | {' | '.join(cells)} |"


def _said(document: str, found: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    if not found:
        return ""
    differences = [two["test_accuracy"] - one["test_accuracy"] for one, two in found]
    accuracy = mean(run["test_accuracy"] for pair in found for run in pair)
    chance = math.sqrt(accuracy * (1 - accuracy) / _PICTURES[document])
    spread = f" ± {100 * stdev(differences):.2f}" if len(differences) > 1 else ""
    faster = mean(one["cpu_seconds"] / two["cpu_seconds"] for one, two in found)
    return (
        f"- Document {document}: bfloat16 − float32 is {100 * mean(differences):+.2f}{spread} points of test accuracy "
        f"over {len(found)} seed{'s' * (len(found) > 1)} (one accuracy on {_PICTURES[document]:,} pictures has a "
        f"standard error of {100 * chance:.2f}), in {1 / faster:.2f} of the processor's time."
    )
