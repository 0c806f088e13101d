"""Where each weight of a network lies in the HDF5 file that Keras writes, so that reading needs no HDF5.

In: a model and the HDF5 text that Keras made of it.  Out: an index, one entry per weight; and with the index the
weights back, as plain arrays cut from the file.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
"""What weights are made of; bfloat16 is none of NumPy's."""

_MOST, _MOST_WEIGHTS, _MOST_AXES = 100_000, 20_000, 8


@dataclass(frozen=True)
class Place:
    """One weight: its type, its shape, and where in the file it begins; how long it is follows from these."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.elements * np.dtype(self.dtype).itemsize

    def to_list(self) -> list[Any]:
        """The record as JSON holds it."""
        return [self.dtype, list(self.shape), self.offset]


def places_of(model: keras.Model, content: bytes) -> tuple[Place, ...] | None:
    """Where the weights of *model*, in the order of ``model.weights``, lie in *content*, HDF5 that Keras wrote.

    They are found by type, shape and bytes, and so whatever Keras calls them.  None where one is not found, or the file
    holds more than the weights: then reading the weights would not be all.  A weight may stand there several times, as
    where a layer wraps another and both call it theirs.
    """
    found: dict[tuple[str, tuple[int, ...], bytes], list[int]] = {}
    for array in _arrays(content):
        if array.dtype not in DTYPES or array.offset is None:
            return None
        part = memoryview(content)[array.offset : array.offset + array.size]
        found.setdefault((array.dtype, array.shape, hashlib.sha256(part).digest()), []).append(array.offset)
    places, seen = [], set()
    for weight in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).reshape(weight.shape)
        content_hash = hashlib.sha256(values.reshape(-1).view(np.uint8).data).digest()
        form = (str(values.dtype), values.shape, content_hash)
        if not (offsets := found.get(form)):
            return None
        seen.add(form)
        places.append(Place(str(values.dtype), values.shape, offsets.pop(0)))
    return None if any(offsets for form, offsets in found.items() if form not in seen) else tuple(places)


def check_places(content: object, size: int) -> tuple[Place, ...]:
    """The index that a file holds, once it fits a member of *size* bytes.

    Raises:
        ValueError: it is no index, leads outside, or two weights share bytes.
    """
    if not isinstance(content, list) or len(content) > _MOST_WEIGHTS:
        raise ValueError(f"expected a list of at most {_MOST_WEIGHTS:,} weights")
    places = tuple(_checked(number, entry, size) for number, entry in enumerate(content))
    end = 0
    for place in sorted((place for place in places if place.elements), key=lambda place: place.offset):
        if place.offset < end:
            raise ValueError(f"two weights share the bytes at {place.offset:,}")
        end = place.end
    return places


def fits(model: keras.Model, places: Sequence[Place]) -> str | None:
    """What differs between the weights of *model* and those of *places*; None where nothing does."""
    if len(model.weights) != len(places):
        return f"the network has {len(model.weights)} weights and the file {len(places)}"
    for weight, place in zip(model.weights, places, strict=True):
        shape, dtype = tuple(int(size) for size in weight.shape), keras.backend.standardize_dtype(weight.dtype)
        if (shape, dtype) != (place.shape, place.dtype):
            return f"{weight.path!r} is {dtype} {shape} in the network and {place.dtype} {place.shape} in the file"
    return None


def set_weights(model: keras.Model, places: Iterable[Place], content: bytes) -> None:
    """Give *model* its weights from *content*; each is copied alone, so that no second set is held."""
    for weight, place in zip(model.weights, places, strict=True):
        weight.assign(array_at(place, content))


def array_at(place: Place, content: bytes) -> npt.NDArray[Any]:
    """The weight at *place*, an array of its own."""
    form = np.dtype(place.dtype).newbyteorder("<")
    array = np.frombuffer(content, form, place.elements, place.offset if place.elements else 0)
    return array.reshape(place.shape).astype(place.dtype)


def check_hdf5(content: bytes) -> None:
    """Refuse HDF5 of which arrays lie in other files, or unpack to far more than *content* itself.

    Raises:
        ValueError: it says which.
    """
    total = sum(array.size for array in _arrays(content))
    if total > 2 * len(content):
        raise ValueError(f"the weights unpack to {total:,} bytes from {len(content):,}")


def check_extent(content: bytes) -> None:
    """Refuse weights that do not end where HDF5 says that it ends: behind it there is room for others.

    Only the first bytes are read, where HDF5 states its form, its beginning and its end.

    Raises:
        ValueError: it says so, or it is no HDF5 as Keras writes it.
    """
    version = content[8] if content.startswith(b"\x89HDF\r\n\x1a\n") and len(content) > 48 else None
    if version == 0 and content[13] == 8:
        start, _, end = struct.unpack_from("<3Q", content, 24)
    elif version in (2, 3) and content[9] == 8:
        start, _, end = struct.unpack_from("<3Q", content, 12)
    else:
        raise ValueError("its weights are no HDF5 as Keras writes it")
    if (start, end) != (0, len(content)):
        raise ValueError(f"its weights have {len(content):,} bytes, and by their own head go from {start:,} to {end:,}")


def _checked(number: int, entry: object, size: int) -> Place:
    if not isinstance(entry, list) or len(entry) != 3 or not isinstance(entry[1], list):
        raise ValueError(f"weight {number} is not described as imgclf describes one")
    dtype, shape, offset = entry
    whole = all(type(value) is int and 0 <= value <= size for value in (*shape, offset))
    if dtype not in DTYPES or not whole or len(shape) > _MOST_AXES:
        raise ValueError(f"weight {number} is {str(entry)[:80]}")
    place = Place(dtype, tuple(shape), offset)
    if place.end > size:
        raise ValueError(f"weight {number} ends at {place.end:,}, behind the {size:,} bytes of the weights")
    return place


@dataclass(frozen=True)
class _Array:
    """An array in HDF5 text; the offset is None where it is not one stretch of it."""

    dtype: str
    shape: tuple[int, ...]
    offset: int | None
    size: int


def _arrays(content: bytes) -> list[_Array]:
    """Every array in HDF5 text.

    Raises:
        ValueError: it is no HDF5, or something in it lies in another file.
    """
    import h5py

    found: list[_Array] = []
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            groups, seen = [file], {_address(file)}
            while groups:
                group = groups.pop()
                for name in group:
                    if not isinstance(group.get(name, getlink=True), h5py.HardLink) or len(seen) > _MOST:
                        raise ValueError(f"the weights hold a link, or too many parts, at {name!r}")
                    part = group[name]
                    if (address := _address(part)) in seen:
                        raise ValueError(f"the weights hold a second name for one part, {name!r}")
                    seen.add(address)
                    if isinstance(part, h5py.Group):
                        groups.append(part)
                    else:
                        found.append(_array(part))
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"the weights are no HDF5 that can be read: {error}") from None
    return found


def _address(part: Any) -> int:
    """Where a group or an array stands in its file: two names for one are a link too, and may go round in a circle."""
    import h5py

    return int(h5py.h5o.get_info(part.id).addr)


def _array(part: Any) -> _Array:
    import h5py

    if part.is_virtual or part.external:
        raise ValueError(f"the weights at {part.name!r} lie in another file")
    offset = part.id.get_offset() if part.size else 0
    if part.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        offset = None
    dtype = "bfloat16" if part.attrs.get("dtype") == "bfloat16" else str(part.dtype)
    return _Array(dtype, tuple(part.shape), offset, part.size * part.dtype.itemsize)
