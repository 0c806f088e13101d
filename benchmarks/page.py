"""What was measured → ``docs/performance.md`` and its figures: ``python -m benchmarks.page``.

In: ``docs/results/performance/*.json``.  Out: Markdown, and an SVG per group, the same bytes from the same results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from . import accuracy, chart, harness
from .harness import Benchmark, Target
from .machine import ROOT

RESULTS = ROOT / "docs" / "results" / "performance"
PAGE = ROOT / "docs" / "performance.md"

HEAD = """\
# Performance

Who takes how long for the same work. This page is generated: `python -m benchmarks` measures and writes
`docs/results/performance/*.json`, `python -m benchmarks.page` makes the page; a test fails where the two differ, and
no figure is typed by hand.

**How it is measured.** Every contender is a program of its own, written as its users write it, in a process of its
own. Each is first set up and warmed up, which is not timed. Then they take turns, A, B, C, A, B, C, …, at least five
times, and whoever is not at work is stopped by the system and uses no processor. So a machine that is busy for a
while, or gets warm, is so for all of them. A figure is the median over the turns, with the lowest and the highest
behind it. A ratio is taken within each turn first, and the median of these is shown: noise that lasts longer than a
turn cancels out. Processor seconds are user and system time of the process and of those that it started. Load is how
many programs wanted a core in the minute before the measurement began, the benchmark before it included.

**To repeat it**: the command stands below each table. `DATA` is a folder with photographs of cats and dogs in
`dogs_vs_cats/{train,validation,test}/{cats,dogs}/` and MNIST in `mnist/train.csv.gz`; `torch=PYTHON` names an
interpreter where PyTorch is installed, if it is not beside TensorFlow. A contender that is not installed is left out,
and the table says so.
"""


def held(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """All results of a folder, by benchmark."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}


def elsewhere() -> list[dict[str, dict[str, Any]]]:
    """Results of other machines: each has a folder of its own (``--out docs/results/performance/gpu``)."""
    return [held(folder) for folder in sorted(RESULTS.iterdir()) if folder.is_dir()]


def page(results: Mapping[str, Mapping[str, Any]], others: Sequence[Mapping[str, Mapping[str, Any]]] = ()) -> str:
    """The page in Markdown: *results* group by group, then those of *others*, machine by machine."""
    parts = [HEAD]
    for group in harness.GROUPS:
        found = in_group(results, group)
        if found:
            parts.append(f"## {group}\n\n![{group}](results/performance/{group.lower()}.svg)\n")
            parts += [section(benchmark, results[benchmark.name]) for benchmark in found]
    parts.append(accuracy.section(ROOT / "docs" / "results" / "precision.json"))
    for other in filter(None, others):
        parts.append(f"## On another machine: {machine_name(next(iter(other.values())))}\n")
        found = [benchmark for group in harness.GROUPS for benchmark in in_group(other, group)]
        parts += [section(benchmark, other[benchmark.name]) for benchmark in found]
    parts.append(machines([result for each in (results, *others) for result in each.values()]))
    return "\n".join(parts)


def in_group(results: Mapping[str, Mapping[str, Any]], group: str) -> list[Benchmark]:
    """The benchmarks of a group that have a result."""
    known = [harness.load(name) for name in harness.names() if name in results]
    return [benchmark for benchmark in known if benchmark.group == group]


def section(benchmark: Benchmark, result: Mapping[str, Any]) -> str:
    """A heading, what is compared, the table, the targets, the command."""
    contenders = result["contenders"]
    ran = {name: entry["rounds"] for name, entry in contenders.items() if "left_out" not in entry}
    counts = benchmark.counts(measured for rounds in ran.values() for measured in rounds)
    columns = [f"{benchmark.unit} per second", f"CPU-seconds per 1,000 {benchmark.unit}"]
    columns = ["", *(columns if counts else ["seconds", "CPU-seconds"]), *benchmark.show.values()]
    columns += [f"speed of {benchmark.ours} against it"] if benchmark.reference else []
    lines = [f"### {benchmark.title}", "", benchmark.about, "", _row(columns), "|---" * len(columns) + "|"]
    for name in benchmark.contenders:
        if name in ran:
            lines.append(_row(_cells(benchmark, ran, name, counts=counts)))
        elif name in contenders:
            why = f"left out: {_cell(contenders[name]['left_out'])}"
            lines.append(_row([name, why, *[""] * (len(columns) - 2)]))
    if benchmark.parts:
        lines += ["", *[f"- {name}: {seconds:.2f} s" for name, seconds in chart.taken_apart(benchmark, result).items()]]
    lines += ["", *[_said(target, ran, benchmark) for target in benchmark.all_targets()]]
    lines += ["", f"`{result['command']}` · {result['date']}, {machine_name(result)}, load {result['machine']['load']}"]
    return "\n".join(lines) + "\n"


