"""A set three times as large as what the process may have in memory: it is decoded, mapped and trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .growth import Squares
from .harness import OURS, Benchmark, Options, Round, Target
from .machine import memory_mb

_SIDE = 150
_LIMIT_MB = 2000


def ours(options: Options) -> Callable[[], Mapping[str, float]]:
    """``Dataset.load`` and a ``Trainer.fit`` of one epoch, under a limit that the system sets to the process."""
    import resource

    from imgclf import Dataset, Trainer

    options_of = {"filters": (4,), "dense": 0}
    trainer = Trainer("small_cnn", options=options_of, batch_size=32, epochs=1, augmentation="book")

    def loaded(count: int) -> Any:
        return Dataset.load(Squares(count, _SIDE), image_size=(_SIDE, _SIDE), progress=False)

    few = loaded(200)
    trainer.fit(few, few, verbose=0)  # what is compiled and set up for good
    limit = _LIMIT_MB + (memory_mb()["data"] if options.tiny else 0)
    count = 300 if options.tiny else int(3 * limit * 1e6 / (_SIDE * _SIDE * 3)) + 1
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e6), resource.RLIM_INFINITY))

    def once() -> Mapping[str, float]:
        data = loaded(count)
        trained = trainer.fit(data, few, verbose=0)
        figures = {"set_mb": data.store.nbytes / 1e6, "limit_mb": limit, "anonymous_mb": memory_mb()["anonymous"]}
        return {"pictures": count, "accuracy": trained.history["accuracy"][-1], **figures}

    return once


def _times(rounds: Mapping[str, Round]) -> float:
    return rounds[OURS]["set_mb"] / rounds[OURS]["limit_mb"]


BENCHMARK = Benchmark(
    name="memory_limit",
    title="A set larger than memory",
    unit="pictures",
    contenders={OURS: ours},
    needs={OURS: ("resource",)},
    group="Growth",
    alone=True,
    show={"set_mb": "set, MB", "limit_mb": "limit, MB", "anonymous_mb": "memory, MB", "accuracy": "accuracy"},
    targets=(Target("size of the set against the limit of the process", _times, at_least=3),),
    about="The system lets the process have so much memory and no more (RLIMIT_DATA, all of Python, TensorFlow and "
    "imgclf together); the decoded set is three times as large.  A round decodes it into the cache, where it is not "
    "there yet, and trains a tiny network on it for one augmented epoch.  Memory is what the process holds for itself; "
    "pages of the mapped file, which the system takes back at will, are not in it.",
)
