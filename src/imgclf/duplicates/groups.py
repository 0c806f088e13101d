"""Pairs of copies → groups: for every picture the first one that shows the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..sources import UNLABELLED
from .looks import look_at_all
from .search import Pair, find_pairs

_CHAINED = 8  # pictures in a group of near copies; a larger one must hang together by more than a chain


def duplicate_groups(
    images: Iterable[npt.NDArray[Any]], *, near: bool = True, labels: npt.NDArray[np.int32] | None = None
) -> npt.NDArray[np.int64]:
    """For every picture the smallest position of a picture that it duplicates; a picture alone is its own group.

    >>> squares = np.zeros((3, 8, 8, 1), np.uint8)
    >>> squares[1, 2:5] = 200
    >>> duplicate_groups(squares).tolist()
    [0, 1, 0]

    Args:
        images: uint8 ``(n, height, width, 1 or 3)``, also a memory map; or single pictures ``(height, width, 1 or 3)``
            of any sizes, which may come from an iterator.
        near: Find re-encoded, resized, slightly cropped, mirrored copies and other brightness too; False: only copies
            pixel for pixel.
        labels: ``(n,)``; near copies under two labels then stand apart: see :func:`of_one_label`.

    Returns:
        int64 ``(n,)``.

    Raises:
        ImageError: pictures of another type or shape.
    """
    looks = look_at_all(images, near=near)
    pairs = find_pairs(looks, near=near)
    return grouped(pairs if labels is None else of_one_label(pairs, labels), len(looks))


def of_one_label(pairs: Sequence[Pair], labels: npt.NDArray[np.int32]) -> list[Pair]:
    """*pairs* without near and mirrored ones under two labels, which far more often only look alike.

    Two cards, a part with a scratch and one without, arrows to the left and to the right: their labels tell them apart.
    A picture without a label goes with any; exact copies go together whatever their labels, and lend them each other.

    Args:
        pairs: From :func:`find_pairs`.
        labels: ``(n,)`` of the pictures; −1: none.
    """
    own: dict[int, set[int]] = {}
    for pair in pairs:
        if pair.kind == "exact":
            own.setdefault(pair.first, {int(labels[pair.first])}).add(int(labels[pair.second]))

    def may_be_one(pair: Pair) -> bool:
        first, second = (own.get(position, {int(labels[position])}) for position in pair[:2])
        return bool(first & second) or UNLABELLED in first | second

    return [pair for pair in pairs if pair.kind == "exact" or may_be_one(pair)]


def grouped(pairs: Sequence[Pair], count: int) -> npt.NDArray[np.int64]:
    """The group of each of *count* pictures: the smallest position in it, int64 ``(count,)``.

    Copies of copies belong together, so a group is what chains of pairs connect.  A long chain may lead from one
    picture to quite another, as through a video; so a group of more than 8 near copies keeps those that are paired
    with the one that has the most partners, and what remains is grouped anew.
    """
    group = _Union(count)
    for pair in pairs:
        if pair.kind == "exact":
            group.join(pair.first, pair.second)
    edges = {(group.find(pair.first), group.find(pair.second)) for pair in pairs if pair.kind != "exact"}
    for members in _hanging_together(edges):
        for member in members[1:]:
            group.join(members[0], member)
    return np.array([group.find(position) for position in range(count)], np.int64)


def _hanging_together(edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The groups that *edges* make, large ones cut into stars."""
    partners: dict[int, set[int]] = {}
    for first, second in edges:
        partners.setdefault(first, set()).add(second)
        partners.setdefault(second, set()).add(first)
    done: list[list[int]] = []
    waiting = set(partners)
    while waiting:
        members = _reached(min(waiting), partners, waiting)
        while len(members) > _CHAINED:
            centre = max(sorted(members), key=lambda member: len(partners[member] & members))
            star = {centre, *(partners[centre] & members)}
            done.append(sorted(star))
            members -= star
            waiting -= star
            if members:
                members = _reached(min(members), partners, members)
        if members:
            done.append(sorted(members))
            waiting -= members
    return done


def _reached(start: int, partners: dict[int, set[int]], among: set[int]) -> set[int]:
    found, front = {start}, [start]
    while front:
        new = (partners[front.pop()] & among) - found
        found |= new
        front += new
    return found


class _Union:
    """Sets of positions that are joined; the smallest of a set stands for it."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def find(self, position: int) -> int:
        while self.parent[position] != position:
            self.parent[position] = self.parent[self.parent[position]]
            position = self.parent[position]
        return position

    def join(self, one: int, two: int) -> None:
        first, second = sorted((self.find(one), self.find(two)))
        self.parent[second] = first
