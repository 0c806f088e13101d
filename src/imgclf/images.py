"""One picture: file or bytes → uint8 ``(height, width, channels)``, and the shape that a network wants.

One function prepares a file for training, prediction and explanation, so that the three cannot differ:
``prepare_image``.  ``read_image`` gives all the pixels of a file (the policy is in ``decoding``), and ``fit_image``
brings an array to an ``ImageSpec``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from . import opening
from .decoding import Upright, orientation_of, pixels_of, upright
from .errors import ImageError, OptionError
from .formats import SUFFIXES_OF
from .opening import Room, check_pixels, explained, named, opened
from .pillow_settings import pinned
from .skeleton import gif_blocks, png_has_tail

ColorMode = Literal["rgb", "grayscale"]
Fit = Literal["stretch", "crop", "pad"]
Pixels = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
"""The endings, in any case, by which a source knows a picture among other files."""

_GIVEN = threading.Lock()
_MANY_PIXELS = 32_000_000  # decoded at a time, by all threads together; Pillow takes 4 bytes for each, sometimes 8
_ROOM = Room(_MANY_PIXELS)


def _forget_threads() -> None:
    """In a forked process: whoever held a lock stayed behind, and would never let it go."""
    global _GIVEN, _ROOM
    _GIVEN, _ROOM = threading.Lock(), Room(_MANY_PIXELS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@dataclass(frozen=True)
class ImageSpec:
    """What a network takes: the preprocessing contract, saved with the model.

    >>> ImageSpec((150, 200)).shape
    (150, 200, 3)
    >>> ImageSpec((28, 28), color_mode="grayscale").shape
    (28, 28, 1)

    Attributes:
        image_size: ``(height, width)`` in pixels.
        color_mode: ``"rgb"`` (3 channels) or ``"grayscale"`` (1).
        fit: How a picture of another shape gets there: ``"stretch"`` changes the aspect, ``"crop"`` keeps the largest
            centred part of the right aspect, ``"pad"`` keeps all of it between black bars.

    Raises:
        OptionError: a size below 1, an unknown colour mode or fit.
    """

    image_size: tuple[int, int]
    color_mode: ColorMode = "rgb"
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        size = self.image_size
        if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(_is_size(side) for side in size):
            raise OptionError(f"image_size is {size!r}; expected (height, width), two whole numbers of at least 1.")
        object.__setattr__(self, "image_size", (int(size[0]), int(size[1])))
        for name, value, known in (("color_mode", self.color_mode, ColorMode), ("fit", self.fit, Fit)):
            if value not in get_args(known):
                raise OptionError(f"{name} is {value!r}; expected one of {get_args(known)}.")

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for grey."""
        return 3 if self.color_mode == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of one picture."""
        return (*self.image_size, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return {"image_size": list(self.image_size), "color_mode": self.color_mode, "fit": self.fit}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ImageSpec:
        """The record from what :meth:`to_dict` gave."""
        return cls(image_size=tuple(content["image_size"]), color_mode=content["color_mode"], fit=content["fit"])


def read_image(source: str | os.PathLike[str] | bytes | Image.Image) -> Pixels:
    """The picture as a person sees it: uint8 ``(height, width, 3)``, or ``(height, width, 1)`` where it is grey.

    EXIF orientation is applied; what is transparent lies over white; 16-bit grey is scaled to 8 (divided by 257);
    CMYK and palettes become RGB; of several frames the first counts.  The format is told by content, not by suffix.
    The whole policy is a table in the documentation.

    Args:
        source: A path to a regular file, the bytes of one, or a Pillow picture.

    Raises:
        ImageError: it is missing, no regular file, not of a known format, truncated, damaged, larger than
            ``MAX_PIXELS`` or ``MAX_BYTES``, or in a pixel format without a known range.
    """
    if isinstance(source, Image.Image):
        with explained("this picture", b""), _GIVEN, pinned(opening.MAX_PIXELS):
            check_pixels(source)  # the lock: one that is not loaded yet reads from one file, whichever threads ask
            return pixels_of(source)
    name, content = named(source)
    with explained(name, content), opened(content) as picture, _ROOM.of(picture.width * picture.height):
        return pixels_of(picture, content)


def prepare_image(source: str | os.PathLike[str] | bytes | Image.Image, spec: ImageSpec) -> Pixels:
    """The picture as *spec* wants it: uint8 ``spec.shape``.

    It is :func:`read_image`, then :func:`fit_image`, and gives the same pixels, a JPEG apart that is at least twice as
    high and as wide as wanted: it is decoded at a half, a quarter or an eighth of its size, never below the size
    wanted.  That takes half the time or less; the pixels differ by about one grey level on average, and 999 of 1,000 by
    at most 17.  Training, prediction and explanation all prepare a file here, and see the same.

    Args:
        source: A path to a regular file or the bytes of one; or a Pillow picture, which is taken at its full size.
        spec: What is wanted.

    Raises:
        ImageError: as :func:`read_image`.
    """
    if isinstance(source, Image.Image):
        return fit_image(read_image(source), spec)
    name, content = named(source)
    with explained(name, content), opened(content) as picture:
        scale = _scale_of(picture, spec)
        pixels = picture.width * picture.height
        with _ROOM.of(_held(pixels, scale, progressive="progressive" in picture.info)):
            return _fitted(upright(picture, content, scale), spec)


@dataclass(frozen=True)
class ImageFacts:
    """What a picture file says about itself, read without decoding its pixels.

    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("L", (30, 20)).save(file, "PNG")
    >>> facts = inspect_image(file.getvalue())
    >>> facts.format, facts.mode, facts.size, facts.frames
    ('PNG', 'L', (20, 30), 1)

    Attributes:
        format: ``"JPEG"``, ``"MPO"``, ``"PNG"``, ``"GIF"``, ``"BMP"`` or ``"WEBP"``, told by content.
        mode: Pillow's name of the stored pixel format: ``"RGB"``, ``"L"``, ``"P"``, ``"CMYK"``, ``"I;16"`` …
        size: ``(height, width)`` in pixels as :func:`~imgclf.images.read_image` gives them, upright.
        frames: How many pictures the file holds; :func:`~imgclf.images.read_image` takes the first.
        orientation: EXIF's 1 to 8; 1 where it says nothing.
        bytes: Size of the file.
    """

    format: str
    mode: str
    size: tuple[int, int]
    frames: int
    orientation: int
    bytes: int

    def suits(self, path: str | os.PathLike[str]) -> bool:
        """Whether the ending of *path* is one of this format."""
        return os.path.splitext(os.fspath(path))[1].lower() in SUFFIXES_OF[self.format]  # noqa: PTH122


def inspect_image(source: str | os.PathLike[str] | bytes) -> ImageFacts:
    """The facts of a picture, read from its header: much cheaper than to decode it, and no proof that it can be.

    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (30, 20)).save(file, "JPEG")
    >>> inspect_image(file.getvalue()).size
    (20, 30)

    Raises:
        ImageError: as :func:`~imgclf.images.read_image` does, for what shows without decoding.
    """
    name, content = named(source)
    with explained(name, content), opened(content) as picture:
        if picture.format == "PNG" and png_has_tail(content):
            picture.load()
        orientation = orientation_of(picture)
        size = (picture.width, picture.height) if orientation > 4 else (picture.height, picture.width)
        kind = str(picture.format)
        frames = gif_blocks(content)[0] if kind == "GIF" else getattr(picture, "n_frames", 1)
        return ImageFacts(kind, picture.mode, size, int(frames), orientation, len(content))


def fit_image(image: npt.NDArray[Any], spec: ImageSpec) -> Pixels:
    """The picture as *spec* wants it: uint8 ``spec.shape``.

    Sizes change by Pillow's bilinear filter, which averages when it shrinks.  Grey becomes RGB by repeating, RGB
    becomes grey by ITU-R 601-2 luma, as in Pillow.

    An array that :func:`read_image` gave comes out a little otherwise than its file does by :func:`prepare_image`,
    where that is a JPEG decoded small.

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, 1 or 3)``.
        spec: What is wanted.

    Raises:
        ImageError: another type, number of axes or channels.
    """
    pixels = checked_pixels(image)
    if pixels.shape == spec.shape:
        return pixels
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return _fitted(Upright(picture, picture.size, 1, 0.0, 0.0), spec)


def checked_pixels(image: npt.NDArray[Any]) -> Pixels:
    """*image* as uint8 ``(height, width, 1 or 3)``, once it is a picture; grey may come without its last axis.

    Raises:
        ImageError: another type, number of axes or channels.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:
        unit = pixels.dtype.kind == "f" and pixels.size > 0 and float(pixels.max()) <= 1
        hint = "Multiply by 255, round and convert" if unit else "Round and convert"
        raise ImageError(
            f"pixels are {pixels.dtype}; expected uint8 from 0 to 255. {hint}: the network does its own scaling."
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ImageError(f"the array has the shape {np.shape(image)}; expected (height, width, 1 or 3), all above 0.")
    return pixels


def _held(pixels: int, scale: int, *, progressive: bool) -> int:
    """How many pixels' room decoding takes: a progressive JPEG's coefficients are held at any scale, half as large."""
    return max(pixels // 2, pixels // scale**2) if progressive else pixels // scale**2


def _scale_of(picture: Image.Image, spec: ImageSpec) -> int:
    """How many times smaller *picture* may be decoded without being smaller than wanted: 1; for a JPEG also 2, 4, 8."""
    if picture.format not in {"JPEG", "MPO"}:
        return 1
    size = (picture.height, picture.width) if orientation_of(picture) > 4 else picture.size
    (left, top, right, bottom), (across, down) = _taken(size, spec)
    times = min((right - left) / across, (bottom - top) / down)
    return next((scale for scale in (8, 4, 2) if scale <= times), 1)


def _taken(size: tuple[int, int], spec: ImageSpec) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """Which part of a picture of *size* ``(width, height)`` is taken, and the (width, height) that it gets."""
    (width, height), (high, wide) = size, spec.image_size
    whole = (0.0, 0.0, float(width), float(height))
    if spec.fit == "stretch":
        return whole, (wide, high)
    if spec.fit == "crop":
        scale = max(wide / width, high / height)
        across, down = wide / scale, high / scale
        left, top = (width - across) / 2, (height - down) / 2
        return (max(left, 0), max(top, 0), min(left + across, width), min(top + down, height)), (wide, high)
    fraction = min(Fraction(wide, width), Fraction(high, height))  # of floats, some halves would round the other way
    return whole, (max(1, round(width * fraction)), max(1, round(height * fraction)))


def _fitted(given: Upright, spec: ImageSpec) -> Pixels:
    picture, size, scale, left, top = given
    mode = "RGB" if spec.color_mode == "rgb" else "L"
    picture = picture if picture.mode == mode else picture.convert(mode)
    part, inner = _taken(size, spec)
    box = (left + part[0] / scale, top + part[1] / scale, left + part[2] / scale, top + part[3] / scale)
    picture = picture.resize(inner, Image.Resampling.BILINEAR, box=box)
    if inner != (spec.image_size[1], spec.image_size[0]):
        canvas = Image.new(mode, (spec.image_size[1], spec.image_size[0]))
        canvas.paste(picture, ((canvas.width - inner[0]) // 2, (canvas.height - inner[1]) // 2))
        picture = canvas
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(spec.shape)


def _is_size(side: object) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and bool(side >= 1)
