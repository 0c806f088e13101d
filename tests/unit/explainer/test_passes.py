"""What must hold for the gradients of every shape of model, on every backend."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from imgclf.explainer.cam import heatmap
from imgclf.explainer.compiling import Compiler
from imgclf.explainer.passes import activations
from imgclf.head import probe
from imgclf.taps import forward, walk, watched

LAST_MAPS = {
    "functional_softmax": "conv2",
    "sequential_sigmoid": "max_pooling2d",
    "sequential_around_backbone": "backbone/conv2",
    "nested_softmax_layer": "backbone/conv2",
    "shared_activation": "gated",
    "subclassed": "conv1",
}


def maps_of(model, images):
    found = probe(model, images)
    return found.head, [layer for layer in found.layers if layer.is_spatial]


def logits(model, images, change=None):
    """The logits by hand, ``(n, units)`` float64, from what enters the layer that is called "logits".

    *change* ``(path, array)`` is added to the output of a layer.
    """
    leaves, box = dict(walk(model)), {}
    top = next(path for path in leaves if path.rpartition("/")[2] == "logits")

    def on_call(path, inputs, output):
        if path == top:
            box["features"] = ops.convert_to_numpy(inputs)
        return output + ops.convert_to_tensor(change[1]) if change and path == change[0] else output

    with watched(leaves, on_call):
        forward(model, images)
    kernel, bias = (ops.convert_to_numpy(weight).astype(np.float64) for weight in leaves[top].weights)
    return box["features"].astype(np.float64) @ kernel + bias


def scores(z, labels):
    """By the definition: one unit is +z for class 1 and −z for class 0."""
    rows = np.arange(len(z))
    return np.where(np.asarray(labels) == 1, z[:, 0], -z[:, 0]) if z.shape[1] == 1 else z[rows, labels]


@pytest.fixture
def x(images):
    return images.astype(np.float32)


def test_the_last_feature_map_is_found(model, x, request):
    _, maps = maps_of(model, x)
    expected = LAST_MAPS[request.node.callspec.params["model"].__name__]
    assert maps[-1].path.rstrip("_0123456789") == expected.rstrip("_0123456789")


def test_scores_are_logits_and_probabilities_are_the_models(model, x, said, gradients):
    head, maps = maps_of(model, x)
    for labels in ([0, 1, 0], [1, 1, 0]):
        told = gradients(model, head, x, maps, np.array(labels))
        assert np.allclose(told.scores, scores(logits(model, x), labels), atol=1e-5)
        assert told.labels.tolist() == labels
    expected = said(model, x)
    expected = np.concatenate([1 - expected, expected], axis=1) if head.units == 1 else expected
    assert np.abs(told.probabilities - expected).max() < 1e-6


def test_without_a_class_the_likeliest_is_explained(model, x, gradients):
    head, maps = maps_of(model, x)
    told = gradients(model, head, x, maps)
    assert told.labels.tolist() == told.probabilities.argmax(axis=1).tolist()


def test_the_activations_of_both_passes_are_the_same(model, x, gradients):
    head, maps = maps_of(model, x)
    told = gradients(model, head, x, maps)
    seen = activations(Compiler(model), x, maps)
    for layer in maps:
        assert seen[layer.path].shape == (3, *layer.shape)
        assert np.abs(seen[layer.path] - told.activations[layer.path]).max() < 1e-5


@pytest.mark.parametrize("name", LAST_MAPS)
def test_gradients_are_finite_differences(name, in_policy, shape_of, x, gradients):
    """Along the gradient itself, with respect to every layer of every shape."""
    double = keras.backend.backend() != "jax"  # which has float64 only where it is switched on
    with in_policy("float64" if double else "float32"):
        model = shape_of(name)
    size, tolerance = (1e-6, 1e-6) if double else (1e-2, 3e-2)
    if keras.backend.backend() == "torch":
        size, tolerance = 1e-4, 1e-2  # Keras's Dense computes partly in float32 there
    x = x.astype(np.float64 if double else np.float32)
    head, maps = maps_of(model, x)
    labels = np.array([1, 0, 1])
    told = gradients(model, head, x, maps, labels)
    for layer in maps:
        gradient = told.gradients[layer.path].astype(np.float64)
        alive = told.activations[layer.path] != 0  # a maximum of several zeros has no derivative
        direction = np.where(alive, gradient, 0)
        length = np.sqrt((direction**2).sum(axis=(1, 2, 3)))
        assert (length > 0).all()
        step = (size * direction / length[:, None, None, None]).astype(x.dtype)
        up, down = (scores(logits(model, x, (layer.path, sign * step)), labels) for sign in (1, -1))
        assert np.allclose((up - down) / (2 * size), length, rtol=tolerance), layer.path


def test_one_unit_explains_class_0_by_exactly_the_negative_of_class_1(one_unit, x, gradients, cam):
    head, maps = maps_of(one_unit, x)
    ones, zeros = (gradients(one_unit, head, x, maps, np.full(3, label)) for label in (1, 0))
    assert np.array_equal(ones.scores, -zeros.scores)
    for path, gradient in ones.gradients.items():
        assert np.array_equal(gradient, -zeros.gradients[path])
        assert np.array_equal(
            cam(ones.activations[path], gradient), -cam(zeros.activations[path], zeros.gradients[path])
        )


def test_global_pooling_head_grad_cam_is_cam(shape_of, x, gradients, cam):
    """Zhou et al. 2016: CAM sums the last maps by the class's weights; Grad-CAM is that divided by the pixels."""
    model = shape_of("nested_softmax_layer")
    head, maps = maps_of(model, x)
    told = gradients(model, head, x, maps[-1:], np.array([0, 1, 2]))
    features = told.activations["backbone/conv2"].astype(np.float64)
    kernel, bias = (ops.convert_to_numpy(w).astype(np.float64) for w in model.get_layer("logits").weights)
    expected = np.einsum("nhwc,cn->nhw", features, kernel[:, [0, 1, 2]])
    pixels = features.shape[1] * features.shape[2]
    ours = cam(told.activations["backbone/conv2"], told.gradients["backbone/conv2"]) * pixels
    assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.allclose(ours.mean(axis=(1, 2)) + bias[[0, 1, 2]], told.scores, atol=1e-5)


