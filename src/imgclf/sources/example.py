"""``tf.train.Example``, the message in a record: named features, each a list of bytes, floats or whole numbers.

In: bytes.  Out: its features, by name; and back.  Written by hand for this one message of protobuf::

    Example  { Features features = 1; }
    Features { map<string, Feature> feature = 1; }
    Feature  { BytesList = 1 | FloatList = 2 | Int64List = 3, each with repeated value = 1 }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Kind = Literal["bytes", "floats", "integers", "nothing"]

_KINDS: dict[int, Kind] = {1: "bytes", 2: "floats", 3: "integers"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # how a field is written
_LIMIT = 2**64


class ExampleError(ValueError):
    """Bytes that are no such message."""


class Feature(NamedTuple):
    """One feature, not yet taken apart: most are never asked for, and a picture is copied once.

    Attributes:
        content: The whole message.
        start: Where the feature begins in it.
        stop: Where it ends.
    """

    content: bytes
    start: int
    stop: int

    @property
    def kind(self) -> Kind:
        """What it is a list of."""
        return self._list()[0]

    def texts(self) -> list[bytes]:
        """The list, of bytes; empty if it is of something else."""
        kind, start, stop = self._list()
        values = _fields(self.content, start, stop) if kind == "bytes" else ()
        return [self.content[begin:end] for number, wire, begin, end in values if (number, wire) == (1, _BYTES)]

    def integers(self) -> list[int]:
        """The list, of whole numbers of 64 bits; empty if it is of something else."""
        kind, start, stop = self._list()
        found = []
        for number, wire, begin, end in _fields(self.content, start, stop) if kind == "integers" else ():
            at = begin
            while number == 1 and wire in (_VARINT, _BYTES) and at < end:  # one number, or many packed
                value, at = _varint(self.content, at, end)
                found.append(value - _LIMIT if value >= _LIMIT // 2 else value)
        return found

    def _list(self) -> tuple[Kind, int, int]:
        """The kind of the list and its place; of several the last counts."""
        found: tuple[Kind, int, int] = ("nothing", self.start, self.start)
        for number, wire, begin, end in _fields(self.content, self.start, self.stop):
            if wire == _BYTES and number in _KINDS:
                found = (_KINDS[number], begin, end)
        return found


NOTHING = Feature(b"", 0, 0)
"""A feature without a list, as one that is not there."""


def parse_example(content: bytes) -> dict[str, Feature]:
    r"""The features of a message, by name.  As in protobuf, of two with one name the last counts.

    Raises:
        ExampleError: it is no such message: cut off, lengths beyond its end, a name that is no UTF-8.

    >>> features = parse_example(dump_example({"label": [3], "image": [b"\x89PNG"]}))
    >>> features["label"].integers(), features["image"].texts()
    ([3], [b'\x89PNG'])
    """
    found: dict[str, Feature] = {}
    at, whole = 0, len(content)
    while at < whole:
        number, wire, at, stop = _field_at(content, at, whole)
        while at < stop and number == 1 and wire == _BYTES:
            inner, how, begin, at = _field_at(content, at, stop)
            if inner == 1 and how == _BYTES:
                name, feature = _entry(content, begin, at)
                found[name] = feature
        at = stop
    return found


def dump_example(features: Mapping[str, list[bytes] | list[int]]) -> bytes:
    """The message with *features*, in the order of their names: the same features give the same bytes."""
    entries = b""
    for name, values in sorted(features.items()):
        if values and isinstance(values[0], bytes):
            inner, kind = b"".join(_field(1, value) for value in values if isinstance(value, bytes)), 1
        else:
            inner, kind = _field(1, b"".join(_packed(value) for value in values if isinstance(value, int))), 3
        entries += _field(1, _field(1, name.encode()) + _field(2, _field(kind, inner)))
    return _field(1, entries)


def _entry(content: bytes, at: int, stop: int) -> tuple[str, Feature]:
    name, feature = b"", NOTHING
    while at < stop:
        number, wire, begin, at = _field_at(content, at, stop)
        if wire == _BYTES and number == 1:
            name = content[begin:at]
        elif wire == _BYTES and number == 2:
            feature = Feature(content, begin, at)
    try:
        return name.decode(), feature
    except UnicodeDecodeError:
        raise ExampleError(f"a feature is called {name[:40]!r}, which is no text") from None


def _fields(content: bytes, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Every field of the message from *at* to *stop*; see :func:`_field_at`."""
    while at < stop:
        field = _field_at(content, at, stop)
        yield field
        at = field[3]


def _field_at(content: bytes, at: int, stop: int) -> tuple[int, int, int, int]:
    """The field that begins at *at*: its number, how it is written, and from where to where its value lies."""
    tag, at = _varint(content, at, stop)
    wire = tag & 7
    if wire == _BYTES:
        length, at = _varint(content, at, stop)
    elif wire == _VARINT:
        length = _varint(content, at, stop)[1] - at
    elif wire in (_FIXED64, _FIXED32):
        length = 8 if wire == _FIXED64 else 4
    else:
        raise ExampleError(f"it is no tf.train.Example: a field is written in the way {wire}")
    if tag < 8 or length > stop - at:
        raise ExampleError("it is no tf.train.Example: a part of it ends behind its end")
    return tag >> 3, wire, at, at + length


def _varint(content: bytes, at: int, stop: int) -> tuple[int, int]:
    """The number of seven bits a byte that begins at *at*, and where it ends."""
    if at < stop and content[at] < 128:  # nearly always
        return content[at], at + 1
    number = shift = 0
    while at < stop and shift < 70:
        byte = content[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number % _LIMIT, at
        shift += 7
    raise ExampleError("it is no tf.train.Example: a number in it does not end")


def _packed(number: int) -> bytes:
    rest, packed = number % _LIMIT, bytearray()
    while rest > 127:
        packed.append(rest & 127 | 128)
        rest >>= 7
    packed.append(rest)
    return bytes(packed)


def _field(number: int, content: bytes) -> bytes:
    return _packed(number << 3 | _BYTES) + _packed(len(content)) + content
