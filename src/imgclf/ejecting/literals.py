"""Values → the Python that stands for them: numbers, texts, containers of these, and Keras's own objects.

In: settings, and configurations of Keras's layers, some of them from strangers.  Out: source text.  Every string goes
through ``repr``, so that no name of a class or a file can become code.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import operator
import re
from collections.abc import Mapping
from typing import Any

import keras

from ..errors import OptionError

_WIDTH = 112
_FRACTIONS = {1 / 255: "1 / 255", 1 / 127.5: "1 / 127.5"}
_PARTS = ("layers", "initializers", "regularizers", "constraints")
_FOREIGN = (keras.Model, keras.layers.Lambda)  # a network within a network, and code


def literal(value: Any) -> str:
    r"""Plain *value* as Python source, texts in double quotes where they need no escape.

    >>> literal(["cat", 'a "dog"', 1 / 255])
    '["cat", \'a "dog"\', 1 / 255]'

    Raises:
        OptionError: it is no number, text, None or container of these.
    """
    if isinstance(value, str):
        text = repr(str(value))
        return f'"{text[1:-1]}"' if not {'"', "'", "\\"} & set(value) and "\\" not in text else text
    if isinstance(value, float):
        return _FRACTIONS.get(value) or _finite(value)
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        first, last = "[]" if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return _joined(first, [literal(part) for part in value], last)
    if isinstance(value, Mapping):
        return _joined("{", [f"{literal(str(key))}: {literal(part)}" for key, part in value.items()], "}")
    raise OptionError(f"{str(value)[:100]!r} cannot be written out as code; expected numbers, texts or lists of these.")


def call(kind: type, config: Mapping[str, Any]) -> str:
    """The call that makes the *kind* of Keras's object that has the configuration *config*.

    >>> call(keras.layers.Dropout, keras.layers.Dropout(0.5, name="half").get_config())
    'layers.Dropout(0.5, name="half")'

    Raises:
        OptionError: it is not one of Keras's own, or holds what is not.
    """
    part = next((part for part in _PARTS if getattr(getattr(keras, part), kind.__name__, None) is kind), None)
    if part is None or issubclass(kind, _FOREIGN):
        raise OptionError(f"a {kind.__name__} cannot be written out as code; expected Keras's own layers only.")
    for value in config.values():
        if isinstance(value, Mapping) and "class_name" in value:
            _kind_of(value)  # else Keras would fail to make it, in other words
    said = _needed(kind, config)
    positional = _positional(kind)
    given = [_argument(said.pop(name)) for name in positional if name in said]
    name = {"name": said.pop("name")} if "name" in said else {}
    given += [f"{key}={_argument(value)}" for key, value in {**said, **name}.items()]
    return f"{'layers' if part == 'layers' else f'keras.{part}'}.{kind.__name__}({', '.join(given)})"


def _needed(kind: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """What of *config* differs from what Keras takes where it is left out."""
    said, wanted = dict(config), _made(kind, config)
    for key in [key for key in said if key not in ("name", *_positional(kind))]:
        fewer = {name: value for name, value in said.items() if name != key}
        try:
            if _made(kind, fewer) == wanted:
                said = fewer
        except Exception:  # noqa: S112 - any layer, and it is needed: it cannot be made without
            continue
    return said


def _made(kind: Any, config: Mapping[str, Any]) -> Any:
    return kind.from_config(dict(config)).get_config()


def _positional(kind: Any) -> list[str]:
    """The arguments without a default."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.default is one.empty]


def _argument(value: Any) -> str:
    """An entry of a configuration: plain, or the configuration of another object."""
    if not (isinstance(value, Mapping) and "class_name" in value):
        return literal(value)
    if value["class_name"] == "DTypePolicy":
        return literal(value["config"]["name"])
    written = call(_kind_of(value), value["config"])
    bare = written.endswith("()") and written.startswith("keras.initializers.")
    return literal(_snake(value["class_name"])) if bare else written  # "he_normal", as everyone writes it


def _kind_of(value: Mapping[str, Any]) -> type:
    """The class of Keras's that the configuration *value* is for."""
    path = f"{value.get('module')}.{value['class_name']}".removeprefix("keras.")
    with contextlib.suppress(AttributeError):
        if isinstance(kind := operator.attrgetter(path)(keras), type) and isinstance(value["config"], Mapping):
            return kind
    raise OptionError(
        f"{str(value['config'])[:60]!r} ({value['class_name']}) cannot be written out as code; expected Keras's own "
        "classes, and its activations by name."
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _finite(value: float) -> str:
    if not math.isfinite(value):
        raise OptionError(f"{value} cannot be written out as code; expected a finite number.")
    return repr(value)


def _joined(first: str, parts: list[str], last: str) -> str:
    line = f"{first}{', '.join(parts)}{last}"
    return line if len(line) <= _WIDTH else "\n".join([first, *(f"    {part}," for part in parts), last[-1]])
