"""One picture of a cat or a dog, drawn from random numbers.

In: the seed words of a picture, its kind and its size.  Out: uint8 ``(h, w, 3)`` or the mask of what tells the kind.

Two streams of random numbers feed a picture.  The first gives all that says nothing about the kind: background, pose,
fur, eyes, what stands before the pet, light and noise.  The second gives ears and snout.  The same words drawn as the
other kind are therefore the same scene with other ears and another snout.  Head units: the origin is the middle of the
head, 1 is half its width, x goes right, y goes down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .scenery import (
    Canvas,
    Colour,
    Points,
    draw_background,
    draw_occluder,
    ellipse,
    hsv,
    mixed,
    shaded,
    smooth,
)

Kind = Literal["cat", "dog"]

DRAWING_VERSION = 1
"""Goes up with every change that changes a pixel: fingerprints, and so caches, depend on it."""

# Hue in degrees, saturation and value from 0 to 1: ginger, brown, chocolate, cream, white, grey, slate, black.  Their
# mean is near that of the backgrounds: with warmer furs, a linear model found the ears by colour alone (85 % right).
_FURS = (
    (28, 0.55, 0.85),
    (26, 0.45, 0.55),
    (20, 0.4, 0.32),
    (38, 0.3, 0.9),
    (40, 0.05, 0.95),
    (220, 0.12, 0.6),
    (215, 0.15, 0.4),
    (30, 0.1, 0.26),
)
_IRISES = ((45, 0.7, 0.85), (95, 0.5, 0.75), (205, 0.5, 0.85), (25, 0.7, 0.5))
_DARK_NOSES = ((350, 0.4, 0.5), (15, 0.4, 0.2), (240, 0.1, 0.12))
_PALE_NOSES = ((350, 0.35, 0.85), (20, 0.3, 0.8))
_WHITE: Colour = (255, 255, 255)
_DARK: Colour = (38, 30, 30)
_LINE = 0.008  # a drawn line's width as a fraction of the picture's shorter side


@dataclass(frozen=True)
class _Pet:
    """What a cat and a dog have in common: where the head is, how it is turned, its colours."""

    centre: tuple[float, float]  # fractions of the picture
    reach: tuple[float, float]  # half a head's width as fractions of the picture's width and height
    angle: float  # radians
    yaw: float  # −1 looks to the left edge, 1 to the right
    height: float  # of the head against its width
    fur: Colour
    second: Colour
    muzzle: Colour
    nose: Colour

    def place(self, points: Points, depth: float = 0.0) -> Points:
        """Head units to fractions of the picture; *depth* is how far a part stands out, and so moves with the yaw."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = (points + np.array([depth * self.yaw, 0])) @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned * self.reach + self.centre)


