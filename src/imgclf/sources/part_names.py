"""Which part of a set the name of a folder or table tells: training, validation, test."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PART_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("fold", "split"), "fold"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval", "holdout"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_RANKS = {"train": 0, "fold": 1, "": 2, "validation": 3, "test": 4}  # which part a message advises first
_BESIDES = frozenset({"set", "sets", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos"})


def part_of(name: str) -> str:
    """``"train"``, ``"fold"``, ``"validation"`` or ``"test"``, or nothing: ``test1``, ``training_set``, ``seg_train``.

    >>> part_of("cars_train"), part_of("test1"), part_of("cats")
    ('train', 'test', '')
    """
    return min((_PART_OF[word] for word in _words(name) & _PART_OF.keys()), key=_RANKS.__getitem__, default="")


def is_part(name: str, *, whole: bool = False) -> bool:
    """Whether a folder is a part of a set by its name; with *whole*, by every word of it."""
    words = _words(name)
    return bool(words & _PART_OF.keys()) and (not whole or words <= _PART_OF.keys() | _BESIDES)


def are_parts(names: Iterable[str]) -> bool:
    """Whether every name tells a part, and not all the same: ``cars_train`` and ``cars_test``."""
    told = [{_PART_OF[word] for word in _words(name) & _PART_OF.keys()} for name in names]
    return all(told) and len(set().union(*told)) > 1


def rank(name: str) -> int:
    """Training first, test last; *name* is a folder's."""
    return _RANKS[part_of(name)]


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainA
    return set(filter(None, re.split(r"[\W\d_]+", parted.casefold())))
