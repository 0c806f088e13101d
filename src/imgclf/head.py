"""Which tensor of a model is the logit, and the score that is differentiated.

A saturated softmax or sigmoid has no gradient, so explanations use what enters it.  Nothing is cut off: the head's
input is recorded while the model runs, and ``activation(recorded)`` must give the model's output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ._backend import no_grad
from .endings import Ending, Step, read_graph, read_steps
from .errors import OptionError
from .taps import MODEL_LOCK, LayerInfo, forward, leaf_path, shadowed, walk, watched

Floats = npt.NDArray[np.float32]
Record = list[tuple[str, Any, Any]]
"""Path, input and output of each call of a leaf, in order."""


@dataclass(frozen=True, repr=False)
class Head:
    """What is explained; ``print`` it to read it in words.

    Attributes:
        path: The layer whose input or output is the logit; None where no layer makes the model's output.
        activation: What turns the logits into the model's output: ``"softmax"``, ``"sigmoid"`` or ``"linear"``.
        recorded: ``"activation"``: the argument of that layer's activation; ``"input"``: that layer's input;
            ``"output"``: the model's output itself.
        units: How many logits a picture has; one unit tells two classes apart.
    """

    path: str | None
    activation: Literal["softmax", "sigmoid", "linear"]
    recorded: Literal["activation", "input", "output"]
    units: int

    @property
    def classes(self) -> int:
        """How many classes there are: two for one unit."""
        return max(self.units, 2)

    def __repr__(self) -> str:
        rule = "1 unit: class 1 is +z, class 0 is −z" if self.units == 1 else f"{self.units} units: class c is z[c]"
        if self.recorded == "output":
            where = f"the output of {self.path!r}" if self.path else "the model's output"
            return f"Head(logit z: {where} as it is, no softmax or sigmoid follows; {rule})"
        return f"Head(logit z: what enters the {self.activation} in {self.path!r}; {rule})"


@dataclass(frozen=True)
class Probe:
    """What one pass over a few pictures tells about a model: its leaf calls in order, and its head."""

    layers: tuple[LayerInfo, ...]
    head: Head


def probe(model: Any, images: npt.NDArray[Any]) -> Probe:
    """Run the model once on *images* ``(n, h, w, c)`` and find its layers and its head.

    Raises:
        OptionError: the model has no weights yet, several outputs, an output that is not ``(n, classes)``, or an
            output that looks like probabilities although no softmax or sigmoid was found that made it.
    """
    leaves = dict(walk(model))
    _check(model, leaves)
    record, output = _watch(model, leaves, images)
    if len(output.shape) != 2:
        raise OptionError(
            f"the model's output has the shape {tuple(output.shape)}; expected (pictures, classes). "
            "Explain a model that classifies: one row of scores for each picture."
        )
    layers = tuple(
        LayerInfo(path, type(leaves[leaf_path(path, leaves)]).__name__, tuple(out.shape[1:]), _dtype(out))
        for path, _, out in record
        if len(out.shape) > 1 and out.shape[0] == len(images)
    )
    return Probe(layers, _head(leaves, record, output))


def ending(model: Any, shape: tuple[int, int, int], units: int) -> Ending:
    """What a built *model* ends in; read off its graph, or found in one pass where the graph does not tell.

    Args:
        model: A Keras model with one input and one output.
        shape: ``(h, w, c)`` of its pictures.
        units: How many scores it gives for a picture.

    Returns:
        An ending whose activation is known; ``"linear"`` where nothing was found and the outputs are no probabilities.

    Raises:
        OptionError: the outputs look like probabilities, and what made them was not found.
    """
    found = read_graph(model, units)
    if found.activation is not None:
        return found
    leaves = dict(walk(model))
    record, output = _watch(model, leaves, noise(shape))
    found = read_steps(_steps(leaves, record, output), units)
    if found.gives_probabilities and not _like_probabilities(output):
        found = Ending(found.path, None, "output")  # a layer of the user's, which uses its activation in its own way
    if found.activation is None:
        _refuse_probabilities(output)
        return Ending(found.path, "linear", "output")
    return found


def noise(shape: tuple[int, ...], dtype: str = "float32") -> npt.NDArray[Any]:
    """Three pictures ``(3, *shape)`` of random pixels 0..255; zeros would give a linear head 0, which is probable."""
    return np.random.default_rng(0).uniform(0, 255, (3, *shape)).astype(dtype)


def single(output: Any) -> Any:
    """The one tensor of a model's output, also where it comes in a dict or a list of one.

    Raises:
        OptionError: there are several.
    """
    if isinstance(output, Mapping):
        output = [output["probabilities"]] if "probabilities" in output else list(output.values())
    if isinstance(output, (list, tuple)):
        if len(output) != 1:
            raise OptionError(
                f"the model has {len(output)} outputs; expected one. "
                "Choose it: keras.Model(model.inputs, model.outputs[0])."
            )
        return output[0]
    return output


@contextmanager
def logits_recorded(leaves: Mapping[str, Any], head: Head) -> Iterator[dict[str, Any]]:
    """A block in which a pass leaves the head's logits under ``"logits"``, where the output itself is not the logit."""
    box: dict[str, Any] = {}
    if head.recorded == "output" or head.path is None:
        yield box
        return
    leaf = leaves[leaf_path(head.path, leaves)]
    argument: list[Any] = []

    def on_call(path: str, inputs: Any, output: Any) -> Any:
        if path == head.path:
            box["logits"] = argument[-1] if head.recorded == "activation" else inputs
        return output

    original: Any = getattr(leaf, "activation", None)

    def activation(logits: Any, *args: Any, **kwargs: Any) -> Any:
        argument.append(logits)
        return original(logits, *args, **kwargs)

    shadows = [(leaf, "activation", activation)] if head.recorded == "activation" else []
    with shadowed(shadows), watched({leaf_path(head.path, leaves): leaf}, on_call):
        yield box


