"""The recipe as a scikit-learn estimator: its rules, its tools, labels and pictures of every kind."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from dataclasses import fields

import numpy as np
import pytest
import sklearn
from keras import layers
from PIL import Image
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import InputTags, get_tags
from sklearn.utils import estimator_checks as checks
from sklearn.utils.validation import validate_data
from squares import squares

from imgclf import Classifier, ImageClassifier, Trainer, registry
from imgclf.errors import DatasetError, ImageError, OptionError, UnknownNameError


@registry.register(input_shape=(12, 12, 3))
def pooled(pixels):
    """The means of 9 places: learns where the bright square is in a few steps, and is traced in no time."""
    return layers.Flatten()(layers.AveragePooling2D(4)(pixels))


def estimator(**changes):
    """A recipe that learns squares in a second."""
    settings = {"epochs": 2, "learning_rate": 0.1, "batch_size": 4, "duplicates": "ignore", "precision": "float32"}
    return ImageClassifier("pooled", **settings | changes)


X, NUMBERS = squares(24, (12, 12))
Y = np.array(["top", "bottom"])[NUMBERS]


@pytest.fixture(scope="module")
def fitted():
    return estimator(epochs=8).fit(X, Y)


def test_it_learns_and_answers_in_the_words_of_y(fitted):
    """fit, predict, predict_proba, score and classes_ are scikit-learn's."""
    new, labels = squares(10, (12, 12), seed=1)
    assert fitted.classes_.tolist() == ["bottom", "top"]
    assert fitted.predict(new).tolist() == np.array(["top", "bottom"])[labels].tolist()
    assert fitted.score(new, np.array(["top", "bottom"])[labels]) == 1
    said = fitted.predict_proba(new)
    assert said.shape == (10, 2)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-6)
    assert (said[:, 1] > 0.5).tolist() == (labels == 0).tolist(), "columns stand in the order of classes_"


def test_the_classifier_behind_it_is_whole(fitted, tmp_path):
    """classifier_ saves, explains and evaluates; history_ and best_epoch_ are the run's."""
    assert isinstance(fitted.classifier_, Classifier)
    assert fitted.classifier_.class_names == ("bottom", "top")
    assert fitted.classifier_.save(tmp_path / "c.keras").exists()
    assert len(fitted.history_["val_loss"]) == 8
    assert 1 <= fitted.best_epoch_ <= 8


def test_a_share_is_held_out_to_choose_the_epoch(fitted):
    """The network trains on the rest of what it was given."""
    sets = fitted.classifier_.provenance
    assert (sets["train"]["pictures"], sets["validation"]["pictures"]) == (20, 4)
    assert sets["validation"]["class_counts"] == {"bottom": 2, "top": 2}


@pytest.mark.parametrize(
    "labels",
    [
        np.array([7, -3])[NUMBERS],
        NUMBERS.astype(bool),
        NUMBERS.tolist(),
        np.array(["b", "a"], dtype=object)[NUMBERS],
        NUMBERS.astype(float),
        (NUMBERS * 300).astype(np.uint16),
    ],
    ids=["numbers", "bools", "list", "objects", "whole floats", "uint16"],
)
def test_labels_come_back_exactly(labels):
    """Values and type of y are those of predict and classes_, whatever the class is called in the file."""
    made = estimator(epochs=1).fit(X, labels)
    expected = np.unique(labels)
    assert made.classes_.dtype == expected.dtype
    assert made.classes_.tolist() == expected.tolist()
    assert made.predict(X).dtype == expected.dtype
    assert made.classifier_.class_names == tuple(map(str, expected.tolist()))


