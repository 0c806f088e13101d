"""The same on TensorFlow, JAX and PyTorch: each backend that is installed makes the whole journey in a process.

``golden/`` holds what one backend wrote once (``python tests/backends/journey.py tests/backends/golden``): each backend
and every later version must read it and say the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from squares import squares

from imgclf import Classifier, Explainer
from imgclf.backend_choice import BACKENDS

HERE = Path(__file__).parent
INSTALLED = [name for name in BACKENDS if find_spec(name)]
PICTURES = squares(8, seed=5)[0]


@pytest.fixture(scope="module", params=INSTALLED)
def journey(request, tmp_path_factory):
    """The folder where a backend left its files."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = {**os.environ, "KERAS_BACKEND": request.param}
    command = [sys.executable, str(HERE / "journey.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_every_backend_makes_the_journey(journey, head):
    said = np.load(journey / "said.npz")
    assert said[f"{head}_accuracy"] >= 0.9
    assert (said[f"{head}_before"] == said[f"{head}_after"]).all()
    same_as(Classifier.load(journey / f"{head}.keras"), said, head)


@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_the_golden_files_say_what_they_said(head):
    same_as(Classifier.load(HERE / "golden" / f"{head}.keras"), np.load(HERE / "golden" / "said.npz"), head)


def same_as(classifier, said, head):
    """On the backend of this process: probabilities to 1e-4, maps to 1e-4 of their largest value."""
    np.testing.assert_allclose(classifier.predict(PICTURES).probabilities, said[f"{head}_before"], atol=1e-4)
    explanation = Explainer(classifier).grad_cam(PICTURES, class_name="top", layers="conv*")
    assert list(explanation.maps) == ["conv1", "conv2"]
    for layer, maps in explanation.maps.items():
        wanted = said[f"{head}_{layer}"]
        np.testing.assert_allclose(maps, wanted, atol=1e-4 * np.abs(wanted).max())
    features = Explainer(classifier).feature_maps(PICTURES[:2], layers="conv1").maps["conv1"]
    np.testing.assert_allclose(features, said[f"{head}_features"], atol=1e-4 * np.abs(said[f"{head}_features"]).max())
