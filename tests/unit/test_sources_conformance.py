"""What every source promises, checked on each of them.  One more entry in ENTRIES tests one more source."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import textwrap
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import DatasetError
from imgclf.images import ImageSpec, fit_image, prepare_image
from imgclf.sources import (
    UNLABELLED,
    ArraySource,
    CsvPixelsSource,
    DatasetSource,
    DrawnPets,
    FilenameSource,
    FolderSource,
    Samples,
    TableSource,
    TFRecordSource,
    write_tfrecords,
)
from imgclf.sources.base import prepared
from imgclf.sources.example import dump_example
from imgclf.sources.record_file import write_record

Make = Callable[[Path, list[int], int], DatasetSource]


@dataclass(frozen=True)
class Entry:
    """A source to test: ``make(folder, order, seed)`` writes 12 pictures in the given order, drawn from the seed."""

    name: str
    make: Make
    has_order: bool = True  # False: the order is the user's own, not the file system's
    grouped: bool = False  # True: the class comes first in the key
    ours: bool = True  # False: only what the protocol asks for is tested

    def __str__(self) -> str:
        return self.name


def picture(number: int, seed: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng((seed, number)).integers(0, 256, (6, 6, channels), np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(path)


def drawn(root: Path, order: list[int], seed: int) -> DatasetSource:
    return DrawnPets(len(order), seed=seed, image_size=(16, 16))


def folders(root: Path, order: list[int], seed: int) -> DatasetSource:
    for i in order:
        write(root / f"class {i % 3 * 5}" / f"{i}.PNG", picture(i, seed))
    return FolderSource(root)


def filenames(root: Path, order: list[int], seed: int) -> DatasetSource:
    for i in order:
        write(root / f"{'dog' if i % 2 else 'cat'}.{i}.png", picture(i, seed, 1))
    return FilenameSource(root)


def zipped(root: Path, order: list[int], seed: int) -> DatasetSource:
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        for i in order:
            content = io.BytesIO()
            Image.fromarray(picture(i, seed)).save(content, "PNG")
            archive.writestr(f"set/class {i % 3 * 5}/{i}.PNG", content.getvalue())
    return FolderSource(root / "set.zip")


def unlabelled(root: Path, order: list[int], seed: int) -> DatasetSource:
    for i in order:
        write(root / f"{i}.bmp", picture(i, seed))
    return FilenameSource(root, labelled=False)


def table(root: Path, order: list[int], seed: int) -> DatasetSource:
    rows = [f"{i % 2},{','.join(map(str, picture(i, seed, 1).reshape(-1)))}" for i in range(len(order))]
    root.mkdir(parents=True, exist_ok=True)
    (root / "t.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    return CsvPixelsSource(root / "t.csv.gz")


def labels_in_a_table(root: Path, order: list[int], seed: int) -> DatasetSource:
    for i in order:
        write(root / "images" / f"{i}.png", picture(i, seed))
    rows = [f"{i},{'dog' if i % 2 else 'cat'}" for i in range(len(order))]
    (root / "labels.csv").write_text("\n".join(["id,kind", *rows]))
    return TableSource(root / "labels.csv", root / "images")


def tfrecords(root: Path, order: list[int], seed: int) -> DatasetSource:
    root.mkdir(parents=True, exist_ok=True)
    for shard, start in enumerate(range(0, len(order), 7)):
        with (root / f"a-{shard:05d}-of-{-(-len(order) // 7):05d}.tfrecord").open("wb") as file:
            for i in range(start, min(start + 7, len(order))):
                content = io.BytesIO()
                Image.fromarray(picture(i, seed)).save(content, "PNG")
                write_record(file, dump_example({"image": [content.getvalue()], "label": [i % 3]}))
    return TFRecordSource(root)


def written_tfrecords(root: Path, order: list[int], seed: int) -> DatasetSource:
    write_tfrecords(folders(root / "set", order, seed), root / "records", shards=3)
    return TFRecordSource(root / "records")


def arrays(root: Path, order: list[int], seed: int) -> DatasetSource:
    return ArraySource(np.stack([picture(i, seed) for i in range(len(order))]), [i % 3 for i in range(len(order))])


def users_own(root: Path, order: list[int], seed: int) -> DatasetSource:
    """The six lines of the protocol's docstring, as they stand there."""
    code = re.search(r"::\n\n(.*?)\n\n", DatasetSource.__doc__ or "", re.DOTALL)
    assert code, "the docstring shows no source"
    space: dict[str, Any] = {"np": np, "Samples": Samples}
    exec(textwrap.dedent(code[1]), space)
    return space["Bricks"]()


