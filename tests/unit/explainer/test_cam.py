import cv2
import numpy as np
import pytest

from imgclf.explainer.cam import heatmap, is_blank, upsample

RNG = np.random.default_rng(5)


def test_grad_cam_is_the_sum_over_channels_weighted_by_mean_gradients(cam):
    a, g = RNG.normal(size=(2, 2, 3, 4, 5)).astype(np.float32)
    expected = np.zeros((2, 3, 4))
    for n in range(2):
        for c in range(5):
            expected[n] += g[n, :, :, c].mean() * a[n, :, :, c]
    assert np.allclose(cam(a, g), expected, atol=1e-6)
    assert np.array_equal(cam(a, -g), -cam(a, g))
    assert cam(a, g).dtype == np.float32


@pytest.mark.parametrize("shape", [(2, 224, 224, 8), (2, 14, 14, 512), (3, 5, 7, 3)])
def test_grad_cam_is_that_of_float64(cam, shape):
    """Large gradients that nearly cancel, as they do in the first layers: no sum may lose more than 1e-5."""
    a, g = RNG.normal(size=(2, *shape)).astype(np.float32)
    a, g = np.maximum(a, 0), g + np.float32(0.1)
    expected = np.einsum("nhwc,nc->nhw", a.astype(np.float64), g.astype(np.float64).mean(axis=(1, 2)))
    assert np.abs(cam(a, g) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((7, 7), (150, 150)),
        ((3, 5), (16, 31)),
        ((2, 2), (3, 3)),
        ((14, 9), (7, 4)),
        ((8, 8), (8, 8)),
        ((2, 9), (64, 5)),
    ],
)
def test_upsampling_is_that_of_opencv(given, wanted):
    maps = RNG.normal(size=(3, *given)).astype(np.float32)
    expected = [cv2.resize(one, wanted[::-1], interpolation=cv2.INTER_LINEAR) for one in maps]
    assert np.abs(upsample(maps, wanted) - expected).max() < 1e-5


def test_blank_is_what_has_nothing_above_zero():
    maps = np.stack([np.zeros((3, 3)), -np.ones((3, 3)), np.eye(3) - 0.5, np.full((3, 3), 1e-30), np.zeros((3, 3))])
    maps[4, 0] = -1
    maps[4, 1] = 1e-8  # rounding beside the −1
    assert is_blank(maps).tolist() == [True, True, False, False, True]


def test_heat_is_in_0_to_1_and_blank_stays_0():
    maps = np.stack([RNG.normal(size=(4, 4)), np.zeros((4, 4)), -np.ones((4, 4)), 1e-38 * np.eye(4)])
    heat = heatmap(maps.astype(np.float32), (32, 48))
    assert heat.shape == (4, 32, 48)
    assert heat.dtype == np.float32
    assert np.isfinite(heat).all()
    assert heat.max(axis=(1, 2)).tolist() == [1, 0, 0, 1]
    assert heat.min() >= 0


def test_heat_does_not_depend_on_the_scale_of_the_map():
    maps = RNG.normal(size=(2, 4, 4)).astype(np.float32)
    assert np.allclose(heatmap(maps * 200, (16, 16)), heatmap(maps, (16, 16)), atol=1e-6)


def test_heat_is_cut_at_zero_before_it_is_spread():
    """Otherwise a strong negative cell would eat into its positive neighbour."""
    maps = np.array([[[1.0, -9.0]]], np.float32)
    assert np.allclose(heatmap(maps, (1, 4)), heatmap(np.array([[[1.0, 0.0]]], np.float32), (1, 4)))
