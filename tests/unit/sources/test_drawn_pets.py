"""DrawnPets: pure pictures, fair classes, honest masks, three layouts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgclf.errors import DatasetError, OptionError
from imgclf.images import read_image
from imgclf.sources.base import DatasetSource
from imgclf.sources.drawing import draw_mask, draw_pet
from imgclf.sources.drawn_pets import DrawnPets
from imgclf.sources.folder import FolderSource


def pictures(pets: DrawnPets) -> tuple[np.ndarray, np.ndarray]:
    samples = pets.samples()
    return np.stack([pets.read(key) for key in samples.keys]), samples.labels


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    return pictures(DrawnPets(1000, seed=5, image_size=(64, 64)))


def test_it_is_a_source() -> None:
    assert isinstance(DrawnPets(2), DatasetSource)
    assert DrawnPets(2).class_names == ("cat", "dog")


def test_keys_are_numbered_within_the_class_in_natural_order() -> None:
    samples = DrawnPets(22).samples()
    expected = [f"cat.{i}.png" for i in range(11)] + [f"dog.{i}.png" for i in range(11)]
    assert samples.keys.tolist() == expected
    assert samples.labels.tolist() == [0] * 11 + [1] * 11


@pytest.mark.parametrize(("count", "cats", "dogs"), [(2, 1, 1), (7, 4, 3), (100, 50, 50)])
def test_classes_are_balanced_and_an_odd_one_is_a_cat(count: int, cats: int, dogs: int) -> None:
    assert np.bincount(DrawnPets(count).samples().labels).tolist() == [cats, dogs]


@settings(max_examples=20, deadline=None)
@given(height=st.integers(16, 90), width=st.integers(16, 90), seed=st.integers(0, 2**40), label=st.booleans())
def test_any_size_and_seed_gives_a_picture_and_a_mask_of_that_size(
    height: int, width: int, seed: int, label: bool
) -> None:
    pets = DrawnPets(2, seed=seed, image_size=(height, width))
    key = "dog.0.png" if label else "cat.0.png"
    picture, mask = pets.read(key), pets.mask(key)
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((height, width), np.bool_)


def test_a_picture_depends_on_neither_order_nor_thread_nor_count() -> None:
    pets = DrawnPets(24, seed=3, image_size=(48, 40))
    keys = pets.samples().keys.tolist()
    forward = {key: pets.read(key) for key in keys}
    backward = {key: DrawnPets(5000, seed=3, image_size=(48, 40)).read(key) for key in reversed(keys)}
    with ThreadPoolExecutor(8) as pool:
        threaded = dict(zip(keys, pool.map(pets.read, keys), strict=True))
    for key in keys:
        np.testing.assert_array_equal(forward[key], backward[key])
        np.testing.assert_array_equal(forward[key], threaded[key])


def test_no_two_pictures_are_equal_within_a_set_or_between_seeds() -> None:
    sets = [pictures(DrawnPets(40, seed=seed, image_size=(32, 32)))[0] for seed in (0, 1)]
    assert len({picture.tobytes() for images in sets for picture in images}) == 80


def test_another_size_shows_the_same_scene() -> None:
    small, large = (DrawnPets(20, image_size=(side, side)) for side in (64, 128))
    for key in small.samples().keys:
        shrunk = np.asarray(Image.fromarray(large.read(key)).reduce(2), np.float64)
        assert abs(shrunk - small.read(key)).mean() < 12, key


def test_colour_and_brightness_are_equal_in_both_classes_within_noise(many: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = many
    colours = images.mean(axis=(1, 2))
    difference = colours[labels == 0].mean(axis=0) - colours[labels == 1].mean(axis=0)
    noise = colours.std(axis=0) * np.sqrt(2 / 500)
    assert (abs(difference) < 3 * noise).all(), difference
    contrast = images.std(axis=(1, 2, 3))
    assert abs(contrast[labels == 0].mean() - contrast[labels == 1].mean()) < 0.1 * contrast.mean()


def test_a_linear_model_on_pixels_stays_under_80_percent(many: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    images, labels = many
    features = np.stack([np.asarray(Image.fromarray(image).reduce(2)).ravel() for image in images]) / 255 - 0.5
    model = LogisticRegression(C=0.01, max_iter=300)
    assert cross_val_score(model, features, labels, cv=4).mean() < 0.8


def test_masks_lie_inside_and_cover_a_small_part() -> None:
    pets = DrawnPets(60, seed=2)
    shares = np.array([pets.mask(key).mean() for key in pets.samples().keys])
    assert shares.min() > 0.01
    assert shares.max() < 0.5
    assert shares.mean() < 0.3


def test_the_same_scene_as_the_other_kind_differs_where_the_masks_are() -> None:
    inside = outside = 0.0
    for number in range(30):
        words, size = (9, 0, number), (96, 96)
        change = abs(draw_pet(words, "cat", size).astype(float) - draw_pet(words, "dog", size)).mean(axis=2)
        telling = draw_mask(words, "cat", size) | draw_mask(words, "dog", size)
        inside, outside = inside + change[telling].sum(), outside + change[~telling].sum()
    assert inside > 19 * outside


def test_the_fingerprint_follows_every_parameter() -> None:
    sets = [DrawnPets(10), DrawnPets(12), DrawnPets(10, seed=1), DrawnPets(10, image_size=(64, 128))]
    assert len({pets.fingerprint() for pets in sets}) == 4
    assert DrawnPets(10).fingerprint() == DrawnPets(10).fingerprint()


def test_the_fingerprint_follows_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    before = DrawnPets(10).fingerprint()
    monkeypatch.setattr("imgclf.sources.drawn_pets.pillow_version", "0.0")
    assert DrawnPets(10).fingerprint() != before


def test_filenames_layout_is_one_flat_folder(tmp_path: Path) -> None:
    pets = DrawnPets(6, image_size=(32, 32))
    root = pets.write(tmp_path / "deep" / "train")
    assert root == tmp_path / "deep" / "train"
    assert sorted(path.name for path in root.iterdir()) == sorted(pets.samples().keys)
    np.testing.assert_array_equal(read_image(root / "dog.2.png"), pets.read("dog.2.png"))


def test_folders_layout_is_one_folder_per_class(tmp_path: Path) -> None:
    pets = DrawnPets(4, image_size=(32, 32))
    pets.write(tmp_path, "folders")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert found == ["cat/cat.0.png", "cat/cat.1.png", "dog/dog.0.png", "dog/dog.1.png"]


def test_class_folders_are_called_as_wanted(tmp_path: Path) -> None:
    pets = DrawnPets(4, image_size=(32, 32))
    pets.write(tmp_path / "train", "folders", class_folders=("cats", "dogs"))
    source = FolderSource(tmp_path / "train", class_names=("cats", "dogs"))
    assert source.samples().keys.tolist() == ["cats/cat.0.png", "cats/cat.1.png", "dogs/dog.0.png", "dogs/dog.1.png"]
    np.testing.assert_array_equal(source.read("dogs/dog.1.png"), pets.read("dog.1.png"))


@pytest.mark.parametrize(
    "folders",
    [
        "ab",
        (),
        ("cats",),
        ("a", "b", "c"),
        ("pets", "Pets"),
        ("../cats", "dogs"),
        ("cats", "/dogs"),
        ("", "b"),
        ("..", "b"),
        (1, 2),
    ],
)
def test_class_folders_are_two_names(tmp_path: Path, folders: tuple[str, str]) -> None:
    with pytest.raises(OptionError, match=r"class_folders are .* Give two, such as \('cats', 'dogs'\)"):
        DrawnPets(2).write(tmp_path / "pets", "folders", class_folders=folders)
    assert not (tmp_path / "pets").exists()


def test_unlabelled_layout_shuffles_the_classes_and_is_reproducible(tmp_path: Path) -> None:
    pets = DrawnPets(20, seed=4, image_size=(32, 32))
    first, again = pets.write(tmp_path / "a", "unlabelled"), pets.write(tmp_path / "b", "unlabelled")
    label_of = {pets.read(key).tobytes(): label for key, label in zip(*vars(pets.samples()).values(), strict=True)}
    labels = [label_of[read_image(first / f"{place}.png").tobytes()] for place in range(1, 21)]
    assert len(list(first.iterdir())) == 20
    assert sum(labels) == 10
    assert labels not in (sorted(labels), sorted(labels, reverse=True))
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_writing_again_overwrites_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "cat.0.png").write_text("broken")
    pets = DrawnPets(2, image_size=(32, 32))
    pets.write(pets.write(tmp_path))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    np.testing.assert_array_equal(read_image(tmp_path / "cat.0.png"), pets.read("cat.0.png"))


@pytest.mark.parametrize("count", [1, 0, -4, 2.0, "10", True, None])
def test_a_count_that_makes_no_two_classes_is_refused(count: object) -> None:
    with pytest.raises(OptionError, match=r"count is .* Give 2 or more"):
        DrawnPets(count)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_must_be_a_whole_number(seed: object) -> None:
    with pytest.raises(OptionError, match=r"seed is .* Give 0 or more"):
        DrawnPets(2, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(15, 64), (64, 8)])
def test_tiny_pictures_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="Give at least 16 for each side"):
        DrawnPets(2, image_size=size)


@pytest.mark.parametrize("size", [128, (128,), (0, 128), (64.0, 64.0)])
def test_a_size_must_be_two_whole_numbers(size: object) -> None:
    with pytest.raises(OptionError, match=r"expected \(height, width\)"):
        DrawnPets(2, image_size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["cat.5.png", "dog.07.png", "bird.0.png", "cat.0.jpg", "", "cat.-1.png", "cat.0.png\n"])
@pytest.mark.parametrize("method", ["read", "mask"])
def test_an_unknown_key_names_the_known_ones(key: str, method: str) -> None:
    with pytest.raises(DatasetError, match=r"cat\.0\.png to cat\.4\.png and .* raise count"):
        getattr(DrawnPets(10), method)(key)


def test_an_unknown_layout_names_the_three(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Give one of 'filenames', 'folders', 'unlabelled'"):
        DrawnPets(2).write(tmp_path, "flat")  # type: ignore[arg-type]
