"""Other versions of a picture, the same on every backend: turned, shifted, sheared, zoomed, flipped, lightened.

An ``Augmentation`` says from which ranges to draw, with the names of Keras's ``ImageDataGenerator``; a ``Transform``
is one draw, keyed by (seed, epoch, index) and nothing else.  However much it does, it is one affine map of uint8
pixels, so each picture is interpolated once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from .errors import DatasetError, OptionError, UnknownNameError, unknown_name
from .images import Pixels
from .tables import Table, page
from .transform import ONE_THREAD, FillMode, Transform, apply_transform, checked_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LIMITS = {  # lowest, highest, unit
    "rotation_range": (0.0, 360.0, "degrees"),
    "width_shift_range": (0.0, math.inf, "(below 1: of the width, else pixels)"),
    "height_shift_range": (0.0, math.inf, "(below 1: of the height, else pixels)"),
    "shear_range": (0.0, 89.0, "degrees"),
    "cval": (0.0, 255.0, "grey levels"),
    "channel_shift_range": (0.0, 255.0, "grey levels"),
}
_PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "dogs_vs_cats": {
        "rotation_range": 15,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "shear_range": 0.1,
        "zoom_range": 0.2,
        "horizontal_flip": True,
    },
    "cat_dog_small": {
        "rotation_range": 20,
        "width_shift_range": 0.1,
        "zoom_range": 0.1,
        "horizontal_flip": True,
        "vertical_flip": True,
    },
    "vgg16": {"rotation_range": 40, "shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True},
    "book": {
        "rotation_range": 40,
        "width_shift_range": 0.2,
        "height_shift_range": 0.2,
        "shear_range": 0.2,
        "zoom_range": 0.2,
        "horizontal_flip": True,
    },
    "mnist": {"rotation_range": 10, "width_shift_range": 0.1, "height_shift_range": 0.1, "zoom_range": 0.1},
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The ranges from which a picture's versions are drawn: ``ImageDataGenerator``'s names and meaning.

    >>> augmentation = Augmentation(rotation_range=40, horizontal_flip=True)
    >>> images = np.zeros((2, 32, 32, 3), np.uint8)
    >>> augmentation(images, seed=0, epoch=0, indices=[0, 1]).shape
    (2, 32, 32, 3)

    Where Keras (3.15) departs from its own words, the words hold here: ``width_shift_range`` moves a picture along
    its width (Keras exchanges the two shifts), and a picture that is not square turns about its centre.

    Attributes:
        rotation_range: Degrees, 0 to 360; drawn from −r to r.
        width_shift_range: Below 1 a fraction of the width, from 1 on pixels; drawn from −s to s.  (Keras takes
            whole steps only where the setting is an ``int``; here 5 and 5.0 are the same.)
        height_shift_range: The same of the height.
        shear_range: **Degrees**, 0 to 89; drawn from −s to s.  The often seen 0.2 is next to nothing: half a pixel
            at the edge of a picture of 300.
        zoom_range: z, for [1 − z, 1 + z], or (low, high); width and height are drawn separately.  Above 1 the content
            becomes smaller.
        horizontal_flip: Every other picture, on average, is mirrored left to right.
        vertical_flip: Every other picture, on average, is mirrored top to bottom.
        fill_mode: What lies outside the picture: ``"nearest"`` aaa|abcd|ddd, ``"constant"`` (``cval``), ``"reflect"``
            cba|abcd|dcb, ``"wrap"`` bcd|abcd|abc.
        cval: Grey level outside the picture for ``fill_mode="constant"``, 0 to 255.
        brightness_range: (low, high), factors of the grey levels, 1 changing nothing; or None.
        channel_shift_range: Grey levels, 0 to 255; drawn from −c to c and added to all channels alike.

    Raises:
        OptionError: a setting out of its range or of the wrong type; all of them are named.
    """

    rotation_range: float = 0.0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float | tuple[float, float] = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill_mode: FillMode = "nearest"
    cval: float = 0.0
    brightness_range: tuple[float, float] | None = None
    channel_shift_range: float = 0.0

    def __post_init__(self) -> None:
        faults = [*_number_faults(self), *_other_faults(self)]
        if faults:
            raise OptionError("\n".join(faults))
        for name in (*_LIMITS, "zoom_range", "brightness_range"):
            object.__setattr__(self, name, _plain(getattr(self, name)))

    def _repr_html_(self) -> str:
        if self.is_identity:
            return page("Augmentation: every picture stays as it is")
        plain = type(self)()
        said = [(name, str(value)) for name, value in self.to_dict().items() if value != plain.to_dict()[name]]
        head = "Augmentation: drawn anew for every picture and epoch; preview(image) shows some"
        return page(head, Table(("setting", "value"), said))

    @classmethod
    def presets(cls) -> tuple[str, ...]:
        """The names that :meth:`preset` knows."""
        return tuple(_PRESETS)

    @classmethod
    def preset(cls, name: str) -> Augmentation:
        """The settings of a document.

        ===================  ==========================================================================================
        ``"none"``           nothing is changed
        ``"dogs_vs_cats"``   document 000: rotation 15, shifts 0.1, shear 0.1, zoom 0.2, horizontal flip
        ``"cat_dog_small"``  document 001: rotation 20, width shift 0.1, zoom 0.1, both flips
        ``"vgg16"``          document 002: rotation 40, shear 0.2, zoom 0.2, horizontal flip
        ``"book"``           document 003: rotation 40, shifts 0.2, shear 0.2, zoom 0.2, horizontal flip
        ``"mnist"``          document 004 shows its figures only in a picture; these are ours: rotation 10, shifts 0.1,
                             zoom 0.1, and no flip, which would make other digits
        ===================  ==========================================================================================

        >>> Augmentation.preset("book").rotation_range
        40.0

        Raises:
            UnknownNameError: no preset has this name.
        """
        if name not in _PRESETS:
            raise unknown_name("augmentation preset", name, _PRESETS)
        return cls(**_PRESETS[name])

    @property
    def is_identity(self) -> bool:
        """True where every draw leaves every picture as it is."""
        still = (self.rotation_range, self.width_shift_range, self.height_shift_range, self.shear_range)
        plain = not any((*still, self.horizontal_flip, self.vertical_flip, self.channel_shift_range))
        return plain and self._zooms() == (1, 1) and self.brightness_range in (None, (1, 1))

    def draw(self, seed: int, epoch: int, index: int, *, image_size: tuple[int, int]) -> Transform:
        """What happens to picture *index* in *epoch*: the same wherever and however often it is asked.

        Ten numbers are always drawn, in the order theta, tx, ty, shear, zx, zy, flip_horizontal, flip_vertical,
        brightness, channel_shift, so that one setting more leaves the other draws as they were.

        Args:
            seed: The run's, 0 or above.
            epoch: 0 or above.
            index: The picture's position in its dataset, 0 or above.
            image_size: (height, width) in pixels.

        Raises:
            OptionError: a negative seed, epoch or index.
        """
        if min(seed, epoch, index) < 0:
            raise OptionError(f"seed, epoch and index are {seed}, {epoch} and {index}; each must be 0 or above.")
        height, width = image_size
        u = np.random.default_rng((seed, epoch, index)).random(10).tolist()
        zoom, brightness = self._zooms(), self.brightness_range or (1.0, 1.0)
        return Transform(
            theta=_between(-self.rotation_range, self.rotation_range, u[0]),
            tx=_between(-1, 1, u[1]) * _in_pixels(self.width_shift_range, width),
            ty=_between(-1, 1, u[2]) * _in_pixels(self.height_shift_range, height),
            shear=_between(-self.shear_range, self.shear_range, u[3]),
            zx=_between(*zoom, u[4]),
            zy=_between(*zoom, u[5]),
            flip_horizontal=self.horizontal_flip and u[6] < 0.5,
            flip_vertical=self.vertical_flip and u[7] < 0.5,
            brightness=_between(*brightness, u[8]),
            channel_shift=_between(-self.channel_shift_range, self.channel_shift_range, u[9]),
        )

    def apply(self, image: npt.NDArray[np.uint8], transform: Transform) -> Pixels:
        """A new picture: *image* after *transform*, with this record's ``fill_mode`` and ``cval``.

        Interpolation is bilinear; values are rounded once after the map and once after the colours.  The map is within
        0.51 grey levels of Keras's floating-point one on OpenCV 5: rounding, and nothing else.  OpenCV 4 rounds places
        to 1/32 pixel, which adds at most a thirtieth of the largest step between neighbouring pixels.  At the rim two
        fill modes differ: Keras's ``"constant"`` does not blend the last pixel with ``cval``, and its ``"wrap"`` lays
        the first pixel over the last; here they are what SciPy calls ``"grid-constant"`` and ``"grid-wrap"``.

        Args:
            image: uint8 ``(height, width, 1 to 4)``.
            transform: From :meth:`draw`, or of your own.

        Raises:
            ImageError: another type, number of axes or channels.
        """
        return self._applied(checked_pixels(image, "(height, width, channels)"), transform)

    def __call__(
        self, images: npt.NDArray[np.uint8], *, seed: int, epoch: int, indices: Sequence[int] | npt.NDArray[np.integer]
    ) -> Pixels:
        """A new batch: every picture drawn by its own index, whatever stands beside it.

        Args:
            images: uint8 ``(n, height, width, 1 to 4)``; left as it is.
            seed: The run's, 0 or above.
            epoch: 0 or above.
            indices: ``(n,)`` positions of the pictures in their dataset.

        Raises:
            ImageError: another type, number of axes or channels.
            DatasetError: not one index per picture.
            OptionError: a negative seed, epoch or index.
        """
        images = checked_pixels(images, "(n, height, width, channels)")
        if len(indices) != len(images):
            raise DatasetError(f"{len(images):,} pictures and {len(indices):,} indices: give one index per picture.")
        if self.is_identity:
            return np.array(images)
        augmented = np.empty(images.shape, np.uint8)
        with ONE_THREAD:
            for place, index in enumerate(indices):
                transform = self.draw(seed, epoch, int(index), image_size=images.shape[1:3])
                augmented[place] = self._applied(images[place], transform)
        return augmented

    def preview(self, image: npt.NDArray[np.uint8], count: int = 15, *, seed: int = 0, columns: int = 5) -> Figure:
        """A figure of *count* versions of one uint8 picture, ``(height, width, channels)``.

        Raises:
            ImageError: the picture has another type, number of axes or channels.
            OptionError: a count below 1.
        """
        from .plots import image_grid

        if count < 1:
            raise OptionError(f"count is {count}; expected 1 or more.")
        image = checked_pixels(image, "(height, width, channels)")
        draws = [self.draw(seed, 0, index, image_size=image.shape[:2]) for index in range(count)]
        return image_grid(np.stack([self._applied(image, draw) for draw in draws]), columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in content.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Augmentation:
        """The record from what :meth:`to_dict` gave; what is missing has its default.

        Raises:
            UnknownNameError: settings that do not exist, with the nearest that do.
            OptionError: a setting out of its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [unknown_name("augmentation setting", name, known) for name in content if name not in known]
        if unknown:
            raise UnknownNameError("\n".join(map(str, unknown)))
        return cls(**content)

    def _applied(self, image: npt.NDArray[np.uint8], transform: Transform) -> Pixels:
        return apply_transform(image, transform, fill_mode=self.fill_mode, cval=self.cval)

    def _zooms(self) -> tuple[float, float]:
        zoom = self.zoom_range
        return zoom if isinstance(zoom, tuple) else (1 - zoom, 1 + zoom)


def _plain(value: Any) -> float | tuple[float, ...] | None:
    """Python's floats, which compare and go to JSON, whatever numbers arrived."""
    if value is None:
        return None
    return tuple(map(float, value)) if isinstance(value, (tuple, list)) else float(value)


def _between(low: float, high: float, u: float) -> float:
    return low + (high - low) * u


def _in_pixels(shift: float, side: int) -> float:
    return shift * side if shift < 1 else shift


def _number_faults(record: Augmentation) -> list[str]:
    faults = []
    for name, (low, high, unit) in _LIMITS.items():
        value = getattr(record, name)
        if not (_is_number(value) and low <= value <= high):
            limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            faults.append(f"{name} is {value!r}; expected a number {limits} {unit}.")
    return faults


def _other_faults(record: Augmentation) -> list[str]:
    zoom: Any = record.zoom_range  # whatever arrived, which is what is looked at here
    brightness: Any = record.brightness_range
    faults = [
        f"{name} is {getattr(record, name)!r}; expected True or False."
        for name in ("horizontal_flip", "vertical_flip")
        if not isinstance(getattr(record, name), bool)
    ]
    if not (_is_pair(zoom) and zoom[0] > 0) and not (_is_number(zoom) and 0 <= zoom < 1):
        faults.append(f"zoom_range is {zoom!r}; expected 0 ≤ z < 1, or (low, high) with 0 < low ≤ high.")
    if brightness is not None and not (_is_pair(brightness) and brightness[0] >= 0):
        faults.append(f"brightness_range is {brightness!r}; expected (low, high) with 0 ≤ low ≤ high, or None.")
    if record.fill_mode not in get_args(FillMode):
        faults.append(f"fill_mode is {record.fill_mode!r}; expected one of {get_args(FillMode)}.")
    return faults


def _is_number(value: Any) -> bool:
    plain = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]
