"""Pillow as we need it, whatever else the program has set it to.

Pillow keeps its strictness in variables of its modules, for the whole process.  Many notebooks, and some packages, set
``ImageFile.LOAD_TRUNCATED_IMAGES = True`` or ``Image.MAX_IMAGE_PIXELS = None``: half pictures would be trained on as
if they were whole.  While we decode, the settings are ours, in all threads; afterwards they are what they were.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any, cast

from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, PngImagePlugin

_FIXED: tuple[tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
    (Image, "WARN_POSSIBLE_FORMATS", False),
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST),
    (BmpImagePlugin, "USE_RAW_ALPHA", False),
    (PngImagePlugin, "MAX_TEXT_CHUNK", 2**20),  # compressed texts and colour profiles, in bytes after inflating
    (PngImagePlugin, "MAX_TEXT_MEMORY", 2**26),
)
_KNOWN = tuple(setting for setting in _FIXED if hasattr(*setting[:2]))  # Pillow 11 has no USE_RAW_ALPHA
_SILENT = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # one of Python's filters of warnings


class _Pinned:
    """The settings of others, kept while at least one thread decodes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = 0
        self.found: dict[tuple[Any, str], tuple[Any, Any]] = {}  # of others, and ours
        self.filters: list[list[Any]] = []  # catch_warnings puts a list back that may have ours still

    def enter(self, most_pixels: int) -> None:
        # Pillow refuses from twice its limit on, before it allocates anything.
        wanted = (*_KNOWN, (Image, "MAX_IMAGE_PIXELS", most_pixels // 2))
        with self.lock:
            for module, name, value in wanted:
                if self.threads == 0 or getattr(module, name) != value:
                    self.found[module, name] = getattr(module, name), value
                    setattr(module, name, value)
            self.threads += 1
            # A warning would be noise to one user and, under -W error, a lost picture to another.  The usual
            # catch_warnings is not safe among threads: it puts back a list that others have changed meanwhile.
            if not warnings.filters or warnings.filters[0] is not _SILENT:
                warnings.filters.insert(0, _SILENT)  # type: ignore[attr-defined] # a list, typed as a sequence
                self.filters.append(warnings.filters)  # type: ignore[arg-type]

    def leave(self) -> None:
        with self.lock:
            self.threads -= 1
            if self.threads == 0:
                self.give_back()

    def give_back(self) -> None:
        for (module, name), (theirs, ours) in self.found.items():
            if getattr(module, name) == ours:  # else somebody has set it meanwhile
                setattr(module, name, theirs)
        self.found.clear()
        for filters in (*self.filters, cast("list[Any]", warnings.filters)):
            filters[:] = [known for known in filters if known is not _SILENT]
        self.filters.clear()

    def forget_threads(self) -> None:
        """In a forked process: the threads that decoded stayed behind, perhaps with the lock."""
        self.lock, self.threads = threading.Lock(), 0
        self.give_back()


_PINNED = _Pinned()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PINNED.forget_threads)


@contextlib.contextmanager
def pinned(most_pixels: int) -> Iterator[None]:
    """Pillow with its own strict defaults, a limit of *most_pixels*, and without warnings; safe among threads."""
    _PINNED.enter(most_pixels)
    try:
        yield
    finally:
        _PINNED.leave()