Score = Literal["logit", "log_odds"]


def class_score(logits: Any, labels: Any, score: Score = "logit", activation: str = "softmax") -> tuple[Any, Any]:
    """The score of one class for each picture, and that class.

    Args:
        logits: Tensor ``(n, units)``.
        labels: ``(n,)`` the classes asked for, array or tensor; None means the likeliest class of each picture.
        score: ``"logit"``: the class's own; ``"log_odds"``: log(p / (1 − p)), p being the class's probability.  Under a
            softmax that is the logit less the log of the others' summed exponentials, which does not change when all
            logits shift together; under sigmoids it is the logit itself.
        activation: What follows the logits, as :class:`Head` has it; nothing counts as a softmax.

    Returns:
        ``(scores, labels)``, tensors ``(n,)``.  With one unit the score is +z for class 1 and −z for class 0, so that
        the two explanations are each other's negative, exactly.
    """
    if logits.shape[-1] == 1:
        positive = logits[:, 0] > 0 if labels is None else ops.equal(ops.convert_to_tensor(labels), 1)
        sign = ops.where(positive, ops.ones_like(logits[:, 0]), -ops.ones_like(logits[:, 0]))
        return logits[:, 0] * sign, ops.cast(positive, "int32")
    chosen = ops.argmax(logits, axis=-1) if labels is None else ops.cast(labels, "int32")
    against_others = score == "log_odds" and activation != "sigmoid"
    if against_others and _dtype(logits) in ("bfloat16", "float16"):
        logits = ops.cast(logits, "float32")
    own = ops.one_hot(chosen, logits.shape[-1], dtype=logits.dtype)
    scores = ops.sum(logits * own, axis=-1)
    if against_others:
        lowest = ops.min(logits, axis=-1, keepdims=True) - 1e4  # whose exponential is nothing beside the others'
        scores = scores - ops.logsumexp(ops.where(own > 0, lowest, logits), axis=-1)
    return scores, chosen


