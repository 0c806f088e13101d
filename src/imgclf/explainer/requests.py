"""What the user asks for → what the passes take: pictures, layers and classes, or an error that says what to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, OptionError, listed, unknown_name
from ..images import ImageSpec
from ..inputs import gathered
from ..taps import LayerInfo

Layers = str | LayerInfo | Sequence[str | LayerInfo] | None
ClassName = str | int | Sequence[str | int] | None
Labels = npt.NDArray[np.int64]
Sides = int | tuple[int, int] | None
Shape = tuple[int | None, ...] | None


@dataclass(frozen=True, eq=False)
class Given:
    """Pictures ready for the model.

    Attributes:
        keys: ``(n,)`` their names.
        shown: uint8 ``(n, h, w, c)``, for drawing.
        taken: float ``(n, h, w, c)``, as the model takes them.
    """

    keys: tuple[str, ...]
    shown: npt.NDArray[np.uint8]
    taken: npt.NDArray[Any]


def pictures(images: Any, shape: Shape, classifier: Any = None) -> Given:
    """The pictures in *images*: a path, a folder, several, an array ``([n,] h, w, c)``, or a Dataset.

    Args:
        images: What the user gave.
        shape: The model's ``(h, w, c)``, None where it is not fixed; None where it is not known.
        classifier: Prepares them where there is one; else uint8 arrays become float32 and float arrays stay.

    Raises:
        OptionError: no pictures, an array of the wrong shape, or paths for a model whose input size is not fixed.
        ImageError: a file that cannot be read.
    """
    if classifier is not None:
        keys, pixels = classifier.prepare(images)
        return _checked(Given(tuple(map(str, keys)), pixels, pixels.astype(np.float32)), shape)
    if hasattr(images, "images") and hasattr(images, "keys"):  # a Dataset
        pixels, keys = np.asarray(images.images), tuple(map(str, images.keys))
    elif _is_paths(images):
        keys, pixels = _read(images, shape)
    else:
        pixels = np.asarray(images)
        pixels = pixels[None] if pixels.ndim == 3 else pixels
        keys = tuple(map(str, range(len(pixels) if pixels.ndim else 0)))
    if pixels.ndim != 4 or pixels.dtype.kind not in "uif":
        raise OptionError(
            f"images are {pixels.dtype} of shape {pixels.shape}; expected numbers of shape (height, width, channels) "
            "or (n, height, width, channels), a path, a list of paths, or a Dataset."
        )
    taken = pixels if pixels.dtype.kind == "f" else pixels.astype(np.float32)
    return _checked(Given(keys, _shown(pixels), taken), shape)


def choose_layers(layers: Layers, known: Sequence[LayerInfo]) -> tuple[LayerInfo, ...]:
    """The feature maps among *known* that *layers* names, in the order of the network.

    Args:
        layers: ``"maps"`` (all, and so does None); ``"last"``: the last convolution, or the very last where there is
            none; a path; the last part of one; a glob (``"conv*"``); one of the layers *known*; or several of these.
        known: All layers of the network.

    Raises:
        UnknownNameError: a name or glob that no layer answers to.
        OptionError: the network has no feature maps, or a layer that was named has none; nothing that names layers.
    """
    maps = [layer for layer in known if layer.is_spatial]
    if not maps:
        raise OptionError(
            "no layer of this model gives a feature map (height, width, channels) of more than one pixel. "
            "Explain a convolutional network."
        )
    chosen: set[str] = set()
    for wanted in _wanted(layers):
        chosen |= {layer.path for layer in _named(wanted, known, maps)}
    return tuple(layer for layer in maps if layer.path in chosen)


def choose_labels(
    class_name: ClassName, count: int, class_names: tuple[str, ...] | None, classes: int
) -> Labels | None:
    """The class to explain for each of *count* pictures, ``(count,)``; None for the likeliest.

    Raises:
        UnknownNameError: a name that no class has.
        OptionError: a number out of range, a name where names are unknown, or not one class per picture.
    """
    if class_name is None:
        return None
    if not isinstance(class_name, (list, tuple, np.ndarray)):
        return np.full(count, _label(class_name, class_names, classes), dtype=np.int64)
    asked = list(class_name)
    if len(asked) != count:
        raise OptionError(
            f"class_name has {len(asked)} entries for {count} pictures; give one class for all, or one per picture."
        )
    return np.asarray([_label(one, class_names, classes) for one in asked], dtype=np.int64)


def check_option(kind: str, asked: Any, known: Collection[str]) -> None:
    """Refuse what is not among the *known*.

    Raises:
        UnknownNameError: with the nearest of the known.
    """
    if asked not in known:
        raise unknown_name(kind, asked, known)


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of the classes.

    Raises:
        OptionError: one text instead of several, what is no text, or a name twice.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise OptionError(f"class_names is {names!r}; expected another text for each class, such as ['cat', 'dog'].")
    return tuple(names)


def check_method(asked: Any, known: Collection[str], others: Collection[str], where: str) -> None:
    """Refuse a method that is not among the *known*; one of the *others* is said to stand in *where*.

    Raises:
        OptionError: it belongs elsewhere.
        UnknownNameError: with the nearest of the known.
    """
    if isinstance(asked, str) and asked in others:
        raise OptionError(f"{asked!r} is a method of {where}: explainer.{where}(images, method={asked!r}).")
    check_option("method", asked, known)


def check_count(name: str, asked: Any, least: int) -> None:
    """Refuse what is no whole number from *least* on.

    Raises:
        OptionError: with what is expected.
    """
    if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or asked < least:
        raise OptionError(f"{name} is {asked!r}; expected a whole number, {least} or more.")


def check_finite(found: Mapping[str, npt.NDArray[Any]], method: str) -> None:
    """Refuse maps with NaN or infinite values.

    Raises:
        OptionError: with where they are, and why that may be.
    """
    wrong = [path for path, values in found.items() if not np.isfinite(values).all()]
    if wrong and method == "grad_cam_plus_plus":
        raise OptionError(
            f"{method} is defined for feature maps of 0 and above, as after a ReLU; {listed(wrong)} goes below. "
            "Choose layers after which a ReLU stands, or another method."
        )
    if wrong:
        raise OptionError(
            f"the gradients at {listed(wrong)} are not finite (NaN or infinite), as those of a square root at 0 are. "
            "Choose a later layer, or look at the network."
        )


_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "integrated_gradients": {"steps": 64, "baseline": 0.0},
    "gradient": {"smooth": 0},
    "occlusion": {"baseline": "mean", "window": None, "stride": None},
}
"""What each method of attribution may be told, and what holds else."""


def chosen_settings(method: str, asked: Mapping[str, Any], size: Sequence[int]) -> dict[str, Any]:
    """What *method* goes by on pictures of *size* (height, width): what was *asked* (None: not), or what holds else.

    Raises:
        OptionError: a setting of another method, or a number out of range.
    """
    known = _SETTINGS[method]
    if strange := [name for name, value in asked.items() if value is not None and name not in known]:
        raise OptionError(f"{listed(strange)} means nothing to {method!r}, which takes {listed(known)}. Leave it out.")
    found = {name: default if asked[name] is None else asked[name] for name, default in known.items()}
    for name, least in (("steps", 1), ("smooth", 0)):
        if name in found:
            check_count(name, found[name], least)
    if "window" in found:
        found["window"], found["stride"] = choose_windows(found["window"], found["stride"], size)
    return found


def choose_windows(window: Sides, stride: Sides, size: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Occlusion's windows and the way between them, ``(height, width)`` each.

    Args:
        window: One number for both sides, two, or None: an eighth of the picture.
        stride: The same; None: half a window.
        size: The picture's ``(height, width)``.

    Raises:
        OptionError: not one or two whole numbers from 1 on, or windows with room between them.
    """
    windows = _sides("window", window, [max(side // 8, 1) for side in size])
    strides = _sides("stride", stride, [max(side // 2, 1) for side in windows])
    if strides[0] > windows[0] or strides[1] > windows[1]:
        raise OptionError(
            f"stride is {strides} and window {windows}: what lies between two windows would never be covered. "
            "Take a stride of at most the window."
        )
    return windows, strides


def _sides(name: str, asked: Sides, otherwise: Sequence[int]) -> tuple[int, int]:
    both = otherwise if asked is None else asked if isinstance(asked, (list, tuple)) else (asked, asked)
    if len(both) != 2:
        raise OptionError(f"{name} is {asked!r}; expected a whole number of pixels, or (height, width).")
    for side in both:
        check_count(name, side, 1)
    return int(both[0]), int(both[1])


def _label(asked: Any, class_names: tuple[str, ...] | None, classes: int) -> int:
    if isinstance(asked, str):
        if class_names is None:
            raise OptionError(
                f"class_name is {asked!r}, but the names of this model's classes are not known. Give the class as a "
                "whole number, or make Explainer(model, class_names=[…])."
            )
        if asked not in class_names:
            raise unknown_name("class", asked, class_names)
        return class_names.index(asked)
    if isinstance(asked, (bool, np.bool_)) or not isinstance(asked, (int, np.integer)) or not 0 <= asked < classes:
        raise OptionError(
            f"class_name is {asked!r}; expected the name of a class or a whole number from 0 to {classes - 1}."
        )
    return int(asked)


def _wanted(layers: Layers) -> list[str]:
    """Names, paths and globs."""
    asked = [layers] if isinstance(layers, (str, LayerInfo)) else ["maps"] if layers is None else layers
    if not isinstance(asked, (list, tuple)) or not asked:
        raise OptionError(
            f"layers is {layers!r}; expected 'last', 'maps', a path, a glob such as 'conv*', or several of these."
        )
    names = [one.path if isinstance(one, LayerInfo) else one for one in asked]
    if strange := [name for name in names if not isinstance(name, str)]:
        raise OptionError(f"layers holds {strange[0]!r}; expected names. Explainer.layers has every layer's path.")
    return names


def _named(wanted: str, known: Sequence[LayerInfo], maps: Sequence[LayerInfo]) -> Sequence[LayerInfo]:
    if wanted == "maps":
        return maps
    if wanted == "last":
        return [layer for layer in maps if "Conv" in layer.kind][-1:] or maps[-1:]
    found = [layer for layer in known if layer.path == wanted] or [
        layer for layer in known for name in (layer.path, layer.path.rpartition("/")[2]) if fnmatchcase(name, wanted)
    ]
    if not found:
        raise unknown_name("layer with a feature map", wanted, [layer.path for layer in maps])
    spatial = [layer for layer in found if layer.is_spatial]
    if not spatial:
        raise OptionError(
            f"the layer {found[0].path!r} gives {found[0].shape}, which is no feature map (height, width, channels). "
            f"Choose among {listed(layer.path for layer in maps)}."
        )
    return spatial


def _is_paths(images: Any) -> bool:
    first = images[0] if isinstance(images, (list, tuple)) and images else images
    return isinstance(first, (str, os.PathLike))


def _read(paths: Any, shape: Shape) -> tuple[tuple[str, ...], npt.NDArray[np.uint8]]:
    height, width, channels = shape or (None, None, None)
    if height is None or width is None or channels not in (1, 3):
        raise OptionError(
            f"the model takes pictures of shape {shape}, so files cannot be brought to its size. "
            "Give an array (n, height, width, channels)."
        )
    keys, pixels = gathered(paths, ImageSpec((height, width), "rgb" if channels == 3 else "grayscale"))
    return tuple(keys.tolist()), pixels


def _checked(given: Given, shape: Shape) -> Given:
    got = given.taken.shape
    if not got[0]:
        raise OptionError("images holds no pictures; give at least one.")
    if shape is not None and any(want not in (None, have) for want, have in zip(shape, got[1:], strict=True)):
        raise OptionError(
            f"the pictures have the shape {got[1:]}; the model takes {shape}. "
            "Resize them with fit_image, or give paths."
        )
    if not np.isfinite(given.taken).all():
        raise ImageError("the pictures hold values that are not finite (NaN or infinite). Replace them.")
    return given


def _shown(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Pixels for drawing only: 0..1 and 0..255 as they are meant, any other range stretched from least to greatest."""
    if pixels.dtype == np.uint8 or not pixels.size:
        return pixels.astype(np.uint8)
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 255:
        scaled = (pixels - low) / (high - low or 1) * 255
    else:
        scaled = pixels * 255 if pixels.dtype.kind == "f" and high <= 1 else pixels
    return np.asarray(np.round(np.nan_to_num(scaled)), dtype=np.uint8)
