from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.architectures import Registry, registry
from imgclf.architectures.own import ensure_probabilities, logits_model
from imgclf.errors import OptionError, UnknownNameError

SIZES = {"vgg16_bn": (32, 32, 3)}  # the others take 28×28 and more
SMALL = {
    "vgg16_bn": {"dense": (8,)},
    "small_cnn": {"filters": (4, 4), "dense": 8},
    "bn_cnn": {"filters": (4, 4), "dense": 8},
}


def small(name, classes=2, **options):
    return registry.build(name, SIZES.get(name, (28, 28, 3)), classes, **{**SMALL.get(name, {}), **options})


@pytest.mark.parametrize(
    ("name", "classes", "parameters", "units"),
    [("small_cnn", 2, 3_453_121, 1), ("bn_cnn", 2, 12_942_786, 2), ("mnist_cnn", 10, 65_194, 10)],
)
def test_the_documents_parameter_counts(name, classes, parameters, units):
    model = registry.build(name, num_classes=classes)
    assert model.count_params() == parameters
    assert model.output_shape == (None, units)


def test_document_003s_shapes():
    """148, 74, 72, 36, 34, 17, 15, 7, then 6,272 features."""
    model = registry.build("small_cnn")
    names = [f"{kind}{number}" for number in range(1, 5) for kind in ("conv", "pool")]
    assert [model.get_layer(name).output.shape[1] for name in names] == [148, 74, 72, 36, 34, 17, 15, 7]
    assert model.get_layer("flatten").output.shape == (None, 6272)


def test_document_001s_variant():
    model = registry.build("small_cnn", filters=(32, 64, 128), dense=0, dropout=0.5)
    kinds = [type(layer).__name__ for layer in model.layers[2:]]
    assert kinds == ["Conv2D", "MaxPooling2D"] * 3 + ["Flatten", "Dropout", "Dense", "Activation"]
    assert model.output_shape == (None, 1)


def test_vgg16_bn_counts_its_parts():
    model = registry.build("vgg16_bn", (32, 32, 3), dense=())
    counts = {kind: sum(x.count_params() for x in model.layers if kind in x.name) for kind in ("_conv", "_bn")}
    assert counts == {"_conv": 14_714_688, "_bn": 5_888}
    assert registry.get("vgg16_bn").options == {"dense": (4096, 4096)}
    for block in range(1, 6):
        names = [layer.name for layer in model.layers if layer.name.startswith(f"block{block}_")]
        assert names[-2:] == [f"block{block}_bn", f"block{block}_pool"]
        assert "conv" in names[-3]
    convolution = model.get_layer("block1_conv1")
    assert convolution.kernel_initializer.__class__.__name__ == "HeNormal"


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("classes", [2, 3])
def test_every_network_has_the_seam(name, classes):
    """float32 pixels 0..255 in, a layer of logits, probabilities out: also for one that is added later."""
    model = small(name, classes)
    assert model.inputs[0].dtype == "float32"
    assert isinstance(model.get_layer("logits"), layers.Dense)
    pixels = np.full((2, *model.input_shape[1:]), 255, np.float32)
    said = keras.ops.convert_to_numpy(model(pixels, training=False))
    assert said.shape == (2, 1 if classes == 2 and registry.get(name).head == "sigmoid" else classes)
    assert (said >= 0).all()
    assert (said <= 1).all()
    assert said.shape[1] == 1 or np.allclose(said.sum(axis=1), 1, atol=1e-5)
    assert logits_model(model).output_shape == model.output_shape
    assert keras.ops.convert_to_numpy(model.get_layer("scaling")(pixels)).max() == pytest.approx(1)


@pytest.mark.parametrize("name", registry.names())
def test_the_documents_heads_and_the_other_one(name):
    own = registry.get(name).head
    assert own == ("sigmoid" if name in ("small_cnn", "vgg16_bn") else "softmax")
    other = "softmax" if own == "sigmoid" else "sigmoid"
    assert small(name, head=other).output_shape[1] == (1 if other == "sigmoid" else 2)
    with pytest.raises(OptionError, match="Use 'softmax'"):
        small(name, 3, head="sigmoid")


