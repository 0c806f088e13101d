"""What the tests share: tiny pictures that a small network tells apart in seconds, and a cache of their own."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version as package_version
from pathlib import Path

import pytest
import scoreboard
from PIL import Image
from squares import squares

import imgclf  # noqa: F401 - chooses the backend, before a test imports Keras

PROMISES = pytest.StashKey()
"""The name of every collected test that proves a promise, slow ones included → the promise."""
REPORTS = pytest.StashKey()

REAL = Path(__file__).parents[2] / "shared" / "data"

sys.path.append(str(Path(__file__).parents[1]))  # `benchmarks` is importable, whatever pytest was called by


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
def unlistable(monkeypatch):
    """Called with the end of a path: the listing of that folder fails, also for root, whom permissions do not stop."""
    real = os.scandir

    def put(ending):
        def scandir(path):
            if str(path).endswith(ending):
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return put


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


def pytest_addoption(parser):
    parser.addoption("--scoreboard", action="store_true", help="write what the tests of promises find to docs/results")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    found = {
        scoreboard.name_of(item.nodeid, slow=scoreboard.is_slow(item)): scoreboard.promised(item) for item in items
    }
    config.stash[PROMISES] = {name: promise for name, promise in found.items() if promise}
    config.stash[REPORTS] = []


def pytest_runtest_setup(item):
    if promise := scoreboard.promised(item):
        item.user_properties.append(("promise", (*promise, scoreboard.is_slow(item))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.config.stash[REPORTS].append(report)
    return report


def pytest_sessionfinish(session):
    if session.config.getoption("scoreboard"):
        versions = {"python": platform.python_version(), "keras": package_version("keras")}
        scoreboard.update(session.config.stash[REPORTS], versions)


@pytest.fixture
def promises(request):
    """The collected tests that prove a promise, by name."""
    return request.config.stash[PROMISES]
