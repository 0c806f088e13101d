"""A source's pictures, decoded once: one uint8 array, in memory or as a memory map in the cache folder.

In: a source, its keys, an ``ImageSpec``.  Out: a ``Store``: the pixels, and which pictures could not be read and why.
Decoding takes about 1 ms a picture and a memory map gives back tens of thousands a second, so it is worth keeping.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import __version__ as pillow_version

from .errors import DatasetError, ImgclfError
from .files import cache_folder, check_room, remove_unused, rename_folder, write_json
from .images import ImageSpec, Pixels
from .processor import usable_cores
from .sources import DatasetSource
from .sources.base import prepared
from .tables import visible

_FORMAT = 3  # raise it when prepare_image, read_image or fit_image begin to give other pixels
_BAR_FROM = 200  # pictures; fewer are decoded before a bar could be read
_RUN = 16  # pictures in one task of a thread: a task each would cost more memory than small pictures do
_FLUSH = 2**26  # bytes that wait to be written to the disk while pictures are decoded
_THREADS = 8  # at most: a sixth of the time is Python's, one thread at a time


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
    whole = getattr(source, "load_images", None)
    if callable(whole):  # the source holds all its pixels anyhow
        pixels = np.asarray(whole())
        if pixels.dtype == np.uint8 and pixels.shape == (len(keys), *spec.shape):
            return Store(pixels, {})
    elif cache and callable(getattr(source, "fingerprint", None)):
        return _cached(source, keys, spec, progress)
    return _in_memory(source, keys, spec, progress)


def cores() -> int:
    """How many threads decode: as many as this process may use cores, at most 8."""
    return min(usable_cores(), _THREADS)


def _cached(source: DatasetSource, keys: Sequence[str], spec: ImageSpec, progress: bool) -> Store:
    digest = _digest(source, keys, spec)
    folder = cache_folder() / "decoded" / digest
    found = _mapped(folder, len(keys), spec)
    if found is not None and all(_read(source, keys[position], spec)[0] is None for position in found.failed):
        return found  # else a file that was away for a moment is back
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_unused(folder.parent)
        with tempfile.TemporaryDirectory(prefix=f".{digest}-", dir=folder.parent, ignore_cleanup_errors=True) as place:
            made = Path(place) / "set"
            _fill_folder(made, source, keys, spec, progress)
            unchanged = _digest(source, keys, spec) == digest
            if unchanged:
                rename_folder(made, folder, Path(place) / "old" if folder.exists() else None)
        for _ in range(5 if unchanged else 0):
            if (found := _mapped(folder, len(keys), spec)) is not None:
                return found
            time.sleep(0.1)  # another process is putting the same set there
        why = "what was written is gone again" if unchanged else "they were changed while they were decoded"
    except OSError as error:
        why = f"{error}. Set IMGCLF_CACHE to a folder with room, or pass cache=False"
    warnings.warn(f"the decoded pictures are held in memory, not in {folder.parent}: {why}.", stacklevel=4)
    return _in_memory(source, keys, spec, progress)


def _mapped(folder: Path, count: int, spec: ImageSpec) -> Store | None:
    """What *folder* holds; None where it holds nothing, or nothing whole."""
    try:
        failed = {int(at): str(why) for at, why in json.loads((folder / "failed.json").read_text("utf-8")).items()}
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    except Exception:  # damaged in whatever way: decode again
        return None
    if images.shape != (count, *spec.shape) or images.dtype != np.uint8 or not set(failed) <= set(range(count)):
        return None
    with contextlib.suppress(OSError):  # a cache that only another user may write serves too
        os.utime(folder)  # used now: not to be removed soon
    return Store(images, failed)


def _fill_folder(folder: Path, source: DatasetSource, keys: Sequence[str], spec: ImageSpec, progress: bool) -> None:
    """Decode into *folder*, whole, before it gets its name."""
    folder.mkdir()
    size = len(keys) * int(np.prod(spec.shape))
    check_room(folder, size)
    with _Pictures(folder / "images.npy", (len(keys), *spec.shape)) as pictures:
        failed = _fill(pictures.put, source, keys, spec, progress)
    write_json(folder / "failed.json", {str(position): reason for position, reason in failed.items()})


class _Pictures:
    """An array file ``.npy`` of uint8 that threads fill, picture by picture; at the end of the block it is on the disk.

    It is written, not mapped: a new page of a map costs a fault for every 4 KB, together a sixth of the time of
    decoding to 150×150; and a disk that fills up is an ``OSError``, where a map kills the process.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)  # the header, and the size
        self._size, whole = math.prod(shape[1:]), path.stat().st_size
        self._start = whole - math.prod(shape)
        self._file = path.open("r+b", buffering=0)
        self._lock, self._waiting = threading.Lock(), 0
        self._flushing, self._flushes = ThreadPoolExecutor(1), list[Future[None]]()
        if hasattr(os, "posix_fallocate"):  # else a full disk would show late
            os.posix_fallocate(self._file.fileno(), 0, whole)

    def put(self, position: int, pixels: Pixels) -> None:
        """Write one picture, uint8 of the shape of one, to its place."""
        rest = np.ascontiguousarray(pixels).data.cast("B")
        with self._lock:
            self._file.seek(self._start + position * self._size)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._waiting += self._size
            if self._waiting > _FLUSH:  # now and then, beside decoding: all at the end takes a tenth of the time
                self._waiting = 0
                self._flushes.append(self._flushing.submit(os.fsync, self._file.fileno()))

    def __enter__(self) -> _Pictures:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._flushing.shutdown(cancel_futures=True)
        with self._file:
            if kind is None:
                for flush in self._flushes:
                    if not flush.cancelled():
                        flush.result()  # a disk says only once that it has lost something
                os.fsync(self._file.fileno())


