"""Train, save, load, predict and explain on the backend of this process; what it said goes to ``said.npz``.

KERAS_BACKEND=jax python tests/backends/journey.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from squares import squares

from imgclf import Classifier, Dataset, Explainer, Trainer


def journey(folder):
    """Two small networks, one for each kind of head, and everything that they say of eight pictures."""
    said = {}
    train, validation = Dataset.from_arrays(*squares(64), ["top", "bottom"]).split()
    pictures = squares(8, seed=5)[0]
    for head, network in (("sigmoid", "small_cnn"), ("softmax", "bn_cnn")):
        options = {"filters": (8, 8), "dense": 16}
        trainer = Trainer(network, options=options, optimizer="adam", learning_rate=5e-3, batch_size=8, epochs=6)
        run = trainer.fit(train, validation, verbose=0)
        path = run.classifier.save(folder / f"{head}.keras")
        loaded = Classifier.load(path)
        explanation = Explainer(loaded).grad_cam(pictures, class_name="top", layers="conv*")
        said[f"{head}_accuracy"] = run.classifier.evaluate(validation).accuracy
        said[f"{head}_before"] = run.classifier.predict(pictures).probabilities
        said[f"{head}_after"] = loaded.predict(pictures).probabilities
        for layer, maps in explanation.maps.items():
            said[f"{head}_{layer}"] = maps
        said[f"{head}_features"] = Explainer(loaded).feature_maps(pictures[:2], layers="conv1").maps["conv1"]
    np.savez_compressed(folder / "said.npz", **said)


if __name__ == "__main__":
    journey(Path(sys.argv[1]))
