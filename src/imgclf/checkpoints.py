"""The whole state of a run: every variable of the compiled model, and what each callback counts.

In: a compiled Keras model and its callbacks.  Out: a record and arrays, and the very same model and callbacks back.

Weights alone do not make a run go on as if nothing had been: the random states of dropout, the optimiser's moments,
the patience of early stopping and the best figure so far belong to it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from . import _backend
from .errors import RunError
from .state_file import Arrays

_COMPARES = "(compares)"  # of Keras's own: it has chosen which way its figure is better
_NOT_STATE = frozenset({"_model", "params", "validation_data", "verbose"})


def capture(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> tuple[dict[str, Any], Arrays]:
    """The state of *model*, of *callbacks* and of the process's random numbers, within ``fit``: record and arrays.

    Of a callback count the attributes that are numbers, text, arrays, or lists, tuples, sets and dicts of these.
    """
    _backend.bring_back_state(model)
    arrays: Arrays = {}
    for kind, variables in _variables(model).items():
        for number, variable in enumerate(variables):
            arrays[f"{kind}/{number}"] = np.array(keras.ops.convert_to_numpy(variable.value))
    counted = [_attributes(callback, f"callback/{number}", arrays) for number, callback in enumerate(callbacks)]
    return {"callbacks": counted, "random": _encoded(_backend.random_states(), "random", arrays)}, arrays


def restore(
    model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], record: dict[str, Any], arrays: Arrays
) -> None:
    """Give *model* and *callbacks* the state that :func:`capture` took; metrics apart: see :func:`restore_metrics`.

    Raises:
        RunError: it is the state of another network or optimiser.
    """
    for kind, variables in _variables(model).items():
        if kind != "metric":
            _assign(kind, variables, arrays)
    for callback, attributes in zip(callbacks, record["callbacks"], strict=True):
        if attributes.pop(_COMPARES, False):
            callback._set_monitor_op()  # it turns the sign of min_delta once, which the next lines restore
        for name, value in attributes.items():
            _put_back(callback, name, _decoded(value, arrays))
    _backend.set_random_states(drawn(record, arrays))


def drawn(record: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """The random states of the process, as :func:`capture` took them."""
    states: dict[str, Any] = _decoded(record["random"], arrays)
    return states


def restore_metrics(model: keras.Model, arrays: Arrays) -> None:
    """Give the metrics of *model* the counts that :func:`capture` took within an epoch."""
    scores = keras.ops.zeros((1, model.output_shape[-1]))
    model.compute_metrics(None, keras.ops.zeros((1,), "int32"), scores)  # they get their variables at the first use
    _assign("metric", model.metrics_variables, arrays)


def as_held(array: npt.NDArray[Any], variable: Any) -> npt.NDArray[Any]:
    """*array* in the type of *variable*: bfloat16 is stored as its bits."""
    like = np.asarray(keras.ops.convert_to_numpy(variable.value)).dtype
    return array.view(like) if like.kind == "V" else array


def _variables(model: keras.Model) -> dict[str, list[Any]]:
    return {"model": model.variables, "optimizer": model.optimizer.variables, "metric": model.metrics_variables}


def _assign(kind: str, variables: Iterable[Any], arrays: Arrays) -> None:
    wanted = list(variables)
    held = [array for name, array in arrays.items() if name.startswith(f"{kind}/")]
    if [tuple(variable.shape) for variable in wanted] != [array.shape for array in held]:
        raise RunError(
            f"the state holds {len(held)} {kind} arrays that do not fit the {len(wanted)} variables of this one. Fit "
            "the same recipe, or pass overwrite=True."
        )
    for variable, array in zip(wanted, held, strict=True):
        variable.assign(as_held(array, variable))


def _attributes(callback: keras.callbacks.Callback, place: str, arrays: Arrays) -> dict[str, Any]:
    found: dict[str, Any] = {_COMPARES: True} if getattr(callback, "monitor_op", None) is not None else {}
    for name, value in vars(callback).items():
        if name not in _NOT_STATE and _is_plain(value):
            found[name] = _encoded(value, f"{place}/{name}", arrays)
    return found


def lost(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """The attributes that hold several things and are not kept, as ``Class.attribute``: a user should know of them.

    Keras's own callbacks make such things anew when a ``fit`` begins (the writers of ``TensorBoard``).
    """
    return [
        f"{type(callback).__name__}.{name}"
        for callback in callbacks
        if not type(callback).__module__.startswith("keras.")
        for name, value in vars(callback).items()
        if name not in _NOT_STATE and isinstance(value, (Mapping, Set, list, tuple, deque)) and not _is_plain(value)
    ]


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(key) and not isinstance(key, tuple) for key in value) and all(
            map(_is_plain, value.values())
        )
    if type(value) in (list, tuple, set):
        return all(map(_is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_))


def _encoded(value: Any, place: str, arrays: Arrays) -> Any:
    """*value* as JSON keeps it: each collection says what it was; arrays stand in *arrays*, each under its own name."""
    if isinstance(value, (np.ndarray, np.generic)):
        name = f"{place}/{len(arrays)}"
        arrays[name] = np.array(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": name}
    if isinstance(value, dict):
        pairs = [[_encoded(key, place, arrays), _encoded(item, place, arrays)] for key, item in value.items()]
        return {"dict": pairs}
    if isinstance(value, set):  # its order depends on how it came about, and equal states must have equal bytes
        return {"set": sorted((_encoded(item, place, arrays) for item in value), key=repr)}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encoded(item, place, arrays) for item in value]}
    return value


def _decoded(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in ("array", "scalar"):
        return arrays[content].copy() if kind == "array" else arrays[content][()]
    if kind == "dict":
        return {_decoded(key, arrays): _decoded(item, arrays) for key, item in content}
    return {"list": list, "tuple": tuple, "set": set}[kind](_decoded(item, arrays) for item in content)


def _put_back(callback: keras.callbacks.Callback, name: str, value: Any) -> None:
    current = vars(callback).get(name)
    if isinstance(current, dict) and type(current) is not dict and isinstance(value, dict):
        current.clear()  # a defaultdict or a Counter stays one
        current.update(value)
    else:
        setattr(callback, name, value)
