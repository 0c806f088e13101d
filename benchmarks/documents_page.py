"""The page *claimed → reproduced*: ``python -m benchmarks.documents_page``.

In: ``docs/results/<document>.json``, as ``benchmarks.documents`` writes them.  Out: ``docs/documents.md`` and a figure
of curves for each training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from imgclf import recipes, registry
from imgclf.evaluation import wilson_interval
from imgclf.plots import curves

from .claims import DOCUMENTS, Claim, Document
from .documents import RESULTS
from .machine import ROOT

PAGE = ROOT / "docs" / "documents.md"
CURVES = RESULTS / "documents"

HEAD = """\
# The five documents

This library grew out of five tutorials. Each has a recipe with its settings (`imgclf.recipes`) and an example that
shows what it shows; this page puts what it claimed beside what came of the same training here. The page is generated:
`python -m benchmarks.documents DATA` trains and writes `docs/results/<document>.json`, `python -m
benchmarks.documents_page` makes the page, and a test fails where the two differ. No figure of ours is typed by hand.

Where several seeds were trained, a figure is their mean ± standard deviation. Below an accuracy stands its 95 %
interval (Wilson 1927) for one run on so many pictures: what another sample of pictures could have given.
"""
_NONE = "Not trained on the photographs yet: no result is kept."


def held(folder: Path = RESULTS) -> dict[str, list[dict[str, Any]]]:
    """Document → its runs, where there are any."""
    paths = {document.name: folder / f"{document.name}.json" for document in DOCUMENTS}
    return {name: json.loads(path.read_text("utf-8"))["runs"] for name, path in paths.items() if path.exists()}


def page(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page in Markdown."""
    return "\n".join([HEAD, *(_section(document, results.get(document.name, ())) for document in DOCUMENTS)])


def _section(document: Document, runs: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"## {document.number}: {document.title}",
        "",
        f"{document.about} Example: `examples/{document.name}.py`.",
        "",
    ]
    for recipe, claims in document.claims.items():
        found = [run for run in runs if run["recipe"] == recipe]
        lines += [f"### `{recipe}`", "", *_training(recipe, claims, found), ""]
    lines += [f"- {sentence}" for sentence in document.differences]
    return "\n".join(lines) + "\n"


def _training(recipe: str, claims: Sequence[Claim], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [f"| {claim.text} | {claim.claimed or '–'} | {_found(claim, runs)} |" for claim in claims]
    table = ["| | claimed | reproduced |", "|---|---|---|", *rows, ""]
    if not runs:
        return [*table, _NONE]
    seeds = ", ".join(str(run["seed"]) for run in runs)
    first, sizes = runs[0], " / ".join(f"{part['pictures']:,} {name}" for name, part in runs[0]["data"].items())
    minutes = mean(run["seconds"] for run in runs) / 60
    counts = [len(run["history"]["loss"]) for run in runs]
    epochs = ", ".join(map(str, dict.fromkeys(counts)))
    versions = ", ".join(
        f"{name} {first['versions'][name]}" for name in ("keras", "tensorflow") if name in first["versions"]
    )
    said = (
        f"Seed{'s' * (len(runs) > 1)} {seeds}; {sizes} pictures at {'×'.join(map(str, first['image_size']))}; "
        f"{epochs} epoch{'s' * (max(counts) > 1)}, {minutes:.1f} minutes a run beside other work on "
        f"{first['machine']['cores']} cores; "
        f"{versions}, commit `{first['commit']}`."
    )
    changes = _changes(first)
    changed = f" Changed: {', '.join(changes)}: {first['why']}." if changes else ""
    drawn = f"![Loss and accuracy of {recipe}](results/documents/{recipe}.svg)"
    return [*table, drawn, "", said + changed]


def _changes(run: Mapping[str, Any]) -> list[str]:
    """What is not as in the recipe, and a size that is not the network's own."""
    recipe = recipes.get(run["recipe"]).to_dict()
    usual = json.loads(json.dumps(recipe))
    size, own = run["image_size"], list(registry.get(recipe["architecture"]).input_shape[:2])
    found = [f"{'×'.join(map(str, size))} pixels"] if size != own else []
    return found + [
        f"`{name}={value}`" for name, value in run["trainer"].items() if name != "seed" and usual[name] != value
    ]


def _found(claim: Claim, runs: Sequence[Mapping[str, Any]]) -> str:
    if not runs:
        return "–"
    found = _figure(claim, runs)
    if found is None:
        return "no test set"
    middle, spread, interval = found
    return f"**{middle}**{spread}" + (f"<br>{interval}" if interval else "")


def _figure(claim: Claim, runs: Sequence[Mapping[str, Any]]) -> tuple[str, str, str] | None:
    """The mean over the runs, its spread where there are several, and an accuracy's interval; None: not measured."""
    values = [value for run in runs if (value := claim.of(run)) is not None]
    if not values:
        return None
    spread = f" ± {stdev(values):{claim.form}}" if len(values) > 1 else ""
    interval = ""
    if claim.pictures is not None:
        pictures = runs[0]["data"][claim.pictures]["pictures"]
        low, high = wilson_interval(round(mean(values) * pictures), pictures)
        interval = f"{low:.4f} to {high:.4f}"
    return f"{mean(values):{claim.form}}", spread, interval


def expected(document: Document, runs: Sequence[Mapping[str, Any]]) -> str:
    """What the head of the document's example promises: its accuracies with their intervals, and the minutes."""
    said, minutes = [], 0.0
    for recipe, claims in document.claims.items():
        found = [run for run in runs if run["recipe"] == recipe]
        if not found:
            return "see docs: The five documents"
        judged = [claim for claim in claims if claim.pictures == "test"] or claims
        middle, spread, interval = _figure(judged[0], found) or ("not measured", "", "")
        said.append(f"{recipe} {middle}{spread} ({interval})")
        minutes += mean(run["seconds"] for run in found) / 60
    part = "validation" if judged[0].pictures == "validation" else "test"
    return f"{', '.join(said)} of the {part} pictures; {minutes:.0f} minutes in all on two busy cores"


def digest(run: Mapping[str, Any]) -> str:
    """Changes with whatever the figure shows."""
    return hashlib.sha256(json.dumps([run["history"], run["best_epoch"]]).encode()).hexdigest()[:16]


def draw(run: Mapping[str, Any], path: Path) -> None:
    """The curves of a run as SVG, the same bytes from the same run."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "documents", "svg.fonttype": "none"}):
        figure = curves(run["history"], run["best_epoch"])
        figure.savefig(path, format="svg", metadata={"Date": None, "Description": digest(run)})


def shown(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Recipe → the run whose curves are drawn: the first seed."""
    found: dict[str, Mapping[str, Any]] = {}
    for run in (run for runs in results.values() for run in runs):
        found.setdefault(run["recipe"], run)
    return found


def main() -> None:
    """Write the page and the figures."""
    results = held()
    PAGE.write_text(page(results), encoding="utf-8")
    CURVES.mkdir(exist_ok=True)
    for recipe, run in shown(results).items():
        draw(run, CURVES / f"{recipe}.svg")


if __name__ == "__main__":
    main()
