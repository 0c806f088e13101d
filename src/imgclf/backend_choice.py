"""Which backend Keras will run on: settled before Keras is imported, which fixes it for good.

In: what is installed and what the user has chosen.  Out: ``KERAS_BACKEND``, or an error that says what to install.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from .errors import BackendError

BACKENDS = ("tensorflow", "jax", "torch")
"""The backends that can train, in the order in which an installed one is taken."""


def choose_backend() -> None:
    """Set ``KERAS_BACKEND`` to the first installed backend, unless the user has chosen one.

    Keras alone takes TensorFlow, installed or not, and fixes its choice when it is first imported; so this runs when
    imgclf is imported.  ``$KERAS_BACKEND`` is a choice.  ``~/.keras/keras.json`` is one only where its backend is
    installed: Keras writes that file by itself, so it may speak of another environment.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without, TensorFlow greets with a dozen lines on its build
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND") or _installed(_configured()):
        return
    if first := next(filter(_installed, BACKENDS), None):
        os.environ["KERAS_BACKEND"] = first


def _installed(name: str | None) -> bool:
    return name in BACKENDS and find_spec(str(name)) is not None


def _configured() -> str | None:
    """The backend in Keras's own configuration file, if there is one that can be read."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    try:
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def missing_backend(error: ModuleNotFoundError) -> BackendError | None:
    """The error for a Keras that finds no backend; None where *error* is about another module."""
    if error.name not in BACKENDS:
        return None
    installed = [name for name in BACKENDS if _installed(name)]
    advice = (
        f"Set KERAS_BACKEND={installed[0]} before Python starts (it is installed)."
        if installed
        else "Install one of them: pip install tensorflow (or jax, or torch)."
    )
    return BackendError(f"Keras wants {error.name}, which is not installed. {advice}")


def package_version(package: str) -> str:
    """The installed version of *package*, ``"unknown"`` where it is not installed under a name of its own."""
    others = {"tensorflow": ("tensorflow-cpu", "tf-nightly"), "keras": ("keras-nightly",)}
    for name in (package, *others.get(package, ())):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "unknown"
