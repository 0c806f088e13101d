"""A set three times as large as the memory that is left to the process is loaded, split, read and fingerprinted."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

PROMISE = pytest.mark.promise(
    "larger-than-memory",
    "A set three times as large as the memory left to the process is loaded, split and read through a memory map",
)
COUNT, SIDE, ROOM = 400, 512, 100  # pictures, pixels, MB that the process may take beyond what it has
SCRIPT = """
import json, resource, sys
from pathlib import Path
import numpy as np
from imgclf import Dataset, FolderSource
from imgclf.errors import DatasetError

def held(what):
    return next(int(line.split()[1]) // 1000 for line in Path("/proc/self/status").open() if line.startswith(what))

def load(folder, side, **options):
    return Dataset.load(FolderSource(folder), image_size=(side, side), progress=False, **options)

def used(data):
    train, validation, test = data.split(validation=0.2, test=0.1)
    part = train.take(np.arange(len(train))[::-1]).take(slice(1, None))
    total = 0
    for chosen in (part, validation, test):
        for start in range(0, len(chosen), 32):
            total += int(chosen.pictures(range(start, min(start + 32, len(chosen)))).sum(dtype=np.int64))
    return total, data.fingerprint, data.store.nbytes

root, side, room = sys.argv[1], *map(int, sys.argv[2:])
used(load(root, 24))  # whatever is imported, and threads' stacks
before = held("VmData")
_, most = resource.getrlimit(resource.RLIMIT_DATA)
resource.setrlimit(resource.RLIMIT_DATA, ((before + room) * 1_000_000, most))
total, fingerprint, size = used(load(root, side))
anonymous = held("RssAnon")
try:
    load(root, side, cache=False)
    refused = ""
except DatasetError as error:
    refused = str(error)
print(json.dumps([size, total, fingerprint, anonymous, before, refused]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts what a program allocates on Linux only")
@PROMISE
def test_a_set_larger_than_memory_is_loaded_and_read(tmp_path, monkeypatch, record_property):
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "cache"))
    arguments = [str(tmp_path / "set"), *map(str, (SIDE, ROOM))]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    size, total, fingerprint, anonymous, before, refused = json.loads(done.stdout)
    record_property(
        "measured", f"{size / 1e6:.0f} MB of pixels with {ROOM} MB to spare: {anonymous} MB held at the end"
    )
    assert size > 3e6 * ROOM
    assert total > 0
    assert len(fingerprint) == 64
    assert anonymous < before + ROOM
    assert "do not fit into memory" in refused  # the limit is one
