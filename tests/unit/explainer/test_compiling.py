"""Compiled passes say what the eager ones say, see what changes, and fall back in silence where they cannot be made."""

import logging
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

from imgclf.explainer import Explainer
from imgclf.explainer import compiling as module
from imgclf.explainer.compiling import Compiler, attributes
from imgclf.taps import walk

COMPILES = keras.backend.backend() != "torch"


@pytest.fixture
def compilations(monkeypatch):
    """The compiled passes that were made, in order."""
    made, original = [], module.compiled

    def noted(fn, variables, like):
        made.append(original(fn, variables, like))
        return made[-1]

    monkeypatch.setattr(module, "compiled", noted)
    return made


@pytest.fixture
def as_it_is(monkeypatch):
    """``as_it_is(model)`` is an Explainer that compiles nothing."""

    def explainer(model):
        made = Explainer(model)
        made._inside.compiler._restless = True
        return made

    return explainer


def close(found, expected):
    assert found.maps.keys() == expected.maps.keys()
    for path, maps in expected.maps.items():
        assert np.abs(found.maps[path] - maps).max() <= 1e-5 * np.abs(maps).max() + 1e-12, path


def many(images, n):
    return np.concatenate([images + np.uint8(i) for i in range(n)])[:n]


@pytest.mark.parametrize("asked", [None, 1], ids=["likeliest", "class 1"])
def test_compiled_is_as_it_is_for_every_shape_of_model(model, images, as_it_is, asked):
    quick, slow = Explainer(model), as_it_is(model)
    found, expected = quick.grad_cam(images, asked, "maps"), slow.grad_cam(images, asked, "maps")
    close(found, expected)
    assert np.array_equal(found.labels, expected.labels)
    assert np.allclose(found.scores, expected.scores, rtol=1e-5, atol=1e-6)
    assert np.allclose(found.probabilities, expected.probabilities, atol=1e-6)
    close(quick.feature_maps(images), slow.feature_maps(images))


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy, in_policy, shape_of, images, as_it_is):
    with in_policy(policy):
        model = shape_of("functional_softmax")
    found, expected = Explainer(model).grad_cam(images, 1), as_it_is(model).grad_cam(images, 1)
    # Compiled, a layer may keep more digits between its operations than it gives: 8 binary digits are 4e-3.
    worst = np.abs(found.maps["conv2"] - expected.maps["conv2"]).max()
    assert worst <= 2e-2 * np.abs(expected.maps["conv2"]).max()
    assert found.maps["conv2"].dtype == np.float32
    assert Explainer(model).feature_maps(images).maps["conv1"].dtype == np.float32


def test_each_pass_is_compiled_once(shape_of, images, compilations):
    explainer = Explainer(shape_of("functional_softmax"))
    for _ in range(2):
        for count in (1, 3, 8, 19):
            explainer.grad_cam(many(images, count), 1)
    assert len(compilations) == 1
    explainer.grad_cam(images)  # each picture's likeliest class
    explainer.grad_cam(images, 1, "maps")
    explainer.feature_maps(images)
    assert len(compilations) == 4
    explainer.grad_cam(images, 2)
    explainer.feature_maps(images)
    assert len(compilations) == 4


def test_a_few_passes_are_kept(images, compilations, monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 2)
    x = keras.Input((None, None, 3))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="conv")(x))
    explainer = Explainer(keras.Model(x, layers.Dense(2, name="logits")(y)))
    for size in (8, 9, 8, 10, 9):  # 9 is the one that was not used for longest when 10 comes
        explainer.grad_cam(images[:, :size, :size], 1)
    assert len(compilations) == 4
    assert len(explainer._inside.compiler._kept) == 2


def test_new_weights_are_seen(model, images, as_it_is):
    explainer = Explainer(model)
    before = explainer.grad_cam(images, 1, "maps")
    explainer.feature_maps(images)
    model.set_weights([weight * 1.5 + 0.01 for weight in model.get_weights()])
    after = explainer.grad_cam(images, 1, "maps")
    close(after, as_it_is(model).grad_cam(images, 1, "maps"))
    close(explainer.feature_maps(images), as_it_is(model).feature_maps(images))
    assert np.abs(after.scores - before.scores).max() > 1e-3


