"""What a network of the registry was built from, so that a file needs to say no more than that.

In: a network that ``Architecture.build`` made.  Out: its ``Blueprint``, while the network is still what was built; and
from a blueprint that a stranger may have written, the network again, without more memory than was allowed.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import operator
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import keras

from ..errors import OptionError

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
"""The dtype policies under which a network can be built again."""

_LARGEST, _LONGEST, _DEEPEST = 2.0**31, 100, 4  # numbers, lists and texts of options, and how they may be nested
_LONGEST_TEXT = 1000
_LIST = "list"  # {"list": [1, 2]} in a file is a list, and [1, 2] a tuple
_ANCIENT = {"input_dim", "input_shape"}  # what every layer of Keras's takes, though no signature says so
# What a configuration says beyond what is computed: identities within one process, drawn numbers, what may be trained.
_ASIDE = ("shared_object_id", "compile_config", "trainable", "seed")
_REFERENCES = ("name", "keras_history", "input_layers", "output_layers")  # where names of layers stand
_BUILT: WeakKeyDictionary[Any, tuple[Blueprint, str, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Blueprint:
    """What ``registry.build`` is told to make a network again.

    Attributes:
        name: The architecture's.
        input_shape: ``(height, width, channels)``.
        num_classes: At least 2.
        head: ``"sigmoid"`` or ``"softmax"``.
        options: All of them, defaults too: a later default must not change an earlier file.
        policy: The dtype policy in force.

    Raises:
        OptionError: something that no blueprint holds.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    head: Literal["sigmoid", "softmax"]
    options: Mapping[str, Any]
    policy: str

    def __post_init__(self) -> None:
        shape = self.input_shape
        fine = (
            isinstance(self.name, str)
            and isinstance(shape, (tuple, list))
            and len(shape) == 3
            and all(type(size) is int and 0 < size <= 1 << 20 for size in shape)
            and type(self.num_classes) is int
            and 2 <= self.num_classes <= 1_000_000
            and self.head in ("sigmoid", "softmax")
            and isinstance(self.options, Mapping)
            and len(self.options) <= _LONGEST
            and all(isinstance(name, str) and name.isidentifier() for name in self.options)
            and self.policy in POLICIES
        )
        if not fine:
            raise OptionError(f"no network can be built from {str(self)[:300]}.")
        object.__setattr__(self, "input_shape", tuple(shape))
        object.__setattr__(self, "options", {name: plain(value) for name, value in self.options.items()})

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it: a tuple as a list, and a list as ``{"list": […]}``."""
        return {**asdict(self), "options": {name: _written(value) for name, value in self.options.items()}}

    @classmethod
    def from_dict(cls, content: object) -> Blueprint:
        """The record from what :meth:`to_dict` gave, whoever wrote it since."""
        if not isinstance(content, dict) or set(content) != set(cls.__dataclass_fields__):
            raise OptionError("the network is not described as imgclf describes one.")
        options = content["options"]
        if isinstance(options, dict):
            options = {name: _read(value) for name, value in options.items()}
        return cls(**{**content, "options": options})


def plain(value: Any, deep: int = 0) -> Any:
    """A copy of an option's *value* of Python's own types, lists and tuples as they were.

    Raises:
        OptionError: a type that a file lacks, a number that is huge or not finite, a long list or text.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # a number of NumPy's
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and abs(value) <= _LARGEST:  # NaN is not
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return str.__str__(value)  # of an Enum's member the text, not its name
    if isinstance(value, (list, tuple)) and len(value) <= _LONGEST and deep < _DEEPEST:
        return (list if isinstance(value, list) else tuple)(plain(part, deep + 1) for part in value)
    if (
        isinstance(value, dict)
        and len(value) <= _LONGEST
        and deep < _DEEPEST
        and all(isinstance(k, str) for k in value)
        and set(value) != {_LIST}
    ):
        return {key: plain(part, deep + 1) for key, part in value.items()}
    raise OptionError(f"an option is {str(value)[:100]!r}, which is too large or of a type that files do not hold.")


def remember(model: keras.Model, blueprint: Blueprint, maker: Any) -> None:
    """Note that *model*, as it stands, is what the architecture *maker* gives for *blueprint*."""
    with contextlib.suppress(Exception):  # a layer without get_config: such a network cannot be saved by Keras either
        _BUILT[model] = (blueprint, identity(model), maker)


def origin(model: keras.Model) -> tuple[Blueprint, Any] | None:
    """What *model* was built from, and the architecture; None where none built it, or it was altered since."""
    blueprint, digest, maker = _BUILT.get(model, (None, "", None))
    return (blueprint, maker) if blueprint is not None and digest == identity(model) else None


def blueprint_of(model: keras.Model) -> Blueprint | None:
    """What *model* was built from; None where no architecture built it, or it was altered since."""
    found = origin(model)
    return found[0] if found else None


def hand_on(model: keras.Model, copy: keras.Model) -> keras.Model:
    """*copy*, known to be of the same blueprint as *model* if it is the same network."""
    found = origin(model)
    if found is not None and identity(model) == identity(copy):
        remember(copy, *found)
    return copy


