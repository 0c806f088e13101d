from __future__ import annotations

import json
import os
import random
import sys

import keras
import numpy as np
import pytest

from imgclf import _backend, backend_choice
from imgclf.errors import BackendError


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process in which Keras is not imported, nothing is configured, and only what is named is installed."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    def installed(*names, configured=None):
        monkeypatch.setattr(backend_choice, "find_spec", lambda name: name if name in names else None)
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured)
        backend_choice.choose_backend()
        return os.environ.get("KERAS_BACKEND")

    yield installed
    os.environ.pop("KERAS_BACKEND", None)  # what the test has set; monkeypatch puts back the rest


def test_the_first_installed_backend_is_taken(fresh):
    assert fresh("torch", "jax") == "jax"


def test_nothing_installed_nothing_chosen(fresh):
    assert fresh() is None


def test_the_users_choice_stands(fresh, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert fresh("jax", "tensorflow") == "torch"


def test_keras_own_file_is_a_choice_where_its_backend_is_installed(fresh):
    assert fresh("tensorflow", "torch", configured=json.dumps({"backend": "torch"})) is None  # Keras reads it itself


@pytest.mark.parametrize("content", [json.dumps({"backend": "tensorflow"}), "{", "[]", "{}"])
def test_keras_own_file_of_another_environment_is_not(fresh, content):
    assert fresh("jax", configured=content) == "jax"


def test_once_keras_is_imported_nothing_changes(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    backend_choice.choose_backend()
    assert "KERAS_BACKEND" not in os.environ


def test_a_missing_backend_is_said(monkeypatch):
    monkeypatch.setattr(backend_choice, "find_spec", lambda name: name if name == "torch" else None)
    error = backend_choice.missing_backend(ModuleNotFoundError(name="tensorflow"))
    assert isinstance(error, BackendError)
    assert "Set KERAS_BACKEND=torch before Python starts" in str(error)
    monkeypatch.setattr(backend_choice, "find_spec", lambda name: None)
    assert "pip install tensorflow" in str(backend_choice.missing_backend(ModuleNotFoundError(name="jax")))
    assert backend_choice.missing_backend(ModuleNotFoundError(name="matplotlib")) is None


def test_a_backend_that_cannot_train_is_refused(monkeypatch):
    assert _backend.backend() in backend_choice.BACKENDS
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(BackendError, match="Set KERAS_BACKEND to tensorflow, jax or torch"):
        _backend.backend()


def test_versions_name_what_ran():
    said = _backend.versions()
    assert said["keras"] == keras.__version__
    assert said[said["backend"]][0].isdigit()


def test_gradients():
    """d(sum x² + 0·y) = 2x and 0, on whatever backend this is."""
    tensors = {name: keras.ops.convert_to_tensor(np.array([1.0, -3.0], "float32")) for name in ("x", "y")}
    value, aux, gradients = _backend.value_and_grad(
        lambda given: (keras.ops.sum(given["x"] ** 2), given["x"] + 1), tensors
    )
    assert float(value) == 10
    assert keras.ops.convert_to_numpy(aux).tolist() == [2, -2]
    assert keras.ops.convert_to_numpy(gradients["x"]).tolist() == [2, -6]
    assert keras.ops.convert_to_numpy(gradients["y"]).tolist() == [0, 0]


def test_random_states_come_back():
    before = random.getstate()
    drawn = []
    for _ in range(2):
        with _backend.seeded(3):
            drawn.append((random.random(), float(keras.ops.convert_to_numpy(keras.random.normal(())))))
    assert drawn[0] == drawn[1]
    assert random.getstate() == before


def test_precision_holds_for_a_block():
    with _backend.precision("mixed_bfloat16"), pytest.raises(KeyError):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise KeyError
    assert keras.layers.Dense(1).compute_dtype == "float32"
