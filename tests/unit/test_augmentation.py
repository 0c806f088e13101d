"""The oracle is Keras's own ``ImageDataGenerator``: same parameters, same picture, to within rounding."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imgclf.augmentation import Augmentation
from imgclf.errors import DatasetError, ImageError, OptionError, UnknownNameError
from imgclf.transform import Transform

# Our fill modes as SciPy, on which Keras rests, calls them.
SCIPY_MODES = {"nearest": "nearest", "constant": "grid-constant", "reflect": "reflect", "wrap": "grid-wrap"}
# OpenCV 5 computes places in float32, OpenCV 4 in steps of 1/32 pixel from terms in steps of 1/1024.
PLACE_ERROR = 1e-5 if int(cv2.__version__.split(".")[0]) >= 5 else 1 / 64 + 1 / 1024
ROUNDING = 0.5 + 1e-3

quick = settings(max_examples=60, deadline=None)
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
channels = st.sampled_from([1, 3])
modes = st.sampled_from(list(SCIPY_MODES))
seeds = st.integers(0, 2**32 - 1)


def places(**more):
    """Transforms that move pixels and leave their colours."""
    return st.builds(
        Transform,
        theta=st.floats(-180, 180),
        tx=st.floats(-30, 30),
        ty=st.floats(-30, 30),
        shear=st.floats(-60, 60),
        zx=st.floats(0.3, 2),
        zy=st.floats(0.3, 2),
        flip_horizontal=st.booleans(),
        flip_vertical=st.booleans(),
        **more,
    )


colours = {"brightness": st.floats(0.2, 2), "channel_shift": st.floats(-80, 80)}
augmentations = st.builds(
    Augmentation,
    rotation_range=st.floats(0, 360),
    width_shift_range=st.floats(0, 30),
    height_shift_range=st.floats(0, 0.9),
    shear_range=st.floats(0, 60),
    zoom_range=st.floats(0, 0.9) | st.tuples(st.floats(0.1, 1), st.floats(1, 2)),
    horizontal_flip=st.booleans(),
    vertical_flip=st.booleans(),
    fill_mode=modes,
    cval=st.floats(0, 255),
    brightness_range=st.none() | st.tuples(st.floats(0, 1), st.floats(1, 3)),
    channel_shift_range=st.floats(0, 255),
)


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


noises = st.builds(lambda size, depth, seed: noise((*size, depth), seed), sizes, channels, seeds)


def ramp(shape):
    """A smooth picture: neighbouring pixels differ by at most 4 grey levels."""
    rows, columns, layer = np.indices(shape)
    waves = 127 + 100 * np.sin(0.025 * rows + layer) * np.cos(0.02 * columns - layer)
    return np.rint(waves).astype(np.uint8)


def largest_step(image, fill_mode, cval):
    """Between neighbours, those beyond the rim included: what a place that is off by one pixel can cost."""
    how = {"mode": "constant", "constant_values": cval} if fill_mode == "constant" else {"mode": "wrap"}
    wide = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), **how)
    return max(abs(np.diff(wide, axis=axis)).max() for axis in (0, 1))


@pytest.fixture(scope="module")
def keras_says():
    """Legacy Keras's float32 answer for a transform of ours."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    def answer(image, transform, fill_mode, cval=0.0):
        generator = ImageDataGenerator(fill_mode=fill_mode, cval=cval, data_format="channels_last")
        return generator.apply_transform(image.astype(np.float32), transform.to_keras(image.shape[:2]))

    return answer


