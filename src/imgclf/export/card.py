"""What a program must know to use an exported file: written beside it as JSON, and where it can be inside it too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import __version__ as pillow_version

from .._backend import versions
from ..backend_choice import package_version
from ..files import finite
from ..images import ImageSpec
from .serving import INPUT, OUTPUT

SCHEMA = 1
"""The version of what the JSON holds."""

NAME = "imgclf.json"
"""The name of the JSON inside a file that can hold others."""


FormatName = Literal["onnx", "litert", "saved_model"]


@dataclass(frozen=True)
class Card:
    """What is told of a classifier.

    Attributes:
        format: ``"onnx"``, ``"litert"`` or ``"saved_model"``.
        class_names: In the order of the columns.
        spec: How pictures are prepared.
        provenance: What the classifier remembers: recipe, data, figures.
    """

    format: FormatName
    class_names: tuple[str, ...]
    spec: ImageSpec
    provenance: Mapping[str, Any]

    def to_dict(self, packages: Sequence[str]) -> dict[str, Any]:
        """The record as JSON holds it; ``id2label`` and ``label2id`` as in Hugging Face's ``config.json``.

        Args:
            packages: Whose versions are told, beside Keras's and its backend's.
        """
        ids = {str(number): name for number, name in enumerate(self.class_names)}
        written = {name: package_version(name.replace("_", "-")) for name in ("imgclf", *packages)}
        content = {
            "schema": SCHEMA,
            "format": self.format,
            "class_names": list(self.class_names),
            "id2label": ids,
            "label2id": {name: int(number) for number, name in ids.items()},
            "input": {
                "name": INPUT,
                "dtype": "uint8",
                "shape": ["n", "height", "width", self.spec.channels],
                "color_mode": self.spec.color_mode,
                "range": [0, 255],
            },
            "preprocessing": {
                "where": "inside the graph",
                "image_size": list(self.spec.image_size),
                "fit": self.spec.fit,
                "resize": "bilinear, as Pillow's",
            },
            "output": {"name": OUTPUT, "dtype": "float32", "shape": ["n", len(self.class_names)]},
            "versions": {**versions(), "pillow": pillow_version, **written},
            "provenance": dict(self.provenance),
        }
        return dict(finite(content))


def digests(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, or of every file of a folder."""
    if path.is_file():
        return {"bytes": path.stat().st_size, "sha256": _digest(path)}
    files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    return {
        "bytes": sum(entry.stat().st_size for entry in files),
        "sha256": {entry.relative_to(path).as_posix(): _digest(entry) for entry in files},
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
