from __future__ import annotations

import multiprocessing
import sys
import time

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
