"""Rules about classes: the names that sources must share, and how many pictures each class has."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np

from ..errors import DatasetError, listed
from ..sources import UNLABELLED
from ..sources.class_names import check_spelling
from .facts import Facts
from .report import Finding

_UNEVEN, _VERY_UNEVEN = 3.0, 10.0  # times as many pictures in the largest class as in the smallest


def class_findings(facts: Facts) -> Iterator[Finding]:
    """What is wrong with the classes of *facts*; the first source's names count."""
    yield from _labels(facts)
    for number in range(len(facts.sources)):
        counts = _counts(facts, number)
        yield from _names(facts, number, counts)
        yield from _balance(facts, number, counts)


def _counts(facts: Facts, number: int) -> dict[str, int]:
    """The readable pictures of each class that the source *number* names."""
    labels = facts.labels[(facts.source == number) & facts.readable]
    place = {name: label for label, name in enumerate(facts.class_names)}
    return {name: int((labels == place[name]).sum()) for name in facts.own_names[number]}


def _labels(facts: Facts) -> Iterator[Finding]:
    if facts.strange:
        rows = tuple((f"{facts.named(at)}: label {label}",) for at, label in sorted(facts.strange.items()))
        what = f"labels that stand for no class of their source: {len(rows):,}"
        yield Finding("error", "strange_labels", what, "Labels count from 0, in the order of class_names.", rows)
    for number, name in enumerate(facts.sources):
        own = facts.source == number
        unlabelled = own & (facts.labels == UNLABELLED)
        unlabelled[list(facts.strange)] = False
        if unlabelled.any() and facts.own_names[number]:
            what = f"pictures of {name!r} without a label: {int(unlabelled.sum()):,} of {int(own.sum()):,}"
            rows = tuple((facts.named(position),) for position in np.flatnonzero(unlabelled))
            yield Finding("note", "unlabelled", what, "Label them, or keep them for prediction.", rows)


def _names(facts: Facts, number: int, counts: dict[str, int]) -> Iterator[Finding]:
    name, known = facts.sources[number], facts.own_names[0]
    respelt = _respelt(facts.own_names[number], known if number else facts.own_names[number])
    if respelt:
        pairs = "; ".join(f"{one!a} and {two!a}" for one, two in respelt[:5])
        where = f"{name!r}" if number == 0 else f"{name!r} and {facts.sources[0]!r}"
        what = f"class names of {where} differ only in case, spaces or Unicode form: {pairs}."
        yield Finding("error", "class_spelling", what, "Rename them to one name.")
    if number == 0 or not facts.own_names[number]:
        return
    alike = {one for one, _ in respelt}
    unknown = [one for one in facts.own_names[number] if one not in known and one not in alike and counts[one]]
    if unknown:
        nearest = get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {nearest[0]!r} for {unknown[0]!r}?" if nearest else ""
        what = f"{name!r} has classes that {facts.sources[0]!r} lacks: {listed(unknown)}.{hint}"
        yield Finding("error", "unknown_class", what, "Rename or remove them: a classifier cannot answer them.")
    missing = [one for one in known if not counts.get(one) and one not in {two for _, two in respelt}]
    if missing:
        what = f"{name!r} has no readable pictures of {listed(missing)}, which {facts.sources[0]!r} has."
        yield Finding("warning", "missing_class", what, "Add some: there will be no figures for it.")


def _respelt(names: tuple[str, ...], known: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of a name and another one in *known* that only looks different to a computer."""
    pairs = []
    for at, one in enumerate(names):
        others = known[:at] if names is known else known
        if names is not known and one in known:
            continue
        for two in others:
            try:
                check_spelling((one, two))
            except DatasetError:
                pairs.append((one, two))
    return pairs


def _balance(facts: Facts, number: int, counts: dict[str, int]) -> Iterator[Finding]:
    name = facts.sources[number]
    filled = {one: count for one, count in counts.items() if count}
    if counts and not filled and not (facts.labels[facts.source == number] != UNLABELLED).any():
        return  # an unlabelled set with the names of its classes
    if empty := [one for one in counts if not counts[one]] if number == 0 else []:
        what = f"{name!r} has no readable pictures of {listed(empty)}."
        yield Finding("error", "empty_class", what, "Add pictures, or remove the class.")
    if len(counts) == 1:
        what = f"{name!r} has one class only, {listed(counts)}."
        yield Finding("error", "one_class", what, "A classifier tells at least two apart: add the others.")
    if single := [one for one, count in filled.items() if count == 1]:
        what = f"{name!r} has a single picture of {listed(single)}."
        yield Finding("warning", "single_picture", what, "Add pictures: one cannot be split, nor tell much.")
    if len(filled) > 1:
        least, most = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
        times = filled[most] / filled[least]
        if times >= _UNEVEN:
            share = filled[most] / sum(filled.values())
            what = (
                f"{name!r} is unbalanced: {filled[most]:,} pictures of {most!r}, {filled[least]:,} of {least!r}. "
                f"Always answering {most!r} would be right for {100 * share:.0f} %."
            )
            advice = "Add pictures of the small classes, or judge by balanced accuracy and each class's recall."
            yield Finding("warning" if times >= _VERY_UNEVEN else "note", "imbalance", what, advice)
