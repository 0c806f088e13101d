"""``Classifier.export``: what is written answers as ``predict``, and what does not is not there."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace

import doc_pages
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from squares import squares

from imgclf import Classifier, Dataset, DrawnPets, ImageSpec, _backend, registry
from imgclf import export as exporting
from imgclf.errors import (
    BackendError,
    ExportError,
    FileError,
    ImageError,
    MissingPackageError,
    OptionError,
    UnknownNameError,
)
from imgclf.export.checking import batches, pictures_for
from imgclf.export.formats import FORMATS

NAMES = ("top", "bottöm")
pytestmark = pytest.mark.skipif(_backend.backend() != "tensorflow", reason="formats are written through TensorFlow")
PATHS = {"onnx": "x.onnx", "litert": "x.tflite", "saved_model": "x"}


def installed(name):
    for package in FORMATS[name].packages:
        pytest.importorskip(package)


@pytest.fixture(scope="module")
def sigmoid():
    keras.utils.set_random_seed(3)
    model = registry.build("small_cnn", (24, 32, 3), 2, filters=(4,), dense=4)
    return Classifier(model, NAMES, ImageSpec((24, 32)), {"accuracy": 0.9, "worst": float("nan")})


@pytest.fixture(scope="module")
def normalised():
    """A network of one's own: what augments, resizes and normalises stands inside it, over grey pictures."""
    keras.utils.set_random_seed(4)
    pixels = keras.Input((20, 30, 1))
    inner = layers.RandomRotation(0.2)(layers.RandomFlip()(layers.Rescaling(1 / 255)(pixels)))
    inner = layers.Resizing(14, 12)(inner)
    inner = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inner)))
    model = keras.Model(pixels, layers.Dense(3)(layers.Flatten()(inner)))
    normalisation = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    normalisation.set_weights([np.linspace(start, 1, 4) for start in (0.5, -0.5, 0.2, 2)])  # not as it was made
    return Classifier.from_keras(model, ["a", "b", "c"], fit="pad")


