"""The other class activation maps, and what the score, the sign and the noise change; on every backend."""

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.errors import OptionError, UnknownNameError
from imgclf.explainer import Explainer
from imgclf.explainer.cam import METHODS, against
from imgclf.explainer.pixels import noisy

RNG = np.random.default_rng(8)


def tensors(*shape):
    return RNG.normal(size=(2, *shape)).astype(np.float32)


def computed(method, a, g):
    return keras.ops.convert_to_numpy(METHODS[method](keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(g)))


def close(found, expected, within=1e-5):
    return np.abs(found - expected).max() <= within * np.abs(expected).max()


def pooled():
    """A convolution whose mean decides."""
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(6, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="top")(layers.GlobalAveragePooling2D()(y)))


def flattened():
    """A convolution, every value of which decides."""
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(6, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="top")(layers.Flatten()(y)))


def test_the_formulas_are_those_of_the_papers():
    a, g = tensors(2, 3, 4, 5)
    assert close(computed("hires_cam", a, g), (a * g).sum(axis=-1))
    assert close(computed("layer_cam", a, g), (a * np.maximum(g, 0)).sum(axis=-1))
    a = np.abs(a).astype(np.float64)
    share = g**2 / (2 * g**2 + a.sum(axis=(1, 2), keepdims=True) * g.astype(np.float64) ** 3)
    expected = (a * (share * np.maximum(g, 0)).sum(axis=(1, 2), keepdims=True)).sum(axis=-1)
    assert close(computed("grad_cam_plus_plus", a.astype(np.float32), g), expected)


def test_grad_cam_plus_plus_of_no_gradient_is_zero_and_of_a_negative_value_unknown():
    a, g = np.abs(tensors(2, 3, 3, 2))
    g[0] = 0
    a[1, 0, 0, 0] = -1e-3
    found = computed("grad_cam_plus_plus", a, g)
    assert (found[0] == 0).all()
    assert np.isnan(found[1]).all()


def test_before_a_pooling_head_three_maps_are_one(images):
    """The class activation map of Zhou et al. 2016 is the feature maps, weighted by the class's weights."""
    keras.utils.set_random_seed(3)
    model = pooled()
    explainer = Explainer(model)
    features = explainer.feature_maps(images, "conv").maps["conv"]
    kernel = keras.ops.convert_to_numpy(model.get_layer("top").kernel)
    for label in range(3):
        plain = features @ kernel[:, label] / features[0, :, :, 0].size
        for method in ("grad_cam", "hires_cam"):
            assert close(explainer.grad_cam(images, label, "conv", method).maps["conv"], plain)


def test_before_one_dense_layer_hires_cam_adds_up_to_the_logit_and_grad_cam_does_not(images):
    keras.utils.set_random_seed(3)
    model = flattened()
    explainer = Explainer(model)
    bias = keras.ops.convert_to_numpy(model.get_layer("top").bias)
    missed = []
    for label in range(3):
        hires, plain = (explainer.grad_cam(images, label, "conv", method) for method in ("hires_cam", "grad_cam"))
        wanted = hires.scores - bias[label]
        assert close(hires.maps["conv"].sum(axis=(1, 2)), wanted)
        missed.append(np.abs(plain.maps["conv"].sum(axis=(1, 2)) - wanted).max() / np.abs(wanted).max())
    assert min(missed) > 0.05


