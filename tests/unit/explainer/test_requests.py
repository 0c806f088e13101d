from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import ImageError, OptionError, UnknownNameError
from imgclf.explainer.requests import check_method, checked_names, choose_labels, choose_layers, pictures
from imgclf.taps import LayerInfo

SHAPE = (16, 16, 3)
LAYERS = (
    LayerInfo("base/conv1", "Conv2D", (14, 14, 4)),
    LayerInfo("base/pool", "MaxPooling2D", (7, 7, 4)),
    LayerInfo("conv2", "Conv2D", (5, 5, 8)),
    LayerInfo("conv2#2", "Conv2D", (3, 3, 8)),
    LayerInfo("flat", "Flatten", (72,)),
    LayerInfo("conv_top", "Conv2D", (1, 1, 3)),
)


def paths(layers):
    return [layer.path for layer in choose_layers(layers, LAYERS)]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("maps", ["base/conv1", "base/pool", "conv2", "conv2#2"]),
        (None, ["base/conv1", "base/pool", "conv2", "conv2#2"]),
        ("last", ["conv2#2"]),
        ("conv2", ["conv2"]),
        ("base/conv1", ["base/conv1"]),
        ("conv1", ["base/conv1"]),
        ("base/*", ["base/conv1", "base/pool"]),
        ("conv*", ["base/conv1", "conv2", "conv2#2"]),
        (["conv2#2", "pool"], ["base/pool", "conv2#2"]),
        (("last", "conv?"), ["base/conv1", "conv2", "conv2#2"]),
    ],
)
def test_layers_are_chosen_in_the_order_of_the_network(asked, given):
    assert paths(asked) == given


def test_the_last_layer_is_the_last_convolution_where_there_is_one():
    behind = (*LAYERS[2:4], LayerInfo("norm", "BatchNormalization", (3, 3, 8)), LayerInfo("end", "ReLU", (3, 3, 8)))
    assert [layer.path for layer in choose_layers("last", behind)] == ["conv2#2"]
    assert [layer.path for layer in choose_layers("last", behind[2:])] == ["end"]


def test_an_unknown_layer_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'conv2'"):
        paths("conv_2")
    with pytest.raises(UnknownNameError, match="no layer with a feature map is called 'relu\\*'"):
        paths(["conv2", "relu*"])


@pytest.mark.parametrize("asked", ["flat", "conv_top", "f*"])
def test_a_layer_without_height_and_width_is_refused(asked):
    with pytest.raises(OptionError, match="Choose among 'base/conv1', 'base/pool'"):
        paths(asked)


def test_a_network_without_feature_maps_is_refused():
    with pytest.raises(OptionError, match="Explain a convolutional network"):
        choose_layers("last", LAYERS[4:])


NAMES = ("cat", "dog")


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("dog", [1, 1, 1]),
        (0, [0, 0, 0]),
        (np.int64(1), [1, 1, 1]),
        (["cat", 1, "dog"], [0, 1, 1]),
        (np.array([1, 0, 1]), [1, 0, 1]),
    ],
)
def test_classes_are_names_or_numbers_for_all_or_for_each(asked, labels):
    assert choose_labels(asked, 3, NAMES, 2).tolist() == labels


def test_no_class_means_the_likeliest():
    assert choose_labels(None, 3, NAMES, 2) is None


def test_an_unknown_class_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'cat'"):
        choose_labels("cats", 1, NAMES, 2)


@pytest.mark.parametrize("asked", [2, -1, True, 1.0, [0, 2, 1], [0, None, 1]])
def test_numbers_that_are_no_class_are_refused(asked):
    if isinstance(asked, float):
        asked = [asked] * 3
    with pytest.raises(OptionError, match="the name of a class or a whole number from 0 to 1"):
        choose_labels(asked, 3, NAMES, 2)


def test_as_many_classes_as_pictures():
    with pytest.raises(OptionError, match="one class for all, or one per picture"):
        choose_labels(["cat", "dog"], 3, NAMES, 2)


def test_names_need_class_names():
    with pytest.raises(OptionError, match=r"Give the class as a whole number, or make Explainer\(model, class_names"):
        choose_labels("cat", 1, None, 2)


def test_uint8_arrays_become_float_and_are_shown_as_they_are(images):
    given = pictures(images, SHAPE)
    assert given.keys == ("0", "1", "2")
    assert given.taken.dtype == np.float32
    assert np.array_equal(given.taken, images)
    assert np.array_equal(given.shown, images)
    one = pictures(images[1], SHAPE)
    assert one.keys == ("0",)
    assert np.array_equal(one.shown, images[1:2])


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 255), (-1, 1), (-123.7, 151.1)], ids=["unit", "pixels", "signed", "means off"]
)
def test_float_arrays_are_taken_as_they_are_and_shown_in_0_to_255(low, high):
    ramp = np.linspace(low, high, 256).reshape(1, 16, 16, 1).astype(np.float32)
    given = pictures(ramp, (16, 16, 1))
    assert given.taken is ramp or np.array_equal(given.taken, ramp)
    assert given.shown.dtype == np.uint8
    assert np.abs(given.shown.ravel().astype(int) - np.arange(256)).max() <= 1


