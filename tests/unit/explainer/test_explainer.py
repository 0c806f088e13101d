import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

from imgclf.architectures import registry
from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.errors import OptionError, UnknownNameError
from imgclf.explainer import Explainer, Explanation, FeatureMaps
from imgclf.taps import walk


def many(images, n):
    return np.concatenate([images + np.uint8(i) for i in range(n)])[:n]


def test_both_kinds_of_result_for_every_shape(model, images):
    explainer = Explainer(model)
    maps = explainer.feature_maps(images)
    assert isinstance(maps, FeatureMaps)
    assert list(maps.maps) == [layer.path for layer in explainer.layers if layer.is_spatial]
    assert all(values.dtype == np.float32 and values.ndim == 4 for values in maps.maps.values())
    found = explainer.grad_cam(images)
    assert isinstance(found, Explanation)
    convolutions = [layer.path for layer in explainer.layers if layer.kind == "Conv2D"]
    assert list(found.maps) == convolutions[-1:]
    assert found.method == "grad_cam"
    assert found.names == tuple(f"class {label}" for label in found.labels)
    assert found.probabilities.shape == (3, explainer.head.classes)
    every = explainer.grad_cam(images, 1, "maps")
    assert list(every.maps) == list(maps.maps)
    for path, values in every.maps.items():
        assert values.shape == maps.maps[path].shape[:3]
        assert np.isfinite(values).all()
        assert values.dtype == np.float32


def test_pictures_go_through_in_batches_of_8(softmax_model, images, said):
    explainer, x = Explainer(softmax_model), many(images, 19)
    whole = explainer.grad_cam(x, layers="maps")
    assert np.abs(whole.probabilities - said(softmax_model, x)).max() < 1e-6
    one = explainer.grad_cam(x[17], layers="maps")
    for path in whole.maps:
        assert np.allclose(whole.maps[path][17], one.maps[path][0], atol=1e-6)
    assert np.array_equal(whole.labels[17:18], one.labels)
    features = explainer.feature_maps(x, "conv2")
    assert np.allclose(features.maps["conv2"][17], explainer.feature_maps(x[17]).maps["conv2"][0], atol=1e-6)


def test_one_class_per_picture_across_batches(softmax_model, images):
    explainer, x = Explainer(softmax_model), many(images, 11)
    asked = np.arange(11) % 3
    found = explainer.grad_cam(x, asked.tolist())
    assert found.labels.tolist() == asked.tolist()
    for label in range(3):
        same = explainer.grad_cam(x, label)
        assert np.allclose(found.scores[asked == label], same.scores[asked == label], atol=1e-6)
        assert np.allclose(found.maps["conv2"][asked == label], same.maps["conv2"][asked == label], atol=1e-6)