def test_log_odds_do_not_change_when_all_logits_shift_together(images):
    keras.utils.set_random_seed(3)
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(6, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    y = layers.Flatten()(y)
    z = layers.Dense(3, name="z")(y)
    shift = layers.Dense(1, name="shift")(y)
    softmax = layers.Activation("softmax")
    plain, shifted = Explainer(keras.Model(x, softmax(z))), Explainer(keras.Model(x, softmax(layers.Add()([z, shift]))))
    for label in (0, 1, 2):
        odds = [e.grad_cam(images, label, "conv", score="log_odds") for e in (plain, shifted)]
        assert close(odds[1].maps["conv"], odds[0].maps["conv"])
        p = odds[0].probabilities[:, label].astype(np.float64)
        assert np.allclose(odds[0].scores, np.log(p / (1 - p)), atol=1e-4)
        logits = [e.grad_cam(images, label, "conv").maps["conv"] for e in (plain, shifted)]
        assert not close(logits[1], logits[0], within=0.05)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_log_odds_are_those_of_the_models_own_probabilities(images, activation):
    """Several sigmoid units say yes or no each for itself; logits alone are taken for a softmax's."""
    keras.utils.set_random_seed(3)
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(6, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    explainer = Explainer(keras.Model(x, layers.Dense(3, activation=activation)(layers.Flatten()(y))))
    found = explainer.grad_cam(images, 1, "conv", score="log_odds")
    p = found.probabilities[:, 1].astype(np.float64)
    assert np.allclose(found.scores, np.log(p / (1 - p)), atol=1e-4)


def test_maps_that_are_not_finite_are_named(softmax_model, images, monkeypatch):
    monkeypatch.setitem(METHODS, "hires_cam", lambda a, g: keras.ops.sum(a * g, axis=-1) * np.inf)
    with pytest.raises(OptionError, match="the gradients at 'conv2' are not finite"):
        Explainer(softmax_model).grad_cam(images, layers="conv2", method="hires_cam")


def test_one_units_log_odds_are_its_logit(one_unit, images):
    explainer = Explainer(one_unit)
    plain, odds = (explainer.grad_cam(images, 1, score=score) for score in ("logit", "log_odds"))
    for path, maps in plain.maps.items():
        assert np.array_equal(odds.maps[path], maps)


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam"])
def test_against_one_class_of_two_is_for_the_other(one_unit, images, method):
    explainer = Explainer(one_unit)
    other, opposed = (
        explainer.grad_cam(images, 0, "maps", method),
        explainer.grad_cam(images, 1, "maps", method, counterfactual=True),
    )
    for path, maps in other.maps.items():
        assert np.array_equal(opposed.maps[path], maps)
    assert opposed.counterfactual
    assert opposed.plot().axes[0].get_title().splitlines()[1].startswith("against class 1")


def test_against_is_one_function_for_a_method():
    assert against("layer_cam") is against("layer_cam")


def test_smooth_is_the_mean_over_copies_with_noise(softmax_model, images):
    explainer = Explainer(softmax_model)
    taken = images.astype(np.float32)
    first = explainer.grad_cam(images, smooth=3)
    assert first.smooth == 3
    copies = [explainer.grad_cam(noisy(taken, copy), first.labels).maps["conv2"] for copy in range(3)]
    assert close(first.maps["conv2"], np.mean(copies, axis=0))
    assert np.array_equal(explainer.grad_cam(images, smooth=3).maps["conv2"], first.maps["conv2"])
    assert np.array_equal(first.scores, explainer.grad_cam(images).scores)  # of the pictures themselves


def test_smooth_maps_of_a_batch_are_those_of_its_pictures(softmax_model, images):
    explainer = Explainer(softmax_model)
    many = explainer.grad_cam(images, 1, smooth=2).maps["conv2"]
    assert close(explainer.grad_cam(images[2], 1, smooth=2).maps["conv2"][0], many[2])


def test_noise_has_its_share_of_a_pictures_range_and_another_draw_for_each_copy():
    pictures = np.stack([np.zeros((40, 40, 3)), np.linspace(0, 200, 4800).reshape(40, 40, 3)]).astype(np.float32)
    one, two = noisy(pictures, 0), noisy(pictures, 1)
    assert np.array_equal(one[0], pictures[0])
    assert (one[1] - pictures[1]).std() == pytest.approx(20, rel=0.05)
    assert abs(np.corrcoef((one - pictures)[1].ravel(), (two - pictures)[1].ravel())[0, 1]) < 0.1
    assert one.dtype == np.float32


def test_grad_cam_plus_plus_names_the_layer_that_goes_below_zero(images):
    keras.utils.set_random_seed(3)
    x = keras.Input((16, 16, 3))
    y = layers.ReLU(name="relu")(layers.Conv2D(6, 3, name="conv")(x))
    explainer = Explainer(keras.Model(x, layers.Dense(3)(layers.Flatten()(y))))
    with pytest.raises(OptionError, match="'conv' goes below. Choose layers after which a ReLU stands"):
        explainer.grad_cam(images, layers=["conv", "relu"], method="grad_cam_plus_plus")
    assert np.isfinite(explainer.grad_cam(images, layers="relu", method="grad_cam_plus_plus").maps["relu"]).all()


def test_what_does_not_exist_is_refused_with_the_nearest(softmax_model, images):
    explainer = Explainer(softmax_model)
    with pytest.raises(UnknownNameError, match="Did you mean 'hires_cam'"):
        explainer.grad_cam(images, method="hirescam")
    with pytest.raises(UnknownNameError, match="score"):
        explainer.grad_cam(images, score="odds")
    for wrong in (-1, 1.5, True):
        with pytest.raises(OptionError, match="whole number, 0 or more"):
            explainer.grad_cam(images, smooth=wrong)
