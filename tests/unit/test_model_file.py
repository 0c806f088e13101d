"""One file: an ordinary ``.keras`` archive, the same bytes every time, opened without Keras's deserialiser."""

from __future__ import annotations

import enum
import itertools
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from squares import squares

from imgclf import model_file
from imgclf.architectures import Architecture, registry
from imgclf.archive import dump_json, write_archive
from imgclf.classifier import Classifier
from imgclf.errors import ModelFileError
from imgclf.images import ImageSpec

NAMES = ("top", "bottom")
GOLDEN = Path(__file__).parents[1] / "backends" / "golden"
PICTURES = squares(4)[0]


def unnamed(pixels, *, width=3):
    """A builder that leaves the names to Keras."""
    x = layers.Conv2D(width, 3)(layers.Conv2D(width, 3)(pixels))
    return layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))


UNNAMED = Architecture("unnamed", unnamed, (16, 16, 3))


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(registry._known, "unnamed", UNNAMED)


def classifier(name="small_cnn", provenance=None, **options):
    keras.utils.set_random_seed(3)
    options = options or ({"filters": (4,), "dense": 4} if name == "small_cnn" else {})
    model = registry.build(name, (16, 16, 3), 2, **options)
    return Classifier(model, NAMES, ImageSpec((16, 16)), provenance or {"note": "hé"})


def own():
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, layers.Dense(2, "softmax")(layers.Flatten()(layers.Rescaling(1 / 255)(pixels))))
    return Classifier.from_keras(model, NAMES)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def said(one):
    return one.predict(PICTURES).probabilities


PLAIN = """
import sys, keras, numpy as np
sys.modules["imgclf"] = None                     # as where it is not installed
model = keras.saving.load_model(sys.argv[1])
assert getattr(model, "optimizer", None) is None
print(float(model(np.full((1, 16, 16, 3), 100, "float32"), training=False)[0, 0]))
"""


@pytest.mark.promise("model-plain-keras", "plain Keras opens the saved file, without imgclf, and answers the same")
@pytest.mark.parametrize("make", [classifier, own])
def test_plain_keras_opens_the_file_without_imgclf(make, tmp_path):
    original = make()
    path = original.save(tmp_path / "a.keras")
    done = subprocess.run([sys.executable, "-c", PLAIN, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    unit = original.model(np.full((1, 16, 16, 3), 100, np.float32), training=False)
    assert float(done.stdout) == pytest.approx(float(keras.ops.convert_to_numpy(unit)[0, 0]), abs=1e-6)


SAVE = """
import sys, time
sys.path[:0] = sys.argv[2:]
from test_model_file import UNNAMED, classifier, layers, registry
registry.add(UNNAMED)
for _ in range(int(sys.argv[1][-7])):
    layers.Conv2D(1, 1), layers.BatchNormalization()  # so that Keras counts on
classifier("unnamed").save(sys.argv[1])
"""


@pytest.mark.promise("model-deterministic", "one classifier gives the same bytes, whenever and wherever it is saved")
@pytest.mark.parametrize("name", ["small_cnn", "unnamed"])
def test_the_same_classifier_gives_the_same_bytes(name, tmp_path, monkeypatch):
    first, second = classifier(name), classifier(name)
    before = first.save(tmp_path / "a.keras").read_bytes()
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert second.save(tmp_path / "b.keras").read_bytes() == before
    assert Classifier.load(tmp_path / "a.keras").save(tmp_path / "c.keras").read_bytes() == before
    second.model.compile("adam", "mse")
    assert second.save(tmp_path / "d.keras").read_bytes() == before
    second.model.set_weights([weight + 1e-7 for weight in second.model.get_weights()])
    assert second.save(tmp_path / "e.keras").read_bytes() != before


@pytest.mark.promise("model-deterministic", "one classifier gives the same bytes, whenever and wherever it is saved")
def test_another_process_gives_the_same_bytes(tmp_path):
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    for number in (0, 3):
        command = [sys.executable, "-c", SAVE, str(tmp_path / f"{number}.keras"), *here]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "0.keras").read_bytes() == (tmp_path / "3.keras").read_bytes()
    assert (tmp_path / "0.keras").read_bytes() == classifier("unnamed").save(tmp_path / "here.keras").read_bytes()


def test_a_network_of_ones_own_gives_the_same_bytes_too(tmp_path):
    one = own()
    assert one.save(tmp_path / "a.keras").read_bytes() == one.save(tmp_path / "b.keras").read_bytes()


def test_a_network_of_ones_own_needs_trust(tmp_path):
    path = own().save(tmp_path / "own.keras")
    with pytest.raises(ModelFileError, match=r"somebody's own.*pass trust=True .*@registry\.register"):
        Classifier.load(path)
    loaded = Classifier.load(path, trust=True)
    assert loaded.class_names == NAMES
    assert said(loaded).shape == (4, 2)


def test_a_network_that_was_altered_is_ones_own(tmp_path):
    original = classifier()
    original.model.get_layer("dense").activation = keras.activations.tanh
    path = original.save(tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match="it was altered"):
        Classifier.load(path)
    assert np.allclose(said(Classifier.load(path, trust=True)), said(original), atol=1e-6)


def test_trust_changes_nothing_where_it_is_not_needed(tmp_path, monkeypatch):
    path = classifier().save(tmp_path / "a.keras")
    monkeypatch.setattr(keras.saving, "load_model", None)
    assert Classifier.load(path, trust=True).class_names == NAMES


def test_a_builder_that_is_missing_or_another_is_said(tmp_path, monkeypatch):
    original = classifier("unnamed")
    path = original.save(tmp_path / "a.keras")
    monkeypatch.delitem(registry._known, "unnamed")
    with pytest.raises(ModelFileError, match="'unnamed', which is not registered here. Run the code"):
        Classifier.load(path)
    assert np.allclose(said(Classifier.load(path, trust=True)), said(original), atol=1e-6)

    def other(pixels, *, width=3):
        x = layers.Conv2D(width, 3, activation="relu")(layers.Conv2D(width, 3)(pixels))
        return layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))

    monkeypatch.setitem(registry._known, "unnamed", Architecture("unnamed", other, (16, 16, 3)))
    with pytest.raises(ModelFileError, match="another network than 'unnamed' is here; they differ at .*'linear'"):
        Classifier.load(path)
    assert np.allclose(said(Classifier.load(path, trust=True)), said(original), atol=1e-6)


