"""Looks → pairs of pictures that show the same, each verified.

1. Equal digests are exact copies.
2. Thumbnails that agree nearly pixel by pixel: the only near copies among pictures below 48 pixels, and among pictures
   that look alike by nature (digits, drawings, X-rays).  Neighbours come from a k-d tree.
3. Hashes that differ in few of their 64 bits: of the picture, of its mirror image, of its inner part against the whole.
   Such a candidate counts once one thumbnail, laid over the other by a small affine motion (ECC: Evangelidis and
   Psarakis, IEEE TPAMI 30(10), 2008), agrees with it in the fine structure, everywhere, and in colour.

Plain pictures, of few tones (drawings, signs, forms, a part before a fixed camera), share nearly all they show with
others of their kind, and differ in a digit or a scratch.  They are never laid over each other: they are copies where
every place agrees as it lies, or mirrored, at the same brightness; and not where many others are as close.

The limits come from 4,000 photographs of pets (8 million pairs) and copies of them: in the fine structure copies agree
to 0.83 and more, and the most similar strangers to 0.62; from half a million pairs of enlarged digits; and from drawn
cards, clocks, signs, forms and inspected parts, which differ in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..store import cores
from .looks import HASHED_FROM, SIDE, Looks

Kind = Literal["exact", "near", "mirrored"]
Positions = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_FLAT = 2.0  # standard deviation in grey levels; below, a thumbnail shows nothing that could be compared
_COMPARED_FROM = 16  # shorter side in pixels; icons below are copies only where every pixel is equal
_RMS, _SHARE = 4.0, 0.06  # largest difference, in grey levels and of the standard deviation; MNIST's closest: 7, 0.12
_MOST = 12.0  # largest difference in any pixel of the thumbnails, in grey levels; a digit on a card: 37
_PLAIN = 0.75  # share of the thumbnail in three tones from which it is plain (99 % of photographs: 0.67; signs: 0.79)
_RMS_OF_PLAIN = 2.5  # as _RMS; another brightness is then another picture
_LOCAL = 1.0  # largest local difference after an overlay, in standard deviations (photographs: 0.83; a clock: 0.93)
_CLEARLY = 0.5  # a copy among more than _FEW plain pictures is so much closer than they usually are
_NEIGHBOURS = 12  # closest thumbnails that are compared; copies of copies are linked through each other
_BITS, _BITS_OF_MANY, _MANY = 16, 14, 30_000  # differing bits of 64; fewer in large sets, where chance finds more
_CROWD, _CROWD_SHARE = 32, 0.002  # a hash that resembles more pictures than this tells nothing
_FEW = 8  # candidates of one picture; where there are more, they must be more alike before they are overlaid
_TILE = 2**17  # pairs of hashes compared at once: 1 MB, which a processor keeps at hand (32 MB take 2.5 times as long)
_ALIKE, _ALIKE_OF_MANY = 0.5, 0.65  # correlation of two thumbnails as they lie, from which an overlay is tried
_SMOOTH, _SMOOTH_OF_MANY = 0.85, 0.9  # the same for smooth ones, which a small shift changes little
_FINE, _PLACES = 0.8, 0.4  # least correlation of the fine structure: overall, and in the worst place
_FINE_OF_SIMPLE = 0.95  # the same for drawings, enlarged digits and the like; they show
_BUSY = 0.5  # something in less than this share of the thumbnail (99 % of photographs: more), or
_DETAIL = 0.3  # less than this of their fine structure is finest (99 % of photographs: 0.31; enlarged digits: 0.24)
_SCALE, _SHEAR, _BEYOND = 0.15, 0.03, 0.5  # what a crop does: it scales, never shears, never reaches beyond (pixels)
_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-5)
_STEPS_OF_SMOOTH = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 1e-4)  # which creep, and seldom arrive
_GREY, _TINT, _TINT_SHARE = 3.0, 4.0, 0.4  # in levels of Cr and Cb


class Pair(NamedTuple):
    """Two pictures that show the same.

    Attributes:
        first: The smaller position.
        second: The larger one.
        kind: ``"exact"``: every pixel is equal; ``"near"``: re-encoded, resized, slightly cropped, another
            brightness; ``"mirrored"``: near, left and right exchanged.
        likeness: Correlation of the two, 1 for exact copies.
    """

    first: int
    second: int
    kind: Kind
    likeness: float


def find_pairs(looks: Looks, *, near: bool = True) -> list[Pair]:
    """The pairs of copies, in order of their positions.

    Exact copies are paired with the first of their kind only, and that one alone with near copies: a thousand equal
    pictures give 999 pairs, not half a million.
    """
    firsts: dict[bytes, int] = {}
    pairs = []
    for position, digest in enumerate(looks.digests):
        if not digest:
            continue  # it could not be read
        first = firsts.setdefault(digest, position)
        if first != position:
            pairs.append(Pair(first, position, "exact", 1.0))
    if near:
        runs = (looks.thumbs[start : start + 4096] for start in range(0, len(looks), 4096))  # floats take four times
        deviation = np.concatenate([np.zeros(0), *(run.std(axis=(1, 2)) for run in runs)])
        usable = (deviation >= _FLAT) & (looks.sides >= _COMPARED_FROM)
        chosen = np.array([position for position in firsts.values() if usable[position]], np.int64)
        pairs += _near_pairs(looks, chosen)
    return sorted(pairs)


def _near_pairs(looks: Looks, chosen: Positions) -> Iterable[Pair]:
    best: dict[tuple[int, int], Pair] = {}
    first, second = _neighbours(looks, chosen)
    sides = looks.sides[first], looks.sides[second]
    scaled = (np.minimum(*sides) < HASHED_FROM) & (np.maximum(*sides) >= HASHED_FROM)  # a copy too small for a hash
    neighbours = first[scaled], second[scaled], np.zeros(int(scaled.sum()), bool)
    plain = _plain(looks, chosen)
    one, two, turned = map(np.concatenate, zip(neighbours, _hash_candidates(looks, chosen), strict=True))
    either = plain[one] | plain[two]
    for pair in [
        *_nearly_equal(looks, first, second, np.zeros(len(first), bool), plain),
        *_nearly_equal(looks, one[either & turned], two[either & turned], turned[either & turned], plain),
        *_verified(looks, one[~either], two[~either], turned[~either]),
    ]:
        other = best.get((pair.first, pair.second))
        if other is None or pair.likeness > other.likeness:
            best[pair.first, pair.second] = pair
    return _outside_crowds(list(best.values()), plain)


def _plain(looks: Looks, chosen: Positions) -> npt.NDArray[np.bool_]:
    """``(n,)``: which of the *chosen* pictures show three tones, 9 grey levels each, and little besides."""
    plain = np.zeros(len(looks), bool)
    for position in chosen:
        tones = np.convolve(np.bincount(looks.thumbs[position].ravel(), minlength=256), np.ones(9), "same")
        held = 0.0
        for _ in range(3):
            most = int(tones.argmax())
            held += tones[most]
            tones[max(0, most - 9) : most + 10] = 0
        plain[position] = held >= _PLAIN * SIDE * SIDE
    return plain


def _outside_crowds(pairs: list[Pair], plain: npt.NDArray[np.bool_]) -> list[Pair]:
    """*pairs* without those of plain pictures that many others resemble as much: a fixed camera's, not copies."""
    distances: dict[int, list[float]] = {}
    for pair in pairs:
        for position in pair[:2]:
            distances.setdefault(position, []).append(1 - pair.likeness)
    reach = {
        position: _CLEARLY**2 * float(np.median(found)) if plain[position] and len(found) > _FEW else np.inf
        for position, found in distances.items()
    }
    return [pair for pair in pairs if 1 - pair.likeness <= min(reach[pair.first], reach[pair.second])]


