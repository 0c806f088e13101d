"""Whatever pictures a user gives → keys and uint8 arrays of one size, some at a time.

In: a path, a folder, a list of paths or arrays, an array, a ``Dataset``.  Out: chunks that a network can take, prepared
by the same functions as the training pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from typing_extensions import TypeIs

from .dataset import Dataset
from .errors import ImageError, OptionError, about, with_reasons
from .images import IMAGE_SUFFIXES, ImageSpec, Pixels, fit_image, read_image
from .sources.listing import list_pictures
from .sources.paths import printable
from .store import cores

Picture: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]
Pictures: TypeAlias = Picture | Dataset | Sequence[Picture]
"""One picture or many: a file, its bytes, a folder of files, Pillow pictures, uint8 arrays, a ``Dataset``."""

Chunk = tuple[list[str], Pixels]


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
    keys, readers = _readers(given)
    return _from_readers(keys, readers, spec, size)


def gathered(given: Pictures, spec: ImageSpec) -> tuple[npt.NDArray[np.str_], Pixels]:
    """All of *given* at once: keys ``(n,)`` and uint8 ``(n, height, width, channels)``; see :func:`chunks`."""
    parts = list(chunks(given, spec))
    keys = np.array([key for part, _ in parts for key in part], dtype=np.str_)
    return keys, np.concatenate([np.zeros((0, *spec.shape), np.uint8), *(images for _, images in parts)])


def _from_dataset(dataset: Dataset, spec: ImageSpec, size: int) -> Iterator[Chunk]:
    if dataset.spec != spec:
        raise OptionError(
            f"the dataset was prepared as {dataset.spec} and the classifier takes {spec}. Load it with "
            f"image_size={spec.image_size}, color_mode={spec.color_mode!r}, fit={spec.fit!r}."
        )
    for start in range(0, len(dataset), size):
        positions = range(start, min(start + size, len(dataset)))
        yield [str(key) for key in dataset.keys[positions.start : positions.stop]], dataset.pictures(positions)


def _from_readers(
    keys: Sequence[str], readers: Sequence[Callable[[], npt.NDArray[Any]]], spec: ImageSpec, size: int
) -> Iterator[Chunk]:
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(keys), size):
            chunk = range(start, min(start + size, len(keys)))
            results = list(pool.map(lambda position: _prepared(keys[position], readers[position], spec), chunk))
            faults = [result for result in results if isinstance(result, str)]
            if faults:
                head = f"{len(faults)} of {len(keys):,} pictures cannot be read:"
                raise ImageError(with_reasons(head, faults) if len(keys) > 1 else faults[0])
            yield [keys[position] for position in chunk], np.stack([r for r in results if not isinstance(r, str)])


def _prepared(key: str, read: Callable[[], npt.NDArray[Any]], spec: ImageSpec) -> Pixels | str:
    try:
        return fit_image(read(), spec)
    except ImageError as error:
        return about(key, str(error))


def _readers(given: object) -> tuple[list[str], list[Callable[[], npt.NDArray[Any]]]]:
    items = _items(given)
    keys = [printable(os.fspath(item)) if _is_path(item) else str(at) for at, item in enumerate(items)]
    return keys, [_reader(item) for item in items]


def _is_path(item: object) -> TypeIs[str | os.PathLike[str]]:
    return isinstance(item, (str, os.PathLike))


def _reader(item: Picture) -> Callable[[], npt.NDArray[Any]]:
    return (lambda: item) if isinstance(item, np.ndarray) else (lambda: read_image(item))


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
