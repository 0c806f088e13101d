from __future__ import annotations

import io
import threading

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from imgclf.duplicates import (
    Looks,
    Pair,
    duplicate_groups,
    find_pairs,
    grouped,
    look,
    look_at_all,
    of_one_label,
    search,
)
from imgclf.errors import ImageError
from imgclf.images import read_image
from imgclf.sources import DrawnPets

PETS = DrawnPets(24, seed=5, image_size=(120, 140))


@pytest.fixture(scope="module")
def pets():
    return [PETS.read(key) for key in PETS.samples().keys]


def jpeg(picture, quality=90):
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=quality)
    return read_image(file.getvalue())


def crop(picture, share, left=0.5):
    width, height = int(picture.width * (1 - share)), int(picture.height * (1 - share))
    x, y = int((picture.width - width) * left), int((picture.height - height) * left)
    return picture.crop((x, y, x + width, y + height))


COPIES = {
    "JPEG 40": lambda picture: jpeg(picture, 40),
    "half the size": lambda picture: jpeg(picture.resize((70, 60))),
    "a third of the size": lambda picture: jpeg(picture.resize((47, 40))),
    "another shape": lambda picture: jpeg(picture.resize((100, 140))),
    "mirrored": lambda picture: jpeg(ImageOps.mirror(picture)),
    "cropped by 3 %": lambda picture: jpeg(crop(picture, 0.03)),
    "cropped by 5 % at a corner": lambda picture: jpeg(crop(picture, 0.05, left=1)),
    "brighter": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(1.15)),
    "darker": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(0.8)),
    "grey": lambda picture: np.asarray(picture.convert("L"))[..., None],
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_of_a_kind_are_found_and_nothing_else(pets, kind):
    copies = [COPIES[kind](Image.fromarray(pet)) for pet in pets]
    pairs = find_pairs(look_at_all([*pets, *copies]))
    wrong = [pair for pair in pairs if pair.second - pair.first != len(pets)]
    assert wrong == []
    assert len(pairs) >= 0.9 * len(pets)
    assert {pair.kind for pair in pairs} == {"mirrored" if kind == "mirrored" else "near"}
    assert min(pair.likeness for pair in pairs) > 0.8


def test_equal_pixels_are_exact_whatever_the_container(pets):
    grey = np.asarray(Image.fromarray(pets[0]).convert("L"))
    as_rgb, as_plane = np.repeat(grey[..., None], 3, axis=2), grey
    pairs = find_pairs(look_at_all([pets[1], grey[..., None], as_rgb, pets[1].copy(), as_plane]))
    assert [(pair.first, pair.second, pair.kind) for pair in pairs] == [
        (0, 3, "exact"), (1, 2, "exact"), (1, 4, "exact"),
    ]  # fmt: skip


def test_one_pixel_makes_it_near_and_near_can_be_left_out(pets):
    other = pets[0].copy()
    other[3, 3] ^= 1
    assert duplicate_groups([pets[0], other]).tolist() == [0, 0]
    assert duplicate_groups([pets[0], other], near=False).tolist() == [0, 1]
    assert duplicate_groups([pets[0], pets[0]], near=False).tolist() == [0, 0]


def test_the_same_pixels_in_another_shape_are_another_picture():
    stripes = np.tile(np.array([0, 255], np.uint8), 800)
    assert duplicate_groups([stripes.reshape(40, 40, 1), stripes.reshape(20, 80, 1)]).tolist() == [0, 1]


def test_an_iterator_is_read_some_pictures_at_a_time(monkeypatch):
    held, most, lock = [0], [0], threading.Lock()

    def count_down(image, *, near):
        with lock:
            held[0] -= 1
        return look(image, near=near)

    def pictures():
        for number in range(2000):
            with lock:
                held[0] += 1
                most[0] = max(most[0], held[0])
            yield np.full((4, 4, 1), number % 250, np.uint8)

    monkeypatch.setattr("imgclf.duplicates.looks.look", count_down)
    assert len(look_at_all(pictures())) == 2000
    assert most[0] <= 600  # eight threads' worth


def test_arrays_lists_and_iterators_say_the_same(pets):
    images = np.stack([*pets[:6], *(pet[:, ::-1] for pet in pets[:6])])
    groups = duplicate_groups(images)
    assert groups.tolist() == [*range(6), *range(6)]
    assert groups.dtype == np.int64
    assert groups.tolist() == duplicate_groups(list(images)).tolist() == duplicate_groups(iter(images)).tolist()


def test_the_order_of_the_pictures_does_not_matter(pets):
    copies = [jpeg(Image.fromarray(pet), 60) for pet in pets[:8]]
    order = np.random.default_rng(0).permutation(len(pets) + 8)
    groups = duplicate_groups([[*pets, *copies][position] for position in order])
    sets = {frozenset(order[groups == group].tolist()) for group in set(groups.tolist())}
    assert sets == {frozenset({k, k + len(pets)}) if k < 8 else frozenset({k}) for k in range(len(pets))}


