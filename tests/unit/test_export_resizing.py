"""What an exported graph does before the network, against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from imgclf.export.resizing import Axis, weights
from imgclf.export.serving import fit
from imgclf.images import ImageSpec, fit_image

ODD = [((9000, 3), (20, 20)), ((3, 9000), (20, 20)), ((1, 1), (7, 9)), ((700, 90), (64, 64)), ((90, 700), (64, 64))]


def sizes(count, seed):
    """Sizes before and after, at random, and some that are hard."""
    rng = np.random.default_rng(seed)
    drawn = [tuple(map(tuple, rng.integers((1, 1), (300, 160), (2, 2)).tolist())) for _ in range(count)]
    return [*ODD, *(((before[0], after[0]), (before[1], after[1])) for before, after in drawn)]


def both(spec, size, seed=0):
    """The picture that the graph makes of noise, and the one that Pillow makes."""
    noise = np.random.default_rng(seed).integers(0, 256, (1, *size, spec.channels), dtype=np.uint8)
    return np.asarray(fit(ops.convert_to_tensor(noise), spec))[0], fit_image(noise[0], spec)


@pytest.mark.parametrize("how", ["stretch", "pad"])
def test_stretching_and_padding_are_pillows_bit_by_bit(how):
    """Noise of any size: no value differs, whichever pass comes first."""
    for number, (before, after) in enumerate(sizes(60, seed=1)):
        ours, pillows = both(ImageSpec(after, fit=how), before, number)
        np.testing.assert_array_equal(ours, pillows, err_msg=f"{before} to {after}")


def test_cropping_is_pillows_but_for_a_few_grey_levels():
    """Pillow holds the part's edges as float32: a value may round to the next grey level, and few do."""
    off = []
    for number, (before, after) in enumerate(sizes(60, seed=2)):
        ours, pillows = both(ImageSpec(after, fit="crop"), before, number)
        apart = np.abs(ours - pillows)
        assert apart.max() <= 1, f"{before} to {after}"
        off.append(float(apart.mean()))
    assert np.mean(off) < 0.01


def test_grey_pictures_and_those_of_the_right_size_pass():
    """One channel goes the same way; what is as large as wanted stays as it is."""
    for size in ((28, 28), (40, 30)):
        ours, pillows = both(ImageSpec((28, 28), "grayscale"), size)
        np.testing.assert_array_equal(ours, pillows)


@pytest.mark.parametrize("size", [(105, 192), (45, 320), (320, 45)])
def test_half_a_row_is_rounded_as_for_training(size):
    """105 of 192 on 224 are 122.5 rows: the even number, although float64 says a little more."""
    ours, pillows = both(ImageSpec((224, 224), fit="pad"), size)
    np.testing.assert_array_equal(ours, pillows)


def test_weights_are_whole_and_add_up():
    """In three parts, each exact in float32; together 2²², or as near as rounding every one of them leaves it."""
    high, middle, low = (np.asarray(part, np.int64) for part in weights(Axis(500, 64, 64, 500, 64)))
    assert high.max() <= 256
    assert middle.max() < 128
    assert low.max() <= 128
    total = (high * 2**14 + middle * 2**7 + low).sum(axis=1)
    assert np.abs(total - 2**22).max() <= 16


def test_the_largest_photographs_stay_inside_whole_numbers():
    """40,000 pixels to 64: the weights are still a triangle, and none is negative."""
    parts = [np.asarray(part) for part in weights(Axis(40_000, 64, 64, 40_000, 64))]
    assert min(part.min() for part in parts) >= 0
    total = sum(part * scale for part, scale in zip(parts, (2**14, 2**7, 1), strict=True)).sum(axis=1)
    np.testing.assert_allclose(total, 2**22, rtol=1e-3)