def changed(path, **changes):
    """The file with some of its configuration's or its manifest's text changed, and sealed again."""
    import hashlib

    parts = members(path)
    manifest = json.loads(parts.pop("imgclf.json"))
    parts = {name: changes.get(name, lambda content: content)(content) for name, content in parts.items()}
    manifest["members"] = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    write_archive(path, {"imgclf.json": dump_json(manifest), **parts})
    return path


def test_a_file_of_another_keras_may_know_other_settings(tmp_path):
    """A later Keras adds settings: they are no reason to refuse a file; another value is."""
    path = classifier().save(tmp_path / "a.keras")
    older = {"metadata.json": lambda _: b'{"keras_version": "3.99.0"}'}
    more = {"config.json": lambda content: content.replace(b'"padding"', b'"future": 1, "padding"')}
    with pytest.raises(ModelFileError, match="differ at .*future"):
        Classifier.load(changed(path, **more))
    assert Classifier.load(changed(path, **older)).class_names == NAMES
    with pytest.raises(ModelFileError, match="differ at .*padding"):
        Classifier.load(changed(path, **{"config.json": lambda content: content.replace(b'"valid"', b'"same"')}))


def test_a_file_of_schema_1_opens_where_it_is_trusted():
    with pytest.raises(ModelFileError, match=r"early imgclf \(schema 1\).*pass trust=True"):
        Classifier.load(GOLDEN / "schema1.keras")
    old, new = Classifier.load(GOLDEN / "schema1.keras", trust=True), Classifier.load(GOLDEN / "sigmoid.keras")
    assert (old.class_names, old.spec, old.provenance) == (new.class_names, new.spec, new.provenance)
    assert np.allclose(said(old), said(new), atol=1e-6)


def listing(pixels, *, filters=None):
    x = layers.Conv2D(((filters or [4]) + [8])[0], 3)(pixels)
    return layers.GlobalAveragePooling2D()(x)


def nested(pixels, *, blocks=[[2, 3], [4]]):  # noqa: B006
    for block in blocks:
        pixels = layers.Conv2D((block + [9])[0], 3)(pixels)  # noqa: RUF005 - of lists only
    blocks[0].append(5)  # a careless builder
    return layers.Flatten()(pixels)


class Mode(enum.StrEnum):
    MEAN = "mean"


def chosen(pixels, *, mode=Mode.MEAN):
    return {Mode.MEAN: layers.GlobalAveragePooling2D}[mode]()(pixels)


def spectral(pixels):
    return layers.Flatten()(layers.SpectralNormalization(layers.Conv2D(2, 3))(pixels))


def lambdas(pixels):
    return layers.Flatten()(layers.Lambda(lambda x: x * 2)(pixels))


