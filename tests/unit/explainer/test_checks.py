"""Are explanations right?  Pictures whose evidence is known: a red patch makes class 1, a blue one class 0.

A network that has learnt this must point at the patch that is asked for, in pictures that hold both; one that was
trained on shuffled labels must not.
"""

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.errors import OptionError, UnknownNameError
from imgclf.explainer import Explainer
from imgclf.explainer.cam import METHODS
from imgclf.explainer.checks import correlation, similarity

SIDE, PATCH = 48, 12
RED, BLUE, GREY = (220, 30, 30), (30, 30, 220), (120, 120, 120)


def patches(count, kinds, seed):
    """Noise with patches of the colours in *kinds*: uint8 pictures, and a mask ``(n, SIDE, SIDE)`` for each."""
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 180, (count, SIDE, SIDE, 3), dtype=np.uint8)
    masks = np.zeros((len(kinds), count, SIDE, SIDE), bool)
    cells = [(row, column) for row in range(0, SIDE, PATCH) for column in range(0, SIDE, PATCH)]
    for at in range(count):
        chosen = rng.permutation(len(cells))[: len(kinds)]
        for kind, cell in enumerate(chosen):
            top, left = cells[cell]
            place = (slice(top, top + PATCH), slice(left, left + PATCH))
            images[at][place] = np.clip(np.array(kinds[kind]) + rng.integers(-30, 30, (PATCH, PATCH, 3)), 0, 255)
            masks[kind, at][place] = True
    return images, masks


def trained(head, *, shuffled=False):
    """A network of one sigmoid unit, trained on red (1) against blue (0), both with a grey patch beside them."""
    keras.utils.set_random_seed(0)
    x = keras.Input((SIDE, SIDE, 3))
    y = layers.Rescaling(1 / 127.5, offset=-1)(x)
    for filters in (12, 24):
        y = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(y))
    y = layers.Conv2D(24, 3, padding="same", activation="relu", name="last")(y)
    y = {"pooled": layers.GlobalAveragePooling2D(), "flat": layers.Flatten()}[head](y)
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(y))
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=["accuracy"])
    red, blue = (patches(500, (color, GREY), seed)[0] for seed, color in enumerate((RED, BLUE)))
    images = np.concatenate([red, blue]).astype(np.float32)
    labels = np.repeat([1.0, 0.0], 500)
    if shuffled:
        labels = np.random.default_rng(1).permutation(labels)
    model.fit(images, labels, batch_size=50, epochs=6, verbose=0, shuffle=True)
    return model


@pytest.fixture(scope="module")
def good():
    return {head: Explainer(trained(head), ["blue", "red"]) for head in ("pooled", "flat")}


@pytest.fixture(scope="module")
def both():
    """Pictures that hold both patches, and the place of each: ``{class name: (n, SIDE, SIDE)}``."""
    images, masks = patches(60, (BLUE, RED), seed=9)
    return images, dict(zip(("blue", "red"), masks, strict=True))


def pointing(explainer, both, method):
    """The share of pictures whose map is highest in the patch of the class asked for, by class."""
    images, masks = both
    hits = {}
    for name, mask in masks.items():
        heat = explainer.grad_cam(images, name, "last", method).heatmap()
        top = heat.reshape(len(heat), -1).argmax(axis=1)
        hits[name] = mask.reshape(len(mask), -1)[np.arange(len(mask)), top].mean()
    return hits


def test_the_networks_have_learnt_it(good):
    images, _ = patches(100, (RED, GREY), seed=20)
    for explainer in good.values():
        assert explainer.grad_cam(images[:40]).labels.mean() > 0.95


@pytest.mark.parametrize(("method", "least"), [("grad_cam", 0.95), ("hires_cam", 0.90)])
@pytest.mark.parametrize("head", ["pooled", "flat"])
def test_a_good_networks_map_points_at_the_class_asked_for(good, both, head, method, least):
    assert min(pointing(good[head], both, method).values()) >= least


def test_a_network_of_shuffled_labels_points_nowhere(both, record_property):
    broken = Explainer(trained("pooled", shuffled=True), ["blue", "red"])
    found = {method: pointing(broken, both, method) for method in METHODS}
    record_property("measured", found)  # the methods that leave out what speaks against a class find more than there is
    assert np.mean(list(found["grad_cam"].values())) <= 0.20


def test_pixels_in_the_maps_order_decide_as_fast_as_in_the_true_order(good, both):
    images, masks = both
    explainer = good["flat"]
    found = explainer.faithfulness(images, explainer.grad_cam(images, "red", "last"))
    truth = explainer.faithfulness(images, masks["red"], "red")
    for scale in ("probability", "log_odds"):
        gap, best = found.gap(scale=scale).mean(), truth.gap(scale=scale).mean()
        assert gap >= 0.9 * best > 0
        assert found.gap("inverted", scale).mean() <= -0.9 * best
        assert abs(found.gap("random", scale).mean()) <= 0.1 * best
    assert found.names == ("red",) * len(images)


def test_the_curves_begin_and_end_with_picture_and_background(good, both):
    images = both[0][:5]
    explainer = good["pooled"]
    maps = explainer.attribute(images, "red", "gradient")
    found = explainer.faithfulness(images, maps, steps=6, baseline=0.0)
    whole = explainer.grad_cam(images, "red", score="log_odds")
    assert found.fractions.tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    for curves in found.deletion.values():
        assert curves["log_odds"].shape == (5, 7)
        assert np.allclose(curves["log_odds"][:, 0], whole.scores, atol=1e-4)
        assert np.allclose(curves["probability"][:, 0], whole.probabilities[:, 1], atol=1e-5)
        assert np.ptp(curves["log_odds"][:, -1]) < 1e-4  # nothing but the background
    for of in found.deletion:
        assert np.allclose(
            found.insertion[of]["log_odds"][:, ::-1][:, 0], found.deletion[of]["log_odds"][:, 0], atol=1e-4
        )
    inverted = explainer.faithfulness(images, -maps.maps, "red", steps=6, baseline=0.0)
    for scale in ("probability", "log_odds"):
        assert np.allclose(inverted.deletion["map"][scale], found.deletion["inverted"][scale], atol=2e-2)


