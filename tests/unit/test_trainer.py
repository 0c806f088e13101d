from __future__ import annotations

import json
import os
import random
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from squares import squares

from imgclf import _backend
from imgclf.architectures import Architecture, registry
from imgclf.architectures.own import logits_model
from imgclf.augmentation import Augmentation
from imgclf.batches import Batches
from imgclf.classifier import Classifier
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, OptionError, RunError, UnknownNameError
from imgclf.sources import ArraySource
from imgclf.trainer import Trainer

NAMES = ("top", "bottom")
QUICK = Trainer(
    "small_cnn",
    options={"filters": (8,), "dense": 0},
    optimizer="adam",
    learning_rate=1e-2,
    batch_size=8,
    epochs=4,
    precision="float32",
)

NON_FINITE = pytest.mark.promise(
    "non-finite",
    "A loss that is no number stops the run, names epoch, step and pictures, and keeps the last good classifier.",
)


def changed(trainer=QUICK, **settings):
    return replace(trainer, **settings)


def sets(count=48, names=NAMES, **options):
    return Dataset.from_arrays(*squares(count, **options), names).split(validation=0.25)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return QUICK.fit(*sets(), run_dir=tmp_path_factory.mktemp("runs") / "squares", verbose=0)


def test_it_learns_and_comes_back_with_the_best_epoch(run):
    _, validation = sets()
    evaluation = run.classifier.evaluate(validation)
    assert evaluation.accuracy > 0.9
    assert evaluation.accuracy == pytest.approx(run.best["val_accuracy"])
    assert evaluation.loss == pytest.approx(run.best["val_loss"], rel=1e-4, abs=1e-6)
    assert run.best["val_accuracy"] == max(run.history["val_accuracy"])
    assert run.epochs == 4
    assert run.last["loss"] == run.history["loss"][-1]
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert str(run).startswith(f"best epoch {run.best_epoch} of 4: validation accuracy {evaluation.accuracy:.4f}")
    assert f"best epoch {run.best_epoch} of 4" in repr(run)
    assert len(run.table()) == 4
    assert len(run.plot().axes) == 2


