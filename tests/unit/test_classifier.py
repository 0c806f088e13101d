from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from squares import squares

from imgclf import _backend
from imgclf.architectures import registry
from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImageError, ModelFileError, OptionError
from imgclf.images import ImageSpec, fit_image, read_image

NAMES = ("top", "bottom")


def classifier(name="small_cnn", names=NAMES, **options):
    keras.utils.set_random_seed(3)
    options = options or {"filters": (4,), "dense": 4}
    model = registry.build(name, (16, 16, 3), len(names), **options)
    return Classifier(model, names, ImageSpec((16, 16)), {"note": "hé"})


@pytest.fixture(scope="module")
def sigmoid():
    return classifier()


@pytest.fixture(scope="module")
def softmax():
    return classifier("mnist_cnn", ("a", "b", "c"), head=None)


def test_a_sigmoid_unit_is_the_second_class(sigmoid):
    images, _ = squares(5)
    said = sigmoid.predict(images)
    unit = keras.ops.convert_to_numpy(sigmoid.model(images.astype(np.float32), training=False))[:, 0]
    assert said.probabilities[:, 1] == pytest.approx(unit, abs=1e-6)
    assert said.probabilities.sum(axis=1) == pytest.approx(np.ones(5))
    assert said.names == [NAMES[int(p > 0.5)] for p in unit]


def test_answers_do_not_depend_on_the_company(softmax):
    """One by one, in odd numbers and in full batches the same, in the order given."""
    images, _ = squares(45)
    together = softmax.predict(images)
    assert len(together) == 45
    for part in (slice(0, 1), slice(3, 8), slice(10, 43)):
        assert np.allclose(softmax.predict(images[part]).probabilities, together.probabilities[part], atol=1e-6)
    turned = softmax.predict(images[::-1])
    assert np.allclose(turned.probabilities, together.probabilities[::-1], atol=1e-6)
    assert len(softmax.predict(images[:0])) == 0


def test_threads_may_predict_and_explain_at_once(sigmoid):
    from concurrent.futures import ThreadPoolExecutor

    from imgclf.explainer import Explainer

    images, _ = squares(4)
    explainer = Explainer(sigmoid)
    wanted = sigmoid.predict(images).probabilities, explainer.grad_cam(images, "top", "pool1").maps["pool1"]
    with ThreadPoolExecutor(4) as pool:
        said = [pool.submit(sigmoid.predict, images) for _ in range(12)]
        shown = [pool.submit(explainer.grad_cam, images, "top", "pool1") for _ in range(6)]
    assert all((one.result().probabilities == wanted[0]).all() for one in said)
    assert all(np.allclose(one.result().maps["pool1"], wanted[1], atol=1e-6) for one in shown)


def test_paths_arrays_and_datasets_give_the_same(softmax, tmp_path):
    images, _ = squares(3)
    paths = []
    for position, image in enumerate(images):
        paths.append(tmp_path / f"{position}.png")
        Image.fromarray(image).save(paths[-1])
    wanted = softmax.predict(images).probabilities
    for pictures in (paths, [str(path) for path in paths], tmp_path, Dataset.from_arrays(images), list(images)):
        assert np.allclose(softmax.predict(pictures).probabilities, wanted, atol=1e-6)
    assert softmax.predict(paths[1]).keys.tolist() == [str(paths[1])]
    with pytest.raises(ImageError, match="Check the path"):
        softmax.predict(tmp_path / "gone.png")


def test_preparing_is_reading_and_fitting(sigmoid, tmp_path):
    Image.fromarray(squares(1, (30, 20))[0][0]).save(tmp_path / "a.png")
    keys, images = sigmoid.prepare(tmp_path / "a.png")
    assert keys.tolist() == [str(tmp_path / "a.png")]
    assert (images[0] == fit_image(read_image(tmp_path / "a.png"), sigmoid.spec)).all()


def test_evaluation_joins_by_name_and_order(sigmoid):
    images, labels = squares(7)
    straight = sigmoid.evaluate(Dataset.from_arrays(images, labels, NAMES))
    turned = sigmoid.evaluate(Dataset.from_arrays(images, 1 - labels, NAMES[::-1]))
    assert straight.accuracy == turned.accuracy
    assert straight.class_names == turned.class_names == NAMES
    assert straight.true_labels.tolist() == turned.true_labels.tolist() == labels.tolist()
    assert straight.keys.tolist() == [str(i) for i in range(7)]


