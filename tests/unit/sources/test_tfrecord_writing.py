# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, FileError, OptionError
from imgclf.sources import (
    ArraySource,
    CsvPixelsSource,
    DrawnPets,
    FilenameSource,
    FolderSource,
    Samples,
    TableSource,
    TFRecordSource,
    tfrecord_writing,
    write_tfrecords,
)
from imgclf.sources.example import parse_example
from imgclf.sources.record_file import records

PETS = ("cat/1.jpg", "cat/2.png", "dog/3.gif", "dog/10.bmp", "dog/é.webp")


def fill(root: Path, *names: str) -> Path:
    for at, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB" if at % 2 else "L", (30, 20), at * 40).save(root / name)
    return root


def features(path: Path) -> list[dict[str, list[bytes] | list[int]]]:
    return [
        {name: value.texts() or value.integers() for name, value in parse_example(payload).items()}
        for _, payload in records(path, "it")
    ]


def same(first, second) -> None:
    assert first.class_names == second.class_names
    assert first.samples().keys.tolist() == second.samples().keys.tolist()
    assert first.samples().labels.tolist() == second.samples().labels.tolist()
    for key in first.samples().keys:
        np.testing.assert_array_equal(first.read(key), second.read(key))


def table(root: Path) -> CsvPixelsSource:
    root.mkdir()
    (root / "t.csv").write_text("label,p0,p1,p2,p3\n7,0,1,2,200\n5,3,4,5,6\n7,9,9,9,9\n")
    return CsvPixelsSource(root / "t.csv")


class Bricks:
    class_names = ("dark", "bright", "never")

    def samples(self) -> Samples:
        return Samples(keys=[f"{i}" for i in range(10)], labels=[i % 2 for i in range(10)])

    def read(self, key: str) -> np.ndarray:
        return np.full((3, 4, 1), 40 + 15 * int(key), np.uint8)


MAKE = {
    "folder": lambda root: FolderSource(fill(root, *PETS)),
    "folder, other order": lambda root: FolderSource(fill(root, *PETS), class_names=("dog", "cat")),
    "filename": lambda root: FilenameSource(fill(root, "cat.1.jpg", "cat.2.jpg", "dog.1.png")),
    "unlabelled": lambda root: FilenameSource(fill(root, "1.jpg", "2.jpg"), labelled=False),
    "named": lambda root: FilenameSource(fill(root, "1.jpg", "2.jpg"), class_names=("b", "a"), labelled=False),
    "table": lambda root: TableSource({"path": PETS[:4], "label": [1, 0, 0, 1]}, fill(root, *PETS)),
    "csv": table,
    "arrays": lambda root: ArraySource(np.arange(36, dtype=np.uint8).reshape(3, 2, 2, 3), ["b", "a", "b"]),
    "some unlabelled": lambda root: ArraySource(np.zeros((3, 2, 2), np.uint8), np.array([1, -1, 0]), ("x", "y")),
    "drawn": lambda root: DrawnPets(6, image_size=(16, 16)),
    "user's own": lambda root: Bricks(),
}


@pytest.mark.filterwarnings("ignore:1 of 3 labels")
@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("shards", [1, 2])
def test_what_is_written_is_read(tmp_path, kind, shards):
    source = MAKE[kind](tmp_path / "set")
    paths = write_tfrecords(source, tmp_path / "out", name="pets", shards=shards)
    assert [path.name for path in paths] == [f"pets-0000{i}-of-0000{shards}.tfrecord" for i in range(shards)]
    assert sorted(os.listdir(tmp_path / "out")) == sorted([path.name for path in paths] + ["pets.classes.json"])
    same(TFRecordSource(tmp_path / "out"), source)
    same(TFRecordSource(paths), source)


