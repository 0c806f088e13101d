"""The pictures that several benchmarks read: real photographs, or a few drawn ones."""

from __future__ import annotations

from pathlib import Path

from .harness import Options

PARTS = ("train", "validation", "test")


def folders(options: Options) -> list[Path]:
    """Folders with a folder per class: 4,000 photographs of cats and dogs in three parts, or a dozen drawn pets in one.

    Raises:
        FileNotFoundError: the real pictures are wanted, and were not given.
    """
    if options.tiny:
        return [_drawn(options.work / "drawn")]
    if options.data is None:
        raise FileNotFoundError("needs real pictures: give --data")
    found = [options.data / "dogs_vs_cats" / part for part in PARTS]
    if missing := [part.name for part in found if not part.is_dir()]:
        raise FileNotFoundError(f"--data holds no dogs_vs_cats/{', '.join(missing)}")
    return found


def side(options: Options) -> int:
    """Of the squares that pictures become."""
    return 64 if options.tiny else 150


def paths(options: Options) -> list[str]:
    """All the files of :func:`folders`, folder by folder, class by class."""
    return [str(path) for folder in folders(options) for path in sorted(folder.glob("*/*.jpg"))]


def _drawn(folder: Path) -> Path:
    from PIL import Image

    from imgclf import DrawnPets

    pets = DrawnPets(12, image_size=(80, 100))
    for key in pets.samples().keys.tolist():
        place = folder / key.partition(".")[0]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pets.read(key)).save(place / f"{key}.jpg")
    return folder
