"""Pillow's bilinear resize as tensor operations: the same grey levels, for sizes known only when the graph runs.

In: pixels ``(n, c, h, w)`` and where each new pixel lies in the old ones.  Out: pixels of another size, each a whole
number.  Pillow (``libImaging/Resample.c``) resizes one axis after the other.  A new pixel is the mean under a triangle
as wide as two old or two new pixels, whichever are larger; weights are rounded to 22 binary digits, sums to whole grey
levels.  All of that is done here with whole numbers, because float32 has too few digits for it: where it rounds
otherwise, a pixel gets another grey level.  It is plain arithmetic throughout, so that every format of export has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

_STEPS = ((8,), (4, 3), (4, 3))
"""Pillow's 22 binary digits in three parts, and how many are found by each division.

Sums of up to 512 pixels under such a part are exact in float32, also on a GPU that multiplies with fewer digits.  The
steps keep int32 from overflowing while an old side has no more than 8,192 · √(new side) pixels."""


@dataclass(frozen=True)
class Axis:
    """How one axis is resized.  All are whole numbers, or int32 scalars of a graph; ``length`` is known beforehand.

    Attributes:
        before: Old pixels.
        after: New pixels that show the picture.
        length: All new pixels; those that do not show the picture are black.
        step: Together with *unit* the scale: ``step / unit`` old pixels for each new one.
        unit: See *step*.
        offset: Where the part that is taken begins, in ``2 · unit``-ths of an old pixel.
        start: How many black pixels come first.
    """

    before: Any
    after: Any
    length: int
    step: Any
    unit: Any
    offset: Any = 0
    start: Any = 0


def resize(pixels: Any, down: Axis, across: Axis) -> Any:
    """*pixels*, float32 ``(n, c, h, w)`` of whole numbers 0..255, resized both ways: bit by bit what Pillow gives.

    The order of the passes matters, because each rounds.  Since Pillow 13 the pass down comes first where the height
    shrinks by more than twice as many pixels as the width.
    """
    rows, columns = weights(down), weights(across)
    fewer = down.before - down.after
    down_first = ops.logical_and(fewer > 0, fewer > 2 * (across.before - across.after))
    return ops.cond(
        down_first,
        lambda: _pass_across(_pass_down(pixels, rows), columns),
        lambda: _pass_down(_pass_across(pixels, columns), rows),
    )


def weights(axis: Axis) -> list[Any]:
    """What each old pixel weighs in each new one, times 2²²: float32 ``(length, before)`` parts of 8, 7 and 7 digits.

    The whole weight is ``part 0 · 2¹⁴ + part 1 · 2⁷ + part 2``.
    """
    old, new = ops.arange(axis.before, dtype="int32"), ops.arange(axis.length, dtype="int32") - axis.start
    centre = ops.expand_dims(axis.offset + (2 * new + 1) * axis.step, 1)
    shown = ops.cast(ops.logical_and(new >= 0, new < axis.after), "int32")
    reach = 2 * ops.maximum(axis.step, axis.unit) * ops.expand_dims(shown, 1)
    rest = ops.maximum(0, reach - ops.abs((2 * old + 1) * axis.unit - centre))  # the triangle; below, long division
    whole = ops.maximum(1, ops.sum(rest, axis=1, keepdims=True))
    parts = []
    for steps in _STEPS:
        part = 0
        for digits in steps:
            rest = rest * 2**digits
            found = rest // whole
            rest = rest - found * whole
            part = part * 2**digits + found
        parts.append(part)
    parts[-1] = parts[-1] + ops.cast(2 * rest >= whole, "int32")
    return [ops.cast(part, "float32") for part in parts]


def _pass_across(pixels: Any, parts: list[Any]) -> Any:
    return _rounded([ops.matmul(pixels, ops.transpose(part)) for part in parts])


def _pass_down(pixels: Any, parts: list[Any]) -> Any:
    return _rounded([ops.matmul(part, pixels) for part in parts])


def _rounded(sums: list[Any]) -> Any:
    """Weighted sums in parts, as whole grey levels: half of one rounds up.  Each intermediate number is exact."""
    high, middle, low = sums
    carried = ops.floor((middle + ops.floor(low / 128)) / 128)
    return ops.clip(ops.floor((high + carried + 128) / 256), 0, 255)
