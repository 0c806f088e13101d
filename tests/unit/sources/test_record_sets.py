from __future__ import annotations

import json
import os
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
        ([*EIGHT, f"{EIGHT[3]}.gz"], rf"'{EIGHT[3]}' and '{EIGHT[3]}\.gz'\. Keep one of each"),
        ([*EIGHT, *(f"{name}.gz" for name in EIGHT)], "of 12 parts there are several files.*read twice"),
        (["a.tfrecord", "a.tfrecord.gz"], r"'a\.tfrecord' and 'a\.tfrecord\.gz'\. Keep one of each"),
        (["a.tfrecord", "a.tfrecords"], "Keep one of each"),
        (["train.v1.tfrecord", "train.v2.tfrecord"], r"several sets: 'train\.v1', 'train\.v2'"),
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


def test_a_file_and_what_it_was_packed_to(tmp_path):
    touch(tmp_path, "a.tfrecord", "a.tfrecord.gz", "b/a.tfrecord")
    for given in (tmp_path / "a*", [tmp_path / "a.tfrecord", tmp_path / "a.tfrecord.gz"]):
        with pytest.raises(DatasetError, match="of 1 parts there are several files.*Keep one"):
            record_files(given)
    assert list(record_files([tmp_path / "a.tfrecord", tmp_path / "b/a.tfrecord"])) == ["a.tfrecord", "b/a.tfrecord"]


def test_names_that_look_alike(tmp_path):
    """A name of bytes that are no text is shown with a backslash, as another file may be called."""
    (tmp_path / os.fsdecode(b"a\xe9.rec")).touch()
    (tmp_path / r"a\xe9.rec").touch()
    assert len(record_files([tmp_path / os.fsdecode(b"a\xe9.rec")])) == 1
    with pytest.raises(DatasetError, match=r"look like others: .*xe9\.rec'\. Rename them"):
        record_files(list(tmp_path.iterdir()))


def test_a_folder_with_signs_of_a_pattern_in_its_name(tmp_path):
    touch(tmp_path, "data[1]/train-a", "data[1]/train-b", "data1/train-c")
    assert list(record_files(f"{tmp_path}/data[1]/train-*")) == ["train-a", "train-b"]
    assert list(record_files(tmp_path / "data[1]" / "train-a")) == ["train-a"]
    with pytest.raises(DatasetError, match="there is no file .*Check the path"):
        record_files(tmp_path / "data[1]" / "train-z")


@pytest.mark.parametrize("pattern", ["p*/train.tfrecord", "p?/train-*", "[p]1/x/train.tfrecord"])
def test_a_pattern_for_folders(tmp_path, pattern):
    touch(tmp_path, "p1/train.tfrecord", "p1/train-0")
    with pytest.raises(DatasetError, match=r"only the last part of a path may be a pattern\. Give"):
        record_files(tmp_path / pattern)


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
        ("pets.v1.TFRecords", "pets.v1"),
        ("pets.rec", "pets.rec"),
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


def test_class_names_are_those_of_the_usual_features(tmp_path):
    (tmp_path / "train.classes.json").write_text(json.dumps({"class_names": ["dog", "cat"]}))
    for label in ("image/class/label", "image/class/text", "label", "class"):
        assert names_beside([tmp_path / EIGHT[0]], label) == ("dog", "cat")
    assert names_beside([tmp_path / EIGHT[0]], "age") is None
    (tmp_path / "age.labels.txt").write_text("young\nold\n")
    assert names_beside([tmp_path / EIGHT[0]], "age") == ("young", "old")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[]", "it is a list; expected {'class_names'"),
        (b"3", "it is 3; expected {'class_names'"),
        (b"{}", "it is {}; expected"),
        (b'{"class_names": "cat"}', "it is {'class_names': 'cat'}; expected"),
        (b'{"class_names": {"0": "cat"}}', "it is {'class_names': {'0': 'cat'}}; expected"),
        (b'{"class_names": [1]}', "expected several texts"),
        (b"\xff", "can't decode byte"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_class_names_that_are_none(tmp_path, content, told):
    (tmp_path / "train.classes.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"classes\.json' holds no class names: ") as error:
        names_beside([tmp_path / EIGHT[0]], "label")
    assert told in str(error.value)
    assert str(error.value).endswith(". Mend it, or give them as class_names.")
    assert ".. Mend" not in str(error.value)
