"""The second load of the same pictures, beside the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import load_first
from .harness import OURS, Benchmark, Options
from .pictures import folders, side


def again(options: Options) -> Callable[[], Mapping[str, float]]:
    """``Dataset.load`` of folders that were loaded before."""
    from imgclf import Dataset, FolderSource

    size, found = side(options), folders(options)

    def once() -> Mapping[str, float]:
        sets = [Dataset.load(FolderSource(folder), image_size=(size, size), progress=False) for folder in found]
        return {"pictures": sum(map(len, sets))}

    once()
    return once


BENCHMARK = Benchmark(
    name="load_second",
    title="Second load of the same 4,000 JPEG",
    unit="pictures",
    contenders={OURS: again, "first load": load_first.ours},
    reference="first load",
    target_seconds=0.5,
    group="Loading",
    about="Folders that were loaded before: they are listed, each file's size and date is compared, and the decoded "
    "pixels are a memory map of the cache.",
)
