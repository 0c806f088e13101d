from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from imgclf import store
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImageError
from imgclf.files import cache_folder
from imgclf.images import ImageSpec
from imgclf.sources import FolderSource, Samples
from imgclf.store import decode

SPEC = ImageSpec((8, 8))


class Counting:
    """A source of flat pictures that counts its reads; ``version`` is its content."""

    class_names = ("a", "b")

    def __init__(self, count=6, version="1"):
        self.count, self.version, self.reads = count, version, 0

    def samples(self):
        return Samples([f"{i}" for i in range(self.count)], [i % 2 for i in range(self.count)])

    def read(self, key):
        self.reads += 1
        if key == "3" and self.version == "broken":
            raise ImageError("'3' is damaged")
        return np.full((4, 4, 1), int(key), np.uint8)

    def fingerprint(self):
        return f"counting {self.version} {self.count}"


def decoded(source, *, cache=True, spec=SPEC):
    return decode(source, source.samples().keys.tolist(), spec, cache=cache, progress=False)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "cache"))


def test_the_second_load_reads_no_picture():
    first, second = Counting(), Counting()
    assert (decoded(first).images == decoded(second).images).all()
    assert (first.reads, second.reads) == (6, 0)
    assert isinstance(decoded(second).images, np.memmap)
    assert not decoded(second).images.flags.writeable


@pytest.mark.parametrize(
    "changed",
    [
        lambda: (Counting(version="2"), SPEC),
        lambda: (Counting(7), SPEC),
        lambda: (Counting(), ImageSpec((8, 9))),
        lambda: (Counting(), ImageSpec((8, 8), "grayscale")),
        lambda: (Counting(), ImageSpec((8, 8), fit="pad")),
    ],
)
def test_other_content_or_another_spec_is_decoded_anew(changed):
    decoded(Counting())
    source, spec = changed()
    decoded(source, spec=spec)
    assert source.reads == source.count


def test_without_fingerprint_or_cache_nothing_is_written():
    class Plain(Counting):
        fingerprint = None

    assert type(decoded(Plain()).images) is np.ndarray
    assert type(decoded(Counting(), cache=False).images) is np.ndarray
    assert not cache_folder().exists()


def test_failures_are_remembered_with_their_reason():
    for _ in range(2):
        assert decoded(Counting(version="broken")).failed == {3: "'3' is damaged"}


def test_a_failure_that_has_passed_is_forgotten():
    assert 3 in decoded(Counting(version="broken")).failed
    mended = Counting(version="broken")
    mended.read = lambda key: np.full((4, 4, 1), int(key), np.uint8)
    for _ in range(2):
        again = decoded(mended)
        assert again.failed == {}
        assert (again.images[3] == 3).all()


def test_pictures_that_change_while_they_are_decoded_are_not_cached():
    class Changing(Counting):
        def fingerprint(self):
            return f"{self.reads}"

    with pytest.warns(UserWarning, match="not in .*: they were changed while they were decoded"):
        assert (decoded(Changing()).images[5] == 5).all()
    assert not list(cache_folder().rglob("*.npy"))


def test_two_kinds_of_source_never_share():
    class Other(Counting):
        def read(self, key):
            return np.full((4, 4, 1), 100, np.uint8)

    decoded(Counting())
    assert (decoded(Other()).images == 100).all()


@pytest.mark.parametrize("fingerprint", [None, "", b"x"])
def test_a_fingerprint_is_a_text(fingerprint):
    source = Counting()
    source.fingerprint = lambda: fingerprint
    with pytest.raises(DatasetError, match="Mend it, or leave the method out"):
        decoded(source)


def test_two_processes_leave_one_whole_set():
    """Another process puts the same set in its place while this one decodes."""

    class Racing(Counting):
        raced = False

        def read(self, key):
            if key == "5" and not self.raced:
                self.raced = True
                decoded(self)
            return super().read(key)

    assert (decoded(Racing()).images[:, 0, 0, 0] == range(6)).all()
    assert len(list(cache_folder().rglob("images.npy"))) == 1
    assert not list((cache_folder() / "decoded").glob(".*"))


def test_many_at_once_all_get_the_map():
    with ThreadPoolExecutor(6) as pool:
        for version in range(5):
            stores = list(pool.map(lambda _, v=version: decoded(Counting(version=str(v))), range(6)))
            assert all(isinstance(one.images, np.memmap) for one in stores)
            assert all((one.images[:, 0, 0, 0] == range(6)).all() for one in stores)
    assert len(list(cache_folder().rglob("images.npy"))) == 5


def test_litter_of_killed_processes_is_removed(monkeypatch):
    litter = cache_folder() / "decoded" / ".killed-1"
    litter.mkdir(parents=True)
    decoded(Counting())
    assert litter.exists()  # it may be at work
    in_two_days = store.time.time() + 2 * 86400
    monkeypatch.setattr(store.time, "time", lambda: in_two_days)
    decoded(Counting(version="2"))
    assert not litter.exists()
    assert len(list(cache_folder().rglob("images.npy"))) == 2


def test_a_users_own_exception_names_its_type():
    class Careless(Counting):
        def read(self, key):
            return {}[key]

    assert decoded(Careless(2)).failed == {0: "KeyError: '0'", 1: "KeyError: '1'"}


