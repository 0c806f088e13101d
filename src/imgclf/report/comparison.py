"""``write_comparison``: two runs on the same pictures, side by side, and whether the difference may be luck."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..classifier import Classifier
from ..dataset import Dataset
from ..errors import OptionError, listed
from ..files import write_text
from ..runs import TrainingRun
from . import charts, views
from .encoding import picture
from .grounds import Ground
from .page import render
from .pairing import Paired, paired
from .subject import Part, Subject
from .views import Shown
from .wording import Sentence, flat, percent, pictures, shortened
from .writing import page_path

_MOST = 24  # pictures of each kind of difference
_THUMB = 96
_LEVEL = 0.05
_FEW = 6  # five that are all on one side have p = 0.0625
_COMPARED = ("imgclf", "versions", "threads", "trainer", "network", "computed_in", "train", "validation")


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two."""

    name: str
    subject: Subject
    part: Part

    @property
    def parameters(self) -> int:
        return int(self.subject.classifier.model.count_params())

    @property
    def matrix(self) -> list[list[views.Cell]]:
        return views.counted(self.part) if len(self.part.evaluation.class_names) <= views.MOST_CLASSES else []

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        return self.subject.run.history if self.subject.run else {}

    @property
    def best_epoch(self) -> int:
        return self.subject.run.best_epoch if self.subject.run else 0

    @property
    def epochs(self) -> list[tuple[int, list[float]]]:
        return list(views.epochs(self.history))


def write_comparison(
    path: str | os.PathLike[str],
    first: TrainingRun | Classifier,
    second: TrainingRun | Classifier,
    *,
    data: Dataset,
    names: Sequence[str] = ("first", "second"),
) -> Path:
    """Write a page that sets *first* beside *second*; returns its path.

    ::

        write_comparison("both.html", plain, augmented, data=test, names=("plain", "augmented"))

    Args:
        path: Ends in ``.html``.
        first: A run or a classifier.
        second: Another, of the same classes, in whatever order, which takes pictures prepared alike.
        data: The pictures that both answer: best those of a test set, by which neither was chosen.
        names: What the two are called.

    Raises:
        OptionError: another ending of *path*, names that are not two, classifiers of different classes, or pictures
            that one of them does not take.
        DatasetError: pictures without labels, or classes that the classifiers do not know.
        FileError: the page cannot be written.
    """
    target = page_path(path)
    if isinstance(names, str) or len(names) != 2 or names[0] == names[1]:
        raise OptionError(f"names are {names!r}; expected two different ones, such as ('plain', 'augmented').")
    subjects = [Subject.of(first), Subject.of(second)]
    classes = [subject.classifier.class_names for subject in subjects]
    if set(classes[0]) != set(classes[1]):
        said = f"the classes differ: {listed(classes[0])} and {listed(classes[1])}."
        raise OptionError(f"{said} Compare classifiers of the same classes.")
    sides = [
        _Side(shortened(str(name)), subject, Part.measured("data", data, subject.classifier))
        for name, subject in zip(names, subjects, strict=True)
    ]
    found = paired(sides[0].part.evaluation, sides[1].part.evaluation)
    runs = [side.subject.run for side in sides if side.subject.run is not None]
    content = {
        "title": f"{sides[0].name} beside {sides[1].name}",
        "names": [side.name for side in sides],
        "sides": sides,
        "found": found,
        "verdict": _verdict(found, sides),
        "test": _test(found, sides),
        "grounds": list(_grounds(found, sides)),
        "groups": [_group(sides, 0, found.first_alone), _group(sides, 1, found.second_alone)],
        "curves": charts.curves([run.history for run in runs], [run.best_epoch for run in runs], name="curve")
        if len(runs) == 2
        else [],
        "settings": _differing(subjects),
        "recorded": all(subject.recipe for subject in subjects),
    }
    return write_text(target, render("comparison.html", **content))


