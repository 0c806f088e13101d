"""Names of files: their order, and which of them nobody means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_HIDDEN_NAMES = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "@eadir"}
)


def natural_key(text: str) -> tuple[Any, ...]:
    """What to sort by so that numbers count by value, and folders stay together.

    >>> sorted(["b/1.jpg", "a/10.jpg", "a/2.jpg", "a-b/1.jpg"], key=natural_key)
    ['a/2.jpg', 'a/10.jpg', 'a-b/1.jpg', 'b/1.jpg']
    """
    return tuple(_part_key(part) for part in text.split("/")), text  # the text itself decides between 1 and 01


def is_hidden(name: str) -> bool:
    """Whether a file or folder called *name* is passed over: ``.x``, ``__MACOSX``, ``Thumbs.db`` and the like."""
    return name.startswith(".") or name.casefold() in _HIDDEN_NAMES


def natural(names: Iterable[str]) -> list[str]:
    """*names* in natural order: ``1, 2, 10``."""
    return sorted(names, key=natural_key)


def _part_key(part: str) -> tuple[Any, ...]:
    pieces = re.split("([0-9]+)", part)  # text and digits in turn, so that like meets like
    return tuple(_number_key(piece) if i % 2 else piece for i, piece in enumerate(pieces))


def _number_key(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant  # orders like int(digits), which refuses more than 4,300 of them