def _neighbours(looks: Looks, chosen: Positions) -> tuple[Positions, Positions]:
    """Positions ``(m,)`` and ``(m,)`` of pairs whose thumbnails, in means over 4×4 pixels, differ by few grey levels.

    No pair whose thumbnails differ by as few is missed: means differ by no more (Jensen).
    """
    if len(chosen) < 2:
        return chosen[:0], chosen[:0]
    from scipy.spatial import cKDTree

    means = looks.thumbs[chosen].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 64)
    reach = _RMS * 8  # a root mean square of 64 numbers, as a distance
    distances, closest = cKDTree(means).query(
        means, k=min(_NEIGHBOURS + 1, len(chosen)), distance_upper_bound=reach, workers=cores()
    )
    left, column = np.nonzero(np.isfinite(distances))
    edges = np.stack([left, closest[left, column]])
    first, second = np.unique(np.sort(edges[:, edges[0] != edges[1]], axis=0), axis=1)
    return chosen[first], chosen[second]


def _nearly_equal(
    looks: Looks,
    first: Positions,
    second: Positions,
    mirrored: npt.NDArray[np.bool_],
    plain: npt.NDArray[np.bool_],
) -> Iterator[Pair]:
    for start in range(0, len(first), 4096):
        left, right, turn = (part[start : start + 4096] for part in (first, second, mirrored))
        one, two = looks.thumbs[left].astype(np.float32), looks.thumbs[right].astype(np.float32)
        two[turn] = two[turn][:, :, ::-1]
        difference = np.abs(one - two)
        rms = np.sqrt(np.square(difference).mean(axis=(1, 2)))
        contrast = np.minimum(one.std(axis=(1, 2)), two.std(axis=(1, 2)))
        most = np.where(plain[left] | plain[right], _RMS_OF_PLAIN, _RMS)
        agree = (rms <= np.minimum(most, _SHARE * contrast)) & (difference.max(axis=(1, 2)) <= _MOST)
        for k in np.flatnonzero(agree):
            tint = looks.tints[right[k]]
            if _colours_agree(looks.tints[left[k]], tint[:, ::-1] if turn[k] else tint):
                kind: Kind = "mirrored" if turn[k] else "near"
                yield Pair(int(left[k]), int(right[k]), kind, 1 - float(rms[k] / contrast[k]) ** 2 / 2)