def test_what_cannot_be_built_is_said():
    with pytest.raises(UnknownNameError, match="no architecture is called 'smal_cnn'. Did you mean 'small_cnn'"):
        registry.build("smal_cnn")
    with pytest.raises(UnknownNameError, match="no option of 'small_cnn' is called 'drop'"):
        registry.build("small_cnn", drop=0.5)
    with pytest.raises(OptionError, match="Load them with a larger image_size"):
        registry.build("small_cnn", (20, 20, 3))
    with pytest.raises(OptionError, match="Load them with a larger image_size"):
        registry.build("vgg16_bn", (20, 20, 3), dense=(4,))
    with pytest.raises(
        OptionError, match=r"refuses the options \{'dense': 64\}.*Its defaults are \{'dense': \(4096, 4096\)"
    ):
        registry.build("vgg16_bn", (32, 32, 3), dense=64)
    with pytest.raises(OptionError, match="at least 2"):
        registry.build("mnist_cnn", num_classes=1)
    with pytest.raises(OptionError, match="'sigmoid' or 'softmax'"):
        registry.build("mnist_cnn", head="relu")


def test_a_network_of_ones_own_is_registered_by_decorating_it():
    own = Registry()

    @own.register(input_shape=(8, 8, 3), head="sigmoid", document="mine")
    def tiny(pixels, *, width=3):
        return layers.GlobalAveragePooling2D()(layers.Conv2D(width, 3)(pixels))

    assert own.names() == ["tiny"]
    for name in ("my net", "né", "a/b", ""):
        with pytest.raises(OptionError, match="Choose another name"):
            own.register(name or " ", input_shape=(8, 8, 3))(tiny)
    assert "tiny" in own
    assert repr(own) == "Registry(tiny)"
    assert own.build("tiny", width=5).count_params() == 5 * 27 + 5 + 5 + 1
    assert own.get("tiny").options == {"width": 3}
    own.register("tiny", input_shape=(9, 9, 3))(tiny)  # as when a notebook's cell runs again
    assert own.get("tiny").input_shape == (9, 9, 3)
    with pytest.raises(OptionError, match="Choose another name"):
        own.register("tiny", input_shape=(8, 8, 3))(lambda pixels: pixels)


def head(units, activation, shape=(8, 8, 3)):
    pixels = keras.Input(shape)
    return keras.Model(pixels, layers.Dense(units, activation)(layers.GlobalMaxPooling2D()(pixels)))


class Subclassed(keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.out = layers.Dense(2, activation)
        self.flat = layers.Flatten()

    def call(self, pixels):
        return self.out(self.flat(pixels))


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (2, "softmax")])
def test_probabilities_stay_and_logits_get_their_activation(units, activation):
    ready = head(units, activation)
    assert ensure_probabilities(ready, 2) is ready
    assert logits_model(ready) is None
    bare = head(units, None)
    completed = ensure_probabilities(bare, 2)
    assert completed.layers[-1].activation is getattr(keras.activations, activation)
    pixels = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    logits = keras.ops.convert_to_numpy(logits_model(completed)(pixels, training=False))
    assert np.allclose(logits, keras.ops.convert_to_numpy(bare(pixels, training=False)))


def test_nested_softmax_and_subclassed_models_are_understood():
    nested = keras.Sequential([keras.Input((8, 8, 3)), head(2, None), layers.Softmax()])
    assert ensure_probabilities(nested, 2) is nested
    inner = keras.Sequential([keras.Input((8, 8, 3)), head(2, "softmax")])
    assert ensure_probabilities(inner, 2) is inner
    for activation in ("softmax", None):
        wrapped = keras.Sequential([keras.Input((8, 8, 3)), Subclassed(activation)])
        completed = ensure_probabilities(wrapped, 2)
        assert (completed is wrapped) == (activation == "softmax")
        said = keras.ops.convert_to_numpy(completed(np.full((3, 8, 8, 3), 100, np.float32), training=False))
        assert np.allclose(said.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "classes", "said"),
    [
        (lambda: head(3, "softmax"), 2, "Change its last layer"),
        (lambda: head(1, "sigmoid"), 3, "expected 3"),
        (lambda: head(2, "sigmoid"), 2, "End it in a softmax"),
        (lambda: head(2, "relu"), 2, "neither logits nor probabilities. End it in a Dense layer without"),
        (lambda: head(2, "softmax", (None, None, 3)), 2, "Build it on such an input first"),
        (lambda: head(2, "softmax", (8, 8, 4)), 2, "expected .None, height, width, 1 or 3"),
        (lambda: Subclassed("softmax"), 2, "Build it on such an input first"),
    ],
)
def test_models_that_do_not_fit_are_refused(model, classes, said):
    with pytest.raises(OptionError, match=said):
        ensure_probabilities(model(), classes)
