"""A group's benchmarks as bars, an SVG with the same bytes from the same figures.

In: results.  Out: a file.  Only this module needs Matplotlib.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .harness import Benchmark

_OURS, _OTHERS = "#1f6f8b", "#b8c4cc"
_PARTS = ("#1f6f8b", "#7fb3c8", "#e0a030", "#5b8c5a", "#a05a7a", "#b8c4cc")
_ROW, _WIDTH = 0.34, 8.0  # inches

Bar = tuple[str, float, float, float]
"""Name, median, lowest, highest."""


def bars(benchmark: Benchmark, result: Mapping[str, Any]) -> list[Bar]:
    """Of every contender that ran: units per second, or seconds where a round is a single unit."""
    found: list[Bar] = []
    for name in benchmark.contenders:
        entry = result["contenders"].get(name, {"left_out": "not there"})
        if "left_out" not in entry:
            costs = [benchmark.cost(each) for each in entry["rounds"]]
            values = [1 / cost for cost in costs] if _counts(benchmark, result) else costs
            found.append((name, *(float(f"{of(values):.4g}") for of in (median, min, max))))
    return found


def turns(ran: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn by turn, each contender's round."""
    return [{name: rounds[at] for name, rounds in ran.items()} for at in range(min(map(len, ran.values()), default=0))]


def taken_apart(benchmark: Benchmark, result: Mapping[str, Any]) -> dict[str, float]:
    """The median seconds of each part; nothing where a contender is missing."""
    ran = {name: entry["rounds"] for name, entry in result["contenders"].items() if "left_out" not in entry}
    if set(ran) != set(benchmark.contenders):
        return {}
    return {name: median(float(of(turn)) for turn in turns(ran)) for name, of in benchmark.parts.items()}


def _counts(benchmark: Benchmark, result: Mapping[str, Any]) -> bool:
    entries = result["contenders"].values()
    return benchmark.counts(each for entry in entries for each in entry.get("rounds", ()))


def digest(benchmarks: Sequence[Benchmark], results: Mapping[str, Any]) -> str:
    """A short name of all that is drawn; it stands in the file, so that a stale figure is noticed."""
    drawn = [
        (each.title, each.unit, bars(each, results[each.name]), taken_apart(each, results[each.name]))
        for each in benchmarks
    ]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]


def draw(benchmarks: Sequence[Benchmark], results: Mapping[str, Any], path: Path) -> None:
    """Write the figure: a row of axes per benchmark, ours in colour."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    heights = [(2 if each.parts else len(bars(each, results[each.name]))) + 1.6 for each in benchmarks]
    settings = {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, _ROW * sum(heights)), layout="constrained")
        places = figure.subplots(len(benchmarks), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, benchmark in zip(places, benchmarks, strict=True):
            (_stack if benchmark.parts else _fill)(axes, benchmark, results[benchmark.name])
        about = {"Date": None, "Description": digest(benchmarks, results)}
        figure.savefig(path, format="svg", metadata=about)


def _stack(axes: Any, benchmark: Benchmark, result: Mapping[str, Any]) -> None:
    """The parts end to end; what is noise below zero is not drawn."""
    left = 0.0
    for (name, seconds), color in zip(taken_apart(benchmark, result).items(), _PARTS, strict=False):
        axes.barh(0, max(seconds, 0), left=left, color=color, label=f"{name} {seconds:.2f} s", height=0.6)
        left += max(seconds, 0)
    axes.set_yticks([])
    axes.set_title(f"{benchmark.title}: seconds", loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    if left:
        axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.3), frameon=False)


def _fill(axes: Any, benchmark: Benchmark, result: Mapping[str, Any]) -> None:
    found = bars(benchmark, result)
    for place, (name, middle, low, high) in enumerate(found):
        color = _OURS if name == benchmark.ours else _OTHERS
        axes.barh(place, middle, color=color, height=0.7)
        axes.plot([low, high], [place, place], color="#444444", linewidth=1)
    axes.set_yticks(range(len(found)), [name for name, *_ in found])
    axes.invert_yaxis()
    measure = f"{benchmark.unit} per second" if _counts(benchmark, result) else "seconds, the fewer the better"
    axes.set_title(f"{benchmark.title}: {measure}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=0)
