"""``tf.train.Example``, the message in a record: named features, each a list of bytes, floats or whole numbers.

In: bytes.  Out: its features, by name; and back.  Written by hand for this one message of protobuf::

    Example  { Features features = 1; }
    Features { map<string, Feature> feature = 1; }
    Feature  { BytesList = 1 | FloatList = 2 | Int64List = 3, each with repeated value = 1 }
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

Kind = Literal["bytes", "floats", "integers", "nothing"]

_KINDS: dict[int, Kind] = {1: "bytes", 2: "floats", 3: "integers"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # how a field is written
_LIMIT = 2**64


class ExampleError(ValueError):
    """Bytes that are no such message."""


class Feature(NamedTuple):
    """One feature; its values are not yet taken apart, and a picture is copied once.

    Attributes:
        content: The whole message.
        kind: What it is a list of.
        parts: From where to where the list lies in the message; it may be written in several parts.
    """

    content: bytes
    kind: Kind
    parts: Sequence[tuple[int, int]]

    def texts(self, most: int | None = None) -> list[bytes]:
        """The first *most* values of the list, or all; empty if it is of something else than bytes."""
        return list(islice(self._texts(), most)) if self.kind == "bytes" else []

    def integers(self, most: int | None = None) -> list[int]:
        """The first *most* values of the list, or all; empty if it is of something else than whole numbers."""
        return list(islice(self._integers(), most)) if self.kind == "integers" else []

    def _texts(self) -> Iterator[bytes]:
        for start, stop in self.parts:
            for number, wire, begin, end in _fields(self.content, start, stop):
                if (number, wire) == (1, _BYTES):
                    yield self.content[begin:end]

    def _integers(self) -> Iterator[int]:
        for start, stop in self.parts:
            for number, wire, begin, end in _fields(self.content, start, stop):
                at = begin
                while number == 1 and wire in (_VARINT, _BYTES) and at < end:  # one number, or many packed
                    value, at = _varint(self.content, at, end)
                    yield value - _LIMIT if value >= _LIMIT // 2 else value


NOTHING = Feature(b"", "nothing", ())
"""A feature without a list, as one that is not there."""


def parse_example(content: bytes, wanted: Collection[str] | None = None) -> dict[str, Feature]:
    r"""The features of a message, by name.  As in protobuf, of two with one name the last counts.

    Args:
        content: The message.
        wanted: The names to look for; the other features are passed over.  None: all.

    Raises:
        ExampleError: it is no such message: cut off, lengths beyond its end, a name that is no UTF-8.

    >>> features = parse_example(dump_example({"label": [3], "image": [b"\x89PNG"]}))
    >>> features["label"].integers(), features["image"].texts()
    ([3], [b'\x89PNG'])
    """
    names = None if wanted is None else {name.encode() for name in wanted}
    found: dict[str, Feature] = {}
    for number, wire, start, stop in _fields(content, 0, len(content)):
        at = start if (number, wire) == (1, _BYTES) else stop
        while at < stop:
            inner, how, begin, at = _field_at(content, at, stop)
            if inner == 1 and how == _BYTES and (names is None or not _is_another(content, begin, at, names)):
                name, begin, end = _entry(content, begin, at)
                if names is None or name in names:
                    found[_text(name)] = _feature(content, begin, end)
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


def _is_another(content: bytes, at: int, stop: int, names: Collection[bytes]) -> bool:
    """Whether a feature begins with a short name that is none of *names*: most do, and are passed over at once."""
    if stop - at < 2 or content[at] != 1 << 3 | _BYTES or content[at + 1] > 127:
        return False
    return content[at + 2 : at + 2 + content[at + 1]] not in names


def _entry(content: bytes, at: int, stop: int) -> tuple[bytes, int, int]:
    """The name of a feature, and from where to where it lies."""
    if at == stop:
        return b"", at, stop
    number, wire, start, middle = _field_at(content, at, stop)
    if number == 1 and wire == _BYTES and middle < stop:  # nearly always: a name, a feature, and nothing else
        number, wire, begin, end = _field_at(content, middle, stop)
        if number == 2 and wire == _BYTES and end == stop:
            return content[start:middle], begin, end
    name, places = b"", []
    for number, wire, begin, end in _fields(content, at, stop):
        if number == 1 and wire == _BYTES:
            name = content[begin:end]
        elif number == 2 and wire == _BYTES:
            places.append((begin, end))
    if len(places) > 1:  # protobuf would join them; nobody writes this
        raise ExampleError(f"its feature {name[:40]!r} stands in {len(places):,} parts, and one is expected")
    return name, *(places[0] if places else (at, at))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ExampleError(f"a feature is called {name[:40]!r}, which is no text") from None


def _feature(content: bytes, at: int, stop: int) -> Feature:
    """As in protobuf, lists of one kind are joined, and one of another kind takes the place of those before."""
    if at < stop:
        number, wire, begin, end = _field_at(content, at, stop)
        if wire == _BYTES and number in _KINDS and end == stop:  # nearly always
            return Feature(content, _KINDS[number], ((begin, end),))
    kind: Kind = "nothing"
    parts: list[tuple[int, int]] = []
    for number, wire, begin, end in _fields(content, at, stop):
        if wire == _BYTES and number in _KINDS:
            if kind != _KINDS[number]:
                kind, parts = _KINDS[number], []
            parts.append((begin, end))
    return Feature(content, kind, parts)


def _fields(content: bytes, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Every field of the message from *at* to *stop*; see :func:`_field_at`."""
    while at < stop:
        field = _field_at(content, at, stop)
        yield field
        at = field[3]


def _field_at(content: bytes, at: int, stop: int) -> tuple[int, int, int, int]:
    """The field that begins at *at*: its number, how it is written, and from where to where its value lies."""
    tag = content[at]
    if tag & 0x87 == _BYTES and tag > 7 and at + 1 < stop and (length := content[at + 1]) < 128:  # nearly always
        end = at + 2 + length
        if end <= stop:
            return tag >> 3, _BYTES, at + 2, end
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