def _hash_candidates(looks: Looks, chosen: Positions) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
    """Positions ``(m,)`` and ``(m,)`` of pairs with similar hashes, and which are similar once one is mirrored."""
    members = chosen[looks.sides[chosen] >= HASHED_FROM]
    hashes, count = looks.hashes[members], len(members)
    whole = np.ascontiguousarray(hashes[:, 0])
    bits = _BITS if count <= _MANY else _BITS_OF_MANY
    most = max(_CROWD, int(_CROWD_SHARE * count))

    def similar(start: int) -> list[npt.NDArray[np.int64]]:
        found = []
        for which in range(3):
            close = _differing_bits(hashes[start : start + step, which, None], whole[None]) <= bits
            left, right = np.divmod(np.flatnonzero(close), count)  # three times as fast as nonzero
            other = left + start != right
            left, right = left[other], right[other]
            few = np.bincount(left, minlength=step)[left] <= most
            left, right = left[few] + start, right[few]
            found.append(np.stack([np.minimum(left, right), np.maximum(left, right), np.full(len(left), which == 1)]))
        return found

    step = max(1, _TILE // max(count, 1))
    with ThreadPoolExecutor(cores()) as pool:
        tiles = [part for tile in pool.map(similar, range(0, count, step)) for part in tile]
    every = np.concatenate([np.zeros((3, 0), np.int64), *tiles], axis=1)
    first, second, mirrored = np.unique(every, axis=1)
    return members[first], members[second], mirrored.astype(bool)


def _differing_bits(one: npt.NDArray[np.uint64], two: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    differing = one ^ two
    if hasattr(np, "bitwise_count"):  # from NumPy 2 on, and eight times as fast
        return np.asarray(np.bitwise_count(differing))
    parts = _ONES[differing.view(np.uint16).reshape(*differing.shape, 4)]
    return np.asarray(parts.sum(axis=-1, dtype=np.uint8))


_ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)


def _verified(looks: Looks, first: Positions, second: Positions, mirrored: npt.NDArray[np.bool_]) -> Iterator[Pair]:
    how_many = np.bincount(np.concatenate([first, second]), minlength=len(looks))
    many = np.maximum(how_many[first], how_many[second]) > _FEW

    def judge(start: int) -> list[Pair]:
        part = slice(start, start + 512)
        one = looks.thumbs[first[part]].astype(np.float32)
        two = looks.thumbs[second[part]].astype(np.float32)
        tints = looks.tints[second[part]]
        turn = mirrored[part]
        two[turn], tints[turn] = two[turn][:, :, ::-1], tints[turn][:, :, ::-1]
        pairs = []
        alike = _correlations(one, two)
        for k in np.flatnonzero(alike >= np.where(many[part], _ALIKE_OF_MANY, _ALIKE)):
            smooth = min(_detail(one[k]), _detail(two[k])) < _DETAIL
            if smooth and alike[k] < (_SMOOTH_OF_MANY if many[start + k] else _SMOOTH):
                continue  # enlarged digits: thousands of candidates, and no overlay would convince
            if not _colours_agree(looks.tints[first[start + k]], tints[k]):
                continue  # before the overlay, which takes a thousand times as long
            if likeness := _overlaid(one[k], two[k], smooth):
                kind: Kind = "mirrored" if turn[k] else "near"
                pairs.append(Pair(int(first[start + k]), int(second[start + k]), kind, likeness))
        return pairs

    with ThreadPoolExecutor(cores()) as pool:
        for pairs in pool.map(judge, range(0, len(first), 512)):
            yield from pairs


def _correlations(one: Floats, two: Floats) -> Floats:
    """Of each of ``(m, 32, 32)`` with its counterpart: ``(m,)``, −1 to 1."""
    left, right = (part.reshape(len(part), -1) - part.mean(axis=(1, 2))[:, None] for part in (one, two))
    scale = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / np.maximum(scale, 1e-6), np.float32)