def test_one_dense_head_the_gradient_is_its_weights(softmax_model, x, gradients):
    head, maps = maps_of(softmax_model, x)
    told = gradients(softmax_model, head, x, maps[-1:], np.array([2, 0, 1]))
    kernel = ops.convert_to_numpy(softmax_model.get_layer("logits").weights[0])
    expected = kernel.T[[2, 0, 1]].reshape(told.gradients["conv2"].shape)
    assert np.abs(told.gradients["conv2"] - expected).max() < 1e-6


def test_a_saturated_head_is_explained_the_same(model, x, said, gradients, cam):
    head, maps = maps_of(model, x)
    labels = np.array([1, 0, 1])
    before = gradients(model, head, x, maps, labels)
    top = next(leaf for path, leaf in walk(model) if path.rpartition("/")[2] == "logits")
    for weight in top.weights:
        weight.assign(ops.convert_to_numpy(weight) * 200)
    after = gradients(model, head, x, maps, labels)
    p = said(model, x)
    assert (np.minimum(p, 1 - p) < 1e-6).any()  # so sure that the probability has lost its gradient
    for layer in maps:
        old, new = (cam(t.activations[layer.path], t.gradients[layer.path]) for t in (before, after))
        assert np.abs(heatmap(new, (16, 16)) - heatmap(old, (16, 16))).max() < 1e-5
        assert np.abs(new).max() > 0


def test_all_layers_at_once_are_each_layer_alone(model, x, gradients):
    head, maps = maps_of(model, x)
    labels = np.array([0, 1, 1])
    together = gradients(model, head, x, maps, labels)
    for layer in maps:
        alone = gradients(model, head, x, [layer], labels)
        assert list(alone.gradients) == [layer.path]
        assert np.abs(alone.gradients[layer.path] - together.gradients[layer.path]).max() < 1e-6


def test_a_batch_is_its_pictures(model, x, gradients):
    head, maps = maps_of(model, x)
    labels = np.array([0, 1, 1])
    batch = gradients(model, head, x, maps, labels)
    for row in range(3):
        one = gradients(model, head, x[row : row + 1], maps, labels[row : row + 1])
        for layer in maps:
            scale = np.abs(one.gradients[layer.path]).max()
            assert np.abs(one.gradients[layer.path][0] - batch.gradients[layer.path][row]).max() <= 1e-5 * scale


def test_a_layer_that_is_used_twice_has_a_gradient_for_each_call(x, gradients):
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    y = keras.Input((16, 16, 3))
    z = layers.Flatten()(conv(conv(y / 255)))
    model = keras.Model(y, layers.Dense(2, activation="softmax", name="logits")(z))
    head, maps = maps_of(model, x)
    told = gradients(model, head, x, maps, np.array([0, 0, 0]))
    assert [layer.path for layer in maps if layer.kind == "Conv2D"] == ["conv", "conv#2"]
    assert np.abs(told.gradients["conv"][:, 2:14, 2:14] - told.gradients["conv#2"][:, 2:14, 2:14]).max() > 1e-3
    kernel = ops.convert_to_numpy(model.get_layer("logits").weights[0])[:, 0]
    assert np.abs(told.gradients["conv#2"] - kernel.reshape(1, 16, 16, 3)).max() < 1e-6


def test_rematerialised_layers_have_the_same_gradients(shape_of, x, gradients):
    plain = shape_of("functional_softmax")
    with keras.RematScope(mode="full"):
        saving = shape_of("functional_softmax")
    saving.set_weights(plain.get_weights())
    found = []
    for model in (plain, saving):
        head, maps = maps_of(model, x)
        found.append(gradients(model, head, x, maps, np.array([0, 1, 2])).gradients)
    for path, gradient in found[0].items():
        assert np.abs(gradient - found[1][path]).max() < 1e-6


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_the_same_maps(policy, in_policy, shape_of, x, gradients, cam):
    exact = shape_of("functional_softmax")
    with in_policy(policy):
        half = shape_of("functional_softmax")
    half.set_weights(exact.get_weights())
    found = []
    for model in (exact, half):
        head, maps = maps_of(model, x)
        told = gradients(model, head, x, maps[-1:], np.array([0, 1, 2]))
        found.append(cam(told.activations["conv2"], told.gradients["conv2"]))
    assert found[1].dtype == np.float32
    assert np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1] > 0.999
