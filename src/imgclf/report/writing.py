"""``write_report``: everything measured once, and written as a page and as a model card."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..classifier import Classifier
from ..dataset import Dataset
from ..errors import OptionError
from ..files import write_text
from ..health import HealthReport
from ..runs import TrainingRun
from . import charts, views
from .grounds import grounds, limits
from .mistakes import worst
from .page import render, render_markdown
from .subject import Part, Subject, matched
from .wording import flat, shortened


def write_report(
    path: str | os.PathLike[str],
    run: TrainingRun | Classifier,
    *,
    validation: Dataset,
    train: Dataset | None = None,
    test: Dataset | None = None,
    health: HealthReport | None = None,
    command: str | None = None,
    title: str | None = None,
) -> Path:
    """Write a page about *run* to *path* and a model card beside it; returns the path of the page.

    The page holds everything in one file and fetches nothing.  The same arguments give the same bytes on one machine.
    Where *test* is given its figures lead, because the best epoch was chosen by *validation*.

    ::

        write_report("pets.html", run, train=train, validation=validation, test=test)

    Args:
        path: Ends in ``.html``; the card has the same name and ends in ``.md``.
        run: A run, or a classifier, which has no curves.
        validation: The pictures by which the best epoch was chosen.
        train: The training pictures: shown as the network saw them, and looked for among the measured ones.
        test: Pictures that took no part in anything.
        health: What :func:`imgclf.health.check` found.
        command: The shell line that makes all this again.
        title: What stands on top; None: the network and the classes.

    Raises:
        OptionError: another ending of *path*, or something that is no run, dataset or health report.
        DatasetError: pictures without labels, or classes that the classifier does not know.
        FileError: the page or the card cannot be written.
    """
    target = page_path(path)
    if health is not None and not isinstance(health, HealthReport):
        raise OptionError(f"health is a {type(health).__name__}; expected what imgclf.health.check returned.")
    subject = Subject.of(run)
    classifier = subject.classifier
    train = matched(train, classifier)
    given = {"test": test, "validation": validation} if test is not None else {"validation": validation}
    parts = [Part.measured(name, dataset, classifier) for name, dataset in given.items() if dataset is not None]
    content = {
        "title": shortened(title or _title(subject), 120),
        "subject": subject,
        "lead": parts[0],
        "parts": parts,
        "grounds": grounds(subject, parts[0], parts, train, health),
        "limits": limits(subject, parts[0], train, health),
        "health": health,
        "command": command,
        "recipe": flat(dict(subject.recipe)) if subject.recipe else {},
        "recipe_json": json.dumps(dict(subject.recipe), indent=2, default=str),
        "names": [shortened(name, 40) for name in classifier.class_names],
        "size": "×".join(map(str, classifier.spec.shape)),
        "parameters": int(classifier.model.count_params()),
        "counts": views.class_counts(subject, {"train": train, **dict(reversed(_sets(parts)))}),
    }
    write_text(target, render("report.html", **content, **_drawn(subject, parts[0], train)))
    write_text(target.with_suffix(".md"), render_markdown("card.md", **content))
    return target


def page_path(path: str | os.PathLike[str]) -> Path:
    """*path*, if it ends as a page does.

    Raises:
        OptionError: it does not.
    """
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"{os.fspath(path)!r} ends in {Path(path).suffix!r}; expected '.html'.")
    return Path(path)


def _drawn(subject: Subject, lead: Part, train: Dataset | None) -> dict[str, Any]:
    """What only the page shows: figures and pictures."""
    run, matrix = subject.run, views.cells(lead)
    cells, hidden = views.pairs(matrix)
    return {
        "curves": charts.curves([run.history], [run.best_epoch], name="curve") if run else [],
        "epochs": list(views.epochs(run.history)) if run else [],
        "minutes": sum(run.seconds) / 60 if run else 0.0,
        "matrix": matrix if len(matrix) <= views.MOST_CLASSES else [],
        "cells": cells,
        "hidden_cells": hidden,
        "caps": (views.MOST_WRONG, views.MOST_RIGHT),
        "per_class": views.per_class(lead),
        "reliability": charts.reliability(lead.calibration, name="reliability"),
        "mistakes": worst(lead, subject.classifier),
        "samples": views.samples(subject, train) if train is not None else [],
        "environment": subject.environment(),
    }


def _sets(parts: Sequence[Part]) -> list[tuple[str, Dataset]]:
    return [(part.name, part.dataset) for part in parts]


def _title(subject: Subject) -> str:
    names = subject.classifier.class_names
    return f"{subject.name}: {', '.join(names)}" if len(names) <= 4 else f"{subject.name}: {len(names)} classes"
