"""One picture: file or bytes → uint8 ``(height, width, channels)``, and the shape that a network wants.

The same two functions prepare a picture for training, prediction and explanation, so that the three cannot differ:
``read_image`` decodes (the policy is in ``decoding``), ``fit_image`` brings the result to an ``ImageSpec``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from . import opening
from .decoding import orientation_of, pixels_of
from .errors import ImageError, OptionError
from .formats import SUFFIXES_OF
from .opening import check_pixels, explained, named, opened
from .pillow_settings import pinned
from .skeleton import gif_blocks, png_has_tail

ColorMode = Literal["rgb", "grayscale"]
Fit = Literal["stretch", "crop", "pad"]
Pixels = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
"""The endings, in any case, by which a source knows a picture among other files."""

_GIVEN = threading.Lock()
_MANY_PIXELS = 32_000_000
_LARGE = threading.BoundedSemaphore(2)  # pictures of so many at a time: one of 80 million takes 0.6 to 1.3 GB


def _forget_threads() -> None:
    """In a forked process: whoever held a lock stayed behind, and would never let it go."""
    global _GIVEN, _LARGE
    _GIVEN, _LARGE = threading.Lock(), threading.BoundedSemaphore(2)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@dataclass(frozen=True)
class ImageSpec:
    """What a network takes: the preprocessing contract, saved with the model.

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
    with explained(name, content), opened(content) as picture:
        large = picture.width * picture.height > _MANY_PIXELS
        with _LARGE if large else contextlib.nullcontext():
            return pixels_of(picture, content)


@dataclass(frozen=True)
class ImageFacts:
    """What a picture file says about itself, read without decoding its pixels.

    Attributes:
        format: ``"JPEG"``, ``"MPO"``, ``"PNG"``, ``"GIF"``, ``"BMP"`` or ``"WEBP"``, told by content.
        mode: Pillow's name of the stored pixel format: ``"RGB"``, ``"L"``, ``"P"``, ``"CMYK"``, ``"I;16"`` …
        size: ``(height, width)`` in pixels as :func:`read_image` gives them, upright.
        frames: How many pictures the file holds; :func:`read_image` takes the first.
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
    """The facts of a picture, read from its header: much cheaper than :func:`read_image`, and no proof that it decodes.

    Raises:
        ImageError: as :func:`read_image` does, for what shows without decoding.
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

    Args:
        image: uint8 ``(height, width)`` or ``(height, width, 1 or 3)``.
        spec: What is wanted.

    Raises:
        ImageError: another type, number of axes or channels.
    """
    pixels = _checked(image)
    color_mode: ColorMode = "rgb" if pixels.shape[2] == 3 else "grayscale"
    if pixels.shape == spec.shape:
        return pixels
    picture = Image.fromarray(pixels[..., 0] if color_mode == "grayscale" else pixels)
    if color_mode != spec.color_mode:
        picture = picture.convert("RGB" if spec.color_mode == "rgb" else "L")
    resized = np.asarray(_resized(picture, spec))
    return np.ascontiguousarray(resized.reshape(spec.shape))


def _checked(image: npt.NDArray[Any]) -> Pixels:
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


def _resized(picture: Image.Image, spec: ImageSpec) -> Image.Image:
    height, width = spec.image_size
    wanted = (width, height)
    if spec.fit == "stretch":
        return picture.resize(wanted, Image.Resampling.BILINEAR)
    scales = (width / picture.width, height / picture.height)
    if spec.fit == "crop":
        scale = max(scales)
        across, down = width / scale, height / scale
        left, top = (picture.width - across) / 2, (picture.height - down) / 2
        box = (max(left, 0), max(top, 0), min(left + across, picture.width), min(top + down, picture.height))
        return picture.resize(wanted, Image.Resampling.BILINEAR, box=box)
    scale = min(scales)
    inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    canvas = Image.new(picture.mode, wanted)
    canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def _is_size(side: object) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and bool(side >= 1)
