"""docs/data.md and docs/three_ways.md: their examples run, and what is said in words is what was measured."""

from __future__ import annotations

import io
import json
import zipfile
from statistics import median

import doc_pages
import numpy as np
import pytest
from PIL import Image

from imgclf import DrawnPets, FolderSource


def jpeg(picture):
    """The picture as a file of the name ending that the documents have."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "jpeg")
    return stream.getvalue()


def archive(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path.read_bytes() if hasattr(path, "read_bytes") else path.getvalue()


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """The working folder with Kaggle's two archives, of a dozen pictures and five digits."""
    monkeypatch.chdir(tmp_path)
    pets = DrawnPets(4, image_size=(30, 40))
    numbers = (0, 999, 1000, 1499, 1500, 1999, 2000)
    labelled = {f"train/{k}.{n}.jpg": jpeg(pets.read(f"{k}.{n % 2}.png")) for k in ("cat", "dog") for n in numbers}
    unlabelled = {f"test1/{n}.jpg": jpeg(pets.read("cat.0.png")) for n in range(1, 4)}
    inner = {
        "train.zip": archive(io.BytesIO(), labelled),
        "test1.zip": archive(io.BytesIO(), unlabelled),
        "sampleSubmission.csv": "id,label\n1,0\n",
    }
    archive(tmp_path / "dogs-vs-cats.zip", inner)
    header = ",".join(f"pixel{i}" for i in range(784))
    rows = [",".join(map(str, np.random.default_rng(n).integers(0, 256, 784))) for n in range(5)]
    tables = {
        "train.csv": "\n".join([f"label,{header}", *(f"{n % 2},{row}" for n, row in enumerate(rows)), ""]),
        "test.csv": "\n".join([header, *rows, ""]),
    }
    archive(tmp_path / "digit-recognizer.zip", tables)
    return tmp_path


def test_the_page_on_data_runs(kaggle):
    names = doc_pages.run("data.md")
    assert names["source"].class_names == ("cat", "dog")
    assert len(names["source"].files) == 14
    assert len(names["unlabelled"].samples()) == 3
    for part in ("train", "validation", "test"):
        source = FolderSource(kaggle / "cats_and_dogs_small" / part, class_names=("cats", "dogs"))
        assert source.samples().labels.tolist() == [0, 0, 1, 1]  # the ranges' first and last; number 2000 is in none
        assert names[part].labels.tolist() == [0, 0, 1, 1]
    assert names["digits"].images.shape == (5, 28, 28, 1)
    assert names["to_answer"].labels.tolist() == [-1] * 5


def test_the_three_ways_run(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    pets = DrawnPets(24, image_size=(30, 40))
    for key in pets.samples().keys.tolist():
        folder = tmp_path / "train" / f"{key.partition('.')[0]}s"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key.replace(".png", ".jpg")).write_bytes(jpeg(pets.read(key)))
    names = doc_pages.run("three_ways.md")
    assert names["images"].shape == (20, 150, 150, 3)  # the generator's, which came last
    assert names["data"].class_names == ("cats", "dogs")
    pictures = np.concatenate([batch for batch, _ in names["batches"]])
    assert pictures.shape == (24, 150, 150, 3)
    assert pictures.max() <= 1
    assert len(list((tmp_path / "records").glob("*.tfrecord"))) == 2


def measured(figure):
    """The median of a figure per contender of the benchmark that the page includes."""
    result = json.loads((doc_pages.DOCS / "results/performance/prepare.json").read_text("utf-8"))
    return {name: median(each[figure] for each in entry["rounds"]) for name, entry in result["contenders"].items()}


def test_what_is_said_in_words_was_measured():
    seconds, memory, processor = measured("seconds"), measured("beyond_mb"), measured("cpu_seconds")
    ours, first = "imgclf, later epochs", "imgclf, first epoch"
    generator, pipeline = "ImageDataGenerator, every epoch", "TFRecord and tf.data, every epoch"
    assert 10 * seconds[ours] < min(seconds[generator], seconds[pipeline])
    assert 0.7 < seconds["by hand, later epochs"] / seconds[ours] < 1.4
    assert memory["by hand, later epochs"] > 3 * memory[ours]
    assert seconds["by hand, first epoch"] > 2 * seconds[first]
    assert seconds[first] < seconds[generator]
    assert 0.7 < seconds[pipeline] / seconds[first] < 1.4
    assert processor[pipeline] < processor[first]
    assert 0.9 < processor[generator] / seconds[generator] < 1.1  # it decodes on one core, and waits for nothing


def test_the_page_on_reports_runs(tmp_path, monkeypatch):
    """Its lines write both pages and the card."""
    monkeypatch.chdir(tmp_path)
    doc_pages.run("reporting.md", {"DrawnPets(400": "DrawnPets(60", "epochs=8": "epochs=1"})
    assert {path.name for path in tmp_path.iterdir()} == {"pets.html", "pets.md", "both.html", "runs"}
