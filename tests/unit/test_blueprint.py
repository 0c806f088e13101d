"""What a network was built from is known while it is that network, and building it again is bounded."""

from __future__ import annotations

import enum
import gc
import json
import threading

import keras
import numpy as np
import pytest
from keras import layers, ops

from imgclf import _backend
from imgclf.architectures import Registry, registry
from imgclf.architectures.blueprint import (
    Blueprint,
    blueprint_of,
    configuration,
    difference,
    hand_on,
    plain,
)
from imgclf.architectures.building import Limit
from imgclf.errors import OptionError

OWN = Registry()


@OWN.register(input_shape=(8, 8, 3))
def own(pixels, *, width=4, activation="relu", sizes=(3,), listed=None, unsaid=np.tanh):
    x = pixels
    for size in sizes:
        x = layers.Conv2D(width, size, activation=activation, padding="same")(x)
    x = ops.relu(layers.Conv2D(width, 1, name="conv2d_5")(x)) + 1.0
    return layers.GlobalAveragePooling2D()(x)


def again(model):
    blueprint = Blueprint.from_dict(json.loads(json.dumps(blueprint_of(model).to_dict())))
    return OWN.get(blueprint.name).build_again(blueprint)


@pytest.mark.parametrize("name", registry.names())
def test_every_network_of_the_registry_is_built_again_from_json(name):
    model = registry.build(name, (48, 48, 3), 3, **({"dense": (4,)} if name == "vgg16_bn" else {}))
    said = json.loads(json.dumps(blueprint_of(model).to_dict()))
    other = registry.get(name).build_again(Blueprint.from_dict(said))
    assert difference(configuration(model), configuration(other)) is None
    assert [weight.shape for weight in other.weights] == [weight.shape for weight in model.weights]
    assert blueprint_of(other) == blueprint_of(model)
    assert set(said["options"]) == set(registry.get(name).options)  # defaults too


def test_options_come_back_as_they_were():
    model = OWN.build("own", width=np.int64(5), sizes=[3, 5], activation="tanh", num_classes=4)
    assert blueprint_of(model).options == {"width": 5, "activation": "tanh", "sizes": [3, 5], "listed": None}
    assert difference(configuration(model), configuration(again(model))) is None


def test_a_network_that_was_altered_is_ones_own():
    for alter in (
        lambda model: setattr(model.layers[2], "activation", keras.activations.tanh),
        lambda model: setattr(model.get_layer("logits"), "activation", keras.activations.relu),
    ):
        model = OWN.build("own")
        assert blueprint_of(model) is not None
        alter(model)
        assert blueprint_of(model) is None
    assert blueprint_of(keras.Sequential([keras.Input((2,)), layers.Dense(1)])) is None
    frozen = OWN.build("own")
    frozen.trainable = False
    assert blueprint_of(frozen) is not None


def test_options_that_no_file_holds_leave_a_network_of_ones_own():
    assert blueprint_of(OWN.build("own", activation=keras.activations.tanh)) is None


def test_a_copy_is_known_only_while_it_is_one():
    model = OWN.build("own")
    copy = keras.models.clone_model(model)
    assert blueprint_of(copy) is None
    assert blueprint_of(hand_on(model, copy)) == blueprint_of(model)
    assert blueprint_of(hand_on(model, OWN.build("own", activation=keras.activations.tanh))) is None


def test_nothing_is_kept_alive():
    import weakref

    model = OWN.build("own")
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None


def test_names_do_not_depend_on_what_was_built_before():
    first = [part.name for part in OWN.build("own", sizes=(3, 3)).operations]
    layers.Conv2D(1, 1), layers.Dense(1)
    assert [part.name for part in OWN.build("own", sizes=(3, 3)).operations] == first
    assert first[2:5] == ["conv2d", "conv2d_1", "conv2d_5"]  # the last is a name of the builder's own
    assert layers.Conv2D(1, 1).name not in first  # Keras goes on counting as before