def test_the_bytes_of_a_file_are_kept(tmp_path):
    root = fill(tmp_path / "set", *PETS)
    (path,) = write_tfrecords(FolderSource(root), tmp_path / "out")
    for found in features(path):
        key = found["image/filename"][0].decode()
        assert found["image/encoded"] == [(root / key).read_bytes()]
    again = write_tfrecords(TFRecordSource(path), tmp_path / "again")
    assert again[0].read_bytes() == path.read_bytes()


def test_the_features_are_those_of_tensorflows_tools(tmp_path):
    (path,) = write_tfrecords(FolderSource(fill(tmp_path / "set", *PETS)), tmp_path / "out")
    found = features(path)
    assert [each["image/class/text"] for each in found] == [[b"cat"]] * 2 + [[b"dog"]] * 3
    assert [each["image/format"] for each in found] == [[b"jpeg"], [b"png"], [b"gif"], [b"bmp"], [b"webp"]]
    assert {name: found[0][name] for name in found[0] if name != "image/encoded"} == {
        "image/format": [b"jpeg"],
        "image/height": [20],
        "image/width": [30],
        "image/channels": [1],
        "image/filename": [b"cat/1.jpg"],
        "image/class/label": [0],
        "image/class/text": [b"cat"],
    }


def test_a_dataset(tmp_path):
    data = Dataset.load(FolderSource(fill(tmp_path / "set", *PETS)), image_size=(5, 6), progress=False)
    part = data.take([4, 0, 2])
    (path,) = write_tfrecords(part, tmp_path / "out")
    source = TFRecordSource(path)
    assert source.samples().keys.tolist() == part.keys.tolist()
    assert source.class_names == ("cat", "dog")
    again = Dataset.load(source, image_size=(5, 6), progress=False)
    np.testing.assert_array_equal(again.images, part.images)
    np.testing.assert_array_equal(again.labels, part.labels)


def test_classes_without_pictures_are_kept(tmp_path):
    assert TFRecordSource(write_tfrecords(Bricks(), tmp_path)).class_names == ("dark", "bright", "never")


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    first, second = (write_tfrecords(DrawnPets(4), tmp_path / name, shards=2) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_pictures_are_dealt_out_evenly(tmp_path):
    counts = [len(features(path)) for path in write_tfrecords(Bricks(), tmp_path, shards=4)]
    assert counts == [2, 3, 2, 3]


def test_two_sets_lie_side_by_side_and_one_is_replaced(tmp_path):
    train, test = Bricks(), DrawnPets(4, image_size=(16, 16))
    write_tfrecords(train, tmp_path, name="train", shards=3)
    write_tfrecords(train, tmp_path, name="test", shards=2)
    write_tfrecords(test, tmp_path, name="test", shards=2)
    same(TFRecordSource(tmp_path / "train-*"), train)
    same(TFRecordSource(tmp_path / "test-*"), test)
    with pytest.raises(
        FileError, match=r"holds 'train-00000-of-00003\.tfrecord'.* mixed up.*choose another name than 'train'"
    ):
        write_tfrecords(train, tmp_path, name="train", shards=2)


def test_broken_pictures_leave_nothing(tmp_path):
    root = fill(tmp_path / "set", *PETS)
    (root / "cat/1.jpg").write_bytes(b"<html>")
    (root / "dog/3.gif").write_bytes(b"")
    with pytest.raises(
        DatasetError, match=r"2 of 5 pictures cannot be read:[\s\S]*'cat/1\.jpg' is an HTML[\s\S]*dog/3\.gif' is empty"
    ):
        write_tfrecords(FolderSource(root), tmp_path / "out", shards=2)
    assert os.listdir(tmp_path / "out") == []


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """A limit on the size of files stands for it: the system refuses what is written beyond."""
    before = write_tfrecords(Bricks(), tmp_path, shards=2)
    kept = [path.read_bytes() for path in before]
    noise = np.random.default_rng(0).integers(0, 256, (4, 200, 200, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FileError, match=rf"{os.strerror(errno.EFBIG)}.*Make room"):
            write_tfrecords(ArraySource(noise, [0, 1, 0, 1]), tmp_path, shards=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.read_bytes() for path in before] == kept
    assert len(os.listdir(tmp_path)) == 3
    same(TFRecordSource(tmp_path), Bricks())


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written"):
        write_tfrecords(Bricks(), tmp_path / "file" / "out")


class Empty(Bricks):
    def samples(self) -> Samples:
        return Samples([], [])


class Labelled(Bricks):
    def __init__(self, labels: list[int]) -> None:
        self.labels = labels

    def samples(self) -> Samples:
        return Samples([f"{i}" for i in range(len(self.labels))], self.labels)


class Pairs(Bricks):
    def samples(self):
        return ["0"], [1]


class Named(Bricks):
    def __init__(self, class_names) -> None:
        self.class_names = class_names


class Giving(Bricks):
    """Gives *what* for the fourth picture, or raises it."""

    def __init__(self, what) -> None:
        self.what = what

    def read(self, key):
        if key == "3" and isinstance(self.what, Exception):
            raise self.what
        return self.what if key == "3" else super().read(key)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (np.zeros((3, 4, 1)), r"'3': pixels are float64; expected uint8"),
        (
            np.zeros((3, 4, 4), np.uint8),
            r"'3': the array has the shape \(3, 4, 4\); expected \(height, width, 1 or 3\)",
        ),
        (np.zeros(3, np.uint8), r"'3': the array has the shape \(3,\)"),
        (None, "'3': pixels are object"),
        (KeyError("3.png"), "'3': KeyError: '3.png'"),
        (FileNotFoundError(errno.ENOENT, "gone", "x/3.png"), r"'3': FileNotFoundError: .*gone: 'x/3\.png'"),
        (DatasetError("no such row. Look."), r"'3': no such row\. Look\."),
    ],
)
def test_a_picture_that_is_none_is_named(tmp_path, what, told):
    with pytest.raises(DatasetError, match=rf"1 of 10 pictures cannot be read:\s+{told}"):
        write_tfrecords(Giving(what), tmp_path)
    assert os.listdir(tmp_path) == []


