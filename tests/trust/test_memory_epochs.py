"""A long run takes no more memory at its end than at its beginning."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from squares import squares

from imgclf.dataset import Dataset
from imgclf.trainer import Trainer

STATUS = Path("/proc/self/status")
FLAT = ("memory-epochs", "Memory is flat over 200 epochs, states and best classifiers written.")


class Memory(keras.callbacks.Callback):
    """Resident memory after every epoch, in MiB."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS")]
        self.seen.append(int(line.split()[1]) / 1024)


@pytest.mark.promise(*FLAT)
@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("epochs", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_memory_is_flat(tmp_path, epochs, record_property):
    memory = Memory()
    sets = Dataset.from_arrays(*squares(40), ["top", "bottom"]).split()
    options = {"filters": (8,), "dense": 16}
    trainer = Trainer("bn_cnn", options=options, epochs=epochs, batch_size=8, augmentation="book", callbacks=[memory])
    trainer.fit(*sets, run_dir=tmp_path, verbose=0)
    warm = memory.seen[epochs // 4 :]
    slope = float(np.polyfit(np.arange(len(warm)), warm, 1)[0])
    record_property(
        "measured", f"{epochs} epochs: {warm[0]:.0f} MiB at a quarter, {warm[-1]:.0f} at the end, {slope:+.3f} an epoch"
    )
    assert warm[-1] < 1.05 * warm[0]