def configuration(model: keras.Model) -> Any:
    """The whole of what *model* is, as ``config.json`` of a file holds it."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(model)))


def difference(saved: Any, built: Any, *, lenient: bool = False) -> str | None:
    """Where two configurations differ in what is computed, or None; names of layers do not count.

    Args:
        saved: A configuration that anyone may have written.
        built: That of a network that was built here, as :func:`configuration` gives.
        lenient: *saved* is said to be of another version of Keras: a class of Keras's may then lack settings that have
            the value which Keras gives them where they are missing, and have others that Keras does not know here.
    """
    return _difference(_comparable(saved), _comparable(built), "", lenient)


def _difference(one: Any, two: Any, at: str, lenient: bool) -> str | None:
    if isinstance(one, dict) and isinstance(two, dict):
        one = _completed(one, two) if lenient else one
        parts = [(key, one.get(key, ...), two.get(key, ...)) for key in {**one, **two}]  # JSON holds no ellipsis
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        parts = [(str(number), *pair) for number, pair in enumerate(zip(one, two, strict=True))]
    elif at.endswith("/module") and _same_module(one, two, lenient):
        return None
    else:
        return None if type(one) is type(two) and one == two else f"{at}: {str(one)[:60]!r} and {str(two)[:60]!r}"
    found = (_difference(a, b, f"{at}/{key}", lenient) for key, a, b in parts)
    return next(filter(None, found), None)


def _same_module(one: Any, two: Any, lenient: bool) -> bool:
    """Whether a class may have moved from one to the other: users' do, and Keras's between its versions."""
    kinds = [str(module).split(".")[0] for module in (one, two)]
    moved = lenient and kinds == ["keras", "keras"]
    return one == two or moved or not {"keras", "builtins", "None"} & set(kinds)


def _completed(saved: dict[str, Any], built: dict[str, Any]) -> dict[str, Any]:
    """*saved*, of another version of Keras, with the settings of a class as this one has them; see :func:`difference`.

    Keras is asked what it takes for the settings that are missing, by way of what was built here: it never sees what
    was saved.
    """
    kind, one, two = _kerass_class(built), saved.get("config"), built.get("config")
    if kind is None or not isinstance(one, dict) or not isinstance(two, dict):
        return saved
    known = {name for part in kind.__mro__ for name in inspect.signature(part.__init__).parameters} | _ANCIENT
    said = {key: value for key, value in one.items() if key in two or key in known}
    if missing := set(two) - set(said):
        with contextlib.suppress(Exception):  # one of them is needed
            taken = kind.from_config({key: value for key, value in two.items() if key not in missing}).get_config()
            given = _comparable(json.loads(json.dumps({key: taken[key] for key in missing})))
            said.update({key: two[key] for key in missing if given.get(key, ...) == two[key]})
    return {**saved, "config": said}


def _kerass_class(part: dict[str, Any]) -> Any:
    """The class of Keras's of which *part* is the configuration; None for a user's own, or a network."""
    try:
        kind = operator.attrgetter(f"{part['module']}.{part['class_name']}".removeprefix("keras."))(keras)
    except (KeyError, AttributeError):
        return None
    return kind if isinstance(kind, type) and not issubclass(kind, keras.Model) else None


def identity(model: keras.Model) -> str:
    """A digest of what *model* computes, its weights aside; of use in this process only."""
    lambdas = (part for part in model._flatten_layers() if isinstance(part, keras.layers.Lambda))
    said = [_comparable(configuration(model)), [hash(getattr(part.function, "__code__", None)) for part in lambdas]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def structure_digest(model: keras.Model) -> str:
    """A digest of what *model* computes, its weights aside, that is the same in every process.

    Names of layers, which Keras numbers anew in every process, drawn seeds and the code of Lambda layers do not count.
    """
    try:
        said = _comparable(configuration(model))
    except Exception:  # layers of a user's own without a get_config: their shapes must do
        said = [[list(weight.shape), str(weight.dtype)] for weight in model.weights]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _comparable(content: Any) -> Any:
    """A configuration without what is aside, and with numbers for the names of layers."""
    names: dict[str, str] = {}
    for part in _tables(content):
        kind, inner = part.get("class_name"), part.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(kind, str) and isinstance(name, str) and not kind.endswith("Policy"):
            names.setdefault(name, f"layer {len(names)}")

    def rebuilt(part: Any) -> Any:
        if isinstance(part, list):
            return [rebuilt(value) for value in part]
        if not isinstance(part, dict):
            return part
        said = {key: value for key, value in part.items() if key not in _ASIDE}
        kind = said.get("class_name")
        if kind == "__lambda__" and isinstance(said.get("config"), dict):
            said["config"] = {key: value for key, value in said["config"].items() if key != "code"}
        policy = isinstance(kind, str) and kind.endswith("Policy")
        return said if policy else {k: (numbered if k in _REFERENCES else rebuilt)(v) for k, v in said.items()}

    def numbered(part: Any) -> Any:
        if isinstance(part, list):
            return [numbered(value) for value in part]
        return names.get(part, part) if isinstance(part, str) else rebuilt(part)

    return rebuilt(content)


def _written(value: Any) -> Any:
    """A plain value as JSON tells a list from a tuple."""
    if isinstance(value, dict):
        return {key: _written(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_written(part) for part in value]
        return {_LIST: parts} if isinstance(value, list) else parts
    return value


def _read(value: Any) -> Any:
    """What :func:`_written` was given."""
    if isinstance(value, dict) and set(value) == {_LIST} and isinstance(value[_LIST], list):
        return [_read(part) for part in value[_LIST]]
    if isinstance(value, dict):
        return {key: _read(part) for key, part in value.items()}
    return tuple(_read(part) for part in value) if isinstance(value, list) else value


def _tables(content: Any) -> Iterator[dict[str, Any]]:
    """Every table in JSON content, from the outside in."""
    if isinstance(content, dict):
        yield content
    for part in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _tables(part)
