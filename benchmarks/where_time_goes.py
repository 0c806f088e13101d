"""Where the time of an augmented epoch of document 003 goes, found by leaving one thing after the other out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from functools import partial

from .harness import OURS, Benchmark, Options, Round
from .train_epoch import parts, training

_PLAIN, _LOAD = "without augmentation", "first load"
Rounds = Mapping[str, Round]


def first_load(options: Options) -> Callable[[], Mapping[str, float]]:
    """Both parts decoded into an empty cache."""
    from imgclf import Dataset, FolderSource

    turn = itertools.count()

    def once() -> Mapping[str, float]:
        os.environ["IMGCLF_CACHE"] = str(options.work / f"cache{next(turn)}")
        found = [Dataset.load(FolderSource(f), image_size=(150, 150), progress=False) for f in parts(options)]
        return {"pictures": sum(map(len, found))}

    once()
    return once


def _of(name: str, figure: str) -> Callable[[Rounds], float]:
    return lambda rounds: rounds[name][figure]


def _fed(rounds: Rounds, name: str) -> float:
    """How much longer the steps of an epoch take than they alone, in the same process."""
    return rounds[name]["training_seconds"] - rounds[name]["bare_training_seconds"]


def _rest(rounds: Rounds) -> float:
    ours = rounds[OURS]
    return ours["seconds"] - ours["training_seconds"] - ours["validation_seconds"]


BENCHMARK = Benchmark(
    name="where_time_goes",
    title="Where the time of an epoch goes",
    unit="pictures",
    contenders={
        OURS: partial(training, precision="auto"),
        _PLAIN: partial(training, precision="auto", augmentation=None),
        _LOAD: first_load,
    },
    group="Training",
    parts={
        "step": _of(OURS, "bare_training_seconds"),
        "fit loop and feeding": lambda rounds: _fed(rounds, _PLAIN),
        "augmentation": lambda rounds: _fed(rounds, OURS) - _fed(rounds, _PLAIN),
        "validation": _of(OURS, "validation_seconds"),
        "callbacks and border": _rest,
        "decoding, once": _of(_LOAD, "seconds"),
    },
    about="The epoch of document 003 above, taken apart by leaving out one thing after the other: the bare steps on "
    "a batch that is in place, in the same process; how much longer Keras's fit takes for them, with pictures that are "
    "not augmented; what augmentation adds to that, which another thread does meanwhile, on the cores that the "
    "steps use; validation; callbacks and the border of two epochs.  Decoding comes before the first epoch, "
    "and never again.",
)
