"""Why a network says what it says: feature maps and class activation maps, for any Keras model of pictures.

::

    requests  pictures, layers and classes as the user names them
    compiling one pass over a model, compiled
    cam       formulas, and maps made ready to be drawn
    passes    all layers' outputs, or gradients, in one pass
    results   frozen records that draw themselves

The pass itself is ``taps``, and which tensor is the logit is ``head``, both shared with ``architectures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..head import Head, Probe, noise, probe
from ..taps import LayerInfo
from . import passes
from .cam import grad_cam
from .compiling import Compiler
from .requests import ClassName, Given, Layers, choose_labels, choose_layers, pictures
from .results import Explanation, FeatureMaps

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..inputs import Pictures

__all__ = ["Explainer", "Explanation", "FeatureMaps", "Head", "LayerInfo"]

_BATCH = 8
"""Pictures per pass: with all 18 layers of VGG16 at 224 × 224, 70 MB for each, and 16 are no faster than 8."""


class Explainer:
    """Looks into a classifier without changing it: the same predictions, bit for bit, before and after.

    Works for functional, Sequential, nested and subclassed models on every backend.  ``print(explainer.head)`` says
    which tensor is explained: always the logit, never the probability, whose gradient vanishes where the model is sure.
    With one sigmoid unit, class 1 is its logit and class 0 the negative of it.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid", name="dense")])
    >>> explainer = Explainer(model, class_names=["cat", "dog"])
    >>> explainer.layers[0]
    LayerInfo(path='conv', kind='Conv2D', shape=(6, 6, 4))
    >>> explainer.head
    Head(logit z: what enters the sigmoid in 'dense'; 1 unit: class 1 is +z, class 0 is −z)
    >>> explainer.grad_cam(np.zeros((8, 8, 3), np.uint8), "dog").maps["conv"].shape
    (1, 6, 6)

    Args:
        classifier_or_model: A :class:`~imgclf.Classifier`, or any built Keras model with one input of pictures
            ``(n, h, w, c)`` and one output ``(n, classes)``.
        class_names: The classes in the order of the outputs; None takes the classifier's.  For one sigmoid unit, two.

    Raises:
        OptionError: something else than these, names that are not as many as the model has classes, or a head whose
            logits cannot be found.
    """

    def __init__(self, classifier_or_model: Classifier | keras.Model, class_names: Sequence[str] | None = None) -> None:
        bare = isinstance(classifier_or_model, keras.Model)
        self._classifier: Any = None if bare else classifier_or_model
        self.model: Any = classifier_or_model if bare else getattr(classifier_or_model, "model", None)
        if not isinstance(self.model, keras.Model):
            raise OptionError(
                f"an explainer takes a Classifier or a Keras model; this is a {type(classifier_or_model).__name__}. "
                "Give what Classifier.load or keras.saving.load_model returned."
            )
        names = class_names if class_names is not None else getattr(self._classifier, "class_names", None)
        self.class_names: tuple[str, ...] | None = None if names is None else tuple(names)
        self._shape = _input_shape(self.model)
        self._compiler = Compiler(self.model)
        self._probes: dict[tuple[int, ...], Probe] = {}
        if self._shape is not None and None not in self._shape:
            self._probe()  # a model that cannot be explained is told now

    def __repr__(self) -> str:
        named = "" if self.class_names is None else f", class_names={list(self.class_names)}"
        return f"Explainer({self.model.name!r}{named})"

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every call of a leaf layer, in the order in which a picture passes through them."""
        return self._probe().layers

    @property
    def head(self) -> Head:
        """What is explained."""
        return self._probe().head

    def feature_maps(self, images: Pictures, layers: Layers = None) -> FeatureMaps:
        """What every layer makes of the pictures.

        Args:
            images: A path, a folder, several paths, a uint8 array ``([n,] h, w, c)``, or a Dataset.  A bare model also
                takes float arrays, as they are, and no array of another size than its own.
            layers: ``"maps"`` or None: every layer whose output has height and width; ``"last"``: of these the last
                convolution, or the very last where there is none; a path of :attr:`layers` or its last part; a glob
                such as ``"conv*"``; or several of these.

        Raises:
            UnknownNameError: a layer that the model does not have.
            OptionError, ImageError: pictures that do not fit the model, or cannot be read.
        """
        given = self._pictures(images)
        chosen = choose_layers("maps" if layers is None else layers, self._probe(given.taken).layers)
        count = len(given.keys)
        maps = {layer.path: np.empty((count, *layer.shape), np.float32) for layer in chosen}
        for part in _parts(count):  # straight into place: joining the parts would copy all of it once more
            for path, values in passes.activations(self._compiler, given.taken[part], chosen).items():
                maps[path][part] = values
        return FeatureMaps(given.keys, given.shown, maps)

    def grad_cam(self, images: Pictures, class_name: ClassName = None, layers: Layers = None) -> Explanation:
        """Where each picture speaks for a class, by Grad-CAM: feature maps weighted by their mean gradients.

        All layers come from one forward and one backward pass per 8 pictures.

        Args:
            images: As for :meth:`feature_maps`.
            class_name: The class to explain: its name or number, one for all pictures or one for each; None explains
                each picture's likeliest class.
            layers: As for :meth:`feature_maps`, but None means ``"last"``: the last convolution, as in the paper, or
                the last feature map of a network without one.

        Raises:
            UnknownNameError: a layer or a class that the model does not have.
            OptionError, ImageError: pictures that do not fit the model, or cannot be read.
        """
        given = self._pictures(images)
        found = self._probe(given.taken)
        chosen = choose_layers("last" if layers is None else layers, found.layers)
        labels = choose_labels(class_name, len(given.keys), self.class_names, found.head.classes)
        told = [
            passes.gradients(
                self._compiler,
                found.head,
                given.taken[part],
                chosen,
                None if labels is None else labels[part],
                reduce=grad_cam,
            )
            for part in _parts(len(given.keys))
        ]
        asked = np.concatenate([part.labels for part in told])
        return Explanation(
            keys=given.keys,
            images=given.shown,
            names=tuple(self._name(label) for label in asked),
            labels=asked,
            probabilities=np.concatenate([part.probabilities for part in told]),
            scores=np.concatenate([part.scores for part in told]),
            method="grad_cam",
            maps={layer.path: np.concatenate([part.found[layer.path] for part in told]) for layer in chosen},
        )

    def _name(self, label: int) -> str:
        return f"class {label}" if self.class_names is None else self.class_names[label]

    def _pictures(self, images: Pictures) -> Given:
        return pictures(images, self._shape, self._classifier)

    def _probe(self, like: npt.NDArray[Any] | None = None) -> Probe:
        """The layers and the head, found once for each size of picture; *like* gives the size where it is not fixed."""
        shape = self._shape if like is None else like.shape[1:]
        if shape is None or None in shape:
            raise OptionError(
                f"the model takes pictures of shape {shape}, so its layers depend on the picture. "
                "Ask feature_maps(images).maps, or grad_cam(images)."
            )
        size = tuple(int(side) for side in shape if side is not None)
        if size not in self._probes:
            pixels = noise(size, "float32" if like is None else str(like.dtype))
            self._probes[size] = self._compiler.observed(lambda: probe(self.model, pixels))
            _check_names(self.class_names, self._probes[size].head)
        return self._probes[size]


def _check_names(class_names: tuple[str, ...] | None, head: Head) -> None:
    if class_names is not None and len(class_names) != head.classes:
        raise OptionError(
            f"{len(class_names)} class names for a model of {head.classes} classes; give one name per class"
            + (" (a model with one unit has two classes)." if head.units == 1 else ".")
        )


def _input_shape(model: Any) -> tuple[int | None, ...] | None:
    """``(h, w, c)`` with None for what is not fixed; None for a subclassed model that does not say."""
    shape = getattr(model, "input_shape", None) or (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        return None
    if not isinstance(shape, (list, tuple)) or len(shape) != 4 or isinstance(shape[0], (list, tuple)):
        raise OptionError(
            f"the model's input has the shape {shape}; expected one input (n, height, width, channels). "
            "Wrap the model into one that takes pictures."
        )
    return tuple(shape[1:])


def _parts(count: int) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]