def test_the_run_leaves_its_files(run):
    states = ["state-00000015.npz", "state-00000020.npz"]  # the last two
    assert sorted(os.listdir(run.run_dir)) == [".lock", "best.keras", "config.json", "history.json", *states]
    assert json.loads((run.run_dir / "history.json").read_text()) == run.history
    assert list(run.history) == ["accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    assert len(run.seconds) == 4
    config = json.loads((run.run_dir / "config.json").read_text())
    assert Trainer.from_dict(config["trainer"]) == QUICK
    assert config["train"]["pictures"] == 36
    assert config["train"]["fingerprint"] == sets()[0].fingerprint
    assert config["versions"]["keras"] == keras.__version__
    best = Classifier.load(run.run_dir / "best.keras")
    images, _ = squares(6, seed=9)
    assert np.allclose(best.predict(images).probabilities, run.classifier.predict(images).probabilities, atol=1e-6)
    assert best.provenance["best_epoch"] == run.best_epoch
    assert best.provenance["figures"]["val_accuracy"] == run.best["val_accuracy"]


def test_one_seed_one_result(run):
    again = QUICK.fit(*sets(), verbose=0)
    other = changed(seed=7).fit(*sets(), verbose=0)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert again.history[name] == run.history[name]
        assert other.history[name] != run.history[name] or name.endswith("accuracy")
    weights = zip(run.classifier.model.get_weights(), again.classifier.model.get_weights(), strict=True)
    assert all((one == two).all() for one, two in weights)


@pytest.mark.parametrize("steps", [None, 3, 7])
def test_every_step_is_the_next_batch_of_the_run(steps):
    """The weights equal those of a plain loop over the batches: no step is lost, repeated or shuffled by Keras."""
    last = []

    class Keep(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            last.extend(self.model.get_weights())

    trainer = changed(steps_per_epoch=steps, epochs=3, augmentation="book", callbacks=[Keep()])
    trainer = changed(trainer, optimizer="sgd", learning_rate=0.3)
    train, validation = sets()
    trainer.fit(train, validation, verbose=0)
    with _backend.seeded(trainer.seed):
        plain = logits_model(registry.build("small_cnn", (16, 16, 3), **trainer.options))
        plain.compile(keras.optimizers.SGD(trainer.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
        count = (steps or 5) * 3
        batches = Batches(train, batch_size=8, seed=trainer.seed, augmentation=trainer.chosen_augmentation, steps=count)
        for step in range(count):
            plain.train_on_batch(*batches[step])
    for one, two in zip(last, plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_the_users_own_random_states_stay():
    random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the state that Keras seeds
    changed(epochs=1).fit(*sets(), verbose=0)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_the_best_epoch_counts_not_the_last():
    """Weights gone after the fourth epoch: what comes back is the network from before."""

    class Ruin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                self.model.set_weights([0 * weight for weight in self.model.get_weights()])
                self.model.optimizer.learning_rate = 1e-9

    run = changed(callbacks=[Ruin()], epochs=5).fit(*sets(), verbose=0)
    assert run.best_epoch <= 4
    assert run.last["val_loss"] == pytest.approx(np.log(2), abs=1e-3)
    assert run.last["val_loss"] > run.best["val_loss"]
    assert run.classifier.evaluate(sets()[1]).loss == pytest.approx(run.best["val_loss"], rel=1e-3, abs=1e-6)


def test_overwriting_starts_afresh(tmp_path):
    changed(epochs=2).fit(*sets(), run_dir=tmp_path, verbose=0)
    (tmp_path / "notes.txt").write_text("mine")
    changed(epochs=1).fit(*sets(), run_dir=tmp_path, overwrite=True, verbose=0)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(json.loads((tmp_path / "history.json").read_text())["loss"]) == 1


def test_validation_classes_are_matched_by_name(run):
    train, _ = sets()
    images, labels = squares(12, seed=4)
    turned = Dataset.from_arrays(images, 1 - labels, NAMES[::-1])
    straight = Dataset.from_arrays(images, labels, NAMES)
    figures = [changed(epochs=1).fit(train, part, verbose=0).best["val_loss"] for part in (straight, turned)]
    assert figures[0] == figures[1]


def test_early_stopping_and_learning_rate_reduction():
    trainer = changed(
        epochs=30, learning_rate=1e-9, early_stopping_patience=4, reduce_lr_patience=2, reduce_lr_minimum=1e-12
    )
    run = trainer.fit(*sets(), verbose=0)
    assert run.epochs < 30
    assert run.history["learning_rate"][0] == pytest.approx(1e-9)
    assert run.history["learning_rate"][-1] < 1e-9


def test_steps_per_epoch_and_augmentation():
    seen = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    trainer = changed(steps_per_epoch=7, epochs=2, augmentation=Augmentation(rotation_range=5), callbacks=[Count()])
    trainer.fit(*sets(), verbose=0)  # 36 pictures in batches of 8 are 5 steps: an epoch spans passes
    assert seen == [*range(7), *range(7)]


@pytest.mark.parametrize("name", registry.names())
def test_every_architecture_trains(name):
    """One step each, at the smallest size: also for a network that is added later."""
    options = {
        "vgg16_bn": {"dense": (4,)},
        "small_cnn": {"filters": (4,), "dense": 4},
        "bn_cnn": {"filters": (4,), "dense": 4},
    }
    trainer = Trainer(name, options=options.get(name, {}), epochs=1, steps_per_epoch=1, batch_size=4)
    run = trainer.fit(*sets(8, size=(32, 32)), verbose=0)
    assert np.isfinite(run.best["val_loss"])


def test_three_classes():
    images, labels = squares(24)
    labels = np.where(np.arange(24) % 3 == 0, 2, labels)
    run = changed(epochs=1).fit(*Dataset.from_arrays(images, labels, ["a", "b", "c"]).split(), verbose=0)
    assert run.classifier.predict(images).probabilities.shape == (24, 3)


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (2, "softmax"), (1, None), (2, None)])
def test_a_model_of_ones_own_is_trained_and_stays_as_it_was(units, activation):
    pixels = keras.Input((16, 16, 3))
    x = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(layers.Rescaling(1 / 255)(pixels)))
    model = keras.Model(pixels, layers.Dense(units, activation)(layers.Dropout(0.1)(x)))
    before = [weight.copy() for weight in model.get_weights()]
    run = Trainer(model, optimizer="adam", learning_rate=1e-2, batch_size=8, epochs=5).fit(*sets(), verbose=0)
    assert all((one == two).all() for one, two in zip(before, model.get_weights(), strict=True))
    evaluation = run.classifier.evaluate(sets()[1])
    assert evaluation.loss == pytest.approx(run.best["val_loss"], rel=1e-3, abs=1e-5)
    assert evaluation.accuracy > 0.7
    with pytest.raises(OptionError, match="Load the pictures with its image_size"):
        Trainer(model, epochs=1).fit(*sets(8, size=(20, 20)), verbose=0)


def test_an_architecture_need_not_be_registered():
    own = Architecture("own", lambda pixels: layers.GlobalAveragePooling2D()(pixels), (16, 16, 3))
    assert changed(architecture=own, options={}, epochs=1).fit(*sets(), verbose=0).classifier.model.name == "own"


def test_class_weights():
    images, labels = squares(40)
    rare = np.flatnonzero((labels == 0) | (np.arange(40) < 10))
    data = Dataset.from_arrays(images, labels, NAMES).take(rare)
    held = sets()[1]
    balanced, by_name = (
        changed(epochs=1, class_weights=weights).fit(data, held, verbose=0).history["loss"]
        for weights in ("balanced", {"top": 25 / 40, "bottom": 25 / 10})
    )
    assert balanced == pytest.approx(by_name)
    assert balanced != changed(epochs=1).fit(data, held, verbose=0).history["loss"]
    with pytest.raises(OptionError, match="expected one for each of 'top', 'bottom'"):
        changed(class_weights={"top": 1.0}).fit(data, held, verbose=0)


@NON_FINITE
def test_a_loss_that_is_no_number_stops_and_names_the_pictures(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])

    wanted = r"after epoch 2, step 1; the last pictures were '.*Epoch 1 was the best before it.*Lower the learning rate"
    with pytest.raises(RunError, match=wanted):
        changed(callbacks=[Spoil()]).fit(*sets(), run_dir=tmp_path, verbose=0)
    best = Classifier.load(tmp_path / "best.keras")
    assert all(np.isfinite(weight).all() for weight in best.model.get_weights())


@NON_FINITE
def test_a_validation_loss_that_is_no_number_is_never_the_best(tmp_path):
    """The last step of an epoch spoils the weights: the training loss, taken before it, is still fine."""

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])

    for monitor in ("val_accuracy", "val_loss"):
        with pytest.raises(RunError, match="the validation loss is no finite number after epoch 1, step 5"):
            changed(callbacks=[Spoil()], monitor=monitor).fit(*sets(), run_dir=tmp_path, overwrite=True, verbose=0)
        assert not (tmp_path / "best.keras").exists()