class TestAgainstKeras:
    @settings(max_examples=200, deadline=None)
    @given(noises, places(), modes, st.floats(0, 255))
    def test_moves_pixels_as_keras_does(self, keras_says, image, transform, fill_mode, cval):
        ours = Augmentation(fill_mode=fill_mode, cval=cval).apply(image, transform)
        theirs = keras_says(image, transform, SCIPY_MODES[fill_mode], float(round(cval)))
        bound = ROUNDING + 2 * PLACE_ERROR * largest_step(image, fill_mode, round(cval))
        assert abs(ours - theirs).max() <= bound

    @quick
    @given(
        st.tuples(st.integers(20, 200), st.integers(20, 200)),
        channels,
        places(),
        st.sampled_from(["nearest", "reflect"]),
    )
    def test_is_within_rounding_on_smooth_pictures(self, keras_says, size, depth, transform, fill_mode):
        image = ramp((*size, depth))
        error = abs(Augmentation(fill_mode=fill_mode).apply(image, transform) - keras_says(image, transform, fill_mode))
        assert error.max() <= ROUNDING + 2 * PLACE_ERROR * 4
        assert error.mean() <= 0.5

    @quick
    @given(sizes, places(), st.sampled_from(["constant", "wrap"]))
    def test_keras_own_constant_and_wrap_differ_beyond_the_rim_only(self, keras_says, size, transform, fill_mode):
        image = noise((*size, 1))
        ours = Augmentation(fill_mode=fill_mode, cval=9).apply(image, transform)
        theirs = keras_says(image, transform, fill_mode, 9.0)
        rows, columns = np.indices(size)
        there = transform.matrix(size) @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
        last = np.array([[size[1] - 1], [size[0] - 1]])
        inside = ((there > 0.01) & (there < last - 0.01)).all(0).reshape(size)
        assume(inside.any())
        bound = ROUNDING + 2 * PLACE_ERROR * 255
        assert abs(ours - theirs)[inside].max() <= bound
        if fill_mode == "constant":  # and more than a pixel outside, both give cval
            outside = ((there < -1.01) | (there > last + 1.01)).any(0).reshape(size)
            np.testing.assert_array_equal(ours[outside], theirs[outside])

    @settings(max_examples=150, deadline=None)
    @given(noises, places(**colours), st.sampled_from(["nearest", "reflect"]))
    def test_colours_are_keras_colours(self, keras_says, image, transform, fill_mode):
        ours = Augmentation(fill_mode=fill_mode).apply(image, transform)
        theirs = keras_says(image, transform, fill_mode)
        moved = ROUNDING + 2 * PLACE_ERROR * 255
        # Keras cuts decimals off before and after the brightness; ours are rounded, before and after.
        cut = 0 if transform.brightness == 1 else 1
        difference = ours - theirs
        assert difference.max() <= transform.brightness * (moved + cut) + 0.5 + cut
        assert difference.min() >= -transform.brightness * moved - 0.5

    @quick
    @given(st.floats(0, 3), seeds)
    def test_brightness_alone_is_pillows_but_rounded(self, keras_says, brightness, seed):
        image = noise((20, 30, 3), seed)
        transform = Transform(brightness=brightness)
        difference = Augmentation().apply(image, transform) - keras_says(image, transform, "nearest")
        assert set(np.unique(difference)) <= {0.0, 1.0}

    @quick
    @given(st.integers(-255, 255), seeds)
    def test_a_whole_channel_shift_is_exact(self, keras_says, shift, seed):
        image = noise((9, 8, 3), seed) // 2 + 30
        transform = Transform(channel_shift=shift)
        np.testing.assert_array_equal(Augmentation().apply(image, transform), keras_says(image, transform, "nearest"))

    def test_a_square_picture_needs_no_other_shift(self):
        transform = Transform(theta=30, tx=3, ty=-2, shear=5, zx=0.8, zy=1.1)
        told = transform.to_keras((50, 50))
        assert (told["tx"], told["ty"]) == (3, -2)

    def test_keras_exchanges_its_two_shifts_and_ours_are_what_they_say(self):
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        theirs = ImageDataGenerator(width_shift_range=0.3).get_random_transform((9, 9, 1), seed=0)
        ours = Augmentation(width_shift_range=0.3).draw(0, 0, 0, image_size=(9, 9))
        assert (theirs["tx"], ours.ty) == (0, 0)
        assert 0 not in {theirs["ty"], ours.tx}


