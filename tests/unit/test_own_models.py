"""Keras models of a user's own: what they end in is told from their structure, and they can learn."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from imgclf import endings, head
from imgclf.architectures.own import ensure_probabilities, input_shape, logits_model, output_units, split_head
from imgclf.errors import OptionError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.float32)


def model(*end, structure=lambda tensor: tensor):
    """Flat features, scaled, and then *end*, functions of a tensor."""
    pixels = keras.Input((8, 8, 3), name="pixels")
    tensor = layers.Flatten()(layers.Rescaling(1 / 255)(pixels))
    for part in end:
        tensor = part(tensor)
    return keras.Model(pixels, structure(tensor), name="mine")


def said(network):
    return ops.convert_to_numpy(network(PIXELS, training=False))


class Own(layers.Dense):
    """A Dense layer whose ``call`` is its own."""

    def call(self, inputs):
        return ops.softmax(super().call(inputs))


class Inside(keras.Model):
    """A model that a graph does not show into."""

    def __init__(self, activation, units=2, **options):
        super().__init__()
        self.first = layers.Dense(units, activation, **options)

    def call(self, inputs):
        return self.first(inputs)


def averaged(*activations):
    parts = [layers.Dense(2, activation) for activation in activations]
    return lambda x: layers.Average()([part(x) for part in parts])


READY = {
    "dense": lambda: layers.Dense(2, "softmax"),
    "node": lambda: lambda x: ops.softmax(layers.Dense(2)(x)),
    "function": lambda: lambda x: keras.activations.softmax(layers.Dense(2)(x)),
    "sigmoid node": lambda: lambda x: ops.sigmoid(layers.Dense(1)(x)),
    "layer as activation": lambda: layers.Dense(2, activation=layers.Softmax()),
    "layer in a layer": lambda: layers.Dense(2, activation=layers.Activation("softmax")),
    "named otherwise": lambda: lambda x: layers.Activation("sigmoid", name="out")(layers.Dense(1)(x)),
    "reshaped": lambda: lambda x: layers.Reshape((2,))(layers.Dense(2, "softmax")(x)),
    "inside": lambda: Inside("softmax"),
    "several averaged": lambda: averaged("softmax", "softmax"),
}


@pytest.mark.parametrize("name", READY)
def test_probabilities_stay_as_they_are(name):
    ready = model(READY[name]())
    assert ensure_probabilities(ready, 2) is ready
    if name != "several averaged":
        around = keras.Sequential([keras.Input((8, 8, 3)), ready])
        assert ensure_probabilities(around, 2) is around


LOGITS = {
    "several averaged": lambda: averaged(None, None),
    "dense": lambda: layers.Dense(2),
    "constant zeros": lambda: lambda x: layers.Reshape((1,))(layers.Dense(1, kernel_initializer="zeros")(x)),
    "constant inside": lambda: Inside(None, 1, kernel_initializer="zeros", bias_initializer="ones"),
    "a relu before arithmetic": lambda: lambda x: ops.multiply(layers.Dense(2, "relu")(x), -9.0),
    "a name that is taken": lambda: layers.Dense(1, name="probabilities"),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_get_the_activation_that_they_lack(name):
    bare = model(LOGITS[name]())
    whole = ensure_probabilities(bare, 2)
    assert whole is not bare
    wanted = keras.activations.sigmoid if bare.output_shape[1] == 1 else keras.activations.softmax
    assert np.allclose(said(whole), ops.convert_to_numpy(wanted(bare(PIXELS))), atol=1e-6)
    assert ensure_probabilities(whole, 2) is whole
    assert np.allclose(said(logits_model(whole)), said(bare), atol=1e-6)


def test_a_graph_is_read_and_not_run(monkeypatch):
    """A classifier is made of large models too."""
    monkeypatch.setattr(head, "forward", None)
    ensure_probabilities(model(layers.Dense(2, "softmax")), 2)
    ensure_probabilities(model(layers.Dense(2)), 2)
    with pytest.raises(TypeError):
        ensure_probabilities(model(Inside("softmax")), 2)


def two_inputs():
    pixels, other = keras.Input((8, 8, 3)), keras.Input((3,))
    return keras.Model([pixels, other], layers.Dense(2)(layers.Concatenate()([layers.Flatten()(pixels), other])))


def rows(x):
    return layers.Flatten()(layers.Softmax(axis=1)(layers.Reshape((2, 1))(layers.Dense(2)(x))))


REFUSED = {
    "one softmax unit": (lambda: model(layers.Dense(1, "softmax")), "End it in a sigmoid, or in two units"),
    "one unit, as a node": (lambda: model(layers.Dense(1), ops.softmax), "End it in a sigmoid, or in two units"),
    "two sigmoid units": (lambda: model(layers.Dense(2), ops.sigmoid), "End it in a softmax"),
    "relu": (lambda: model(layers.Dense(2, "relu")), "ends in 'relu'.*End it in a Dense layer without"),
    "relu layer": (lambda: model(layers.Dense(2), layers.ReLU()), "ends in 'relu'"),
    "relu as a node": (lambda: model(layers.Dense(2), ops.relu), "ends in 'relu'"),
    "relu inside": (lambda: model(Inside("relu")), "ends in 'relu'"),
    "another axis": (lambda: model(rows), "axis of the classes"),
    "hidden": (lambda: model(layers.Dense(2), layers.Lambda(lambda t: ops.softmax(t))), "End the model in Dense"),
    "own call": (lambda: model(Own(2)), "or leave the activation out"),
    "unlike ones averaged": (lambda: model(averaged("softmax", lambda t: ops.softmax(t))), "End the model in Dense"),
    "own function": (lambda: model(layers.Dense(2, lambda t: ops.softmax(t))), "End the model in Dense"),
    "two outputs": (lambda: model(layers.Dense(2), structure=lambda y: [y, y * 2]), "Choose it: keras.Model"),
    "two inputs": (two_inputs, "takes pictures only"),
    "a picture out": (lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3)]), "End it in a Dense"),
}


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_classifier_is_refused(name):
    build, advice = REFUSED[name]
    with pytest.raises(OptionError, match=advice):
        ensure_probabilities(build(), 2)


@pytest.mark.parametrize("structure", [lambda y: {"scores": y}, lambda y: [y]])
@pytest.mark.parametrize("activation", ["softmax", None])
def test_a_single_output_is_taken_out_of_a_dict_or_list(structure, activation):
    wrapped = model(layers.Dense(2, activation), structure=structure)
    assert (input_shape(wrapped), output_units(wrapped)) == ((8, 8, 3), 2)
    plain = ensure_probabilities(wrapped, 2)
    assert plain.predict_on_batch(PIXELS).shape == (4, 2)
    assert np.allclose(said(plain).sum(axis=1), 1, atol=1e-5)


def test_a_single_input_is_taken_out_of_a_dict():
    pixels = keras.Input((8, 8, 3), name="pixels")
    wrapped = keras.Model({"pixels": pixels}, layers.Dense(2, "softmax")(layers.Flatten()(pixels)))
    assert ensure_probabilities(wrapped, 2).predict_on_batch(PIXELS).shape == (4, 2)


@pytest.mark.parametrize(
    "end",
    [
        lambda x: layers.Activation("sigmoid", name="out")(layers.Dense(1)(x)),
        lambda x: layers.Softmax()(layers.Dense(2)(x)),
        lambda x: ops.sigmoid(layers.Dense(1)(x)),
    ],
)
def test_logits_are_what_enters_a_last_activation_of_its_own(end):
    whole = model(end)
    found = logits_model(whole)
    activation = keras.activations.sigmoid if whole.output_shape[1] == 1 else keras.activations.softmax
    assert np.allclose(ops.convert_to_numpy(activation(found(PIXELS))), said(whole), atol=1e-6)
    assert [id(w) for w in found.weights] == [id(w) for w in whole.weights]
    assert split_head(whole) is whole


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (2, "softmax")])
@pytest.mark.parametrize("name", ["dense", "probabilities"])
@pytest.mark.parametrize("sequential", [False, True])
def test_a_fused_head_is_split(tmp_path, units, activation, name, sequential):
    fused = layers.Dense(units, activation, name=name)
    whole = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), fused]) if sequential else model(fused)
    assert logits_model(whole) is None
    before = said(whole)
    split = split_head(whole)
    assert np.allclose(said(split), before, atol=1e-6)
    assert split.layers[-1].name == ("probabilities" if name == "dense" else "probabilities_2")
    assert split.layers[-1].dtype_policy.name == "float32"
    assert logits_model(split).output_shape == (None, units)
    assert ensure_probabilities(split, 2) is split
    split.save(tmp_path / "split.keras")
    assert np.allclose(said(keras.saving.load_model(tmp_path / "split.keras")), before, atol=1e-6)


def twice():
    shared = layers.Dense(2, "softmax")
    return model(layers.Dense(2), shared, shared)


@pytest.mark.parametrize(
    "build",
    [
        twice,
        lambda: model(layers.Dense(2)),
        lambda: model(model_of_features()),
        lambda: model(Inside("softmax")),
        lambda: model(layers.Dense(2, activation=layers.Softmax())),
    ],
    ids=["shared", "linear", "nested", "subclassed", "a layer as activation"],
)
def test_a_head_that_cannot_be_split_stays(build):
    whole = build()
    before = said(whole)
    assert split_head(whole) is whole
    assert np.array_equal(said(whole), before)


def model_of_features():
    features = keras.Input((192,))
    return keras.Model(features, layers.Dense(2, "softmax")(features))


def test_a_saturated_fused_sigmoid_learns_once_it_is_split():
    """From its clipped probabilities it gets no gradient on JAX and PyTorch."""
    keras.utils.set_random_seed(1)
    fused = layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(30))
    whole = split_head(model(fused))
    trained = logits_model(whole)
    trained.compile(keras.optimizers.SGD(1.0), keras.losses.BinaryCrossentropy(from_logits=True))
    trained.fit(PIXELS, np.zeros((4, 1), np.float32), epochs=40, verbose=0)
    assert said(whole).max() < 0.5


def test_the_two_readings_agree():
    """The graph and the watched pass lead to the same ending."""
    for build in [build for name, build in READY.items() if name != "several averaged"]:
        whole = model(build())
        read = endings.read_graph(whole, whole.output_shape[1])
        watched = head.probe(whole, head.noise((8, 8, 3))).head
        assert read.activation in (watched.activation, None)
