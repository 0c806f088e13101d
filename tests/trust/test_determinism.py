"""The same bits from two processes, on every backend that is installed; the order is the seed's alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from imgclf import Dataset, FolderSource
from imgclf.backend_choice import BACKENDS
from imgclf.batches import Batches

SAME = ("determinism", "One seed, one machine, one number of threads: the same bits, run after run.")
ORDER = ("determinism", "The pictures' order differs from epoch to epoch and is the seed's, not the folder's listing.")

SCRIPT = """
import hashlib, pathlib, sys
from imgclf import Dataset, Trainer
from imgclf.state_file import read_state
from squares import squares
folder = pathlib.Path(sys.argv[1])
train, validation = Dataset.from_arrays(*squares(40), ["top", "bottom"]).split()
options = {"filters": (4,), "dense": 8}
trainer = Trainer("bn_cnn", options=options, batch_size=8, epochs=2, augmentation="book", reduce_lr_patience=1)
trainer.fit(train, validation, run_dir=folder, verbose=0)
total = hashlib.sha256((folder / "best.keras").read_bytes() + (folder / "history.json").read_bytes())
for array in read_state(sorted(folder.glob("state-*"))[-1])[1].values():
    total.update(array.tobytes())
print(total.hexdigest())
"""


@pytest.mark.promise(*SAME)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if find_spec(name)])
def test_two_processes_leave_the_same_bits(tmp_path, backend):
    said = []
    for number in ("1", "2"):
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONHASHSEED": number,
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / number)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines()[-1])
    assert said[0] == said[1]


@pytest.mark.promise(*ORDER)
def test_the_order_is_the_seeds(square_folder, tmp_path):
    """A copy whose files were made in another order, as another disk would list them."""
    files = sorted(path.relative_to(square_folder) for path in square_folder.rglob("*.png"))
    for name in np.random.default_rng(0).permutation(len(files)):
        (tmp_path / "copy" / files[name]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(square_folder / files[name], tmp_path / "copy" / files[name])
    sets = [Dataset.load(FolderSource(root), image_size=(8, 8)) for root in (square_folder, tmp_path / "copy")]
    orders = []
    for data in sets:
        train = data.split(validation=0.25)[0]
        batches = Batches(train, batch_size=6, seed=3, steps=12)
        orders.append([str(key) for step in range(12) for key in train.keys[batches.positions(step)[0]]])
    assert orders[0] == orders[1]
    passes = np.array(orders[0]).reshape(4, -1)
    assert all(sorted(one) == sorted(passes[0]) for one in passes)
    assert len({tuple(one) for one in passes}) == 4
    assert len({tuple(one) for one in [passes[0], sorted(passes[0])]}) == 2