def _in_memory(source: DatasetSource, keys: Sequence[str], spec: ImageSpec, progress: bool) -> Store:
    images = _empty_array(len(keys), spec)
    return Store(images, _fill(images.__setitem__, source, keys, spec, progress))


def _fill(
    put: Callable[[int, Pixels], None], source: DatasetSource, keys: Sequence[str], spec: ImageSpec, progress: bool
) -> dict[int, str]:
    """Give every picture that can be read to *put*, with its position; returns why the others cannot be."""
    failed: dict[int, str] = {}

    def fill(start: int) -> int:
        run = range(start, min(start + _RUN, len(keys)))
        for position in run:
            pixels, reason = _read(source, keys[position], spec)
            if pixels is None:
                failed[position] = str(reason)
            else:
                put(position, pixels)
        return len(run)

    in_threads(fill, range(0, len(keys), _RUN), len(keys), progress and len(keys) >= _BAR_FROM)
    return dict(sorted(failed.items()))


def _read(source: DatasetSource, key: str, spec: ImageSpec) -> tuple[Pixels | None, str | None]:
    """The picture of *key*, or why there is none."""
    try:
        return prepared(source, key, spec), None
    except ImgclfError as error:
        return None, str(error)
    except Exception as error:  # a user's own source may raise anything; its key must be named
        return None, f"{type(error).__name__}: {visible(str(error))}"


def in_threads(work: Callable[[int], int], starts: Sequence[int], total: int, bar: bool) -> None:
    """Call *work* for each of *starts*, in threads; it says how many of *total* pictures it has done."""
    pool = ThreadPoolExecutor(cores())  # Pillow decodes and resizes outside Python's lock
    try:
        with _bar(total) if bar else contextlib.nullcontext(lambda _: None) as advance:
            for done in pool.map(work, starts):
                advance(done)
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("decoding", total=total)
        yield lambda done: progress.advance(task, done)


def _empty_array(count: int, spec: ImageSpec) -> Pixels:
    try:
        return np.zeros((count, *spec.shape), np.uint8)
    except MemoryError:
        size = count * int(np.prod(spec.shape, dtype=np.int64)) / 2**30
        raise DatasetError(
            f"{count:,} pictures of {'×'.join(map(str, spec.shape))} take {size:,.0f} GiB, which do not fit into "
            "memory. Choose a smaller image_size."
        ) from None


def _digest(source: DatasetSource, keys: Sequence[str], spec: ImageSpec) -> str:
    fingerprint = source.fingerprint()  # type: ignore[attr-defined] # the optional part of the protocol
    if not isinstance(fingerprint, str) or not fingerprint:
        raise DatasetError(
            f"fingerprint() of {source!r} gave {fingerprint!r}; expected a text that is another for other pictures. "
            "Mend it, or leave the method out."
        )
    kind = f"{type(source).__module__}.{type(source).__qualname__}"
    content = [_FORMAT, pillow_version, kind, fingerprint, list(keys), spec.to_dict()]
    return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogatepass")).hexdigest()[:40]
