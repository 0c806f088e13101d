"""Plant copies of real pictures among them, look for duplicates, and write how many are found, kind by kind.

    python benchmarks/planted_duplicates.py ../shared/data/dogs_vs_cats docs/results/planted_duplicates.json

The speed of ``health.check`` against decoding alone is measured on the same pictures.

Every picture gets at most one copy, of one kind, so that a found pair is right if and only if it is a planted one, or
one of those that the pictures hold already (they are found without planting, and listed).
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from imgclf import FolderSource, health
from imgclf.duplicates import Looks, Pair, find_pairs, grouped, look_at_all
from imgclf.files import write_json
from imgclf.images import ImageSpec, fit_image, read_image
from imgclf.store import in_threads

Copier = Callable[[Image.Image, np.random.Generator], Image.Image]


def _resized(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = rng.uniform(0.5, 0.8)
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _cropped(least: float, most: float) -> Copier:
    def crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        share = 1 - rng.uniform(least, most)
        width, height = round(picture.width * share), round(picture.height * share)
        left, top = rng.integers(0, picture.width - width + 1), rng.integers(0, picture.height - height + 1)
        return picture.crop((int(left), int(top), int(left) + width, int(top) + height))

    return crop


def _brighter(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(rng.uniform(1.1, 1.3))


PROMISED: dict[str, Copier | None] = {
    "exact file": None,
    "PNG copy": None,
    "JPEG quality 40 to 90": lambda picture, _: picture,
    "resized to 50 to 80 %": _resized,
    "mirrored": lambda picture, _: ImageOps.mirror(picture),
    "cropped by 3 to 5 %": _cropped(0.03, 0.05),
    "brighter by 10 to 30 %": _brighter,
}
BEYOND: dict[str, Copier | None] = {
    "cropped by 10 %": _cropped(0.1, 0.1),
    "grey": lambda picture, _: picture.convert("L"),
    "mirrored and cropped by 3 to 5 %": lambda picture, rng: ImageOps.mirror(_cropped(0.03, 0.05)(picture, rng)),
    "darker by 10 to 30 %": lambda picture, rng: ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 0.9)),
    "turned by 3 degrees": lambda picture, _: picture.rotate(3, Image.Resampling.BICUBIC),
}
EXACT = ("exact file", "PNG copy")
_DEFAULTS = "../shared/data/dogs_vs_cats docs/results/planted_duplicates.json"


def copy_of(content: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """The bytes of a file that is a copy of *content* of the *kind*; all but the exact ones go through JPEG."""
    if kind == "exact file":
        return content
    file = io.BytesIO()
    if kind == "PNG copy":
        Image.fromarray(read_image(content).squeeze()).save(file, "PNG", compress_level=1)
        return file.getvalue()
    changed = {**PROMISED, **BEYOND}[kind]
    assert changed is not None
    quality = int(rng.integers(40, 91)) if kind.startswith("JPEG") else 90
    changed(Image.open(io.BytesIO(content)).convert("RGB"), rng).save(file, "JPEG", quality=quality)
    return file.getvalue()


def planted(count: int, kinds: Sequence[str], seed: int) -> list[tuple[int, str]]:
    """Which of *count* pictures get a copy, and of which kind: each picture at most one, the kinds in equal numbers."""
    order = np.random.default_rng(seed).permutation(count)
    each = count // len(kinds)
    return [(int(order[k * each + i]), kind) for k, kind in enumerate(kinds) for i in range(each)]


def looks_with_copies(
    contents: Sequence[bytes], plan: Sequence[tuple[int, str]], seed: int, spec: ImageSpec | None
) -> Looks:
    """The looks of the pictures and, after them, of the planted copies; *spec* prepares all as a ``Dataset`` would."""

    def pictures() -> Any:
        for content in contents:
            yield read_image(content)
        for position, kind in plan:
            yield read_image(copy_of(contents[position], kind, np.random.default_rng((seed, position))))

    return look_at_all(fit_image(picture, spec) if spec else picture for picture in pictures())


def measured(
    pairs: Sequence[Pair], plan: Sequence[tuple[int, str]], count: int, known: set[tuple[int, int]]
) -> dict[str, Any]:
    """Recall by kind, and precision over all pairs, of *pairs* among *count* pictures and their copies."""
    group = grouped(pairs, count + len(plan))
    found: dict[str, list[bool]] = {}
    for place, (position, kind) in enumerate(plan, start=count):
        found.setdefault(kind, []).append(bool(group[place] == group[position]))
    origin = [*range(count), *(position for position, _ in plan)]
    wrong = [
        pair
        for pair in pairs
        if origin[pair.first] != origin[pair.second]
        and (min(origin[pair.first], origin[pair.second]), max(origin[pair.first], origin[pair.second])) not in known
    ]
    return {
        "recall": {kind: round(sum(hits) / len(hits), 4) for kind, hits in found.items()},
        "copies_of_each_kind": len(plan) // len(found),
        "pairs_found": len(pairs),
        "wrong_pairs": len(wrong),
        "precision": round(1 - len(wrong) / max(len(pairs), 1), 5),
    }


def measure(
    contents: Sequence[bytes], kinds: Sequence[str], seed: int, spec: ImageSpec | None = None
) -> dict[str, Any]:
    """Plant copies of *kinds* among *contents* and say what is found; pairs among the originals count as right."""
    plan = planted(len(contents), kinds, seed)
    looks = looks_with_copies(contents, plan, seed, spec)
    started = time.perf_counter()
    pairs = find_pairs(looks)
    taken = time.perf_counter() - started
    known = {(pair.first, pair.second) for pair in pairs if pair.second < len(contents)}
    figures = measured(pairs, plan, len(contents), known)
    return {**figures, "pairs_among_the_originals": sorted(known), "seconds_to_find_pairs": round(taken, 2)}


def speed(folder: Path) -> dict[str, float]:
    """Seconds to decode all pictures in the same threads and do nothing else, to check their health, and the ratio."""
    source = FolderSource(folder / "train")
    keys = [str(key) for key in source.samples().keys]

    def read(start: int) -> int:
        return sum(source.read(key).size > 0 for key in keys[start : start + 16])

    started = time.perf_counter()
    in_threads(read, range(0, len(keys), 16), len(keys), bar=False)
    decoded = time.perf_counter()
    health.check(source, progress=False)
    checked = time.perf_counter() - decoded
    decoded -= started
    return {
        "pictures": len(keys),
        "seconds_decoding": round(decoded, 2),
        "seconds_checking": round(checked, 2),
        "ratio": round(checked / decoded, 2),
    }


def main(folder: Path, target: Path) -> None:
    """Measure and write."""
    from machine import header  # beside this script; whoever imports it from elsewhere needs no header

    paths = sorted(folder.rglob("*.jpg"))
    contents = [path.read_bytes() for path in paths]
    names = [path.relative_to(folder).as_posix() for path in paths]
    runs = {}
    for name, kinds, spec, seeds in (
        ("files", [*PROMISED], None, (1, 2)),
        ("files, harder copies", [*BEYOND], None, (1,)),
        ("decoded to 150×150", [*PROMISED], ImageSpec((150, 150)), (1,)),
        ("decoded to 64×64", [*PROMISED], ImageSpec((64, 64)), (1,)),
    ):
        runs[name] = [{"seed": seed, **measure(contents, kinds, seed, spec)} for seed in seeds]
        for seed_run in runs[name]:
            seed_run["pairs_among_the_originals"] = [
                [names[a], names[b]] for a, b in seed_run["pairs_among_the_originals"]
            ]
        print(name, *runs[name], sep="\n  ")
    report = {
        "command": "python benchmarks/planted_duplicates.py " + _DEFAULTS,
        **header(),
        "pictures": len(paths),
        "runs": runs,
        "speed": [speed(folder) for _ in range(3)],
    }
    write_json(target, report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