def test_a_run_that_cannot_start_costs_nothing(tmp_path):
    """Whatever is refused is refused before an earlier run is removed, and leaves nothing in the way of the next."""
    quick = changed(epochs=1)
    for wrong in (
        {"class_weights": {"top": 1.0}},
        {"optimizer_options": {"momentumm": 1}},
        {"options": {"filters": (4,) * 9}},
    ):
        with pytest.raises(OptionError):
            changed(quick, **wrong).fit(*sets(), run_dir=tmp_path, verbose=0)
        assert list(tmp_path.iterdir()) == []
    quick.fit(*sets(), run_dir=tmp_path, verbose=0)
    before = (tmp_path / "best.keras").read_bytes()
    with pytest.raises(OptionError):
        changed(quick, class_weights={"top": 1.0}).fit(*sets(), run_dir=tmp_path, overwrite=True, verbose=0)
    assert (tmp_path / "best.keras").read_bytes() == before


def test_the_pictures_are_let_go_after_the_run():
    import gc
    import weakref

    stores = []
    for _ in range(2):
        train, validation = sets()
        run = changed(epochs=1).fit(train, validation, verbose=0)
        stores.append(weakref.ref(train.store))
        del train, validation
    gc.collect()
    assert [store() is None for store in stores] == [True, True]
    assert run.epochs == 1


def test_what_was_trained_is_what_comes_back():
    """Also for a model whose own ``call`` does more than its graph says."""

    @keras.saving.register_keras_serializable("tests")
    class Negative(keras.Model):
        def call(self, pixels, training=None, mask=None):
            return super().call(255.0 - pixels, training=training, mask=mask)

    pixels = keras.Input((16, 16, 3))
    scaled = layers.Rescaling(1 / 255)(pixels)
    for model in (
        Negative(pixels, layers.Dense(2, "softmax")(layers.Flatten()(scaled))),
        keras.Sequential(
            [keras.Input((16, 16, 3)), keras.Model(pixels, layers.Dense(1, "sigmoid")(layers.Flatten()(scaled)))]
        ),
    ):
        run = Trainer(model, optimizer="adam", learning_rate=1e-2, batch_size=8, epochs=2).fit(*sets(), verbose=0)
        evaluation = run.classifier.evaluate(sets()[1])
        assert evaluation.loss == pytest.approx(run.best["val_loss"], rel=1e-3)
        assert evaluation.accuracy == pytest.approx(run.best["val_accuracy"])


