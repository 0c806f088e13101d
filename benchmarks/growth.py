"""Ten and a hundred times as many pictures: does an epoch take ten and a hundred times as long, in the same memory?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .harness import Benchmark, Contender, Options, Round, Target
from .machine import memory_mb

_SIDE = 28
_SIZES = (1_000, 10_000, 100_000)
_NAMES = tuple(f"{size:,} pictures" for size in _SIZES)


class Squares:
    """Grey squares, drawn by number; with a fingerprint, so that the decoded pictures lie in a memory map."""

    class_names = ("dark", "bright")

    def __init__(self, count: int, side: int = _SIDE) -> None:
        self.count, self.side = count, side

    def samples(self) -> Any:
        """Keys and labels."""
        from imgclf import Samples

        return Samples([f"{number:06d}" for number in range(self.count)], [k % 2 for k in range(self.count)])

    def read(self, key: str) -> Any:
        """The picture: uint8 ``(side, side, 3)``."""
        import numpy as np

        number = int(key)
        return np.full((self.side, self.side, 3), 60 + 100 * (number % 2) + number % 50, np.uint8)

    def fingerprint(self) -> str:
        """Another number, other pictures."""
        return f"{self.count} squares of {self.side}"


def training(size: int) -> Contender:
    """The contender that trains a tiny network for two epochs on so many pictures, and is measured in the second."""

    def setup(options: Options) -> Callable[[], Mapping[str, float]]:
        import keras

        from imgclf import Dataset, Trainer

        count = size // 100 if options.tiny else size
        train = Dataset.load(Squares(count), image_size=(_SIDE, _SIDE), progress=False)
        validation = train.take(slice(0, 32))
        found: dict[str, float] = {}

        class Watch(keras.callbacks.Callback):
            """Time, processor time and memory of the epoch that ended last."""

            def on_epoch_begin(self, *_: Any, **__: Any) -> None:
                self.start = time.perf_counter(), time.process_time()
                found["anonymous_mb"] = 0.0

            def on_train_batch_end(self, batch: int, **_: Any) -> None:
                if batch % 50 == 0:
                    found["anonymous_mb"] = max(found["anonymous_mb"], memory_mb().get("anonymous", 0.0))

            def on_epoch_end(self, *_: Any, **__: Any) -> None:
                found["seconds"] = time.perf_counter() - self.start[0]
                found["cpu_seconds"] = time.process_time() - self.start[1]

        trainer = Trainer(
            "small_cnn",
            options={"filters": (4,), "dense": 0},
            augmentation="book",
            batch_size=100,
            epochs=2,
            callbacks=[Watch()],
        )

        def once() -> Mapping[str, float]:
            trainer.fit(train, validation, verbose=0)
            return {"pictures": count, **found}

        return once

    return setup


def _slopes(rounds: Mapping[str, Round], of: str = "seconds") -> float:
    """Seconds for one more picture among many, against those among few: 1 where time is linear."""
    few, some, many = (rounds[name] for name in _NAMES)
    later, earlier = ((b[of] - a[of]) / (b["pictures"] - a["pictures"]) for a, b in ((some, many), (few, some)))
    return later / earlier


def _more_memory(rounds: Mapping[str, Round]) -> float:
    return rounds[_NAMES[2]]["anonymous_mb"] - rounds[_NAMES[0]]["anonymous_mb"]


BENCHMARK = Benchmark(
    name="growth",
    title="An epoch over 1,000, 10,000 and 100,000 pictures",
    unit="pictures",
    contenders={name: training(size) for name, size in zip(_NAMES, _SIZES, strict=True)},
    targets=(
        Target("seconds per further picture, 10,000 to 100,000 against 1,000 to 10,000", _slopes, 0.9, 1.1),
        Target("the same of processor seconds", lambda turn: _slopes(turn, "cpu_seconds"), 0.9, 1.1),
        Target("memory more at 100,000 than at 1,000", _more_memory, at_most=64, unit=" MB"),
    ),
    group="Growth",
    about="Pictures of 28×28×3 in a memory map, augmented, a tiny network, batches of 100: the second epoch of two, "
    "with 32 pictures for validation. Memory is what no file backs; 100,000 of these pictures are 235 MB.",
    show={"anonymous_mb": "memory, MB"},
)
