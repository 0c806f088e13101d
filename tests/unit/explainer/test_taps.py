import threading

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.taps import MODEL_LOCK, LayerInfo, forward, leaf_path, shadowed, walk, watched


def seen(model, images):
    """The leaf calls of one forward pass, in order."""
    record = []

    def on_call(path, inputs, output):
        record.append(path)
        return output

    with watched(dict(walk(model)), on_call):
        forward(model, images.astype(np.float32))
    return record


def test_walk_gives_each_leaf_once_by_its_path(shape_of):
    paths = [path for path, _ in walk(shape_of("nested_softmax_layer"))]
    assert {"backbone/scale", "backbone/conv1", "backbone/pool1", "backbone/conv2", "logits"} <= set(paths)
    assert len(paths) == len(set(paths))
    assert "backbone" not in paths
    leaves = [leaf for _, leaf in walk(shape_of("shared_activation"))]
    assert len({id(leaf) for leaf in leaves}) == len(leaves)


def test_walk_finds_operations_between_layers():
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, layers.Flatten()(keras.ops.relu(x)))
    assert "Relu" in [type(leaf).__name__ for _, leaf in walk(model)]


def test_walk_does_not_enter_a_loop():
    x = keras.Input((4, 12))
    model = keras.Model(x, layers.LSTM(3, name="lstm")(x))
    assert "lstm" in [path for path, _ in walk(model)]


def test_calls_come_in_order_and_a_second_call_is_numbered(shape_of, images):
    calls = seen(shape_of("shared_activation"), images)
    assert calls[:4] == ["scale", "conv1", "pool1", "conv2"]
    assert [call for call in calls if call.startswith("act")] == ["act", "act#2"]
    assert calls.index("act") < calls.index("gated") < calls.index("act#2")


def test_leaf_path():
    assert leaf_path("block/act#2", {"block/act"}) == "block/act"
    assert leaf_path("block/act", {"block/act"}) == "block/act"
    assert leaf_path("odd#2", {"odd#2"}) == "odd#2"


def test_every_call_passes_on_what_it_is_given(softmax_model, images, said):
    def doubled(path, inputs, output):
        return output * 2 if path == "conv2" else output

    before = said(softmax_model, images)
    with watched(dict(walk(softmax_model)), doubled):
        during = said(softmax_model, images)
    assert np.abs(during - before).max() > 1e-4
    assert np.array_equal(said(softmax_model, images), before)


class Thing:
    def __init__(self):
        self.own = 1


def test_shadows_are_gone_afterwards_also_after_an_error():
    thing = Thing()
    with pytest.raises(ZeroDivisionError), shadowed([(thing, "own", 2), (thing, "new", 3)]):
        with shadowed([(thing, "own", 4)]):
            assert (thing.own, thing.new) == (4, 3)
        assert thing.own == 2
        raise ZeroDivisionError
    assert vars(thing) == {"own": 1}


def test_shadows_are_gone_when_setting_one_of_them_fails():
    thing = Thing()

    def failing():
        yield thing, "own", 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), shadowed(failing()):
        pass
    assert vars(thing) == {"own": 1}


def test_shadows_of_two_threads_do_not_mix():
    thing, inside, met = Thing(), threading.Event(), []

    def other():
        inside.wait(5)
        with shadowed([(thing, "own", 3)]):
            met.append(thing.own)

    thread = threading.Thread(target=other)
    thread.start()
    with shadowed([(thing, "own", 2)]):
        inside.set()
        thread.join(0.05)
        assert thing.own == 2
    thread.join(5)
    assert met == [3]
    assert thing.own == 1


def test_forward_keeps_no_loss_and_changes_no_state(images):
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(2, 3, activity_regularizer="l2")(x)
    y = layers.BatchNormalization()(layers.Dropout(0.5)(y))
    model = keras.Model(x, layers.Flatten()(y))
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    losses = len(model.losses)
    forward(model, images.astype(np.float32))
    assert len(model.losses) == losses
    for old, variable in zip(before, model.variables, strict=True):
        assert np.array_equal(old, keras.ops.convert_to_numpy(variable))


def test_layers_that_are_rematerialised_are_seen_once(images):
    with keras.RematScope(mode="full"):
        x = keras.Input((16, 16, 3))
        model = keras.Model(x, layers.Flatten()(layers.Conv2D(2, 3, name="conv")(x)))
    assert seen(model, images).count("conv") == 1
    assert dict(walk(model))["conv"]._remat_mode is not None


@pytest.mark.parametrize(
    ("shape", "dtype", "spatial"),
    [
        ((4, 4, 8), "float32", True),
        ((4, 4, 8), "bfloat16", True),
        ((1, 1, 8), "float32", False),
        ((8,), "float32", False),
        ((4, 4), "float32", False),
        ((4, 4, 1), "int32", False),
    ],
)
def test_what_is_a_feature_map(shape, dtype, spatial):
    assert LayerInfo("conv", "Conv2D", shape, dtype).is_spatial is spatial


class Twins(keras.Model):
    """Two layers of one name."""

    def __init__(self):
        super().__init__()
        self.one, self.two = layers.Conv2D(2, 3, name="conv"), layers.Conv2D(3, 3, name="conv")
        self.top = layers.Dense(2)

    def call(self, x):
        return self.top(keras.ops.mean(self.two(self.one(x)), axis=(1, 2)))


def test_two_layers_of_one_name_are_both_seen(images):
    model = Twins()
    model(images.astype(np.float32))
    assert [path for path, _ in walk(model)][:2] == ["conv", "conv~2"]
    assert seen(model, images)[:2] == ["conv", "conv~2"]


def test_a_pass_waits_for_the_lock(softmax_model, images):
    """Whoever holds it, as a prediction does, sees no shadows."""
    done = []
    with MODEL_LOCK:
        thread = threading.Thread(target=lambda: done.append(seen(softmax_model, images)))
        thread.start()
        thread.join(0.2)
        assert not done
        assert not any("call" in leaf.__dict__ for _, leaf in walk(softmax_model))
    thread.join()
    assert len(done) == 1
