"""What belongs together: a user's groups and the units that no split parts.

In: a name per picture, a mapping or a function.  Out: whole numbers ``(n,)``, equal where pictures belong together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import DatasetError, OptionError, with_reasons
from .images import Pixels

Ints = npt.NDArray[np.int64]
GroupName = str | int
Groups = Sequence[GroupName] | npt.NDArray[Any] | Mapping[str, GroupName] | Callable[[str], GroupName]
"""What belongs together: a name per picture, by key, or a function of the key."""
Duplicates = Literal["near", "exact", "ignore"]
Made = TypeVar("Made")


class SplitOptions(TypedDict, total=False):
    """What ``Dataset.split`` takes, whether or not it is asked for a test part."""

    validation: float
    seed: int
    groups: Groups | None
    duplicates: Duplicates


def read_groups(groups: Groups, keys: Sequence[str]) -> Ints:
    """The number ``(n,)`` of each picture's group; ``1`` and ``"1"`` name the same one.

    >>> read_groups(lambda key: key.split("_")[0], ["anna_1.png", "ben_1.png", "anna_2.png"]).tolist()
    [0, 1, 0]

    Raises:
        OptionError: something that is neither a list of names, nor a mapping, nor a function.
        DatasetError: another number of names than of pictures, or pictures without a name.
    """
    names = _group_names(groups, keys)
    lacking = [(key, name) for key, name in zip(keys, names, strict=True) if not _is_name(name)]
    if lacking:
        raise DatasetError(
            with_reasons(
                f"{len(lacking):,} of {len(keys):,} pictures have no group; expected a text or whole number for each. "
                "To one that belongs to no other give a group of its own, such as its key.",
                [f"{str(key)!r}: {name!r}" for key, name in lacking],
            )
        )
    return np.unique([str(name) for name in names], return_inverse=True)[1].astype(np.int64)


def alike(keys: npt.NDArray[np.str_], labels: npt.NDArray[np.int32], store: Pixels, rows: Ints, *, near: bool) -> Ints:
    """For each picture ``(n,)`` the position of one that it duplicates; its own where it has none.

    They are looked at in the order of their keys, so that groups do not depend on the order of listing.

    Args:
        keys: ``(n,)`` the pictures' names.
        labels: ``(n,)`` their labels; pictures under two are duplicates only where their pixels are equal.
        store: uint8 ``(N, height, width, channels)``; read picture by picture, as it may be larger than memory.
        rows: ``(n,)`` where the pictures are in it.
        near: Re-encoded, resized and slightly changed copies too; False: equal pixels only.
    """
    from .duplicates import duplicate_groups

    order = np.argsort(keys, kind="stable")
    groups = np.empty(len(keys), dtype=np.int64)
    groups[order] = order[duplicate_groups((store[row] for row in rows[order]), near=near, labels=labels[order])]
    return groups


def joined(*groupings: Ints) -> Ints:
    """The unit ``(n,)`` of each picture, where pictures that share a group in any of *groupings* share a unit.

    >>> joined(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(groupings[0])
    ends, starts = [], []
    nodes = count
    for grouping in groupings:  # a graph of pictures and groups: an edge for each membership
        names, group = np.unique(grouping, return_inverse=True)
        starts.append(np.arange(count))
        ends.append(nodes + group)
        nodes += len(names)
    edges = (np.ones(count * len(groupings), np.int8), (np.concatenate(starts), np.concatenate(ends)))
    _, component = connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)
    return np.unique(component[:count], return_inverse=True)[1].astype(np.int64)


def loosened(make: Callable[[Ints], Made], units: Ints, exact: Callable[[], Ints]) -> Made:
    """What *make* gives for *units* that near copies join; where it refuses, for those of exact ones, with a warning.

    Args:
        make: From units ``(n,)`` to whatever is made of them.
        units: ``(n,)``.
        exact: Gives finer units ``(n,)``.

    Raises:
        DatasetError: *make* refuses both.
    """
    try:
        return make(units)
    except DatasetError:
        finer = exact()
        if len(np.unique(finer)) == len(np.unique(units)):
            raise
        made = make(finer)
    warnings.warn(
        "so many pictures look like near copies of each other that no part could have its classes; so only exact "
        "copies are kept together, as with duplicates='exact'. Name what else belongs together in groups.",
        stacklevel=4,
    )
    return made


def _group_names(groups: Groups, keys: Sequence[str]) -> list[object]:
    if callable(groups):
        return [_asked(groups, str(key)) for key in keys]
    if isinstance(groups, Mapping):
        return [groups.get(str(key)) for key in keys]
    given = np.asarray(groups, dtype=object) if not isinstance(groups, (str, bytes, set, frozenset)) else None
    if given is None or given.ndim != 1:
        raise OptionError(
            f"groups is a {type(groups).__name__}; expected a name per picture in their order, a mapping from key to "
            "name, or a function of the key."
        )
    if len(given) != len(keys):
        raise DatasetError(f"{len(given):,} groups for {len(keys):,} pictures. Give one per picture, in their order.")
    return list(given)


def _asked(groups: Callable[[str], object], key: str) -> object:
    try:
        return groups(key)
    except Exception as error:  # a user's function may raise anything; the picture must be named
        raise DatasetError(
            f"the function given as groups fails for {key!r}: {type(error).__name__}: {error}. It is called with every "
            "key and gives a text or whole number."
        ) from error


def is_whole(value: object) -> bool:
    """Whether *value* is a whole number, Python's or NumPy's, and no bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_name(value: object) -> bool:
    return is_whole(value) or (isinstance(value, str) and bool(value.strip()))