def test_training_in_between_is_seen(shape_of, images, as_it_is):
    model = shape_of("sequential_sigmoid")
    explainer = Explainer(model)
    before = explainer.grad_cam(images, 1)
    model.compile("adam", "binary_crossentropy")
    model.fit(images.astype(np.float32), np.array([[0.0], [1.0], [1.0]]), epochs=2, verbose=0)
    close(explainer.grad_cam(images, 1), as_it_is(model).grad_cam(images, 1))
    assert not np.array_equal(explainer.grad_cam(images, 1).scores, before.scores)


def test_another_activation_is_seen(softmax_model, images, as_it_is):
    explainer = Explainer(softmax_model)
    before = explainer.feature_maps(images, "conv2").maps["conv2"]
    softmax_model.get_layer("conv2").activation = keras.activations.linear
    after = explainer.feature_maps(images, "conv2")
    assert before.min() == 0
    assert after.maps["conv2"].min() < 0
    close(after, as_it_is(softmax_model).feature_maps(images, "conv2"))


class Scaled(keras.layers.Layer):
    """Multiplies by what it holds: an array and a user's own object, both of which may be changed in place."""

    def __init__(self, **options):
        super().__init__(**options)
        self.factors = np.ones(3, np.float32)
        self.settings = SimpleNamespace(factor=1.0, seen={"a"})

    def call(self, inputs):
        return inputs * self.factors * self.settings.factor * len(self.settings.seen)


@pytest.mark.parametrize("what", ["array", "object", "set"])
def test_what_is_changed_in_place_is_seen(what, images, as_it_is):
    layer = Scaled()
    model = around(layer)
    explainer = Explainer(model)
    before = explainer.feature_maps(images).maps["conv"]
    if what == "array":
        layer.factors[:] = 3
    elif what == "object":
        layer.settings.factor = 3.0
    else:
        layer.settings.seen |= {"b", "c"}
    after = explainer.feature_maps(images)
    close(after, as_it_is(model).feature_maps(images))
    assert np.abs(after.maps["conv"] - before).max() > 1e-3


def test_a_layer_that_is_quantised_in_between(softmax_model, images, as_it_is):
    explainer = Explainer(softmax_model)
    before = explainer.grad_cam(images, 1)
    softmax_model.get_layer("logits").quantize("int8")
    after = explainer.grad_cam(images, 1)
    expected = as_it_is(softmax_model).grad_cam(images, 1)
    assert np.allclose(after.scores, expected.scores, rtol=1e-5)
    close(after, expected)
    assert not np.array_equal(after.scores, before.scores)


class Same(layers.Layer):
    """Its output is of its input's shape; Keras need not trace ``call`` to know."""

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


class Branching(Same):
    """Looks at its input in Python, which no graph can."""

    def call(self, x):
        return x * 2 if float(ops.convert_to_numpy(ops.mean(x))) > 0 else x


