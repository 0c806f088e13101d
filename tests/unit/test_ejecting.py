"""Scripts without imgclf: the same pictures, the same draws, the same bits, and nothing that runs by its name."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import runpy
import subprocess
import sys
from dataclasses import replace

import doc_pages
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from imgclf import _backend
from imgclf.architectures import Architecture
from imgclf.augmentation import Augmentation
from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.ejecting import eject
from imgclf.ejecting.literals import call, literal
from imgclf.errors import DatasetError, OptionError
from imgclf.images import ImageSpec, prepare_image
from imgclf.sources import CsvPixelsSource, DrawnPets, FilenameSource, FolderSource
from imgclf.trainer import Trainer

TINY = Trainer("small_cnn", options={"filters": (4,), "dense": 0}, epochs=1, batch_size=8, precision="float32")
ARRAYS = np.random.default_rng(0).integers(0, 256, (24, 16, 20, 3), dtype=np.uint8)

# One process runs all scripts, which import TensorFlow once: whoever imports imgclf there fails.
RUNNER = """
import runpy, sys
sys.modules["imgclf"] = None
for script in sys.argv[1:]:
    runpy.run_path(script, run_name="__main__")
assert sys.modules["imgclf"] is None and not any(name.startswith("imgclf.") for name in sys.modules)
"""


def arrays(count=24, classes=("a", "b", "c")):
    return Dataset.from_arrays(ARRAYS[:count], np.arange(count) % len(classes), classes)


def halves(data):
    return data.take(slice(0, None, 2)), data.take(slice(1, None, 2))


def branching(pixels, *, width=4):
    left = layers.Conv2D(width, 3, padding="same", activation="relu", kernel_regularizer="l2")(pixels)
    right = layers.Conv2D(width, 1, kernel_initializer="he_normal", name="right-arm.1")(pixels)
    both = layers.BatchNormalization()(layers.Concatenate()([left, right]))
    return layers.GlobalAveragePooling2D()(layers.Add()([both, layers.Dropout(0.2)(both)]))


BRANCHING = Architecture("branching", branching, (16, 20, 3))


def photos(folder):
    """Drawn pets as JPEGs that a camera might have held sideways, of sizes that 2 does not divide."""
    source, folder = DrawnPets(40, image_size=(75, 93)), folder / "photos"
    folder.mkdir()
    for number, key in enumerate(source.samples().keys.tolist()):
        exif = Image.Exif()
        exif[0x0112] = number % 9  # 0 is no orientation
        Image.fromarray(source.read(key)).save(folder / key.replace(".png", ".jpg"), exif=exif)
    return FilenameSource(folder)


def table(folder):
    """Digits, so to say, of three classes as a table of pixels, the labels last."""
    path = folder / "digits.csv.gz"
    rows = np.random.default_rng(1).integers(0, 256, (20, 36))
    lines = [";".join([*map(str, row), str(number % 3)]) for number, row in enumerate(rows)]
    path.write_bytes(gzip.compress("\n".join(["", *lines, ""]).encode()))
    return CsvPixelsSource(path, label=-1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Name → the run that imgclf did, and the folder of the script that did the same."""
    folder = tmp_path_factory.mktemp("ejected")
    done = {}

    def both(name, trainer, data, source, **load):
        data = data or Dataset.load(source, cache=False, progress=False, **load)
        train, validation, test = data.split(validation=0.3, test=0.2, duplicates="ignore")
        eject(folder / name, trainer, train, validation, source=source, test=test)
        done[name] = trainer.fit(train, validation, verbose=0), folder / name, test

    pets = replace(
        TINY,
        options={"filters": (4, 8), "dense": 8, "dropout": 0.5},
        augmentation="book",
        class_weights={"cat": 1.5, "dog": 0.5},
        epochs=3,
        reduce_lr_patience=1,
        early_stopping_patience=1,
        early_stopping_monitor="val_accuracy",
    )
    both("pets", pets, None, photos(folder), image_size=(32, 36), fit="crop")
    digits = replace(TINY, architecture="mnist_cnn", options={}, class_weights="balanced", augmentation="mnist")
    both("digits", digits, None, table(folder), image_size=(10, 7), fit="pad")
    own = keras.Sequential(
        [keras.Input((16, 20, 3)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )
    recoloured = Augmentation(brightness_range=(0.5, 1.5), channel_shift_range=20, vertical_flip=True)
    both("own", replace(TINY, architecture=own, options={}, optimizer="adam", augmentation=recoloured), arrays(), None)
    with pytest.MonkeyPatch.context() as plain:
        plain.setattr(_backend, "has_fused_normalisation", lambda: False)  # the one thing that a script cannot do
        both("branching", replace(TINY, architecture=BRANCHING, options={}, steps_per_epoch=4), arrays(), None)
    scripts = [str(path / "train.py") for _, path, _ in done.values()]
    chosen = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    command = [sys.executable, "-I", "-c", RUNNER, *scripts]
    run = subprocess.run(command, env=chosen, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return done, run.stdout


@pytest.mark.parametrize("name", ["pets", "digits", "own", "branching"])
def test_the_script_trains_to_the_same_bits(runs, name):
    """History, best epoch, weights and the figures of the test part are those of imgclf's own run."""
    run, folder, test = runs[0][name]
    history = json.loads((folder / "history.json").read_text())
    assert history.pop("best_epoch") == run.best_epoch
    assert len(history["loss"]) == len(run.history["loss"])
    assert {figure: run.history[figure] for figure in history} == history
    classifier = keras.saving.load_model(folder / "best.keras")
    for one, two in zip(run.classifier.model.get_weights(), classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    accuracy = f"{len(test)} test pictures: accuracy {run.classifier.evaluate(test).accuracy:.4f}"
    assert accuracy in runs[1]
    assert "pictures are not those of the run" not in runs[1]


def test_the_script_predicts_as_the_classifier_does(runs):
    """``predict`` prepares files as the classifier does, and names their classes."""
    run, folder, _ = runs[0]["pets"]
    paths = sorted((folder.parent / "photos").iterdir())[:5]
    names, probabilities = runpy.run_path(str(folder / "train.py"))["predict"](paths)
    expected = run.classifier.predict(paths)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-6)
    assert names == [expected.class_names[label] for label in expected.probabilities.argmax(axis=1)]
    back = Classifier.from_keras(keras.saving.load_model(folder / "best.keras"), ("cat", "dog"), fit="crop")
    np.testing.assert_allclose(back.predict(paths).probabilities, expected.probabilities, atol=1e-6)


def test_the_page_on_ejecting_runs(tmp_path, monkeypatch):
    """Its example writes what it says."""
    monkeypatch.chdir(tmp_path)
    doc_pages.run("ejecting.md")
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == ["split.csv", "train.py"]
    assert 250 <= len((tmp_path / "plain" / "train.py").read_text().splitlines()) <= 270


@pytest.mark.parametrize("name", ["pets", "digits", "own", "branching"])
def test_the_script_is_clean(runs, name):
    """It does not import imgclf, has no line above 120 characters, and nothing that is not used."""
    text = (runs[0][name][1] / "train.py").read_text()
    assert "import imgclf" not in text
    assert "from imgclf" not in text
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) < 280
    ruff = pytest.importorskip("ruff.__main__").find_ruff_bin()
    command = [ruff, "check", "--isolated", "--no-cache", "-"]
    checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def script_of(folder, data, source=None, **settings):
    """What stands in a script for *data*, without running it."""
    train, validation = halves(data)
    return runpy.run_path(str(eject(folder, replace(TINY, **settings), train, validation, source=source)))


def odd_files(folder):
    """A picture of every honest kind: turned, transparent, of 16 bits, palette, CMYK, grey."""
    pixels = np.random.default_rng(2).integers(0, 256, (61, 87, 4), dtype=np.uint8)
    smooth = Image.fromarray(pixels).resize((203, 151))
    exif = Image.Exif()
    for turn in (1, 3, 5, 6, 8):
        exif[0x0112] = turn
        smooth.convert("RGB").save(folder / f"turned{turn}.jpg", exif=exif)
    smooth.convert("CMYK").save(folder / "cmyk.jpg")
    smooth.convert("L").save(folder / "grey.jpg", progressive=True)
    smooth.save(folder / "clear.png")
    smooth.convert("LA").save(folder / "clear_grey.png")
    smooth.convert("RGB").quantize(9).save(folder / "palette.png", transparency=3)
    smooth.convert("1").save(folder / "bits.png")
    smooth.save(folder / "clear.webp")
    smooth.convert("RGB").save(folder / "small.bmp")
    smooth.convert("RGB").save(folder / "frames.gif", save_all=True, append_images=[Image.new("RGB", smooth.size)])
    deep = np.random.default_rng(3).integers(0, 65536, (40, 50), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("fit", "color_mode", "size"),
    [("stretch", "rgb", (24, 17)), ("crop", "grayscale", (17, 24)), ("pad", "rgb", (16, 60))],
)
def test_files_are_decoded_to_the_same_bits(tmp_path, fit, color_mode, size):
    """Every honest kind of file gives the pixels that imgclf sees."""
    (tmp_path / "odd").mkdir()
    paths = odd_files(tmp_path / "odd")
    spec = ImageSpec(size, color_mode, fit)
    store = np.zeros((24, *spec.shape), np.uint8)
    prepare = script_of(tmp_path / "out", replace(arrays(), store=store, spec=spec))["prepare"]
    for path in paths:
        np.testing.assert_array_equal(prepare(path), prepare_image(path, spec), err_msg=path.name)


@pytest.mark.parametrize(
    "augmentation",
    [
        *(Augmentation.preset(name) for name in Augmentation.presets() if name != "none"),
        Augmentation(width_shift_range=3, zoom_range=(0.7, 1.1), shear_range=20, fill_mode="reflect"),
        Augmentation(rotation_range=90, fill_mode="constant", cval=200, channel_shift_range=30),
        Augmentation(height_shift_range=0.3, fill_mode="wrap", brightness_range=(0.5, 2), vertical_flip=True),
    ],
    ids=repr,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_draws_are_the_same(tmp_path, augmentation, channels):
    """The script's versions of a picture are imgclf's, for every setting."""
    images = ARRAYS[..., :channels]
    data = Dataset.from_arrays(images, np.arange(len(images)) // 2 % 2, ("a", "b"))
    augment = script_of(tmp_path, data, augmentation=augmentation, seed=7)["augment"]
    expected = augmentation(images, seed=7, epoch=3, indices=range(len(images)))
    found = np.stack([augment(image, 3, index) for index, image in enumerate(images)])
    np.testing.assert_array_equal(found, expected)


def test_no_name_becomes_code(tmp_path):
    """Names of files and classes come through as they are, whatever they hold."""
    names = {"cat": ["a\"b'.png", "x,\r\ny;\n.png", "=1+1.png"], 'd"""\\"': ["ä\udcff.png", "{{ 7 }}.png", "#.png"]}
    for number, (name, files) in enumerate(names.items()):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for place, file in enumerate(files):
            Image.new("RGB", (8, 8), (number * 90, place * 90, 7)).save(tmp_path / "pets" / name / file)
    source = FolderSource(tmp_path / "pets")
    data = Dataset.load(source, image_size=(8, 8), cache=False, progress=False)
    made = script_of(tmp_path / 'o"ut\n', data, source)
    assert made["CLASS_NAMES"] == list(data.class_names)
    for part, wanted in zip(("train", "validation"), halves(data), strict=True):
        pictures, labels = made["load"](part)
        np.testing.assert_array_equal(pictures, wanted.images)
        np.testing.assert_array_equal(labels, wanted.labels)


def test_parts_of_several_folders_keep_their_files(tmp_path):
    """A source for each part: the same key in two of them means two files."""
    sources = {}
    for number, part in enumerate(("train", "validation")):
        folder = DrawnPets(6, seed=number, image_size=(16, 16)).write(tmp_path / part, "folders")
        sources[part] = FolderSource(folder)
    parts = [Dataset.load(one, image_size=(16, 16), cache=False, progress=False) for one in sources.values()]
    made = runpy.run_path(str(eject(tmp_path / "out", TINY, *parts, source=sources)))
    for part, data in zip(sources, parts, strict=True):
        np.testing.assert_array_equal(made["load"](part)[0], data.images)
    with (tmp_path / "out" / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"path": "validation/dog/dog.2.png", "class": "dog", "part": "validation"} in rows
    with pytest.raises(OptionError, match="no source of the pictures for 'validation'"):
        eject(tmp_path / "out", TINY, *parts, source={"train": sources["train"]})
    with pytest.raises(DatasetError, match="Give the one that the set is loaded from"):
        eject(tmp_path / "out", TINY, *halves(arrays()), source=sources["train"])


class Own(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def twice(pixels):
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    return layers.Flatten()(shared(shared(pixels)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda pixels: layers.Flatten()(Own()(pixels)), "a Own cannot be written out as code; expected Keras's own"),
        (lambda pixels: layers.Flatten()(keras.ops.sin(pixels)), "'sin' is a function of keras.ops"),
        (lambda pixels: layers.Flatten()(layers.Lambda(lambda x: x)(pixels)), "a Lambda cannot be written out"),
        (lambda pixels: keras.Sequential([layers.Flatten()], name="part")(pixels), "'part' is itself a model"),
        (twice, "'shared' is used more than once"),
        (
            lambda pixels: layers.Dense(2, activation=keras.ops.sign)(layers.Flatten()(pixels)),
            "'sign'.* cannot be written",
        ),
    ],
)
def test_what_cannot_be_written_out_is_refused(tmp_path, body, said):
    """Layers, functions and models that are not plain Keras are named; nothing is written."""
    with pytest.raises(OptionError, match=said):
        script_of(tmp_path / "out", arrays(), architecture=Architecture("odd", body, (16, 20, 3)), options={})
    assert not (tmp_path / "out").exists()


def test_callbacks_of_ones_own_are_refused(tmp_path):
    """Their code is not ours to write."""
    with pytest.raises(OptionError, match="'LambdaCallback'.*add them to the script"):
        script_of(tmp_path, arrays(), callbacks=[keras.callbacks.LambdaCallback()])


def test_a_test_set_of_another_size_is_refused(tmp_path):
    """As a validation set of another size is, by ``fit``."""
    other = Dataset.from_arrays(ARRAYS[:, :8], np.arange(24) % 3, ("a", "b", "c"))
    with pytest.raises(OptionError, match="Load both with the same image_size"):
        eject(tmp_path, TINY, *halves(arrays()), test=other)


def test_other_pictures_are_noticed(tmp_path):
    """The digest in the script is that of the pixels that it loads."""
    made = script_of(tmp_path, arrays())
    total = hashlib.sha256()
    for part in ("train", "validation"):
        total.update(np.ascontiguousarray(made["load"](part)[0]).data)
    assert total.hexdigest() == made["PIXELS"]


@pytest.mark.parametrize(
    "value", ["'", '"', "\\", "a\nb", "\udcff", "é", 0.1, 1 / 255, -3, None, True, (1,), [], {"a": (1, 2.5)}]
)
def test_literals_mean_what_they_stand_for(value):
    """Python reads back what was written."""
    assert eval(literal(value)) == value


def test_literals_refuse_the_rest():
    """No repr of an object, no number that Python cannot write."""
    for value in (object(), float("inf"), np.zeros(2)):
        with pytest.raises(OptionError, match="cannot be written out as code"):
            literal(value)


def test_a_call_says_what_differs_from_the_default():
    """Nested objects too, and initializers by their usual names where nothing is set."""
    made = layers.Conv2D(4, 3, kernel_initializer="he_normal", bias_regularizer=keras.regularizers.L1(0.5), name="c")
    wanted = (
        'layers.Conv2D(4, (3, 3), kernel_initializer="he_normal", bias_regularizer=keras.regularizers.L1(l1=0.5), '
        'name="c")'
    )
    assert call(layers.Conv2D, made.get_config()) == wanted
