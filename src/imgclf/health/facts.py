"""Sources → what is known of each picture, from decoding it once: sizes, light, colour, and its look."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..class_contract import checked_class_names, checked_samples
from ..duplicates import Looks, look
from ..errors import DatasetError, ImgclfError
from ..images import inspect_image
from ..sources import UNLABELLED, DatasetSource
from ..sources.picture_files import FileSource
from ..store import in_threads

_RUN = 16  # pictures in one task of a thread
_BAR_FROM = 200  # pictures
_EVEN = 4  # grey levels between the darkest and the brightest value of a picture that shows nothing


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of ``n`` pictures of several sources, one after the other.

    Attributes:
        sources: The sources' names.
        own_names: Each source's class names.
        class_names: All of them, each once, those of the first source first.
        ignored: Per source ``(key, reason)`` of what it passed over.
        keys: n names.
        source: int32 ``(n,)``: position in ``sources``.
        labels: int32 ``(n,)``: position in ``class_names``; −1: unlabelled, or a label that stands for no class.
        strange: ``{position: label}`` of labels that stand for no class of their source.
        heights: int32 ``(n,)`` in pixels; 0 where the picture could not be read, as all below.
        widths: int32 ``(n,)``.
        light: float32 ``(n,)``: mean luma, 0 to 255.
        grey: bool ``(n,)``: every pixel is grey.
        even: bool ``(n,)``: all pixels are the same within 4 levels.
        frames: int32 ``(n,)``: pictures in the file; 1 where it is no file.
        misnamed: ``{position: format}`` of files whose ending belongs to another format.
        looks: See :class:`imgclf.duplicates.Looks`.
        failed: ``{position: reason}`` of the pictures that could not be read.
    """

    sources: tuple[str, ...]
    own_names: tuple[tuple[str, ...], ...]
    class_names: tuple[str, ...]
    ignored: tuple[tuple[tuple[str, str], ...], ...]
    keys: Sequence[str]
    source: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    strange: dict[int, int]
    heights: npt.NDArray[np.int32]
    widths: npt.NDArray[np.int32]
    light: npt.NDArray[np.float32]
    grey: npt.NDArray[np.bool_]
    even: npt.NDArray[np.bool_]
    frames: npt.NDArray[np.int32]
    misnamed: dict[int, str]
    looks: Looks
    failed: dict[int, str]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """``(n,)``: which pictures could be read."""
        return self.heights > 0

    def named(self, position: int | np.integer[Any]) -> str:
        """The picture's key, after the name of its source where there are several."""
        key = self.keys[int(position)]
        return f"{self.sources[self.source[position]]}: {key}" if len(self.sources) > 1 else key

    def class_name(self, position: int) -> str:
        """The picture's class, or nothing."""
        label = self.labels[position]
        return "" if label == UNLABELLED else self.class_names[label]


def facts_of(sources: Mapping[str, DatasetSource], *, progress: bool) -> Facts:
    """Read every picture of *sources* once, in threads, and keep what is known of it."""
    listed = {name: checked_samples(source) for name, source in sources.items()}
    own_names = [_names_of(source, name) for name, source in sources.items()]
    class_names = tuple(dict.fromkeys(name for names in own_names for name in names))
    counts = [len(samples) for samples in listed.values()]
    total = sum(counts)
    labels, strange = _labels([samples.labels for samples in listed.values()], own_names, class_names)
    facts = Facts(
        sources=tuple(sources),
        own_names=tuple(own_names),
        class_names=class_names,
        ignored=tuple(_ignored(source) for source in sources.values()),
        keys=[str(key) for samples in listed.values() for key in samples.keys],
        source=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        labels=labels,
        strange=strange,
        heights=np.zeros(total, np.int32),
        widths=np.zeros(total, np.int32),
        light=np.zeros(total, np.float32),
        grey=np.zeros(total, bool),
        even=np.zeros(total, bool),
        frames=np.ones(total, np.int32),
        misnamed={},
        looks=Looks.room_for(total),
        failed={},
    )
    readers = list(sources.values())

    def fill(start: int) -> int:
        run = range(start, min(start + _RUN, total))
        for position in run:
            _inspect(facts, position, readers[facts.source[position]])
        return len(run)

    in_threads(fill, range(0, total, _RUN), total, progress and total >= _BAR_FROM)
    return facts