def beheaded(pixels):
    inside = keras.Input(pixels.shape[1:])
    whole = keras.Model(inside, layers.Dense(1000)(layers.Flatten()(inside)))
    return keras.Model(whole.input, whole.layers[-2].output)(pixels)


def by_value(pixels, *, mode="mean"):
    return {"mean": layers.GlobalAveragePooling2D}[mode.value if isinstance(mode, Mode) else "?"]()(pixels)


TURNS = itertools.count(1)


def wavering(pixels):
    return layers.Flatten()(layers.Conv2D(next(TURNS), 3)(pixels))


def own_architecture(monkeypatch, body):
    made = Architecture(body.__name__, body, (16, 16, 3))
    monkeypatch.setitem(registry._known, made.name, made)
    return made


@pytest.mark.promise("model-again", "what was saved can be opened: at once, or as a network of one's own")
@pytest.mark.parametrize(
    ("body", "options"),
    [
        (listing, {"filters": [3]}),
        (listing, {}),
        (nested, {}),
        (nested, {"blocks": [[1], [2]]}),
        (chosen, {}),
        (chosen, {"mode": Mode.MEAN}),
        (spectral, {}),
        (lambdas, {}),
    ],
)
def test_a_network_of_an_odd_builder_opens_again(body, options, tmp_path, monkeypatch):
    own_architecture(monkeypatch, body)
    original = classifier(body.__name__, **options)
    path = original.save(tmp_path / "a.keras")
    assert (said(Classifier.load(path)) == said(original)).all()


@pytest.mark.promise("model-again", "what was saved can be opened: at once, or as a network of one's own")
@pytest.mark.parametrize(("body", "options"), [(beheaded, {}), (by_value, {"mode": Mode.MEAN}), (wavering, {})])
def test_a_network_that_cannot_be_built_again_is_ones_own(body, options, tmp_path, monkeypatch):
    own_architecture(monkeypatch, body)
    original = classifier(body.__name__, **options)
    with pytest.warns(UserWarning, match=rf"builder of '{body.__name__}'.*opening the file needs trust=True"):
        path = original.save(tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match="somebody's own"):
        Classifier.load(path)
    assert np.allclose(said(Classifier.load(path, trust=True)), said(original), atol=1e-6)


def test_a_builder_that_fails_later_is_no_end_where_the_file_is_trusted(tmp_path, monkeypatch):
    original = classifier("unnamed")
    path = original.save(tmp_path / "a.keras")

    def failing(pixels, *, width=3):
        raise TypeError("no longer")

    own_architecture(monkeypatch, failing)
    for body in (failing, listing):
        monkeypatch.setitem(registry._known, "unnamed", Architecture("unnamed", body, (16, 16, 3)))
        with pytest.raises(ModelFileError, match="cannot be built"):
            Classifier.load(path)
        assert np.allclose(said(Classifier.load(path, trust=True)), said(original), atol=1e-6)


def test_saving_builds_once_and_leaves_no_trace(tmp_path, monkeypatch):
    """It happens within training: a resumed run, whose process asks anew, must draw the same numbers as a whole one."""
    turns = []

    def counted(pixels, *, width=2):
        turns.append(width)
        random.random(), np.random.random()  # noqa: NPY002
        return layers.Dropout(0.5)(layers.Flatten()(layers.Conv2D(width, 3)(pixels)))

    own_architecture(monkeypatch, counted)
    first, second, third = classifier("counted"), classifier("counted"), classifier("counted", width=3)
    turns.clear()
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    for number, one in enumerate((first, first, second, third)):
        one.save(tmp_path / f"{number}.keras")
    assert turns == [2, 3]
    drawn = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    assert (random.random(), np.random.random()) == drawn  # noqa: NPY002


def trained(model):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(PICTURES.astype("float32"), np.array([0, 1, 0, 1]), verbose=0)
    return model


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_neither_optimiser_nor_metric_gets_into_the_file(kind, tmp_path):
    parts = [keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(8), layers.Dense(2, "softmax")]
    model = keras.Sequential(parts, name="own")
    if kind == "functional":
        model = keras.Model(model.inputs[0], model.outputs[0])
    plain = Classifier.from_keras(model, NAMES).save(tmp_path / "plain.keras")
    one = Classifier.from_keras(trained(model), NAMES)
    path = one.save(tmp_path / "a.keras")
    assert path.stat().st_size == plain.stat().st_size
    assert members(path)["config.json"] == members(plain)["config.json"]
    assert one.save(tmp_path / "b.keras").read_bytes() == path.read_bytes()
    assert model.optimizer is not None  # the user's own goes on as it was
    loaded = Classifier.load(path, trust=True)
    assert type(loaded.model) is type(model)
    assert (said(loaded) == said(one)).all()


