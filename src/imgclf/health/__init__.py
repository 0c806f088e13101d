"""What is wrong with labelled pictures, before a network learns it.

In: one source or several, which belong together as training, validation and test do.  Out: a ``HealthReport``: what was
found, how bad it is, in which pictures, and what to do.

``facts`` reads every picture once, ``pictures``, ``copies``, ``classes`` and ``hints`` hold the rules, ``report`` the
result.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import OptionError
from ..sources import DatasetSource
from .classes import class_findings
from .copies import copy_findings
from .facts import facts_of
from .hints import hint_findings
from .pictures import picture_findings
from .report import Finding, HealthReport, class_table

__all__ = ["Finding", "HealthReport", "check"]


def check(
    *sources: DatasetSource | Mapping[str, DatasetSource],
    near: bool = True,
    progress: bool = True,
    **named: DatasetSource,
) -> HealthReport:
    """Read every picture of the sources once and say what is wrong with them; they are not changed.

    ::

        report = health.check(train=FolderSource("pets/train"), validation=FolderSource("pets/validation"))
        print(report)
        sys.exit(report.exit_code)

    A picture that cannot be read is listed, never raised.  A picture's pixels are let go at once; 1.5 KB stay.

    Args:
        *sources: One or several sources, or one mapping from names to sources.  The first one has the class names
            that all others are held against: give the training set first.
        near: Look for near duplicates too (re-encoded, resized, slightly cropped, mirrored, brighter copies), not only
            for equal pixels.
        progress: Show a bar.
        **named: Sources under the names that the report is to call them.

    Raises:
        OptionError: something that is no source, or no source at all.
    """
    given = _named(sources, named)
    facts = facts_of(given, progress=progress)
    findings = [
        *picture_findings(facts),
        *copy_findings(facts, near=near),
        *class_findings(facts),
        *hint_findings(facts),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    return HealthReport(tuple(findings), class_table(facts), tuple(given), len(facts))


def _named(
    sources: tuple[DatasetSource | Mapping[str, DatasetSource], ...], named: Mapping[str, DatasetSource]
) -> dict[str, DatasetSource]:
    given: dict[str, DatasetSource] = {}
    alone = len(sources) == 1 and not named
    for number, source in enumerate(sources, start=1):
        if isinstance(source, Mapping):
            given |= {str(name): one for name, one in source.items()}
        else:
            given["the set" if alone else f"set {number}"] = source
    given |= named
    if not given:
        raise OptionError("no source is given; expected at least one, such as check(train=FolderSource('pets')).")
    for name, source in given.items():
        if isinstance(source, type) or not isinstance(source, DatasetSource):
            raise OptionError(
                f"{name} is {source!r}, which is no source; expected an object with class_names, samples and read, "
                "such as FolderSource('pets')."
            )
    return given
