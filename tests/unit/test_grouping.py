from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.errors import DatasetError, OptionError
from imgclf.grouping import joined, read_groups

KEYS = ["a_1", "b_1", "a_2"]


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", "a"],
        (7, 3, 7),
        np.array([1, 0, 1], np.uint8),
        np.array(["x", "y", "x"]),
        np.array(["x", 1, "x"], dtype=object),
        [1, 2, "1"],
        {"a_1": 1, "b_1": 2, "a_2": 1, "c_1": 5},
        lambda key: key[0],
    ],
)
def test_groups_come_in_many_forms(groups):
    numbers = read_groups(groups, KEYS)
    assert numbers.dtype == np.int64
    assert numbers[0] == numbers[2] != numbers[1]


@pytest.mark.parametrize(
    "groups", ["abc", b"abc", {"a", "b", "c"}, 3, None, [["a"], ["b"], ["a"]], np.zeros((3, 1), int)]
)
def test_what_are_no_groups_is_said(groups):
    with pytest.raises(OptionError, match="expected a name per picture in their order, a mapping .* or a function"):
        read_groups(groups, KEYS)


@pytest.mark.parametrize("lacking", [None, float("nan"), np.nan, "", "  ", 1.0, True, np.float64(2), ("a",), b"a"])
def test_a_picture_without_a_group_is_named(lacking):
    by_key = {"a_1": "a", "b_1": lacking, "a_2": "a"}
    for groups in (by_key, by_key.get, np.array([*by_key.values(), None], dtype=object)[:3]):
        with pytest.raises(DatasetError, match="1 of 3 pictures have no group.*a group of its own(.|\n)*'b_1': "):
            read_groups(groups, KEYS)
    with pytest.raises(DatasetError, match="'b_1': None(.|\n)*'a_2': None"):
        read_groups({"a_1": "a"}, KEYS)


def test_a_function_that_fails_is_said_with_the_picture():
    with pytest.raises(DatasetError, match="given as groups fails for 'b_1': KeyError: 'b_1'"):
        read_groups({"a_1": 1}.__getitem__, ["a_1", "b_1"])


def test_a_column_of_floats_is_refused():
    with pytest.raises(DatasetError, match="3 of 3 pictures have no group; expected a text or whole number"):
        read_groups(np.array([1.0, 2.0, 1.0]), KEYS)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_the_number_of_groups_must_fit(count):
    with pytest.raises(DatasetError, match=f"{count} groups for 3 pictures. Give one per picture"):
        read_groups(["a"] * count, KEYS)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
@settings(deadline=None)
def test_units_are_what_any_chain_of_groups_connects(rows):
    units = joined(*np.array(rows).T)
    expected = list(range(len(rows)))  # the slow way: merge until nothing changes
    changed = True
    while changed:
        changed = False
        for column in range(3):
            lowest = defaultdict(lambda: len(rows))
            for row, unit in zip(rows, expected, strict=True):
                lowest[row[column]] = min(lowest[row[column]], unit)
            new = [lowest[row[column]] for row in rows]
            changed |= new != expected
            expected = new
    assert (units[:, None] == units).tolist() == (np.array(expected)[:, None] == expected).tolist()
    assert set(units.tolist()) == set(range(units.max() + 1))
