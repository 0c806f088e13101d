"""``Classifier``: a model, its class names and how its pictures are prepared, in one file.

In: a trained Keras model.  Out: names and probabilities for paths, arrays or a ``Dataset``, and a ``.keras`` file that
plain Keras opens too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import numpy.typing as npt

from . import _backend
from ._backend import Precision
from .architectures.blueprint import origin
from .architectures.own import ensure_probabilities, input_shape, output_units
from .dataset import Dataset
from .errors import DatasetError, ModelFileError, OptionError, listed
from .evaluation import Evaluation, Predictions
from .export import ExportedModel, export, format_of
from .export.card import Card, FormatName
from .images import Fit, ImageSpec, Pixels
from .inputs import Pictures, chunks, gathered
from .manifest import Manifest, check_class_names
from .model_file import read_model, write_model
from .tables import Table, page, visible
from .taps import MODEL_LOCK

_BATCH = 32  # pictures in one forward pass
_PADDED = (1, 8, _BATCH)  # smaller ones are padded to one of these: each size is compiled anew


@dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """A network that answers with names.  It comes from :meth:`Trainer.fit`, :meth:`load` or :meth:`from_keras`.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> classifier = Classifier.from_keras(model, class_names=["cat", "dog"])
    >>> classifier.predict(np.zeros((3, 8, 8, 3), np.uint8)).probabilities.shape
    (3, 2)

    Attributes:
        model: Takes float32 ``(n, height, width, channels)`` pixels 0..255, gives ``(n, k)`` or ``(n, 1)``
            probabilities; a single unit is the probability of the second class.
        class_names: ``k`` names, in the order of the labels.
        spec: How a picture is prepared.
        provenance: Where it comes from: versions, recipe, data, figures.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    spec: ImageSpec
    provenance: Mapping[str, Any] = field(default_factory=dict)
    _lent: bool = field(default=False, init=False)  # its precision is not its own: see with_precision

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        if len(names) < 2 or len(set(names)) != len(names):
            raise OptionError(f"class_names are {listed(names, 20)}; expected at least two, each different.")
        check_class_names(names)
        if input_shape(self.model) != self.spec.shape:
            raise OptionError(
                f"the model takes pictures of shape {input_shape(self.model)} and the spec says {self.spec.shape}. "
                "Make them agree."
            )
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "model", ensure_probabilities(self.model, len(names)))

    def __repr__(self) -> str:
        height, width, channels = self.spec.shape
        names = ", ".join(map(visible, self.class_names))
        return f"Classifier({self.model.name!r}, {height}×{width}×{channels} → {names})"

    def _repr_html_(self) -> str:
        said: dict[str, object] = {
            "network": self.model.name,
            "parameters": f"{self.model.count_params():,}",
            "pictures": f"{' × '.join(map(str, self.spec.shape))}, {self.spec.color_mode}, fit {self.spec.fit}",
            "classes": f"{len(self.class_names)}: {listed(self.class_names, 10)}",
        }
        if "best_epoch" in self.provenance:
            said |= {"best epoch": self.provenance["best_epoch"], **self.provenance.get("figures", {})}
        return page("Classifier", Table(("", "what it is"), list(said.items())))

    @classmethod
    def from_keras(
        cls,
        model: keras.Model,
        class_names: Sequence[str],
        *,
        fit: Fit = "stretch",
        provenance: Mapping[str, Any] | None = None,
    ) -> Classifier:
        """A classifier from any Keras model that takes pixels 0..255 and gives one score per class.

        Args:
            model: Built on a fixed input ``(height, width, 1 or 3)``.  Logits are given the activation they lack.
            class_names: In the order of the outputs; for one sigmoid unit ``(name of 0, name of 1)``.
            fit: How pictures of another shape are brought to the model's.
            provenance: What to remember about it, as JSON can hold it.
        """
        height, width, channels = input_shape(model)
        spec = ImageSpec((height, width), "rgb" if channels == 3 else "grayscale", fit)
        return cls(model, tuple(class_names), spec, provenance or {})

    def prepare(self, pictures: Pictures) -> tuple[npt.NDArray[np.str_], Pixels]:
        """All of *pictures* as the network sees them: keys ``(n,)`` and uint8 ``(n, height, width, channels)``."""
        return gathered(pictures, self.spec)

    def predict(self, pictures: Pictures) -> Predictions:
        """The probabilities of every class for every picture, in the order given.

        Args:
            pictures: A file, its bytes, a folder of files, a Pillow picture, a uint8 array ``(h, w, c)`` or
                ``(n, h, w, c)`` of any size, a list of these, or a ``Dataset``.

        Raises:
            ImageError: pictures that cannot be read, each named.
            OptionError: a ``Dataset`` that was prepared otherwise.
        """
        keys: list[str] = []
        rows = [np.zeros((0, len(self.class_names)), np.float32)]
        for part, images in chunks(pictures, self.spec, _BATCH):
            keys += part
            rows.append(self._probabilities(images))
        return Predictions(np.array(keys, dtype=np.str_), np.concatenate(rows), self.class_names)

    def evaluate(self, dataset: Dataset) -> Evaluation:
        """The answers beside the truth, from one pass; the dataset's classes are matched by name.

        Raises:
            DatasetError: no pictures, a picture without a label, or a class that the classifier does not know.
        """
        if not isinstance(dataset, Dataset):
            raise OptionError(
                f"a {type(dataset).__name__} cannot be evaluated on; expected a Dataset. Make one with Dataset.load."
            )
        dataset.check_labelled("evaluate")
        if not len(dataset):
            raise DatasetError("the dataset holds no pictures, so there is nothing to evaluate. Load some.")
        matched = dataset.with_class_names(self.class_names)
        said = self.predict(matched)
        return Evaluation(said.keys, said.probabilities, said.class_names, matched.labels)

    def with_precision(self, precision: Precision = "auto") -> Classifier:
        """The same classifier computing in another precision: a network of its own, with the same weights.

        In bfloat16, on a processor or GPU that has it, a network answers faster (the page on performance says by how
        much).  Its numbers have eight binary digits there, so probabilities differ a little, and where two classes are
        nearly even, the answer.  :meth:`evaluate` says what it is worth.

        Args:
            precision: ``"float32"``, which is exact; ``"mixed_bfloat16"``; or ``"auto"``: the second where the machine
                is made for it, else the first.

        Raises:
            OptionError: another precision than these, or a network that the registry did not build.
        """
        if precision not in get_args(Precision):
            raise OptionError(
                f"precision is {precision!r}; expected one of {', '.join(map(repr, get_args(Precision)))}."
            )
        if (made := origin(self.model)) is None:
            raise OptionError(
                f"network {self.model.name!r} is not as the registry builds it, and keeps the precision that it was "
                "built in. Build it under another dtype policy of Keras."
            )
        blueprint, architecture = made
        with _backend.undisturbed():
            model = architecture.build_again(replace(blueprint, policy=_backend.chosen_precision(precision)))
        model.set_weights(self.model.get_weights())
        other = replace(self, model=model)
        object.__setattr__(other, "_lent", precision != "float32")
        return other

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one ``.keras`` file, whole or not at all; returns its path.

        The same classifier gives the same bytes, whenever it is saved.  What :meth:`with_precision` gave is written in
        float32: a file does not depend on the machine that wrote it.
        """
        return write_model(path, self._exact_model(), Manifest(self.class_names, self.spec, self.provenance))

    def export(
        self,
        path: str | os.PathLike[str],
        format: FormatName | None = None,  # noqa: A002 - Keras's word, and everyone's
        *,
        check: Pictures | None = None,
    ) -> ExportedModel:
        """Write the classifier for a phone, a browser or a server, where neither imgclf nor Keras is; needs TensorFlow.

        What is written takes ``images``, uint8 ``(n, height, width, channels)`` of any number and size, and gives
        ``probabilities``, float32 ``(n, k)``; the resize of training is part of it.  RGB has 3 channels; a network of
        grey pictures takes 1, made by ITU-R 601-2 luma.  Class names stand in the file and in ``<path>.json`` beside
        it.  It is read again by the program that will run it and compared with :meth:`predict`; where they differ,
        nothing is left.  Files appear whole or not at all.

        Args:
            path: ``….onnx``, ``….tflite``, or the folder of a SavedModel.
            format: ``"onnx"``, ``"litert"`` or ``"saved_model"``; None: as *path* ends.
            check: Pictures to compare; by default eight drawn ones, of sizes and shapes that a resize may get wrong.

        Raises:
            BackendError: Keras runs on another backend than TensorFlow.
            MissingPackageError: the format's packages are not installed.
            ExportError: the format lacks something that the network uses, or a probability is
                more than 1e-4 from that of :meth:`predict`, or another class is the most likely one.
            FileError: nothing can be written there.
            OptionError: path and format contradict each other, or the network does not compute in float32.
        """
        card = Card(format_of(path, format), self.class_names, self.spec, self.provenance)
        exact = replace(self, model=self._exact_model())
        return export(exact.model, card, lambda pictures: exact.predict(pictures).probabilities, path, check)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        class_names: Sequence[str] | None = None,
        *,
        custom_objects: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> Classifier:
        """The classifier of a ``.keras`` file, which may come from a stranger.

        A network of the registry is built from there, and the file gives it no more than numbers.  Any other network is
        rebuilt by Keras from what the file says, and that needs *trust*.

        Args:
            path: What :meth:`save` wrote, or any other ``.keras`` file of a model on pixels 0..255.
            class_names: Needed for another program's file, in the order of its outputs; ours holds its own.
            custom_objects: A user's own layers by name, as Keras takes them.
            trust: You know where the file comes from: let Keras rebuild, in its safe mode, a network that the registry
                does not have.

        Raises:
            ModelFileError: the file is missing, damaged, changed or too new, needs *trust*, or is another program's and
                *class_names* are missing.
        """
        model, manifest = read_model(path, custom_objects, trust=trust)
        try:
            if manifest is not None:
                if class_names is not None and tuple(class_names) != manifest.class_names:
                    raise ModelFileError(
                        f"'{path}' says that its classes are {listed(manifest.class_names, 20)}, not "
                        f"{listed(class_names, 20)}. Leave class_names out."
                    )
                return cls(model, manifest.class_names, manifest.spec, manifest.provenance)
            if class_names is None:
                raise ModelFileError(
                    f"'{path}' holds a Keras model with {output_units(model)} output units and no class names, since "
                    "imgclf did not write it. Pass class_names=[…] in the order of its outputs."
                )
            return cls.from_keras(model, class_names)
        except OptionError as error:
            raise ModelFileError(f"'{path}' holds parts that do not fit together: {error}") from None

    def _exact_model(self) -> keras.Model:
        """The network in float32, whatever precision it was lent."""
        return self.with_precision("float32").model if self._lent else self.model

    def _probabilities(self, images: Pixels) -> npt.NDArray[np.float32]:
        count = len(images)
        padded = next(size for size in _PADDED if size >= count)
        batch = np.zeros((padded, *images.shape[1:]), np.float32)
        batch[:count] = images
        with MODEL_LOCK:  # JAX lends the weights to the pass, and an explanation watches the layers' calls
            said = np.asarray(self.model.predict_on_batch(batch)[:count], dtype=np.float32)
        return np.concatenate([1 - said, said], axis=1) if said.shape[1] == 1 else said
