# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, FileError, ImageError, OptionError
from imgclf.images import ImageSpec, prepare_image
from imgclf.sources import UNLABELLED, TFRecordSource, example, unpacking
from imgclf.sources.example import dump_example
from imgclf.sources.record_file import write_record


def picture(shade: int, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("L", (3, 2), shade).save(content, kind)
    return content.getvalue()


def put(path: Path, *examples: dict[str, Any] | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for each in examples:
            write_record(file, each if isinstance(each, bytes) else dump_example(each))
    return path


def slim(at: int, label: int, text: str = "", filename: str = "") -> dict[str, Any]:
    """As TensorFlow's slim and the model garden lay a record out."""
    return {
        "image/encoded": [picture(at)],
        "image/format": [b"png"],
        "image/class/label": [label],
        "image/class/text": [text.encode()],
        "image/filename": [filename.encode()],
        "image/height": [2],
        "image/width": [3],
    }


def tfds(at: int, label: int) -> dict[str, Any]:
    """As TensorFlow Datasets does."""
    return {"image": [picture(at)], "label": [label]}


def shades(source: TFRecordSource) -> list[int]:
    return [int(source.read(key)[0, 0, 0]) for key in source.samples().keys]


def test_as_slim_writes(tmp_path):
    """Labels begin at 1 there, and the names stand in the records."""
    path = put(tmp_path / "flowers.tfrecord", slim(5, 2, "rose", "b/2.jpg"), slim(6, 1, "tulip", "a/1.jpg"))
    source = TFRecordSource(path)
    assert source.class_names == ("tulip", "rose")
    assert source.samples().labels.tolist() == [1, 0]
    assert source.samples().keys.tolist() == ["b/2.jpg", "a/1.jpg"]
    assert shades(source) == [5, 6]
    assert repr(source) == "TFRecordSource('flowers.tfrecord': 2 pictures, 2 classes)"


def test_as_tensorflow_datasets_writes(tmp_path):
    for shard in range(2):
        put(tmp_path / f"pets-train.tfrecord-0000{shard}-of-00002", tfds(shard * 2, 1), tfds(shard * 2 + 1, 0))
    (tmp_path / "label.labels.txt").write_text("cat\ndog\n")
    (tmp_path / "features.json").write_text("{}")
    source = TFRecordSource(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert source.samples().labels.tolist() == [1, 0, 1, 0]
    assert source.samples().keys.tolist() == [
        f"pets-train.tfrecord-0000{i}-of-00002:{j}" for i in (0, 1) for j in (0, 1)
    ]
    assert shades(source) == [0, 1, 2, 3]


def test_labels_without_names(tmp_path):
    source = TFRecordSource(put(tmp_path / "a", tfds(0, 10), tfds(1, 2), tfds(2, 10)))
    assert source.class_names == ("2", "10")
    assert source.samples().labels.tolist() == [1, 0, 1]


def test_names_of_one_s_own(tmp_path):
    path = put(tmp_path / "a", tfds(0, 1), tfds(1, 0))
    assert TFRecordSource(path, class_names=("dog", "cat")).class_names == ("dog", "cat")
    with pytest.raises(DatasetError, match=r"labels outside 0 to 1.*: 2"):
        TFRecordSource(put(tmp_path / "b", tfds(0, 2), tfds(1, 0)), class_names=("dog", "cat"))
    beside = put(tmp_path / "c-00000-of-00001", slim(0, 0, "x"), slim(1, 1, "y"))
    (tmp_path / "c.classes.json").write_text('{"class_names": ["ant", "bee", "cow"]}')
    assert TFRecordSource(beside).class_names == ("ant", "bee", "cow")


def test_features_of_other_names(tmp_path):
    records = [{"jpeg": [picture(i)], "kind": [b"cat", b"dog"][i : i + 1]} for i in range(2)]
    path = put(tmp_path / "a", *records)
    with pytest.raises(
        DatasetError,
        match=r"record 0 of .*a' is not read: which feature is the image\? It has 'jpeg' \(bytes\), 'kind' \(bytes\)\. Say image=",
    ):
        TFRecordSource(path)
    with pytest.raises(DatasetError, match=r"which feature is the label\?.*label=None for pictures without labels"):
        TFRecordSource(path, image="jpeg")
    source = TFRecordSource(path, image="jpeg", label="kind")
    assert source.class_names == ("cat", "dog")
    assert TFRecordSource(path, image="jpeg", label=None).samples().labels.tolist() == [UNLABELLED] * 2


@pytest.mark.parametrize("name", ["image/class/text", "class"])
def test_labels_that_are_names(tmp_path, name):
    records = [{"image": [picture(i)], name: [(b"owl", b"cat")[i]]} for i in range(2)]
    source = TFRecordSource(put(tmp_path / "a", *records))
    assert source.class_names == ("cat", "owl")
    assert source.samples().labels.tolist() == [1, 0]


def test_missing_labels(tmp_path):
    records = [{**tfds(0, 1)}, {"image": [picture(1)]}, tfds(2, -1), tfds(3, 0), {"image": [picture(4)], "label": []}]
    with pytest.warns(UserWarning, match="3 of 5 labels .* unlabelled"):
        source = TFRecordSource(put(tmp_path / "a", *records))
    assert source.samples().labels.tolist() == [1, -1, -1, 0, -1]


def named(at: int, **features: Any) -> dict[str, Any]:
    return {"image/encoded": [picture(at)], **{f"image/class/{name}": [value] for name, value in features.items()}}


UNNAMED = {
    "numbers": [tfds(0, 1), tfds(1, 0), tfds(2, -1)],
    "no feature": [tfds(0, 1), tfds(1, 0), {"image": [picture(2)]}],
    "names": [named(0, text=b"b"), named(1, text=b"a"), named(2, text=b"")],
    "numbers and names": [named(0, label=1, text=b"b"), named(1, label=0, text=b"a"), named(2, label=-1, text=b"")],
    "some names": [named(0, label=1, text=b"b"), named(1, label=0, text=b""), named(2, label=-1, text=b"")],
}


@pytest.mark.parametrize("names", ["found", "given", "beside"])
@pytest.mark.parametrize("kind", UNNAMED)
def test_unlabelled_records_are_counted(tmp_path, kind, names):
    path = put(tmp_path / "a.tfrecord", *UNNAMED[kind])
    if names == "beside":
        (tmp_path / "a.classes.json").write_text('{"class_names": ["a", "b"]}')
    with pytest.warns(UserWarning, match=r"1 of 3 labels of feature '.*' of 'a\.tfrecord' .* unlabelled") as told:
        source = TFRecordSource(path, class_names=("a", "b") if names == "given" else None)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert source.samples().labels.tolist() == [1, 0, -1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("names", [None, ("a", "b")])
def test_where_none_has_a_label_there_is_no_warning(tmp_path, names):
    source = TFRecordSource(put(tmp_path / "a", tfds(0, -1), tfds(1, -1)), class_names=names)
    assert source.samples().labels.tolist() == [-1, -1]
    assert source.class_names == (names or ())


def test_an_own_feature_has_no_names_of_others(tmp_path):
    path = put(tmp_path / "a.tfrecord", *({**slim(i, i % 2, "xy"[i % 2]), "age": [20 + i // 2]} for i in range(4)))
    (tmp_path / "a.classes.json").write_text('{"class_names": ["x", "y"]}')
    assert TFRecordSource(path).class_names == ("x", "y")
    source = TFRecordSource(path, label="age")
    assert source.class_names == ("20", "21")
    assert source.samples().labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ([slim(0, 1, "a"), slim(1, 1, "b"), slim(2, 0, "c")], r"do not fit together: \(1, 'a'\), \(1, 'b'\)"),
        ([slim(0, 0, "a"), slim(1, 1, "a")], r"do not fit together: \(0, 'a'\), \(1, 'a'\)"),
        ([slim(0, 0, "cat"), slim(1, 1, "Cat")], "'Cat' and 'cat'"),
        ([tfds(0, 3), tfds(1, 3)], "one class only, '3'"),
        ([tfds(i, i) for i in range(30)], "30 classes for 30 pictures"),
        ([tfds(0, 0), {"label": [1]}], r"record 1 of .* is not read: it has no 'image' of bytes, but 'label' \(integers\)"),
        ([tfds(0, 0), {"image": [3], "label": [1]}], "no 'image' of bytes"),
        ([tfds(0, 0), {"image": [b"a", b"b"], "label": [1]}], "it holds several pictures, and one is expected"),
        ([tfds(0, 0), {"image": [b"a"], "label": [1, 2]}], "its 'label' holds several labels"),
        ([tfds(0, 0), {"image": [b"a"], "label": [b"\xff"]}], "is no text"),
        ([tfds(0, 0), b"<html>404"], r"record 1 of .* is not read: it is no tf\.train\.Example"),
        ([], "holds no records"),
    ],
)  # fmt: skip
def test_sets_that_do_not_hold_together(tmp_path, examples, told):
    with pytest.raises(DatasetError, match=told):
        TFRecordSource(put(tmp_path / "a", *examples))


@pytest.mark.parametrize(
    "lists", [{"image": [b"x"], "label": list(range(9999))}, {"image": [b"x"] * 9999}, {"label": [b"x"] * 9999}]
)
def test_long_lists_are_not_decoded_to_their_end(tmp_path, monkeypatch, lists):
    """Told by the steps taken, of which a list of 10,000 values would need as many."""
    path = put(tmp_path / "a", tfds(0, 0), {**tfds(1, 1), **lists})
    steps = 0

    def counted(step: Any) -> Any:
        def run(*given: Any) -> Any:
            nonlocal steps
            steps += 1
            return step(*given)

        return run

    for name in ("_varint", "_field_at"):
        monkeypatch.setattr(example, name, counted(getattr(example, name)))
    with pytest.raises(DatasetError, match="record 1 of .* several (labels|pictures), and one"):
        TFRecordSource(path)
    assert steps < 100


def test_damaged_files_are_told_at_once(tmp_path):
    paths = [put(tmp_path / f"{i}.rec", tfds(i, 0), tfds(i + 9, 1)) for i in range(4)]
    for path in paths[1:3]:
        path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "4.rec").write_bytes(b"<html>404 not found")
    with pytest.raises(DatasetError, match=r"3 of 5 record files cannot be read:\s+record 1 of .*1\.rec' is damaged"):
        TFRecordSource([*paths, tmp_path / "4.rec"])


@pytest.mark.parametrize(
    "names",
    [
        ("", ""),
        ("a.jpg", "a.jpg"),
        ("/etc/a", "b"),
        ("../a", "b"),
        ("a\\b", "c"),
        ("a\nb", "c"),
        ("a/../b", "c"),
        ("a\u2028b", "c"),
        ("a\x85b", "c"),
    ],
)
def test_names_that_are_no_keys(tmp_path, names):
    source = TFRecordSource(put(tmp_path / "a.rec", *(slim(i, i, "xy"[i], name) for i, name in enumerate(names))))
    assert source.samples().keys.tolist() == ["a.rec:0", "a.rec:1"]


@pytest.mark.parametrize("space", ["\u202f", "\u00a0", "\u3000", "\u200d"])
def test_spaces_and_joiners_in_names_are_kept(tmp_path, space):
    """Screenshots of macOS have U+202F before PM."""
    names = [f"Screenshot 9.41{space}PM.png", "b.png"]
    source = TFRecordSource(put(tmp_path / "a.rec", *(slim(i, i, "xy"[i], name) for i, name in enumerate(names))))
    assert source.samples().keys.tolist() == names


def test_keys_enter_the_fingerprint(tmp_path):
    first, second, again = (
        TFRecordSource(put(tmp_path / f"{at}.rec", slim(0, 0, "x", f"{name}.png"), slim(1, 1, "y", "b.png")))
        for at, name in enumerate("aca")
    )
    assert first.fingerprint() != second.fingerprint()
    assert first.fingerprint() == again.fingerprint()


def test_a_set_of_many_files_is_digested_in_runs(tmp_path):
    """The same digest as of one file: where the records lie does not enter, and runs go across files."""
    examples = [slim(i % 256, i % 2, "xy"[i % 2], f"{i}.png") for i in range(200)]
    whole = TFRecordSource(put(tmp_path / "whole.rec", *examples))
    parts = [put(tmp_path / f"{i}.rec", *examples[i * 50 : i * 50 + 50]) for i in range(4)]
    source = TFRecordSource(parts)
    assert source.fingerprint() == whole.fingerprint()
    parts[1].unlink()
    assert source.fingerprint() != whole.fingerprint()


def test_a_set_without_any_record_in_one_file(tmp_path):
    put(tmp_path / "a-00000-of-00002", tfds(0, 0), tfds(1, 1))
    put(tmp_path / "a-00001-of-00002")
    assert len(TFRecordSource(tmp_path).samples()) == 2


def test_broken_pictures_are_named_by_key(tmp_path):
    records = [
        tfds(0, 0),
        {"image": [b"<html>"], "label": [1]},
        {"image": [picture(1)[:-20]], "label": [1]},
        tfds(3, 1),
    ]
    source = TFRecordSource(put(tmp_path / "a.rec", *records))
    with pytest.raises(ImageError, match=r"^'a\.rec:1' is an HTML page"):
        source.read("a.rec:1")
    with pytest.raises(ImageError, match=r"^'a\.rec:2' is truncated"):
        source.prepare("a.rec:2", ImageSpec((4, 4)))
    with pytest.warns(UserWarning, match="2 .*skipped|left out|cannot be read"):
        data = Dataset.load(source, image_size=(2, 3), on_error="skip", progress=False)
    assert [key for key, _ in data.skipped] == ["a.rec:1", "a.rec:2"]


def test_a_file_is_prepared_as_on_every_other_way(tmp_path):
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(np.kron(noise, np.ones((10, 10, 1), np.uint8))).save(content, "JPEG")
    source = TFRecordSource(put(tmp_path / "a", {"image": [content.getvalue()], "label": [0]}, tfds(1, 1)))
    spec = ImageSpec((40, 40))
    np.testing.assert_array_equal(source.prepare("a:0", spec), prepare_image(content.getvalue(), spec))


def test_a_file_that_changes_after_the_listing(tmp_path):
    path = put(tmp_path / "a", tfds(0, 0), tfds(1, 1))
    source = TFRecordSource(path)
    before = source.fingerprint()
    put(path, tfds(0, 0), tfds(2, 1))
    assert shades(source) == [0, 2]  # as a file that is replaced
    assert source.fingerprint() != before
    put(path, tfds(0, 0), {"x": [bytes(200)]})
    with pytest.raises(ImageError, match=r"'a:1' in .* has changed since it was listed"):
        source.read("a:1")
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        source.read("a:0")
    assert source.fingerprint() != before


def test_gzip(tmp_path, monkeypatch):
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "cache"))
    plain = TFRecordSource(put(tmp_path / "plain", slim(3, 0, "a", "1.png"), slim(4, 1, "b", "2.png")))
    path = tmp_path / "packed.tfrecord.gz"
    path.write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    source = TFRecordSource(path)
    assert shades(source) == [3, 4]
    assert source.fingerprint() == plain.fingerprint()
    monkeypatch.setattr(unpacking, "_gunzip", lambda *_: pytest.fail("unpacked again"))
    assert shades(TFRecordSource(path)) == [3, 4]


def test_gzip_that_is_damaged_or_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(100_000))[:-9])
    with pytest.raises(DatasetError, match=r"a\.gz' is damaged: .*Fetch it again"):
        TFRecordSource(path)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED", 10_000)
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(DatasetError, match=r"a\.gz' unpacks to more than .* bytes\. If that is right"):
        TFRecordSource(path)
    assert list((tmp_path / "cache/unpacked").iterdir()) == []
    path.write_bytes(gzip.compress(b"no records"))
    with pytest.raises(DatasetError, match=r"record 0 of '.*a\.gz' is damaged"):
        TFRecordSource(path)
    monkeypatch.setenv("IMGCLF_CACHE", str(path))
    path.write_bytes(gzip.compress(b"others"))
    with pytest.raises(FileError, match="IMGCLF_CACHE"):
        TFRecordSource(path)


def test_a_length_that_looks_like_gzip(tmp_path):
    """The length 35,615 begins with the two bytes of gzip."""
    sizes = range(35_400, 35_615)
    padded = (dump_example({"image": [picture(7)], "label": [0], "pad": [bytes(size)]}) for size in sizes)
    record = next(each for each in padded if len(each) == 35_615)
    path = put(tmp_path / "a", record, tfds(1, 1))
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert shades(TFRecordSource(path)) == [7, 1]


@pytest.mark.parametrize("options", [{"image": None}, {"image": ""}, {"label": 3}])
def test_options_that_cannot_be(tmp_path, options):
    with pytest.raises(OptionError, match="expected the name of a feature"):
        TFRecordSource(put(tmp_path / "a", tfds(0, 0)), **options)


def test_it_is_loaded_as_any_other(tmp_path):
    source = TFRecordSource(put(tmp_path / "a", *(tfds(i, i % 2) for i in range(8))))
    data = Dataset.load(source, image_size=(2, 3), color_mode="grayscale", progress=False)
    assert data.images[:, 0, 0, 0].tolist() == list(range(8))
    assert data.class_counts() == {"0": 4, "1": 4}
