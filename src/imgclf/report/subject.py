"""What a report is about: a run or a classifier, and the sets that it is measured on.

In: what the user gives.  Out: frozen records with everything measured, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _backend
from ..augmentation import Augmentation
from ..backend_choice import package_version
from ..classifier import Classifier
from ..dataset import Dataset
from ..errors import ImgclfError, OptionError
from ..evaluation import Evaluation
from ..processor import model_name, usable_cores
from ..runs import TrainingRun
from .certainty import Calibration, calibration
from .wording import flat, shortened


@dataclass(frozen=True, eq=False)
class Subject:
    """A classifier and, where it comes from a run, its curves.

    Attributes:
        classifier: The network.
        run: The run; None for a classifier alone.
    """

    classifier: Classifier
    run: TrainingRun | None = None

    @classmethod
    def of(cls, given: TrainingRun | Classifier) -> Subject:
        """The subject that *given* is.

        Raises:
            OptionError: it is neither a run nor a classifier.
        """
        if isinstance(given, TrainingRun):
            return cls(given.classifier, given)
        if isinstance(given, Classifier):
            return cls(given)
        raise OptionError(
            f"a {type(given).__name__} cannot be reported on; expected a TrainingRun or a Classifier. Give what "
            "Trainer.fit, TrainingRun.load or Classifier.load returned."
        )

    @property
    def name(self) -> str:
        """The network's name: the recipe's architecture where it is known."""
        chosen = self.recipe.get("architecture")
        return shortened(chosen if isinstance(chosen, str) else str(self.classifier.model.name))

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The settings of the trainer, as provenance holds them; empty where it holds none."""
        return _mapping(self.classifier.provenance.get("trainer"))

    def recorded(self, part: str) -> Mapping[str, Any]:
        """What provenance says of the ``"train"`` or ``"validation"`` set: pictures, fingerprint, class counts."""
        return _mapping(self.classifier.provenance.get(part))

    @property
    def augmentation(self) -> Augmentation | None:
        """What training pictures went through; None where they stayed as they are, or it is not known."""
        chosen = self.recipe.get("augmentation")
        try:
            found = Augmentation.preset(chosen) if isinstance(chosen, str) else Augmentation.from_dict(_mapping(chosen))
        except (ImgclfError, TypeError):  # a stranger's file, or a later version's
            return None
        return None if found.is_identity else found

    @property
    def seed(self) -> int:
        """The seed of the recipe."""
        seed = self.recipe.get("seed")
        return seed if isinstance(seed, int) and seed >= 0 else 0

    def environment(self) -> list[tuple[str, str, str]]:
        """Rows: what, where it was trained, where it is measured."""
        said = self.classifier.provenance
        trained = {"imgclf": said.get("imgclf", ""), **_mapping(said.get("versions"))}
        trained |= {"threads": said.get("threads", ""), "computed in": said.get("computed_in", "")}
        here: dict[str, Any] = {"imgclf": package_version("imgclf"), **_backend.versions()}
        here |= {"threads": _backend.threads(), "computed in": [self.classifier.model.compute_dtype]}
        here |= {"processor": model_name(), "cores": usable_cores()}
        before, now = flat(trained), flat(here)
        return [(name, before.get(name, ""), now.get(name, "")) for name in dict.fromkeys([*now, *before])]


@dataclass(frozen=True, eq=False)
class Part:
    """A set of pictures and what the classifier says of them.

    Attributes:
        name: ``"validation"`` or ``"test"``.
        dataset: Its classes in the classifier's order.
        evaluation: The answers beside the truth.
    """

    name: str
    dataset: Dataset
    evaluation: Evaluation

    @classmethod
    def measured(cls, name: str, dataset: Dataset, classifier: Classifier) -> Part:
        """*dataset* evaluated.

        Raises:
            DatasetError, OptionError: as :meth:`Classifier.evaluate`.
        """
        evaluation = classifier.evaluate(dataset)
        return cls(name, dataset.with_class_names(classifier.class_names), evaluation)

    @cached_property
    def calibration(self) -> Calibration:
        """How far its confidence can be trusted."""
        return calibration(self.evaluation)

    @property
    def baseline(self) -> tuple[str, float]:
        """The most frequent class, and the share of it: what answering always the same would give."""
        counts = self.dataset.class_counts()
        name = max(counts, key=counts.__getitem__)
        return name, counts[name] / len(self.dataset)


def matched(dataset: Dataset | None, classifier: Classifier) -> Dataset | None:
    """The training set with the classifier's classes.

    Raises:
        OptionError: no ``Dataset``, or one that was prepared otherwise.
        DatasetError: classes that the classifier does not know.
    """
    if dataset is None:
        return None
    if not isinstance(dataset, Dataset):
        raise OptionError(f"train is a {type(dataset).__name__}; expected a Dataset. Make one with Dataset.load.")
    if dataset.spec != classifier.spec:
        raise OptionError(
            f"train was prepared as {dataset.spec} and the classifier takes {classifier.spec}. Load it with the same "
            "image_size, color_mode and fit."
        )
    return dataset.with_class_names(classifier.class_names)


def shared(one: Dataset, other: Dataset) -> npt.NDArray[np.bool_]:
    """``(m,)`` which pictures of *other* are equal to one of *one*, pixel by pixel."""
    seen = {_digest(one, position) for position in range(len(one))}
    return np.array([_digest(other, position) in seen for position in range(len(other))], dtype=np.bool_)


def _digest(dataset: Dataset, position: int) -> bytes:
    pixels = np.ascontiguousarray(dataset.store[dataset.rows[position]])
    return hashlib.blake2b(pixels.data, digest_size=16).digest()


def _mapping(value: Any) -> Mapping[str, Any]:
    """*value* if it is a mapping: provenance is whatever a file says."""
    return value if isinstance(value, Mapping) else {}