def test_a_constant_float_picture_can_be_shown():
    assert pictures(np.full((4, 4, 3), -2.0), (4, 4, 3)).shown.max() == 0


@dataclass
class Set:
    images: np.ndarray
    keys: np.ndarray


def test_a_dataset_gives_its_keys(images):
    given = pictures(Set(images, np.array(["a", "b", "c"])), SHAPE)
    assert given.keys == ("a", "b", "c")
    assert np.array_equal(given.shown, images)


def test_files_are_brought_to_the_models_size(tmp_path):
    Image.new("RGB", (40, 30), (200, 10, 30)).save(tmp_path / "red.png")
    Image.new("L", (8, 8), 77).save(tmp_path / "grey.png")
    one = pictures(tmp_path / "red.png", SHAPE)
    assert one.keys == (str(tmp_path / "red.png"),)
    assert one.shown.shape == (1, *SHAPE)
    assert one.shown[0, 0, 0].tolist() == [200, 10, 30]
    assert pictures([str(tmp_path / "grey.png"), tmp_path / "red.png"], SHAPE).shown[0].mean() == 77
    assert pictures(tmp_path / "grey.png", (16, 16, 1)).taken.shape == (1, 16, 16, 1)


@pytest.mark.parametrize("shape", [None, (None, None, 3), (16, 16, 4)])
def test_files_need_a_fixed_size(shape, tmp_path):
    with pytest.raises(OptionError, match="Give an array"):
        pictures(tmp_path / "red.png", shape)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png.*Check the path"):
        pictures(tmp_path / "gone.png", SHAPE)


@pytest.mark.parametrize(
    "wrong", [np.zeros((16, 16), np.uint8), np.zeros((1, 1, 16, 16, 3)), np.zeros((2, 16, 16, 3), bool), 7, None]
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(OptionError, match="a path, a list of paths, or a Dataset"):
        pictures(wrong, SHAPE)


def test_another_size_is_refused_and_a_free_size_is_not():
    wide = np.zeros((2, 16, 20, 3), np.uint8)
    with pytest.raises(OptionError, match=r"the model takes \(16, 16, 3\). Resize them"):
        pictures(wide, SHAPE)
    assert pictures(wide, (None, None, 3)).taken.shape == wide.shape
    assert pictures(wide, None).taken.shape == wide.shape


def test_no_pictures_are_refused():
    with pytest.raises(OptionError, match="give at least one"):
        pictures(np.zeros((0, 16, 16, 3), np.uint8), SHAPE)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ImageError, match="Replace them"):
        pictures(np.full(SHAPE, np.nan), SHAPE)


def test_a_classifier_prepares_its_own(images):
    class Preparing:
        def prepare(self, given):
            return np.array(["x", "y", "z"]), given[:, ::-1]

    given = pictures(images, SHAPE, Preparing())
    assert given.keys == ("x", "y", "z")
    assert np.array_equal(given.taken, images[:, ::-1].astype(np.float32))


@pytest.mark.parametrize("layers", [-1, [], 1.5, {"conv1"}, ["conv1", 3]])
def test_what_names_no_layers_is_refused(layers):
    with pytest.raises(OptionError, match=r"expected ('last', 'maps'|names)"):
        paths(layers)


def test_a_layer_itself_may_be_given():
    assert paths(LAYERS[2]) == ["conv2"] == paths([LAYERS[2]])


def test_a_class_that_is_neither_name_nor_number_is_refused():
    with pytest.raises(OptionError, match=r"class_name is 1\.0; expected the name of a class"):
        choose_labels(1.0, 2, ("cat", "dog"), 2)


@pytest.mark.parametrize("names", ["ab", ["cat", "cat"], [0, 1]])
def test_names_of_classes_are_different_texts(names):
    with pytest.raises(OptionError, match="expected another text for each class"):
        checked_names(names)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("gradient", r"'gradient' is a method of attribute: explainer\.attribute\(images, method='gradient'\)"),
        ("grad_cam++", "no method is called 'grad_cam\\+\\+'"),
    ],
)
def test_a_method_of_another_question_is_pointed_to(asked, said):
    with pytest.raises((OptionError, UnknownNameError), match=said):
        check_method(asked, ("grad_cam", "grad_cam_plus_plus"), ("gradient",), "attribute")
