from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imgclf.class_contract import checked_class_names, class_digest, places
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, OptionError

NAMES = st.lists(st.text("abcXYZäß é1", min_size=1, max_size=6), min_size=2, max_size=6, unique_by=lambda n: n.strip())


@pytest.mark.filterwarnings("ignore:no pictures of")
@pytest.mark.promise("class-contract", "classes are matched by name, whatever the order in which a source lists them")
@given(names=NAMES, data=st.data())
@settings(deadline=None)
def test_names_keep_their_pictures(names, data):
    names = [" ".join(name.split()) or "blank" for name in names]
    assume(len(set(names)) == len(names))
    contract = data.draw(st.permutations(names))
    held = data.draw(st.lists(st.sampled_from(range(len(names))), min_size=1, max_size=12))
    given_set = Dataset.from_arrays(np.zeros((len(held), 1, 1, 1), np.uint8), np.array(held), names)
    matched = given_set.with_class_names(contract)
    assert [contract[label] for label in matched.labels] == [names[label] for label in held]
    assert matched.class_names == tuple(contract)


@pytest.mark.promise("class-contract", "a class that the training source lacks is an error that names it")
@given(names=NAMES, data=st.data())
@settings(deadline=None)
def test_an_unknown_class_is_named(names, data):
    names = [f"{position}{name.strip()}" for position, name in enumerate(names)]
    stranger = data.draw(st.sampled_from(names))
    with pytest.raises(DatasetError, match="Rename their folders or files, or leave them out") as caught:
        places(dict.fromkeys(names, 1), [name for name in names if name != stranger])
    assert repr(stranger) in str(caught.value)


@pytest.mark.promise("class-contract", "a training class that another source lacks is a warning that names it")
def test_a_missing_class_is_a_warning_that_names_it():
    with pytest.warns(UserWarning, match="no pictures of 'owl', 'fox': figures"):
        assert places({"dog": 2, "cat": 1}, ["owl", "cat", "fox", "dog"]).tolist() == [3, 1]
    with pytest.warns(UserWarning, match="no pictures of 'cat'"):
        assert places({"Cat": 0, "dog": 2}, ["cat", "dog"]).tolist() == [-1, 1]


def test_a_set_without_labels_lacks_nothing():
    data = Dataset.from_arrays(np.zeros((2, 4, 4, 1), np.uint8), class_names=["cat", "dog"])
    assert data.with_class_names(["dog", "cat", "owl"]).labels.tolist() == [-1, -1]


@pytest.mark.promise("class-contract", "names that differ only in case, spaces or Unicode form are an error")
@given(name=st.text("abcXYZäßé1", min_size=1, max_size=6), data=st.data())
@settings(deadline=None)
def test_another_spelling_is_not_taken_for_another_class(name, data):
    variants = [
        name.upper(), name.casefold(), f" {name}", f"{name}\u00a0", f"{name}\u200b", unicodedata.normalize("NFD", name)
    ]  # fmt: skip
    other = data.draw(st.sampled_from(variants))
    assume(other != name)
    with pytest.raises(DatasetError, match="differ only in case, spaces or the form of their letters") as caught:
        places({other: 3, "dog": 1}, [name, "dog"])
    assert f"{other!a} and {name!a}" in str(caught.value)
    assert "not among" not in str(caught.value)


def test_both_faults_are_said_at_once():
    with pytest.raises(DatasetError, match="classes 'owl' are not among 'cat', 'dog'.*'Cat' and 'cat'"):
        places({"Cat": 1, "owl": 1}, ["cat", "dog"])


@pytest.mark.parametrize("names", ["ab", ["a", "a"], ["a", 1], None, 5, ["a", None]])
def test_what_are_no_class_names_is_said(names):
    with pytest.raises(OptionError, match="expected several texts, each different"):
        checked_class_names(names, "x")


def test_names_that_nobody_can_tell_apart_are_refused():
    with pytest.raises(DatasetError, match="differ only in case, spaces or the composing of letters"):
        checked_class_names(["cat", "cat "], "x")
    with pytest.raises(DatasetError, match="differ only in case, spaces or the composing of letters"):
        checked_class_names(["caf\u00e9", "cafe\u0301"], "x")
    assert checked_class_names(np.array(["a", "A"]), "x") == ("a", "A")


@given(NAMES, NAMES)
@settings(deadline=None)
def test_equal_digests_mean_equal_names(one, two):
    assert (class_digest(one) == class_digest(two)) == (one == two)
    assert class_digest(["a", "b"]) != class_digest(["a, b"]) != class_digest(["a\0b"])
