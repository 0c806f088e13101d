"""The pages that show how one thing is done, and the tour: their examples run as they stand, only smaller."""

from __future__ import annotations

import json
import re

import doc_pages
import keras
import numpy as np
import pytest

from imgclf import Classifier, DrawnPets, registry

NETWORK = '"small_cnn", options={"filters": (4, 8), "dense": 0}'
"""In place of ``small_cnn`` as it stands: the same code, a fraction of the work."""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A new working folder, and the networks of the registry as they were."""
    known = dict(registry._known)
    monkeypatch.chdir(tmp_path)
    yield
    registry._known.clear()
    registry._known.update(known)


def test_the_first_example_runs(tmp_path):
    names = doc_pages.run("start.md", {"DrawnPets(1000": "DrawnPets(40", "epochs=15": "epochs=1"})
    assert names["run"].classifier.class_names == ("cat", "dog")
    assert {"pets.keras", "why.png", "runs"} <= {path.name for path in tmp_path.iterdir()}


def test_the_lines_of_the_landing_page_run(tmp_path, capsys):
    DrawnPets(30, seed=0).write("pets", "folders")
    (tmp_path / "garfield.jpg").write_bytes(next((tmp_path / "pets").rglob("*.png")).read_bytes())
    smaller = {"(150, 150)": "(32, 32)", "epochs=30": "epochs=1"}
    names = doc_pages.run("index.md", {**smaller, 'Trainer("small_cnn",': f"Trainer({NETWORK},"})
    assert names["run"].classifier.class_names == ("cat", "dog")
    assert "accuracy" in capsys.readouterr().out
    assert (tmp_path / "why.png").exists()


def test_the_tour_runs(tmp_path):
    smaller = {"DrawnPets(1000": "DrawnPets(60", 'Trainer("small_cnn",': f"Trainer({NETWORK},", "epochs=20": "epochs=1"}
    names = doc_pages.run("tour.md", smaller | {"epochs=5": "epochs=1"})
    assert names["run"].classifier.class_names == ("cat", "dog")
    for name in ("versions", "curves", "maps", "why_dog"):
        assert (tmp_path / f"{name}.png").exists()


def test_a_source_of_ones_own(tmp_path):
    folder = tmp_path / "warehouse"
    folder.mkdir()
    pets = DrawnPets(20, image_size=(40, 50))
    keys = pets.samples().keys.tolist()
    np.save(folder / "shelf.npy", np.stack([pets.read(key) for key in keys]))
    (folder / "shelf.json").write_text(json.dumps([key.split(".")[0] for key in keys]))
    names = doc_pages.run("own_source.md")
    assert names["data"].class_counts() == {"cat": 10, "dog": 10}
    assert names["data"].images.shape == (20, 64, 64, 3)


def test_a_network_of_ones_own():
    names = doc_pages.run("own_network.md", {"DrawnPets(400": "DrawnPets(24", "epochs=5": "epochs=1"})
    assert isinstance(names["run"].classifier.model, keras.Model)
    assert Classifier.load("two_blocks.keras").class_names == ("cat", "dog")  # without trust: it is in the registry


def test_an_augmentation_of_ones_own(tmp_path):
    smaller = {'Trainer("small_cnn",': f"Trainer({NETWORK},", "DrawnPets(200": "DrawnPets(40", "epochs=3": "epochs=1"}
    names = doc_pages.run("own_augmentation.md", smaller)
    erased = (names["batch"] == 127).all(axis=-1).mean(axis=(1, 2))
    assert (erased >= (19 / 64) ** 2).all()  # a square of 19 of 64 pixels in every picture
    assert json.loads((tmp_path / "runs/erasing/config.json").read_text())["trainer"]["augmentation"]["erase"] == 0.3


def test_unequal_classes():
    smaller = {"DrawnPets(800": "DrawnPets(80", "range(400)": "range(40)", "range(400, 440)": "range(40, 48)"}
    names = doc_pages.run("imbalance.md", smaller | {'"small_cnn",': f"{NETWORK},", "epochs=8": "epochs=1"})
    assert names["data"].class_counts() == {"cat": 40, "dog": 8}
    assert 0 < names["threshold"] < 1


def test_checking_an_explanation(tmp_path):
    smaller = {"(16, 32)": "(4, 8)", "DrawnPets(400": "DrawnPets(80", "epochs=6": "epochs=1"}
    names = doc_pages.run("check_explanation.md", smaller)
    assert names["dog"].names == ("dog",) * 12
    assert set(names["both"].agreement) == {"mine", "control"}
    assert (tmp_path / "side_by_side.png").exists()


def test_comparing_two_models(tmp_path):
    smaller = {"(16, 32)": "(4, 8)", "DrawnPets(1000": "DrawnPets(80", "epochs=4": "epochs=1"}
    names = doc_pages.run("compare_models.md", smaller)
    assert names["only_one"] + names["only_other"] == (names["one"] != names["other"]).sum()
    assert (tmp_path / "differ.png").exists() == bool(len(names["differ"]))
    assert len(names["spread"]) == 3


def test_a_notebook():
    names = doc_pages.run("notebook.md", {'"small_cnn",': f"{NETWORK},", "epochs=3": "epochs=1"})
    assert set(names["runs"]) == {1e-3, 3e-4}
    assert "<table" in names["data"].head()._repr_html_()


def test_what_cannot_run_here_is_at_least_python():
    """Blocks marked ``py`` need a folder, an old Keras or a download; they must parse."""
    for page in doc_pages.DOCS.glob("*.md"):
        for code in doc_pages.blocks(page.name, "py"):
            compile(re.sub(r"^%.*$", "", code, flags=re.MULTILINE), str(page), "exec")