def probabilities(head: Head, logits: npt.NDArray[Any], output: npt.NDArray[Any]) -> Floats:
    """What the model says of every class: ``(n, classes)``, two columns for one unit.

    Args:
        head: How the model turns logits into its output.
        logits: ``(n, units)`` as recorded.
        output: ``(n, units)`` as the model gave it.

    Raises:
        OptionError: the logits are not finite, or do not give this output.
    """
    if not np.isfinite(logits).all():
        raise OptionError(
            "the model's logits are not finite (NaN or infinite): its training diverged or its weights are damaged. "
            "Load an earlier state of it."
        )
    z = logits.astype(np.float64)
    found = _sigmoid(z) if head.activation == "sigmoid" or head.units == 1 else _softmax(z)
    # A softmax in bfloat16, with its 8 binary digits, is a few thousandths off.
    tolerance = 2e-2 if min(logits.dtype.itemsize, output.dtype.itemsize) == 2 else 1e-4
    if head.activation != "linear" and not np.allclose(found, output.astype(np.float64), atol=tolerance):
        raise OptionError(
            f"{head.activation} of what was recorded in {head.path!r} does not give the model's output, so its logits "
            f"are not known. {_ADVICE}"
        )
    p = found if head.activation == "linear" else output.astype(np.float64)
    return np.asarray(np.concatenate([1 - p, p], axis=1) if head.units == 1 else p, dtype=np.float32)


_ADVICE = (
    "End the model in Dense(classes, name='logits') and Activation('softmax'), or Dense(1) and Activation('sigmoid'), "
    "each a layer of its own; or leave the activation out."
)


def _watch(model: Any, leaves: Mapping[str, Any], images: npt.NDArray[Any]) -> tuple[Record, Any]:
    record: Record = []

    def on_call(path: str, inputs: Any, output: Any) -> Any:
        record.append((path, inputs, output))
        return output

    with MODEL_LOCK, no_grad(), watched(leaves, on_call):
        return record, single(forward(model, images))


def _head(leaves: Mapping[str, Any], record: Record, output: Any) -> Head:
    units = int(output.shape[-1])
    found = read_steps(_steps(leaves, record, output), units)
    if found.gives_probabilities:
        return Head(found.path, "softmax" if found.activation == "softmax" else "sigmoid", found.recorded, units)
    if found.activation != "linear":
        _refuse_probabilities(output)
    return Head(found.path, "linear", "output", units)


def _steps(leaves: Mapping[str, Any], record: Record, output: Any) -> Iterator[Step]:
    """The calls that made *output*, the last first."""
    target = output
    while made := next((call for call in record if call[2] is target), None):  # the first: Dropout gives what it got
        path, inputs, _ = made
        yield Step(path, leaves[leaf_path(path, leaves)], inputs, target)
        if inputs is target:
            return
        target = inputs


def _refuse_probabilities(output: Any) -> None:
    if _like_probabilities(output):
        raise OptionError(
            "the model's outputs look like probabilities, but no softmax or sigmoid layer was found that made them, so "
            f"its logits are not known. {_ADVICE}"
        )


def _like_probabilities(output: Any) -> bool:
    values = ops.convert_to_numpy(output).astype(np.float64)
    within = bool(((values >= 0) & (values <= 1)).all())
    return within and (values.shape[-1] == 1 or np.allclose(values.sum(axis=-1), 1, atol=1e-2))


def _check(model: Any, leaves: Mapping[str, Any]) -> None:
    if not model.built:
        raise OptionError(f"the model {model.name!r} has no weights yet. Train it, or call it on a picture, first.")
    first = [path for path, leaf in leaves.items() if getattr(leaf, "data_format", None) == "channels_first"]
    if first:
        raise OptionError(
            f"the layer {first[0]!r} puts channels first; expected (height, width, channels). "
            "Build the model with data_format='channels_last'."
        )


def _dtype(tensor: Any) -> str:
    return str(keras.backend.standardize_dtype(tensor.dtype))


def _sigmoid(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))  # no overflow, whatever z


def _softmax(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
