"""One small run for all tests of reports, a reader of pages, and classifiers and sets with any names."""

from __future__ import annotations

import html.parser
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import keras
import numpy as np
from squares import squares

from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.trainer import Trainer

TRAINER = Trainer(
    "small_cnn",
    options={"filters": (8,), "dense": 0},
    optimizer="adam",
    learning_rate=1e-2,
    batch_size=8,
    epochs=3,
    augmentation="dogs_vs_cats",
    precision="float32",
)


@cache
def pets():
    """Training, validation and test pictures, easily told apart; one label in eight is wrong: mistakes are sure."""
    images, labels = squares(240, size=(48, 48))
    labels = np.where(np.arange(240) % 16 < 2, 1 - labels, labels)
    data = Dataset.from_arrays(images, labels, ("cat", "dog"))
    return data.split(validation=0.25, test=0.25, duplicates="ignore")


@cache
def trained():
    """A run that names some pictures wrongly."""
    return TRAINER.fit(*pets()[:2], verbose=0)


@dataclass
class Page:
    """A page as a browser reads it."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)
    text: str = ""

    def values(self, name: str, tag: str | None = None) -> list[str | None]:
        """The values of an attribute."""
        return [value for owner, key, value in self.attributes if key == name and tag in (None, owner)]

    @property
    def shape(self) -> list[str]:
        """What no name may change: the elements, and the names of their attributes."""
        return [*self.tags, *(f"{tag} {name}" for tag, name, _ in self.attributes)]


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.tags.append(tag)
        self.page.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.page.text += data

    def handle_comment(self, data: str) -> None:
        self.page.tags.append(f"<!--{data}")

    def handle_pi(self, data: str) -> None:
        self.page.tags.append(f"<?{data}")


def read_page(path: Any) -> Page:
    """The page at *path*."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader.page


def guesser(class_names, provenance=None):
    """A classifier of random weights on 12×12 pixels."""
    keras.utils.set_random_seed(3)
    layers = [keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(len(class_names), activation="softmax")], name="guesser")
    return Classifier.from_keras(model, class_names, provenance=provenance)


def noise(class_names, keys=None, count=12):
    """Pictures of noise with these classes and keys."""
    images = np.random.default_rng(0).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    data = Dataset.from_arrays(images, np.arange(count) % len(class_names), class_names)
    return data if keys is None else replace(data, keys=np.array(keys, dtype=object))
