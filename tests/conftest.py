"""What the tests share: tiny pictures that a small network tells apart in seconds, and a cache of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's cache folder."""
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def real_data():
    """The folder of real pictures, where there is one."""
    if not REAL.is_dir():
        pytest.skip("no real pictures beside the project")
    return REAL


def squares(count, size=(16, 16), seed=0):
    """Noise with a bright square at the top left (class 0) or the bottom right (class 1): images, labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 90, (count, *size, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    half = size[0] // 2
    for image, label in zip(images, labels, strict=True):
        rows = slice(0, half) if label == 0 else slice(half, None)
        image[rows, rows] += np.uint8(120)
    return images, labels


@pytest.fixture
def square_folder(tmp_path):
    """24 pictures of two classes, a folder each, in three sizes."""
    images, labels = squares(24)
    for position, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "squares" / ("bottom", "top")[1 - label]
        folder.mkdir(parents=True, exist_ok=True)
        width = 16 + position % 3
        Image.fromarray(image).resize((width, 16)).save(folder / f"{position}.png")
    return tmp_path / "squares"
