from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.errors import DatasetError
from imgclf.sources.zip_paths import Target, find

KAGGLE = ("sampleSubmission.csv", "test1.zip", "train.zip")
DIGITS = ("sample_submission.csv", "test.csv", "train.csv")
ONE = ("pets/cat/1.jpg", "pets/dog/1.jpg", "pets/labels.csv")
BREEDS = ("labels.csv", "train/1.jpg", "test/2.jpg")

# names, the rest of the path, what is wanted, what is meant
FOUND = [
    (("cat/1.jpg", "dog/1.jpg"), "", "folder", Target("")),
    (ONE, "", "folder", Target("pets")),
    (ONE, "pets", "folder", Target("pets")),
    (ONE, "pets/cat", "folder", Target("pets/cat")),
    (ONE, "cat", "folder", Target("pets/cat")),
    (ONE, "", "table", Target("pets/labels.csv")),
    (ONE, "labels.csv", "table", Target("pets/labels.csv")),
    (KAGGLE, "train", "folder", Target("train.zip", ())),
    (KAGGLE, "train.zip", "folder", Target("train.zip", ())),
    (KAGGLE, "train.zip/train/cat", "folder", Target("train.zip", ("train", "cat"))),
    (KAGGLE, "", "table", Target("sampleSubmission.csv")),
    (DIGITS, "train.csv", "table", Target("train.csv")),
    (("train.csv.zip", "x.json"), "train.csv", "table", Target("train.csv.zip", ())),
    (("train.csv.zip", "x.json"), "", "table", Target("train.csv.zip", ())),
    (("train.csv.gz", "x.json"), "", "table", Target("train.csv.gz")),
    (("data/set.zip", "data/readme.txt"), "", "folder", Target("data/set.zip", ())),
    (("train/1.jpg", "train.zip"), "train", "folder", Target("train")),
    (("x.zip/1.jpg",), "", "folder", Target("x.zip")),
    (BREEDS, "train", "folder", Target("train")),
    (BREEDS, "", "folder", Target("")),
]

# ruff: noqa: E501 (a case is a line)
WRONG = [
    (KAGGLE, "", "folder", r"'a\.zip' holds no pictures but archives.*'test1\.zip'.*Say which is meant: 'a\.zip/train\.zip'"),
    (DIGITS, "", "table", r"holds 3 tables.*Say which is meant: 'a\.zip/train\.csv'"),
    (BREEDS, "trian", "folder", r"no 'trian' in 'a\.zip'\. Did you mean 'train'\? It holds 'labels\.csv', 'test', 'train'"),
    (ONE, "pets/owl", "folder", r"no 'owl' in 'a\.zip/pets'\. It holds 'cat', 'dog', 'labels\.csv'"),
    (ONE, "pets/..", "folder", r"no '\.\.' in"),
    (ONE, "pets/cat/1.jpg", "folder", r"'a\.zip/pets/cat/1\.jpg' is a file, and a folder is expected"),
    (ONE, "labels.csv/x", "table", r"is a file, and a folder is expected"),
    (("readme.txt",), "", "folder", r"no picture in 'a\.zip'\. It holds 'readme\.txt'\. Check"),
    (("readme.txt",), "", "table", r"no table \(\.csv, \.csv\.gz\) in 'a\.zip'\. It holds 'readme\.txt'"),
    ((), "", "folder", r"no picture in 'a\.zip'\. It is empty"),
    (ONE, "pets/cat", "table", r"no table .* in 'a\.zip/pets/cat'"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "rest", "wanted", "meant"), FOUND)
def test_what_is_meant(names, rest, wanted, meant):
    assert find(names, Path(rest).parts, wanted, Path("a.zip")) == meant


@pytest.mark.parametrize(("names", "rest", "wanted", "told"), WRONG)
def test_what_is_not_there_or_not_clear(names, rest, wanted, told):
    with pytest.raises(DatasetError, match=told):
        find(names, Path(rest).parts, wanted, Path("a.zip"))


def test_names_are_shown_harmlessly():
    with pytest.raises(DatasetError) as caught:
        find(["\x1b[31m/a.csv", "\x1b[31m/b.csv"], (), "table", Path("a.zip"))
    assert str(caught.value).isprintable()
