from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgclf.errors import DatasetError, OptionError
from imgclf.sources.record_sets import names_beside, record_files, set_name


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


EIGHT = [f"train-{i:05d}-of-00012.tfrecord" for i in range(12)]


def test_a_file_and_a_list(tmp_path):
    touch(tmp_path, "b.tfrecord", "a/1.rec", "a/2.rec")
    assert record_files(tmp_path / "b.tfrecord") == {"b.tfrecord": tmp_path / "b.tfrecord"}
    found = record_files([tmp_path / "b.tfrecord", str(tmp_path / "a/2.rec"), tmp_path / "a/1.rec"])
    assert list(found) == ["a/1.rec", "a/2.rec", "b.tfrecord"]
    assert found["a/2.rec"] == tmp_path / "a/2.rec"


@pytest.mark.parametrize(
    "names",
    [
        EIGHT,
        ["mnist-train.tfrecord-00000-of-00002", "mnist-train.tfrecord-00001-of-00002"],
        ["train-00000-of-00002", "train-00001-of-00002"],
        ["train.tfrecords"],
        ["train.tfrecord.gz"],
        ["1.tfrecord"],
    ],
)
def test_a_folder(tmp_path, names):
    touch(tmp_path, *names, ".hidden.tfrecord", "train.classes.json", "label.labels.txt", "dataset_info.json", "x.jpg")
    assert list(record_files(tmp_path)) == names


def test_a_pattern(tmp_path):
    touch(tmp_path, *EIGHT, "validation-00000-of-00001.tfrecord", "train.classes.json")
    assert list(record_files(tmp_path / "train*")) == EIGHT
    assert list(record_files(f"{tmp_path}/train-0000[01]-*")) == EIGHT[:2]
    touch(tmp_path, "odd[1].tfrecord")
    assert list(record_files(tmp_path / "odd[1].tfrecord")) == ["odd[1].tfrecord"]


def test_several_sets_in_a_folder(tmp_path):
    touch(tmp_path, *EIGHT, "validation-00000-of-00001.tfrecord")
    with pytest.raises(
        DatasetError, match=r"several sets: 'train', 'validation'\. Say which, by a pattern: '.*train\*'"
    ):
        record_files(tmp_path)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (EIGHT[:3] + EIGHT[5:], r"of the 12 record files of .* 2 are missing: 3, 4\. Fetch them"),
        ([*EIGHT, "train-00000-of-00002.tfrecord"], "parts of several sets"),
        ([*EIGHT, "train.tfrecord"], "parts of several sets"),
        (["x.jpg"], r"holds no record files \(\.tfrecord"),
        ([], "holds no record files"),
    ],
)
def test_sets_that_are_not_whole(tmp_path, names, told):
    with pytest.raises(DatasetError, match=told):
        record_files(touch(tmp_path, *names))


def test_what_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="no file .*Check the path"):
        record_files(tmp_path / "gone.tfrecord")
    with pytest.raises(DatasetError, match="no file .*Check the path"):
        record_files([tmp_path / "gone.tfrecord"])
    with pytest.raises(DatasetError, match=r"no file fits .*gone-\*"):
        record_files(tmp_path / "gone-*")
    with pytest.raises(DatasetError, match="is no regular file"):
        record_files([tmp_path])
    touch(tmp_path, "a")
    with pytest.raises(DatasetError, match=r"given twice: 'a'"):
        record_files([tmp_path / "a", tmp_path / "a"])


@pytest.mark.parametrize("given", [None, 7, [], "", [7]])
def test_what_is_no_path(given):
    with pytest.raises(OptionError, match="expected the path of a record file"):
        record_files(given)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("train-00000-of-00008.tfrecord", "train"),
        ("train-00000-of-00008", "train"),
        ("mnist-train.tfrecord-00000-of-00001", "mnist-train.tfrecord"),
        ("pets.tfrecord.gz", "pets"),
    ],
)
def test_the_name_of_a_set(name, meant):
    assert set_name(Path(name)) == meant


def test_class_names_beside(tmp_path):
    files = [tmp_path / name for name in EIGHT]
    assert names_beside(files, "label") is None
    (tmp_path / "label.labels.txt").write_text("owl\ncat\n")
    assert names_beside(files, "label") == ("owl", "cat")
    assert names_beside(files, "image/class/label") is None
    (tmp_path / "train.classes.json").write_text(json.dumps({"class_names": ["dog", "cat"]}))
    assert names_beside(files, "label") == ("dog", "cat")
    (tmp_path / "test.classes.json").write_text(json.dumps({"class_names": ["cat", "dog"]}))
    with pytest.raises(DatasetError, match=r"several lists of classes.*Read them apart"):
        names_beside([*files, tmp_path / "test-00000-of-00001"], "label")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"class_names": "cat"}', b'{"class_names": [1]}', b"\xff", b"[" * 100_000]
)
def test_class_names_that_are_none(tmp_path, content):
    (tmp_path / "train.classes.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"classes\.json' holds no class names: .* Mend it"):
        names_beside([tmp_path / EIGHT[0]], "label")
