"""Which part of a set each picture goes to: shares of every class, and what belongs together stays together.

In: labels, keys, groups, the shares wanted.  Out: the number of the part ``(n,)`` of every picture.

A *unit* is what no split parts: a picture, or pictures joined by a group or by being duplicates.  Everything is decided
by a hash of the seed and of keys, so neither the order of listing nor the platform nor a library's random numbers
matter.  Large units go first, each to the part that its hash prefers while there is room (consistent hashing with
bounded loads: Mirrokni, Thorup and Zadimoghaddam 2018); single pictures then fill every class up to its quota, in the
order of their hashes.  So adding pictures moves few of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt

from .errors import DatasetError, OptionError, listed, with_reasons
from .grouping import Ints, is_whole

_ROUNDS = 10  # over the units; two or three suffice
_MISSED, _FEW = 0.2, 2  # a share is missed by more than this part of it, and by more than so many pictures


def read_positions(given: npt.ArrayLike | slice, count: int) -> Ints:
    """The positions ``(m,)`` that whole numbers, a mask or a slice choose among *count* pictures.

    Raises:
        DatasetError: something else, or a position that is not there.
    """
    if isinstance(given, slice):
        return np.arange(count)[given]
    try:
        positions = np.atleast_1d(np.asarray(given))
    except ValueError:  # lists of different lengths
        positions = np.array([given], dtype=object)
    if positions.dtype == bool and positions.shape == (count,):
        return np.flatnonzero(positions)
    if positions.ndim != 1 or (positions.size and positions.dtype.kind not in "iu"):
        raise DatasetError(
            f"positions are {positions.dtype} of shape {positions.shape}; expected whole numbers (m,), a mask of "
            f"{count:,} bools, or a slice."
        )
    if (outside := positions[(positions < -count) | (positions >= count)]).size:
        raise DatasetError(f"the set has no positions {listed(outside.tolist())}; give 0 to {count - 1:,}.")
    return positions.astype(np.int64)


def split_quotas(counts: Sequence[int], held_out: Sequence[float]) -> Ints:
    """How many pictures ``(parts, k)`` of each class go to each held-out part, and, last, to the rest.

    >>> split_quotas([10, 4], [0.2]).tolist()
    [[2, 1], [8, 3]]

    Args:
        counts: Pictures of each class, ``(k,)``.
        held_out: The shares; every class gets at least one picture in every part, if it has enough.

    Raises:
        OptionError: a share that is none, or nothing left.
    """
    for share in held_out:
        if not isinstance(share, (int, float, np.number)) or isinstance(share, bool) or not 0 < share < 1:
            raise OptionError(f"a part is to have {share!r}; expected a share above 0 and below 1, such as 0.2.")
    if sum(held_out) >= 1:
        raise OptionError(f"the parts are to have {listed(held_out)}: nothing is left to train on. Ask for less.")
    columns = []
    for count in counts:
        column, left = [], count
        for place, share in enumerate(held_out):
            most = left - (len(held_out) - place)  # one for each part that is still to come
            column.append(max(min(max(int(count * share + 0.5), 1), most), 0))
            left -= column[-1]
        columns.append([*column, left])
    return np.array(columns, dtype=np.int64).T


def fold_quotas(counts: Sequence[int], class_names: Sequence[str], folds: int, seed: int) -> Ints:
    """How many pictures ``(folds, k)`` of each class go to each fold: the same number, or one more.

    Which folds get one more is drawn by the class's name, so that they are not the same ones for every class.

    Raises:
        OptionError: *folds* is no whole number from 2 on.
    """
    if not is_whole(folds) or folds < 2:
        raise OptionError(f"count is {folds!r}; expected a whole number of folds. Give 2 or more, such as 5.")
    quotas = np.repeat(np.array(counts, dtype=np.int64)[None] // folds, folds, axis=0)
    for label, (name, count) in enumerate(zip(class_names, counts, strict=True)):
        first = int.from_bytes(_digest(seed, name)[:8], "big") % folds
        quotas[(first + np.arange(count % folds)) % folds, label] += 1
    return quotas


def assign(
    labels: npt.NDArray[np.int32],
    keys: Sequence[str],
    class_names: Sequence[str],
    *,
    units: Ints | None,
    quotas: Ints,
    seed: int,
) -> Ints:
    """The part ``(n,)`` of each picture: as near to the quotas as the units allow, every class in every part.

    Args:
        labels: ``(n,)`` positions in *class_names*.
        keys: ``(n,)`` the pictures' names, each different.
        class_names: ``k`` names.
        units: ``(n,)`` the unit of each picture; None: each stands alone.
        quotas: ``(parts, k)`` pictures wanted; the columns add up to the pictures of each class.
        seed: Another seed, another assignment.

    Raises:
        DatasetError: no pictures, a class of fewer units than there are parts, or no assignment with every class in
            every part was found.
    """
    if not is_whole(seed):
        raise OptionError(f"seed is {seed!r}; expected a whole number. Give one, such as 42.")
    if not len(keys):
        raise DatasetError("the set holds no pictures, so there is nothing to split. Load some.")
    board = _Board.laid_out(labels, keys, units, quotas, seed)
    _check_enough(board, class_names, len(quotas))
    together = np.flatnonzero(board.sizes > 1)
    for unit in sorted(together.tolist(), key=lambda unit: (-board.sizes[unit], board.ranks[unit])):
        board.put(unit, _choice(board, unit))
    for label, singles in enumerate(board.singles()):
        blocks = np.repeat(np.arange(len(quotas)), _filled(board.room[:, label], quotas[:, label], len(singles)))
        board.part[singles] = blocks
        board.room[:, label] -= np.bincount(blocks, minlength=len(quotas))
    _even_out(board, together)
    _repair(board, class_names)
    return board.part[board.units]


def missed_shares(parts: Ints, labels: npt.NDArray[np.int32], class_names: Sequence[str], quotas: Ints) -> list[str]:
    """Where a part has over a fifth, and over 2 pictures, more or less of a class than *quotas* ``(parts, k)`` want."""
    got = np.zeros_like(quotas)
    np.add.at(got, (parts, labels), 1)
    far = np.abs(got - quotas) > np.maximum(_MISSED * quotas, _FEW)
    return [
        f"{class_names[label]!r} has {got[part, label]:,} pictures where {quotas[part, label]:,} were wanted"
        for part, label in np.argwhere(far).tolist()
    ]


@dataclass(frozen=True, eq=False)
class _Board:
    """Units, the parts they are in so far, and what room the parts have left.

    Attributes:
        units: ``(n,)`` the unit of each picture, 0 to m − 1.
        ranks: ``m`` digests: a unit is ranked by that of its smallest key, so that a later picture changes it seldom.
        sizes: ``(m,)`` pictures.
        cells: ``(c, 3)`` rows of unit, label, pictures of that label, in the order of the units.
        starts: ``(m + 1,)`` where a unit's cells begin.
        totals: ``(k,)`` pictures of each class.
        quotas: ``(parts, k)`` pictures wanted.
        room: ``(parts, k)`` pictures still wanted; below 0 where there are too many.
        part: ``(m,)`` the part of each unit; −1: none yet.
    """

    units: Ints
    ranks: list[bytes]
    sizes: Ints
    cells: Ints
    starts: Ints
    totals: Ints
    quotas: Ints
    room: Ints
    part: Ints

    @classmethod
    def laid_out(
        cls, labels: npt.NDArray[np.int32], keys: Sequence[str], units: Ints | None, quotas: Ints, seed: int
    ) -> _Board:
        digests = [_digest(seed, key) for key in keys]
        given = np.arange(len(keys)) if units is None else units
        by_key = np.argsort(np.asarray(keys, dtype=np.str_), kind="stable")
        _, first, unit, sizes = np.unique(given[by_key], return_index=True, return_inverse=True, return_counts=True)
        units = np.empty(len(keys), dtype=np.int64)
        units[by_key] = unit
        classes = quotas.shape[1]
        pairs, counts = np.unique(units * classes + labels, return_counts=True)
        cells = np.stack([pairs // classes, pairs % classes, counts], axis=1)
        starts = np.searchsorted(cells[:, 0], np.arange(len(sizes) + 1))
        ranks = [digests[position] for position in by_key[first]]
        part = np.full(len(sizes), -1, dtype=np.int64)
        return cls(units, ranks, sizes, cells, starts, quotas.sum(axis=0), quotas, quotas.copy(), part)

    def cells_of(self, unit: int) -> list[tuple[int, int]]:
        """The unit's labels, and how many pictures it has of each."""
        rows = self.cells[self.starts[unit] : self.starts[unit + 1], 1:]
        return [(label, count) for label, count in rows.tolist()]

    def singles(self) -> list[list[int]]:
        """For each label the units that are one picture, by rank."""
        rows = self.cells[self.sizes[self.cells[:, 0]] == 1]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        borders = np.searchsorted(rows[:, 1], np.arange(1, len(self.totals)))
        return [sorted(units.tolist(), key=self.ranks.__getitem__) for units in np.split(rows[:, 0], borders)]

    def put(self, unit: int, part: int) -> None:
        """Put the unit into this part, away from where it was."""
        for label, count in self.cells_of(unit):
            if self.part[unit] >= 0:
                self.room[self.part[unit], label] += count
            self.room[part, label] -= count
        self.part[unit] = part

    def cost(self, unit: int, part: int) -> float:
        """What putting it there adds to the squared distance from the quotas, each class weighed by 1/its pictures."""
        return fsum(
            count * (count - 2 * int(self.room[part, label])) / int(self.totals[label])
            for label, count in self.cells_of(unit)
        )

    def uneven(self) -> bool:
        """Whether a part is further from a quota than the largest unit of that class."""
        largest = np.zeros_like(self.totals)
        np.maximum.at(largest, self.cells[:, 1], self.cells[:, 2])
        return bool((np.abs(self.room) > largest).any())

    def lacking(self) -> Iterator[tuple[int, int]]:
        """The (part, label) where a part has no picture of a class."""
        yield from (
            (int(part), int(label)) for part, label in np.argwhere((self.quotas == self.room) & (self.totals > 0))
        )


