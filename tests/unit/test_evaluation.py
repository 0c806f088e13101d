from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imgclf.errors import DatasetError
from imgclf.evaluation import Evaluation, Predictions, wilson_interval


def evaluation(probabilities, labels, names=("cat", "dog")):
    rows = np.asarray(probabilities, np.float32)
    return Evaluation(np.array([f"{i}.jpg" for i in range(len(rows))]), rows, tuple(names), np.asarray(labels))


MIXED = evaluation([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], [0, 0, 0, 1])


def test_figures_by_hand():
    assert MIXED.labels.tolist() == [0, 1, 0, 1]
    assert MIXED.names == ["cat", "dog", "cat", "dog"]
    assert MIXED.confidences.tolist() == pytest.approx([0.9, 0.8, 0.6, 0.7])
    assert MIXED.accuracy == 0.75
    assert MIXED.loss == pytest.approx(-(math.log(0.9) + math.log(0.2) + math.log(0.6) + math.log(0.7)) / 4)
    assert MIXED.confusion.tolist() == [[2, 1], [0, 1]]
    assert MIXED.mistakes().tolist() == [1]
    assert MIXED.per_class().records()[0] == {
        "class": "cat",
        "pictures": 3,
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "recall_from": pytest.approx(0.2077, abs=1e-4),
        "recall_to": pytest.approx(0.9385, abs=1e-4),
        "f1": pytest.approx(0.8),
    }


def test_a_certain_mistake_costs_much_but_not_infinitely():
    assert evaluation([[1, 0]], [1]).loss == pytest.approx(-math.log(1e-7), rel=1e-3)


@given(
    count=st.integers(1, 30),
    k=st.integers(2, 5),
    rows=arrays(np.float32, (30, 5), elements=st.floats(0.125, 1, width=32)),
    labels=st.lists(st.integers(0, 4), min_size=30, max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_figures_agree_with_each_other_and_with_scikit_learn(count, k, rows, labels):
    from sklearn.metrics import accuracy_score, log_loss

    probabilities = rows[:count, :k] / rows[:count, :k].sum(axis=1, keepdims=True)
    exact = rows[:count, :k].astype(float)
    truth = np.array(labels[:count]) % k
    said = evaluation(probabilities, truth, [f"c{i}" for i in range(k)])
    assert said.confusion.sum() == count
    assert np.trace(said.confusion) / count == pytest.approx(said.accuracy)
    assert said.accuracy == pytest.approx(accuracy_score(truth, said.labels))
    assert said.loss == pytest.approx(
        log_loss(truth, exact / exact.sum(axis=1, keepdims=True), labels=range(k)), rel=1e-4
    )
    low, high = said.accuracy_interval
    assert 0 <= low <= said.accuracy <= high <= 1
    wrong = said.mistakes()
    assert (np.diff(said.losses[wrong]) <= 0).all()
    assert set(wrong) == set(np.flatnonzero(said.labels != truth))
    assert len(said.mistakes(2)) == min(2, len(wrong))


@pytest.mark.parametrize(
    ("successes", "trials", "wanted"),
    [(0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (5, 10, (0.2366, 0.7634)), (832, 1000, (0.8076, 0.8539))],
)
def test_wilsons_interval(successes, trials, wanted):
    """Against the closed form, computed apart."""
    assert wilson_interval(successes, trials) == pytest.approx(wanted, abs=5e-5)
    assert all(math.isnan(bound) for bound in wilson_interval(0, 0))


def test_a_class_that_never_occurs_has_no_figures():
    row = evaluation([[0.9, 0.1, 0]], [0], ("cat", "dog", "owl")).per_class().records()[2]
    assert row["pictures"] == 0
    assert math.isnan(row["recall"])
    assert math.isnan(row["precision"])


def test_str_says_it_all():
    text = str(MIXED)
    assert text.startswith("4 pictures: accuracy 0.7500 (95 % interval 0.3006 to 0.9544), loss ")
    assert "precision" in text
    assert "confusion (rows true, columns predicted)" in text
    assert str(Predictions(MIXED.keys, MIXED.probabilities, MIXED.class_names)).splitlines()[1].startswith("0.jpg")


def test_rows_go_to_csv_and_figures_to_json(tmp_path):
    with MIXED.to_csv(tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["cat", "cat", "cat", "dog"]
    assert float(rows[1]["p(dog)"]) == pytest.approx(0.8)
    assert float(rows[1]["loss"]) == pytest.approx(-math.log(0.2), rel=1e-5)
    assert [row["key"] for row in rows] == [f"{i}.jpg" for i in range(4)]
    assert json.loads(json.dumps(MIXED.to_dict()))["confusion"] == [[2, 1], [0, 1]]
    assert "<table>" in MIXED._repr_html_()


def test_the_plot_counts_pictures():
    axis = MIXED.plot().axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["0", "1", "1", "2"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.zeros((0, 2)), [], "n at least 1"),
        ([[0.5, 0.5]], [-1], "label every picture"),
        ([[0.5, 0.5]], [2], "label every picture"),
        ([[0.5, 0.5]], [0, 1], "do not fit"),
        ([[np.nan, np.nan]], [0], "no finite numbers"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(probabilities, labels, said):
    with pytest.raises(DatasetError, match=said):
        evaluation(probabilities, labels)


def test_captions_say_what_was_taken_for_what():
    assert MIXED.captions() == ["cat, 0.90", "cat, taken for dog, 0.80", "cat, 0.60", "dog, 0.70"]
    assert repr(MIXED) == "Evaluation(4 pictures: cat, dog)"


def test_no_pictures_no_answers():
    nothing = Predictions(np.array([], dtype=str), np.zeros((0, 2), np.float32), ("cat", "dog"))
    assert len(nothing) == 0
    assert nothing.names == []
    assert len(nothing.confidences) == 0