def draw_pet(words: Sequence[int], kind: Kind, image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The picture that the seed *words* give for *kind*: uint8 ``(h, w, 3)``."""
    canvas, rng = _drawn(words, kind, image_size, masked=False)
    picture = canvas.picture.reduce(canvas.zoom)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.006) * min(image_size)))
    return _lit(picture, rng)


def draw_mask(words: Sequence[int], kind: Kind, image_size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Where the picture of the same arguments shows ears or snout: bool ``(h, w)``."""
    canvas, _ = _drawn(words, kind, image_size, masked=True)
    return np.asarray(canvas.mask.reduce(canvas.zoom)) >= 128


def _drawn(
    words: Sequence[int], kind: Kind, image_size: tuple[int, int], *, masked: bool
) -> tuple[Canvas, np.random.Generator]:
    scene, telling = (np.random.default_rng((*words, stream)) for stream in (0, 1))
    canvas = Canvas(image_size, masked=masked)
    draw_background(canvas, scene)
    pet = _pet(scene, image_size)
    _draw_body(canvas, pet, scene)
    if kind == "cat":
        _draw_cat_ears(canvas, pet, telling)
    _draw_head(canvas, pet, scene)
    if kind == "dog":
        _draw_dog_ears(canvas, pet, telling)
    _draw_eyes(canvas, pet, scene)
    (_draw_cat_snout if kind == "cat" else _draw_dog_snout)(canvas, pet, telling)
    if scene.random() < 0.15:
        draw_occluder(canvas, scene)
    return canvas, scene


def _pet(rng: np.random.Generator, image_size: tuple[int, int]) -> _Pet:
    height, width = image_size
    x, y = rng.uniform((0.42, 0.45), (0.58, 0.57))
    reach = rng.uniform(0.23, 0.29) * min(image_size)
    fur = _near(rng, _FURS)
    other = _near(rng, _FURS)
    muzzle = mixed(fur, (240, 230, 215) if rng.random() < 0.5 else (50, 45, 45), rng.uniform(0.1, 0.7))
    return _Pet(
        centre=(x, y),
        reach=(reach / width, reach / height),
        angle=np.deg2rad(np.clip(rng.normal(0, 10), -25, 25)),
        yaw=rng.uniform(-0.8, 0.8),
        height=rng.uniform(0.84, 0.98),
        fur=fur,
        second=mixed(fur, other, 0.8),
        muzzle=muzzle,
        nose=_near(rng, _DARK_NOSES if sum(muzzle) > 380 else _PALE_NOSES),
    )


def _near(rng: np.random.Generator, palette: Sequence[tuple[int, float, float]]) -> Colour:
    hue, saturation, value = palette[int(rng.integers(len(palette)))]
    return hsv((hue + rng.normal(0, 5)) / 360, saturation + rng.normal(0, 0.06), value + rng.normal(0, 0.06))


def _outlined(canvas: Canvas, points: Points, colour: Colour, *, tells: bool = False) -> None:
    """A shape with a rim, dark around bright fur and bright around dark fur: edges show, yet no tone marks an ear."""
    middle = points.mean(axis=0)
    rim = shaded(colour, 0.4) if sum(colour) > 330 else mixed(colour, _WHITE, 0.4)
    canvas.shape((points - middle) * 1.08 + middle, rim, tells=tells)
    canvas.shape(points, colour, tells=tells)


def _draw_body(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    neck, shoulder = rng.uniform(0.55, 0.75), rng.uniform(0.9, 1.25)
    side = np.array([[neck, 0.4], [shoulder, 1.6], [shoulder + 0.15, 5.0]])
    outline = np.concatenate([side, side[::-1] * (-1, 1)])
    _outlined(canvas, pet.place(outline), shaded(pet.fur, 0.92))
    if rng.random() < 0.5:
        canvas.shape(pet.place(ellipse(0, 1.9, 0.45 * shoulder, 1.0)), pet.second)
    if rng.random() < 0.3:
        band = np.array([[-neck - 0.1, 0.85], [neck + 0.1, 0.85], [neck + 0.12, 1.05], [-neck - 0.12, 1.05]])
        canvas.shape(pet.place(band), hsv(rng.uniform(0, 1), 0.8, 0.8))


def _draw_head(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    _outlined(canvas, pet.place(ellipse(0, 0, 1, pet.height)), pet.fur)
    canvas.shape(pet.place(ellipse(-0.12, -0.16, 0.78, 0.7 * pet.height)), mixed(pet.fur, _WHITE, 0.08))
    markings = (_plain, _patch, _blaze, _tabby, _spots, _two_tone)
    for marking in markings[rng.integers(len(markings))](rng):
        reach = np.linalg.norm(marking / np.array([1, pet.height]), axis=1, keepdims=True)
        canvas.shape(pet.place(marking / np.maximum(1, reach / 0.97)), pet.second)  # pulled back into the head


def _plain(_: np.random.Generator) -> list[Points]:
    return []


def _patch(rng: np.random.Generator) -> list[Points]:
    side = rng.choice((-1, 1))
    return [ellipse(0.45 * side, -0.3, rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.6), 0.4 * side)]


def _blaze(rng: np.random.Generator) -> list[Points]:
    width = rng.uniform(0.12, 0.25)
    return [
        np.array([[-width, -0.95], [width, -0.95], [0.7 * width, 0.2], [0.5, 0.8], [-0.5, 0.8], [-0.7 * width, 0.2]])
    ]


def _tabby(rng: np.random.Generator) -> list[Points]:
    thick = rng.uniform(0.05, 0.09)
    brow = [np.array([[x - thick, -1.0], [x + thick, -1.0], [0.8 * x, -0.45]]) for x in (-0.36, 0.0, 0.36)]
    cheeks = [
        np.array([[side, y - thick], [side, y + thick], [0.62 * side, y + 0.05]])
        for side in (-1, 1)
        for y in (0.05, 0.32)
    ]
    return brow + cheeks


def _spots(rng: np.random.Generator) -> list[Points]:
    return [
        ellipse(x, y, across, down)
        for x, y, across, down in rng.uniform((-0.8, -0.8, 0.06, 0.06), (0.8, 0.7, 0.2, 0.2), (7, 4))
    ]


def _two_tone(rng: np.random.Generator) -> list[Points]:
    return [ellipse(0, rng.uniform(0.6, 0.75), 0.95, 0.6)]


def _draw_eyes(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    apart, y = rng.uniform(0.36, 0.48), rng.uniform(-0.25, -0.1)
    across = rng.uniform(0.14, 0.2)
    down, pupil, tilt = across * rng.uniform(0.75, 1.1), across * rng.uniform(0.35, 0.7), rng.uniform(-0.2, 0.2)
    iris = _near(rng, _IRISES)
    for side in (-1, 1):
        x = side * apart
        canvas.shape(pet.place(ellipse(x, y, across + 0.035, down + 0.035, side * tilt), 0.16), _DARK)
        canvas.shape(pet.place(ellipse(x, y, across, down, side * tilt), 0.16), iris)
        canvas.shape(pet.place(ellipse(x, y, pupil, 0.85 * down), 0.18), _DARK)
        canvas.shape(pet.place(ellipse(x - 0.05, y - 0.06, 0.045, 0.045), 0.16), _WHITE)


def _draw_cat_ears(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    tall, wide, colour = rng.uniform(0.8, 1.1), rng.uniform(0.48, 0.56), _ear_colour(pet, rng)
    inner = mixed(colour, (225, 160, 150), 0.6) if rng.random() < 0.5 else shaded(colour, 0.7)
    for side in (-1, 1):
        lean = rng.uniform(-0.1, 0.12)
        ear = np.array(
            [[0.56 - wide, -0.62], [0.66 + lean, -0.6 - tall], [0.72 + lean, -0.58 - tall], [0.62 + wide * 0.75, -0.2]]
        )
        middle = ear.mean(axis=0) + np.array([0, 0.14])
        _outlined(canvas, pet.place(ear * (side, 1), -0.06), colour, tells=True)
        canvas.shape(pet.place(((ear - middle) * 0.62 + middle) * (side, 1), -0.06), inner, tells=True)


def _draw_dog_ears(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    long, wide, colour = rng.uniform(0.75, 1.15), rng.uniform(0.27, 0.35), _ear_colour(pet, rng)
    spread = rng.uniform(0.0, 0.2)
    for side in (-1, 1):
        tip = 0.98 + spread + rng.uniform(-0.08, 0.08)
        ear = np.array(
            [
                [0.5, -0.8],
                [0.85, -0.82],
                [tip + 0.5 * wide, -0.4],
                [tip + wide, -0.6 + long],
                [tip, -0.45 + long],
                [tip - wide, -0.6 + long],
                [0.72, -0.35],
            ]
        )
        _outlined(canvas, pet.place(smooth(ear * (side, 1)), -0.06), colour, tells=True)


def _ear_colour(pet: _Pet, rng: np.random.Generator) -> Colour:
    return shaded(pet.fur if rng.random() < 0.6 else pet.second, rng.uniform(0.8, 1.1))


def _draw_cat_snout(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    pad, y = rng.uniform(0.2, 0.25), rng.uniform(0.36, 0.42)
    canvas.shape(pet.place(ellipse(0, y + 0.22, 0.17, 0.14), 0.22), shaded(pet.muzzle, 0.92), tells=True)
    for side in (-1, 1):
        canvas.shape(pet.place(ellipse(side * 0.8 * pad, y, pad, 0.8 * pad), 0.22), pet.muzzle, tells=True)
    whisker = mixed(pet.muzzle, _WHITE if sum(pet.fur) < 400 else _DARK, 0.7)
    for side in (-1, 1):
        for rise in (-0.18, 0.0, 0.18):
            ends = np.array([[side * 0.28, y + 0.2 * rise], [side * 0.95, y + rise - 0.02]])
            canvas.line(pet.place(ends, 0.22), whisker, _LINE / 2, tells=True)
    nose = np.array([[-0.13, y - 0.22], [0.13, y - 0.22], [0.0, y - 0.08]])
    canvas.line(pet.place(np.array([[0, y - 0.1], [0, y + 0.1]]), 0.25), _DARK, _LINE, tells=True)
    canvas.shape(pet.place(nose, 0.25), pet.nose, tells=True)


def _draw_dog_snout(canvas: Canvas, pet: _Pet, rng: np.random.Generator) -> None:
    wide, bottom = rng.uniform(0.4, 0.52), rng.uniform(0.85, 1.1)
    if rng.random() < 0.5:
        tongue = hsv(0.97, 0.5, 0.85)
        _outlined(canvas, pet.place(ellipse(0, bottom + 0.08, 0.15, 0.24), 0.32), tongue, tells=True)
    half = np.array([[0.2, 0.02], [0.8 * wide, 0.35], [wide, bottom - 0.25], [0.5 * wide, bottom]])
    muzzle = np.concatenate([half, half[::-1] * (-1, 1)])
    _outlined(canvas, pet.place(smooth(muzzle), 0.28), pet.muzzle, tells=True)
    y = rng.uniform(0.38, 0.48)
    canvas.line(pet.place(np.array([[0, y], [0, y + 0.36], [0.22, y + 0.28]]), 0.34), _DARK, _LINE, tells=True)
    canvas.line(pet.place(np.array([[0, y + 0.36], [-0.22, y + 0.28]]), 0.34), _DARK, _LINE, tells=True)
    canvas.shape(pet.place(ellipse(0, y, 0.2, 0.14), 0.36), pet.nose, tells=True)
    canvas.shape(pet.place(ellipse(-0.06, y - 0.05, 0.05, 0.03), 0.36), mixed(pet.nose, _WHITE, 0.5), tells=True)


def _lit(picture: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """*picture* under a light that falls off to one side, with the grain of a camera."""
    pixels = np.asarray(picture, np.float32)
    height, width = pixels.shape[:2]
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None] * np.float32(np.sin(angle))
    right = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None] * np.float32(np.cos(angle))
    light = np.float32(rng.uniform(0.8, 1.1)) * (1 + np.float32(fall) * (down + right))
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(rng.uniform(1, 7))
    lit: npt.NDArray[np.float32] = np.clip(pixels * light + grain + 0.5, 0, 255)
    return lit.astype(np.uint8)
