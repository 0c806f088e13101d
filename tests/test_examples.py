"""Every example, run as a user runs it, on its built-in set; its files are looked into, not only counted."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgclf import Classifier

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_main_job_learns(tmp_path):
    """README's first command: above 90 % on the pictures held back."""
    out = run("dogs_vs_cats.py", "--out", tmp_path)
    accuracy = float(out.split("300 pictures: accuracy ")[1].split()[0])
    assert accuracy > 0.9


def test_dogs_vs_cats_shows_what_the_document_shows(tmp_path):
    out = run("dogs_vs_cats.py", "--fast", "--out", tmp_path)
    for said in (
        "cat.0.png",
        "dog.749.png",
        "cat: 750, dog: 750",
        "Total params",
        "best epoch",
        "300 pictures: accuracy",
    ):
        assert said in out
    for name in ("class_counts", "sample", "augmented", "curves", "predictions", "grad_cam"):
        picture = Image.open(tmp_path / f"{name}.png").convert("RGB")
        assert len(picture.getcolors(picture.width * picture.height) or ()) > 10, f"{name} is empty"
    with (tmp_path / "submission.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [str(i) for i in range(1, 101)]
    answers = Classifier.load(tmp_path / "dogs_vs_cats.keras").predict([tmp_path / "data/test1/7.png"])
    assert answers.class_names == ("cat", "dog")
    assert int(rows[6]["label"]) == answers.labels[0]
