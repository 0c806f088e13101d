"""The pointing game on drawn pets: asked for the cat, a good network's map is highest where the cat hangs.

Two networks trained by tests/unit/data/make_pet_walls.py; the game is that of Zhang et al. 2016 (arXiv 1608.00507),
with the tolerance scaled from its 15 pixels.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest
from pet_walls import CLASSES, SIDE, network, pets, walls

from imgclf.explainer import Explainer

COUNT, TOLERANCE = 100, 4
HELD = np.load(Path(__file__).parents[1] / "data" / "pet_walls.npz")


def of(name, side):
    model = network(side)
    model.set_weights([HELD[key].astype(np.float32) for key in sorted(HELD) if key.startswith(f"{name}_")])
    return Explainer(model, CLASSES)


@pytest.fixture(scope="module")
def hung():
    return walls(COUNT, seed=5)


def pointing(explainer, hung, method):
    """The share of walls whose map is highest at the animal asked for, by animal."""
    images, masks = hung
    hits = {}
    for name, mask in masks.items():
        heat = explainer.grad_cam(images, name, "last", method).heatmap()
        found = np.stack(np.unravel_index(heat.reshape(COUNT, -1).argmax(axis=1), mask.shape[1:]), axis=1)
        inside = [
            mask[at, max(0, y - TOLERANCE) : y + TOLERANCE + 1, max(0, x - TOLERANCE) : x + TOLERANCE + 1].any()
            for at, (y, x) in enumerate(found)
        ]
        hits[name] = float(np.mean(inside))
    return hits


def test_the_good_network_tells_pets_it_never_saw():
    images, labels = pets(200, seed=6)
    explainer = of("good", SIDE)
    assert (explainer.grad_cam(images).labels == labels).mean() > 0.97


@pytest.mark.parametrize(("method", "least"), [("grad_cam", 0.95), ("hires_cam", 0.90)])
def test_a_good_networks_map_points_at_the_animal_asked_for(hung, method, least, record_property):
    found = pointing(of("good", hung[0].shape[1]), hung, method)
    record_property("measured", found)
    assert np.mean(list(found.values())) >= least
    assert min(found.values()) >= least - 0.05


def test_a_network_of_shuffled_labels_points_nowhere(hung, record_property):
    found = pointing(of("shuffled", hung[0].shape[1]), hung, "grad_cam")
    record_property("measured", found)
    assert np.mean(list(found.values())) <= 0.20


@pytest.mark.parametrize("how", ["mixed_bfloat16", "int8"])
def test_a_network_of_fewer_bits_points_alike(hung, how, in_policy):
    images, side = hung[0][:16], hung[0].shape[1]
    exact = of("good", side).grad_cam(images, "cat", "last").maps["last"]
    with in_policy(how if how != "int8" else "float32"):
        explainer = of("good", side)
    if how == "int8":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of every layer that has nothing to quantise
            explainer.model.quantize("int8")
        assert any(str(weight.dtype) == "int8" for weight in explainer.model.weights)
    found = explainer.grad_cam(images, "cat", "last").maps["last"]
    assert not np.array_equal(found, exact)
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] >= 0.99