ENTRIES = [
    Entry("folder", folders, grouped=True),
    Entry("folder, zipped", zipped, grouped=True),
    Entry("filename", filenames, grouped=True),
    Entry("filename, unlabelled", unlabelled),
    Entry("csv", table, has_order=False),
    Entry("table", labels_in_a_table, has_order=False),
    Entry("tfrecords", tfrecords, has_order=False, grouped=True),
    Entry("tfrecords, written", written_tfrecords, has_order=False, grouped=True),
    Entry("arrays", arrays, has_order=False),
    Entry("drawn pets", drawn, has_order=False, grouped=True),
    Entry("user's own", users_own, has_order=False, ours=False),
]
ORDER = list(range(12))


@pytest.fixture(params=ENTRIES, ids=str)
def entry(request: pytest.FixtureRequest) -> Entry:
    return request.param


@pytest.fixture
def source(entry: Entry, tmp_path: Path) -> DatasetSource:
    return entry.make(tmp_path / "set", ORDER, 0)


def test_it_is_a_source(source: DatasetSource) -> None:
    assert isinstance(source, DatasetSource)


def test_class_names_are_a_tuple_of_different_texts(source: DatasetSource) -> None:
    names = source.class_names
    assert isinstance(names, tuple)
    assert all(type(name) is str and name for name in names)
    assert len(set(names)) == len(names) != 1


def test_samples_are_keys_and_labels_in_range(source: DatasetSource) -> None:
    samples = source.samples()
    assert isinstance(samples, Samples)
    assert len(samples) > 1
    assert samples.labels.dtype == np.int32
    assert samples.labels.min() >= UNLABELLED
    assert samples.labels.max() < len(source.class_names)
    if source.class_names:
        assert set(samples.labels.tolist()) >= set(range(len(source.class_names))), "a class without pictures"


def test_keys_can_be_written_and_read_anywhere(source: DatasetSource) -> None:
    for key in source.samples().keys.tolist():
        assert key.encode("utf-8").decode("utf-8") == key
        assert not key.startswith("/")
        assert "\\" not in key


def test_samples_are_the_same_every_time(source: DatasetSource) -> None:
    first, second = source.samples(), source.samples()
    assert first.keys.tolist() == second.keys.tolist()
    assert first.labels.tolist() == second.labels.tolist()


def test_what_a_caller_does_to_samples_stays_with_the_caller(source: DatasetSource) -> None:
    before = source.samples().labels.copy()
    source.samples().labels[:] = 99
    np.testing.assert_array_equal(source.samples().labels, before)


def test_every_key_gives_a_picture(source: DatasetSource) -> None:
    for key in source.samples().keys:
        pixels = source.read(key)
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] in (1, 3)
        np.testing.assert_array_equal(pixels, source.read(str(key)), err_msg=f"{key} reads differently")


def test_what_a_caller_does_to_a_picture_stays_with_the_caller(source: DatasetSource) -> None:
    key = source.samples().keys[0]
    before = source.read(key).copy()
    with contextlib.suppress(ValueError):  # read-only is as good
        source.read(key)[:] = 0
    np.testing.assert_array_equal(source.read(key), before)


def test_threads_read_the_same(source: DatasetSource) -> None:
    keys = source.samples().keys.tolist() * 5
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(source.read, keys))
    for key, pixels in zip(keys, together, strict=True):
        np.testing.assert_array_equal(pixels, source.read(key))


def test_keys_belong_to_their_pictures(entry: Entry, source: DatasetSource, tmp_path: Path) -> None:
    again = entry.make(tmp_path / "again", ORDER, 0)
    for key in source.samples().keys:
        np.testing.assert_array_equal(source.read(key), again.read(key))