def test_a_subclassed_network_is_left_as_it_is(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    model = Own()
    model.compile("adam", "mse")
    assert model_file._uncompiled(model) is model


def test_many_long_names_find_room(tmp_path):
    names = [f"n{number:05d} " + "x" * 100 for number in range(22_000)]
    pixels = keras.Input((2, 2, 3))
    model = keras.Model(pixels, layers.Dense(22_000, "softmax")(layers.Flatten()(pixels)))
    counts = {"class_counts": dict.fromkeys(names, 12)}
    provenance = {"class_names": names, "train": counts, "validation": counts}
    path = Classifier.from_keras(model, names, provenance=provenance).save(tmp_path / "a.keras")
    assert Classifier.load(path, trust=True).class_names == tuple(names)


def test_code_in_a_file_is_not_run(tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(2)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ModelFileError, match="code inside the file is never run"):
        Classifier.load(tmp_path / "lambda.keras", NAMES, trust=True)


def test_layers_of_ones_own_are_handed_in(tmp_path):
    class Twice(layers.Layer):
        def call(self, x):
            return x * 2

    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, layers.Dense(2, "softmax")(Twice()(layers.Flatten()(pixels))))
    path = Classifier.from_keras(model, NAMES).save(tmp_path / "a.keras")
    with pytest.raises(ModelFileError, match="must be given in custom_objects"):
        Classifier.load(path, trust=True)
    loaded = Classifier.load(path, trust=True, custom_objects={"Twice": Twice})
    assert loaded.class_names == NAMES


def test_what_json_cannot_hold_is_said(tmp_path):
    with pytest.raises(ModelFileError, match="Take out what is no text or number"):
        classifier(provenance={"when": object()}).save(tmp_path / "a.keras")
    assert list(tmp_path.iterdir()) == []
    nan = classifier(provenance={"loss": float("nan"), 1: "a number as key"})
    assert Classifier.load(nan.save(tmp_path / "a.keras")).provenance == {"loss": None, "1": "a number as key"}


def test_what_could_not_be_opened_again_is_not_saved(tmp_path):
    for provenance in ({"name": "\ud800"}, {"long": "x" * (17 << 20)}):
        with pytest.raises(ModelFileError, match="could not be opened again: .*Change that, and save again"):
            classifier(provenance=provenance).save(tmp_path / "a.keras")
    assert list(tmp_path.iterdir()) == []


def test_only_keras_files_are_written(tmp_path):
    with pytest.raises(ModelFileError, match=r"Call it '.*squares\.h5\.keras'"):
        classifier().save(tmp_path / "squares.h5")


@pytest.mark.parametrize("part", ["keras", "archive"])
def test_a_failed_save_leaves_the_old_file(part, tmp_path, monkeypatch):
    path = classifier().save(tmp_path / "a.keras")
    before = path.read_bytes()

    def broken(*_, **__):
        raise OSError("disk full")

    where = (keras.Model, "save") if part == "keras" else (model_file, "write_archive")
    monkeypatch.setattr(*where, broken)
    with pytest.raises(OSError, match="disk full"):
        classifier().save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.keras"]


def test_saving_writes_hdf5_to_memory_only(tmp_path, monkeypatch):
    """A full disk under HDF5 ends Python (h5py #914); so Keras must never find the memory short."""
    import h5py

    opened, before = [], h5py.File

    def watched(name, *arguments, **options):
        opened.append(isinstance(name, (str, os.PathLike)))
        return before(name, *arguments, **options)

    monkeypatch.setattr(h5py, "File", watched)
    monkeypatch.setattr("keras.src.saving.saving_lib.is_memory_sufficient", lambda _: False)
    path = classifier().save(tmp_path / "a.keras")
    assert opened
    assert not any(opened)
    assert Classifier.load(path).class_names == NAMES


@pytest.mark.slow
def test_a_large_network_is_saved_without_much_more_memory(tmp_path, record_property):
    """VGG16's dense layers: no more than three times its weights, beside itself, for a moment."""
    import resource

    model = registry.build("vgg16_bn", (224, 224, 3), 2, dense=(1024,))
    size = sum(weight.nbytes for weight in model.get_weights())
    one = Classifier(model, NAMES, ImageSpec((224, 224)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    path = one.save(tmp_path / "large.keras")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    assert more < 3 * size
    Classifier.load(path)
    record_property("measured", f"{size >> 20} MB of weights: saving takes {more >> 20} MB more")
