"""Several networks on the same pictures."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from imgclf import Classifier, Comparison, Dataset, Explainer, compare
from imgclf.errors import OptionError, UnknownNameError

NAMES = ("ant", "bee", "cow")


def network(*filters, seed=0):
    keras.utils.set_random_seed(seed)
    x = y = keras.Input((16, 16, 3))
    for number, count in enumerate(filters, start=1):
        y = layers.Conv2D(count, 3, activation="relu", name=f"conv{number}")(y)
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


@pytest.fixture(scope="module")
def pair():
    return {name: Classifier.from_keras(network(4, 5, seed=at), NAMES) for at, name in enumerate(("good", "control"))}


@pytest.fixture
def found(pair, images):
    return compare(pair, images, truth=["bee", "cow", "ant"])


def test_all_networks_explain_the_true_class_at_the_same_layers(pair, found, images):
    assert isinstance(found, Comparison)
    for name, classifier in pair.items():
        alone = Explainer(classifier).grad_cam(images, ["bee", "cow", "ant"], "maps")
        assert found.columns[name] == ("conv1", "conv2")
        assert found.explanations[name].names == ("bee", "cow", "ant")
        for layer, maps in alone.maps.items():
            assert np.array_equal(found.explanations[name].maps[layer], maps)
        assert list(found.predicted[name]) == [NAMES[label] for label in alone.probabilities.argmax(axis=1)]


def test_without_truth_the_first_networks_answer_is_explained(pair, images):
    found = compare(pair, images)
    assert found.truth is None
    assert found.explanations["control"].names == found.explanations["good"].names == found.predicted["good"]
    assert "truth" not in found.table().columns


def test_a_labelled_dataset_knows_the_truth(pair, images):
    data = Dataset.from_arrays(images, [2, 0, 1], NAMES)
    assert compare(pair, data).truth == ("cow", "ant", "bee")
    assert compare(pair, data, "bee").explanations["good"].names == ("bee",) * 3
    unlabelled = Dataset.from_arrays(images, [-1, -1, -1], NAMES)
    assert compare(pair, unlabelled).truth is None


def test_agreement_is_full_with_itself(pair, images):
    found = compare({**pair, "again": pair["good"]}, images)
    assert np.allclose(found.agreement["again"], 1)
    assert found.agreement["control"].shape == (3, 2)
    assert (found.agreement["control"] < 0.999).all()


def test_networks_that_look_at_opposite_places_disagree(images):
    one, other = network(4, 5), network(4, 5)
    top = other.layers[-1]
    top.set_weights([-weight for weight in top.get_weights()])
    found = compare({"one": Explainer(one, NAMES), "other": Explainer(other, NAMES)}, images, "bee")
    assert np.allclose(found.agreement["other"], -1)


def test_networks_of_other_layers_meet_at_the_same_depth(images):
    models = {"deep": Explainer(network(4, 4, 4, 4, 4), NAMES), "flat": Explainer(network(4, 4, 4), NAMES)}
    found = compare(models, images)
    assert found.columns == {"deep": ("conv1", "conv2", "conv3"), "flat": ("conv1", "conv2", "conv3")}
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(5, 3, name="only_conv")(x)
    models["flat"] = Explainer(keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y))), NAMES)
    found = compare(models, images, layers="*conv*")
    assert found.columns == {"deep": ("conv5",), "flat": ("only_conv",)}
    assert found.plot().axes[1].get_title() == "conv5 | only_conv"
    assert len(found.plot().axes) >= 12


def test_every_row_says_what_is_true_predicted_and_explained(found, tmp_path):
    table = found.table()
    assert table.columns == ("key", "truth", "network", "predicted", "class", "probability", "blank")
    assert len(table) == 6
    assert [row[2] for row in table.rows[:2]] == ["good", "control"]
    titles = [axis.get_title() for axis in found.plot().axes if "truly" in axis.get_title()]
    assert len(titles) == 6
    assert titles[1].splitlines()[:3] == ["0", "truly bee", f"control: {found.predicted['control'][0]}"]
    assert titles[1].splitlines()[3].startswith("for bee: p = 0.")
    with Image.open(found.save(tmp_path / "both.png")) as drawn:
        assert drawn.size[1] > 600
    assert len(found.to_csv(tmp_path / "both.csv").read_text("utf-8").splitlines()) == 7
    assert "good, control: 3 pictures" in repr(found)


def test_what_cannot_be_compared_is_refused(pair, images):
    with pytest.raises(OptionError, match=r"models is empty; expected networks by name"):
        compare({}, images)
    with pytest.raises(OptionError, match=r"models is a list; expected networks by name"):
        compare(list(pair.values()), images)
    with pytest.raises(OptionError, match=r"have different classes, or in another order .*Compare networks"):
        compare({**pair, "other": Explainer(network(4), ["x", "y", "z"])}, images)
    for asked in (None, "ant"):
        with pytest.raises(OptionError, match="truth has 2 names; expected one for each of the 3 pictures"):
            compare(pair, images, asked, truth=["ant", "bee"])
    with pytest.raises(OptionError, match="truth is 'ant'; expected a name for each picture"):
        compare(pair, images, truth="ant")
    with pytest.raises(UnknownNameError, match="Did you mean 'bee'"):
        compare(pair, images, truth=["bees", "bee", "ant"])
    bare = {"a": network(4), "b": network(4, seed=1)}
    with pytest.raises(OptionError, match="Give Explainers with class_names"):
        compare(bare, images, truth=["ant", "bee", "cow"])
    assert compare(bare, Dataset.from_arrays(images, [2, 0, 1], NAMES)).truth is None
