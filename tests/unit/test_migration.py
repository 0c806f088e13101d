"""docs/migration.md: its right-hand sides run, and what it says of the old generator is so."""

from __future__ import annotations

import doc_pages
import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

from imgclf import Classifier, DrawnPets, FolderSource
from imgclf.images import read_image

NAMES = ("dark", "bright")
SIZE = (12, 12)
pytestmark = pytest.mark.filterwarnings("ignore:Your .PyDataset. class should call")


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """The working folder of the page: pets/{train,validation,test}/{cats,dogs}, images/, old.h5."""
    monkeypatch.chdir(tmp_path)
    for seed, part in enumerate(("train", "validation", "test")):
        DrawnPets(12, seed=seed, image_size=(40, 50)).write(f"pets/{part}", "folders", class_folders=("cats", "dogs"))
    (tmp_path / "images").mkdir()
    for position, name in enumerate("abcd"):
        Image.fromarray(DrawnPets(4, image_size=(40, 50)).read(f"cat.{position % 2}.png")).save(f"images/{name}.jpg")
    perfect((150, 150)).save("old.h5")
    return tmp_path


@pytest.fixture
def two(tmp_path):
    """Dark and bright pictures that any threshold tells apart: 60 of each, in the order of their names."""
    for name, level in zip(NAMES, (40, 200), strict=True):
        (tmp_path / name).mkdir()
        for number in range(60):
            Image.new("RGB", SIZE, (level,) * 3).save(tmp_path / name / f"{number:02}.png")
    return tmp_path


def perfect(size=SIZE):
    """A model that is never wrong about :func:`two`, for pixels divided by 255."""
    model = keras.Sequential(
        [keras.Input((*size, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.layers[-1].set_weights([np.full((3, 1), 40 / 3), np.array([-20.0])])
    return model


def flow(folder, generator=None, **options):
    generator = generator or ImageDataGenerator(rescale=1 / 255)
    return generator.flow_from_directory(
        folder, **{"target_size": SIZE, "classes": list(NAMES), "class_mode": "binary", "batch_size": 20, **options}
    )


def moved(**transform):
    """How far the generator moves pixels of a picture of 150×150, at most: along the width, along the height."""
    across = np.broadcast_to(np.arange(150, dtype=np.float32)[None, :, None], (150, 150, 3))
    still = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}
    pictures = across, across.transpose(1, 0, 2)
    return [
        np.abs(ImageDataGenerator().apply_transform(picture.copy(), {**still, **transform}) - picture).max()
        for picture in pictures
    ]


def test_the_right_hand_sides_run(pets, two):
    smaller = {"epochs=30": "epochs=1, precision='float32'", "steps_per_epoch=100": "steps_per_epoch=2"}
    names = doc_pages.run("migration.md", smaller)
    assert (pets / "runs/pets/best.keras").is_file()
    assert names["train"].class_names == names["run"].classifier.class_names == ("cats", "dogs")
    assert names["breeds"].class_names == ("collie", "pug")
    assert len(names["answers"]) == 6
    assert len(names["evaluation"]) == 12
    assert (names["data"].images == names["train"].images).all()
    classifier = names["classifier"]  # of the old model, which tells dark from bright
    assert set(classifier.predict(two / "dark").names) == {"cats"}
    assert set(classifier.predict(two / "bright").names) == {"dogs"}
    unscaled = Classifier.from_keras(keras.models.load_model("old.h5", compile=False), NAMES)
    assert set(unscaled.predict(two / "dark").names) == {"bright"}  # wrong, without complaint


def test_every_left_hand_name_is_one_of_the_old_api():
    said = "\n".join(doc_pages.blocks("migration.md", "py"))
    for name in ("flow_from_directory", "flow_from_dataframe", "flow"):
        assert f".{name}(" in said
        assert hasattr(ImageDataGenerator, name)
    for gone in ("fit_generator", "evaluate_generator", "predict_generator"):
        assert f".{gone}(" in said
        assert not hasattr(keras.Model, gone)


def test_shear_is_in_degrees():
    assert 0 < max(moved(shear=0.2)) < 0.3
    assert max(moved(shear=45)) > 50


def test_a_shift_along_the_width_moves_along_the_height():
    drawn = [ImageDataGenerator(width_shift_range=0.2).get_random_transform((150, 150, 3), seed=s) for s in range(5)]
    for transform in drawn:
        along_width, along_height = moved(**{name: transform[name] for name in ("tx", "ty")})
        assert along_width == 0
        assert along_height > 1


def test_zoom_draws_the_axes_separately():
    drawn = ImageDataGenerator(zoom_range=0.2).get_random_transform((150, 150, 3), seed=0)
    assert abs(drawn["zx"] - drawn["zy"]) > 0.01


def test_an_epoch_ends_with_the_generators_length(two):
    class Count(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1

    model, count, batches = perfect(), Count(), flow(two)
    model.compile(loss="binary_crossentropy")
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(batches, steps_per_epoch=10, epochs=3, verbose=0, callbacks=[count])
    assert len(batches) == 6
    assert count.steps == 3 * 6


def test_shuffled_answers_do_not_meet_their_labels(two):
    batches = flow(two, seed=1)
    said = perfect().predict(batches, verbose=0)[:, 0] > 0.5
    assert 0.3 < (said == batches.classes).mean() < 0.7
    in_order = flow(two, shuffle=False)
    assert ((perfect().predict(in_order, verbose=0)[:, 0] > 0.5) == in_order.classes).all()


def test_two_passes_see_two_orders(two):
    pytest.importorskip("tensorflow")
    batches = keras.utils.image_dataset_from_directory(two, image_size=SIZE, class_names=list(NAMES), seed=3)
    labels = np.concatenate([label for _, label in batches])
    said = keras.Sequential([keras.layers.Rescaling(1 / 255), perfect()]).predict(batches, verbose=0)[:, 0] > 0.5
    assert 0.3 < (said == labels).mean() < 0.7


def test_two_calls_with_two_seeds_overlap(two):
    pytest.importorskip("tensorflow")
    parts = [
        keras.utils.image_dataset_from_directory(
            two, image_size=SIZE, validation_split=0.5, subset=subset, seed=seed
        ).file_paths
        for subset, seed in (("training", 1), ("validation", 2))
    ]
    assert set(parts[0]) & set(parts[1])


def test_validation_split_takes_the_first_and_augments_them(two):
    generator = ImageDataGenerator(brightness_range=(0.2, 0.8), validation_split=0.2)
    validation = flow(two, generator, subset="validation", shuffle=False, batch_size=24)
    assert [name.rpartition("/")[2] for name in validation.filenames[:12]] == [f"{i:02}.png" for i in range(12)]
    levels = next(validation)[0][:12].mean(axis=(1, 2, 3))
    assert levels.max() < 39  # 40 before
    assert np.ptp(levels) > 1


def test_classes_are_in_the_order_of_text(tmp_path):
    for name in ("1", "2", "10"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", SIZE).save(tmp_path / name / f"{number}.png")
    assert ImageDataGenerator().flow_from_directory(tmp_path).class_indices == {"1": 0, "10": 1, "2": 2}
    assert FolderSource(tmp_path).class_names == ("1", "2", "10")


def test_photographs_stay_on_their_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "side.jpg", exif=exif)
    assert keras.utils.load_img(tmp_path / "side.jpg").size == (40, 20)
    assert read_image(tmp_path / "side.jpg").shape == (40, 20, 3)
