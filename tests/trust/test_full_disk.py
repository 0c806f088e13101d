"""A disk that fills up while a file is written: the old file stays, the message is clear, the process lives."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from squares import squares

from imgclf.architectures import registry
from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.errors import FileError
from imgclf.files import write_json
from imgclf.state_file import write_state
from imgclf.tables import Table
from imgclf.trainer import Trainer

resource = pytest.importorskip("resource", reason="file-size limits are Unix's")
DISK = ("disk-full", "On a full disk, at whatever write of a save, the old file is as it was, and the error says so.")


def classifier():
    model = registry.build("small_cnn", (16, 16, 3), filters=(4,), dense=4)
    return Classifier.from_keras(model, ["top", "bottom"])


SAVES = {
    "model.keras": lambda path, again: classifier().save(path),
    "history.json": lambda path, again: write_json(path, {"loss": list(range(1000 + again))}),
    "state-00000001.npz": lambda path, again: write_state(
        path, {"step": again}, {"a": np.arange(5000.0), "b": np.ones(3)}
    ),
    "table.csv": lambda path, again: Table(("a", "b"), [(str(n + again), n) for n in range(500)]).to_csv(path),
}


@pytest.mark.promise(*DISK)
@pytest.mark.parametrize("name", SAVES)
def test_the_old_file_stays(tmp_path, name, record_property):
    path = tmp_path / name
    SAVES[name](path, 0)
    before = path.read_bytes()
    limits = sorted({0, 1, 100, *(int(len(before) * share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)), len(before) - 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(FileError, match=rf"{name}' cannot be written: .*as it was\. Make room") as caught:
                SAVES[name](path, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "File too large" in str(caught.value)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == [name]
    SAVES[name](path, 1)
    record_property("measured", f"{name}: {len(limits)} sizes of the disk")


@pytest.mark.promise(*DISK)
@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_the_old_file_stays_whatever_the_system_says(tmp_path, monkeypatch, call, code):
    path = write_json(tmp_path / "a.json", 1)

    def fails(*args, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(f"os.{call}", fails)
    with pytest.raises(
        FileError, match=rf"a\.json' cannot be written: {os.strerror(code)}\. The file that was there is as"
    ):
        write_json(path, 2)
    assert path.read_text() == "1\n"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.promise(*DISK)
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(tmp_path):
    """The bits are those of an undisturbed run: tests of resuming see to that."""
    train, validation = Dataset.from_arrays(*squares(24), ["top", "bottom"]).split()
    trainer = Trainer("small_cnn", options={"filters": (4,), "dense": 8}, batch_size=8, epochs=3)
    whole = trainer.fit(train, validation, run_dir=tmp_path / "whole", verbose=0)
    size = max(path.stat().st_size for path in (tmp_path / "whole").iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 200, hard))
    try:
        with pytest.raises(FileError, match="Make room"):
            trainer.fit(train, validation, run_dir=tmp_path / "full", verbose=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert trainer.fit(train, validation, run_dir=tmp_path / "full", verbose=0).history == whole.history
    one, two = (tmp_path / name / "best.keras" for name in ("whole", "full"))
    assert one.read_bytes() == two.read_bytes()


SCRIPT = """
import resource, sys
from imgclf import Classifier, registry
model = registry.build("small_cnn", (16, 16, 3), filters=(4,), dense=4)
classifier = Classifier.from_keras(model, ["top", "bottom"])
classifier.save(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
classifier.save(sys.argv[1])
"""


@pytest.mark.promise(*DISK)
def test_the_process_ends_normally(tmp_path):
    """HDF5 that meets a full disk takes the interpreter down at its exit (h5py #914): exit status 139."""
    path = tmp_path / "a.keras"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Make room" in done.stderr.splitlines()[-1]
    assert Classifier.load(path).class_names == ("top", "bottom")
    assert os.listdir(tmp_path) == ["a.keras"]