def test_grey_without_its_last_axis(tmp_path):
    """As everywhere: ``fit_image`` takes it too."""
    source = TFRecordSource(write_tfrecords(Giving(np.full((3, 4), 9, np.uint8)), tmp_path))
    np.testing.assert_array_equal(source.read("3"), np.full((3, 4, 1), 9))


def test_nothing_is_written_after_the_first_fault(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(tfrecord_writing, "write_record", lambda file, payload: written.append(payload))
    with pytest.raises(DatasetError):
        write_tfrecords(Giving(ValueError("no")), tmp_path, shards=2)
    assert len(written) == 3


def test_a_number_of_numpy_s(tmp_path):
    names = [path.name for path in write_tfrecords(Bricks(), tmp_path, shards=np.int64(2))]
    assert names == ["data-00000-of-00002.tfrecord", "data-00001-of-00002.tfrecord"]


@pytest.mark.parametrize(
    ("given", "options", "kind", "told"),
    [
        (Bricks(), {"shards": 0}, OptionError, "from 1 to 10"),
        (Bricks(), {"shards": 11}, OptionError, "from 1 to 10"),
        (Bricks(), {"shards": True}, OptionError, "expected a whole number"),
        (Bricks(), {"shards": 2.0}, OptionError, "expected a whole number"),
        (Bricks(), {"name": "../x"}, OptionError, "expected letters"),
        (Bricks(), {"name": ""}, OptionError, "such as 'train'"),
        (Bricks(), {"name": 3}, OptionError, "such as 'train'"),
        (Empty(), {}, DatasetError, "holds no pictures"),
        ("pets", {}, OptionError, "a str is no source and no Dataset"),
        (Bricks, {}, OptionError, r"the class Bricks is no source and no Dataset\. Give one"),
        (Labelled([0, 5]), {}, DatasetError, r"labels outside 0 to 2 .*: 5, for 3 class names\. Give one"),
        (Labelled([0, -2]), {}, DatasetError, r"labels outside 0 to 2 .*: -2, for 3 class names\. Give one"),
        (Pairs(), {}, OptionError, r"samples\(\) gave a tuple; expected Samples\(.*Return that"),
        (Named("dark"), {}, OptionError, "class_names is 'dark'; expected several texts"),
        (Named(("dark", 3, "never")), {}, OptionError, "expected several texts"),
    ],
)
def test_what_cannot_be(tmp_path, given, options, kind, told):
    with pytest.raises(kind, match=told):
        write_tfrecords(given, tmp_path, **options)
    assert os.listdir(tmp_path) == []


def odd_pictures(root: Path) -> Path:
    """Pictures that imgclf gives in another shape than they are stored in."""
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20), "red").save(root / "a/lying.jpg", exif=exif)
    Image.new("CMYK", (30, 20)).save(root / "a/cmyk.jpg")
    Image.new("RGBA", (30, 20), (9, 9, 9, 99)).save(root / "a/clear.png")
    Image.new("LA", (30, 20), (9, 99)).save(root / "a/grey_clear.png")
    Image.new("L", (30, 20)).save(root / "b/grey.png")
    Image.new("1", (30, 20)).save(root / "b/bits.png")
    Image.new("I;16", (30, 20)).save(root / "b/deep.png")
    Image.new("P", (30, 20)).save(root / "b/palette.png")
    Image.new("P", (30, 20)).save(root / "b/clear_palette.png", transparency=0)
    Image.new("L", (30, 20)).save(root / "b/grey.gif")
    return root