OWN_HEAD = """
import sys, keras, numpy as np
sys.modules["imgclf"] = None
model = keras.saving.load_model(sys.argv[1])
assert getattr(model, "optimizer", None) is None
print(float(model(np.full((1, 16, 16, 3), 100, "float32"), training=False)[0, 0]))
"""


def test_plain_keras_opens_a_trained_model_of_ones_own(tmp_path):
    import subprocess
    import sys

    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, layers.Dense(2, "softmax")(layers.Flatten()(layers.Rescaling(1 / 255)(pixels))))
    run = Trainer(model, epochs=1).fit(*sets(), verbose=0)
    path = run.classifier.save(tmp_path / "own.keras")
    done = subprocess.run([sys.executable, "-c", OWN_HEAD, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = run.classifier.predict(np.full((16, 16, 3), 100, np.uint8)).probabilities[0, 0]
    assert float(done.stdout) == pytest.approx(wanted, abs=1e-6)


def test_a_figure_of_some_epochs_stays_in_its_place():
    class Sometimes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                logs["extra"] = 7.0

    history = changed(callbacks=[Sometimes()], epochs=3).fit(*sets(), verbose=0).history
    assert np.isnan(history["extra"]).tolist() == [True, False, True]
    assert history["extra"][1] == 7


def test_what_a_callback_adds_to_the_figures_is_kept():
    class Extra(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_extra"] = epoch / 2

    assert changed(callbacks=Extra(), epochs=2).fit(*sets(), verbose=0).history["val_extra"] == [0, 0.5]


def test_two_runs_at_once_are_as_two_in_turn():
    from concurrent.futures import ThreadPoolExecutor

    trainer = changed(epochs=1)
    wanted = trainer.fit(*sets(), verbose=0).history["val_loss"]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: trainer.fit(*sets(), verbose=0).history["val_loss"], range(2)))
    assert runs == [wanted, wanted]


def test_auto_asks_the_machine(monkeypatch):
    chosen = []
    for policy in ("float32", "mixed_bfloat16"):
        monkeypatch.setattr(
            _backend, "chosen_precision", lambda wanted, policy=policy: policy if wanted == "auto" else ""
        )
        run = changed(precision="auto", epochs=1).fit(*sets(), verbose=0)
        chosen.append(run.classifier.provenance["computed_in"])
        assert run.classifier.model.dtype_policy.name == "float32"
    assert chosen == [["float32"], ["bfloat16", "float32"]]


def test_a_run_trains_by_the_fused_kernel_and_in_its_precision():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(("call" in vars(self.model.get_layer("bn1")), self.model.get_layer("conv1").compute_dtype))
            self.layer = self.model.get_layer("bn1")

    look = Look()
    options = {"filters": (4,), "dense": 4}
    changed(architecture="bn_cnn", options=options, epochs=1, callbacks=[look], precision="mixed_bfloat16").fit(
        *sets(), verbose=0
    )
    assert set(seen) == {(_backend.has_fused_normalisation(), "bfloat16")}
    assert "call" not in vars(look.layer)


def test_bfloat16_trains_and_what_is_saved_is_float32(tmp_path):
    run = changed(precision="mixed_bfloat16", epochs=2).fit(*sets(), run_dir=tmp_path, verbose=0)
    model = Classifier.load(tmp_path / "best.keras").model
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        other = changed(precision="mixed_bfloat16", epochs=1).fit(*sets(), verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in other.classifier.model.layers} == {"float32"}
    assert np.allclose(
        model.predict_on_batch(squares(4)[0].astype(np.float32)),
        run.classifier.predict(squares(4)[0]).probabilities[:, 1:],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0, "batch_size": 2.5}, "batch_size is 2.5.*epochs is 0; expected a whole number of at least 1"),
        ({"learning_rate": -1}, "above 0"),
        ({"learning_rate": float("inf")}, "above 0"),
        ({"optimizer_options": {"learning_rate": 0.5}}, "in the setting of that name"),
        ({"class_weights": {"top": -1.0}}, "weights above 0"),
        ({"steps_per_epoch": 0}, "or None"),
        ({"seed": -1}, "whole number from 0"),
        ({"seed": 0.0}, "whole number from 0"),
        ({"seed": False}, "whole number from 0"),
        ({"monitor": "val_acc"}, "'val_accuracy' or 'val_loss'"),
        ({"precision": "float16"}, "'mixed_bfloat16'"),
        ({"class_weights": "auto"}, "'balanced' or weights"),
        ({"reduce_lr_factor": 2}, "between 0 and 1"),
        ({"head": "relu"}, "'sigmoid', 'softmax'"),
        ({"callbacks": [3]}, "callbacks hold 3; expected Keras callbacks"),
        ({"architecture": 7}, "a name, an Architecture or a Keras model"),
        ({"augmentation": 3}, "the name of a preset"),
    ],
)
def test_settings_out_of_range_are_all_named(settings, said):
    with pytest.raises(OptionError, match=said):
        changed(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"architecture": "smal_cnn"}, "Did you mean 'small_cnn'"),
        ({"options": {"filter": (4,)}}, "Did you mean 'filters'"),
        ({"optimizer": "adan"}, "Did you mean 'ada"),
        ({"augmentation": "bok"}, "Did you mean 'book'"),
    ],
)
def test_unknown_names_get_a_suggestion(settings, said):
    with pytest.raises(UnknownNameError, match=said):
        changed(**settings)


