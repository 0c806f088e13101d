"""Runs that are killed, in processes of their own: ``python tests/trust/killing.py FOLDER JOB``, the job as JSON.

One process imports everything and then forks a child for each run, because TensorFlow takes seconds to import.  A child
is killed with signal 9, from outside at a moment, or by itself right before its n-th write to the run's folder (an
audit hook sees every open, rename and removal; ``os.fsync`` is wrapped).  Then the same run is started again, until it
ends, and what it left is compared with what an undisturbed run left.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from squares import squares

from imgclf import Dataset, Trainer
from imgclf.state_file import read_state

TRAIN, VALIDATION = Dataset.from_arrays(*squares(40), ["top", "bottom"]).split(validation=0.25)
EPOCHS = 6


def trainer():
    """A recipe with everything that has a memory: dropout, batch normalisation, moments, patience, a user's counter."""
    import keras

    class Counter(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.losses = []
            self.sums = np.zeros(2)

        def on_epoch_end(self, epoch, logs=None):
            self.losses.append(logs["loss"])
            self.sums += [1, logs["val_loss"]]
            logs["mean_val_loss"] = float(self.sums[1] / self.sums[0])  # in the history: must be the same

    return Trainer(
        "bn_cnn",
        options={"filters": (4,), "dense": 8},
        optimizer="adam",
        learning_rate=0.01,
        batch_size=6,
        epochs=EPOCHS,
        augmentation="book",
        reduce_lr_patience=1,
        reduce_lr_monitor="val_loss",
        early_stopping_patience=4,
        callbacks=[Counter()],
    )


def fit(folder, every):
    trainer().fit(TRAIN, VALIDATION, run_dir=folder, checkpoint_every=every, verbose=0)


def left_by(folder):
    """A digest of each thing that a run left, all that time stamps are in left out."""
    said = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("best.keras", "history.json")}
    record, arrays = read_state(sorted(folder.glob("state-*.npz"))[-1])
    seconds = record.pop("seconds")
    record.pop("spent")
    said["epochs"] = len(seconds)
    said["record"] = record
    for name, array in arrays.items():
        said[name] = hashlib.sha256(array.tobytes()).hexdigest()
    said["files"] = sorted(path.name for path in folder.iterdir() if not path.name.startswith("state-"))
    return said


def watch_writes(folder, seen):
    """Call *seen* with a name right before every write of this process to *folder*."""
    names = {"os.rename": "rename to", "os.remove": "remove", "os.mkdir": "make"}
    root = str(folder)

    def hook(event, args):
        if (
            event == "open"
            and isinstance(args[0], str)
            and args[0].startswith(root)
            and args[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            seen(f"open {Path(args[0]).suffix}")
        elif event == "os.mkdir" and folder.exists():
            return
        elif event in names and str(args[1 if event == "os.rename" else 0]).startswith(root):
            seen(f"{names[event]} {Path(str(args[1 if event == 'os.rename' else 0])).name}")

    sys.addaudithook(hook)
    fsync = os.fsync

    def counted(handle):
        path = str(Path(f"/proc/self/fd/{handle}").readlink())
        if path.startswith(root):
            seen(f"flush {Path(path).suffix or 'folder'}")
        fsync(handle)

    os.fsync = counted


def forked(work, after=None, number=signal.SIGKILL):
    """Run *work* in a child, and send it signal *number* *after* so many seconds; its exit status, −9 where killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    if after is not None:
        time.sleep(after)
        os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_points(folder, every):
    """The names of all writes of an undisturbed run, in order."""
    log = folder.with_suffix(".points")

    def work():
        with log.open("w") as file:
            watch_writes(folder, lambda name: print(name, file=file, flush=True))
            fit(folder, every)

    assert forked(work) == 0
    return log.read_text().splitlines()


def killed_at_write(folder, every, number):
    """Start a run that kills itself right before its write *number* (from 0)."""

    def work():
        left = number

        def seen(name):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        watch_writes(folder, seen)
        fit(folder, every)

    return forked(work)


def main(place, job):
    """``{"every": …, "points": [first, step], "moments": n, "stops": n, "seed": s}`` → a JSON line of what came out."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start what is in the background deaf to it
    every = job.get("every")
    points = write_points(place / "whole", every)
    wanted = left_by(place / "whole")
    began = time.perf_counter()
    assert forked(lambda: fit(place / "timed", every)) == 0
    lasting = time.perf_counter() - began
    differing = [] if left_by(place / "timed") == wanted else ["two undisturbed runs"]
    trials = killed = 0

    def finish(folder, name):
        nonlocal trials
        trials += 1
        status = forked(lambda: fit(folder, every))
        if status or left_by(folder) != wanted:
            differing.append(f"{name}: exit {status}")

    first, step = job.get("points", [0, 1])
    for number in range(first, len(points) if job.get("points") else 0, step):
        folder = place / f"point-{number}"
        killed += killed_at_write(folder, every, number) == -signal.SIGKILL
        finish(folder, f"write {number}, {points[number]}")
    rng = np.random.default_rng(job.get("seed", 0))
    moments = number = 0
    while moments < job.get("moments", 0):  # a moment may come after the end
        folder = place / f"moment-{number}"
        for _ in range(int(rng.integers(1, 3))):
            after = rng.uniform(0, lasting)
            moments += forked(lambda f=folder: fit(f, every), after) == -signal.SIGKILL
        finish(folder, f"moment {number}")
        number += 1
    slowest = 0.0
    stopped = at = 0
    while stopped < job.get("stops", 0):
        folder, number = place / f"stop-{at}", (signal.SIGINT, signal.SIGTERM)[stopped % 2]
        at += 1
        after = rng.uniform(0.2, 0.9) * lasting
        began = time.perf_counter()
        status = forked(lambda f=folder: fit(f, every), after, number)
        if status == 0:  # it was over before
            lasting = min(lasting, after)
            continue
        stopped += 1
        slowest = max(slowest, time.perf_counter() - began - after)
        if status != 128 + number:
            differing.append(f"stop {at}: exit {status}")
        finish(folder, f"stop {at}")
    counts = {
        "trials": trials,
        "killed": killed,
        "moments": moments,
        "points": len(points),
        "slowest_stop": round(slowest, 2),
    }
    print(json.dumps({**counts, "differing": differing, "names": points}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
