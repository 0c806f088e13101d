"""A model file from a stranger takes no memory, writes nothing, runs nothing, and never opens as something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import model_attacks
import numpy as np
import pytest
from model_subjects import MEAN_COLOUR, classifier, saved

from imgclf import Classifier, registry
from imgclf.errors import ModelFileError

HERE = Path(__file__).parent
ATTACKS = "a model file made to harm is refused or harmless: no memory, no file written, nothing run, no waiting"
BYTES = "a model file with any one byte changed is refused"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """What every attack came to, all of them in one process that could write where it liked, and what lies around."""
    place = tmp_path_factory.mktemp("attacks")
    for name in ("files", "home", "tmp", "here"):
        (place / name).mkdir()
    environment = {**os.environ, "HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PYTHONPATH": str(HERE)}
    command = [sys.executable, str(HERE / "model_attacks.py"), str(place / "files"), str(place / "report")]
    done = subprocess.run(
        command, env=environment, cwd=place / "here", capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return place, [json.loads(line) for line in (place / "report").read_text().splitlines()]


@pytest.mark.promise("model-attacks", ATTACKS)
def test_every_attack_is_refused_or_harmless(attacked, record_property):
    _, lines = attacked
    assert len(lines) == len(model_attacks.ATTACKS) >= 40
    harmless = {name for name, (_, _, allowed) in model_attacks.ATTACKS.items() if allowed}
    assert {line["name"] for line in lines if not line["said"].startswith("refused: ")} == harmless
    assert [line for line in lines if line["name"] in harmless and line["said"] != "harmless"] == []
    refused = len(lines) - len(harmless)
    record_property("measured", f"{len(lines)} files: {refused} refused, {len(harmless)} harmless")


@pytest.mark.promise("model-attacks", ATTACKS)
def test_no_attack_takes_memory_or_time(attacked, record_property):
    _, lines = attacked
    peak, slowest = max(line["megabytes"] for line in lines), max(line["seconds"] for line in lines)
    assert peak < 2000
    assert slowest < 10  # none waits; the slowest takes half a second on a quiet machine
    grown = peak - lines[0]["megabytes"]
    record_property("measured", f"peak {peak:,.0f} MB, {grown:,.0f} above Keras's own; slowest {slowest:.2f} s")


@pytest.mark.promise("model-attacks", ATTACKS)
def test_no_attack_writes_or_runs_anything(attacked):
    place, lines = attacked
    trusted = {name for name, (_, trust, _) in model_attacks.ATTACKS.items() if trust}
    for line in lines:  # where a file is trusted, what was checked lies in a folder of its own for a moment
        own = str(place / "tmp") if line["name"] in trusted else "\0"
        assert [event for event in line["heard"] if own not in event] == [], line["name"]
    left = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    caches = {name for name in left if name.startswith(("home/.keras", "home/.cache/matplotlib", "home/.config"))}
    assert left - caches == {"files/sound.keras", "report"}
    assert list((place / "tmp").iterdir()) == []
    assert list((place / "here").iterdir()) == []


@pytest.mark.promise("model-attacks", ATTACKS)
def test_a_refusal_names_the_file_and_says_what_to_do(attacked):
    _, lines = attacked
    for line in lines:
        if line["said"].startswith("refused: "):
            assert line["said"].startswith("refused: '")
            assert ".keras'" in line["said"], line
            assert line["said"].isprintable(), line
            advice = (
                "Restore it",
                "Give ",
                "trust=True",
                "Update imgclf",
                "must be given",
                "Open it with Keras",
                "Pass",
            )
            assert any(words in line["said"] for words in advice), line


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The path of the smallest file."""
    monkeypatch.setitem(registry._known, "mean_colour", MEAN_COLOUR)
    return saved(tmp_path / "small.keras", "mean_colour")


def refused(path):
    try:
        Classifier.load(path)
    except ModelFileError:
        return True
    return False


def flips(path, change):
    """The positions at which a byte may be changed unnoticed."""
    unnoticed = []
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as file:  # in place: thousands of new files would take minutes
        for at, byte in enumerate(content):
            os.pwrite(file.fileno(), bytes([byte ^ change]), at)
            unnoticed += [] if refused(path) else [at]
            os.pwrite(file.fileno(), bytes([byte]), at)
    assert path.read_bytes() == content
    return unnoticed


@pytest.mark.promise("model-bytes", BYTES)
def test_every_byte_counts(small, record_property):
    size = small.stat().st_size
    assert flips(small, 0xFF) == []
    assert Classifier.load(small).class_names == ("top", "bottom")
    record_property("measured", f"{size:,} bytes, each turned over: {size:,} refused")


@pytest.mark.slow
@pytest.mark.promise("model-bytes", BYTES)
def test_every_bit_counts(small, record_property):
    size = small.stat().st_size
    for bit in range(8):
        assert flips(small, 1 << bit) == []
    record_property("measured", f"{size * 8:,} bits, each turned over: {size * 8:,} refused")


@pytest.mark.promise("model-bytes", "a model file cut short anywhere is refused")
def test_every_length_counts(small):
    for length in reversed(range(small.stat().st_size)):
        os.truncate(small, length)
        with pytest.raises(ModelFileError, match=r"is empty|cut short|no \.keras archive|damaged"):
            Classifier.load(small)


def test_keras_is_never_asked(tmp_path, monkeypatch):
    """The check of the checks: with Keras's deserialiser and HDF5 taken away, a sound file opens all the same."""
    import h5py
    import keras

    original = classifier()
    path = original.save(tmp_path / "a.keras")

    def forbidden(*_, **__):
        raise AssertionError("a file of the registry's came to Keras or HDF5")

    for owner, name in (
        (keras.saving, "load_model"),
        (keras.saving, "deserialize_keras_object"),
        (keras.Model, "from_config"),
        (h5py, "File"),
    ):
        monkeypatch.setattr(owner, name, forbidden)
    loaded = Classifier.load(path)
    pairs = zip(loaded.model.get_weights(), original.model.get_weights(), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
