from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.errors import OptionError
from imgclf.evaluation import Evaluation, Predictions
from imgclf.label_errors import LabelErrors, counted_classes, estimated_counts, find, suspected

ORACLE = Path(__file__).parent / "data" / "cleanlab_oracle.npz"


def evaluation(probabilities, labels):
    names = tuple(f"class {label}" for label in range(probabilities.shape[1]))
    keys = np.array([f"{position}.png" for position in range(len(labels))])
    return Evaluation(keys, np.asarray(probabilities, np.float32), names, np.asarray(labels, np.int32))


@pytest.mark.parametrize("rule", ["noise_rate", "both", "confident"])
@pytest.mark.promise("label-errors", "the suspects and their order are those of cleanlab 2.9")
def test_cleanlab_says_the_same(rule, record_property):
    pictures = suspects = 0
    with np.load(ORACLE) as oracle:
        for number in range(60):
            said = evaluation(oracle[f"{number}_probabilities"], oracle[f"{number}_labels"])
            expected = oracle[f"{number}_{rule}"]
            assert find(said, rule=rule).positions.tolist() == expected.tolist()
            pictures, suspects = pictures + len(said), suspects + len(expected)
    assert suspects > 100
    record_property("measured", f"rule {rule!r}: 60 sets, {pictures:,} pictures, {suspects:,} suspects: all the same")


def test_a_plain_case():
    """Ten sure cats and ten sure dogs, of which two are labelled as the other."""
    said = np.repeat([[0.9, 0.1], [0.2, 0.8]], 10, axis=0)
    said[3], said[14] = [0.95, 0.05], [0.1, 0.9]
    labels = np.repeat([0, 1], 10)
    labels[[3, 14]] = [1, 0]
    errors = find(evaluation(said, labels))
    assert errors.positions.tolist() == [3, 14]
    assert errors.keys.tolist() == ["3.png", "14.png"]
    assert errors.given_labels.tolist() == [1, 0]
    assert errors.likely_labels.tolist() == [0, 1]
    assert errors.scores == pytest.approx([0.05, 0.1])
    assert errors.captions() == ["class 1, likely class 0", "class 0, likely class 1"]
    assert len(errors) == 2
    assert repr(errors) == "LabelErrors(2 of 20 pictures)"
    assert str(errors).startswith("2 of 20 labels are probably wrong, the most suspicious first\n\nkey ")
    assert errors.table().rows[0] == ("3.png", "class 1", "class 0", pytest.approx(0.05))


def test_its_table_can_be_kept(tmp_path):
    said = np.repeat([[0.9, 0.1], [0.2, 0.8]], 10, axis=0)
    labels = np.repeat([0, 1], 10)
    labels[0] = 1
    errors = find(evaluation(said, labels))
    lines = errors.to_csv(tmp_path / "errors.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "key,class,likely_class,score"
    assert lines[1].startswith("0.png,class 1,class 0,0.1")
    assert "<td>0.png</td>" in errors._repr_html_()


def test_right_labels_are_left_alone():
    errors = find(evaluation(np.repeat([[0.9, 0.1], [0.2, 0.8]], 10, axis=0), np.repeat([0, 1], 10)))
    assert len(errors) == 0
    assert str(errors) == "0 of 20 labels are probably wrong."


def test_a_doubtful_network_finds_less_than_its_mistakes():
    """An undecided network is wrong often; that alone does not make labels wrong."""
    rng = np.random.default_rng(0)
    said = rng.uniform(0.4, 0.6, 400)
    labels = rng.integers(0, 2, 400)
    one = evaluation(np.stack([said, 1 - said], axis=1), labels)
    found = {rule: len(find(one, rule=rule)) for rule in ("noise_rate", "both", "confident")}
    assert found["both"] <= found["noise_rate"] < len(one.mistakes())
    assert found["confident"] < len(one.mistakes())


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_what_always_holds(seed):
    rng = np.random.default_rng(seed)
    classes, count = int(rng.integers(2, 7)), int(rng.integers(1, 60))
    said = rng.dirichlet(np.full(classes, 0.5), count)
    labels = rng.integers(0, classes, count)
    one = evaluation(said, labels)
    for rule in ("noise_rate", "both", "confident"):
        errors = find(one, rule=rule)
        assert (np.diff(errors.scores) >= 0).all()
        assert set(errors.positions) <= set(one.mistakes())  # the network disagrees with each
        assert (errors.given_labels == labels[errors.positions]).all()
        assert (errors.likely_labels == one.labels[errors.positions]).all()
    assert set(find(one, rule="both").positions) <= set(find(one).positions)
    order = rng.permutation(count)  # and the order of the pictures does not matter
    turned = suspected(one.probabilities.astype(float)[order], labels[order])
    assert (turned == suspected(one.probabilities.astype(float), labels)[order]).all()


def test_an_average_of_equals_is_reached_by_each():
    """0.1, three times over, has the mean 0.10000000000000002."""
    said = np.array([[0.1, 0.9]] * 3 + [[0.0, 1.0]] * 3)
    assert counted_classes(said[:, ::-1].copy(), np.array([1, 1, 1, 0, 0, 0])).tolist() == [1, 1, 1, 0, 0, 0]


def test_a_class_keeps_a_picture():
    counted = np.array([1, 1, 1, 1, 1])
    counts = estimated_counts(counted, np.array([0, 0, 0, 1, 1]), 2)
    assert counts.sum(axis=1).tolist() == [3, 2]
    assert counts[0, 0] >= 1


@pytest.mark.parametrize("given", [None, "evaluation", np.zeros((2, 2))])
def test_what_is_no_evaluation_is_said(given):
    with pytest.raises(OptionError, match="expected an Evaluation. Make one with out_of_fold"):
        find(given)


def test_predictions_without_the_truth_are_not_enough():
    said = Predictions(np.array(["a"]), np.array([[0.5, 0.5]], np.float32), ("a", "b"))
    with pytest.raises(OptionError, match="a Predictions holds no label errors"):
        find(said)


def test_an_unknown_rule_is_said():
    with pytest.raises(OptionError, match="rule is 'strict'. Give 'noise_rate', 'both', 'confident'"):
        find(evaluation(np.eye(2), [0, 1]), rule="strict")


def test_the_result_is_frozen():
    errors = find(evaluation(np.eye(2), [0, 1]))
    assert isinstance(errors, LabelErrors)
    with pytest.raises(AttributeError):
        errors.scores = None
