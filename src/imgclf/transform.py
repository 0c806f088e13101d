"""One change of one picture: an affine map and two changes of grey level, done in one pass over uint8 pixels.

In: uint8 ``(height, width, channels)`` and a ``Transform``.  Out: a new array of the same shape.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from .errors import ImageError
from .images import Pixels

FillMode = Literal["nearest", "constant", "reflect", "wrap"]

_BORDERS = {
    "nearest": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}
_STILL = np.eye(2, 3)


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One draw: what is done to one picture, with the meaning of ``ImageDataGenerator.apply_transform``.

    The map leads from a pixel of the result to the place in the picture that it is taken from, about the picture's
    centre: zoom, then shear, then shift, then rotation.  So a positive ``tx`` moves the content to the left, and a
    zoom above 1 makes it smaller.

    Attributes:
        theta: Rotation in degrees; above 0 the content turns counter-clockwise.
        tx: Shift along the width in pixels.
        ty: Shift along the height in pixels.
        shear: Shear in degrees.
        zx: Zoom of the width.
        zy: Zoom of the height.
        flip_horizontal: Left becomes right, after all the rest.
        flip_vertical: Top becomes bottom, after all the rest.
        brightness: Factor of the grey levels.
        channel_shift: Added to the grey levels of all channels, within the picture's own darkest and brightest.
    """

    theta: float = 0.0
    tx: float = 0.0
    ty: float = 0.0
    shear: float = 0.0
    zx: float = 1.0
    zy: float = 1.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    brightness: float = 1.0
    channel_shift: float = 0.0

    def matrix(self, image_size: tuple[int, int]) -> npt.NDArray[np.float64]:
        """``(2, 3)``: from (column, row, 1) in the result to (column, row) in the picture of (height, width).

        >>> Transform(flip_horizontal=True).matrix((2, 5)) @ [0, 1, 1]
        array([4., 1.])
        """
        height, width = image_size
        # About the centre a flip is a zoom by −1, so it costs no second pass over the pixels.
        (a, b), (c, d) = self._linear(-1 if self.flip_horizontal else 1, -1 if self.flip_vertical else 1)
        x, y = (width - 1) / 2, (height - 1) / 2
        cos, sin = self._rotation()
        right = x - (a * x + b * y) + cos * self.tx - sin * self.ty
        down = y - (c * x + d * y) + sin * self.tx + cos * self.ty
        return np.array([[a, b, right], [c, d, down]])

    def to_keras(self, image_size: tuple[int, int]) -> dict[str, Any]:
        """The dictionary with which ``ImageDataGenerator.apply_transform`` gives the same picture.

        Keras (3.15) turns a picture that is not square about (height, width) / 2 taken as (column, row), which is not
        its centre; the shift is changed here to make up for it.
        """
        height, width = image_size
        (a, b), (c, d) = self._linear()
        off = (width - height) / 2
        right, down = off - (a - b) * off, -off - (c - d) * off
        cos, sin = self._rotation()
        return {
            "theta": self.theta,
            "tx": self.tx + cos * right + sin * down,
            "ty": self.ty - sin * right + cos * down,
            "shear": self.shear,
            "zx": self.zx,
            "zy": self.zy,
            "flip_horizontal": self.flip_horizontal,
            "flip_vertical": self.flip_vertical,
            "channel_shift_intensity": self.channel_shift or None,
            "brightness": None if self.brightness == 1 else self.brightness,
        }

    def _rotation(self) -> tuple[float, float]:
        angle = math.radians(self.theta)
        return math.cos(angle), math.sin(angle)

    def _linear(self, across: int = 1, down: int = 1) -> tuple[tuple[float, float], tuple[float, float]]:
        """Rotation · shear · zoom, multiplied out; Keras's shear turns one axis only: [[1, −sin], [0, cos]]."""
        cos, sin = self._rotation()
        angle = math.radians(self.theta + self.shear)
        zx, zy = self.zx * across, self.zy * down
        return (zx * cos, -zy * math.sin(angle)), (zx * sin, zy * math.cos(angle))


def apply_transform(image: npt.NDArray[np.uint8], transform: Transform, *, fill_mode: FillMode, cval: float) -> Pixels:
    """A new picture: *image* after *transform*; see :meth:`Augmentation.apply`, which checks the picture first."""
    height, width = image.shape[:2]
    matrix = transform.matrix((height, width))
    if np.array_equal(matrix, _STILL):
        moved = np.array(image)
    else:
        pixels = np.ascontiguousarray(image)
        colour = pixels.shape[2] == 3
        moved = cv2.warpAffine(
            cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA) if colour else pixels,  # four channels take a quarter less time
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=_BORDERS[fill_mode],
            borderValue=(cval,) * 4,
        )
        moved = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB) if colour else moved
    return _recoloured(moved, transform).reshape(image.shape)  # OpenCV drops the axis of a single channel


class OneThread:
    """While anyone is inside, OpenCV works on the caller's thread; the last one out restores the user's number.

    OpenCV 5 splits even a picture of 150 × 150 over all cores, which only gets in the way of callers with threads of
    their own.  The number is the process's, so it is neither set for good nor by each thread for itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.setNumThreads(self._before)


ONE_THREAD = OneThread()


def checked_pixels(images: npt.NDArray[Any], expected: str) -> Pixels:
    """*images* as an array, or ``ImageError`` unless it is uint8 with the axes of *expected* and 1 to 4 channels."""
    pixels = np.asarray(images)
    if pixels.dtype != np.uint8:
        raise ImageError(f"pixels are {pixels.dtype}; expected uint8 from 0 to 255. Augment before scaling.")
    axes = expected.count(",") + 1
    if pixels.ndim != axes or not 1 <= pixels.shape[-1] <= 4 or 0 in pixels.shape[-3:]:
        raise ImageError(f"the array has the shape {pixels.shape}; expected {expected}, with 1 to 4 channels.")
    return pixels


def _recoloured(pixels: Pixels, transform: Transform) -> Pixels:
    """Channel shift, then brightness, through one table of 256 entries."""
    if transform.channel_shift == 0 and transform.brightness == 1:
        return pixels
    table = np.arange(256.0)
    if transform.channel_shift:
        table = np.clip(table + transform.channel_shift, pixels.min(), pixels.max())
    table = np.clip(np.rint(table * transform.brightness), 0, 255)
    coloured: Pixels = cv2.LUT(pixels, table.astype(np.uint8))
    return coloured
