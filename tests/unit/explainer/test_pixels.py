"""What each pixel does: closed forms on linear models, and what must hold for every shape of model."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from imgclf.errors import OptionError, UnknownNameError
from imgclf.explainer import Explainer


@pytest.fixture
def linear():
    keras.utils.set_random_seed(5)
    x = keras.Input((16, 16, 3))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="top")(layers.Flatten()(x)))


def weights(model, label):
    return keras.ops.convert_to_numpy(model.get_layer("top").kernel)[:, label].reshape(16, 16, 3)


def test_a_linear_models_gradient_is_its_weights(linear, images):
    found = Explainer(linear).attribute(images, 1, "gradient")
    assert found.values.shape == images.shape
    assert np.allclose(found.values, weights(linear, 1), atol=1e-6)
    assert found.completeness_error is None


@pytest.mark.parametrize("baseline", [None, 255.0, "mean"])
def test_a_linear_models_integrated_gradients_are_weights_times_way(linear, images, baseline):
    found = Explainer(linear).attribute(images, 1, steps=3, baseline=baseline)
    base = images.mean(axis=(1, 2), keepdims=True) if baseline == "mean" else baseline or 0.0
    assert np.allclose(found.values, weights(linear, 1) * (images - base), atol=1e-3)
    assert np.abs(found.completeness_error).max() < 1e-2  # of sums of hundreds
    assert np.allclose(found.maps, found.values.sum(axis=-1))


def test_covering_each_pixel_of_a_linear_model_takes_away_what_it_adds(linear, images):
    found = Explainer(linear).attribute(images, 2, "occlusion", window=1, stride=1, baseline=0.0)
    assert found.values.shape == (*images.shape[:3], 1)
    assert np.allclose(found.maps, (weights(linear, 2) * images).sum(axis=-1), atol=2e-2)


def test_every_pixel_is_covered_whatever_window_and_stride(linear, images):
    for window, stride in ((5, 5), ((3, 16), (2, 5)), (40, 1)):
        found = Explainer(linear).attribute(images[:1], 2, "occlusion", window=window, stride=stride)
        assert np.isfinite(found.values).all()
    assert np.ptp(found.values) == 0  # one window over all


def test_what_integrated_gradients_leave_is_reported(model, images):
    explainer = Explainer(model)
    few, many = (explainer.attribute(images, steps=steps) for steps in (4, 128))
    black = explainer.grad_cam(np.zeros_like(images), few.labels).scores
    added = (few.scores - black).astype(np.float64)
    sums = many.values.sum(axis=(1, 2, 3), dtype=np.float64)
    assert np.allclose(sums - added, many.completeness_error, atol=1e-4 * np.abs(added).max() + 1e-6)
    assert np.abs(many.completeness_error).max() <= 0.05 * np.abs(added).max()
    assert np.abs(many.completeness_error).sum() <= np.abs(few.completeness_error).sum() + 1e-5


def test_one_units_classes_have_opposite_gradients(one_unit, images):
    explainer = Explainer(one_unit)
    one, other = (explainer.attribute(images, label, "gradient").values for label in (0, 1))
    assert np.array_equal(one, -other)


def test_the_gradient_is_what_a_small_step_changes(softmax_model, images):
    explainer = Explainer(softmax_model)
    taken = images.astype(np.float32) + np.float32(0.37)
    gradient = explainer.attribute(taken, 1, "gradient", score="log_odds").values
    way = np.random.default_rng(0).normal(size=taken.shape).astype(np.float32)
    up, down = (explainer.grad_cam(taken + step * way, 1, score="log_odds").scores for step in (0.05, -0.05))
    expected = (gradient * way).sum(axis=(1, 2, 3))
    assert np.allclose((up - down) / 0.1, expected, atol=0.05 * np.abs(expected).max())


def test_smooth_gradients_are_the_mean_over_copies(softmax_model, images):
    explainer = Explainer(softmax_model)
    smooth = explainer.attribute(images, 1, "gradient", smooth=2)
    assert not np.allclose(smooth.values, explainer.attribute(images, 1, "gradient").values)
    assert np.array_equal(smooth.values, explainer.attribute(images, 1, "gradient", smooth=2).values)


def test_a_batch_says_what_its_pictures_say(model, images):
    explainer = Explainer(model)
    for method, settings in (("integrated_gradients", {"steps": 5}), ("gradient", {"smooth": 2}), ("occlusion", {})):
        many = explainer.attribute(images, 0, method, **settings).values
        alone = np.concatenate([explainer.attribute(one, 0, method, **settings).values for one in images])
        assert np.abs(many - alone).max() <= 1e-5 * np.abs(many).max() + 1e-12


def test_the_model_is_left_as_it_was(model, images, said):
    before, explainer = said(model, images.astype(np.float32)), Explainer(model)
    for method in ("integrated_gradients", "gradient", "occlusion"):
        explainer.attribute(images, 0, method)
    assert np.array_equal(said(model, images.astype(np.float32)), before)


def test_wrong_settings_are_refused(softmax_model, images):
    explainer = Explainer(softmax_model)
    with pytest.raises(UnknownNameError, match="Did you mean 'gradient'"):
        explainer.attribute(images, method="gradients")
    with pytest.raises(OptionError, match="'smooth' means nothing to 'integrated_gradients', which takes"):
        explainer.attribute(images, smooth=8)
    with pytest.raises(OptionError, match="baseline is nan; expected a pixel's value, or 'mean'"):
        explainer.attribute(images, baseline=float("nan"))
    with pytest.raises(OptionError, match="steps is 0; expected a whole number, 1 or more"):
        explainer.attribute(images, steps=0)
    with pytest.raises(OptionError, match=r"window is \(1, 2, 3\); expected a whole number of pixels, or \(height"):
        explainer.attribute(images, method="occlusion", window=(1, 2, 3))
    with pytest.raises(OptionError, match="stride is 0"):
        explainer.attribute(images, method="occlusion", stride=0)
    with pytest.raises(OptionError, match="would never be covered. Take a stride of at most the window"):
        explainer.attribute(images, method="occlusion", window=3, stride=4)


def test_it_shows_itself(softmax_model, images, tmp_path):
    found = Explainer(softmax_model, class_names=["ant", "bee", "cow"]).attribute(images, "bee", steps=4)
    assert found.settings == {"steps": 4, "baseline": 0.0}
    assert found.table().columns == ("key", "class", "probability", "logit", "sum", "completeness error")
    assert [row[1] for row in found.table().rows] == ["bee"] * 3
    assert "bee" in str(found)
    assert "<table" in found._repr_html_()
    assert len(found.to_csv(tmp_path / "a.csv").read_text("utf-8").splitlines()) == 4
    with Image.open(found.save(tmp_path / "a.png")) as drawn:
        assert drawn.size[0] > 300
    figure = found.plot()
    assert len([axis for axis in figure.axes if axis.images]) >= 6
    assert repr(found) == "Attribution(integrated_gradients: 3 pictures of 16×16×3)"


def test_a_model_of_whole_numbers_has_no_gradient(images):
    x = keras.Input((16, 16, 3), dtype="uint8")
    y = layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(x))
    explainer = Explainer(keras.Model(x, layers.Dense(2)(layers.Flatten()(y))))
    for method in ("gradient", "integrated_gradients"):
        with pytest.raises(OptionError, match="takes whole numbers, through which no gradient passes"):
            explainer.attribute(images, method=method)
    assert np.abs(explainer.attribute(images, method="occlusion").values).max() > 0


def test_pictures_may_enter_under_a_name(images):
    keras.utils.set_random_seed(2)
    x = keras.Input((16, 16, 3), name="pixels")
    y = layers.Dense(2, activation="softmax")(layers.Flatten()(layers.Conv2D(3, 3, name="conv")(x)))
    plain, named = Explainer(keras.Model(x, y)), Explainer(keras.Model({"pixels": x}, y))
    assert np.array_equal(named.attribute(images, 1, "gradient").values, plain.attribute(images, 1, "gradient").values)
    assert np.array_equal(named.grad_cam(images, 1).maps["conv"], plain.grad_cam(images, 1).maps["conv"])
