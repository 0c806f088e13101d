"""One picture: file or bytes → uint8 ``(height, width, channels)``, and the shape that a network wants.

The same two functions prepare a picture for training, prediction and explanation, so that the three cannot differ:
``read_image`` decodes (the policy is written there), ``fit_image`` brings the result to an ``ImageSpec``.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from .errors import ImageError, OptionError

ColorMode = Literal["rgb", "grayscale"]
Fit = Literal["stretch", "crop", "pad"]
Pixels = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
"""The endings, in any case, by which a source knows a picture among other files."""

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded, in pixels: below Pillow's own warning at 89 million, above any phone's default."""

# Decoders are tried by a file's content, never by its suffix, and only these: the formats of photographs and
# screenshots.  Phones write MPO under .jpg: the decoder of JPEG opens it (naming "MPO" here is a KeyError).  Pillow's
# advisories cluster in formats nobody trains on.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
_ORIENTATION = 0x0112  # EXIF tag; 2 to 8 say how to turn the stored picture to see it upright
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GIVEN = threading.Lock()
_GREY = frozenset({"1", "L", "LA", "La"})


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

    Args:
        source: A path to a regular file, the bytes of one, or a Pillow picture.

    Raises:
        ImageError: it is missing, no regular file, not of a known format, damaged, larger than ``MAX_PIXELS``, or in
            a pixel format without a known range.
    """
    name, content = "this picture", b""
    if not isinstance(source, Image.Image):
        name = "these bytes" if isinstance(source, bytes) else repr(os.fspath(source))
        content = source if isinstance(source, bytes) else _file_content(Path(source), name)
    try:
        with _opened(source, content) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ImageError(
                    f"{name} has {picture.width} × {picture.height} pixels, more than the {MAX_PIXELS:,} that are "
                    "decoded. Make it smaller first."
                )
            picture.load()
            return np.ascontiguousarray(_upright(picture, _visible(picture)))
    except ImageError as error:
        raise error if name in str(error) else ImageError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        raise ImageError(
            f"{name} is no picture of a known format ({', '.join(_FORMATS)}), whatever its name says; it begins with "
            f"{content[:8]!r}. Convert it, or remove it."
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to decode: {error}. Make it smaller first.") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        cause = str(error) or type(error).__name__
        raise ImageError(f"{name} is damaged and cannot be decoded: {cause}. Restore it, or remove it.") from error


@contextlib.contextmanager
def _opened(source: object, content: bytes) -> Iterator[Image.Image]:
    if isinstance(source, Image.Image):
        with _GIVEN:  # one that is not loaded yet reads from one file, whichever threads ask
            yield source
    else:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            yield picture


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


def _visible(picture: Image.Image) -> Image.Image:
    """*picture* in mode L or RGB, over white where it is transparent."""
    if picture.mode.startswith("I"):
        return _scaled_16_bit(picture)
    if picture.mode == "F":
        raise ImageError("its pixels are floating-point numbers of unknown range. Save it with 8 bits per channel.")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(white, over).convert("RGB")
        return flat.convert("L") if picture.mode in _GREY else flat
    return picture.convert("L" if picture.mode in _GREY else "RGB")


def _scaled_16_bit(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError("its pixels have 32 bits and an unknown range. Save it with 8 or 16 bits per channel.")
    scaled = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 → 255, rounded
    if isinstance(clear := picture.info.get("transparency"), int):
        scaled[values == clear] = 255
    return Image.fromarray(scaled)


def _upright(original: Image.Image, visible: Image.Image) -> Pixels:
    try:
        turn = _TURN.get(int(original.getexif().get(_ORIENTATION, 1)))
    except Exception:  # damaged EXIF says nothing about the pixels, which decoded well
        turn = None
    pixels = np.asarray(visible if turn is None else visible.transpose(turn))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _file_content(path: Path, name: str) -> bytes:
    try:
        # Without O_NONBLOCK, opening a named pipe waits for a writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        cause = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be opened: {cause}. Check the path and its permissions.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ImageError(f"{name} is no regular file. Give the path of a picture.")
    with os.fdopen(handle, "rb") as file:
        content = file.read()
    if not content:
        raise ImageError(f"{name} is empty (0 bytes). Restore it, or remove it.")
    return content


def _is_size(side: object) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and bool(side >= 1)
