"""The scoreboard: which test proves which promise, and what it found when it last ran.

pytest --scoreboard                 # quick tests: their lines are brought up to date
pytest --scoreboard -m slow         # the slow ones, beside them
python tests/scoreboard.py          # docs/results/reliability.json → docs/reliability.md
"""

from __future__ import annotations

import json
import platform
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"

GROUPS = {
    "A run that cannot be lost": (
        "kill",
        "stop",
        "disk-full",
        "other-run",
        "lock",
        "non-finite",
        "determinism",
        "memory-epochs",
    ),
    "Data that cannot mislead": (
        "nasty-images",
        "one-way-in",
        "larger-than-memory",
        "decoder-truth",
        "decode-fuzz",
        "memory-decode",
        "nasty-sets",
        "nasty-tables",
        "nasty-patterns",
        "class-contract",
        "splits",
        "health",
        "planted",
        "label-errors",
    ),
    "Files that cannot harm": (
        "model-attacks",
        "model-bytes",
        "model-again",
        "model-plain-keras",
        "model-deterministic",
        "hostile-names",
        "no-unsafe-code",
    ),
}

HEAD = """\
# Reliability

Every promise, the tests that prove it, and what they found when they last ran. This page is generated from
`docs/results/reliability.json`, which `pytest --scoreboard` (quick tests) and `pytest --scoreboard -m slow` (long ones)
write; `python tests/scoreboard.py` makes the page. A test fails where a promise lacks its line, or a line its test.

Figures that took long are kept in `docs/results/`, with the command, the machine and the seeds.
"""


SLOW = " (slow)"


def name_of(nodeid, *, slow):
    """A test's name without its parameters; the slow cases of a test have a line of their own."""
    return nodeid.partition("[")[0] + SLOW * slow


def is_slow(item):
    """Whether a test runs with ``-m slow`` only."""
    return item.get_closest_marker("slow") is not None


def promised(item):
    """``(row, text)`` of a test that proves a promise, else None."""
    mark = item.get_closest_marker("promise")
    return None if mark is None else tuple(mark.args)


def gathered(reports):
    """Per promise and test: how many cases passed and failed, and what was measured."""
    found = {}
    for report in reports:
        properties = dict(reversed(report.user_properties))
        if "promise" not in properties or (report.when != "call" and report.outcome == "passed"):
            continue
        row, text, slow = properties["promise"]
        test = found.setdefault((row, text), {}).setdefault(
            name_of(report.nodeid, slow=slow), {"passed": 0, "failed": 0, "skipped": 0, "measured": []}
        )
        test[report.outcome] += 1
        if "measured" in properties and properties["measured"] not in test["measured"]:
            test["measured"].append(properties["measured"])
    return found


def exists(name):
    """Whether there still is a test of this name."""
    file, _, function = name.removesuffix(SLOW).partition("::")
    path = ROOT / file
    return path.exists() and f"def {function.rpartition('::')[2]}(" in path.read_text(encoding="utf-8")


def update(reports, versions):
    """Bring the lines of the tests that ran up to date in ``docs/results/reliability.json``."""
    held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for (row, text), tests in gathered(reports).items():
        for name, test in tests.items():
            for promises in held.values():  # it may have proved another promise before
                for other in promises.values():
                    other.pop(name, None)
            said = {**test, "date": date.today().isoformat(), "machine": platform.machine(), **versions}
            held.setdefault(row, {}).setdefault(text, {})[name] = said
    for promises in held.values():
        for text, tests in list(promises.items()):
            promises[text] = {name: test for name, test in tests.items() if exists(name)}
    held = {row: {text: tests for text, tests in promises.items() if tests} for row, promises in held.items()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(held, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def page(held):
    """The page in Markdown."""
    parts = [HEAD]
    for group, rows in GROUPS.items():
        lines = [f"## {group}", "", "| promise | proved by | found |", "|---|---|---|"]
        for row in rows:
            for text, tests in held.get(row, {}).items():
                proofs = "<br>".join(_short(name) for name in tests)
                lines.append(f"| **{row}**: {_cell(text)} | {proofs} | {_found(tests.values())} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _short(name):
    place, slow = name.removesuffix(SLOW), name.endswith(SLOW)
    return f"`{place.removeprefix('tests/').replace('::', ' ')}`{SLOW * slow}"


def _cell(text):
    text = f"{text[:1].upper()}{text[1:]}"
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _found(tests):
    counts = {kind: sum(test[kind] for test in tests) for kind in ("passed", "failed", "skipped")}
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    measured = [_cell(text) for test in tests for text in test["measured"]]
    shown = [*measured[:6], *([f"and {len(measured) - 6} more"] if len(measured) > 6 else [])]
    dates = sorted({test["date"] for test in tests})
    return "<br>".join([f"{said} ({dates[0] if len(dates) == 1 else f'{dates[0]} to {dates[-1]}'})", *shown])


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