def test_a_counterfactual_map_is_followed_the_other_way(good, both):
    images, explainer = both[0][:6], good["pooled"]
    plain, opposed = (
        explainer.faithfulness(images, explainer.grad_cam(images, "red", "last", counterfactual=flag))
        for flag in (False, True)
    )
    assert np.allclose(plain.gap(), opposed.gap(), atol=1e-3)


def test_maps_of_other_pictures_are_refused(good, both):
    images, explainer = both[0], good["pooled"]
    maps = explainer.grad_cam(images[:2], "red", "last")
    with pytest.raises(OptionError, match="Give the pictures that were explained"):
        explainer.faithfulness(images[2:4], maps)
    with pytest.raises(OptionError, match="not finite"):
        explainer.faithfulness(images[:2], np.full((2, SIDE, SIDE), np.nan), "red")
    with pytest.raises(OptionError, match="baseline is 'blur'; expected a pixel's value, or 'mean'"):
        explainer.faithfulness(images[:2], maps, baseline="blur")


def test_faithfulness_shows_itself_and_refuses_other_maps(good, both, tmp_path):
    images = both[0][:2]
    found = good["flat"].faithfulness(images, np.zeros((2, SIDE, SIDE)), "red", steps=2)
    assert [row[0] for row in found.table().rows] == ["map", "random", "inverted"]
    assert "gap" in str(found)
    assert "random order" in repr(found)
    assert len(found.plot().axes) == 4
    with pytest.raises(UnknownNameError, match="'inverted'"):
        found.gap("invert")
    with pytest.raises(OptionError, match=r"\(2, 8, 8\) and the pictures \(2, 48, 48\): give a map of each"):
        good["flat"].faithfulness(images, np.zeros((2, 8, 8)), "red")


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam"])
def test_without_what_was_learnt_little_is_left_of_the_map(good, both, method):
    explainer, images = good["flat"], both[0][:30]
    before = [keras.ops.convert_to_numpy(weight) for weight in explainer.model.weights]
    said = explainer.grad_cam(images, "red").probabilities
    found = explainer.sanity_check(images, "red", "last", method)
    assert found.left <= 0.35
    assert found.shuffled[0].startswith("dense")
    assert len(found.shuffled) == 4
    assert ((found.similarity >= 0) & (found.similarity <= 1)).all()
    for weight, value in zip(explainer.model.weights, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(weight), value)
    assert np.array_equal(explainer.grad_cam(images, "red").probabilities, said)
    *steps, unlike = found.table().rows
    assert [row[0] for row in steps] == list(found.shuffled)
    assert unlike == ("(maps of different pictures)", found.unlike)
    assert f"{method} at 'last'" in repr(found)
    assert 0 < found.unlike < 1
    assert len(found.plot().axes) == 1


def test_a_model_of_free_size_and_of_loose_weights_is_checked(both):
    class Scaled(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="scaled")
            self.inner = layers.Conv2D(6, 3, activation="relu", name="inner")

        def build(self, shape):
            self.scale = self.add_weight(shape=(6,), initializer="random_normal", name="scale")
            self.inner.build(shape)

        def call(self, inputs):
            return self.inner(inputs) * self.scale

    x = keras.Input((None, None, 3))
    y = layers.Conv2D(5, 3, activation="relu", name="last")(Scaled()(x))
    model = keras.Model(x, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(y)))
    before = model.get_weights()
    found = Explainer(model).sanity_check(both[0][:3])
    assert found.shuffled[-1] == "(others)"
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_a_map_that_says_nothing_passes_no_sanity_check(both):
    x = keras.Input((SIDE, SIDE, 3))
    y = layers.Conv2D(4, 3, kernel_initializer="zeros", name="dead")(x)
    model = keras.Model(x, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(y)))
    assert np.isnan(Explainer(model).sanity_check(both[0][:3]).left)


def test_one_layer_is_checked(good, both):
    with pytest.raises(OptionError, match="expected one. Choose one of them"):
        good["flat"].sanity_check(both[0][:2], layers="maps")


def test_weights_are_put_back_when_a_sanity_check_breaks_off(good, both, monkeypatch):
    explainer = good["pooled"]
    before = [keras.ops.convert_to_numpy(weight) for weight in explainer.model.weights]
    monkeypatch.setattr("imgclf.explainer.checks.similarity", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as kept:
        explainer.sanity_check(both[0][:2])
    for weight, value in zip(explainer.model.weights, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(weight), value)
    assert kept.value is not None  # its frames are alive, and all is put back nevertheless


def test_correlation_is_spearmans():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 4, 5, 6))
    one[1] = np.round(one[1])  # equal ranks
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    assert np.allclose(correlation(one, other), expected)
    assert correlation(one, -one).tolist() == pytest.approx([-1, -1, -1, -1])
    assert similarity(one, -one) == pytest.approx(1)
    assert correlation(one, np.zeros_like(one)).tolist() == [0, 0, 0, 0]
    assert np.isnan(correlation(np.zeros_like(one), one)).all()