def test_order_is_not_the_file_systems(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not entry.has_order:
        pytest.skip("the order is the user's own")
    shuffled = [int(i) for i in np.random.default_rng(1).permutation(ORDER)]
    first, second = entry.make(tmp_path / "a", ORDER, 0), entry.make(tmp_path / "b", shuffled, 0)
    monkeypatch.setattr(os, "scandir", scandir_backwards)
    third = entry.make(tmp_path / "a", ORDER, 0)
    for other in (second, third):
        assert other.class_names == first.class_names
        assert other.samples().keys.tolist() == first.samples().keys.tolist()
        assert other.samples().labels.tolist() == first.samples().labels.tolist()
        assert other.fingerprint() == first.fingerprint()


class scandir_backwards:  # noqa: N801 (stands for a function)
    real = staticmethod(os.scandir)

    def __init__(self, path: str) -> None:
        with self.real(path) as entries:
            self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

    def __enter__(self) -> list[os.DirEntry[str]]:
        return self.entries

    def __exit__(self, *_: object) -> None:
        pass


def test_numbers_in_keys_count_by_value(entry: Entry, source: DatasetSource) -> None:
    numbers = [int(re.findall(r"\d+", key)[-1]) for key in source.samples().keys.tolist()]
    starts = [i for i in range(1, len(numbers)) if numbers[i] < numbers[i - 1]]
    groups = len(source.class_names) if entry.grouped else 1
    assert len(starts) < groups, f"10 stands before 2: {numbers}"


def test_fingerprint_is_of_content(entry: Entry, source: DatasetSource, tmp_path: Path) -> None:
    if not hasattr(source, "fingerprint"):
        pytest.skip("it has none")
    assert re.fullmatch("[0-9a-f]{16,}", source.fingerprint())
    assert source.fingerprint() == source.fingerprint()
    assert entry.make(tmp_path / "copy", ORDER, 0).fingerprint() == source.fingerprint(), "the place enters"
    assert entry.make(tmp_path / "other", ORDER, 1).fingerprint() != source.fingerprint()
    assert entry.make(tmp_path / "more", [*ORDER, 12], 0).fingerprint() != source.fingerprint()


def test_all_pictures_at_once_are_those_read_one_by_one(source: DatasetSource) -> None:
    if not hasattr(source, "load_images"):
        pytest.skip("it reads one by one")
    images = source.load_images()
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, [source.read(key) for key in source.samples().keys])
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.mark.parametrize(
    "spec", [ImageSpec((5, 9)), ImageSpec((3, 3), "grayscale", "crop"), ImageSpec((9, 2))], ids=str
)
def test_pictures_are_prepared_as_they_are_read(source: DatasetSource, spec: ImageSpec) -> None:
    keys = source.samples().keys.tolist()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda key: prepared(source, key, spec), keys))
    for key, pixels in zip(keys, together, strict=True):
        assert pixels.dtype == np.uint8
        assert pixels.shape == spec.shape
        np.testing.assert_array_equal(pixels, fit_image(source.read(key), spec))


def test_a_file_is_prepared_as_on_every_other_way(entry: Entry, tmp_path: Path) -> None:
    if entry.name not in SOURCES_OF:
        pytest.skip("it has no files")
    for number in range(4):
        path = tmp_path / "set" / f"class {number % 2}" / f"{'cat' if number % 2 else 'dog'}.{number}.jpg"
        write(path, np.kron(picture(number, 0), np.ones((30, 30, 1), np.uint8)))
    source = SOURCES_OF[entry.name](tmp_path / "set")
    spec = ImageSpec((40, 40))
    for key in source.samples().keys.tolist():
        pixels = prepared(source, key, spec)
        np.testing.assert_array_equal(pixels, prepare_image(tmp_path / "set" / key, spec))
        assert (pixels != fit_image(source.read(key), spec)).any(), "else the shorter way is not taken"


SOURCES_OF: dict[str, Callable[[Path], DatasetSource]] = {
    "folder": FolderSource,
    "filename": FilenameSource,
    "filename, unlabelled": lambda root: FilenameSource(root, labelled=False),
    "table": lambda root: TableSource({"path": sorted(root.rglob("*.jpg"))}, root),
}


def test_unknown_keys_are_refused(entry: Entry, source: DatasetSource) -> None:
    if not entry.ours:
        pytest.skip("not ours")
    for key in ("", "cat", "../secret.png", "/etc/passwd", "-1", "012", "t.csv.gz:", "t.csv.gz:99", "²"):
        with pytest.raises(DatasetError, match=r"[Kk]eys"):
            source.read(key)
        with pytest.raises(DatasetError, match=r"[Kk]eys"):
            prepared(source, key, ImageSpec((4, 4)))


def test_repr_is_one_short_line_and_looks_nothing_up(
    entry: Entry, source: DatasetSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not entry.ours:
        pytest.skip("not ours")
    source.samples()
    for name in ("scandir", "stat", "open"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("repr looks files up"))
    text = repr(source)
    assert "12 pictures" in text
    assert text.startswith(type(source).__name__)
    assert len(text.replace(str(tmp_path), "")) < 120
    assert "\n" not in text


def test_nothing_is_passed_over_unsaid(source: DatasetSource) -> None:
    if not hasattr(source, "ignored"):
        pytest.skip("it passes nothing over")
    assert source.ignored == ()
