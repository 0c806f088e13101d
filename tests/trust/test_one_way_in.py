"""A file is the same picture on every way to a network, also where a JPEG is decoded at a fraction of its size."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from nasty_corpus import corpus
from PIL import Image
from test_nasty_images import HANG, timed

from imgclf.dataset import Dataset
from imgclf.images import ImageSpec, fit_image, prepare_image, read_image
from imgclf.inputs import gathered
from imgclf.sources import FilenameSource, FolderSource, Samples

SAME = pytest.mark.promise(
    "one-way-in",
    "A file gives the same pixels whether it is loaded, cached, predicted by path or by its bytes, or explained",
)
VERDICT = pytest.mark.promise(
    "one-way-in", "Whether a file is taken or refused, and why, does not depend on the size that is wanted"
)
CLOSE = pytest.mark.promise(
    "one-way-in", "A photograph decoded small is as near to the photograph as one decoded whole, to half a grey level"
)
SPECS = (ImageSpec((40, 30)), ImageSpec((33, 47), "grayscale", "crop"), ImageSpec((64, 64), "rgb", "pad"))


def photograph(number, size):
    rng = np.random.default_rng(number)
    rough = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(rough) + rng.normal(0, 8, (size[1], size[0], 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture
def pictures(tmp_path):
    """JPEGs of many sizes and all orientations, and other formats among them."""
    for number in range(32):
        size = (60 + 37 * (number % 9), 50 + 53 * (number % 7))
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        path = tmp_path / "set" / "ab"[number % 2] / f"{'cat' if number % 2 else 'dog'}.{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 4 == 3:
            photograph(number, size).save(path.with_suffix(f".{number}.png"), exif=exif)
        else:
            picture = photograph(number, size).convert(("RGB", "L", "CMYK")[number % 3])
            picture.save(path.with_suffix(f".{number}.jpg"), exif=exif, progressive=number % 5 == 0)
    return tmp_path / "set"


class Elsewhere:
    """A user's own source of the same files, which knows nothing of sizes."""

    class_names = ("a", "b")

    def __init__(self, paths):
        self.paths = {str(number): path for number, path in enumerate(paths)}

    def samples(self):
        return Samples(list(self.paths), [number % 2 for number in range(len(self.paths))])

    def read(self, key):
        return read_image(self.paths[key])

    def prepare(self, key, spec):
        return prepare_image(self.paths[key], spec)


@SAME
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_way_gives_the_same_pixels(pictures, spec, record_property):
    options = {"image_size": spec.image_size, "color_mode": spec.color_mode, "fit": spec.fit, "progress": False}
    first = Dataset.load(FolderSource(pictures), **options)
    again = Dataset.load(FolderSource(pictures), **options)
    paths = [pictures / key for key in first.keys]
    wanted = np.stack([prepare_image(path, spec) for path in paths])
    ways = {
        "the first load": first.images,
        "the cache": again.images,
        "memory": Dataset.load(FolderSource(pictures), cache=False, **options).images,
        "names": np.stack([image for _, image in sorted_by_name(FilenameSource(pictures), options, first.keys)]),
        "a source of one's own": Dataset.load(Elsewhere(paths), **options).images,
        "paths": gathered(paths, spec)[1],
        "one path": np.concatenate([gathered(str(path), spec)[1] for path in paths]),
        "bytes": gathered([path.read_bytes() for path in paths], spec)[1],
        "a folder": gathered(pictures, spec)[1],
        "a dataset": gathered(again, spec)[1],
    }
    assert isinstance(again.store.base, np.memmap)
    assert {name for name, pixels in ways.items() if not np.array_equal(pixels, wanted)} == set()
    whole = np.stack([fit_image(read_image(path), spec) for path in paths])
    small = int((wanted != whole).any(axis=(1, 2, 3)).sum())
    assert small > 5  # else nothing is shown
    record_property("measured", f"{len(paths)} files on {len(ways)} ways, {small} of them decoded small: equal")


def sorted_by_name(source, options, keys):
    data = Dataset.load(source, **options)
    place = {key: position for position, key in enumerate(keys.tolist())}
    return sorted(zip([place[str(key)] for key in data.keys], data.images, strict=True), key=lambda pair: pair[0])


@SAME
def test_a_classifier_and_an_explainer_take_them_so_too(pictures):
    import keras

    from imgclf.classifier import Classifier
    from imgclf.explainer.requests import _read

    inputs = keras.Input((40, 30, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    data = Dataset.load(FolderSource(pictures), image_size=(40, 30), progress=False)
    paths = [str(pictures / key) for key in data.keys]
    assert (Classifier.from_keras(model, class_names=["a", "b"]).prepare(paths)[1] == data.images).all()
    assert (_read(paths, (40, 30, 3))[1] == data.images).all()


@VERDICT
def test_the_generated_corpus_is_refused_and_taken_alike(record_property):
    other, slowest, cases = {}, 0.0, corpus()
    for case in cases:
        whole, _ = timed(lambda case=case: read_image(case.content))
        for side in (1, 30, 400):
            small, seconds = timed(lambda case=case, side=side: prepare_image(case.content, ImageSpec((side, side))))
            slowest = max(slowest, seconds)
            if isinstance(whole, str) != isinstance(small, str) or (isinstance(whole, str) and whole != small):
                other[case.name, side] = (whole, small)
    record_property("measured", f"{len(cases)} files at 3 sizes: the same words, slowest {slowest:.2f} s")
    assert other == {}
    assert slowest < HANG


@VERDICT
def test_the_collected_files_are_refused_and_taken_alike(real_data, record_property):
    folder = real_data / "nasty_images"
    lines = (folder / "MANIFEST.tsv").read_text("utf-8").splitlines()
    files = [row["file"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    other = {}
    for name in files:
        whole, _ = timed(lambda name=name: read_image(folder / name))
        small, _ = timed(lambda name=name: prepare_image(folder / name, ImageSpec((9, 9))))
        if (whole if isinstance(whole, str) else "") != (small if isinstance(small, str) else ""):
            other[name] = (whole, small)
    record_property("measured", f"{len(files)} files: the same words")
    assert other == {}


@CLOSE
def test_a_photograph_decoded_small_is_as_near_to_the_photograph(real_data, record_property):
    """Against Lanczos on the whole picture, which is sharper than either."""
    paths = sorted((real_data / "dogs_vs_cats" / "validation").rglob("*.jpg"))[::10]
    spec, small, whole, apart = ImageSpec((150, 150)), [], [], []
    for path in paths:
        pixels, full = prepare_image(path, spec).astype(int), read_image(path)
        fitted = fit_image(full, spec).astype(int)
        if (pixels != fitted).any():
            best = np.asarray(Image.fromarray(full).resize((150, 150), Image.Resampling.LANCZOS)).astype(int)
            small.append(np.abs(pixels - best).mean())
            whole.append(np.abs(fitted - best).mean())
            apart.append(np.abs(pixels - fitted))
    between = np.stack(apart)
    record_property(
        "measured",
        f"{len(small)} of {len(paths)} photographs decoded small: {np.mean(small):.2f} grey levels from Lanczos, whole "
        f"ones {np.mean(whole):.2f}; from each other {between.mean():.2f}, 99.9 % within "
        f"{np.percentile(between, 99.9):.0f}",
    )
    assert len(small) > len(paths) / 2
    assert np.mean(small) < np.mean(whole) + 0.5
    assert between.mean() < 1.2
    assert np.percentile(between, 99.9) < 20