def _cells(benchmark: Benchmark, ran: Mapping[str, Sequence[Any]], name: str, *, counts: bool) -> list[str]:
    rounds = ran[name]
    costs = [benchmark.cost(each) for each in rounds]
    processor = median(benchmark.cost(each, "cpu_seconds") for each in rounds)
    cells = [
        spread([1 / cost for cost in costs] if counts else costs),
        number(1000 * processor if counts else processor),
    ]
    for figure in benchmark.show:
        values = [each[figure] for each in rounds if figure in each]
        cells.append(number(median(values)) if values else "")
    if benchmark.reference:
        other = name != benchmark.ours and benchmark.ours in ran
        cells.append(spread([benchmark.ratio(turn, name) for turn in chart.turns(ran)], "×") if other else "")
    return [name, *cells]


def reached(target: Target, ran: Mapping[str, Sequence[Any]]) -> tuple[list[float], bool] | None:
    """The figure in every turn and whether its median is good enough; None where it was not measured."""
    try:
        values = [target.of(turn) for turn in chart.turns(ran)]
    except KeyError:
        return None
    if not values:
        return None
    middle = median(values)
    least, most = target.at_least, target.at_most
    return values, (least is None or middle >= least) and (most is None or middle <= most)


def _said(target: Target, ran: Mapping[str, Sequence[Any]], benchmark: Benchmark) -> str:
    limits = [f"at least {target.at_least:g}{target.unit}"] if target.at_least is not None else []
    limits += [f"at most {target.at_most:g}{target.unit}"] if target.at_most is not None else []
    wanted = f"- Target: {target.text}, {' and '.join(limits)}"
    found = reached(target, ran)
    if found is None:
        return f"{wanted}: **not measured**."
    values, good = found
    note = f" {benchmark.note}" if benchmark.note and not good else ""
    return f"{wanted}: {spread(values, target.unit)}, **{'reached' if good else 'not reached'}**.{note}"


def machines(results: Sequence[Mapping[str, Any]]) -> str:
    """The machines and versions behind the figures."""
    lines = ["## Machines and versions", ""]
    lines += sorted({f"- {machine_name(result)}: {_facts(result['machine'])}" for result in results})
    found: dict[tuple[str, str], set[str]] = {}
    for result in results:
        for entry in result["contenders"].values():
            for package, version in entry.get("versions", {}).items():
                found.setdefault((package, version), set()).add(result["benchmark"])
    said = ", ".join(f"{package} {version}" for package, version in sorted(found))
    commits = sorted({f"`{result['commit']}`" for result in results if result["commit"]})
    lines += ["", f"At work were: {said}.", "", f"Commits: {', '.join(commits)} (+: with changes on top)."]
    return "\n".join(lines) + "\n"


def machine_name(result: Mapping[str, Any]) -> str:
    """A short name of the machine."""
    machine = result["machine"]
    return machine.get("accelerator") or f"{machine['processor'].split(' @')[0]}, {machine['cores']} cores"


def _facts(machine: Mapping[str, Any]) -> str:
    flags = f" ({', '.join(machine['flags'])})" if machine["flags"] else ""
    memory = f", {machine['memory_gb']} GB of memory" if machine["memory_gb"] else ""
    cores = f"{machine['processor']}, {machine['cores']} cores, " if "accelerator" in machine else ""
    return f"{cores}{machine['architecture']}{flags}{memory}, {machine['system']}"


def spread(values: Sequence[float], unit: str = "") -> str:
    """``median (lowest to highest)``."""
    low, high = number(min(values)), number(max(values))
    return f"{number(median(values))}{unit}" + (f" ({low} to {high})" if low != high else "")


def number(value: float) -> str:
    """Three figures that mean something: ``12,300``, ``456``, ``7.89``, ``0.0123``."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:#.3g}".rstrip(".") if value else "0"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main() -> None:
    """Write the page and the figures."""
    results = held()
    PAGE.write_text(page(results, elsewhere()), encoding="utf-8")
    for group in harness.GROUPS:
        if found := in_group(results, group):
            chart.draw(found, results, RESULTS / f"{group.lower()}.svg")


if __name__ == "__main__":
    main()
