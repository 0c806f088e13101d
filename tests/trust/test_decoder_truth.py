"""Reference pictures of every kind that we read, against pixels that no decoder had a hand in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.images import ImageSpec, fit_image, inspect_image, read_image
from imgclf.inputs import gathered
from imgclf.sources import FolderSource

REFERENCE = Path(__file__).parent / "reference"
TRUTH = dict(np.load(REFERENCE / "pixels.npz"))
SPEC = ImageSpec((12, 20))
PROMISE = pytest.mark.promise(
    "decoder-truth",
    "Reference pictures of every kind decode to checked-in pixels, to 2 of 255, on all paths to a network alike",
)


def test_there_are_enough_of_them_and_none_is_forgotten():
    files = {path.name for path in REFERENCE.iterdir() if path.suffix not in {".npz", ".py"} and path.is_file()}
    assert files == set(TRUTH)
    assert len(files) >= 30
    assert sum(path.stat().st_size for path in REFERENCE.iterdir() if path.is_file()) < 300_000


@PROMISE
def test_every_reference_decodes_to_its_pixels(record_property):
    furthest = {name: difference(read_image(REFERENCE / name), pixels) for name, pixels in TRUTH.items()}
    worst = max(furthest, key=furthest.get)
    record_property("measured", f"{len(TRUTH)} pictures: largest difference {furthest[worst]} ({worst})")
    assert {name: far for name, far in furthest.items() if far > 2} == {}


def difference(pixels, wanted):
    assert pixels.shape == wanted.shape
    return int(np.abs(pixels.astype(int) - wanted).max())


@pytest.mark.parametrize("name", TRUTH)
def test_the_facts_fit_the_pixels(name):
    facts = inspect_image(REFERENCE / name)
    assert facts.size == TRUTH[name].shape[:2]
    assert facts.frames == {"animated.gif": 3, "two_pictures.jpg": 2}.get(name, 2 if "animated" in name else 1)
    assert facts.bytes == (REFERENCE / name).stat().st_size
    assert facts.suits(name)
    assert not facts.suits(name + ".tif")


@PROMISE
def test_training_and_prediction_see_the_same_pixels(tmp_path):
    paths = set_of_references(tmp_path)
    trained = Dataset.load(FolderSource(tmp_path), image_size=SPEC.image_size, progress=False)
    assert [tmp_path / key for key in trained.keys] == paths
    _, predicted = gathered(paths, SPEC)
    direct = np.stack([fit_image(read_image(path), SPEC) for path in paths])
    content = np.stack([fit_image(read_image(path.read_bytes()), SPEC) for path in paths])
    assert (trained.images == direct).all()
    assert (predicted == direct).all()
    assert (content == direct).all()


@PROMISE
def test_a_classifier_prepares_them_so_too(tmp_path):
    import keras

    from imgclf.classifier import Classifier

    paths = set_of_references(tmp_path)
    inputs = keras.Input(SPEC.shape)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    prepared = Classifier.from_keras(model, class_names=["a", "b"]).prepare(paths)[1]
    assert (prepared == Dataset.load(FolderSource(tmp_path), image_size=SPEC.image_size, progress=False).images).all()


def set_of_references(folder):
    for number, name in enumerate(sorted(TRUTH)):
        path = folder / "ab"[number % 2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((REFERENCE / name).read_bytes())
    listed = FolderSource(folder).samples().keys
    return [folder / key for key in listed]


def opencv_reads_fully(name):
    """Not what it drops: EXIF in these formats, transparency, JPEG's several kinds of ink, and all of GIF."""
    dropped = ("clear", "exif", "xmp", "alpha", "rgba")
    return name.endswith((".png", ".webp", ".bmp")) and not any(word in name for word in dropped)


@pytest.mark.parametrize("name", filter(opencv_reads_fully, TRUTH))
def test_another_decoder_agrees(name):
    """OpenCV's own libpng, libwebp and BMP reader."""
    import cv2

    content = np.frombuffer((REFERENCE / name).read_bytes(), np.uint8)
    other = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert difference(other, np.broadcast_to(TRUTH[name], other.shape)) <= 2


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_a_large_picture_converted_in_strips_is_the_same(mode, monkeypatch):
    rng = np.random.default_rng(0)
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (37, 23)).astype(np.uint16))
    else:
        source = Image.fromarray(rng.integers(0, 256, (37, 23, 4), dtype=np.uint8))
        picture = source.convert("RGB").quantize(9) if mode == "P" else source.convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF" if mode == "CMYK" else "PNG", **({"transparency": 3} if mode == "P" else {}))
    given = buffer.getvalue() if mode != "CMYK" else picture
    whole = read_image(given)
    monkeypatch.setattr("imgclf.decoding._STRIP", 5 * 23)
    assert (read_image(given) == whole).all()
