"""Whatever pictures a user gives → keys and uint8 arrays of one size, some at a time.

In: a path, a folder, a list of paths or arrays, an array, a ``Dataset``.  Out: chunks that a network can take, prepared
by the same function as the training pictures.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from typing_extensions import TypeIs

from .dataset import Dataset
from .errors import ImageError, OptionError, about, with_reasons
from .images import IMAGE_SUFFIXES, ImageSpec, Pixels, checked_pixels, fit_image, prepare_image, read_image
from .sources.listing import list_pictures
from .sources.paths import printable
from .store import cores

Picture: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]
Pictures: TypeAlias = Picture | Dataset | Sequence[Picture]
"""One picture or many: a file, its bytes, a folder of files, Pillow pictures, uint8 arrays, a ``Dataset``.

Files and bytes become exactly what they became in training.  Arrays and Pillow pictures are taken at their full size,
from which a large JPEG may differ by a grey level or so: see :func:`~imgclf.images.prepare_image`."""

Chunk = tuple[list[str], Pixels]

_AHEAD = 2  # chunks that are prepared while one is worked on


def chunks(given: Pictures, spec: ImageSpec, size: int = 32) -> Iterator[Chunk]:
    """*given* in its own order, prepared as *spec* says, at most *size* pictures at a time.

    Yields:
        ``(keys, images)``: strings, and uint8 ``(m, height, width, channels)``.

    Raises:
        ImageError: pictures that cannot be read: all those of a chunk at once.
        OptionError: a ``Dataset`` that was prepared otherwise, or something that is no picture.
    """
    if isinstance(given, Dataset):
        return _from_dataset(given, spec, size)
    items = _items(given)
    keys = [printable(os.fspath(item)) if _is_path(item) else str(at) for at, item in enumerate(items)]
    return _from_items(keys, items, spec, size)


def gathered(given: Pictures, spec: ImageSpec) -> tuple[npt.NDArray[np.str_], Pixels]:
    """All of *given* at once: keys ``(n,)`` and uint8 ``(n, height, width, channels)``; see :func:`chunks`."""
    parts = list(chunks(given, spec))
    keys = np.array([key for part, _ in parts for key in part], dtype=np.str_)
    return keys, np.concatenate([np.zeros((0, *spec.shape), np.uint8), *(images for _, images in parts)])


def full_size(given: Pictures) -> list[Pixels]:
    """All of *given* as they are, a Dataset's as it holds them: uint8 ``(h, w, 1 or 3)`` of any size, nothing resized.

    Raises:
        ImageError: pictures that cannot be read, all of them at once.
        OptionError: something that is no picture.
    """
    if isinstance(given, Dataset):
        return list(given.pictures(range(len(given))))
    pictures, faults = [], []
    for at, item in enumerate(_items(given)):
        try:
            pictures.append(checked_pixels(item) if isinstance(item, np.ndarray) else read_image(item))
        except ImageError as error:
            faults.append(about(printable(os.fspath(item)) if _is_path(item) else str(at), str(error)))
    if faults:
        raise ImageError(with_reasons(f"{len(faults)} pictures cannot be read:", faults))
    return pictures


def _from_dataset(dataset: Dataset, spec: ImageSpec, size: int) -> Iterator[Chunk]:
    if dataset.spec != spec:
        raise OptionError(
            f"the dataset was prepared as {dataset.spec} and the classifier takes {spec}. Load it with "
            f"image_size={spec.image_size}, color_mode={spec.color_mode!r}, fit={spec.fit!r}."
        )
    for start in range(0, len(dataset), size):
        positions = range(start, min(start + size, len(dataset)))
        yield [str(key) for key in dataset.keys[positions.start : positions.stop]], dataset.pictures(positions)


def _from_items(keys: Sequence[str], items: Sequence[Picture], spec: ImageSpec, size: int) -> Iterator[Chunk]:
    for start, results in _in_turn(keys, items, spec, size):
        faults = [result for result in results if isinstance(result, str)]
        if faults:
            head = f"{len(faults)} of {len(keys):,} pictures cannot be read:"
            raise ImageError(with_reasons(head, faults) if len(keys) > 1 else faults[0])
        pictures = [result for result in results if not isinstance(result, str)]
        yield list(keys[start : start + size]), np.stack(pictures)


def _in_turn(
    keys: Sequence[str], items: Sequence[Picture], spec: ImageSpec, size: int
) -> Iterator[tuple[int, list[Pixels | str]]]:
    """The start of each chunk and what became of its pictures; while it is worked on, threads prepare the next ones."""
    if len(items) == 1:  # a thread would take as long as the picture
        yield 0, [_prepared(keys[0], items[0], spec)]
        return
    ahead: deque[tuple[int, list[Future[Pixels | str]]]] = deque()
    pool = ThreadPoolExecutor(cores())
    try:
        for start in range(0, len(items), size):
            part = zip(keys[start : start + size], items[start : start + size], strict=True)
            ahead.append((start, [pool.submit(_prepared, key, item, spec) for key, item in part]))
            if len(ahead) > _AHEAD:
                yield _finished(*ahead.popleft())
        while ahead:
            yield _finished(*ahead.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(start: int, pending: list[Future[Pixels | str]]) -> tuple[int, list[Pixels | str]]:
    return start, [future.result() for future in pending]


def _prepared(key: str, item: Picture, spec: ImageSpec) -> Pixels | str:
    try:
        return fit_image(item, spec) if isinstance(item, np.ndarray) else prepare_image(item, spec)
    except ImageError as error:
        return about(key, str(error))


def _is_path(item: object) -> TypeIs[str | os.PathLike[str]]:
    return isinstance(item, (str, os.PathLike))


def _items(given: object) -> list[Picture]:
    if isinstance(given, np.ndarray):
        return _of_array(given)
    if isinstance(given, (bytes, Image.Image)):
        return [given]
    if _is_path(given):
        return _of_folder(Path(given)) if Path(given).is_dir() else [given]
    if isinstance(given, Iterable):
        items = list(given)
        wrong = [item for item in items if not isinstance(item, (str, os.PathLike, bytes, Image.Image, np.ndarray))]
        if not wrong:
            return items
        given = wrong[0]
    raise OptionError(
        f"a {type(given).__name__} is no picture; expected a path, a folder, a uint8 array, a Pillow picture, bytes, "
        "a list of these, or a Dataset."
    )


def _of_folder(path: Path) -> list[Picture]:
    if not (pictures := list_pictures(path).pictures):
        raise ImageError(f"the folder {str(path)!r} holds no pictures ({', '.join(IMAGE_SUFFIXES)}). Check the path.")
    return list(pictures.values())


def _of_array(array: npt.NDArray[Any]) -> list[Picture]:
    one = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3))
    if not one and array.ndim not in (3, 4):
        raise OptionError(f"the array has the shape {array.shape}; expected (h, w, c) or (n, h, w, c).")
    if not one and array.ndim == 3 and (array.shape[0] in (1, 3) or array.shape[2] in (2, 4)):
        raise OptionError(
            f"the array has the shape {array.shape}: one picture with channels first or with transparency, or "
            f"{array.shape[0]} grey pictures? Give (h, w, 1 or 3) or (n, h, w, 1 or 3)."
        )
    return [array] if one else list(array)
