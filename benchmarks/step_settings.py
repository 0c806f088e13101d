"""What a training step might be told besides: XLA, several steps at a time, memory that malloc keeps."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .harness import OURS, Benchmark, Options
from .steps import batch, compiled

Once = Callable[[], Mapping[str, float]]
_STEPS, _TOGETHER = 40, 10
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def plain(model: Any) -> None:
    """As ``Trainer`` compiles it."""


def with_xla(model: Any) -> None:
    """``jit_compile=True``."""
    model.jit_compile = True


def several(model: Any) -> None:
    """``steps_per_execution=10``."""
    model.steps_per_execution = _TOGETHER


def kept_memory(model: Any) -> None:
    """Blocks of up to 1 GB come from the heap, and are not given back to the system.

    Raises:
        OSError: the C library has no ``mallopt``.
    """
    del model
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        raise OSError("the C library has no mallopt")
    for setting in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
        mallopt(setting, 2**30)


def steps(options: Options, settle: Callable[[Any], None]) -> Once:
    """Steps of ``small_cnn`` after *settle*, fed as in a run."""
    import keras
    import numpy as np

    from imgclf import _backend

    class Same(keras.utils.PyDataset):
        """The same batch again and again."""

        def __len__(self) -> int:
            return 10**6

        def __getitem__(self, number: int) -> Any:
            return content

    pixels, labels = batch("small_cnn")
    content = (pixels.astype(np.uint8), labels, np.ones(len(labels), np.float32))
    model = compiled("small_cnn", "auto")
    settle(model)
    batches = iter(_backend.feed(Same()))
    model.make_train_function()
    together = model.steps_per_execution
    count = together if options.tiny else _STEPS

    def once() -> Mapping[str, float]:
        for _ in range(0, count, together):
            logs = model.train_function(batches)
        float(keras.ops.convert_to_numpy(logs["loss"]))
        return {"pictures": count * len(labels)}

    once()
    return once


BENCHMARK = Benchmark(
    name="step_settings",
    title="Settings of the training step that are not used",
    unit="pictures",
    contenders={
        OURS: partial(steps, settle=plain),
        "XLA": partial(steps, settle=with_xla),
        "10 steps per execution": partial(steps, settle=several),
        "malloc keeps 1 GB": partial(steps, settle=kept_memory),
    },
    needs=dict.fromkeys((OURS, "XLA", "10 steps per execution", "malloc keeps 1 GB"), ("tensorflow",)),
    group="Training",
    about="small_cnn at 150×150 in batches of 32, in the precision of this machine, each with one setting changed.  "
    "Ten steps at a time would call callbacks, checkpoints and Ctrl-C at every tenth step only; how malloc keeps "
    "memory is the whole process's affair, and not a library's.  Who starts Python with "
    "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 gains about as much.",
)