@pytest.fixture(scope="module", params=list(PATHS))
def exported(request, sigmoid, tmp_path_factory):
    installed(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    return sigmoid.export(folder / PATHS[request.param], request.param)


def agreed(exported, classifier, pictures):
    answer = FORMATS[exported.format].open(exported.path)
    said = np.concatenate([answer(batch) for batch in batches(pictures)])
    np.testing.assert_allclose(said, classifier.predict(pictures).probabilities, atol=1e-5)


def test_pictures_of_any_size_and_number_get_the_same_answer(exported, sigmoid):
    """Other sizes than those that were checked at export, one by one and in batches."""
    rng = np.random.default_rng(0)
    sizes = [(24, 32)] * 5 + [(1, 1), (333, 21), (21, 333), (100, 130), (100, 130), (7, 5)]
    agreed(exported, sigmoid, [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes])


def test_the_record_and_the_sidecar_say_what_was_written(exported, sigmoid):
    """Sizes, digests, names, what goes in and comes out, and how near it is."""
    content = json.loads(exported.sidecar.read_text("utf-8"))
    assert exported.sidecar == exported.path.with_name(exported.path.name + ".json")
    assert content["file"] == exported.path.name
    assert content["id2label"] == {"0": "top", "1": "bottöm"}
    assert content["label2id"] == {"top": 0, "bottöm": 1}
    assert content["input"]["shape"] == ["n", "height", "width", 3]
    assert content["preprocessing"]["image_size"] == [24, 32]
    assert content["output"]["shape"] == ["n", 2]
    assert content["provenance"] == {"accuracy": 0.9, "worst": None}
    assert {"imgclf", "keras", "tensorflow", "pillow", *FORMATS[exported.format].packages} <= set(content["versions"])
    assert "unknown" not in content["versions"].values()
    assert content["check"]["pictures"] == exported.checked == 8
    assert content["check"]["largest_difference"] == exported.largest_difference < 1e-5
    digests = content["sha256"] if exported.format == "saved_model" else {"": content["sha256"]}
    for name, digest in digests.items():
        assert hashlib.sha256((exported.path / name).read_bytes()).hexdigest() == digest
    assert exported.bytes == content["bytes"] > 1000
    assert "answers 8 pictures as predict does, to " in str(exported)
    assert FORMATS[exported.format].title in str(exported)


def test_class_names_stand_in_the_file(exported):
    """Each format holds them in its own way, beside the whole card."""
    if exported.format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(exported.path)
        texts = session.get_modelmeta().custom_metadata_map
        assert json.loads(texts["class_names"]) == list(NAMES)
        card = texts["imgclf.json"]
        assert [(one.name, one.shape) for one in session.get_inputs()] == [("images", ["n", "height", "width", 3])]
        assert [(one.name, one.shape) for one in session.get_outputs()] == [("probabilities", ["n", 2])]
    elif exported.format == "litert":
        with zipfile.ZipFile(exported.path) as archive:
            assert archive.read("labels.txt").decode() == "top\nbottöm\n"
            card = archive.read("imgclf.json")
    else:
        card = (exported.path / "assets.extra" / "imgclf.json").read_bytes()
    assert json.loads(card)["class_names"] == list(NAMES)


def test_nothing_else_is_left_and_the_classifier_is_as_it_was(exported, sigmoid, tmp_path):
    """No temporary files; the network saves to the same bytes as one that was never exported."""
    assert sorted(entry.name for entry in exported.path.parent.iterdir()) == [exported.path.name, exported.sidecar.name]
    keras.utils.set_random_seed(3)
    again = registry.build("small_cnn", (24, 32, 3), 2, filters=(4,), dense=4)
    other = Classifier(again, NAMES, sigmoid.spec, sigmoid.provenance)
    assert sigmoid.save(tmp_path / "a.keras").read_bytes() == other.save(tmp_path / "b.keras").read_bytes()


@pytest.mark.parametrize("name", ["onnx", pytest.param("litert", marks=pytest.mark.slow)])
def test_layers_that_training_switches_on_are_off(name, normalised, tmp_path):
    """Behind augmentation and Resizing, Keras 3.15.1 by itself exports batch normalisation as in training."""
    installed(name)
    before = [np.array(one) for one in normalised.model.get_weights()]
    record = normalised.export(tmp_path / PATHS[name])
    agreed(record, normalised, [np.random.default_rng(1).integers(0, 256, (50, 40, 1), dtype=np.uint8)] * 2)
    for one, other in zip(before, normalised.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_the_format_lacks_is_refused_in_a_sentence(tmp_path):
    """An antialiased Resizing is no part of ONNX; nothing is left of the attempt."""
    installed("onnx")
    pixels = keras.Input((16, 16, 3))
    small = layers.Resizing(4, 4, antialias=True)(pixels)
    own = Classifier.from_keras(keras.Model(pixels, layers.Dense(2)(layers.Flatten()(small))), NAMES)
    with pytest.raises(ExportError, match="as ONNX: .*Replace the layer that this format does not have"):
        own.export(tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_lent_precision_is_not_exported(sigmoid, tmp_path):
    """What with_precision gave is written in float32; a network of one's own in bfloat16 is refused."""
    record = sigmoid.with_precision("mixed_bfloat16").export(tmp_path / "x", "saved_model")
    agreed(record, sigmoid, list(squares(3)[0]))
    with _backend.precision("mixed_bfloat16"):
        pixels = keras.Input((16, 16, 3))
        model = keras.Model(pixels, layers.Dense(2, name="scores")(layers.Flatten()(pixels)))
    with pytest.raises(OptionError, match="in bfloat16 .*Build it under the dtype policy 'float32'"):
        Classifier.from_keras(model, NAMES).export(tmp_path / "y", "saved_model")


@pytest.fixture
def counterfeit(monkeypatch):
    """ONNX as a file of three bytes, whose answers are what the test says."""

    def put(answer):
        def write(serving, path, card):
            path.write_bytes(b"new")

        monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], packages=(), write=write, open=lambda _: answer))

    return put


def right(classifier, change=0.0):
    def answer(images):
        said = classifier.predict(list(images)).probabilities
        return said + np.float32(change) * np.array([1, -1], np.float32)

    return answer


def test_a_file_that_errs_is_removed_and_the_old_one_stays(sigmoid, counterfeit, tmp_path):
    """Too far off, not a number, another shape: the error says which picture, the folder is as before."""
    path = tmp_path / "x.onnx"
    path.write_bytes(b"old")
    path.with_name("x.onnx.json").write_text("{}")
    answers = {
        "at most 0.0001 apart.*\n  picture 0 .24×32.: '.*apart": right(sigmoid, 2e-4),
        "8 of 8 pictures": right(sigmoid, float("nan")),
        r"expected \(8, 2\)": lambda images: right(sigmoid)(images)[:, :1],
    }
    for said, answer in answers.items():
        counterfeit(answer)
        with pytest.raises(ExportError, match=said):
            sigmoid.export(path)
        assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {
            "x.onnx": b"old",
            "x.onnx.json": b"{}",
        }
    counterfeit(right(sigmoid, 5e-5))
    assert sigmoid.export(path).largest_difference == pytest.approx(5e-5, rel=0.01)
    assert path.read_bytes() == b"new"


def test_another_top_class_is_an_error_however_near(sigmoid, counterfeit, tmp_path):
    """0.50001 and 0.49999 are within the tolerance, and not the same answer."""
    even = np.array([[0.50001, 0.49999]], np.float32)
    card = exporting.Card("onnx", NAMES, sigmoid.spec, {})
    counterfeit(lambda images: even[:, ::-1].repeat(len(images), axis=0))
    with pytest.raises(ExportError, match="'bottöm' 0.500010 instead of 'top' 0.500010"):
        exporting.export(sigmoid.model, card, lambda given: even.repeat(len(given), axis=0), tmp_path / "x.onnx", None)


