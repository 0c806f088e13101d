"""Rules about pictures that stand more than once: within a source, across sources, under two labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..duplicates import Pair, find_pairs, grouped, of_one_label
from ..sources import UNLABELLED
from .facts import Facts
from .report import Finding, Severity

Groups = npt.NDArray[np.int64]
Members = list[list[int]]


def copy_findings(facts: Facts, *, near: bool) -> Iterator[Finding]:
    """Duplicates, leaks and contradictions among the pictures of *facts*."""
    pairs = find_pairs(facts.looks, near=near)
    exact = grouped([pair for pair in pairs if pair.kind == "exact"], len(facts))
    every = grouped(of_one_label(pairs, facts.labels), len(facts))
    copies, alike = _members(exact), _members(every)
    yield from _leaks(facts, copies, alike)
    yield from _two_labels(facts, copies, pairs)
    yield from _within(facts, copies, alike, exact)


def _members(groups: Groups) -> Members:
    """The groups of more than one picture, each in order."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]


def _leaks(facts: Facts, copies: Members, alike: Members) -> Iterator[Finding]:
    leaked: dict[tuple[int, int, bool], list[tuple[int, int]]] = {}
    done = set()
    for groups, is_exact in ((copies, True), (alike, False)):
        for members in groups:
            partners: dict[int, int] = {}  # the first member of each source so far
            for position in members if len(facts.sources) > 1 else ():
                home = int(facts.source[position])
                for source, partner in partners.items():
                    if source != home and (position, source) not in done:
                        done.add((position, source))
                        leaked.setdefault((source, home, is_exact), []).append((partner, position))
                partners.setdefault(home, position)
    for (first, second, is_exact), found in sorted(leaked.items(), key=lambda item: not item[0][2]):
        names = f"{facts.sources[second]!r}", f"{facts.sources[first]!r}"
        how = "pixel for pixel" if is_exact else "as near copies (re-encoded, resized, cropped, mirrored …)"
        severity: Severity = "error" if is_exact else "warning"
        yield Finding(
            severity,
            "exact_leak" if is_exact else "near_leak",
            f"pictures of {names[0]} that stand in {names[1]} too, {how}: {len(found):,}",
            "Keep each on one side: figures from pictures that were learnt by heart say nothing.",
            tuple((facts.named(one), facts.named(two)) for one, two in found),
        )


def _two_labels(facts: Facts, copies: Members, pairs: Iterable[Pair]) -> Iterator[Finding]:
    rows = [
        _with_classes(facts, members)
        for members in copies
        if len({int(facts.labels[member]) for member in members} - {UNLABELLED}) > 1
    ]
    if rows:
        yield Finding(
            "error",
            "two_labels",
            f"pictures that stand under more than one class, pixel for pixel the same: {len(rows):,}",
            "Decide on one class for each, and remove the others.",
            tuple(rows),
        )
    unlike = [
        pair
        for pair in pairs
        if pair.kind == "near"  # an arrow to the left is no arrow to the right
        and UNLABELLED not in (labels := {int(facts.labels[pair.first]), int(facts.labels[pair.second])})
        and len(labels) > 1
    ]
    if unlike:
        yield Finding(
            "warning",
            "two_labels_near",
            f"pairs of pictures that look alike, under two labels: {len(unlike):,}",
            "Check them: a label may be wrong, or two classes look much alike. A split does not keep them together.",
            tuple(_with_classes(facts, (pair.first, pair.second)) for pair in unlike),
        )


def _within(facts: Facts, copies: Members, alike: Members, exact: Groups) -> Iterator[Finding]:
    for number, name in enumerate(facts.sources):
        total = int((facts.source == number).sum())
        same = _of_source(facts, copies, number)
        if same:
            extra = sum(map(len, same)) - len(same)
            yield Finding(
                "warning",
                "exact_duplicates",
                f"exact copies of other pictures within {name!r}: {extra:,} of {total:,}",
                "Remove them: they weigh double. A split keeps them on one side.",
                _named(facts, same),
            )
        near = [members for members in _of_source(facts, alike, number) if len(set(exact[members])) > 1]
        if near:
            extra = sum(len(set(exact[members])) - 1 for members in near)
            yield Finding(
                "note",
                "near_duplicates",
                f"near copies of other pictures within {name!r}: {extra:,} of {total:,}",
                "Keep them if they are meant (bursts, augmented copies): a split keeps them on one side.",
                _named(facts, near),
            )


def _of_source(facts: Facts, groups: Members, number: int) -> Members:
    """The members that stand in source *number*, where they are more than one."""
    own = ([member for member in members if facts.source[member] == number] for members in groups)
    return [members for members in own if len(members) > 1]


def _named(facts: Facts, groups: Members) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(facts.named(member) for member in members) for members in groups)


def _with_classes(facts: Facts, members: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{facts.named(member)} ({facts.class_name(member) or 'no class'})" for member in members)