class TestMeaning:
    """Small cases that can be checked by eye."""

    def moved(self, size=(9, 21), dot=(4, 10), fill_mode="constant", **transform):
        image = np.zeros((*size, 1), np.uint8)
        image[dot] = 255
        result = Augmentation(fill_mode=fill_mode).apply(image, Transform(**transform))
        return [tuple(map(int, place)) for place in np.argwhere(result[..., 0] > 127)]

    def test_tx_is_along_the_width_and_moves_content_left(self):
        assert self.moved(tx=2) == [(4, 8)]
        assert self.moved(ty=2) == [(2, 10)]

    def test_turns_about_the_centre_even_if_not_square(self):
        assert self.moved(theta=180) == [(4, 10)]
        assert self.moved(theta=180, dot=(0, 0)) == [(8, 20)]
        assert self.moved(theta=90, dot=(4, 13)) == [(1, 10)]  # counter-clockwise

    def test_flips_come_last(self):
        assert self.moved(dot=(1, 3), flip_horizontal=True) == [(1, 17)]
        assert self.moved(dot=(1, 3), flip_vertical=True) == [(7, 3)]
        assert self.moved(tx=2, flip_horizontal=True) == [(4, 12)]

    def test_zoom_above_one_shrinks(self):
        image = np.zeros((40, 40, 1), np.uint8)
        image[10:30, 10:30] = 255
        result = Augmentation().apply(image, Transform(zx=2, zy=2))
        assert 90 <= (result > 127).sum() <= 110

    @pytest.mark.parametrize(
        ("fill_mode", "expected"),
        [
            ("nearest", [10, 10, 10, 20]),
            ("constant", [7, 7, 10, 20]),
            ("reflect", [20, 10, 10, 20]),
            ("wrap", [30, 40, 10, 20]),
        ],
    )
    def test_fill_modes(self, fill_mode, expected):
        row = np.array([10, 20, 30, 40], np.uint8).reshape(1, 4, 1)
        shifted = Augmentation(fill_mode=fill_mode, cval=7).apply(row, Transform(tx=-2))
        assert shifted.ravel().tolist() == expected

    def test_channels_shift_alike_and_within_the_pictures_own_range(self):
        image = np.array([[[10, 100, 200]]], np.uint8)
        assert Augmentation().apply(image, Transform(channel_shift=50)).ravel().tolist() == [60, 150, 200]
        assert Augmentation().apply(image, Transform(channel_shift=-50)).ravel().tolist() == [10, 50, 150]

    def test_cval_fills_every_channel(self):
        image = np.zeros((3, 3, 4), np.uint8)
        assert (Augmentation(fill_mode="constant", cval=200).apply(image, Transform(tx=50)) == 200).all()


