"""The documents' recipes: settings and sizes as the documents say them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imgclf import Augmentation, OptionError, Trainer, UnknownNameError, recipes, registry

# recipe → architecture, optimiser, learning rate, batch, epochs, steps, augmentation; from the documents
FACTS = {
    "dogs_vs_cats": ("bn_cnn", "rmsprop", 1e-3, 15, 50, None, "dogs_vs_cats"),
    "cat_dog_small": ("small_cnn", "adam", 1e-4, 20, 50, 100, "cat_dog_small"),
    "vgg16_accurate": ("vgg16_bn", "sgd", 1e-3, 20, 250, 80, "vgg16"),
    "vgg16_control": ("vgg16_bn", "sgd", 1e-3, 20, 1, None, "vgg16"),
    "small_data_plain": ("small_cnn", "rmsprop", 1e-4, 20, 30, None, None),
    "small_data_augmented": ("small_cnn", "rmsprop", 1e-4, 32, 100, 100, "book"),
    "mnist_csv": ("mnist_cnn", "rmsprop", 1e-3, 32, 100, None, "mnist"),
}


def test_the_settings_are_the_documents():
    assert recipes.names() == tuple(FACTS)
    for name, (architecture, optimizer, rate, batch, epochs, steps, augmentation) in FACTS.items():
        recipe = recipes.get(name)
        assert isinstance(recipe, Trainer)
        found = (recipe.architecture, recipe.optimizer, recipe.learning_rate, recipe.batch_size, recipe.epochs)
        assert found == (architecture, optimizer, rate, batch, epochs), name
        assert (recipe.steps_per_epoch, recipe.augmentation) == (steps, augmentation), name
    assert recipes.get("dogs_vs_cats").early_stopping_patience == 10
    assert recipes.get("dogs_vs_cats").reduce_lr_patience == 2
    assert recipes.get("dogs_vs_cats").reduce_lr_minimum == 1e-5
    assert recipes.get("vgg16_accurate").optimizer_options == {"momentum": 0.9}
    assert recipes.get("small_data_augmented").options == {"dropout": 0.5}
    assert recipes.get("cat_dog_small").options == {"filters": (32, 64, 128), "dense": 0, "dropout": 0.5}
    assert recipes.get("mnist_csv").early_stopping_patience is not None


# counted by hand for 001: three convolutions, then 17×17×128 features for one unit
SMALL_BY_HAND = (3 * 9 * 32 + 32) + (32 * 9 * 64 + 64) + (64 * 9 * 128 + 128) + 17 * 17 * 128 + 1


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("small_data_plain", 2, 3_453_121),
        ("cat_dog_small", 2, SMALL_BY_HAND),
        ("mnist_csv", 10, 65_194),
        ("dogs_vs_cats", 2, 12_942_786),
    ],
)
def test_the_network_is_the_documents(name, classes, parameters):
    recipe = recipes.get(name)
    assert registry.build(recipe.architecture, num_classes=classes, **recipe.options).count_params() == parameters


def test_changes_are_checked_and_leave_the_recipe_alone():
    changed = recipes.get("small_data_augmented", epochs=2, augmentation=Augmentation(rotation_range=5))
    assert changed.epochs == 2
    assert replace(changed, epochs=100, augmentation="book") == recipes.get("small_data_augmented")
    with pytest.raises(UnknownNameError, match="Did you mean 'small_data_plain'"):
        recipes.get("small_data_plane")
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        recipes.get("small_data_plain", epoch=3)
    with pytest.raises(OptionError, match="epochs"):
        recipes.get("small_data_plain", epochs=0)


def test_the_table_names_each_with_its_document():
    text = str(recipes.table())
    for name in recipes.names():
        assert name in text
    assert "004" in text