@pytest.mark.parametrize("side", [8, 28, 64, 128])
def test_digits_that_look_alike_are_no_copies(side):
    from sklearn.datasets import load_digits

    digits = [np.uint8(digit / 16 * 255) for digit in load_digits().images[:600]]
    images = [np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) for digit in digits]
    pairs = find_pairs(look_at_all(images))
    assert len(pairs) <= 3, pairs  # of 180,000


def test_small_pictures_must_agree_nearly_pixel_by_pixel():
    rng = np.random.default_rng(1)
    small = cv2.GaussianBlur(rng.integers(0, 256, (28, 28, 3), np.uint8), (0, 0), 2)
    small = cv2.normalize(small, None, 0, 255, cv2.NORM_MINMAX)
    noisy = np.clip(small.astype(int) + rng.integers(-2, 3, small.shape), 0, 255).astype(np.uint8)
    shifted = np.roll(small, 1, axis=1)
    assert duplicate_groups([small, noisy, shifted, small[:, ::-1]]).tolist() == [0, 0, 2, 3]


def test_pictures_that_show_nothing_are_copies_only_where_equal():
    rng = np.random.default_rng(2)
    dull = [rng.integers(100, 103, (64, 64, 3), np.uint8) for _ in range(4)]
    black = [np.zeros((64, 64, 3), np.uint8)] * 3
    ramps = [np.full((64, 64, 3), level, np.uint8) for level in (10, 11)]
    assert duplicate_groups([*dull, *black, *ramps]).tolist() == [0, 1, 2, 3, 4, 4, 4, 7, 8]


def test_the_same_scene_in_another_colour_is_another_picture(pets):
    scene = cv2.cvtColor(pets[0], cv2.COLOR_RGB2YCrCb)
    red, green = scene.copy(), scene.copy()
    red[..., 1:], green[..., 1:] = (200, 110), (60, 110)
    lamps = [cv2.cvtColor(picture, cv2.COLOR_YCrCb2RGB) for picture in (red, green)]
    assert duplicate_groups(lamps).tolist() == [0, 1]


@pytest.mark.parametrize(("top", "left", "side"), [(20, 20, 40), (70, 90, 28)])
def test_one_background_with_another_thing_before_it_is_another_picture(pets, top, left, side):
    other = pets[0].copy()
    other[top : top + side, left : left + side] = pets[7][40 : 40 + side, 50 : 50 + side]
    assert duplicate_groups([pets[0], other]).tolist() == [0, 1]


def scene(side=160):
    """Soft light and shade of many tones."""
    noise = np.random.default_rng(7).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 20, 230, cv2.NORM_MINMAX)


def face(hour, minute):
    """A clock of 128 pixels: a plain picture, of black and white."""
    picture = Image.new("L", (128, 128), 250)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((8, 8, 120, 120), outline=0, width=5)
    for angle, length, width in ((hour * np.pi / 6, 30, 5), (minute * np.pi / 30, 45, 3)):
        pen.line((64, 64, 64 + length * np.sin(angle), 64 - length * np.cos(angle)), fill=0, width=width)
    return picture


def test_a_scratch_on_a_scene_of_many_tones_makes_it_another_picture():
    whole = scene()
    scratched = whole.copy()
    scratched[60:72, 80:92] //= 3
    assert not search._plain(look_at_all([whole]), np.array([0]))[0]
    assert duplicate_groups([whole, scratched, jpeg(Image.fromarray(whole), 60)]).tolist() == [0, 1, 0]


def test_plain_pictures_that_differ_in_one_place_are_no_copies():
    faces = [np.asarray(face(hour, minute)) for hour in range(12) for minute in (0, 20, 40)]
    assert search._plain(look_at_all(faces), np.arange(len(faces))).all()
    assert find_pairs(look_at_all(faces)) == []


@pytest.mark.parametrize(
    ("copied", "kind"),
    [
        (lambda picture: jpeg(picture, 90), "near"),
        (lambda picture: jpeg(ImageOps.mirror(picture), 90), "mirrored"),
        (lambda picture: np.asarray(ImageEnhance.Brightness(picture).enhance(0.9)), None),
        (lambda picture: jpeg(crop(picture, 0.04)), None),
    ],
)
def test_plain_pictures_are_copies_only_where_they_agree_as_they_lie(copied, kind):
    pairs = find_pairs(look_at_all([np.asarray(face(4, 15)), copied(face(4, 15))]))
    assert [pair.kind for pair in pairs] == ([kind] if kind else [])


def test_plain_pictures_that_many_others_resemble_as_much_are_no_copies():
    rng, part = np.random.default_rng(4), np.asarray(face(4, 15)).astype(float) * 0.8 + 20
    shots = [np.uint8(part + rng.normal(0, 4, part.shape)) for _ in range(30)]
    assert find_pairs(look_at_all(shots)) == []
    assert find_pairs(look_at_all([*shots, jpeg(Image.fromarray(shots[5]), 95)])) != []
    assert len(find_pairs(look_at_all(shots[:4]))) == 6


