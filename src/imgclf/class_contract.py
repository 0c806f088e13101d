"""The class contract: names fixed once, by the training source; every other source is matched to them by name.

In: the class names of two sets.  Out: where each class of the one stands in the other, or an error that says why not.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from .errors import DatasetError, OptionError, listed
from .sources import UNLABELLED, DatasetSource, Samples
from .sources.class_names import check_spelling


def checked_class_names(names: object, owner: str) -> tuple[str, ...]:
    """*names* as a tuple, once they are texts that nobody can confuse; upper and lower case may differ on purpose.

    None at all are the names of a set without labels.

    Raises:
        OptionError: a single text, something that is no text, or a name that stands twice.
        DatasetError: names that differ only in the spaces around them or in how Unicode composes a letter.
    """
    given: tuple[object, ...] = tuple(names) if isinstance(names, Sequence | np.ndarray) else ()
    plain = tuple(str(name) for name in given if isinstance(name, str))
    several = isinstance(names, Sequence | np.ndarray) and not isinstance(names, str)
    if not several or len(plain) < len(given) or len(set(plain)) < len(plain):
        raise OptionError(f"class_names of {owner} are {names!r}; expected several texts, each different.")
    check_spelling(plain, owner, by_hand=True)
    return plain


def checked_samples(source: object) -> Samples:
    """The samples of *source*, once it is one.

    Raises:
        OptionError: it is none, or gives something else.
    """
    if isinstance(source, type) or not isinstance(source, DatasetSource):
        what = f"the class {source.__name__}" if isinstance(source, type) else repr(source)
        raise OptionError(
            f"{what} is no source; expected an object with class_names, samples and read, such as FolderSource('pets')."
        )
    samples: object = source.samples()
    if not isinstance(samples, Samples):
        raise OptionError(
            f"samples() gave a {type(samples).__name__}; expected Samples(keys=…, labels=…). Return that."
        )
    return samples


def class_digest(class_names: Sequence[str]) -> str:
    """SHA-256 of the names in their order: what two sets, or a set and a classifier, must agree on.

    >>> class_digest(["cat", "dog"])[:12]
    'cd73b2771c51'
    >>> class_digest(["cat", "dog"]) == class_digest(["dog", "cat"])
    False
    """
    text = json.dumps([str(name) for name in class_names])  # ASCII, so that no encoding can make a difference
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_labels(labels: npt.NDArray[np.int32], class_names: Sequence[str]) -> None:
    """Raise a ``DatasetError`` if a label of *labels* ``(n,)`` is neither a position in *class_names* nor −1."""
    wrong = np.unique(labels[(labels < UNLABELLED) | (labels >= len(class_names))])
    if len(wrong):
        raise DatasetError(
            f"the labels {listed(int(label) for label in wrong)} stand for no class; expected 0 to "
            f"{len(class_names) - 1} for {listed(class_names, 20)}, or −1 for none."
        )


def places(counts: Mapping[str, int], class_names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Where each class of a set stands in *class_names*, ``(k,)``; −1 for one that has no pictures and no place.

    A class of the contract without a picture is warned of, unless no picture has a label: no figure can be had for it.

    Args:
        counts: The pictures of each class of the set, in the order of its labels.
        class_names: The contract.

    Raises:
        DatasetError: pictures of a class that the contract has not, or has in another spelling.
    """
    place = {name: position for position, name in enumerate(class_names)}
    unknown = [name for name, count in counts.items() if count and name not in place]
    if unknown:
        raise _refusal(unknown, class_names)
    absent = [name for name in class_names if not counts.get(name)]
    if absent and any(counts.values()):  # a set without labels is there to be predicted
        warnings.warn(f"no pictures of {listed(absent)}: figures for it cannot be had from this set.", stacklevel=3)
    return np.array([place.get(name, UNLABELLED) for name in counts], dtype=np.int32)


def _refusal(unknown: Sequence[str], class_names: Sequence[str]) -> DatasetError:
    spelt = {_plain(name): name for name in class_names}
    twins = {name: spelt[_plain(name)] for name in unknown if _plain(name) in spelt}
    strangers = [name for name in unknown if name not in twins]
    said = []
    if strangers:
        said.append(
            f"the classes {listed(strangers)} are not among {listed(class_names, 20)}. "
            "Rename their folders or files, or leave them out."
        )
    if twins:
        pairs = "; ".join(f"{name!a} and {twin!a}" for name, twin in list(twins.items())[:5])
        said.append(
            f"these names of classes, here and in the training set, differ only in case, spaces or the form of their "
            f"letters: {pairs}. Give each class one spelling."
        )
    return DatasetError(" ".join(said))


def _plain(name: str) -> str:
    """The name without what the eye does not see: case, kinds and numbers of spaces, forms of the same letter."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(sign for sign in folded if unicodedata.category(sign) != "Cf").split())