def test_numpys_numbers_are_numbers():
    weights = {"top": np.int64(2), "bottom": np.float32(1)}
    trainer = changed(batch_size=np.int64(8), learning_rate=np.float32(0.5), seed=np.uint8(3), class_weights=weights)
    assert json.loads(json.dumps(trainer.to_dict()))["batch_size"] == 8
    assert type(trainer.learning_rate) is float


def test_models_of_ones_own_come_with_their_options():
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, layers.Dense(2, "softmax")(layers.Flatten()(pixels)))
    with pytest.raises(OptionError, match="comes with its own"):
        Trainer(model, options={"dense": 3})
    with pytest.raises(OptionError, match="built in its own"):
        Trainer(model, precision="mixed_bfloat16")
    content = json.loads(json.dumps(Trainer(model, epochs=3).to_dict()))
    with pytest.raises(OptionError, match="Put the model itself under 'architecture'"):
        Trainer.from_dict(content)
    assert Trainer.from_dict({**content, "architecture": model}) == Trainer(model, epochs=3)


def test_a_recipe_survives_json():
    trainer = changed(
        augmentation=Augmentation.preset("book"),
        class_weights={"top": 1.0, "bottom": 2.0},
        optimizer_options={"beta_1": 0.8},
    )
    content = json.loads(json.dumps(trainer.to_dict()))
    assert Trainer.from_dict(content) == trainer
    with pytest.raises(OptionError, match="config.'trainer'."):
        Trainer.from_dict({"trainer": content})
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        Trainer.from_dict({**content, "epoch": 3})
    with_callbacks = changed(callbacks=[keras.callbacks.TerminateOnNaN()]).to_dict()
    with pytest.warns(UserWarning, match="'TerminateOnNaN' are not in the file. Pass them again"):
        Trainer.from_dict(with_callbacks)


@pytest.mark.parametrize(
    ("part", "error", "said"),
    [
        (lambda train, validation: (train.take([]), validation), DatasetError, "training set holds no pictures"),
        (lambda train, validation: (train, validation.take([])), DatasetError, "validation set holds no pictures"),
        (lambda train, validation: (train, sets(8, size=(8, 8))[1]), OptionError, "Load both with the same image_size"),
        (lambda train, validation: (train, sets(8, ("top", "left"))[1]), DatasetError, "Rename their folders"),
        (
            lambda train, validation: (train.take(np.flatnonzero(train.labels == 0)), validation),
            DatasetError,
            "'bottom'",
        ),
        (
            lambda train, validation: (Dataset.from_arrays(squares(4)[0], class_names=NAMES), validation),
            DatasetError,
            "Label them to train",
        ),
    ],
)
def test_sets_that_cannot_be_trained_on_are_refused(part, error, said):
    with pytest.raises(error, match=said):
        QUICK.fit(*part(*sets()), verbose=0)


def test_shared_pictures_are_warned_of():
    train, _ = sets()
    with pytest.warns(UserWarning, match="12 pictures stand in the training and in the validation set"):
        changed(epochs=1, steps_per_epoch=1).fit(train.take(range(12)), train, verbose=0)


def test_only_datasets_are_trained_on():
    for given in (("pets", sets()[1]), (sets()[0], ArraySource(*squares(4)))):
        with pytest.raises(OptionError, match="expected a Dataset. Make one with Dataset.load"):
            QUICK.fit(*given, verbose=0)


def test_wrong_optimizer_options_are_said():
    with pytest.raises(OptionError, match="Mend optimizer_options"):
        changed(optimizer_options={"momentumm": 0.9}).fit(*sets(), verbose=0)