def test_another_thread_is_not_counted():
    @OWN.register("slow", input_shape=(8, 8, 3))
    def slow(pixels):
        other = threading.Thread(target=layers.Conv2D, args=(1, 1))
        other.start()
        other.join(20)
        return layers.Flatten()(layers.Conv2D(1, 1)(pixels))

    assert "conv2d" in [layer.name for layer in OWN.build("slow").layers]


def test_differences_are_named_and_names_of_layers_are_none():
    one, two = OWN.build("own"), keras.models.clone_model(OWN.build("own"))
    two.layers[2].name = "another"
    assert difference(configuration(one), configuration(two)) is None
    other = configuration(OWN.build("own", width=5))
    assert "/filters: '4' and '5'" in difference(configuration(one), other)
    newer = configuration(one)
    newer["config"]["layers"][2]["config"]["new_setting"] = 1
    assert "new_setting" in difference(configuration(one), newer)
    assert difference(newer, configuration(one), lenient=True) is None
    assert "filters" in difference(newer, other, lenient=True)


def dropped(model, layer, *keys, **values):
    """The configuration of *model* as another version of Keras might write it: settings missing, or others."""
    content = configuration(model)
    config = content["config"]["layers"][layer]["config"]
    for key in keys:
        del config[key]
    config.update(values)
    return content


@pytest.mark.parametrize("key", ["padding", "activation", "filters", "name"])
def test_a_setting_that_is_missing_must_be_what_keras_takes_without_it(key):
    model = OWN.build("own")  # padding="same", activation="relu": neither is the default
    assert key in difference(dropped(model, 2, key), configuration(model), lenient=True)


def test_another_version_may_lack_defaults_and_know_more():
    model = OWN.build("own")
    for content in (
        dropped(model, 2, "strides", "kernel_initializer", "use_bias", "groups"),
        dropped(model, 2, future=1),
        dropped(model, 2, "dilation_rate", future=None),
    ):
        assert difference(content, configuration(model), lenient=True) is None
        assert difference(content, configuration(model)) is not None
    assert "lora_rank" in difference(dropped(model, 2, lora_rank=4), configuration(model), lenient=True)
    strides = dropped(OWN.build("strided"), 2, "strides")
    assert "strides" in difference(strides, configuration(OWN.build("strided")), lenient=True)


@OWN.register(input_shape=(8, 8, 3))
def strided(pixels):
    x = layers.Activation("relu", name="relu")(layers.Conv2D(2, 3, strides=2)(pixels))
    return layers.Flatten()(x)


def test_keys_outside_the_settings_are_not_optional():
    model = OWN.build("own")
    for key in ("config", "class_name", "inbound_nodes", "build_config"):
        content = configuration(model)
        del content["config"]["layers"][2][key]
        assert difference(content, configuration(model), lenient=True) is not None


def test_a_name_is_no_cloak_for_a_setting():
    """A layer called "relu" that is a relu, against one called "tanh" that is a tanh."""
    model = OWN.build("strided")
    other = json.loads(json.dumps(configuration(model)).replace('"relu"', '"tanh"'))
    assert "activation" in difference(other, configuration(model))


def test_classes_stay_in_their_modules_unless_they_are_a_users():
    model = OWN.build("own")
    there = dropped(model, 2)
    for module, lenient, moved in (("mine", True, False), ("keras.src.layers", True, True), ("keras.x", False, False)):
        there["config"]["layers"][2]["module"] = module
        assert (difference(there, configuration(model), lenient=lenient) is None) == moved

    class Own(layers.Layer):
        def call(self, x):
            return x

    own = keras.Sequential([keras.Input((2,)), Own()])
    there = json.loads(json.dumps(configuration(own)).replace(json.dumps(Own.__module__), '"moved"'))
    assert there != configuration(own)
    assert difference(there, configuration(own)) is None