def test_pictures_of_every_kind_are_the_same_pictures(tmp_path):
    """Paths, Pillow pictures, lists, object arrays and one array give the same network."""
    paths = [tmp_path / f"{position}.png" for position in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        Image.fromarray(image).save(path)
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    kinds = [X, list(X), objects, [Image.fromarray(image) for image in X]]
    first, *others = [estimator(epochs=1).fit(given, Y).predict_proba(given) for given in kinds]
    for said in others:
        np.testing.assert_array_equal(first, said)
    by_path = estimator(epochs=1).fit(np.array(list(map(str, paths))), Y)
    np.testing.assert_array_equal(by_path.predict_proba(paths), by_path.predict_proba(X))
    assert by_path.classifier_.spec.shape == (12, 12, 3)


def test_arrays_keep_their_size_and_others_get_the_architectures():
    """image_size=None takes what there is; grey arrays stay grey; what is asked for is done."""
    grey = X[:, :8, :, 0]
    mixed = [image[: 8 + position % 3] for position, image in enumerate(X)]
    for given, settings, shape in (
        (grey, {}, (8, 12, 1)),
        (mixed, {}, (12, 12, 3)),
        (mixed, {"image_size": (10, 9), "color_mode": "grayscale", "image_fit": "pad"}, (10, 9, 1)),
    ):
        made = estimator(epochs=1, **settings).fit(given, Y)
        assert made.classifier_.spec.shape == shape
        assert made.predict(mixed).shape == (24,)
    assert made.classifier_.spec.fit == "pad"


def test_one_random_state_one_network():
    """A whole number decides everything; None and a RandomState are drawn from; the parameter stays as it was."""
    first, again, other = (estimator(epochs=1, random_state=seed).fit(X, Y).predict_proba(X) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    state = np.random.RandomState(0)
    made = estimator(epochs=1, random_state=state).fit(X, Y)
    assert made.random_state is state
    assert made.classifier_.provenance["trainer"]["seed"] == np.random.RandomState(0).randint(2**31 - 1)


def test_groups_stay_on_one_side():
    """No group of the inner split stands on both sides."""
    groups = np.arange(24) // 4
    made = estimator(epochs=1, validation=0.3).fit(X, Y, groups=groups)
    count = made.classifier_.provenance["validation"]["pictures"]
    assert count % 4 == 0
    assert count


def test_every_setting_of_a_trainer_is_a_parameter():
    """Nothing that a recipe has is out of reach here; callbacks cannot be cloned, and two have scikit-learn's names."""
    names = {item.name for item in fields(Trainer)} - {"callbacks", "seed", "class_weights"}
    parameters = inspect.signature(ImageClassifier).parameters
    assert names <= set(parameters)
    plain, recipe = ImageClassifier(), Trainer("small_cnn")
    differing = {name for name in names if getattr(plain, name) != getattr(recipe, name)}
    assert differing == {"options", "optimizer_options"}, "a default that can be changed is none"


def test_parameters_reach_the_recipe():
    """What is set is what the network was trained by; weights are given by label."""
    settings = {"optimizer": "sgd", "optimizer_options": {"momentum": 0.5}, "reduce_lr_patience": 3, "head": "softmax"}
    made = estimator(epochs=1, class_weight={1: 2.0}, augmentation="book", **settings).fit(X, NUMBERS)
    recipe = made.classifier_.provenance["trainer"]
    assert recipe["class_weights"] == {"0": 1.0, "1": 2.0}
    assert recipe["augmentation"] == "book"
    assert {name: recipe[name] for name in settings} == settings


def test_clone_and_set_params_follow_the_rules():
    """Clones are unfitted and equal; a misspelt parameter is an error; nothing is looked at before fit."""
    made = clone(estimator(image_size=(20, 20)).set_params(epochs=7))
    assert made.get_params()["epochs"] == 7
    assert not hasattr(made, "classes_")
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        made.set_params(epoch=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'small_cnn'"):
        ImageClassifier("smal_cnn").fit(X, Y)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        made.predict(X)


def test_pickles_answer_alike(fitted):
    """pickle, deepcopy and joblib's way carry the network as its own file, bit for bit."""
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        assert again.get_params() == fitted.get_params()
        assert again.classifier_.provenance == fitted.classifier_.provenance
    assert pickle.loads(pickle.dumps(estimator())).get_params() == estimator().get_params()


def test_cross_validation_scores_and_predicts():
    """cross_val_score and cross_val_predict fit clones on folds, and a fold's pictures are never trained on."""
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    assert cross_val_score(estimator(epochs=8), X, Y, cv=folds, error_score="raise").tolist() == [1, 1, 1]
    said = cross_val_predict(estimator(epochs=8), list(X), Y, cv=folds, method="predict_proba")
    assert said.argmax(axis=1).tolist() == (1 - NUMBERS).tolist()


def test_a_search_in_a_pipeline():
    """GridSearchCV sets parameters through a Pipeline and refits the best."""
    darker = FunctionTransformer(lambda pictures: pictures // 2)
    search = GridSearchCV(
        Pipeline([("darker", darker), ("network", estimator(epochs=8))]),
        {"network__learning_rate": [0.1, 1e-9]},
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_params_ == {"network__learning_rate": 0.1}
    assert search.score(X, Y) == 1


def test_calibration_wraps_it():
    """CalibratedClassifierCV fits its own folds and gives probabilities."""
    made = CalibratedClassifierCV(estimator(epochs=8), cv=2).fit(X, Y)
    assert made.predict_proba(X).shape == (24, 2)
    assert (made.predict(X) == Y).all()


def test_groups_are_routed_to_the_inner_split():
    """With metadata routing a cross-validation by groups hands them on to fit."""
    groups = np.arange(24) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        made = estimator(epochs=1).set_fit_request(groups=True)
        scores = cross_val_score(made, X, Y, params={"groups": groups}, cv=GroupKFold(2), error_score="raise")
    assert len(scores) == 2


@pytest.mark.parametrize(
    ("given", "labels", "error", "said"),
    [
        (X.reshape(24, -1), Y, ImageError, r"X.reshape\(-1, 28, 28\)"),
        ("cat.jpg", Y, ImageError, "Put a single one into a list"),
        (3, Y, ImageError, "expected several pictures"),
        (X[:0], Y[:0], ImageError, "0 samples"),
        (X.astype(float), Y, ImageError, "Round and convert"),
        (["a.png", "b.png"], ["x", "y"], DatasetError, "at least 2 pictures"),
        (["a.png"] * 4, ["x", "x", "y", "y"], ImageError, "4 of 4 pictures cannot be read"),
        ([[1, 2], [3, 4]] * 2, [0, 0, 1, 1], OptionError, "a list is no picture"),
        (X, Y[:-1], DatasetError, "give one label per picture"),
        (X, None, DatasetError, "requires y to be passed"),
        (X, np.zeros(24, int), DatasetError, "one class only"),
        (X, np.linspace(0, 1, 24), DatasetError, "y cannot be labels: Unknown label type: continuous"),
        (X, [None, "a"] * 12, DatasetError, "all of one type"),
        (X, np.eye(2)[NUMBERS], DatasetError, "y cannot be labels"),
    ],
)
def test_what_cannot_be_is_said(given, labels, error, said):
    """What arrived, what was expected, what to do; always a ValueError."""
    with pytest.raises(error, match=said) as caught:
        estimator().fit(given, labels)
    assert isinstance(caught.value, ValueError)


def test_other_faults_name_the_setting():
    """A parameter out of its range, weights for no label, groups of another length."""
    with pytest.raises(OptionError, match="epochs is 0"):
        estimator(epochs=0).fit(X, Y)
    with pytest.raises(OptionError, match="class_weight is for 'left'"):
        estimator(class_weight={"left": 2}).fit(X, Y)
    with pytest.raises(DatasetError, match="one name per picture"):
        estimator().fit(X, Y, groups=[1, 2])


def test_a_picture_that_stands_twice_has_a_place_of_its_own(tmp_path):
    """A bootstrap's repeated paths are trained on, and stay on one side."""
    paths = [tmp_path / f"{position}.png" for position in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        Image.fromarray(image).save(path)
    made = estimator(epochs=1, duplicates="exact").fit(paths * 2, np.tile(Y, 2))
    counted = [made.classifier_.provenance[part]["pictures"] for part in ("train", "validation")]
    assert sum(counted) == 48
    assert all(count % 2 == 0 for count in counted), "both copies stand on one side"


def test_tags_say_what_it_takes():
    """Pictures and paths, no table: scikit-learn's own checks feed tables, and know by this to leave it alone."""
    tags = get_tags(estimator())
    taken = tags.input_tags
    assert (taken.one_d_array, taken.two_d_array, taken.three_d_array, taken.string) == (True, False, True, True)
    assert not any((taken.sparse, taken.allow_nan, tags.non_deterministic))
    assert tags.target_tags.required
    assert tags.estimator_type == "classifier"


@pytest.mark.parametrize(
    "check",
    [
        checks.check_estimator_cloneable,
        checks.check_estimator_tags_renamed,
        checks.check_valid_tag_types,
        checks.check_estimator_repr,
        checks.check_no_attributes_set_in_init,
        checks.check_do_not_raise_errors_in_init_or_set_params,
        checks.check_mixin_order,
        checks.check_parameters_default_constructible,
        checks.check_get_params_invariance,
        checks.check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_checks_without_data(check):
    """The rules on parameters and tags, by scikit-learn's own judges."""
    check("ImageClassifier", ImageClassifier())


class OnTables(ImageClassifier):
    """Rows of numbers drawn as pictures, a bright or dark bar per column: scikit-learn's checks feed nothing else."""

    def fit(self, X, y, groups=None):  # noqa: N803
        X, y = validate_data(self, X, y, accept_sparse=False)
        self.low_, self.high_ = X.min(axis=0), X.max(axis=0)
        return super().fit(self._drawn(X), y, groups)

    def predict_proba(self, X):  # noqa: N803
        checks.check_is_fitted(self)
        return super().predict_proba(self._drawn(validate_data(self, X, reset=False)))

    def _drawn(self, rows):
        share = (rows - self.low_) / np.maximum(self.high_ - self.low_, 1e-9)
        grey = np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
        return np.repeat(np.repeat(grey[:, None, :], 4, axis=1), 4, axis=2)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = InputTags()  # tables
        return tags


@pytest.mark.slow
def test_scikit_learns_checks_with_data(record_property):
    """No check of check_estimator fails on bars for columns, from labels and pickles to not-a-numbers."""
    made = OnTables("pooled", epochs=6, learning_rate=0.05, batch_size=16, duplicates="ignore", precision="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(made, on_fail=None, on_skip=None)
    status = [result["status"] for result in results]
    record_property("measured", f"{status.count('passed')} of {len(status)} checks pass")
    assert [(one["check_name"], one["exception"]) for one in results if one["status"] == "failed"] == []
    assert status.count("skipped") <= 1, "the array API, where no other array package is installed"
    assert status.count("passed") > 50
