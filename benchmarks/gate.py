"""A ``fit`` that is let go one epoch at a time, so that contenders can take turns, and what each epoch took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

PAUSE = 1.0
"""Seconds beyond the ordinary between two steps, from which on it is a pause: where Keras lets a ``tf.data`` pipeline
go, it often stands still (see ``let_go``).  It is reported, and left out of the seconds, in every contender alike."""


def paused(times: Sequence[float]) -> float:
    """Seconds of pauses in a row of times: all that a gap of more than ``PAUSE`` has above the ordinary gap."""
    gaps = [after - before for before, after in pairwise(times)]
    ordinary = median(gaps)
    return sum(gap - ordinary for gap in gaps if gap > ordinary + PAUSE)


class Epochs:
    """``fit(callbacks)`` in a thread of its own; calling this lets it train for one epoch more.

    An epoch lasts from its ``on_epoch_begin`` to the next one's, so validation and all callbacks are in it.

    Args:
        fit: Trains with these callbacks.
        steps: Of training in an epoch; another number is an error.
        batch_size: Pictures in a step.
        bare: Called with the model after every epoch, outside what is measured; its figures stand beside the epoch's.
    """

    def __init__(
        self,
        fit: Callable[[list[Any]], Any],
        steps: int,
        batch_size: int,
        bare: Callable[[Any], Mapping[str, float]] | None = None,
    ) -> None:
        self._bare = bare
        self._beside: Mapping[str, float] = {}
        self._ended = (0.0, 0.0)
        self._go, self._reached = threading.Semaphore(0), threading.Semaphore(0)
        self._error: BaseException | None = None
        self._steps, self._batch_size, self._taken = steps, batch_size, 0
        self._times: list[float] = []
        self._parts = {"validation_seconds": 0.0, "training_seconds": 0.0}
        self._closed = False
        self._thread = threading.Thread(target=self._run, args=(fit,), daemon=True)
        self._thread.start()
        self._wait()
        self()  # the first epoch warms up

    def __call__(self) -> Mapping[str, float]:
        """One epoch: pictures, seconds without pauses, and the seconds of its parts."""
        self._parts, self._taken = dict.fromkeys(self._parts, 0.0), 0
        self._times = [start := time.perf_counter()]
        used = time.process_time()
        self._go.release()
        self._wait()
        ended, used_then = self._ended
        if self._taken != self._steps:
            raise RuntimeError(f"the epoch took {self._taken} steps, not {self._steps}")
        self._times.append(ended)
        pause = paused(self._times)
        figures = {"seconds": ended - start - pause, "cpu_seconds": used_then - used, "pause_seconds": pause}
        return {"pictures": self._steps * self._batch_size, **figures, **self._parts, **self._beside}

    def close(self) -> None:
        """End the training: its thread holds what another contender in the same process would wait for."""
        self._closed = True
        self._go.release()
        self._thread.join()

    def _run(self, fit: Callable[[list[Any]], Any]) -> None:
        try:
            fit([self._callback()])
            self._error = RuntimeError("the training ended; give it more epochs")
        except BaseException as error:  # for the thread that waits
            self._error = error
        self._reached.release()

    def _wait(self) -> None:
        self._reached.acquire()
        if self._error is not None:
            raise self._error

    def _callback(self) -> Any:
        import keras

        gate = self

        class Gate(keras.callbacks.Callback):  # Keras gives its arguments by name
            """Tells when an epoch begins, and waits until it may."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                gate._ended = time.perf_counter(), time.process_time()
                if gate._bare is not None and epoch:
                    gate._beside = gate._bare(self.model)
                    self.model.reset_metrics()
                gate._reached.release()
                gate._go.acquire()
                if gate._closed:
                    raise RuntimeError("closed")
                self.began = time.perf_counter()

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                gate._taken += 1
                gate._times.append(time.perf_counter())

            def on_test_begin(self, logs: Any = None) -> None:
                self.tested = time.perf_counter()
                gate._parts["training_seconds"] = self.tested - self.began - paused([*gate._times, self.tested])
                self.trained = len(gate._times)

            def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
                gate._times.append(time.perf_counter())

            def on_test_end(self, logs: Any = None) -> None:
                ended, steps = time.perf_counter(), gate._times[self.trained :]
                gate._parts["validation_seconds"] = ended - self.tested - paused([self.tested, *steps, ended])

        return Gate()
