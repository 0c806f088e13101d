"""The same network, weights and pictures as in PyTorch: pytorch-grad-cam's and captum's answers."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.explainer import Explainer

METHODS = ("grad_cam", "hires_cam", "layer_cam", "grad_cam_plus_plus")


@pytest.fixture(scope="module")
def oracle():
    return dict(np.load(Path(__file__).parents[1] / "data" / "cam_oracle.npz"))


@pytest.fixture(scope="module")
def explainer(oracle):
    network = keras.Sequential(
        [
            keras.Input(oracle["images"].shape[1:]),
            layers.Conv2D(6, 3),
            layers.ReLU(name="relu1"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3),
            layers.ReLU(name="relu2"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    network.set_weights([oracle[f"weight{number}"] for number in range(8)])
    return Explainer(network)


def apart(found, expected):
    """The greatest difference, as a share of the greatest magnitude."""
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("method", METHODS)
def test_the_maps_are_those_of_pytorch_grad_cam(oracle, explainer, method):
    found = explainer.grad_cam(oracle["images"], oracle["labels"], ["relu1", "relu2"], method)
    logits = np.take_along_axis(oracle["logits"], oracle["labels"][:, None], axis=1)[:, 0]
    assert apart(found.scores, logits) < 1e-5
    for layer, maps in found.maps.items():
        assert apart(maps, oracle[f"{method}/{layer}"]) < 1e-5, layer


def test_the_maps_of_the_methods_differ(oracle):
    for layer in ("relu1", "relu2"):
        maps = [oracle[f"{method}/{layer}"] for method in METHODS]
        assert all(apart(one, other) > 1e-2 for at, one in enumerate(maps) for other in maps[at + 1 :])


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("gradient", {}),
        ("integrated_gradients", {"steps": 32, "baseline": 0.0}),
        ("occlusion", {"window": 4, "stride": 2, "baseline": 0.25}),
    ],
)
def test_the_values_are_those_of_captum(oracle, explainer, method, settings):
    found = explainer.attribute(oracle["images"], oracle["labels"], method, **settings)
    assert apart(found.values, oracle[method]) < 1e-5
