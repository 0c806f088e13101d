import keras
import numpy as np
import pytest
from keras import layers, ops

from imgclf.errors import OptionError
from imgclf.head import Head, class_score, probabilities, probe
from imgclf.taps import forward

NOISE = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)


def found(head):
    """The head of a small model that ends in *head*, a function of the flat features."""
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(2, 3, name="conv")(layers.Rescaling(1 / 255)(x))
    model = keras.Model(x, head(layers.Flatten()(y)))
    return model, probe(model, NOISE).head


HEADS = {
    "dense with an activation": (lambda x: layers.Dense(3, activation="softmax", name="d")(x), "d", "activation"),
    "an activation layer": (
        lambda x: layers.Activation("softmax", name="a")(layers.Dense(3)(x)),
        "a",
        "activation",
    ),
    "a softmax layer": (lambda x: layers.Softmax(name="s")(layers.Dense(3)(x)), "s", "input"),
    "a node of keras.ops": (lambda x: ops.softmax(layers.Dense(3)(x)), None, "input"),
    "a layer as activation": (
        lambda x: layers.Dense(3, activation=layers.Softmax(name="s"), name="d")(x),
        "d/s",
        "input",
    ),
    "reshaped afterwards": (
        lambda x: layers.Flatten()(layers.Reshape((3, 1))(layers.Dense(3, activation="softmax", name="d")(x))),
        "d",
        "activation",
    ),
    "dropped out and activated linearly afterwards": (
        lambda x: layers.Activation("linear")(layers.Dropout(0.5)(layers.Dense(3, "softmax", name="d")(x))),
        "d",
        "activation",
    ),
    "a convolution": (
        lambda x: layers.Flatten()(layers.Conv2D(3, 6, activation="softmax", name="c")(layers.Reshape((6, 6, 2))(x))),
        "c",
        "activation",
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_logit_is_found_behind(name, gradients):
    build, path, recorded = HEADS[name]
    model, head = found(build)
    assert (head.activation, head.recorded, head.units) == ("softmax", recorded, 3)
    assert path in (None, head.path)
    info = [layer for layer in probe(model, NOISE).layers if layer.path == "conv"]
    told = gradients(model, head, NOISE, info, np.zeros(3, np.int64))  # raises if softmax(recorded) is not the output
    assert np.abs(told.gradients["conv"]).max() > 0


def test_a_linear_head_is_the_logit_itself(gradients):
    model, head = found(lambda x: layers.Dense(3, name="d")(x))
    assert head == Head("d", "linear", "output", 3)
    told = gradients(model, head, NOISE, [])
    assert np.allclose(told.probabilities.sum(axis=1), 1)
    assert np.allclose(told.scores, ops.convert_to_numpy(forward(model, NOISE)).max(axis=1))


def test_a_linear_unit_whose_outputs_happen_to_lie_in_0_to_1_is_a_logit():
    _, head = found(lambda x: layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones", name="d")(x))
    assert (head.activation, head.units, head.classes) == ("linear", 1, 2)


def hidden(x):
    return layers.Lambda(lambda t: ops.softmax(t))(layers.Dense(3)(x))


def averaged(x):
    return layers.Average()([layers.Dense(1, activation="sigmoid")(x), layers.Dense(1, activation="sigmoid")(x)])


def own_function(x):
    return layers.Dense(3, activation=lambda t: ops.softmax(t))(x)


@pytest.mark.parametrize("head", [hidden, averaged, own_function], ids=lambda head: head.__name__)
def test_probabilities_of_unknown_make_are_refused(head):
    with pytest.raises(OptionError, match=r"End the model in Dense\(classes, name='logits'\) and Activation"):
        found(head)


def test_probabilities_made_inside_a_subclass_are_refused():
    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.top = layers.Flatten(), layers.Dense(1)

        def call(self, x):
            return ops.sigmoid(self.top(self.flat(x)))

    model = Hidden()
    model(NOISE)
    with pytest.raises(OptionError, match="End the model in Dense"):
        probe(model, NOISE)


def test_an_output_that_no_layer_makes_and_is_no_probability_is_explained_as_it_is():
    _, head = found(lambda x: layers.Lambda(lambda t: 100 * t)(layers.Dense(3)(x)))
    assert (head.activation, head.recorded) == ("linear", "output")
    assert "as it is" in repr(head)


def test_a_softmax_over_another_axis_is_noticed(gradients):
    """Its input is recorded, but softmax over the classes does not give the model's output."""

    def head(x):
        y = layers.Reshape((2, 2))(layers.Dense(4)(x))
        return layers.Flatten()(layers.Softmax(axis=1, name="s")(y))

    model, head = found(head)
    with pytest.raises(OptionError, match=r"its logits are not known\. End the model in Dense"):
        gradients(model, head, NOISE, [])


def test_logits_that_are_not_finite_are_told(gradients):
    model, head = found(lambda x: layers.Dense(3, activation="softmax", bias_initializer="ones", name="d")(x))
    model.get_layer("d").bias.assign(np.full(3, np.nan, np.float32))
    with pytest.raises(OptionError, match="Load an earlier state"):
        gradients(model, head, NOISE, [])


def test_one_output_is_taken_from_a_dict_and_several_are_refused():
    x = keras.Input((8, 8, 3))
    y = layers.Dense(3, activation="softmax", name="probabilities")(layers.Flatten()(x))
    assert probe(keras.Model(x, {"probabilities": y}), NOISE).head.path == "probabilities"
    assert probe(keras.Model(x, [y]), NOISE).head.path == "probabilities"
    with pytest.raises(OptionError, match=r"Choose it: keras.Model\(model.inputs, model.outputs\[0\]\)"):
        probe(keras.Model(x, [y, y * 2]), NOISE)


def test_a_model_that_does_not_classify_is_refused():
    x = keras.Input((8, 8, 3))
    with pytest.raises(OptionError, match="one row of scores for each picture"):
        probe(keras.Model(x, layers.Conv2D(2, 3)(x)), NOISE)


def test_a_model_without_weights_is_refused():
    with pytest.raises(OptionError, match="call it on a picture, first"):
        probe(keras.Sequential([layers.Flatten(), layers.Dense(2)]), NOISE)


def test_channels_first_is_refused():
    x = keras.Input((3, 8, 8))
    y = layers.GlobalAveragePooling2D(data_format="channels_first", name="gap")(x)
    with pytest.raises(OptionError, match="data_format='channels_last'"):
        probe(keras.Model(x, layers.Dense(2)(y)), NOISE.transpose(0, 3, 1, 2))


def test_the_head_says_what_is_explained(softmax_model, images, shape_of):
    head = probe(softmax_model, images.astype(np.float32)).head
    assert repr(head) == "Head(logit z: what enters the softmax in 'logits'; 3 units: class c is z[c])"
    head = probe(shape_of("shared_activation"), images.astype(np.float32)).head
    assert repr(head).endswith("the sigmoid in 'act#2'; 1 unit: class 1 is +z, class 0 is −z)")


def test_score_of_several_units():
    z = ops.convert_to_tensor(np.array([[1.0, 5.0, 3.0], [7.0, 2.0, 0.0]], np.float32))
    scores, labels = class_score(z, None)
    assert ops.convert_to_numpy(scores).tolist() == [5, 7]
    assert ops.convert_to_numpy(labels).tolist() == [1, 0]
    scores, labels = class_score(z, np.array([2, 1]))
    assert ops.convert_to_numpy(scores).tolist() == [3, 2]
    assert ops.convert_to_numpy(labels).tolist() == [2, 1]


def test_score_of_one_unit():
    z = ops.convert_to_tensor(np.array([[3.0], [-4.0]], np.float32))
    scores, labels = class_score(z, None)
    assert ops.convert_to_numpy(scores).tolist() == [3, 4]
    assert ops.convert_to_numpy(labels).tolist() == [1, 0]
    scores, _ = class_score(z, np.array([0, 1]))
    assert ops.convert_to_numpy(scores).tolist() == [-3, -4]


def test_probabilities_of_one_unit_have_two_columns():
    z = np.array([[0.0], [800.0], [-800.0]])
    p = probabilities(Head("d", "sigmoid", "activation", 1), z, np.array([[0.5], [1.0], [0.0]]))
    assert p.tolist() == [[0.5, 0.5], [0, 1], [1, 0]]