CHANNELS = {
    "a/lying.jpg": 3,
    "a/cmyk.jpg": 3,
    "a/clear.png": 4,
    "a/grey_clear.png": 2,
    "b/grey.png": 1,
    "b/bits.png": 1,
    "b/deep.png": 1,
    "b/palette.png": 3,
    "b/clear_palette.png": 4,
    "b/grey.gif": 3,
}


def test_shapes_are_those_of_the_stored_bytes(tmp_path):
    source = FolderSource(odd_pictures(tmp_path / "set"))
    found = features(write_tfrecords(source, tmp_path / "out")[0])
    assert {each["image/filename"][0].decode(): each["image/channels"][0] for each in found} == CHANNELS
    assert {(each["image/height"][0], each["image/width"][0]) for each in found} == {(20, 30)}
    assert source.read("a/lying.jpg").shape == (30, 20, 3)


READ = """
import sys, json
import tensorflow as tf
layout = {"image/encoded": tf.io.FixedLenFeature([], tf.string), "image/class/label": tf.io.FixedLenFeature([], tf.int64),
          "image/class/text": tf.io.FixedLenFeature([], tf.string), "image/height": tf.io.FixedLenFeature([], tf.int64)}
for one in tf.data.TFRecordDataset(sys.argv[1:]):
    found = tf.io.parse_single_example(one, layout)
    pixels = tf.io.decode_image(found["image/encoded"], channels=3, expand_animations=False).numpy()
    print(json.dumps([int(found["image/class/label"]), found["image/class/text"].numpy().decode(),
                      int(found["image/height"]), pixels.tolist()]))
"""
WRITE = """
import sys
import tensorflow as tf
def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value, 2.5]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
for kind in ("", "GZIP"):
    with tf.io.TFRecordWriter(sys.argv[1] + kind, options=kind) as writer:
        for at in range(40):
            pixels = tf.fill([2, 3, 3], tf.constant(at * 6, tf.uint8))
            record = {"image": tf.io.encode_png(pixels).numpy(), "label": at % 3, "score": at / 7, "big": -2**62, "x": b""}
            example = tf.train.Example(features=tf.train.Features(feature={k: feature(v) for k, v in record.items()}))
            writer.write(example.SerializeToString())
"""
needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is the oracle here")


