"""Every example, run as a user runs it, on its built-in set; its files are looked into, not only counted."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from imgclf import Classifier
from imgclf.images import read_image

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@dataclass(frozen=True)
class Done:
    """What an example printed, and the folder that it filled."""

    said: str
    out: Path

    def picture(self, name):
        return read_image(self.out / f"{name}.png")

    def rows(self, name):
        with (self.out / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def run(name, out, *arguments):
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--out", str(out), *map(str, arguments)]
    surroundings = {**os.environ, "IMGCLF_CACHE": str(out.parent / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    assert done.returncode == 0, done.stderr
    return Done(done.stdout, out)


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """An example's name → what it gave with ``--fast``; each runs once, however many tests ask."""
    found = {}

    def ran(name):
        if name not in found:
            found[name] = run(name, tmp_path_factory.mktemp(name) / "out", "--fast")
        return found[name]

    return ran


def cells(picture, rows, columns):
    """The pictures of a grid, as arrays of one size, without what is white around them."""
    dark = (picture < 250).any(axis=-1)
    picture = picture[np.ix_(np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0)))]
    heights, widths = picture.shape[0] // rows, picture.shape[1] // columns
    return [
        picture[row * heights : (row + 1) * heights, column * widths : (column + 1) * widths].astype(int)
        for row in range(rows)
        for column in range(columns)
    ]


def colors(picture):
    return len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0))


def assert_all_differ(pictures):
    for at, picture in enumerate(pictures):
        assert colors(picture) > 10, f"cell {at} is empty"
        for other in pictures[:at]:
            assert abs(picture - other).mean() > 3, "two cells show the same"


def accuracies(said):
    """Every accuracy printed beside its interval."""
    found = re.findall(r"pictures: accuracy ([0-9.]+) \(95 % interval ([0-9.]+) to ([0-9.]+)\)", said)
    return [tuple(map(float, numbers)) for numbers in found]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_begins_with_what_it_is_and_how_to_run_it(name):
    """The header is what a reader, ``--help`` and the pages of the docs begin with."""
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    title, underline = text.split("\n")[:2]
    assert re.fullmatch(r'"""[A-Z].*\(document 00[0-4]\)', title)
    assert underline == "=" * len(title.removeprefix('"""'))
    assert re.search(r"\n    python examples/(\w+)\.py ", text)[1] == name
    for option in ("--data", "--out", "--fast"):
        assert f'"{option}"' in text