def test_own_pictures_are_compared(sigmoid, counterfeit, tmp_path):
    """Files at their full size, arrays, grey ones as RGB; what cannot be read, or nothing at all, is refused."""
    counterfeit(right(sigmoid))
    pets = DrawnPets(4, image_size=(40, 60)).write(tmp_path / "pets")
    assert sigmoid.export(tmp_path / "x.onnx", check=pets).checked == 4
    assert sigmoid.export(tmp_path / "x.onnx", check=np.zeros((3, 9, 9, 1), np.uint8)).checked == 3
    data = Dataset.from_arrays(squares(5, (24, 32))[0])
    assert sigmoid.export(tmp_path / "x.onnx", check=data).checked == 5
    assert [one.shape for one in pictures_for(sigmoid.spec, pets)] == [(40, 60, 3)] * 4
    with pytest.raises(ImageError, match="Check the path"):
        sigmoid.export(tmp_path / "x.onnx", check=tmp_path / "gone.png")
    with pytest.raises(OptionError, match="Give some, or leave it out"):
        sigmoid.export(tmp_path / "x.onnx", check=[])


def test_the_pictures_by_default_are_odd():
    """Exact, wide, tall, smaller and larger ones, in batches of 3, 2 and 1; the same every time; grey where asked."""
    for size in ((1, 1), (24, 32), (28, 28)):
        pictures = pictures_for(ImageSpec(size), None)
        assert [len(batch) for batch in batches(pictures)] == ([3, 2, 1, 1, 1])
        assert pictures[0].shape == (*size, 3)
        assert max(one.shape[1] / one.shape[0] for one in pictures) > 4
        assert max(one.shape[0] / one.shape[1] for one in pictures) > 4
    again = pictures_for(ImageSpec((28, 28)), None)
    assert all((one == other).all() for one, other in zip(pictures, again, strict=True))
    assert {one.shape[2] for one in pictures_for(ImageSpec((28, 28), "grayscale"), None)} == {1}


def test_a_missing_extra_is_named(sigmoid, monkeypatch, tmp_path):
    """One sentence, before anything is traced or written."""
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    for name, said in (("onnx", "onnx and onnxruntime and tf2onnx, which are"), ("litert", "ai_edge_litert, which is")):
        with pytest.raises(MissingPackageError, match=rf"{said} not installed. Run: pip install 'imgclf\[{name}\]'"):
            sigmoid.export(tmp_path / PATHS[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("there", "said"), [(object(), "classifier, set"), (None, "pip install tensorflow")])
def test_another_backend_is_told_the_way(sigmoid, monkeypatch, tmp_path, there, said):
    """The way leads over a saved file and a process on TensorFlow, which may have to be installed."""
    monkeypatch.setattr(exporting, "backend", lambda: "jax")
    monkeypatch.setattr(exporting, "find_spec", lambda name: there)
    with pytest.raises(BackendError, match=rf"runs on jax.*{said}.*KERAS_BACKEND=tensorflow"):
        sigmoid.export(tmp_path / "x.onnx")


def test_path_and_format_must_agree(sigmoid, tmp_path):
    """The ending tells the format; where both are given they may not contradict each other."""
    for path, name, said in (
        ("x.bin", None, "ends neither in .onnx nor in .tflite.*say format='saved_model'"),
        ("x.onnx", "litert", "LiteRT, which files end in .tflite"),
        ("x.onnx", "saved_model", "is a folder"),
        ("x", "onnx", "files end in .onnx. Change one of the two"),
    ):
        with pytest.raises(OptionError, match=said):
            sigmoid.export(tmp_path / path, name)
    with pytest.raises(UnknownNameError, match="Did you mean 'litert'"):
        sigmoid.export(tmp_path / "x", "litrt")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("long")
    with pytest.raises(FileError, match="a folder without saved_model.pb and is left as it is"):
        sigmoid.export(tmp_path / "mine", "saved_model")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "long"


@pytest.mark.slow
def test_the_page_on_exporting_runs(sigmoid, tmp_path, monkeypatch):
    """Every Python block, one after the other, on a tiny network; all runtimes say the same."""
    for name in FORMATS:
        installed(name)
    monkeypatch.chdir(tmp_path)
    sigmoid.save("pets.keras")
    DrawnPets(4, image_size=(40, 60)).write("pets/test")
    Image.fromarray(DrawnPets(2).read("cat.0.png")).save("garfield.jpg")
    names = doc_pages.run("exporting.md")
    wanted = sigmoid.predict(names["picture"]).probabilities
    np.testing.assert_allclose(names["probabilities"], wanted, atol=1e-5)
    np.testing.assert_allclose(names["pets"](names["picture"][None])["probabilities"], wanted, atol=1e-5)
