"""Source → ``Dataset``: pictures decoded once to uint8, with labels, keys and class names that stay together.

In: a ``DatasetSource`` and the size wanted.  Out: a frozen record that can be split, shown and trained on.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args, overload

import numpy as np
import numpy.typing as npt

from .class_contract import check_labels, checked_class_names, checked_samples, class_digest, places
from .errors import DatasetError, OptionError, about, listed, with_reasons
from .grouping import Duplicates, Groups, Ints, SplitOptions, alike, joined, loosened, read_groups
from .images import ColorMode, Fit, ImageSpec, Pixels
from .sources import UNLABELLED, ArraySource, DatasetSource
from .splitting import assign, fold_quotas, missed_shares, read_positions, split_quotas
from .store import decode
from .tables import Table, page, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled pictures of one size, ready to be trained on.  Made by :meth:`load` or :meth:`from_arrays`.

    A part (:meth:`split`, :meth:`take`) shares the pixels of the whole; nothing is copied.

    >>> Dataset.from_arrays(np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 1, 1], ("cat", "dog"))
    Dataset(4 pictures 8×8×3; cat: 2, dog: 2)

    Attributes:
        store: uint8 ``(N, height, width, channels)``: all decoded pixels, in memory or as a memory map.
        rows: ``(n,)`` the positions in ``store`` of this set's pictures.
        labels: ``(n,)`` int32: positions in ``class_names``; −1 for a picture without a label.
        keys: ``(n,)`` strings that name the pictures.
        class_names: The classes, in the order of the labels.
        spec: How the pictures were prepared; a classifier trained on them keeps it.
        skipped: ``(key, reason)`` of every picture that could not be read (with ``on_error="skip"``).
    """

    store: Pixels
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int32]
    keys: npt.NDArray[np.str_]
    class_names: tuple[str, ...]
    spec: ImageSpec
    skipped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def load(
        cls,
        source: DatasetSource,
        *,
        image_size: tuple[int, int] | None = None,
        color_mode: ColorMode | None = None,
        fit: Fit = "stretch",
        on_error: Literal["raise", "skip"] = "raise",
        cache: bool = True,
        progress: bool = True,
    ) -> Dataset:
        """Decode every picture of *source*, in threads.

        Args:
            source: Anything with ``class_names``, ``samples`` and ``read``.
            image_size: ``(height, width)`` in pixels; None, for a table of pixels or arrays alone, keeps their size.
            color_mode: ``"rgb"`` or ``"grayscale"``; None means rgb, but grayscale for a source that holds grey arrays.
            fit: How another aspect is dealt with: see :class:`~imgclf.ImageSpec`.
            on_error: What a picture that cannot be read does: ``"raise"`` names all of them, ``"skip"`` leaves them
                out and lists them in ``skipped``.
            cache: Keep the decoded pixels under the user's cache folder (or ``$IMGCLF_CACHE``) if the source has a
                ``fingerprint``; the next load is then instant, and a changed file is noticed.  Tables of pixels and
                arrays are held in memory as they are.
            progress: Show a bar while decoding.

        Raises:
            DatasetError: no pictures, pictures that cannot be read, or a class of which none can be.
            OptionError: something that is no source, or no size where one is needed.
        """
        if on_error not in ("raise", "skip"):
            raise OptionError(f"on_error is {on_error!r}; expected 'raise' or 'skip'.")
        samples = checked_samples(source)
        if not len(samples):
            raise DatasetError(f"{source!r} holds no pictures. Check its path.")
        keys = [str(key) for key in samples.keys]
        spec = _resolved(source, keys[0], image_size, color_mode, fit)
        store = decode(source, keys, spec, cache=cache, progress=progress)
        skipped = tuple((keys[position], reason) for position, reason in store.failed.items())
        if skipped and (on_error == "raise" or len(skipped) == len(keys)):
            raise DatasetError(_unreadable(skipped, len(keys)))
        rows = np.setdiff1d(np.arange(len(keys)), list(store.failed), assume_unique=True).astype(np.int64)
        names = checked_class_names(source.class_names, repr(source))
        check_labels(samples.labels, names)
        images = store.images.view()
        images.flags.writeable = False  # every part of a split shares them
        data = cls(images, rows, samples.labels[rows], samples.keys[rows], names, spec, skipped)
        if skipped:
            _say_skipped(data, samples.labels)
        return data

    @classmethod
    def from_arrays(
        cls,
        images: npt.ArrayLike,
        labels: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> Dataset:
        """The set of pictures that are arrays already: uint8 ``(n, height, width[, channels])``, labels ``(n,)``."""
        return cls.load(ArraySource(images, labels, class_names))

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.spec.shape))
        counts = ", ".join(f"{visible(name)}: {count:,}" for name, count in self.class_counts().items())
        skipped = f"; {len(self.skipped):,} skipped" if self.skipped else ""
        return f"Dataset({len(self):,} pictures {shape}; {counts}{skipped})"

    def _repr_html_(self) -> str:
        return page(repr(self), Table(("class", "pictures"), list(self.class_counts().items())), self.head())

    @property
    def images(self) -> Pixels:
        """uint8 ``(n, height, width, channels)``; for a part of a larger set this is a copy."""
        whole = len(self.rows) == len(self.store) and bool((self.rows == np.arange(len(self.store))).all())
        return self.store if whole else self.store[self.rows]

    def pictures(self, positions: npt.ArrayLike) -> Pixels:
        """A copy of the pictures at *positions* ``(m,)``: uint8 ``(m, height, width, channels)``."""
        return np.asarray(self.store[self.rows[np.asarray(positions, dtype=np.int64)]])

    def take(self, positions: npt.ArrayLike | slice) -> Dataset:
        """The part at *positions*, in that order, sharing the pixels.

        Args:
            positions: Whole numbers ``(m,)``, negative ones from the end; a mask ``(n,)`` of bools; a slice.

        Raises:
            DatasetError: something else, or a position that the set does not have.
        """
        chosen = read_positions(positions, len(self))
        return replace(self, rows=self.rows[chosen], labels=self.labels[chosen], keys=self.keys[chosen], skipped=())

    @overload
    def split(self, *, test: None = None, **options: Unpack[SplitOptions]) -> tuple[Dataset, Dataset]: ...

    @overload
    def split(self, *, test: float, **options: Unpack[SplitOptions]) -> tuple[Dataset, Dataset, Dataset]: ...

    def split(
        self,
        *,
        validation: float = 0.2,
        test: float | None = None,
        seed: int = 42,
        groups: Groups | None = None,
        duplicates: Duplicates = "near",
    ) -> tuple[Dataset, ...]:
        """Parts without a picture in common: the rest, the share *validation* of every class and, if asked for, *test*.

        Pictures go by a hash of the seed and their key, so the split depends neither on the order of listing nor on
        the platform, and adding pictures moves few of the others.  Changing *validation* does not change the test part.

        Args:
            validation: The share of every class, above 0 and below 1; each class keeps at least one on either side.
            test: The share of a third part; None: two parts.
            seed: Another seed, another split.
            groups: What must stay on one side (a patient, a burst, a video): a name per picture, a mapping from key to
                name, or a function of the key.
            duplicates: What else does: ``"near"`` copies, re-encoded and resized ones too, ``"exact"`` ones, or
                ``"ignore"``.  :attr:`duplicate_groups` has them: under two labels only exact ones.  Where near ones
                leave no way to split, or miss a share, a warning says so.

        Raises:
            DatasetError: a picture has no label, or a class cannot be on both sides.
        """
        shares = [validation] if test is None else [test, validation]
        parts = self._assigned(split_quotas(self._counts("split"), shares), groups, duplicates, seed)
        *held_out, rest = [self.take(parts == part) for part in range(len(shares) + 1)]
        return rest, *reversed(held_out)

    def folds(
        self, count: int = 5, *, seed: int = 42, groups: Groups | None = None, duplicates: Duplicates = "near"
    ) -> list[tuple[Dataset, Dataset]]:
        """*count* pairs (training, validation): each picture is in one validation part, by :meth:`fold_numbers`."""
        numbers = self.fold_numbers(count, seed=seed, groups=groups, duplicates=duplicates)
        return [(self.take(numbers != fold), self.take(numbers == fold)) for fold in range(count)]

    def fold_numbers(
        self, count: int = 5, *, seed: int = 42, groups: Groups | None = None, duplicates: Duplicates = "near"
    ) -> Ints:
        """The fold ``(n,)`` of each picture, 0 to *count* − 1: as many of every class in each, units kept together.

        Args:
            count: At least 2, and at most as many as the smallest class has pictures (or groups of them).
            seed: Another seed, other folds.
            groups: As for :meth:`split`.
            duplicates: As for :meth:`split`.

        Raises:
            DatasetError: a picture has no label, or a class cannot be in every fold.
        """
        quotas = fold_quotas(self._counts("make folds"), self.class_names, count, seed)
        return self._assigned(quotas, groups, duplicates, seed)

    def kept_together(self, groups: Groups | None = None, duplicates: Duplicates = "near") -> Ints:
        """A number ``(n,)`` per picture: equal ones share a group or are duplicates, and no split parts them."""
        if duplicates not in get_args(Duplicates):
            raise OptionError(f"duplicates is {duplicates!r}. Give {', '.join(map(repr, get_args(Duplicates)))}.")
        found = [read_groups(groups, self.keys.tolist())] if groups is not None else []
        found += [] if duplicates == "ignore" else [self.duplicate_groups if duplicates == "near" else self._copies]
        return joined(*found) if found else np.arange(len(self))

    @cached_property
    def duplicate_groups(self) -> Ints:
        """For each picture ``(n,)`` the position of one that it is a near duplicate of; its own where it has none."""
        return alike(self.keys, self.labels, self.store, self.rows, near=True)

    @cached_property
    def _copies(self) -> Ints:
        return alike(self.keys, self.labels, self.store, self.rows, near=False)

    def with_class_names(self, class_names: Sequence[str]) -> Dataset:
        """The same pictures with labels counted in *class_names*: classes are matched by name, never by position.

        Raises:
            DatasetError: a class of this set is not among *class_names*, or only in another spelling.
        """
        names = checked_class_names(class_names, "the training set")
        numbered = np.bincount(self.labels[self.labels != UNLABELLED], minlength=len(self.class_names)).tolist()
        place = places(dict(zip(self.class_names, numbered, strict=True)), names)
        if names == self.class_names:
            return self
        labels = np.append(place, np.int32(UNLABELLED))[self.labels]  # −1 picks the last: unlabelled
        return replace(self, labels=labels, class_names=names)

    @property
    def class_digest(self) -> str:
        """A digest of the class names in their order: what another set or a classifier must agree on."""
        return class_digest(self.class_names)

    def class_counts(self) -> dict[str, int]:
        """The number of pictures of every class, and of those ``"(unlabelled)"`` where there are any."""
        counted = {name: int((self.labels == label).sum()) for label, name in enumerate(self.class_names)}
        unlabelled = int((self.labels == UNLABELLED).sum())
        return {**counted, "(unlabelled)": unlabelled} if unlabelled else counted

    def head(self, count: int = 5) -> Table:
        """The first *count* pictures: key, class name, label."""
        return self._table(range(min(count, len(self))))

    def tail(self, count: int = 5) -> Table:
        """The last *count* pictures, as :meth:`head` has the first."""
        return self._table(range(max(len(self) - count, 0), len(self)))

    def show(self, count: int = 20, *, columns: int = 5, titles: Sequence[str] | None = None) -> Figure:
        """A figure of *count* pictures spread evenly over the set, with their classes or *titles* ``(n,)``."""
        from .plots import image_grid

        chosen = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int))
        said = [self._name(position) if titles is None else titles[position] for position in chosen]
        return image_grid(self.pictures(chosen), said, columns=columns)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of pixels, labels, keys, class names and spec: equal sets, equal fingerprints, on any machine."""
        digest = hashlib.sha256(repr((self.class_names, self.spec, [str(key) for key in self.keys])).encode())
        digest.update(np.ascontiguousarray(self.labels, dtype="<i4").tobytes())
        for row in self.rows:  # one by one: a memory map may be larger than memory
            digest.update(np.ascontiguousarray(self.store[row]).data)
        return digest.hexdigest()

    def check_labelled(self, purpose: str) -> None:
        """Raise a ``DatasetError`` if a picture has no label, which *purpose* (a verb) needs."""
        missing = self.keys[self.labels == UNLABELLED]
        if len(missing):
            names = listed(str(key) for key in missing)
            raise DatasetError(f"{len(missing):,} pictures have no label: {names}. Label them to {purpose}.")

    def _counts(self, purpose: str) -> list[int]:
        self.check_labelled(purpose)
        if len(np.unique(self.rows)) < len(self):
            raise DatasetError("pictures stand in this set more than once. Split first, and repeat them afterwards.")
        return list(self.class_counts().values())

    def _assigned(self, quotas: Ints, groups: Groups | None, duplicates: Duplicates, seed: int) -> Ints:
        keys, names = self.keys.tolist(), self.class_names

        def parts(units: Ints) -> Ints:
            return assign(self.labels, keys, names, units=units, quotas=quotas, seed=seed)

        def far(found: Ints) -> list[str]:
            return missed_shares(found, self.labels, names, quotas)

        units = self.kept_together(groups, duplicates)
        if duplicates != "near":
            return parts(units)
        found = loosened(parts, units, lambda: self.kept_together(groups, "exact"))
        if (missed := far(found)) and len(far(parts(self.kept_together(groups, "exact")))) < len(missed):
            said = f"near copies stay together, so parts miss their shares: {'; '.join(missed[:5])}"
            warnings.warn(f"{said}. If they are no copies, split with duplicates='exact'.", stacklevel=3)
        return found

    def _name(self, position: int) -> str:
        return (*self.class_names, "")[int(self.labels[position])]  # −1 picks the last: unlabelled

    def _table(self, positions: range) -> Table:
        rows = [(str(self.keys[i]), self._name(i), int(self.labels[i])) for i in positions]
        return Table(("key", "class_name", "label"), rows)


def _resolved(
    source: DatasetSource, key: str, image_size: tuple[int, int] | None, color_mode: ColorMode | None, fit: Fit
) -> ImageSpec:
    if image_size is not None:
        image_size = ImageSpec(image_size, "rgb", fit).image_size
    holds_arrays = callable(getattr(source, "load_images", None))
    if image_size is None and not holds_arrays:
        raise OptionError("image_size is missing: say to which (height, width) the pictures go, as in (150, 150).")
    own = np.shape(source.read(key)) if holds_arrays else ()
    mode: ColorMode = "grayscale" if own[2:] == (1,) else "rgb"
    return ImageSpec(image_size or (int(own[0]), int(own[1])), color_mode or mode, fit)


def _say_skipped(data: Dataset, labels: npt.NDArray[np.int32]) -> None:
    lost = [data.class_names[label] for label in np.unique(labels[labels != UNLABELLED]) if label not in data.labels]
    if lost:
        raise DatasetError(
            f"none of the pictures of {listed(lost)} can be read. {_unreadable(data.skipped, len(labels))}"
        )
    warnings.warn(
        f"{len(data.skipped):,} of {len(labels):,} pictures cannot be read and are left out: "
        f"{listed(key for key, _ in data.skipped)}. The reasons stand in dataset.skipped.",
        stacklevel=3,
    )


def _unreadable(skipped: Sequence[tuple[str, str]], total: int) -> str:
    advice = "" if len(skipped) == total else " Mend or remove them, or pass on_error='skip'."
    head = f"{len(skipped):,} of {total:,} pictures cannot be read.{advice}"
    return with_reasons(head, [about(key, reason) for key, reason in skipped])
