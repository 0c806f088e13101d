"""What it costs to let a pipeline of batches go while the processor is busy, as after every validation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .harness import OURS, Benchmark, Options

_SECONDS = 0.75  # that a pipeline is used: a validation of document 003
_TURNS = 8


def letting_go(options: Options, made: Callable[[Any], Any]) -> Callable[[], Mapping[str, float]]:
    """Pipelines that *made* makes of a ``PyDataset`` are used and let go, again and again."""
    import numpy as np

    from imgclf import Dataset
    from imgclf.batches import Batches
    from imgclf.processor import usable_cores

    pictures = Dataset.from_arrays(np.zeros((32, 150, 150, 3), np.uint8), np.arange(32) % 2, ["a", "b"])
    used, turns = (0.05, 1) if options.tiny else (_SECONDS, _TURNS)

    def waited() -> float:
        iterator = iter(made(Batches(pictures, batch_size=32, steps=1000)))
        began = time.perf_counter()
        while time.perf_counter() - began < used:
            next(iterator)
            time.sleep(0.02)
        ended = time.perf_counter()
        del iterator
        return time.perf_counter() - ended

    def once() -> Mapping[str, float]:
        matrix, over = np.ones((600, 600), np.float32), threading.Event()

        def work() -> None:
            while not over.is_set():
                matrix @ matrix

        threads = [threading.Thread(target=work) for _ in range(usable_cores() + 1)]
        for thread in threads:
            thread.start()
        try:
            return {"pipelines": turns, "seconds": sum(waited() for _ in range(turns))}
        finally:
            over.set()
            for thread in threads:
                thread.join()

    return once


def ours(options: Options) -> Callable[[], Mapping[str, float]]:
    """As ``Trainer`` feeds its ``fit``."""
    from imgclf import _backend

    return letting_go(options, _backend.feed)


def in_keras(options: Options) -> Callable[[], Mapping[str, float]]:
    """As Keras makes one of a ``PyDataset``."""
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    return letting_go(options, lambda batches: PyDatasetAdapter(batches).get_tf_dataset())


BENCHMARK = Benchmark(
    name="let_go",
    title="Letting a pipeline of batches go",
    unit="pipelines",
    contenders={OURS: ours, "Keras": in_keras},
    reference="Keras",
    needs={OURS: ("tensorflow",), "Keras": ("tensorflow",)},
    group="Training",
    about="The seconds that fit stands still when it lets a tf.data pipeline go, which was used for 0.75 s while all "
    "cores were busy: what happens after every validation.  Keras's pipelines tune themselves, in a thread that looks "
    "after 10 ms, 20 ms, … up to 60 s.  It is woken when the pipeline goes, but TensorFlow 2.21 wakes it before the "
    "pipeline counts as cancelled (CancellationManager::StartCancel runs its callbacks first), so it often sleeps on "
    "until its time has come, and fit with it: until 1.27 s here, 20 s or 41 s where an epoch lasts as long.  We hand "
    "the same pipeline over without tuning.",
)