def test_every_document_has_its_example():
    titles = [(EXAMPLES / f"{name}.py").read_text("utf-8").split("\n")[0] for name in NAMES]
    assert sorted(re.search("document (00.)", title)[1] for title in titles) == ["000", "001", "002", "003", "004"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_to_be_written_is_there_and_no_picture_is_empty(fast, name):
    done = fast(name)
    listed = done.said.split("written to ")[1].split("\n  ")[1:]
    assert [item.strip() for item in listed] == sorted(path.name for path in done.out.iterdir())
    for path in done.out.glob("*.png"):
        assert colors(read_image(path)) > 10, f"{path.name} is empty"
    assert list((done.out / "fast").rglob("best.keras")), "no run that could go on"


@pytest.mark.slow
def test_the_main_job_learns(tmp_path):
    """README's first command: above 90 % on the pictures held back."""
    done = run("dogs_vs_cats", tmp_path / "out")
    assert accuracies(done.said)[0][0] > 0.9


def test_dogs_vs_cats_shows_what_the_document_shows(fast):
    done = fast("dogs_vs_cats")
    for said in (
        "cat.0.png",
        "dog.749.png",
        "cat: 750, dog: 750",
        "Total params",
        "best epoch",
        "300 pictures: accuracy",
    ):
        assert said in done.said
    assert_all_differ(cells(done.picture("augmented"), 3, 5))
    rows = done.rows("submission")
    assert [row["id"] for row in rows] == [str(i) for i in range(1, 101)]
    answers = Classifier.load(done.out / "dogs_vs_cats.keras").predict([done.out / "data/test1/7.png"])
    assert answers.class_names == ("cat", "dog")
    assert int(rows[6]["label"]) == answers.labels[0]


def test_cat_dog_small_shows_what_the_document_shows(fast):
    done = fast("cat_dog_small")
    assert "a batch: (20, 64, 64, 3) (20,)" in done.said
    assert "Dataset(1,000 pictures 64×64×3; cats: 500, dogs: 500)" in done.said
    assert_all_differ(cells(done.picture("batch"), 4, 5))
    assert_all_differ(cells(done.picture("augmented"), 4, 5))
    ((accuracy, low, high),) = accuracies(done.said)
    assert low < accuracy < high
    assert Classifier.load(done.out / "cat_dog_small.keras").class_names == ("cats", "dogs")


def test_augmented_versions_are_of_one_picture_and_a_batch_is_of_many(fast):
    """Twenty versions of one picture have its colours; twenty pictures have their own."""
    done = fast("cat_dog_small")
    spread = {
        name: np.std([cell.mean(axis=(0, 1)) for cell in cells(done.picture(name), 4, 5)], axis=0).mean()
        for name in ("batch", "augmented")
    }
    assert 2 * spread["augmented"] < spread["batch"]


def test_small_data_shows_what_the_document_shows(fast):
    done = fast("small_data")
    counted = [line.split() for line in done.said.split("\n")[1:4]]
    assert counted == [["train", "30", "30"], ["validation", "200", "200"], ["test", "200", "200"]]
    assert_all_differ(cells(done.picture("augmented"), 1, 4))
    plain, augmented = done.said.split("dropout (Dropout)")[0], done.said.split("dropout (Dropout)")[1]
    assert "conv4 (Conv2D)" in plain
    assert "best epoch" in plain
    assert "best epoch" in augmented
    rows = done.rows("figures")
    assert [row["recipe"] for row in rows] == ["small_data_plain", "small_data_augmented"]
    for row, said in zip(rows, accuracies(done.said), strict=True):
        assert [float(row[key]) for key in ("test accuracy", "from", "to")] == pytest.approx(said, abs=5e-5)
        test = Classifier.load(done.out / f"{row['recipe']}.keras").predict(done.out / "data" / "test" / "cats")
        assert len(test) == 200
    curves = [done.picture(f"curves_{row['recipe']}") for row in rows]
    assert not np.array_equal(*curves)


def test_vgg16_explained_shows_what_the_document_shows(fast):
    done = fast("vgg16_explained")
    exchanged = re.findall(r"^(cats|dogs)/\S+ +(cats|dogs) +([01])$", done.said, re.MULTILINE)
    assert exchanged == [("cats", "dogs", "1")] * 3 + [("dogs", "cats", "0")] * 3
    rows = {row.pop("network"): {name: float(value) for name, value in row.items()} for row in done.rows("figures")}
    assert set(rows) == {"accurate", "control"}
    for row in rows.values():
        assert row["from"] < row["test accuracy"] < row["to"]
        assert 0 <= row["max train accuracy"] <= 1
    assert rows["accurate"]["test loss"] != rows["control"]["test loss"]
    for network in rows:
        assert f"{rows[network]['test loss']:.4f}" in done.said
    for kind in ("feature_maps", "grad_cam"):
        accurate, control = (done.picture(f"{kind}_{name}").astype(int) for name in rows)
        assert accurate.shape == control.shape
        assert abs(accurate - control).mean() > 1, f"{kind} of both networks are the same"
    beside = done.picture("side_by_side")
    assert beside.shape[0] > 2 * done.picture("curves").shape[0]
    assert len(re.findall(r"^(?:cats|dogs)/\S+ +(?:cats|dogs) +(?:accurate|control) ", done.said, re.MULTILINE)) == 4


def test_mnist_csv_shows_what_the_document_shows(fast):
    done = fast("mnist_csv")
    head, first = done.said.split("\n")[:2]
    assert head.split()[:3] == ["label", "pixel0", "pixel1"]
    with (done.out / "digits.csv").open() as file:
        written = next(csv.DictReader(file))
    assert first.split() == [written[name] for name in head.split()]
    assert "0: 178, 1: 182" in done.said
    ((accuracy, low, high),) = accuracies(done.said)
    assert 0.3 < low < accuracy < high  # one epoch of digits is far from chance, 0.1
    wrong = round((1 - accuracy) * 359)
    assert wrong > 0
    shown = cells(done.picture("mistakes"), -(-min(wrong, 20) // 5), min(wrong, 5))
    assert_all_differ(shown[: min(wrong, 20)])


def test_a_second_run_goes_on_where_the_first_ended(fast):
    """The same command again: nothing is trained twice, and the figures are those of the first."""
    done = fast("mnist_csv")
    again = run("mnist_csv", done.out, "--fast")
    assert "Epoch 1/1" not in again.said
    assert accuracies(again.said) == accuracies(done.said)
