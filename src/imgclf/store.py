"""A source's pictures, decoded once: one uint8 array, in memory or as a memory map in the cache folder.

In: a source, its keys, an ``ImageSpec``.  Out: a ``Store``: the pixels, and which pictures could not be read and why.
Decoding takes 1 to 3 ms a picture and a memory map gives back tens of thousands a second, so it is worth keeping.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import __version__ as pillow_version

from .errors import ImgclfError
from .files import cache_folder, replacing, write_json
from .images import ImageSpec, Pixels, fit_image
from .sources import DatasetSource

_FORMAT = 1  # raise it when read_image or fit_image begin to give other pixels
_KEEP_DAYS = 30  # a decoded set that nobody used for so long is removed when the next one is written
_BAR_FROM = 200  # pictures; fewer are decoded before a bar could be read

Reader = Callable[[str], Pixels]


@dataclass(frozen=True, eq=False)
class Store:
    """Decoded pixels.

    Attributes:
        images: uint8 ``(n, height, width, channels)``: an array, or a read-only memory map.
        failed: ``{position: reason}`` of the pictures that could not be read; their pixels are meaningless.
    """

    images: Pixels
    failed: dict[int, str]


def decode(source: DatasetSource, keys: Sequence[str], spec: ImageSpec, *, cache: bool, progress: bool) -> Store:
    """All pictures of *source* as *spec* wants them, from the cache where it holds them.

    Only a source with a ``fingerprint()`` is cached, because only there a changed picture can be noticed.
    """
    fingerprint = getattr(source, "fingerprint", None)
    whole = getattr(source, "images", None)
    if callable(whole):  # the source holds all its pixels anyhow
        pixels = np.asarray(whole())
        if pixels.dtype == np.uint8 and pixels.shape == (len(keys), *spec.shape):
            return Store(pixels, {})
    elif cache and callable(fingerprint):
        return _cached(source, keys, spec, _digest(str(fingerprint()), keys, spec), progress)
    return _filled(_empty_array, source, keys, spec, progress)


def _cached(source: DatasetSource, keys: Sequence[str], spec: ImageSpec, digest: str, progress: bool) -> Store:
    folder = cache_folder() / "decoded" / digest
    try:
        return _opened(folder, (len(keys), *spec.shape))
    except (OSError, ValueError, KeyError):  # not there, or not whole: decode again
        pass
    size = len(keys) * int(np.prod(spec.shape))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(folder.parent)
        folder.mkdir(exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < size + 2**28:  # leave the user 256 MB
            raise OSError(f"{free:,} bytes are free and {size:,} are needed")
        with replacing(folder / "images.npy") as temporary:
            store = _filled(partial(_empty_map, temporary), source, keys, spec, progress)
            assert isinstance(store.images, np.memmap)
            store.images.flush()
        write_json(folder / "failed.json", {str(position): reason for position, reason in store.failed.items()})
        return _opened(folder, store.images.shape)
    except OSError as error:
        warnings.warn(
            f"the decoded pictures are kept in memory, not in the cache folder {folder.parent}: {error}. "
            "Set IMGCLF_CACHE to a folder with room, or pass cache=False.",
            stacklevel=4,
        )
        return _filled(_empty_array, source, keys, spec, progress)


def _opened(folder: Path, shape: tuple[int, ...]) -> Store:
    failed = json.loads((folder / "failed.json").read_text(encoding="utf-8"))
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    if images.shape != shape or images.dtype != np.uint8:
        raise ValueError("another shape")
    os.utime(folder)  # used now: not to be removed soon
    return Store(images, {int(position): reason for position, reason in failed.items()})


def _filled(
    empty: Callable[[tuple[int, ...]], Pixels],
    source: DatasetSource,
    keys: Sequence[str],
    spec: ImageSpec,
    progress: bool,
) -> Store:
    images = empty((len(keys), *spec.shape))
    failed: dict[int, str] = {}

    def fill(position: int) -> None:
        key = keys[position]
        try:
            images[position] = fit_image(source.read(key), spec)
        except ImgclfError as error:
            failed[position] = str(error)
        except Exception as error:  # a user's own source may raise anything; its key must be named
            failed[position] = f"{type(error).__name__}: {error}"

    _in_threads(fill, len(keys), progress and len(keys) >= _BAR_FROM)
    return Store(images, dict(sorted(failed.items())))


def _in_threads(work: Callable[[int], None], count: int, bar: bool) -> None:
    from rich.console import Console
    from rich.progress import track

    pool = ThreadPoolExecutor(os.cpu_count())  # Pillow decodes and resizes outside Python's lock
    try:
        done = pool.map(work, range(count))
        for _ in track(done, "decoding", total=count, console=Console(stderr=True), transient=True, disable=not bar):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _empty_array(shape: tuple[int, ...]) -> Pixels:
    return np.zeros(shape, np.uint8)


def _empty_map(path: Path, shape: tuple[int, ...]) -> Pixels:
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def _digest(fingerprint: str, keys: Sequence[str], spec: ImageSpec) -> str:
    content = [_FORMAT, pillow_version.split(".")[0], fingerprint, list(keys), spec.to_dict()]
    return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - _KEEP_DAYS * 86400
    for entry in folder.iterdir():
        if entry.is_dir() and entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)