def _digest(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _check_enough(board: _Board, class_names: Sequence[str], parts: int) -> None:
    faults = []
    for label, units in enumerate(np.bincount(board.cells[:, 1], minlength=len(class_names))):
        count = int(board.totals[label])
        if 0 < units < parts:
            tied = f" in {units:,} {'group' if units == 1 else 'groups'} that stay together" if units < count else ""
            faults.append(f"{class_names[label]!r} has {count:,} {'picture' if count == 1 else 'pictures'}{tied}")
    if faults:
        raise DatasetError(
            with_reasons(
                f"a picture stands in one part, and groups and duplicates stay together, so these classes cannot stand "
                f"in each of {parts} parts. Add pictures, drop the class, or ask for fewer parts or looser groups "
                "(duplicates='exact' joins only copies):",
                faults,
            )
        )


def _choice(board: _Board, unit: int) -> int:
    """The part that the unit's hash prefers, while there is room for half of it; else the one where it fits best."""
    drawn = int.from_bytes(board.ranks[unit][:8], "big") / 2**64
    borders = np.cumsum(board.quotas.sum(axis=1)) / board.quotas.sum()
    preferred = min(int(np.searchsorted(borders, drawn, side="right")), len(borders) - 1)
    if board.cost(unit, preferred) < 0:
        return preferred
    others = [(preferred + step) % len(borders) for step in range(len(borders))]
    return min(others, key=lambda part: board.cost(unit, part))


def _filled(room: Ints, quotas: Ints, count: int) -> Ints:
    """How many of *count* single pictures go to each part ``(parts,)``: what it has room for, less what others took."""
    sizes = np.maximum(room, 0)
    for _ in range(int(sizes.sum()) - count):
        short = np.where(sizes > 0, (room - sizes + 1) / np.maximum(quotas, 1), np.inf)
        sizes[np.argmin(short)] -= 1
    return sizes


def _even_out(board: _Board, together: Ints) -> None:
    """Where a part is far from a quota, as units that span classes can bring about, move units while that helps."""
    movable = sorted(together.tolist(), key=board.ranks.__getitem__)
    for _ in range(_ROUNDS if board.uneven() else 0):
        before = board.part.copy()
        for unit in movable:
            best = min(range(len(board.quotas)), key=lambda part: (_harm(board, unit, part), part))
            board.put(unit, best)
        if (before == board.part).all() or not board.uneven():
            return


def _repair(board: _Board, class_names: Sequence[str]) -> None:
    """Give every part a picture of every class, each time by the move that harms least; a unit moves once."""
    moved: set[int] = set()
    while (found := next(board.lacking(), None)) is not None:
        part, label = found
        units = [unit for unit in board.cells[board.cells[:, 1] == label, 0].tolist() if unit not in moved]
        if not units:
            raise DatasetError(
                f"the pictures of {class_names[label]!r} share groups or duplicates with other classes so that no "
                f"assignment to {len(board.quotas)} parts was found with every class in every part. Ask for fewer "
                "parts, for looser groups, or add pictures."
            )
        best = min(units, key=lambda unit: _harm(board, unit, part))
        board.put(best, part)
        moved.add(best)


def _harm(board: _Board, unit: int, part: int) -> tuple[int, float, bytes]:
    """What moving the unit spoils: classes that its part would lack, distance from the quotas, and, last, its rank."""
    home = int(board.part[unit])
    if home == part:
        return 0, 0.0, board.ranks[unit]
    emptied = sum(board.quotas[home, label] - board.room[home, label] == count for label, count in board.cells_of(unit))
    away = fsum(
        count * (count + 2 * int(board.room[home, label])) / int(board.totals[label])
        for label, count in board.cells_of(unit)
    )
    return int(emptied), board.cost(unit, part) + away, board.ranks[unit]
