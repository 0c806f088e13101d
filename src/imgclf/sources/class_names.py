"""Names of classes and the labels they give: one rule for every source.

A label is a position in the class names.  Without names of the user's own, the labels found are the names, in natural
order (``1, 2, 10``).  What looks like a slip (two spellings of one name, a number of its own for every picture) is an
error.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, OptionError, listed
from .base import UNLABELLED
from .names import natural

_MANY, _ALONE = 10, 0.05  # so many classes of one picture, in so large a share of the pictures: ids, not classes
_FEW, _CLASSES = 3, 20  # on average fewer pictures than this in so many classes: ids too
_COMMON = 5  # pictures of a class that a single picture's class may be a slip of
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,99}(\.[0-9]{0,99})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


def given_names(class_names: Iterable[str] | None, least: int = 2) -> tuple[str, ...] | None:
    """The class names that a user gave, as a tuple, or None.

    Raises:
        OptionError: a single text, something that is no text, fewer than *least* names.
        DatasetError: two names that differ only in spelling.
    """
    if class_names is None:
        return None
    names = () if isinstance(class_names, str) else tuple(class_names)
    if isinstance(class_names, str) or not all(isinstance(name, str) and name for name in names):
        raise OptionError(f"class_names is {class_names!r}; expected several texts, such as ('cat', 'dog').")
    if len(names) < least:
        raise OptionError(f"class_names is {names!r}; a classifier needs at least two classes. Name them all.")
    check_spelling(names, by_hand=True)
    return names


def check_spelling(names: Sequence[str], where: str = "class_names", *, by_hand: bool = False) -> None:
    """Refuse names that differ only in case, in spaces and characters that nobody sees, or in Unicode's spelling.

    Names that were written down *by_hand* may differ in case (a set of letters has the classes ``a`` and ``A``) and in
    Unicode's variants of a sign (``2`` and ``²``).
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        seen = "".join(c for c in name if unicodedata.category(c) != "Cf")  # no width, such as U+200B
        plain = " ".join(unicodedata.normalize("NFC" if by_hand else "NFKC", seen).split())
        groups.setdefault(plain if by_hand else unicodedata.normalize("NFC", plain.casefold()), []).append(name)
    if same := [group for group in groups.values() if len(group) > 1]:
        alike = "; ".join(" and ".join(ascii(name) for name in group) for group in same[:5])
        raise DatasetError(
            f"{where} has classes that differ only in case, spaces or the composing of letters: {alike}. "
            "Rename them to one name, or to names that differ; if upper and lower case are different classes, name all "
            "of them in class_names."
        )


