"""Train the two networks of tests/unit/explainer/test_pointing.py: one on true labels, one on shuffled ones.

    PYTHONPATH=tests python tests/unit/data/make_pet_walls.py      # ten minutes on two cores

Both learn to tell drawn cats, drawn dogs and scenes without a pet.  Their weights, in Keras's order and as float16, are
kept in ``pet_walls.npz`` beside this script: the test would take minutes with training.
"""

from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from pet_walls import SIDE, network, pets, scenes


def trained(count, epochs, *, shuffled):
    """Weights after *epochs* of *count* pets, half as many scenes, and all of them mirrored."""
    images, labels = pets(count, 0)
    images = np.concatenate([images, scenes(count // 2, 0)])
    labels = np.concatenate([labels, np.full(count // 2, 2)])
    images, labels = np.concatenate([images, images[:, :, ::-1]]), np.concatenate([labels, labels])
    if shuffled:
        labels = np.random.default_rng(1).permutation(labels)
    keras.utils.set_random_seed(0)
    model = network(SIDE)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(images) // 50)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images.astype("float32"), labels, batch_size=50, epochs=epochs, verbose=2)
    return [weight.astype(np.float16) for weight in model.get_weights()]


if __name__ == "__main__":
    networks = {"good": trained(9000, 12, shuffled=False), "shuffled": trained(1000, 6, shuffled=True)}
    arrays = {f"{name}_{number:02}": one for name, held in networks.items() for number, one in enumerate(held)}
    np.savez_compressed(Path(__file__).with_name("pet_walls.npz"), **arrays, versions=[f"keras {version('keras')}"])