class Remembering(Same):
    """Another number at each call, told by Python."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x * float(self.calls)


class Shape(Same):
    """Needs the number of pictures as a number."""

    def call(self, x):
        return x + ops.zeros((int(x.shape[0]), 1, 1, 1))


def around(layer):
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(3, 3, name="conv")(layer(x / 255))
    return keras.Model(x, layers.Dense(2, activation="softmax", name="logits")(layers.Flatten()(y)))


@pytest.mark.parametrize("layer", [Branching, Shape])
def test_what_cannot_be_compiled_runs_as_it_is(layer, images, as_it_is, compilations):
    model = around(layer())
    quick, slow = Explainer(model), as_it_is(model)
    for count in (3, 3, 1):
        close(quick.feature_maps(many(images, count)), slow.feature_maps(many(images, count)))
    assert len(compilations) == 1  # it is not tried again
    if keras.backend.backend() == "jax" and layer is Branching:
        return  # a gradient is always traced there
    for count in (3, 3, 1):
        close(quick.grad_cam(many(images, count), 1, "maps"), slow.grad_cam(many(images, count), 1, "maps"))
    assert len(compilations) == 2


def test_a_model_that_changes_as_it_runs_is_not_compiled(images, compilations):
    explainer = Explainer(around(Remembering()))
    first, second = (explainer.feature_maps(images, "conv").maps["conv"] for _ in range(2))
    assert np.abs(second - first).max() > 1e-3
    assert not compilations


class Hiding(keras.Model):
    """A convolution that Keras does not know of, so that it is not among the variables."""

    def __init__(self):
        super().__init__()
        self.conv, self.top, self.flat = layers.Conv2D(2, 3, name="seen"), layers.Dense(2), layers.Flatten()
        hidden = layers.Conv2D(3, 3)
        hidden.build((None, 16, 16, 3))
        self.hidden = lambda x: hidden(x)
        object.__setattr__(self, "kernel", hidden)

    def call(self, x):
        return self.top(self.flat(self.conv(self.hidden(x / 255))))


def test_a_variable_that_keras_does_not_know_is_no_constant(images, as_it_is):
    model = Hiding()
    model(images.astype(np.float32))
    explainer = Explainer(model)
    before = explainer.grad_cam(images, 1)
    kernel = model.kernel.kernel
    kernel.assign(ops.convert_to_numpy(kernel) * 2 + 0.1)
    after = explainer.grad_cam(images, 1)
    assert np.abs(after.scores - before.scores).max() > 1e-3
    close(after, as_it_is(model).grad_cam(images, 1))


class Failing(Same):
    def call(self, x):
        if self.failing:
            raise ZeroDivisionError("inside")
        return x

    failing = False


def test_a_true_error_comes_as_itself_and_is_not_remembered(images, compilations, said):
    failing = Failing()
    model = around(failing)
    own = {path: set(vars(leaf)) for path, leaf in walk(model)}
    explainer, answer = Explainer(model), said(model, images)
    expected = explainer.grad_cam(images, 1)
    Failing.failing = True  # not an attribute of the model: only another pass meets it
    try:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="inside"):
                explainer.grad_cam(images, 1, "maps")
            assert {path: set(vars(leaf)) for path, leaf in walk(model)} == own
    finally:
        Failing.failing = False
    assert np.array_equal(said(model, images), answer)
    close(explainer.grad_cam(images, 1), expected)
    made = len(compilations)
    explainer.grad_cam(images, 1, "maps")
    explainer.grad_cam(images, 1, "maps")
    assert len(compilations) == made
    if COMPILES:
        assert all(one is not None for one in explainer._inside.compiler._kept.values())


def test_attributes_are_those_of_every_part(shape_of, images):
    model = shape_of("nested_softmax_layer")
    before = attributes(model)
    assert attributes(model) == before
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert attributes(model) == before
    model.get_layer("backbone").get_layer("conv1").strides = (2, 2)
    assert attributes(model) != before


def test_an_explanation_changes_no_attribute(model, images):
    explainer = Explainer(model)
    before = attributes(model)
    explainer.grad_cam(images, 1, "maps")
    explainer.feature_maps(images)
    assert attributes(model) == before


def test_few_numbers_of_pictures_are_compiled(softmax_model, images):
    compiler, traces = Compiler(softmax_model), []

    def fn(arrays, _):
        traces.append(arrays["images"].shape[0])
        return {"x": ops.cast(arrays["images"], "float32") + 1}

    for count in (1, 2, 3, 5, 8, 11):
        x = many(images, count)
        assert np.array_equal(compiler.run("one more", fn, {"images": x})["x"], x + np.float32(1))
    expected = {"tensorflow": [None], "jax": [1, 8, 11], "torch": [1, 2, 3, 5, 8, 11]}
    assert traces == expected[keras.backend.backend()]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it is TensorFlow that warns")
def test_many_explainers_do_not_make_tensorflow_warn_of_retracing(images, shape_of):
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("tensorflow").addHandler(handler)
    try:
        for _ in range(4):
            explainer = Explainer(shape_of("functional_softmax"))
            explainer.grad_cam(images)
            explainer.grad_cam(images, layers="maps")
    finally:
        logging.getLogger("tensorflow").removeHandler(handler)
    assert said == []
