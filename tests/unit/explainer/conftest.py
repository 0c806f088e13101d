"""Tiny models of the shapes that people build, and pictures for them.  Backend-neutral: only ``keras`` is named."""

from contextlib import contextmanager
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.explainer import passes
from imgclf.explainer.cam import grad_cam
from imgclf.explainer.compiling import Compiler

SIZE = (16, 16, 3)


def trunk(x, name="conv2"):
    x = layers.Rescaling(1 / 255, name="scale")(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    return layers.Conv2D(5, 3, activation="relu", name=name)(x)


def functional_softmax():
    x = keras.Input(SIZE)
    y = layers.Dense(3, activation="softmax", name="logits")(layers.Flatten()(trunk(x)))
    return keras.Model(x, y)


def sequential_sigmoid():
    return keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, name="conv1"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid", name="logits"),
        ]
    )


def backbone():
    x = keras.Input(SIZE)
    return keras.Model(x, trunk(x), name="backbone")


def sequential_around_backbone():
    parts = [backbone(), layers.Flatten(), layers.Dense(1, name="logits"), layers.Activation("sigmoid")]
    return keras.Sequential([keras.Input(SIZE), *parts])


def nested_softmax_layer():
    x = keras.Input(SIZE)
    y = layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D()(backbone()(x)))
    return keras.Model(x, layers.Softmax(name="probabilities")(y))


def shared_activation():
    act = layers.Activation("sigmoid", name="act")  # the gate's and the head's
    x = keras.Input(SIZE)
    y = trunk(x)
    gate = act(layers.Dense(5)(layers.GlobalAveragePooling2D()(y)))
    y = layers.Multiply(name="gated")([y, layers.Reshape((1, 1, 5))(gate)])
    return keras.Model(x, act(layers.Dense(1, name="logits")(layers.Flatten()(y))))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.scale = layers.Rescaling(1 / 255)
        self.conv = layers.Conv2D(4, 3, activation="relu", name="conv1")
        self.flat = layers.Flatten()
        self.top = layers.Dense(3, activation="softmax", name="logits")

    def call(self, x):
        return self.top(self.flat(self.conv(self.scale(x))))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, *SIZE), np.float32))
    return model


SHAPES = (
    functional_softmax,
    sequential_sigmoid,
    sequential_around_backbone,
    nested_softmax_layer,
    shared_activation,
    subclassed,
)
ONE_UNIT = (sequential_sigmoid, sequential_around_backbone, shared_activation)


def built(build):
    """The model, its biases and moving statistics no longer the special values that they start with."""
    keras.utils.set_random_seed(7)
    model = build()
    rng = np.random.default_rng(7)
    for weight in model.weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight))
        if value.ndim == 1:
            weight.assign(value + rng.uniform(0.0, 0.1, value.shape).astype(value.dtype))
    return model


@pytest.fixture(params=SHAPES, ids=lambda build: build.__name__)
def model(request):
    return built(request.param)


@pytest.fixture(params=ONE_UNIT, ids=lambda build: build.__name__)
def one_unit(request):
    return built(request.param)


@pytest.fixture
def softmax_model():
    return built(functional_softmax)


def both(activations, gradients):
    return activations, gradients


# JAX compiles each operation of a pass that is not compiled, half a minute in all; test_compiling.py runs some there.
@pytest.fixture(params=["compiled"] if keras.backend.backend() == "jax" else ["compiled", "as it is"])
def gradients(request, monkeypatch):
    """``gradients(model, head, images, layers, labels)``: activations and gradients themselves."""
    if request.param == "as it is":
        monkeypatch.setattr("imgclf.explainer.compiling.compiled", lambda *_: None)
    known = {}

    def run(model, head, images, layers, labels=None):
        compiler = known.setdefault(id(model), Compiler(model))
        told = passes.gradients(compiler, head, images, layers, labels, reduce=both)
        parts = [{path: pair[i] for path, pair in told.found.items()} for i in (0, 1)]
        return SimpleNamespace(**{**vars(told), "activations": parts[0], "gradients": parts[1]})

    return run


@pytest.fixture(scope="session")
def cam():
    """Our formula of Grad-CAM, from and to NumPy."""
    return lambda activations, gradients: keras.ops.convert_to_numpy(grad_cam(activations, gradients))


@pytest.fixture(scope="session")
def images():
    """uint8 ``(3, 16, 16, 3)``."""
    return np.random.default_rng(3).integers(0, 256, (3, *SIZE)).astype(np.uint8)


@pytest.fixture
def said():
    """What a model answers in inference mode, as NumPy."""

    def answer(model, images):
        given = keras.ops.convert_to_tensor(np.asarray(images, np.float32))
        return np.asarray(keras.ops.convert_to_numpy(model(given, training=False)))

    return answer


@pytest.fixture
def shape_of():
    """``shape_of("nested_softmax_layer")`` → a model of that shape."""
    known = {build.__name__: build for build in SHAPES}
    return lambda name: built(known[name])


@pytest.fixture
def in_policy():
    """``with in_policy("float64"):`` new layers compute so."""

    @contextmanager
    def policy(name):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(name)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)

    return policy