class Counting(layers.Layer):
    """Notes every call, and fails when told to."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls, self.sizes, self.failing = 0, [], False

    def call(self, x):
        self.calls += 1
        self.sizes.append(x.shape[0])
        if self.failing:
            raise RuntimeError("inside")
        return x * 2


def counted():
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(3, 3, name="conv")(Counting(name="first")(x / 255))
    y = Counting(name="second")(y)
    y = layers.Flatten()(Counting(name="third")(y))
    return keras.Model(x, layers.Dense(1, activation="sigmoid")(y))


@pytest.mark.parametrize("method", ["feature_maps", "grad_cam"])
def test_every_leaf_runs_once_per_batch_whatever_the_number_of_layers(method, images):
    model = counted()
    explainer = Explainer(model)
    counters = [leaf for _, leaf in walk(model) if isinstance(leaf, Counting)]
    for asked in ("maps", "last", "conv", ["first", "third"]):
        for counter in counters:
            counter.calls, counter.sizes = 0, []
        getattr(explainer, method)(many(images, 17), layers=asked)
        assert [counter.calls for counter in counters] == [3, 3, 3]
        assert counters[0].sizes == [8, 8, 1]


def state(model):
    return [np.array(ops.convert_to_numpy(variable)) for variable in model.variables]


def attributes(model):
    return {path: set(vars(leaf)) for path, leaf in walk(model)}


def test_no_trace_is_left_on_the_model(model, images, said):
    x = images.astype(np.float32)
    answer, predicted, weights, own = said(model, x), model.predict(x, verbose=0), state(model), attributes(model)
    explainer = Explainer(model)
    explainer.feature_maps(images)
    explainer.grad_cam(images, 0, "maps")
    assert np.array_equal(said(model, x), answer)
    assert np.array_equal(model.predict(x, verbose=0), predicted)
    assert all(np.array_equal(old, new) for old, new in zip(weights, state(model), strict=True))
    assert attributes(model) == own


@pytest.mark.parametrize("method", ["feature_maps", "grad_cam"])
def test_no_trace_is_left_after_an_error_inside(method, images, said):
    model, x = counted(), images.astype(np.float32)
    answer, weights, own = said(model, x), state(model), attributes(model)
    explainer = Explainer(model)
    failing = model.get_layer("third")
    failing.failing = True
    with pytest.raises(Exception, match="inside"):
        getattr(explainer, method)(images, layers="maps")
    failing.failing = False
    assert attributes(model) == own
    assert np.array_equal(said(model, x), answer)
    assert all(np.array_equal(old, new) for old, new in zip(weights, state(model), strict=True))
    assert np.array_equal(explainer.grad_cam(images).scores, Explainer(model).grad_cam(images).scores)


def test_dropout_and_normalisation_are_those_of_inference(shape_of, images, said):
    model = shape_of("sequential_sigmoid")
    found = [Explainer(model).grad_cam(images, 1) for _ in range(2)]
    assert np.array_equal(found[0].scores, found[1].scores)
    assert np.abs(found[0].probabilities[:, 1] - said(model, images)[:, 0]).max() < 1e-6


def test_a_dead_layer_is_blank_and_never_nan(images):
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(3, 3, activation="relu", bias_initializer=keras.initializers.Constant(-1e6), name="dead")(x)
    model = keras.Model(x, layers.Dense(2, activation="softmax")(layers.Flatten()(y)))
    found = Explainer(model).grad_cam(images)
    assert found.blank["dead"].tolist() == [True] * 3
    assert found.heatmap().max() == 0
    assert not np.isnan(found.maps["dead"]).any()


class Prepared:
    """What an explainer needs of a classifier."""

    def __init__(self, model):
        self.model, self.class_names, self.asked = model, ("ant", "bee", "cow"), []

    def prepare(self, given):
        self.asked.append(given)
        return np.array(["x.jpg", "y.jpg"]), np.full((2, 16, 16, 3), 9, np.uint8)


def test_a_classifier_prepares_and_names(softmax_model):
    classifier = Prepared(softmax_model)
    explainer = Explainer(classifier)
    assert repr(explainer).endswith("class_names=['ant', 'bee', 'cow'])")
    found = explainer.grad_cam("anything", ["bee", "cow"])
    assert classifier.asked == ["anything"]
    assert found.keys == ("x.jpg", "y.jpg")
    assert found.names == ("bee", "cow")
    assert found.labels.tolist() == [1, 2]
    with pytest.raises(UnknownNameError, match=r"no class is called 'bees'\. Did you mean 'bee'"):
        explainer.grad_cam("anything", "bees")
    renamed = Explainer(classifier, class_names=["a", "b", "c"])
    assert renamed.grad_cam("anything", "b").names == ("b", "b")


def test_a_real_classifier_takes_files_arrays_and_a_dataset(softmax_model, images, tmp_path):
    classifier = Classifier.from_keras(softmax_model, ["ant", "bee", "cow"])
    explainer = Explainer(classifier)
    Image.fromarray(images[1]).save(tmp_path / "one.png")
    data = Dataset.from_arrays(images, [0, 1, 2], ["ant", "bee", "cow"])
    whole, part = explainer.grad_cam(data, "bee"), explainer.grad_cam([tmp_path / "one.png"], "bee")
    assert whole.keys == tuple(data.keys)
    assert part.keys == (str(tmp_path / "one.png"),)
    assert np.allclose(whole.maps["conv2"][1], part.maps["conv2"][0], atol=1e-6)
    assert np.allclose(explainer.grad_cam(images, 1).maps["conv2"], whole.maps["conv2"], atol=1e-6)
    assert np.abs(classifier.predict(images).probabilities - whole.probabilities).max() < 1e-6


def test_names_must_be_as_many_as_the_classes(softmax_model, shape_of):
    with pytest.raises(OptionError, match="2 class names for a model of 3 classes; give one name per class"):
        Explainer(softmax_model, class_names=["cat", "dog"])
    with pytest.raises(OptionError, match="a model with one unit has two classes"):
        Explainer(shape_of("sequential_sigmoid"), class_names=["dog"])


@pytest.mark.parametrize("wrong", ["model.keras", None, layers.Dense(2)])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(OptionError, match=r"Give what Classifier.load or keras.saving.load_model returned"):
        Explainer(wrong)


def test_a_model_of_free_size_is_explained_by_the_pictures_size(images):
    x = keras.Input((None, None, 3))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(x))
    explainer = Explainer(keras.Model(x, layers.Dense(2, activation="softmax")(y)))
    with pytest.raises(OptionError, match="Ask feature_maps"):
        explainer.layers  # noqa: B018
    assert explainer.grad_cam(images).maps["conv"].shape == (3, 14, 14)
    assert explainer.grad_cam(images[:, :10, :12]).maps["conv"].shape == (3, 8, 10)


def test_several_inputs_are_refused():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    model = keras.Model([a, b], layers.Dense(2, activation="softmax")(layers.Flatten()(a + b)))
    with pytest.raises(OptionError, match="Wrap the model into one that takes pictures"):
        Explainer(model)


def test_a_subclassed_model_that_was_never_called_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(OptionError, match="call it on a picture, first"):
        Explainer(Own()).grad_cam(np.zeros((8, 8, 3), np.uint8))


def test_after_saving_and_loading_the_maps_are_the_same(softmax_model, images, tmp_path):
    before = Explainer(softmax_model).grad_cam(images, 1, "maps")
    softmax_model.save(tmp_path / "model.keras")
    after = Explainer(keras.saving.load_model(tmp_path / "model.keras")).grad_cam(images, 1, "maps")
    for path, values in before.maps.items():
        assert np.array_equal(values, after.maps[path])


def test_after_training_with_a_compiled_step_and_a_frozen_part(shape_of, images):
    model = shape_of("sequential_around_backbone")
    model.layers[0].trainable = False
    model.compile("sgd", "binary_crossentropy")
    model.fit(images.astype(np.float32), np.array([[0.0], [1.0], [1.0]]), epochs=1, verbose=0)
    found = Explainer(model).grad_cam(images, 1)
    assert np.abs(found.maps["backbone/conv2"]).max() > 0


@pytest.mark.parametrize("name", ["small_cnn", "vgg16_bn", "bn_cnn", "mnist_cnn"])
def test_the_registered_networks(name, said):
    units = {"num_classes": 10} if name == "mnist_cnn" else {"num_classes": 2}
    shape = (28, 28, 1) if name == "mnist_cnn" else (64, 64, 3)
    model = registry.build(name, input_shape=shape, **units)
    explainer = Explainer(model)
    sigmoid = name in ("small_cnn", "vgg16_bn")
    assert explainer.head.path == "probabilities"
    assert explainer.head.activation == ("sigmoid" if sigmoid else "softmax")
    assert explainer.head.units == (1 if sigmoid else units["num_classes"])
    x = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    found = explainer.grad_cam(x, layers="maps")
    p = said(model, x)
    assert np.abs(found.probabilities[:, -p.shape[1] :] - p).max() < 1e-5
    convolutions = [layer.path for layer in explainer.layers if layer.kind == "Conv2D" and layer.is_spatial]
    assert set(convolutions) <= set(found.maps)
    assert explainer.head.classes == len(found.probabilities[0])


def test_the_arguments_are_those_that_were_settled():
    assert list(inspect.signature(Explainer.__init__).parameters) == ["self", "classifier_or_model", "class_names"]
    assert list(inspect.signature(Explainer.feature_maps).parameters) == ["self", "images", "layers"]
    assert list(inspect.signature(Explainer.grad_cam).parameters) == [
        *["self", "images", "class_name", "layers", "method"],
        *["score", "counterfactual", "smooth"],
    ]
    assert list(inspect.signature(Explainer.attribute).parameters)[:4] == ["self", "images", "class_name", "method"]