@pytest.mark.parametrize(
    ("damaged", "content"),
    [
        ("images.npy", b""),
        ("images.npy", b"\x93NUMPY"),
        ("failed.json", b""),
        ("failed.json", b"{"),
        ("failed.json", b"[]"),
        ("failed.json", b"null"),
        ("failed.json", b'{"99": "x"}'),
        ("failed.json", None),
    ],
)
def test_a_damaged_cache_is_made_anew(damaged, content):
    decoded(Counting())
    (file,) = cache_folder().rglob(damaged)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    source = Counting()
    assert (decoded(source).images[5] == 5).all()
    assert source.reads == 6


def test_a_cache_of_another_shape_is_made_anew():
    decoded(Counting())
    (file,) = cache_folder().rglob("images.npy")
    np.save(file, np.zeros((2, 2), np.uint8))
    assert (decoded(Counting()).images[5] == 5).all()


def test_a_full_disk_means_memory_and_a_warning(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1000))
    with pytest.warns(UserWarning, match="pass cache=False"):
        images = decoded(Counting()).images
    assert type(images) is np.ndarray
    assert (images[5] == 5).all()
    assert not list(cache_folder().rglob("*.npy"))


def test_a_disk_that_fills_up_while_pictures_are_written_means_memory_and_a_warning(monkeypatch):
    """Not only before: others write there too."""
    write = store._Pictures.put

    def full(self, position, pixels):
        if position == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, position, pixels)

    monkeypatch.setattr(store._Pictures, "put", full)
    with pytest.warns(UserWarning, match=r"No space left on device.*pass cache=False"):
        images = decoded(Counting()).images
    assert (images[:, 0, 0, 0] == range(6)).all()
    assert not list(cache_folder().rglob("*.npy"))


def test_pictures_are_whole_on_the_disk_however_they_are_written(monkeypatch, tmp_path):
    """A write may take less than it is given; and what waits for the disk is flushed now and then."""
    flushed, pictures = [], np.random.default_rng(0).integers(0, 256, (40, 5, 6, 3), np.uint8)
    monkeypatch.setattr(store, "_FLUSH", 500)
    fsync = store.os.fsync
    monkeypatch.setattr(store.os, "fsync", lambda handle: flushed.append(fsync(handle)))

    class Halting:
        def __init__(self, file):
            self.file = file

        def write(self, rest):
            return self.file.write(rest[:7])

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self.file.__enter__()

        def __exit__(self, *given):
            return self.file.__exit__(*given)

    with store._Pictures(tmp_path / "a.npy", pictures.shape) as file:
        file._file = Halting(file._file)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda position: file.put(position, pictures[position]), reversed(range(40))))
        file._flushing.submit(int).result()
    assert (np.load(tmp_path / "a.npy") == pictures).all()
    assert len(flushed) == 7


def test_a_disk_that_loses_something_on_the_way_says_so_at_the_end(monkeypatch, tmp_path):
    """A system tells a failed write-back once only, to whoever asks first."""
    told, fsync = [], store.os.fsync

    def once(handle):
        told.append(handle)
        if len(told) == 1:
            raise OSError(errno.EIO, "Input/output error")
        fsync(handle)

    monkeypatch.setattr(store.os, "fsync", once)
    monkeypatch.setattr(store, "_FLUSH", 500)
    with pytest.raises(OSError, match="Input/output"), store._Pictures(tmp_path / "a.npy", (40, 90)) as file:
        for position in range(40):
            file.put(position, np.zeros(90, np.uint8))
        file._flushing.submit(int).result()


def test_a_cache_folder_that_cannot_be_made_means_memory_and_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Set IMGCLF_CACHE"):
        assert (decoded(Counting()).images[5] == 5).all()


def test_what_nobody_used_for_long_is_removed(monkeypatch):
    decoded(Counting())
    monkeypatch.setattr(store.time, "time", lambda: 4e12)
    decoded(Counting(version="2"))
    assert len(list(cache_folder().rglob("images.npy"))) == 1


def test_pixels_that_a_source_holds_are_taken_as_they_are():
    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)

    class Held(Counting):
        def load_images(self):
            return images

    assert decoded(Held(2)).images is images
    assert (decoded(Held(2), spec=ImageSpec((4, 4))).images[1] == 1).all()  # another size: read one by one


def test_a_changed_file_is_noticed_even_with_its_old_size_and_time(square_folder):
    import os

    before = Dataset.load(FolderSource(square_folder), image_size=(16, 16)).images.copy()
    path = sorted(square_folder.rglob("*.png"))[0]
    stat, content = path.stat(), bytearray(path.read_bytes())
    other = sorted(square_folder.rglob("*.png"))[4].read_bytes()
    path.write_bytes(other)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (Dataset.load(FolderSource(square_folder), image_size=(16, 16)).images != before).any()
    path.write_bytes(content)
    assert (Dataset.load(FolderSource(square_folder), image_size=(16, 16)).images == before).all()


def test_a_bar_is_shown_for_many(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    source = Counting(250)
    decode(source, source.samples().keys.tolist(), SPEC, cache=False, progress=True)
    assert "decoding" in capsys.readouterr().err


def test_an_interrupt_stops_the_threads():
    class Interrupted(Counting):
        def read(self, key):
            if self.reads == 10:
                raise KeyboardInterrupt
            return super().read(key)

    source = Interrupted(20_000)
    with pytest.raises(KeyboardInterrupt):
        decoded(source)
    assert source.reads < 19_000
    assert not list(cache_folder().rglob("*.npy"))