def test_the_code_of_a_lambda_is_the_registrys():
    """It holds the path of its source file, and changes with Python; an altered function is noticed all the same."""

    @OWN.register("lambdas", input_shape=(8, 8, 3))
    def lambdas(pixels):
        return layers.Flatten()(layers.Lambda(lambda x: x * 2)(pixels))

    model = OWN.build("lambdas")
    there = configuration(model)
    there["config"]["layers"][2]["config"]["function"]["config"]["code"] = "another"
    assert difference(there, configuration(model)) is None
    there["config"]["layers"][2]["config"]["function"]["config"]["closure"] = [3]
    assert "closure" in difference(there, configuration(model))
    assert blueprint_of(model) is not None
    model.layers[2].function = lambda x: x * 3
    assert blueprint_of(model) is None


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64", "bfloat16"])
def test_the_policy_is_part_of_it(policy):
    with _backend.precision(policy):
        model = OWN.build("own")
    if policy == "bfloat16":
        assert blueprint_of(model) is None
    else:
        assert {layer.compute_dtype for layer in again(model).layers} == {layer.compute_dtype for layer in model.layers}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 3},
        {"input_shape": [8, 8]},
        {"input_shape": [8, 8, True]},
        {"input_shape": "883"},
        {"num_classes": 1},
        {"num_classes": 2.0},
        {"head": "relu"},
        {"options": []},
        {"options": {"a b": 1}},
        {"options": {"x": float("nan")}},
        {"options": {"x": 1e12}},
        {"options": {"x": [1] * 101}},
        {"options": {"x": [[[[[1]]]]]}},
        {"options": {"x": "x" * 1001}},
        {"options": {"x": object()}},
        {"options": {"x": {"list": 1}}},
        {"options": {str(n): 1 for n in range(101)}},
        {"policy": "int8"},
        {"more": 1},
    ],
)
def test_what_cannot_be_a_blueprint_is_refused(wrong):
    right = {"name": "own", "input_shape": [8, 8, 3], "num_classes": 2, "head": "softmax", "options": {}}
    right["policy"] = "float32"
    assert Blueprint.from_dict(right).input_shape == (8, 8, 3)
    with pytest.raises(OptionError):
        Blueprint.from_dict({**right, **wrong})


def test_plain_values():
    assert plain([1, (2, np.float32(0.5)), {"a": [None, True]}]) == [1, (2, 0.5), {"a": [None, True]}]

    class Mode(enum.StrEnum):
        FAST = "fast"

    assert type(plain(Mode.FAST)) is str
    assert plain(Mode.FAST) == "fast"
    given = [1]
    assert plain(given) is not given


@pytest.mark.parametrize("value", [[], (), [1, (2, [3])], ({"a": [1]}, [()]), {"list": 1, "b": [2]}])
def test_lists_and_tuples_come_back_as_they_were(value):
    right = {"name": "own", "input_shape": [8, 8, 3], "num_classes": 2, "head": "softmax", "policy": "float32"}
    blueprint = Blueprint(**right, options={"x": value})
    assert Blueprint.from_dict(json.loads(json.dumps(blueprint.to_dict()))).options == {"x": value}


def test_a_limit_stops_before_the_memory_is_taken():
    needed = sum(int(np.prod(weight.shape)) for weight in OWN.build("own").weights)
    with Limit(needed, 6).guard():
        OWN.build("own")
    for limit in (Limit(needed - 1), Limit(needed, 5)):
        with pytest.raises(MemoryError), limit.guard():
            OWN.build("own")
        assert limit.exceeded
    huge = Limit(10**6)
    with pytest.raises(MemoryError), huge.guard():
        OWN.build("own", width=2**31)
    OWN.build("own")  # the limit is gone


def test_a_limit_is_for_its_own_thread():
    done = []
    with Limit(0).guard():
        thread = threading.Thread(target=lambda: done.append(layers.Dense(3).build((None, 2))))
        thread.start()
        thread.join(20)
    assert done == [None]
