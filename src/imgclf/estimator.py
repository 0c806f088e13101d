"""``ImageClassifier``: the recipe as a scikit-learn estimator, for cross-validation, searches and pipelines.

In: paths, arrays or Pillow pictures, and labels of any kind.  Out: ``predict`` and ``predict_proba`` as scikit-learn's
tools call them, and a ``Classifier`` that does everything else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ._backend import Precision
from .architectures import Architecture, Head, registry
from .architectures.own import input_shape
from .augmentation import Augmentation
from .classifier import Classifier
from .dataset import Dataset
from .errors import DatasetError, ImageError, OptionError, listed, with_reasons
from .grouping import Duplicates
from .images import ColorMode, Fit, ImageSpec
from .inputs import Picture, gathered
from .settings import Monitor, Verbosity
from .sources import ArraySource
from .trainer import Trainer

_NOT_OF_A_TRAINER = ("image_size", "color_mode", "image_fit", "validation", "duplicates", "random_state", "verbose")


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """Fit a :class:`~imgclf.Trainer`'s recipe to pictures and labels, wherever scikit-learn takes a classifier.

    ``X`` is a list or an array of paths, a uint8 array ``(n, height, width)`` or ``(n, height, width, 1 or 3)``, or a
    list of arrays or Pillow pictures of any sizes.  ``y`` holds one label per picture: texts, whole numbers or bools,
    which ``predict`` gives back as they were.

    :meth:`fit` holds out a share of what it is given, stratified, duplicates and groups on one side, and keeps the
    network of the epoch that was best on it.  What a cross-validation holds out is never seen.

    ::

        estimator = ImageClassifier("small_cnn", image_size=(64, 64), epochs=10)
        print(cross_val_score(estimator, paths, labels, cv=5))

    Args:
        architecture: As a ``Trainer``'s; so are all settings that are not explained here.
        image_size: ``(height, width)``; None keeps the size of arrays that all have one, and takes the architecture's
            own for other pictures.
        color_mode: ``"rgb"`` or ``"grayscale"``; None means grayscale where every picture is a grey array, else rgb.
        image_fit: How another aspect is dealt with: the ``fit`` of an :class:`~imgclf.ImageSpec`.
        options: Options of the architecture; None: none.
        optimizer_options: The optimiser's other options; None: none.
        class_weight: ``"balanced"``, or weights by label.
        validation: The share of every class that chooses the epoch.
        duplicates: What else stays on one side of that split: see :meth:`Dataset.split`.
        random_state: A whole number: the same pictures then give the same network.  None or a ``RandomState``: drawn.
        verbose: As :meth:`Trainer.fit` takes it.

    Attributes:
        classes_: ``(k,)`` the labels, sorted: the columns of :meth:`predict_proba`.
        classifier_: The :class:`~imgclf.Classifier`: its classes are the labels as text.
        history_: Figures by name, one per epoch.
        best_epoch_: Counted from 1.
    """

    def __init__(
        self,
        architecture: str | Architecture | keras.Model = "small_cnn",
        *,
        image_size: tuple[int, int] | None = None,
        color_mode: ColorMode | None = None,
        image_fit: Fit = "stretch",
        options: Mapping[str, Any] | None = None,
        head: Head | None = None,
        optimizer: str = "rmsprop",
        learning_rate: float = 1e-3,
        optimizer_options: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        epochs: int = 30,
        steps_per_epoch: int | None = None,
        augmentation: str | Augmentation | None = None,
        monitor: Monitor = "val_accuracy",
        early_stopping_patience: int | None = None,
        early_stopping_monitor: Monitor = "val_loss",
        reduce_lr_patience: int | None = None,
        reduce_lr_monitor: Monitor = "val_accuracy",
        reduce_lr_factor: float = 0.5,
        reduce_lr_minimum: float = 1e-5,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        validation: float = 0.2,
        duplicates: Duplicates = "near",
        random_state: int | np.random.RandomState | None = 42,
        precision: Precision = "auto",
        verbose: Verbosity = 0,
    ) -> None:
        self.architecture = architecture
        self.image_size = image_size
        self.color_mode = color_mode
        self.image_fit = image_fit
        self.options = options
        self.head = head
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.optimizer_options = optimizer_options
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.augmentation = augmentation
        self.monitor = monitor
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_monitor = early_stopping_monitor
        self.reduce_lr_patience = reduce_lr_patience
        self.reduce_lr_monitor = reduce_lr_monitor
        self.reduce_lr_factor = reduce_lr_factor
        self.reduce_lr_minimum = reduce_lr_minimum
        self.class_weight = class_weight
        self.validation = validation
        self.duplicates = duplicates
        self.random_state = random_state
        self.precision = precision
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on pictures *X* with labels *y*; returns the estimator itself.

        Args:
            X: ``n`` pictures.
            y: ``(n,)`` their labels, at least two of each class.
            groups: ``(n,)`` names of what must stay on one side of the inner split (a patient, a burst); None: nothing
                but duplicates.  A cross-validation hands them on with scikit-learn's metadata routing.

        Raises:
            ImageError: pictures that cannot be read, each named, or no pictures at all.
            DatasetError: labels that do not fit the pictures, one class only, or too few pictures to hold some out.
            OptionError: settings that cannot be; all of them are named.
        """
        pictures = _pictures(X)
        classes, labels = _labels(y, len(pictures))
        seed = self._seed()
        trainer = self._trainer(seed, classes)
        self._check_enough(classes, labels)
        data = self._dataset(pictures, classes, labels)
        train, validation = data.split(
            validation=self.validation, seed=seed, groups=_named(groups, data), duplicates=self.duplicates
        )
        run = trainer.fit(train, validation, verbose=self.verbose)
        self.classes_ = classes
        self.classifier_ = run.classifier
        self.history_ = run.history
        self.best_epoch_ = run.best_epoch
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803
        """``(n, k)`` the probability of every class for every picture, in the order of ``classes_``."""
        check_is_fitted(self)
        return self.classifier_.predict(_pictures(X)).probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """``(n,)`` the most probable label of every picture, of the type that ``y`` had."""
        said = self.predict_proba(X)
        return np.asarray(self.classes_[said.argmax(axis=1)])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True  # paths
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.one_d_labels = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "classifier_" in state:  # as the bytes of its file: what is compiled, and locks, cannot be pickled
            with tempfile.TemporaryDirectory() as folder:
                state["classifier_"] = state["classifier_"].save(Path(folder) / "classifier.keras").read_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(content := state.get("classifier_"), bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "classifier.keras"
                path.write_bytes(content)  # a pickle is trusted, or it would not be opened
                state = {**state, "classifier_": Classifier.load(path, trust=True)}
        super().__setstate__(state)

    def _trainer(self, seed: int, classes: npt.NDArray[Any]) -> Trainer:
        settings = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_OF_A_TRAINER}
        settings["options"] = dict(self.options or {})
        settings["optimizer_options"] = dict(self.optimizer_options or {})
        settings["seed"], weights = seed, settings.pop("class_weight")
        if isinstance(weights, Mapping):
            if unknown := [label for label in weights if label not in set(classes.tolist())]:
                raise OptionError(f"class_weight is for {listed(unknown)}; y has {listed(classes.tolist(), 20)}.")
            weights = {str(label): weights.get(label, 1.0) for label in classes.tolist()}
        return Trainer(class_weights=weights, **settings)

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_enough(self, classes: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> None:
        counts = np.bincount(labels, minlength=len(classes))
        if alone := [
            f"{label!r} has 1 picture" for label, count in zip(classes.tolist(), counts, strict=True) if count < 2
        ]:
            raise DatasetError(
                with_reasons(
                    f"of every class a share of {self.validation} is held out to choose the epoch, so each needs at "
                    "least 2 pictures. Add some, or leave the class out:",
                    alone,
                )
            )

    def _dataset(self, pictures: list[Picture], classes: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> Dataset:
        keys, images = gathered(pictures, self._spec(pictures))
        names = [str(label) for label in classes.tolist()]
        data = Dataset.load(ArraySource(images, labels, names), fit=self.image_fit, progress=False)
        if len(np.unique(keys)) == len(keys):  # a picture that is drawn twice has its position for a name
            data = replace(data, keys=keys)
        return data

    def _spec(self, pictures: list[Picture]) -> ImageSpec:
        shapes = {picture.shape if isinstance(picture, np.ndarray) else None for picture in pictures}
        grey = all(shape is not None and (len(shape) == 2 or shape[2:] == (1,)) for shape in shapes)
        mode: ColorMode = self.color_mode or ("grayscale" if grey else "rgb")
        if self.image_size is not None:
            return ImageSpec(self.image_size, mode, self.image_fit)
        sizes = {None if shape is None else shape[:2] for shape in shapes}
        own = sizes.pop() if len(sizes) == 1 else None
        return ImageSpec(own or self._usual_size(), mode, self.image_fit)

    def _usual_size(self) -> tuple[int, int]:
        chosen = registry.get(self.architecture) if isinstance(self.architecture, str) else self.architecture
        shape = chosen.input_shape if isinstance(chosen, Architecture) else input_shape(chosen)
        return shape[0], shape[1]


def _pictures(given: Any) -> list[Picture]:
    """The pictures of *given*, one by one.

    Raises:
        ImageError: none, a table, or one picture where several are expected.
    """
    if isinstance(given, (str, bytes, Path, Image.Image, Dataset, Mapping)) or not hasattr(given, "__len__"):
        raise ImageError(
            f"X is a {type(given).__name__}; expected several pictures: a list of paths, or a uint8 array (n, height, "
            "width, 1 or 3). Put a single one into a list; a Dataset goes to Trainer.fit and Classifier.predict."
        )
    shape = np.shape(given) if isinstance(given, np.ndarray) else getattr(given, "shape", None)
    if shape is not None and len(shape) not in (1, 3, 4):
        raise ImageError(
            f"X has the shape {tuple(shape)}; expected paths (n,), or pictures (n, height, width) or (n, height, "
            "width, 1 or 3). Rows of pixels become pictures by X.reshape(-1, 28, 28), with your height and width; of a "
            "table give the one column that holds the paths."
        )
    if not len(given):
        raise ImageError("X holds no pictures (0 samples). Give some.")
    return list(given)


def _labels(y: Any, count: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The classes, sorted, and for each picture the position of its own.

    Raises:
        DatasetError: not one label per picture, no labels, one class only, or labels that cannot be classes.
    """
    if y is None:
        raise DatasetError("y is None, and a classifier requires y to be passed: one label per picture.")
    try:
        values = column_or_1d(y, warn=True)
        check_classification_targets(values)
        classes, labels = np.unique(values, return_inverse=True)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"y cannot be labels: {error}. Give one text, whole number or bool per picture, all of one type."
        ) from error
    if len(values) != count:
        raise DatasetError(f"{count:,} pictures and {len(values):,} labels: give one label per picture.")
    if len(classes) < 2:
        raise DatasetError(f"y has one class only, {listed(classes.tolist())}; a classifier tells at least two apart.")
    return classes, labels.astype(np.int64)


def _named(groups: Any, data: Dataset) -> list[str] | None:
    """The names of the pictures' groups as a split takes them."""
    if groups is None:
        return None
    names = np.asarray(groups)
    if names.shape != (len(data),):
        raise DatasetError(f"groups have the shape {names.shape}; expected one name per picture, ({len(data)},).")
    return [str(name) for name in names.tolist()]
