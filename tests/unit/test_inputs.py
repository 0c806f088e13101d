from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest
from PIL import Image
from squares import squares

from imgclf import inputs
from imgclf.dataset import Dataset
from imgclf.errors import ImageError, OptionError
from imgclf.images import ImageSpec, fit_image, read_image
from imgclf.inputs import chunks, full_size
from imgclf.sources import FolderSource

SPEC = ImageSpec((8, 8))


def gathered(given, size=32, spec=SPEC):
    parts = list(chunks(given, spec, size))
    assert all(len(keys) == len(images) <= size for keys, images in parts)
    return [key for keys, _ in parts for key in keys], np.concatenate([images for _, images in parts])


def test_paths_come_in_the_order_given(square_folder):
    paths = sorted(square_folder.rglob("*.png"), reverse=True)
    keys, images = gathered(paths, size=5)
    assert keys == [str(path) for path in paths]
    assert all((image == fit_image(read_image(path), SPEC)).all() for path, image in zip(paths, images, strict=True))
    assert gathered(str(paths[0]))[0] == [str(paths[0])]


def test_a_folder_gives_its_pictures(square_folder):
    keys, images = gathered(square_folder)
    assert len(images) == 24
    assert keys[:2] == [str(square_folder / "bottom" / "1.png"), str(square_folder / "bottom" / "3.png")]


@pytest.mark.parametrize(
    ("array", "count"),
    [
        ((5, 28, 28), 5),
        ((9, 9, 3), 1),
        ((9, 9), 1),
        ((9, 9, 1), 1),
        ((2, 9, 9, 3), 2),
        ((5, 9, 9), 5),
        ((0, 9, 9, 3), 0),
    ],
)
def test_arrays_are_one_picture_or_many(array, count):
    keys = [key for part, _ in chunks(np.zeros(array, np.uint8), SPEC) for key in part]
    assert keys == [str(i) for i in range(count)]


def test_channels_first_is_not_taken_for_grey_pictures():
    for shape in ((3, 50, 60), (128, 64, 4)):
        with pytest.raises(OptionError, match=r"channels first or with transparency, or \d+ grey pictures\? Give"):
            gathered(np.zeros(shape, np.uint8))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_keys_can_be_written_whatever_the_file_is_called(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.png", "wb") as file:  # noqa: PTH123 - bytes are no Path
        Image.new("L", (4, 4)).save(file, "PNG")
    keys, _ = gathered(tmp_path)
    assert keys == [str(tmp_path / r"caf\xe9.png")]


def test_pillow_pictures_and_bytes_are_pictures(square_folder):
    path = square_folder / "top" / "0.png"
    wanted = gathered(path)[1]
    for given in (Image.open(path), path.read_bytes(), [path.read_bytes(), Image.open(path)]):
        keys, images = gathered(given)
        assert keys == [str(i) for i in range(len(images))]
        assert (images == wanted).all()


def test_one_pillow_picture_may_be_given_many_times(square_folder):
    path = square_folder / "top" / "0.png"
    for _ in range(5):
        _, images = gathered([Image.open(path)] * 1 + [Image.open(path)] * 7)
        lazy = Image.open(path)
        assert (gathered([lazy] * 8)[1] == images).all()


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(ImageError, match=r"holds no pictures .*Check the path"):
        gathered(tmp_path)


def test_paths_and_arrays_mix(tmp_path):
    Image.fromarray(squares(1)[0][0]).save(tmp_path / "a.png")
    keys, images = gathered([tmp_path / "a.png", squares(1)[0][0]])
    assert keys == [str(tmp_path / "a.png"), "1"]
    assert (images[0] == images[1]).all()


def test_a_dataset_must_be_prepared_alike(square_folder):
    data = Dataset.load(FolderSource(square_folder), image_size=(8, 8))
    keys, images = gathered(data.take([3, 1]), size=1)
    assert keys == [str(data.keys[3]), str(data.keys[1])]
    assert (images == data.images[[3, 1]]).all()
    with pytest.raises(OptionError, match=r"Load it with image_size=\(8, 9\), color_mode='rgb', fit='pad'"):
        gathered(data, spec=ImageSpec((8, 9), fit="pad"))


def test_all_broken_pictures_of_a_chunk_are_named(square_folder):
    (square_folder / "bad.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"^'.*bad\.png' is empty"):
        gathered(square_folder / "bad.png")
    with pytest.raises(ImageError, match=r"2 of 3 pictures cannot be read:\n(.|\n)*bad\.png(.|\n)*gone\.png"):
        gathered([square_folder / "bad.png", square_folder / "gone.png", square_folder / "top" / "0.png"])
    with pytest.raises(ImageError, match="and 2 more"):
        gathered([f"gone{i}.png" for i in range(7)])
    with pytest.raises(ImageError, match=r"2 of 2.*:\n  '0': pixels.*Multiply by 255.*\n  '1': pixels"):
        gathered(np.zeros((2, 9, 9, 3)))


@pytest.mark.parametrize("given", [None, 7, [1, 2], {"a": 1}.items(), np.zeros((1, 2, 3, 4, 5), np.uint8)])
def test_what_is_no_picture_is_said(given):
    with pytest.raises(OptionError, match="expected"):
        gathered(given)


def test_the_next_pictures_are_prepared_meanwhile_in_their_order_and_only_a_few(monkeypatch):
    prepared = []

    def slow(key, item, spec):
        prepared.append(int(key))
        return np.full(spec.shape, int(key), np.uint8)

    monkeypatch.setattr(inputs, "_prepared", slow)
    given, spec = [np.zeros((2, 2, 3), np.uint8)] * 100, ImageSpec((2, 2))
    served = []
    for keys, pictures in inputs.chunks(given, spec, 10):
        assert pictures[:, 0, 0, 0].tolist() == [int(key) for key in keys]
        served += [int(key) for key in keys]
        assert max(prepared) < len(served) + 30  # memory holds some chunks, and never all pictures
    assert served == list(range(100))


def test_who_stops_half_way_leaves_no_work_behind(monkeypatch):
    prepared, allowed = [], threading.Semaphore(4)

    def slow(key, item, spec):
        allowed.acquire()
        prepared.append(key)
        return np.zeros(spec.shape, np.uint8)

    monkeypatch.setattr(inputs, "_prepared", slow)
    served = inputs.chunks([np.zeros((2, 2, 3), np.uint8)] * 100, ImageSpec((2, 2)), 2)
    next(served)
    closing = threading.Thread(target=served.close)
    closing.start()
    allowed.release(200)
    closing.join(10)
    assert not closing.is_alive()
    assert len(prepared) < 20


def test_pictures_at_their_full_size(square_folder, tmp_path):
    """As they are read, whatever they are given as; all faults at once, under their keys."""
    paths = sorted(square_folder.rglob("*.png"))[:2]
    grey = np.zeros((5, 6), np.uint8)
    found = full_size([paths[0], Image.open(paths[1]), paths[0].read_bytes(), grey])
    assert [one.shape for one in found[3:]] == [(5, 6, 1)]
    for one, path in zip(found, [*paths, paths[0]], strict=False):
        np.testing.assert_array_equal(one, read_image(path))
    data = Dataset.load(FolderSource(square_folder), image_size=(8, 9), progress=False)
    np.testing.assert_array_equal(np.stack(full_size(data)), data.images)
    with pytest.raises(ImageError, match=r"2 pictures cannot be read:(.|\n)*gone.png(.|\n)*'1': pixels are float64"):
        full_size([tmp_path / "gone.png", np.zeros((2, 2))])
