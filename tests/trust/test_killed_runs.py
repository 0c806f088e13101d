"""A run that is killed, stopped or out of room goes on and ends with the same bits as one that never was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILL = (
    "kill",
    "A run killed with signal 9 at any moment, or right before any write, ends bit-identical when it is started again.",
)
STOP = ("stop", "Ctrl-C and SIGTERM end a run within 5 s, exit status 130 or 143, and it goes on bit-identically.")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, to start them quickly")


def killed(folder, **job):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "jax":
        pytest.skip("JAX's threads do not outlive a fork")
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(Path(__file__).with_name("killing.py")),
        str(folder),
        json.dumps(job),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["differing"] == []
    return said


@pytest.mark.promise(*KILL)
def test_a_killed_run_ends_the_same(tmp_path, record_property):
    said = killed(tmp_path, points=[11, 29], moments=2, seed=1)
    assert said["killed"] == len(range(11, said["points"], 29))
    kills = said["killed"] + said["moments"]
    record_property("measured", f"{kills} kills in {said['trials']} runs: all bit-identical")


@pytest.mark.slow
@pytest.mark.promise(*KILL)
@pytest.mark.parametrize("every", [None, 2])
def test_killed_at_every_write_and_at_50_moments(tmp_path, record_property, every):
    said = killed(tmp_path, points=[0, 1], moments=25, seed=2, every=every)
    assert said["killed"] == said["points"]
    assert said["moments"] >= 25
    kinds = len({name.split("-")[0] for name in said["names"]})
    record_property(
        "measured",
        f"checkpoint_every={every}: killed before each of {said['points']} writes ({kinds} kinds) and at "
        f"{said['moments']} random moments: all bit-identical",
    )


@pytest.mark.promise(*STOP)
def test_a_stopped_run_goes_on(tmp_path, record_property):
    said = killed(tmp_path, stops=2, seed=3)
    assert said["slowest_stop"] < 5
    record_property("measured", f"2 stops, the slowest took {said['slowest_stop']} s")


@pytest.mark.slow
@pytest.mark.promise(*STOP)
def test_stopped_at_20_moments(tmp_path, record_property):
    said = killed(tmp_path, stops=20, seed=4)
    assert said["slowest_stop"] < 5
    record_property("measured", f"20 stops, the slowest took {said['slowest_stop']} s: all bit-identical after it")


SLOW_STEP = """
import hashlib, os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from imgclf.interrupts import stoppable
threading.Timer(0.3, lambda: os.kill(os.getpid(), int(sys.argv[1]))).start()
with stoppable(lambda: "The same call goes on."):
    if sys.argv[2] == "in C":
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 200_000_000)  # a minute that no signal handler interrupts
    else:
        threading.Event().wait(60)
"""


@pytest.mark.promise(*STOP)
@pytest.mark.parametrize("where", ["in C", "in Python"])
@pytest.mark.parametrize("number", [2, 15])
def test_the_exit_status_is_the_shells(where, number):
    """Also while one long step computes, in which Python looks at no signal."""
    command = [sys.executable, "-c", SLOW_STEP, str(number), where]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 128 + number
    assert "The same call goes on." in done.stderr
    assert "Traceback" not in done.stderr
