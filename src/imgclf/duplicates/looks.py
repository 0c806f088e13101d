"""One decoded picture → what is kept of it to find its copies: 1.2 KB, whatever its size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ImageError
from ..store import cores

SIDE = 32
"""Side of the thumbnail in pixels: what pHash computes on, and enough to tell photographs apart."""

HASHED_FROM = 48
"""Shorter side in pixels from which a picture is hashed; below, the thumbnail is the picture, and hashes mislead."""

_TINTS = 4  # 4×4 colours per picture: enough to tell a red lamp from a green one
_INNER = 0.93  # share of width and height: a crop of 5 % on each side then stays within the hash's reach
_RUN = 16  # pictures in one task of a thread


class Look(NamedTuple):
    """What is kept of one picture.

    Attributes:
        digest: 16 bytes, equal for equal pixels only; a grey picture stored as RGB counts as grey.
        side: The shorter side in pixels.
        thumb: uint8 ``(32, 32)``: grey, stretched.
        tint: int8 ``(4, 4, 2)``: Cr and Cb, 0 for grey.
        hashes: uint64 ``(3,)``: pHash of the picture, its mirror image and its inner part; zeros if not ``hashed``.
    """

    digest: bytes
    side: int
    thumb: npt.NDArray[np.uint8]
    tint: npt.NDArray[np.int8]
    hashes: npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks of ``n`` pictures, as arrays: see :class:`Look`.

    Attributes:
        digests: n times 16 bytes; empty for a picture that could not be read.
        sides: int32 ``(n,)``.
        thumbs: uint8 ``(n, 32, 32)``.
        tints: int8 ``(n, 4, 4, 2)``.
        hashes: uint64 ``(n, 3)``.
    """

    digests: list[bytes]
    sides: npt.NDArray[np.int32]
    thumbs: npt.NDArray[np.uint8]
    tints: npt.NDArray[np.int8]
    hashes: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.digests)

    @classmethod
    def room_for(cls, count: int) -> Looks:
        """Room for *count* looks; one that :meth:`keep` does not fill resembles nothing."""
        return cls(
            digests=[b""] * count,
            sides=np.zeros(count, np.int32),
            thumbs=np.zeros((count, SIDE, SIDE), np.uint8),
            tints=np.zeros((count, _TINTS, _TINTS, 2), np.int8),
            hashes=np.zeros((count, 3), np.uint64),
        )

    def keep(self, position: int, one: Look) -> None:
        """Put the look *one* at *position*; threads may do so at once."""
        self.digests[position], self.sides[position] = one.digest, one.side
        self.thumbs[position], self.tints[position], self.hashes[position] = one.thumb, one.tint, one.hashes


def look(image: npt.NDArray[Any], *, near: bool = True) -> Look:
    """What is kept of *image*; safe to call from several threads.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, 1 or 3)``.
        near: False computes the digest only, which is all that exact copies need.

    Raises:
        ImageError: another type or shape.
    """
    pixels = _checked(image)
    side = int(min(pixels.shape[:2]))
    tint = np.zeros((_TINTS, _TINTS, 2), np.int8)
    hashes = np.zeros(3, np.uint64)
    if not near:
        return Look(_digest(_plain(pixels)), side, np.zeros((SIDE, SIDE), np.uint8), tint, hashes)
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)
    if small.shape[2] == 3:
        pixels = _plain(pixels) if (small == small[..., :1]).all() else pixels
        luma = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)
        colour = cv2.resize(luma, (_TINTS, _TINTS), interpolation=cv2.INTER_AREA)[..., 1:]
        tint = (colour.astype(np.int16) - 128).astype(np.int8)
        thumb = np.ascontiguousarray(luma[..., 0])
    else:
        thumb = small[..., 0]
    if side >= HASHED_FROM:
        hashes = np.array([_phash(thumb), _phash(thumb[:, ::-1]), _phash(_inner(thumb))], np.uint64)
    return Look(_digest(pixels), side, thumb, tint, hashes)


def look_at_all(images: Iterable[npt.NDArray[Any]], *, near: bool = True) -> Looks:
    """The looks of all *images*, in threads; an iterator is read some pictures at a time."""
    if isinstance(images, np.ndarray) and (images.ndim not in (3, 4) or images.dtype != np.uint8):
        raise ImageError(
            f"images are {images.dtype} of shape {images.shape}; expected uint8 (n, height, width, 1 or 3). Convert."
        )
    with ThreadPoolExecutor(cores()) as pool:
        runs = _runs(iter(images))
        looks: list[Look] = []
        while block := list(islice(runs, 4 * cores())):
            for done in pool.map(lambda run: [look(image, near=near) for image in run], block):
                looks += done
    kept = Looks.room_for(len(looks))
    for position, one in enumerate(looks):
        kept.keep(position, one)
    return kept


def _runs(images: Iterator[npt.NDArray[Any]]) -> Iterator[list[npt.NDArray[Any]]]:
    while run := list(islice(images, _RUN)):
        yield run


def _checked(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ImageError(
            f"a picture is {pixels.dtype} of shape {np.shape(image)}; expected uint8 (height, width, 1 or 3), all "
            "above 0. Decode it with imgclf.images.read_image."
        )
    return np.ascontiguousarray(pixels)


def _plain(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """*pixels*, with one channel if the three are equal."""
    if pixels.shape[2] == 3 and bool((pixels == pixels[..., :1]).all()):
        return np.ascontiguousarray(pixels[..., :1])
    return pixels


def _digest(pixels: npt.NDArray[np.uint8]) -> bytes:
    digest = hashlib.sha256(repr(pixels.shape).encode())  # twice as fast as BLAKE2 where the processor knows it
    digest.update(pixels.data)
    return digest.digest()[:16]


def _inner(thumb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    margin = (SIDE - 1) / 2 * (1 - _INNER)
    motion = np.array([[_INNER, 0, margin], [0, _INNER, margin]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(thumb, motion, (SIDE, SIDE), flags=flags), np.uint8)


def _phash(thumb: npt.NDArray[np.uint8]) -> int:
    """64 bits: which of the 8×8 lowest frequencies of the cosine transform lie above their median."""
    import imagehash

    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(thumb))).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
