"""``imgclf.json`` is taken only where every part is possible and all fit together."""

from __future__ import annotations

import json

import pytest

from imgclf.archive import check_size, dump_json
from imgclf.errors import OptionError
from imgclf.images import ImageSpec
from imgclf.manifest import KERAS, check_class_names, checked_manifest

SIZES = dict.fromkeys(KERAS, 100)
RIGHT = {
    "schema": 2,
    "class_names": ["a", "b"],
    "spec": {"image_size": [8, 9], "color_mode": "rgb", "fit": "pad"},
    "network": {
        "name": "small_cnn",
        "input_shape": [8, 9, 3],
        "num_classes": 2,
        "head": "sigmoid",
        "options": {},
        "policy": "float32",
    },
    "weights": [["float32", [2, 2], 8]],
    "members": dict.fromkeys(KERAS, "0" * 64),
    "provenance": {},
}


def test_a_sound_one_is_taken():
    manifest = checked_manifest(RIGHT, SIZES)
    assert manifest.class_names == ("a", "b")
    assert manifest.spec == ImageSpec((8, 9), "rgb", "pad")
    assert manifest.blueprint.name == "small_cnn"
    assert manifest.places[0].shape == (2, 2)


def test_a_network_of_ones_own_has_no_index_and_may_have_more_members():
    sizes = {**SIZES, "assets/x.txt": 3}
    own = {**RIGHT, "network": None, "weights": [], "members": dict.fromkeys(sizes, "0" * 64)}
    assert checked_manifest(own, sizes).blueprint is None
    for wrong in ({"weights": RIGHT["weights"]}, {"network": RIGHT["network"]}):
        with pytest.raises(ValueError, match="weights without a network|no network of the registry needs"):
            checked_manifest({**own, **wrong}, sizes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"more": 1}, "the keys are"),
        ({"class_names": "ab"}, "no list"),
        ({"class_names": ["a"]}, "expected 2 to"),
        ({"class_names": ["a", "b", "c"]}, "other pictures or classes"),
        ({"spec": {**RIGHT["spec"], "image_size": [9, 8]}}, "other pictures or classes"),
        ({"spec": {**RIGHT["spec"], "image_size": [5000, 5000]}}, "16,777,216 at most"),
        ({"spec": {**RIGHT["spec"], "more": 1}}, "not that of pictures"),
        ({"members": {}}, "not those of the archive"),
        ({"provenance": []}, "no table"),
        ({"weights": [["float32", [99], 0]]}, "behind the 100 bytes"),
        ({"network": {}}, "not described"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    with pytest.raises((ValueError, TypeError), match=said):
        checked_manifest({**json.loads(json.dumps(RIGHT)), **change}, SIZES)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "'' are empty"),
        ("a\nb", r"'a\\nb' hold control characters or line ends"),
        ("a\x1b[2J", "hold control characters"),
        ("\x00", "hold control characters"),
        ("a\u2028b", "line ends"),
        ("x" * 1001, "'x{80}' are too long; a name has at most 1,000 letters"),
        ("cat\udcff", r"'cat\\udcff' hold halves of characters, which cannot be written as UTF-8"),
        (3, "the class names 3 are no text"),
        (None, "None are no text"),
    ],
)
def test_names_that_cannot_be_seen_are_none(name, said):
    with pytest.raises(OptionError, match=f"{said}.*Rename the classes"):
        check_class_names(["fine", name])
    with pytest.raises(ValueError, match=said):
        checked_manifest({**RIGHT, "class_names": ["fine", name]}, SIZES)


def test_all_odd_names_are_said_at_once():
    with pytest.raises(OptionError, match="the class names '', '' are empty; the class names 1 are no text"):
        check_class_names(["", "a", 1, ""])


@pytest.mark.parametrize("names", [["a"], ["a", "a"], [str(number) for number in range(100_001)]])
def test_names_are_several_and_each_different(names):
    with pytest.raises(OptionError, match="expected 2 to 100,000, each different"):
        check_class_names(names)


def manifest_of(names):
    """What training says of classes, at its longest."""
    counts = dict.fromkeys(names, 1_000_000)
    said = {"class_names": names, "train": {"class_counts": counts}, "validation": {"class_counts": counts}}
    said["trainer"] = {"class_weights": dict.fromkeys(names, 0.1234567890123456)}
    return {**RIGHT, "class_names": names, "provenance": said}


@pytest.mark.parametrize(
    ("many", "letters"), [(22_000, 110), (100_000, 10), (2_000, 1000), (100_000, 60), (22_000, 150)]
)
def test_names_that_pass_find_room_in_a_file(many, letters):
    """Whoever may train may save: the names that are taken fit, five times, below the limits of reading."""
    names = [f"{number}狗{',' * (many < 50_000)}".ljust(letters, "x") for number in range(many)]
    try:
        check_class_names(names)
    except OptionError as error:
        assert "more than a file holds" in str(error)
        assert many * letters > 2_500_000
    else:
        assert many * letters <= 2_500_000
        check_size(dump_json(manifest_of(names)))


@pytest.mark.parametrize("name", ["../../x", "<b>", "=1+1", "é", "狗", "👩‍👧", " a b ", "x" * 1000])
def test_odd_names_are_names(name):
    check_class_names(["fine", name])
