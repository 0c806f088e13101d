from __future__ import annotations

import keras
import numpy as np
import pytest

from imgclf import _backend
from imgclf.fusing import fused_normalisation

PIXELS = np.random.default_rng(0).normal(3, 2, (4, 6, 5, 3)).astype(np.float32)


def network(policy="float32", **options):
    with _backend.precision(policy):
        layer = keras.layers.BatchNormalization(name="bn", **options)
        model = keras.Sequential([keras.Input((6, 5, 3)), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    for number, weight in enumerate(layer.weights):
        weight.assign(np.linspace(0.5, 1.5, weight.shape[0]) + number)
    return model


def passed(model, fused, training=True):
    """The layer's output, and what it has learnt of mean and variance."""
    if fused:
        with fused_normalisation(model):
            seen = model.get_layer("bn")(PIXELS, training=training)
    else:
        seen = model.get_layer("bn")(PIXELS, training=training)
    layer = model.get_layer("bn")
    arrays = [keras.ops.convert_to_numpy(keras.ops.cast(a, "float32")) for a in (seen, *layer.non_trainable_variables)]
    return arrays, str(seen.dtype)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"momentum": 0.5, "epsilon": 0.1}])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_kernel_computes_what_keras_does(policy, options):
    (plain, dtype), (fused, same) = (passed(network(policy, **options), fused) for fused in (False, True))
    assert dtype == same
    tolerance = 1e-5 if policy == "float32" else 0.04  # eight binary digits of a value of about 4
    np.testing.assert_allclose(fused[0], plain[0], atol=tolerance)
    for one, other in zip(fused[1:], plain[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5 if policy == "float32" else 1e-2)


def test_gradients_are_those_of_keras():
    def gradients(fused):
        model = network()
        layer = model.get_layer("bn")

        def loss(tensors):
            outputs = layer(tensors["pixels"], training=True)
            return keras.ops.sum(outputs * outputs * keras.ops.arange(3, dtype="float32")), None

        pixels = {"pixels": keras.ops.convert_to_tensor(PIXELS)}
        if fused:
            with fused_normalisation(model):
                found = _backend.value_and_grad(loss, pixels)[2]
        else:
            found = _backend.value_and_grad(loss, pixels)[2]
        return keras.ops.convert_to_numpy(found["pixels"])

    np.testing.assert_allclose(gradients(True), gradients(False), atol=1e-4)


@pytest.mark.parametrize("options", [{"axis": 1}, {"renorm": True}, {"trainable": False}])
def test_other_kinds_go_to_keras(options):
    (plain, _), (fused, _) = (passed(network(**options), fused) for fused in (False, True))
    for one, other in zip(fused, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_inference_goes_to_keras_and_no_trace_is_left():
    model = network()
    layer = model.get_layer("bn")
    (plain, _), (fused, _) = passed(network(), False, training=False), passed(model, True, training=False)
    np.testing.assert_array_equal(fused[0], plain[0])
    with pytest.raises(RuntimeError, match="on purpose"), fused_normalisation(model):
        assert ("call" in vars(layer)) is _backend.has_fused_normalisation()
        raise RuntimeError("on purpose")
    assert "call" not in vars(layer)