def labels_of(
    texts: Sequence[str | None], class_names: tuple[str, ...] | None, where: str
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Class names and labels, from the name of each picture's class.

    Args:
        texts: Per picture the name of its class; None: unlabelled.
        class_names: The user's own, which then fix the labels; None takes the names found.
        where: What the messages call the set.

    Raises:
        DatasetError: a name that is none of *class_names*; without these: one class only, two spellings of one name,
            or nearly as many classes as pictures.
    """
    found = {text for text in texts if text is not None}
    names = class_names
    if names is None:
        names = tuple(natural(found))
        _check_found(names, Counter(text for text in texts if text is not None), where)
    if unknown := found.difference(names):
        raise _not_named(natural(unknown), names, where)
    position: dict[str | None, int] = {name: label for label, name in enumerate(names)}
    return names, np.array([position.get(text, UNLABELLED) for text in texts], np.int32)


def labels_of_table(
    texts: Sequence[str], class_names: tuple[str, ...] | None, where: str
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Class names and labels from the cells of a table, where a class may be a name or a number.

    ``3.0`` is taken as ``3``, unless *class_names* have it so, and ``-1`` as unlabelled.  Numbers are names like
    others, as they stand; but where *class_names* are given and none of them is a number, they are positions in
    *class_names*.

    Raises:
        DatasetError: as :func:`labels_of`; one number in two spellings, ``1`` and ``01``.
    """
    if not all(map(_WHOLE.fullmatch, texts)) or (class_names is not None and set(texts) <= set(class_names)):
        unlabelled = {"-1"}.difference(class_names or ())
        warn_of_unlabelled(sum(text in unlabelled for text in texts), len(texts), where)
        _check_numbers(set(texts).difference(class_names or ()), where)
        return labels_of([None if text in unlabelled else text for text in texts], class_names, where)
    numbers = [int(text.partition(".")[0]) for text in texts]
    warn_of_unlabelled(numbers.count(UNLABELLED), len(texts), where)
    as_names = [
        None if number == UNLABELLED else text.partition(".")[0].lstrip("+")
        for text, number in zip(texts, numbers, strict=True)
    ]
    _check_numbers({name for name in as_names if name}.difference(class_names or ()), where)
    if class_names is None or any(_WHOLE.fullmatch(name) for name in class_names):
        return labels_of(as_names, class_names, where)
    return class_names, labels_in_range(np.array(numbers, np.int64), class_names, where)


def labels_in_range(
    numbers: npt.NDArray[np.integer], class_names: tuple[str, ...], where: str
) -> npt.NDArray[np.int32]:
    """*numbers* as labels, each −1 (unlabelled) or a position in *class_names*.

    Raises:
        DatasetError: a number outside.
    """
    outside = (numbers < UNLABELLED) | (numbers >= len(class_names))
    if outside.any():
        raise DatasetError(
            f"{where} has labels outside 0 to {len(class_names) - 1} (−1: unlabelled): "
            f"{listed(np.unique(numbers[outside]).tolist())}, for {len(class_names)} class names. "
            "Give one class name per label."
        )
    return numbers.astype(np.int32)


def warn_of_unlabelled(count: int, pictures: int, where: str) -> None:
    """Say how many labels are −1 where some are and some are not: elsewhere that may be a class."""
    if 0 < count < pictures:
        warnings.warn(
            f"{count:,} of {pictures:,} labels of {where} are −1, which means unlabelled: training leaves these "
            "pictures out. If −1 stands for a class, number the classes 0, 1 ….",
            stacklevel=4,
        )


def _check_numbers(names: set[str], where: str) -> None:
    """Refuse one number in two spellings, such as ``1`` and ``01``: one class or two?"""
    groups: dict[Fraction, list[str]] = {}
    for name in natural(names):
        if _NUMBER.fullmatch(name):
            groups.setdefault(Fraction(name), []).append(name)
    if twice := [group for group in groups.values() if len(group) > 1]:
        raise DatasetError(
            f"{where} writes one number in several ways: {'; '.join(listed(group) for group in twice[:5])}. Write it "
            "in one, or name the classes as they stand in class_names."
        )


def _check_found(names: tuple[str, ...], counts: Counter[str], where: str) -> None:
    pictures = counts.total()
    check_spelling(names, where)
    if pictures and len(names) == 1:
        raise DatasetError(
            f"{where} has one class only, {names[0]!r}; a classifier tells at least two apart. "
            "Add the others, or name all classes in class_names."
        )
    alone = [name for name in names if counts[name] == 1]
    ids = len(names) >= _CLASSES and pictures < _FEW * len(names)
    if ids or (len(alone) == len(names) and pictures > 2) or (len(alone) >= _MANY and len(alone) > _ALONE * pictures):
        raise DatasetError(
            f"{where} would have {len(names):,} classes for {pictures:,} pictures, {len(alone):,} of them with a "
            f"single picture: {listed(alone or names)}. That looks like a number of each picture's own, not a class. "
            "Say where the class stands, name the classes in class_names, move other pictures elsewhere, or load the "
            "pictures as unlabelled."
        )
    common = [name for name in names if counts[name] >= _COMMON]
    for name in alone:
        if not _NUMBER.fullmatch(name) and (near := get_close_matches(name, common, n=1, cutoff=0.75)):
            warnings.warn(
                f"{where} has a class {name!r} of one picture beside {near[0]!r} of {counts[near[0]]:,}: a slip? "
                "Correct the name, or name all classes in class_names.",
                stacklevel=4,
            )


def _not_named(unknown: Sequence[str], names: tuple[str, ...], where: str) -> DatasetError:
    nearest = get_close_matches(unknown[0], names, n=1)
    hint = f" Did you mean {nearest[0]!r} for {unknown[0]!r}?" if nearest else ""
    return DatasetError(
        f"{where} has classes that class_names lacks: {listed(unknown)}; class_names: {listed(names, most=20)}.{hint} "
        "Name every class once, or leave class_names out."
    )
