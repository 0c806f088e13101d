"""Why a network says what it says: feature maps and class activation maps, for any Keras model of pictures.

::

    requests  pictures, layers and classes as the user names them
    compiling one pass over a model, compiled
    cam       formulas, and maps made ready to be drawn
    pixels    gradients and their integral, noise, occlusion
    passes    all layers' outputs, or gradients, in one pass
    inspection the passes over many pictures, some at a time
    results   frozen records that draw themselves
    figures   drawings of what follows
    checks    curves of deletion and insertion, and what is left without what was learnt
    comparing several networks side by side

The pass itself is ``taps``, and which tensor is the logit is ``head``, both shared with ``architectures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, get_args

import keras
import numpy as np
import numpy.typing as npt

from ..errors import OptionError, listed
from ..head import Head, Score
from ..taps import LayerInfo
from . import checks, pixels
from .cam import METHODS, Method, against
from .checks import Faithfulness, SanityCheck
from .inspection import BATCH, Inspection
from .passes import Told
from .pixels import PIXEL_METHODS, PixelMethod
from .requests import (
    ClassName,
    Given,
    Layers,
    check_count,
    check_finite,
    check_method,
    check_option,
    checked_names,
    choose_labels,
    choose_layers,
    chosen_settings,
    pictures,
)
from .results import Attribution, Explanation, FeatureMaps

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..inputs import Pictures

__all__ = [
    "Attribution",
    "Explainer",
    "Explanation",
    "Faithfulness",
    "FeatureMaps",
    "Head",
    "LayerInfo",
    "SanityCheck",
]


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
        self.class_names: tuple[str, ...] | None = None if names is None else checked_names(names)
        self._inside = Inspection(self.model, self.class_names)

    def __repr__(self) -> str:
        named = "" if self.class_names is None else f", class_names={list(self.class_names)}"
        return f"Explainer({self.model.name!r}{named})"

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every call of a leaf layer, in the order in which a picture passes through them."""
        return self._inside.probe().layers

    @property
    def head(self) -> Head:
        """What is explained."""
        return self._inside.probe().head

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
        chosen = self._layers("maps" if layers is None else layers, given)
        maps = self._inside.activations(given.taken, chosen)
        return FeatureMaps(given.keys, given.shown, maps)

    def grad_cam(
        self,
        images: Pictures,
        class_name: ClassName = None,
        layers: Layers = None,
        method: Method = "grad_cam",
        *,
        score: Score = "logit",
        counterfactual: bool = False,
        smooth: int = 0,
    ) -> Explanation:
        """Where each picture speaks for a class: feature maps weighted by their gradients.

        All layers come from one forward and one backward pass per 8 pictures.

        Args:
            images: As for :meth:`feature_maps`.
            class_name: The class to explain: its name or number, one for all pictures or one for each; None explains
                each picture's likeliest class.
            layers: As for :meth:`feature_maps`, but None means ``"last"``: the last convolution, as in the paper, or
                the last feature map of a network without one.
            method: ``"grad_cam"``; ``"hires_cam"``, exact where one Dense layer follows the maps, and the better one
                wherever they are flattened; ``"layer_cam"`` and ``"grad_cam_plus_plus"``, which leave out what speaks
                against the class, and so may make a network look right that is not.
            score: What is differentiated: the class's ``"logit"``, as in the papers, or its ``"log_odds"`` against all
                the others, which tells two classes apart where both logits rise together.  The same for one unit.
            counterfactual: Where each picture speaks *against* the class: the gradients of the negated score.
            smooth: The mean over so many copies with noise, in place of the picture's own maps; 0 for no noise.

        Raises:
            UnknownNameError: a layer, class, method or score that does not exist.
            OptionError, ImageError: pictures that do not fit the model, or cannot be read; Grad-CAM++ of a layer whose
                output goes below zero.
        """
        check_method(method, METHODS, PIXEL_METHODS, "attribute")
        check_option("score", score, get_args(Score))
        check_count("smooth", smooth, 0)
        given = self._pictures(images)
        chosen = self._layers("last" if layers is None else layers, given)
        reduce = against(method) if counterfactual else METHODS[method]
        labels = self._labels(class_name, given)
        if smooth:
            told = self._inside.scores(given.taken, labels, score)
            copies = (
                self._inside.gradients(pixels.noisy(given.taken, copy), told.labels, chosen, reduce, score).found
                for copy in range(smooth)
            )
            maps = pixels.mean(copies)
        else:
            told = self._inside.gradients(given.taken, labels, chosen, reduce, score)
            maps = told.found
        check_finite(maps, method)
        return Explanation(
            **self._said(given, told),
            method=method,
            maps=maps,
            score=score,
            counterfactual=counterfactual,
            smooth=smooth,
        )

    def attribute(
        self,
        images: Pictures,
        class_name: ClassName = None,
        method: PixelMethod = "integrated_gradients",
        *,
        score: Score = "logit",
        steps: int | None = None,
        smooth: int | None = None,
        baseline: float | Literal["mean"] | None = None,
        window: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] | None = None,
    ) -> Attribution:
        """What each pixel does for a class.

        Args:
            images: As for :meth:`feature_maps`.
            class_name: As for :meth:`grad_cam`.
            method: ``"integrated_gradients"``: the gradients on the way from a baseline, whose sum is what the picture
                adds to the score, and whose error is reported; ``"gradient"``: where the least change of a pixel would
                change the score; ``"occlusion"``: how much the score falls where a window is covered, which asks the
                network and nothing else, in many passes.
            score: As for :meth:`grad_cam`.
            steps: Of integrated gradients: points on the way, 64 unless told; more leave less error.
            smooth: Of the gradient: the mean over so many copies with noise (SmoothGrad); None for no noise.
            baseline: Of the other two: what stands for nothing to be seen: a value of pixels, or ``"mean"``, each
                picture's mean colour.  None: 0, as in the paper, for integrated gradients, ``"mean"`` for occlusion.
            window: Of occlusion: pixels ``(height, width)`` or both; None: an eighth of the picture.
            stride: Of occlusion: pixels from one window to the next; None: half a window.

        Raises:
            UnknownNameError: a class, method or score that does not exist.
            OptionError, ImageError: settings out of their range or of another method, pictures that do not fit or
                cannot be read.
        """
        check_method(method, PIXEL_METHODS, METHODS, "grad_cam")
        check_option("score", score, get_args(Score))
        given = self._pictures(images)
        asked = {"steps": steps, "smooth": smooth, "baseline": baseline, "window": window, "stride": stride}
        settings = chosen_settings(method, asked, given.taken.shape[1:3])
        told = self._inside.scores(given.taken, self._labels(class_name, given), score)
        values, completeness = pixels.attributed(
            self._inside, given.taken, told, method, score=score, settings=settings
        )
        check_finite({method: values}, method)
        found = {"values": values, "completeness_error": completeness, "score": score, "settings": settings}
        return Attribution(**self._said(given, told) | found, method=method)

    def faithfulness(
        self,
        images: Pictures,
        maps: Explanation | Attribution | npt.NDArray[Any],
        class_name: ClassName = None,
        *,
        layer: str | None = None,
        steps: int = 24,
        baseline: float | Literal["mean"] = "mean",
        seed: int = 0,
    ) -> Faithfulness:
        """Does the answer follow the map?  Pixels are taken away, and put back, from its highest value to its lowest.

        Args:
            images: The pictures explained.
            maps: What :meth:`grad_cam` or :meth:`attribute` gave for them, or signed maps ``(n, height, width)``.
            class_name: As for :meth:`grad_cam`; None takes the classes that *maps* explains.
            layer: Whose maps; None: the last.
            steps: Steps from all pixels to none.
            baseline: What is seen in place of a pixel: a value, or each picture's mean colour.
            seed: Of the random order beside it.

        Raises:
            UnknownNameError, OptionError, ImageError: as :meth:`grad_cam`; maps that do not fit the pictures.
        """
        check_count("steps", steps, 1)
        given = self._pictures(images)
        found, labels = checks.aligned(maps, layer, given)
        chosen = labels if class_name is None else self._labels(class_name, given)
        asked = self._inside.scores(given.taken, None, "log_odds").labels if chosen is None else chosen

        def answers(some: npt.NDArray[Any], which: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            return self._inside.answers(some, asked[which])

        base = pixels.backgrounds(given.taken, baseline)
        curves = checks.curves(given.taken, base, found, answers, steps=steps, batch=BATCH, seed=seed)
        return Faithfulness(given.keys, tuple(self.name_of(label) for label in asked), *curves)

    def sanity_check(
        self,
        images: Pictures,
        class_name: ClassName = None,
        layers: Layers = None,
        method: Method = "grad_cam",
        *,
        seed: int = 0,
    ) -> SanityCheck:
        """Do the maps come from what was learnt?  Weights are shuffled, layer by layer from the top, and put back.

        Args:
            images: As for :meth:`feature_maps`.
            class_name: As for :meth:`grad_cam`.
            layers: The one layer whose maps are compared; None: the last convolution.
            method: As for :meth:`grad_cam`.
            seed: Of the shuffling.

        Raises:
            UnknownNameError, OptionError, ImageError: as :meth:`grad_cam`.
        """
        check_method(method, METHODS, PIXEL_METHODS, "attribute")
        given = self._pictures(images)
        chosen = self._layers("last" if layers is None else layers, given)
        if len(chosen) != 1:
            raise OptionError(f"layers are {listed(layer.path for layer in chosen)}; expected one. Choose one of them.")
        labels = self._labels(class_name, given)
        before = self._inside.gradients(given.taken, labels, chosen, METHODS[method], "logit")
        maps = before.found[chosen[0].path]
        found: dict[str, float] = {}
        with closing(self._inside.shuffling(seed, given.taken)) as paths:  # whatever happens, all weights are put back
            for path in paths:
                after = self._inside.gradients(given.taken, before.labels, chosen, METHODS[method], "logit")
                found[path] = checks.similarity(maps, after.found[chosen[0].path])
        unlike = checks.similarity(maps, np.roll(maps, 1, axis=0)) if len(maps) > 1 else float("nan")
        return SanityCheck(method, chosen[0].path, tuple(found), np.asarray(list(found.values())), unlike)

    def _layers(self, layers: Layers, given: Given) -> tuple[LayerInfo, ...]:
        return choose_layers(layers, self._inside.probe(given.taken).layers)

    def _labels(self, class_name: ClassName, given: Given) -> npt.NDArray[np.int64] | None:
        classes = self._inside.probe(given.taken).head.classes
        return choose_labels(class_name, len(given.keys), self.class_names, classes)

    def _said(self, given: Given, told: Told) -> dict[str, Any]:
        """What every record says of the pictures and of the classes explained."""
        names = tuple(self.name_of(label) for label in told.labels)
        said = {"labels": told.labels, "probabilities": told.probabilities, "scores": told.scores}
        return {"keys": given.keys, "images": given.shown, "names": names, **said}

    def count(self, images: Pictures) -> int:
        """How many pictures *images* are."""
        return len(self._pictures(images).keys)

    def name_of(self, label: int) -> str:
        """The name of class *label*, or ``"class 1"`` where names are not known."""
        return f"class {label}" if self.class_names is None else self.class_names[label]

    def _pictures(self, images: Pictures) -> Given:
        return pictures(images, self._inside.shape, self._classifier)