def _overlaid(one: Floats, two: Floats, smooth: bool) -> float:
    """How well *two*, laid over *one* as a crop would lie, agrees in the fine structure: up to 1; 0 if not enough."""
    motion = np.eye(2, 3, dtype=np.float32)
    try:
        steps = _STEPS_OF_SMOOTH if smooth else _STEPS
        _, motion = cv2.findTransformECC(one, two, motion, cv2.MOTION_AFFINE, steps, None, 1)
    except cv2.error:  # it does not converge: the two have nothing in common
        return 0.0
    if not _is_crop(motion):
        return 0.0
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    laid = cv2.warpAffine(two, motion, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(two), motion, (SIDE, SIDE), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST)
    left, right = _finer_than(2, one) * inside, _finer_than(2, np.asarray(laid, np.float32)) * inside
    likeness = float((left * right).sum() / max(float(np.linalg.norm(left) * np.linalg.norm(right)), 1e-6))
    busy = min(float((np.abs(part) > part.std() / 4).mean()) for part in (left, right))
    enough = likeness >= (_FINE_OF_SIMPLE if smooth or busy < _BUSY else _FINE)
    agree = (
        enough and _places_agree(left, right) and _largest_local(one, np.asarray(laid, np.float32), inside) <= _LOCAL
    )
    return likeness if agree else 0.0


def _largest_local(one: Floats, two: Floats, inside: Floats) -> float:
    """The largest difference in one place, once brightness and contrast are fitted, in standard deviations.

    Blurred by a pixel, for a seam of too bright and too dark is left of a crop, and something else where one is added.
    """
    left, right = (part[inside > 0] - part[inside > 0].mean() for part in (one, two))
    gain = float(left @ right) / max(float(right @ right), 1e-6)
    rest = np.zeros_like(one)
    rest[inside > 0] = left - gain * right
    blurred = cv2.GaussianBlur(rest, (0, 0), 1) / np.maximum(cv2.GaussianBlur(inside, (0, 0), 1), 0.3) * inside
    return float(np.abs(blurred).max() / max(min(float(left.std()), gain * float(right.std())), 1e-6))


def _is_crop(motion: Floats) -> bool:
    """Whether *motion* ``(2, 3)`` scales and shifts as the part of a picture lies in the whole, or hardly at all."""
    scales, shears = np.array([motion[0, 0], motion[1, 1]]), (motion[0, 1], motion[1, 0])
    middle = (SIDE - 1) / 2
    shifts = motion @ np.array([middle, middle, 1]) - middle
    beyond = np.abs(shifts) - np.abs(1 - scales) * SIDE / 2
    one_way = scales.max() <= 1 + _SHEAR or scales.min() >= 1 - _SHEAR  # not larger across and smaller down
    return bool(
        np.abs(1 - scales).max() <= _SCALE and np.abs(shears).max() <= _SHEAR and beyond.max() <= _BEYOND and one_way
    )


def _finer_than(pixels: float, thumb: Floats) -> Floats:
    """*thumb* without its coarse light and shade, which strangers share."""
    return np.asarray(thumb - cv2.GaussianBlur(thumb, (0, 0), pixels), np.float32)


def _detail(thumb: Floats) -> float:
    """The share of the finest structure in the fine one, by energy."""
    return float(np.square(_finer_than(1, thumb)).sum() / max(float(np.square(_finer_than(2, thumb)).sum()), 1e-6))


def _places_agree(left: Floats, right: Floats) -> bool:
    """No place of the picture shows something else: the worst of 4×4 parts that show anything."""
    one, two = (part.reshape(4, 8, 4, 8).swapaxes(1, 2).reshape(16, 64) for part in (left, right))
    energy = np.square(one).sum(axis=1), np.square(two).sum(axis=1)
    most = np.maximum(*energy)
    each = (one * two).sum(axis=1) / np.maximum(np.sqrt(energy[0] * energy[1]), 1e-6)
    return bool(each[most > 0.15 * most.mean()].min() >= _PLACES)


def _colours_agree(one: npt.NDArray[np.int8], two: npt.NDArray[np.int8]) -> bool:
    """The same colours up to their strength; a grey copy of a coloured picture agrees too."""
    left, right = one.astype(np.float32), two.astype(np.float32)
    strength = float(np.abs(left).mean()), float(np.abs(right).mean())
    return min(strength) < _GREY or float(np.abs(left - right).mean()) <= _TINT + _TINT_SHARE * max(strength)
