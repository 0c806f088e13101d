from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgclf.sources.names import is_hidden, natural, natural_key


def test_natural_order() -> None:
    assert natural({"10", "2", "1", "01", "cat 10", "cat 9", "b/2", "b/10", "b-c/1", "", "1a"}) == [
        "", "01", "1", "1a", "2", "10", "b/2", "b/10", "b-c/1", "cat 9", "cat 10",
    ]  # fmt: skip


@given(st.lists(st.integers(0, 10**30), unique=True))
def test_numbers_sort_by_value(numbers: list[int]) -> None:
    assert natural([f"cat.{n}.jpg" for n in numbers]) == [f"cat.{n}.jpg" for n in sorted(numbers)]


@given(st.lists(st.text(alphabet="0123/a²٣.-", max_size=12), unique=True), st.randoms())
def test_any_names_have_one_order(names: list[str], rng: random.Random) -> None:
    shuffled = rng.sample(names, len(names))
    assert natural(shuffled) == natural(names)
    assert len({natural_key(name) for name in names}) == len(names)


def test_five_thousand_digits_are_sorted_too() -> None:
    assert natural(["9" * 5000, "1" + "0" * 5000]) == ["9" * 5000, "1" + "0" * 5000]


@pytest.mark.parametrize(
    ("name", "hidden"),
    [(".x", True), ("__MACOSX", True), ("thumbs.DB", True), ("x.jpg", False), ("x", False), ("macosx", False)],
)
def test_what_nobody_means(name: str, hidden: bool) -> None:
    assert is_hidden(name) is hidden