class TestApply:
    @quick
    @given(sizes, st.integers(1, 4), modes, seeds)
    def test_identity_is_a_copy(self, size, depth, fill_mode, seed):
        image = noise((*size, depth), seed)
        result = Augmentation(fill_mode=fill_mode).apply(image, Transform())
        np.testing.assert_array_equal(result, image)
        assert not np.shares_memory(result, image)

    @quick
    @given(sizes, channels, st.booleans(), seeds)
    def test_a_flip_is_exact_and_twice_is_nothing(self, size, depth, vertical, seed):
        image = noise((*size, depth), seed)
        flip = Transform(flip_vertical=True) if vertical else Transform(flip_horizontal=True)
        once = Augmentation().apply(image, flip)
        np.testing.assert_array_equal(once, np.flip(image, axis=0 if vertical else 1))
        np.testing.assert_array_equal(Augmentation().apply(once, flip), image)

    @quick
    @given(sizes, st.integers(1, 4), augmentations, seeds)
    def test_shape_and_type_stay_and_the_picture_is_untouched(self, size, depth, augmentation, seed):
        image = noise((*size, depth), seed)
        before = image.copy()
        result = augmentation.apply(image, augmentation.draw(seed, 1, 2, image_size=size))
        assert (result.shape, result.dtype, type(result)) == (image.shape, np.uint8, np.ndarray)
        np.testing.assert_array_equal(image, before)

    @quick
    @given(augmentations, places(), seeds)
    def test_no_grey_level_appears_that_was_not_between_the_others(self, augmentation, transform, seed):
        assume(augmentation.fill_mode != "constant")
        image = noise((12, 15, 3), seed) // 3 + 40
        result = augmentation.apply(image, transform)
        assert image.min() <= result.min()
        assert result.max() <= image.max()

    def test_takes_views_and_memory_maps(self, tmp_path):
        image = noise((10, 12, 3))
        path = tmp_path / "image.npy"
        np.save(path, image)
        transform = Transform(theta=10, brightness=1.1)
        expected = Augmentation().apply(image[:, ::-1], transform)
        result = Augmentation().apply(np.load(path, mmap_mode="r")[:, ::-1], transform)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(Augmentation().apply(np.ascontiguousarray(image[:, ::-1]), transform), expected)

    @pytest.mark.parametrize(
        ("image", "advice"),
        [
            (np.zeros((4, 4, 3)), "Augment before scaling"),
            (np.zeros((4, 4), np.uint8), re.escape("expected (height, width, channels)")),
            (np.zeros((4, 4, 5), np.uint8), "1 to 4 channels"),
            (np.zeros((0, 4, 3), np.uint8), "1 to 4 channels"),
        ],
    )
    def test_wrong_arrays(self, image, advice):
        with pytest.raises(ImageError, match=advice):
            Augmentation().apply(image, Transform())


class TestDraw:
    @quick
    @given(augmentations, seeds, st.integers(0, 999), st.integers(0, 10**6))
    def test_is_a_pure_function_within_the_ranges(self, augmentation, seed, epoch, index):
        draw = augmentation.draw(seed, epoch, index, image_size=(40, 80))
        assert draw == augmentation.draw(np.int64(seed), epoch, np.int32(index), image_size=(40, 80))
        assert abs(draw.theta) <= augmentation.rotation_range
        width_shift = augmentation.width_shift_range
        assert abs(draw.tx) <= (width_shift * 80 if width_shift < 1 else width_shift)
        assert abs(draw.ty) <= augmentation.height_shift_range * 40
        assert abs(draw.shear) <= augmentation.shear_range
        zoom = augmentation.zoom_range
        low, high = zoom if isinstance(zoom, tuple) else (1 - zoom, 1 + zoom)
        assert low <= min(draw.zx, draw.zy) <= max(draw.zx, draw.zy) <= high
        low, high = augmentation.brightness_range or (1, 1)
        assert low <= draw.brightness <= high
        assert abs(draw.channel_shift) <= augmentation.channel_shift_range

    def test_seed_epoch_and_index_all_count(self):
        keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
        draws = {Augmentation.preset("book").draw(*key, image_size=(9, 9)).theta for key in keys}
        assert len(draws) == 4

    def test_is_the_same_in_every_release(self):
        draw = Augmentation.preset("book").draw(42, 3, 7, image_size=(150, 150))
        u = np.random.default_rng((42, 3, 7)).random(10)
        assert draw.theta == pytest.approx(80 * u[0] - 40)
        assert draw.tx == pytest.approx((2 * u[1] - 1) * 30)
        assert draw.zy == pytest.approx(0.8 + 0.4 * u[5])
        assert draw.flip_horizontal == (u[6] < 0.5)

    @quick
    @given(augmentations, seeds)
    def test_one_setting_leaves_the_draws_of_the_others(self, augmentation, seed):
        one = asdict(augmentation.draw(seed, 0, 0, image_size=(40, 80)))
        two = asdict(replace(augmentation, rotation_range=0.5).draw(seed, 0, 0, image_size=(40, 80)))
        assert {**one, "theta": 0} == {**two, "theta": 0}

    def test_ranges_are_filled(self):
        augmentation = Augmentation(
            rotation_range=40, width_shift_range=0.2, height_shift_range=5, zoom_range=(0.5, 1.5), horizontal_flip=True
        )
        draws = [augmentation.draw(0, 0, index, image_size=(100, 200)) for index in range(2000)]
        for name, low, high in (("theta", -40, 40), ("tx", -40, 40), ("ty", -5, 5), ("zx", 0.5, 1.5), ("zy", 0.5, 1.5)):
            values = np.array([getattr(draw, name) for draw in draws])
            span = high - low
            assert low <= values.min() < low + 0.01 * span
            assert high - 0.01 * span < values.max() <= high
            assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * span)
        assert 0.45 < np.mean([draw.flip_horizontal for draw in draws]) < 0.55
        assert abs(np.corrcoef([(draw.zx, draw.zy) for draw in draws], rowvar=False)[0, 1]) < 0.1

    def test_a_shift_below_one_is_a_fraction_and_one_is_a_pixel(self):
        fraction, pixel = (
            Augmentation(width_shift_range=shift).draw(0, 0, 0, image_size=(50, 100)).tx for shift in (0.5, 1)
        )
        assert fraction == pytest.approx(50 * pixel)

    def test_negative_keys(self):
        with pytest.raises(OptionError, match="0 or above"):
            Augmentation().draw(-1, 0, 0, image_size=(9, 9))