def test_evaluation_needs_labels_and_known_classes(sigmoid):
    images, labels = squares(4)
    with pytest.raises(DatasetError, match="Label them to evaluate"):
        sigmoid.evaluate(Dataset.from_arrays(images, class_names=NAMES))
    with pytest.raises(DatasetError, match="Rename their folders or files"):
        sigmoid.evaluate(Dataset.from_arrays(images, labels, ("top", "middle")))
    for given in ([images[0]], "pets"):
        with pytest.raises(OptionError, match="expected a Dataset. Make one with Dataset.load"):
            sigmoid.evaluate(given)
    with pytest.raises(DatasetError, match="Load some"):
        sigmoid.evaluate(Dataset.from_arrays(images, labels, NAMES).take([]))
    with pytest.raises(OptionError, match=r"image_size=\(16, 16\)"):
        sigmoid.evaluate(Dataset.from_arrays(np.zeros((2, 8, 8, 3), np.uint8), [0, 1], NAMES))


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_a_saved_file_answers_the_same(kind, tmp_path, request):
    original = request.getfixturevalue(kind)
    path = original.save(tmp_path / "new" / "squares.keras")
    loaded = Classifier.load(path)
    images, _ = squares(4)
    assert (loaded.predict(images).probabilities == original.predict(images).probabilities).all()
    assert (loaded.class_names, loaded.spec) == (original.class_names, original.spec)
    assert loaded.provenance == {"note": "hé"}
    assert [file.name for file in path.parent.iterdir()] == ["squares.keras"]


def test_what_the_file_says_of_its_classes_stands(sigmoid, tmp_path):
    own = sigmoid.save(tmp_path / "own.keras")
    assert Classifier.load(own, NAMES).class_names == NAMES
    with pytest.raises(ModelFileError, match="Leave class_names out"):
        Classifier.load(own, ("bottom", "top"))


def test_a_foreign_file_needs_trust_and_its_class_names(sigmoid, tmp_path):
    path = tmp_path / "foreign.keras"
    sigmoid.model.save(path)
    with pytest.raises(ModelFileError, match="imgclf did not write.*pass trust=True if you know where it comes from"):
        Classifier.load(path, NAMES)
    with pytest.raises(ModelFileError, match=r"1 output units and no class names.*Pass class_names=\[…\]"):
        Classifier.load(path, trust=True)
    with pytest.raises(ModelFileError, match="parts that do not fit together.*Change its last layer"):
        Classifier.load(path, ("a", "b", "c"), trust=True)
    loaded = Classifier.load(path, NAMES, trust=True)
    assert np.allclose(loaded.predict(squares(2)[0]).probabilities, sigmoid.predict(squares(2)[0]).probabilities)


def test_any_keras_model_becomes_a_classifier():
    pixels = keras.Input((9, 7, 1))
    model = keras.Model(pixels, layers.Dense(3)(layers.Flatten()(pixels)))
    own = Classifier.from_keras(model, ["x", "y", "z"], fit="pad", provenance={"trained_on": "nothing"})
    assert own.spec == ImageSpec((9, 7), "grayscale", "pad")
    assert own.provenance == {"trained_on": "nothing"}
    assert own.predict(np.zeros((20, 20, 3), np.uint8)).probabilities.sum() == pytest.approx(1)
    assert repr(own).endswith("9×7×1 → x, y, z)")


def test_what_does_not_fit_together_is_refused(sigmoid):
    with pytest.raises(OptionError, match="each different"):
        Classifier(sigmoid.model, ("a", "a"), sigmoid.spec)
    with pytest.raises(OptionError, match=r"'b\\n' hold control characters .*Rename the classes"):
        Classifier(sigmoid.model, ("a", "b\n"), sigmoid.spec)
    with pytest.raises(OptionError, match="Make them agree"):
        Classifier(sigmoid.model, NAMES, ImageSpec((8, 8)))
    with pytest.raises(OptionError, match="Change its last layer"):
        Classifier(sigmoid.model, ("a", "b", "c"), sigmoid.spec)


def test_another_precision_has_the_same_weights_and_nearly_the_same_answers(sigmoid):
    images, _ = squares(24)
    exact = sigmoid.predict(images).probabilities
    states = _backend.random_states()
    coarse = sigmoid.with_precision("mixed_bfloat16")
    assert str(states) == str(_backend.random_states())
    assert coarse.model.get_layer("conv1").compute_dtype == "bfloat16"
    assert sigmoid.model.get_layer("conv1").compute_dtype == "float32"
    assert (coarse.class_names, coarse.spec, coarse.provenance) == (
        sigmoid.class_names,
        sigmoid.spec,
        sigmoid.provenance,
    )
    said = coarse.predict(images).probabilities
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, exact, atol=0.03)
    assert (said != exact).any()
    np.testing.assert_array_equal(coarse.with_precision("float32").predict(images).probabilities, exact)


def test_a_lent_precision_is_not_saved(sigmoid, tmp_path):
    coarse = sigmoid.with_precision("mixed_bfloat16")
    assert coarse.save(tmp_path / "coarse.keras").read_bytes() == sigmoid.save(tmp_path / "exact.keras").read_bytes()


def test_a_precision_must_be_known_and_the_network_of_the_registry(sigmoid):
    with pytest.raises(OptionError, match="'auto', 'float32', 'mixed_bfloat16'"):
        sigmoid.with_precision("float16")
    own = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    with pytest.raises(OptionError, match="Build it under another dtype policy"):
        Classifier.from_keras(own, NAMES).with_precision("auto")