def _verdict(found: Paired, sides: Sequence[_Side]) -> Sentence:
    shares = [percent(side.part.evaluation.accuracy) for side in sides]
    names = tuple(side.name for side in sides)
    count = pictures(found.count)
    if found.p_value >= _LEVEL:
        said = f"Nothing shows that one is better: {{}} names {shares[0]} of {count} rightly, {{}} {shares[1]}."
        return Sentence(said, names)
    if found.difference < 0:
        return Sentence(f"{{}} is better: it names {shares[0]} of {count} rightly, {{}} {shares[1]}.", names)
    return Sentence(f"{{}} is better: it names {shares[1]} of {count} rightly, {{}} {shares[0]}.", names[::-1])


def _test(found: Paired, sides: Sequence[_Side]) -> Sentence:
    names = tuple(side.name for side in sides)
    first, second = len(found.first_alone), len(found.second_alone)
    if not first + second:
        return Sentence("On no picture is one right and the other wrong.")
    low, high = (100 * end for end in found.interval)
    chance = percent(found.p_value, 2 if found.p_value < 0.01 else 1)
    said = (
        f"{{}} alone is right on {pictures(first)}, {{}} alone on {second:,}. Equally good ones would differ at least "
        f"as unevenly in {chance} of such samples (McNemar's exact test). "
        f"{{}} less {{}}: {100 * found.difference:+.1f} percentage points (95 % interval {low:+.1f} to {high:+.1f})."
    )
    return Sentence(said, (*names, *names[::-1]))


def _grounds(found: Paired, sides: Sequence[_Side]) -> Iterator[Ground]:
    for side in sides:
        own = side.part.dataset.fingerprint
        if own == side.subject.recorded("train").get("fingerprint"):
            said = "{} was trained on these very pictures: its figures say nothing."
            yield Ground("against", Sentence(said, (side.name,)))
        elif own == side.subject.recorded("validation").get("fingerprint"):
            said = "The best epoch of {} was chosen by these very pictures, which flatters it a little."
            yield Ground("against", Sentence(said, (side.name,)))
    discordant = len(found.first_alone) + len(found.second_alone)
    if 0 < discordant < _FEW:
        said = f"They differ on {pictures(discordant)}: too few for any outcome to count as more than luck."
        yield Ground("against", Sentence(said))
    for said in (
        "The test speaks of these two networks. Another seed of the same recipes may turn it round.",
        "The more pairs are compared, the more often luck alone gives a small p.",
        "Whether training pictures are among these was not looked for.",
    ):
        yield Ground("unknown", Sentence(said))


@dataclass(frozen=True)
class _Group:
    """The pictures that one alone names rightly."""

    name: str
    total: int
    shown: tuple[Shown, ...]


def _group(sides: Sequence[_Side], right: int, positions: npt.NDArray[np.int64]) -> _Group:
    winner, loser = sides[right], sides[1 - right]
    losses = loser.part.evaluation.losses[positions]
    chosen = positions[np.argsort(-losses, kind="stable")][:_MOST].tolist()
    return _Group(winner.name, len(positions), tuple(_shown(winner, loser, at) for at in chosen))


def _shown(winner: _Side, loser: _Side, at: int) -> Shown:
    right, wrong = winner.part.evaluation, loser.part.evaluation
    key = shortened(str(right.keys[at]), 40)
    true, other = shortened(right.names[at], 24), shortened(wrong.names[at], 24)
    said = (
        f"{true} ({percent(float(right.confidences[at]), 0)}), not {other} ({percent(float(wrong.confidences[at]), 0)})"
    )
    image = picture(winner.part.dataset.pictures([at])[0], _THUMB)
    return Shown(image, key, said, f"{key}: {winner.name} says {true}, {loser.name} says {other}")


def _differing(subjects: Sequence[Subject]) -> list[tuple[str, str, str]]:
    first, second = (
        flat({name: subject.classifier.provenance[name] for name in _COMPARED if name in subject.classifier.provenance})
        for subject in subjects
    )
    return [
        (name.removeprefix("trainer."), first.get(name, "–"), second.get(name, "–"))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