def _names_of(source: DatasetSource, owner: str) -> tuple[str, ...]:
    """The class names of *source*; names that only look alike are a finding later, not an error here."""
    names = source.class_names
    try:
        return checked_class_names(names, owner)
    except DatasetError:
        return tuple(names)


def _inspect(facts: Facts, position: int, source: DatasetSource) -> None:
    """Fill in what is known of the picture at *position*."""
    key = facts.keys[position]
    try:
        pixels = source.read(key)
        facts.looks.keep(position, look(pixels))
        facts.light[position] = facts.looks.thumbs[position].mean()
        facts.grey[position] = _is_grey(pixels)
        facts.even[position] = _is_even(pixels)
        facts.widths[position] = pixels.shape[1]
        facts.heights[position] = pixels.shape[0]  # last: what has a height has been read
    except ImgclfError as error:
        facts.failed[position] = str(error)
        return
    except Exception as error:  # a user's own source may raise anything; its key must be named
        facts.failed[position] = f"{type(error).__name__}: {error}"
        return
    if (path := _path_of(source, key)) is not None and not _is_plain_jpeg(path):
        with contextlib.suppress(ImgclfError, OSError):  # it has just been changed, or the source reads it otherwise
            file = inspect_image(path)
            facts.frames[position] = 1 if file.format == "MPO" else file.frames  # a phone's second frame is its depth
            if not file.suits(path):
                facts.misnamed[position] = file.format


def _is_plain_jpeg(path: Path) -> bool:
    """Whether *path* is a JPEG and says so: the usual case, which needs no closer look."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() in {".jpg", ".jpeg"} and file.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False


def _path_of(source: DatasetSource, key: str) -> Path | None:
    """The file behind *key*, where the source is one of ours; what the keys of others mean is theirs to know."""
    if not isinstance(source, FileSource):
        return None
    try:
        path = Path(source.files.path(key))
        return path if path.is_file() else None
    except (DatasetError, OSError, ValueError):
        return None


def _is_grey(pixels: npt.NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return True
    middle = pixels[len(pixels) // 2]  # nearly always enough to see colour
    return bool((middle == middle[:, :1]).all() and (pixels == pixels[..., :1]).all())


def _is_even(pixels: npt.NDArray[Any]) -> bool:
    flat = pixels.reshape(-1, 1 if pixels.ndim == 2 else pixels.shape[2])
    few = flat[:: max(1, len(flat) // 16)]  # nearly always enough to see a difference
    return all(bool((np.ptp(part.astype(np.int16), axis=0) <= _EVEN).all()) for part in (few, flat))


def _labels(
    given: Sequence[npt.NDArray[np.int32]], own_names: Sequence[tuple[str, ...]], class_names: tuple[str, ...]
) -> tuple[npt.NDArray[np.int32], dict[int, int]]:
    """The labels of all sources as positions in *class_names*, and those that stand for no class."""
    place = {name: position for position, name in enumerate(class_names)}
    found, start = [np.zeros(0, np.int32)], 0
    strange: dict[int, int] = {}
    for labels, names in zip(given, own_names, strict=True):
        outside = (labels < UNLABELLED) | (labels >= len(names))
        strange |= {start + int(at): int(labels[at]) for at in np.flatnonzero(outside)}
        places = np.array([*(place[name] for name in names), UNLABELLED], np.int32)
        found.append(places[np.where(outside, UNLABELLED, labels)])
        start += len(labels)
    return np.concatenate(found), strange


def _ignored(source: DatasetSource) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(reason)) for key, reason in getattr(source, "ignored", ()))