class TestBatch:
    book = Augmentation.preset("book")

    @quick
    @given(augmentations, st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True), channels, seeds)
    def test_a_picture_does_not_depend_on_its_neighbours(self, augmentation, indices, depth, seed):
        images = noise((100, 11, 13, depth), seed)
        together = augmentation(images[indices], seed=seed, epoch=2, indices=indices)
        backwards = augmentation(images[indices[::-1]], seed=seed, epoch=2, indices=np.array(indices[::-1]))
        np.testing.assert_array_equal(together, backwards[::-1])
        draw = augmentation.draw(seed, 2, indices[0], image_size=(11, 13))
        np.testing.assert_array_equal(together[0], augmentation.apply(images[indices[0]], draw))

    @pytest.mark.parametrize("augmentation", [Augmentation(), book])
    def test_is_new_and_the_images_are_untouched(self, augmentation):
        images = noise((3, 16, 16, 3))
        images.flags.writeable = False
        before = images.copy()
        result = augmentation(images, seed=0, epoch=0, indices=[0, 1, 2])
        assert not np.shares_memory(result, images)
        assert (result.shape, result.dtype) == (images.shape, np.uint8)
        np.testing.assert_array_equal(images, before)
        assert (result == images).all() == augmentation.is_identity

    def test_epochs_differ(self):
        images = noise((3, 16, 16, 3))
        first, second = (self.book(images, seed=0, epoch=epoch, indices=range(3)) for epoch in (0, 1))
        assert (first != second).any(axis=(1, 2, 3)).all()

    def test_empty(self):
        assert self.book(np.zeros((0, 8, 8, 3), np.uint8), seed=0, epoch=0, indices=[]).shape == (0, 8, 8, 3)

    def test_threads_agree_and_opencv_keeps_the_users_number(self):
        images = noise((64, 32, 32, 3))
        alone = self.book(images, seed=1, epoch=0, indices=range(64))
        before = cv2.getNumThreads()
        cv2.setNumThreads(2)
        try:
            with ThreadPoolExecutor(4) as pool:
                results = list(pool.map(lambda _: self.book(images, seed=1, epoch=0, indices=range(64)), range(16)))
            assert cv2.getNumThreads() == 2
        finally:
            cv2.setNumThreads(before)
        for result in results:
            np.testing.assert_array_equal(result, alone)

    def test_opencv_has_one_thread_inside(self, monkeypatch):
        inside = []
        monkeypatch.setattr(
            Augmentation, "_applied", lambda self, image, draw: inside.append(cv2.getNumThreads()) or image
        )
        self.book(noise((1, 8, 8, 3)), seed=0, epoch=0, indices=[0])
        assert inside == [1]

    def test_the_users_number_comes_back_after_an_error(self):
        before = cv2.getNumThreads()
        with pytest.raises(OptionError, match="0 or above"):
            self.book(noise((1, 8, 8, 3)), seed=-1, epoch=0, indices=[0])
        assert cv2.getNumThreads() == before

    def test_one_index_per_picture(self):
        with pytest.raises(DatasetError, match="one index per picture"):
            self.book(noise((2, 8, 8, 3)), seed=0, epoch=0, indices=[0])

    def test_wrong_arrays(self):
        with pytest.raises(ImageError, match="Augment before scaling"):
            self.book(noise((2, 8, 8, 3)) / 255, seed=0, epoch=0, indices=[0, 1])
        with pytest.raises(ImageError, match=re.escape("expected (n, height, width, channels)")):
            self.book(noise((8, 8, 3)), seed=0, epoch=0, indices=[0])


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "advice"),
        [
            ({"rotation_range": -1}, "expected a number from 0 to 360 degrees"),
            ({"rotation_range": "40"}, "rotation_range is '40'"),
            ({"rotation_range": True}, "from 0 to 360"),
            ({"shear_range": float("nan")}, "from 0 to 89 degrees"),
            ({"width_shift_range": -0.1}, "of at least 0"),
            ({"height_shift_range": float("inf")}, "height_shift_range is inf"),
            ({"width_shift_range": [1, 2]}, "of at least 0"),
            ({"cval": 256}, "from 0 to 255 grey levels"),
            ({"channel_shift_range": 256}, "from 0 to 255 grey levels"),
            ({"zoom_range": 1}, re.escape("or (low, high) with 0 < low ≤ high")),
            ({"zoom_range": (1.2, 0.8)}, "0 < low ≤ high"),
            ({"zoom_range": (0, 1)}, "0 < low ≤ high"),
            ({"zoom_range": "0.2"}, "0 < low ≤ high"),
            ({"brightness_range": 0.5}, "0 ≤ low ≤ high, or None"),
            ({"brightness_range": (-1, 1)}, "0 ≤ low ≤ high, or None"),
            ({"brightness_range": (0.5, float("nan"))}, "0 ≤ low ≤ high, or None"),
            ({"horizontal_flip": 1}, "expected True or False"),
            ({"vertical_flip": "yes"}, "vertical_flip is 'yes'; expected True or False"),
            ({"fill_mode": "mirror"}, "expected one of .*'nearest', 'constant', 'reflect', 'wrap'"),
            ({"fill_mode": ["nearest"]}, "expected one of"),
        ],
    )
    def test_what_cannot_be(self, settings, advice):
        with pytest.raises(OptionError, match=advice):
            Augmentation(**settings)

    def test_all_faults_at_once(self):
        with pytest.raises(OptionError) as caught:
            Augmentation(rotation_range=-1, zoom_range=2, vertical_flip=0, fill_mode="x", brightness_range=3, cval=-1)
        assert len(str(caught.value).splitlines()) == 6

    def test_numbers_of_any_kind_become_plain(self):
        mixed = Augmentation(rotation_range=np.float32(5), zoom_range=[1, np.int64(2)], brightness_range=[1, 1])
        assert mixed == Augmentation(rotation_range=5.0, zoom_range=(1.0, 2.0), brightness_range=(1.0, 1.0))
        assert {type(number) for number in (mixed.rotation_range, *mixed.zoom_range, *mixed.brightness_range)} == {
            float
        }
        hash(mixed)

    @quick
    @given(augmentations)
    def test_survives_json(self, augmentation):
        assert Augmentation.from_dict(json.loads(json.dumps(augmentation.to_dict()))) == augmentation

    def test_unknown_settings(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'rotation_range'") as caught:
            Augmentation.from_dict({"rotation": 40, "rescale": 1 / 255, "zoom_range": 0.2})
        assert "'rescale'" in str(caught.value)

    @pytest.mark.parametrize(
        ("settings", "still"),
        [
            ({}, True),
            ({"fill_mode": "wrap", "cval": 3, "brightness_range": (1, 1), "zoom_range": (1, 1)}, True),
            ({"rotation_range": 1}, False),
            ({"width_shift_range": 0.1}, False),
            ({"height_shift_range": 0.1}, False),
            ({"shear_range": 1}, False),
            ({"zoom_range": 0.1}, False),
            ({"zoom_range": (2, 2)}, False),
            ({"horizontal_flip": True}, False),
            ({"vertical_flip": True}, False),
            ({"brightness_range": (1, 1.1)}, False),
            ({"channel_shift_range": 1}, False),
        ],
    )
    def test_is_identity(self, settings, still):
        augmentation = Augmentation(**settings)
        assert augmentation.is_identity is still
        draws = [augmentation.draw(0, 0, index, image_size=(9, 9)) for index in range(9)]
        assert all(draw == Transform() for draw in draws) is still


class TestPresets:
    def test_names(self):
        assert set(Augmentation.presets()) == {"none", "dogs_vs_cats", "cat_dog_small", "vgg16", "book", "mnist"}
        assert Augmentation.preset("none") == Augmentation()

    @pytest.mark.parametrize(
        ("name", "changed"),
        [
            ("dogs_vs_cats", "rotation 15 width_shift 0.1 height_shift 0.1 shear 0.1 zoom 0.2 horizontal_flip 1"),
            ("cat_dog_small", "rotation 20 width_shift 0.1 zoom 0.1 horizontal_flip 1 vertical_flip 1"),
            ("vgg16", "rotation 40 shear 0.2 zoom 0.2 horizontal_flip 1"),
            ("book", "rotation 40 width_shift 0.2 height_shift 0.2 shear 0.2 zoom 0.2 horizontal_flip 1"),
            ("mnist", "rotation 10 width_shift 0.1 height_shift 0.1 zoom 0.1"),
        ],
    )
    def test_are_the_documents(self, name, changed):
        plain, words = Augmentation().to_dict(), changed.split()
        expected = dict(zip(words[::2], map(float, words[1::2]), strict=True))
        found = {key: value for key, value in Augmentation.preset(name).to_dict().items() if value != plain[key]}
        assert {key.removesuffix("_range"): value for key, value in found.items()} == expected

    def test_every_preset_stands_in_the_docs(self):
        for name in Augmentation.presets():
            assert f'``"{name}"``' in (Augmentation.preset.__doc__ or "")

    def test_unknown(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'book'"):
            Augmentation.preset("boook")


class TestPreview:
    @pytest.mark.parametrize("depth", [1, 3])
    def test_is_a_grid_of_versions(self, depth):
        figure = Augmentation.preset("book").preview(noise((20, 30, depth)), 7, columns=3)
        shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
        assert len(shown) == 7
        assert len({np.asarray(picture).tobytes() for picture in shown}) == 7

    def test_shows_what_the_batch_of_epoch_0_gives(self):
        augmentation, image = Augmentation.preset("book"), noise((20, 30, 3))
        figure = augmentation.preview(image, 2, seed=5)
        batch = augmentation(np.stack([image, image]), seed=5, epoch=0, indices=[0, 1])
        np.testing.assert_array_equal(np.asarray(figure.axes[1].images[0].get_array()), batch[1])

    def test_needs_a_count(self):
        with pytest.raises(OptionError, match="1 or more"):
            Augmentation().preview(noise((4, 4, 3)), 0)
