"""What the tests share: tiny pictures that a small network tells apart in seconds, and a cache of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from squares import squares

import imgclf  # noqa: F401 - chooses the backend, before a test imports Keras

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
