from __future__ import annotations

import multiprocessing
import sys
import time

import numpy as np
import pytest
from benchmarks import gate, worker


def test_a_pause_is_all_that_a_gap_has_above_the_others():
    steps = [0.1 * number for number in range(20)]
    assert gate.paused(steps) == 0
    paused = [*steps, *(20 + step for step in steps)]
    assert gate.paused(paused) == pytest.approx(20 - steps[-1] - 0.1)
    ended = paused[-1] - paused[0] - gate.paused(paused)
    assert ended == pytest.approx(0.1 * 39)  # what it would have taken without


def burn(ready):
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    ready.set()
    time.sleep(60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a living process has used")
def test_the_time_of_a_living_child_counts():
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    before = worker.cpu_seconds()
    child = context.Process(target=burn, args=(ready,), daemon=True)
    child.start()
    try:
        assert ready.wait(30)
        assert worker.cpu_seconds() - before >= 0.25
    finally:
        child.kill()
        child.join()


def test_steps_that_are_slow_by_themselves_are_no_pauses():
    times = np.cumsum([0.9, 1.3] * 20).tolist()
    assert gate.paused(times) == 0


def test_an_epoch_of_another_number_of_steps_is_refused():
    """Keras 3 ends epochs early where a sequence is shorter: a peer would be measured on less work than ours."""

    def fit(callbacks):
        (held,) = callbacks
        for epoch, steps in enumerate((2, 2, 3, 2)):
            held.on_epoch_begin(epoch)
            for step in range(steps):
                held.on_train_batch_end(step)
            held.on_test_begin()
            held.on_test_end()

    epochs = gate.Epochs(fit, 2, 32)
    assert epochs()["pictures"] == 64
    with pytest.raises(RuntimeError, match="3 steps, not 2"):
        epochs()
    epochs.close()
