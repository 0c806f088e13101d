"""Drawing tools and backgrounds for the drawn pets: shapes, colours, a canvas with a mask, scenes.

Points are float arrays ``(n, 2)`` of x and y.  In the frame of the picture, (0, 0) is its upper left corner and (1, 1)
its lower right one.
"""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Points = npt.NDArray[np.float64]

_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 33)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 33)[:-1])], axis=1)
_SPLINE = np.array([[t**n for n in range(4)] for t in (0.0, 0.2, 0.4, 0.6, 0.8)]) @ (
    0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
)  # Catmull-Rom, five steps from one point to the next


class Canvas:
    """A picture larger than wanted, to be shrunk at the end, and the mask that follows every shape drawn on it."""

    def __init__(self, image_size: tuple[int, int], *, masked: bool) -> None:
        height, width = image_size
        self.zoom = 2 if min(image_size) >= 64 else 4  # thin lines vanish in small pictures at two
        self.size = np.array([width * self.zoom, height * self.zoom], np.float64)
        pixels = (width * self.zoom, height * self.zoom)
        self.picture = Image.new("RGB", pixels)
        self.mask = Image.new("L", pixels if masked else (1, 1))
        self._pen, self._mark = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.mask) if masked else None

    def fill(self, colours: npt.NDArray[np.uint8]) -> None:
        """Cover all with a few *colours* ``(rows, columns, 3)`` that run into each other."""
        self.picture.paste(Image.fromarray(colours).resize(self.picture.size, Image.Resampling.BICUBIC))

    def shape(self, points: Points, colour: Colour, *, tells: bool = False) -> None:
        """A filled polygon of *points* in the picture's frame; *tells* puts it into the mask, else it hides there."""
        corners = (points * self.size).ravel().tolist()
        self._pen.polygon(corners, fill=colour)
        if self._mark:
            self._mark.polygon(corners, fill=255 * tells)

    def line(self, points: Points, colour: Colour, width: float, *, tells: bool = False) -> None:
        """A line along *points*, *width* as a fraction of the picture's shorter side."""
        corners = (points * self.size).ravel().tolist()
        pixels = max(1, round(width * float(self.size.min())))
        self._pen.line(corners, fill=colour, width=pixels, joint="curve")
        if self._mark and tells:
            self._mark.line(corners, fill=255, width=2 * pixels)


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0.0) -> Points:
    """An ellipse about (*x*, *y*) with the half axes *across* and *down*, turned by *turn* radians."""
    cos, sin = np.cos(turn), np.sin(turn)
    return np.asarray((_CIRCLE * (across, down)) @ np.array([[cos, sin], [-sin, cos]]) + (x, y))


def smooth(corners: Points) -> Points:
    """A closed curve through *corners* ``(n, 2)``: ``(5 n, 2)``."""
    neighbours = np.stack([np.roll(corners, shift, axis=0) for shift in (1, 0, -1, -2)], axis=1)
    return np.asarray((_SPLINE @ neighbours).reshape(-1, 2))


def any_colour(rng: np.random.Generator) -> Colour:
    """A colour of walls, cushions and skies: any hue, not too loud."""
    hue = rng.uniform(0.04, 0.12) if rng.random() < 0.7 else rng.uniform(0, 1)
    return hsv(hue, rng.uniform(0.0, 0.6), rng.uniform(0.2, 1.0))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """The colour of *hue*, *saturation* and *value*, each from 0 to 1, cut off there."""
    limited = (hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    red, green, blue = colorsys.hsv_to_rgb(*limited)
    return round(255 * red), round(255 * green), round(255 * blue)


def shaded(colour: Colour, factor: float) -> Colour:
    """*colour* made darker (*factor* below 1) or lighter."""
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """*first* with a *share* of *second* from 0 to 1."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """One of six kinds of scene over the whole *canvas*."""
    kinds = (_clouds, _stripes, _blobs, _room, _meadow, _tiles)
    kinds[rng.integers(len(kinds))](canvas, rng)


def draw_occluder(canvas: Canvas, rng: np.random.Generator) -> None:
    """A cushion or post that reaches in from the border of *canvas*."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = 0.5 + 0.62 * np.cos(angle), 0.5 + 0.62 * np.sin(angle)
    colour = any_colour(rng)
    outline = ellipse(x, y, rng.uniform(0.12, 0.3), rng.uniform(0.12, 0.3), angle)
    canvas.shape(outline, shaded(colour, 0.75))
    canvas.shape((outline - (x, y)) * 0.92 + (x, y), colour)


def _colours(rng: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    return np.array([[any_colour(rng) for _ in range(columns)] for _ in range(rows)], np.uint8)


def _clouds(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(_colours(rng, int(rng.integers(1, 5)), int(rng.integers(2, 5))))


def _stripes(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(_colours(rng, 1, 2))
    colour, angle, step = any_colour(rng), rng.uniform(0, np.pi), rng.uniform(0.1, 0.25)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    for offset in np.arange(-0.75, 0.75, step):
        near, far = 0.5 + offset * across, 0.5 + (offset + 0.45 * step) * across
        canvas.shape(np.array([near - along, near + along, far + along, far - along]), colour)


def _blobs(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(_colours(rng, 2, 2))
    for _ in range(rng.integers(4, 10)):
        centre, reach = rng.uniform(0, 1, 2), rng.uniform(0.08, 0.22)
        corners = ellipse(centre[0], centre[1], reach, reach, rng.uniform(0, np.pi))[:: int(rng.integers(5, 11))]
        canvas.shape(corners if rng.random() < 0.5 else smooth(corners), any_colour(rng))


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(_colours(rng, 1, 2))
    floor = rng.uniform(0.6, 0.85)
    canvas.shape(_box(0, floor, 1, 1), any_colour(rng))
    for _ in range(rng.integers(1, 4)):  # pictures and windows
        x, y, width, height = rng.uniform((0, 0, 0.12, 0.12), (0.8, 0.35, 0.35, 0.3))
        canvas.shape(_box(x - 0.02, y - 0.02, x + width + 0.02, y + height + 0.02), any_colour(rng))
        canvas.shape(_box(x, y, x + width, y + height), any_colour(rng))
    x, sofa = rng.uniform(-0.2, 0.6), any_colour(rng)
    canvas.shape(_box(x, floor - 0.25, x + 0.6, floor + 0.12), sofa)
    canvas.shape(_box(x + 0.05, floor - 0.05, x + 0.55, floor + 0.12), shaded(sofa, 0.8))


def _meadow(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = hsv(rng.uniform(0.5, 0.65), rng.uniform(0.05, 0.35), rng.uniform(0.6, 0.95))
    canvas.fill(np.array([[sky], [shaded(sky, 1.15)]], np.uint8))
    grass = hsv(rng.uniform(0.18, 0.38), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.75))
    horizon = rng.uniform(0.3, 0.7)
    canvas.shape(ellipse(rng.uniform(0, 1), horizon + 0.9, 1.4, 0.9), grass)
    for x, y, lean in rng.uniform((0, horizon + 0.1, -0.03), (1, 1.05, 0.03), (40, 3)):
        blade = np.array([[x - 0.012, y], [x + 0.012, y], [x + lean, y - 0.1]])
        canvas.shape(blade, shaded(grass, 0.85 + 9 * abs(lean)))


def _tiles(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.fill(_colours(rng, 2, 2))
    colour, count = any_colour(rng), int(rng.integers(3, 7))
    for row in range(count):
        for column in range(row % 2, count, 2):
            canvas.shape(_box(column / count, row / count, (column + 1) / count, (row + 1) / count), colour)


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