def tensorflow(code: str, *arguments: Path) -> list[str]:
    """What *code* prints in a process of its own: its backend stays out of this one."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_tensorflow
def test_tensorflow_reads_what_we_write(tmp_path):
    source = DrawnPets(6, image_size=(16, 16))
    found = [json.loads(line) for line in tensorflow(READ, *write_tfrecords(source, tmp_path, shards=3))]
    samples = source.samples()
    assert [label for label, *_ in found] == samples.labels.tolist()
    assert [text for _, text, *_ in found] == [source.class_names[label] for label in samples.labels]
    assert [height for _, _, height, _ in found] == [16] * 6
    for key, (*_, pixels) in zip(samples.keys, found, strict=True):
        np.testing.assert_array_equal(source.read(key), pixels)


SHAPES = """
import sys, json
import tensorflow as tf
layout = {name: tf.io.FixedLenFeature([], tf.int64) for name in ("image/height", "image/width", "image/channels")}
layout |= {name: tf.io.FixedLenFeature([], tf.string) for name in ("image/encoded", "image/filename")}
for one in tf.data.TFRecordDataset(sys.argv[1:]):
    found = tf.io.parse_single_example(one, layout)
    pixels = tf.io.decode_image(found["image/encoded"], expand_animations=False)
    told = [int(found["image/" + name]) for name in ("height", "width", "channels")]
    print(json.dumps([found["image/filename"].numpy().decode(), told, list(pixels.shape)]))
"""


@needs_tensorflow
def test_tensorflow_decodes_to_the_shapes_that_we_write(tmp_path):
    source = FolderSource(odd_pictures(tmp_path / "set"))
    found = [json.loads(line) for line in tensorflow(SHAPES, *write_tfrecords(source, tmp_path / "out"))]
    assert {name: told for name, told, _ in found} == {name: shape for name, _, shape in found}
    assert len(found) == len(CHANNELS)


PARSE = """
import sys, json
import tensorflow as tf
for payload in sys.argv[1:]:
    found = tf.train.Example.FromString(bytes.fromhex(payload)).features.feature
    print(json.dumps({name: [[value.hex() for value in found[name].bytes_list.value], list(found[name].int64_list.value)]
                      for name in found}))
"""


def enclosed(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def in_parts(*lists: bytes) -> bytes:
    """A message of one feature "f" with several lists."""
    return enclosed(1, enclosed(1, enclosed(1, b"f") + enclosed(2, b"".join(lists))))


@needs_tensorflow
def test_lists_in_several_parts_are_read_as_tensorflow_does():
    x, y = (enclosed(1, enclosed(1, value)) for value in (b"x", b"y"))
    three, five = enclosed(3, enclosed(1, b"\3")), enclosed(3, b"\x08\5")
    cases = [
        (x, y),
        (three, five),
        (x, three),
        (three, x, y),
        (x, three, y),
        (three, x, five),
        (x, enclosed(1, b"")),
        (),
    ]
    payloads = [in_parts(*lists) for lists in cases] + [in_parts(x) + in_parts(y), in_parts(three) + in_parts(x)]
    for payload, line in zip(payloads, tensorflow(PARSE, *(each.hex() for each in payloads)), strict=True):
        found = {name: [[v.hex() for v in f.texts()], f.integers()] for name, f in parse_example(payload).items()}
        assert found == json.loads(line)


@needs_tensorflow
def test_we_read_what_tensorflow_writes(tmp_path):
    tensorflow(WRITE, tmp_path / "a.tfrecord")
    for name in ("a.tfrecord", "a.tfrecordGZIP"):
        source = TFRecordSource(tmp_path / name)
        assert source.class_names == ("0", "1", "2")
        assert source.samples().labels.tolist() == [at % 3 for at in range(40)]
        assert [int(source.read(key)[1, 2, 0]) for key in source.samples().keys] == [at * 6 for at in range(40)]
