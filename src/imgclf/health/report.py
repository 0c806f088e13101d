"""The result of a check: findings and a table of classes, printed, written, or turned into an exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import about
from ..files import write_json
from ..sources import UNLABELLED
from ..tables import Table, Tabular, page, visible, writable
from .facts import Facts

Severity = Literal["error", "warning", "note"]
_SHOWN = 3  # pictures of a finding that are printed; JSON and ``pictures`` have all of them


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: ``"error"``: figures from these sources would mislead, or training would stop; ``"warning"``: look at
            it; ``"note"``: good to know.
        check: Which rule found it, such as ``"exact_leak"``.
        what: What was found, with numbers.
        advice: What to do.
        pictures: The pictures that it is about: a row of one key each, or of several that belong together.
        reasons: The cause for each row of ``pictures``, where each has one of its own.
    """

    severity: Severity
    check: str
    what: str
    advice: str
    pictures: tuple[tuple[str, ...], ...] = ()
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.severity.upper():8}{visible(self.what)}"]
        shown = [_row(row) for row in self.pictures[:_SHOWN]]
        causes = [visible(reason) for reason in self.reasons[:_SHOWN]]
        shown = [about(key, cause) for key, cause in zip(shown, causes, strict=True)] if causes else shown
        lines += ["          " + line for line in shown]
        if (hidden := len(self.pictures) - _SHOWN) > 0:
            lines.append(f"          … and {hidden:,} more")
        return "\n".join([*lines, f"        → {visible(self.advice)}"])


@dataclass(frozen=True)
class HealthReport(Tabular):
    """What :func:`imgclf.health.check` found; ``print`` shows it with what to do.

    >>> from imgclf import DrawnPets, health
    >>> report = health.check(DrawnPets(4, seed=0), progress=False)
    >>> report.ok, report.exit_code, report.count
    (True, 0, 4)

    Attributes:
        findings: Errors first, then warnings, then notes.
        classes: A row per source and class: numbers, sizes, brightness, the share of grey pictures.
        sources: The names of the sources.
        count: How many pictures there are.
    """

    findings: tuple[Finding, ...]
    classes: Table
    sources: tuple[str, ...]
    count: int

    @property
    def exit_code(self) -> int:
        """0: nothing above a note; 3: warnings; 4: errors.  1 is Python's own, for an exception, and 2 a shell's."""
        found = {finding.severity for finding in self.findings}
        return 4 if "error" in found else 3 if "warning" in found else 0

    @property
    def ok(self) -> bool:
        """Whether there is nothing above a note."""
        return self.exit_code == 0

    def of(self, check: str) -> tuple[Finding, ...]:
        """The findings of one rule, such as ``"exact_leak"``."""
        return tuple(finding for finding in self.findings if finding.check == check)

    def table(self) -> Table:
        """One row per finding: severity, check, number of rows of pictures, what."""
        rows = [(one.severity, one.check, len(one.pictures), one.what) for one in self.findings]
        return Table(("severity", "check", "pictures", "what"), rows)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON holds it, with all pictures of every finding."""
        return {
            "exit_code": self.exit_code,
            "sources": [writable(name) for name in self.sources],
            "pictures": self.count,
            "findings": [
                {
                    "severity": finding.severity,
                    "check": finding.check,
                    "what": writable(finding.what),
                    "advice": writable(finding.advice),
                    "pictures": [[writable(key) for key in row] for row in finding.pictures],
                    **({"reasons": [writable(reason) for reason in finding.reasons]} if finding.reasons else {}),
                }
                for finding in self.findings
            ],
            "classes": [
                {key: writable(value) if isinstance(value, str) else value for key, value in row.items()}
                for row in self.classes.records()
            ],
        }

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`to_dict` as JSON, whole or not at all; returns the path."""
        return write_json(path, self.to_dict())

    def __str__(self) -> str:
        head = f"health of {self.count:,} pictures: {self._counted()}"
        more = any(len(finding.pictures) > _SHOWN for finding in self.findings)
        tail = (
            ["All pictures of a finding: report.of('its check') or report.to_json(path); imgclf check --save PATH."]
            if more
            else []
        )
        return "\n\n".join([head, str(self.classes), *map(str, self.findings), *tail])

    def _repr_html_(self) -> str:
        head = f"health of {self.count:,} pictures: {self._counted()}"
        if not self.findings:
            return page(head, self.classes)
        rows = [(one.severity, one.check, one.what, one.advice, _some(one.pictures)) for one in self.findings]
        return page(head, self.classes, Table(("severity", "check", "what", "what to do", "pictures"), rows))

    def _counted(self) -> str:
        counts = {kind: sum(one.severity == kind for one in self.findings) for kind in ("error", "warning", "note")}
        return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items())


def class_table(facts: Facts) -> Table:
    """A row per source and class."""
    rows = []
    for number, source in enumerate(facts.sources):
        for label, name in [*enumerate(facts.class_names), (UNLABELLED, "(no class)")]:
            members = (facts.source == number) & (facts.labels == label)
            if members.any() or name in facts.own_names[number]:
                rows.append((source, name, *_statistics(facts, np.flatnonzero(members))))
    columns = ("source", "class", "pictures", "unreadable", "height", "width", "brightness", "±", "grey")
    return Table(columns, rows)


def _statistics(facts: Facts, positions: npt.NDArray[np.int64]) -> tuple[object, ...]:
    seen = positions[facts.readable[positions]]
    if not len(seen):
        return (len(positions), len(positions), "", "", "", "", "")
    heights, widths = (int(np.median(sides[seen])) for sides in (facts.heights, facts.widths))
    light = facts.light[seen]
    return (
        len(positions),
        len(positions) - len(seen),
        heights,
        widths,
        round(float(light.mean())),
        round(float(light.std())),
        f"{100 * float(facts.grey[seen].mean()):.0f} %",
    )


def _row(keys: Sequence[str]) -> str:
    hidden = len(keys) - _SHOWN
    return "  =  ".join(map(visible, keys[:_SHOWN])) + (f"  and {hidden:,} more" if hidden > 0 else "")


def _some(pictures: Sequence[Sequence[str]]) -> str:
    hidden = len(pictures) - _SHOWN
    return "; ".join(map(_row, pictures[:_SHOWN])) + (f"; and {hidden:,} more" if hidden > 0 else "")