def test_plain_pictures_are_never_laid_over_each_other(monkeypatch):
    monkeypatch.setattr(cv2, "findTransformECC", None)  # which takes a thousand times as long as a comparison
    assert find_pairs(look_at_all([np.asarray(face(hour, 10)) for hour in range(12)])) == []


def test_two_labels_part_near_copies_and_keep_exact_ones():
    pairs = [Pair(0, 1, "exact", 1.0), Pair(0, 2, "near", 0.9), Pair(3, 4, "mirrored", 0.9), Pair(4, 5, "near", 0.9)]
    kept = of_one_label(pairs, np.array([0, 1, 1, 0, 1, -1], np.int32))
    assert [(pair.first, pair.second) for pair in kept] == [(0, 1), (0, 2), (4, 5)]  # 0 is of both labels by its copy
    pictures = [scene(), jpeg(Image.fromarray(scene()), 60), scene()[:, ::-1]]
    assert duplicate_groups(pictures).tolist() == [0, 0, 0]
    assert duplicate_groups(pictures, labels=np.array([0, 0, 1], np.int32)).tolist() == [0, 0, 2]


def test_a_crowd_of_similar_hashes_tells_nothing(monkeypatch, pets):
    copies = [jpeg(Image.fromarray(pets[0]), quality) for quality in range(50, 60)]
    looks = look_at_all([pets[0], *copies, pets[1], pets[1][:, ::-1]])
    monkeypatch.setattr(search, "_neighbours", lambda looks, chosen: (chosen[:0], chosen[:0]))
    assert len({pair.first for pair in find_pairs(looks)} - {11}) == 10
    monkeypatch.setattr(search, "_CROWD", 5)
    assert [(pair.first, pair.second) for pair in find_pairs(looks)] == [(11, 12)]


def test_bits_are_counted_alike_without_numpy_2(monkeypatch):
    one, two = np.random.default_rng(3).integers(0, 2**63, (2, 40), np.int64).astype(np.uint64)
    expected = [[(int(a) ^ int(b)).bit_count() for b in two] for a in one]
    assert search._differing_bits(one[:, None], two[None]).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert search._differing_bits(one[:, None], two[None]).tolist() == expected


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((2, 8, 8, 1), np.float32), "float32.*expected uint8"),
        (np.zeros((8, 8), np.uint8), r"shape \(8, 8\).*\(n, height, width"),
        ([np.zeros((8, 8, 4), np.uint8)], r"shape \(8, 8, 4\).*Decode it"),
        ([np.zeros((0, 8, 1), np.uint8)], "all above 0"),
    ],
)
def test_what_is_no_picture_is_refused(images, said):
    with pytest.raises(ImageError, match=said):
        duplicate_groups(images)


def test_nothing_and_little_are_fine(pets):
    assert duplicate_groups([]).tolist() == []
    assert duplicate_groups(pets[:1]).tolist() == [0]
    looks = Looks.room_for(3)
    looks.keep(1, look(pets[0]))
    assert find_pairs(looks) == []  # what could not be read resembles nothing


def near(*edges):
    return [Pair(first, second, "near", 0.9) for first, second in edges]


def test_copies_of_copies_belong_together():
    assert grouped(near((0, 3), (3, 5)), 6).tolist() == [0, 1, 2, 0, 4, 0]
    assert grouped([Pair(1, 4, "exact", 1.0), *near((0, 4))], 5).tolist() == [0, 0, 2, 3, 0]


def test_a_long_chain_does_not_become_one_group():
    chain = near(*((k, k + 1) for k in range(99)))
    sizes = np.bincount(grouped(chain, 100))
    assert sizes.max() <= 8
    star = near(*((0, k) for k in range(1, 100)))
    assert grouped(star, 100).tolist() == [0] * 100


def test_a_bridge_does_not_join_two_crowds():
    crowds = [(a + offset, b + offset) for offset in (0, 10) for a in range(10) for b in range(a + 1, 10)]
    groups = grouped(near(*crowds, (3, 14)), 20)
    assert groups[[0, 1, 2, 5, 9]].tolist() == [0] * 5
    assert groups[10] != 0
    assert len(set(groups[[10, 11, 12, 15, 19]].tolist())) == 1


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=80))
def test_groups_are_named_by_their_smallest_member(edges):
    pairs = [Pair(min(a, b), max(a, b), "exact" if exact else "near", 1.0) for a, b, exact in edges if a != b]
    groups = grouped(pairs, 31)
    assert (groups <= np.arange(31)).all()
    assert (groups[groups] == groups).all()
    assert all(groups[pair.first] == groups[pair.second] for pair in pairs if pair.kind == "exact")
