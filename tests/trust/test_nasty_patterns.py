"""Patterns as people write them: the class of every name is exactly right, or the pattern is refused, and none hangs."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from test_nasty_sets import ended, fill, labels

from imgclf.errors import DatasetError, ImgclfError, OptionError
from imgclf.sources import FilenameSource, patterns

ROW = ("nasty-patterns", "More than 30 patterns label exactly right or are refused by name; none hangs.")

PETS = ("cat_1.png", "cat_2.png", "dog_1.png", "dog_2.png")
TRUE = {"cat_1.png": "cat", "cat_2.png": "cat", "dog_1.png": "dog", "dog_2.png": "dog"}
MIXED = ("a/cat.1.jpg", "a/cat.2.png", "b/dog.1.jpg", "b/dog.2.png")
MIXED_TRUE = {name: name[2:5] for name in MIXED}
LONG = ("a" * 200 + "!.png", "b" * 200 + "!.png")
DEFAULT: dict[str, Any] = {}


async def asked_later(name: str) -> str:
    return name


# name, files, pattern, other options, class of every key, key → reason of what is left out
Right = tuple[str, tuple[str, ...], Any, dict[str, Any], dict[str, str]]
RIGHT: list[Right] = [
    ("the text before the first dot", MIXED, None, {}, MIXED_TRUE),
    ("several dots", ("cat.x.1.png", "cat.y.2.png", "dog..3.png", "dog.4.tar.png"), None, {}, {"cat.x.1.png": "cat", "cat.y.2.png": "cat", "dog..3.png": "dog", "dog.4.tar.png": "dog"}),
    ("no dot but the ending's", ("cat.png", "dog.png"), None, {}, {"cat.png": "cat", "dog.png": "dog"}),
    ("letters before an underscore", PETS, r"^(?P<label>[a-z]+)_", {}, TRUE),
    ("found anywhere", PETS, r"(?P<label>cat|dog)", {}, TRUE),
    ("behind", PETS, r"(?P<label>\w+?)(?=_\d)", {}, TRUE),
    ("before, looking back", ("1-cat.png", "2-cat.png", "1-dog.png", "2-dog.png"), r"(?<=-)(?P<label>\w+)", {}, {"1-cat.png": "cat", "2-cat.png": "cat", "1-dog.png": "dog", "2-dog.png": "dog"}),
    ("the first of two matches", ("cat_dog.png", "cat_x.png", "dog_cat.png", "dog_x.png"), r"(?P<label>cat|dog)", {}, {"cat_dog.png": "cat", "cat_x.png": "cat", "dog_cat.png": "dog", "dog_x.png": "dog"}),
    ("compiled", PETS, re.compile(r"^(?P<label>[a-z]+)"), {}, TRUE),
    ("compiled, any case of what is around", ("X_cat.png", "x_cat.PNG", "x_dog.png", "X_dog.png"), re.compile(r"^x_(?P<label>[a-z]+)", re.IGNORECASE), {}, {"X_cat.png": "cat", "x_cat.PNG": "cat", "x_dog.png": "dog", "X_dog.png": "dog"}),
    ("compiled, verbose", PETS, re.compile(r"^ (?P<label> [a-z]+ ) _ \d+  # the class, then the number", re.VERBOSE), {}, TRUE),
    ("compiled, many lines", ("x\ncat_1.png", "y\ncat_2.png", "x\ndog_1.png", "y\ndog_2.png"), re.compile(r"^(?P<label>[a-z]+)_\d", re.MULTILINE), {}, {"x\ncat_1.png": "cat", "x\ndog_1.png": "dog", "y\ncat_2.png": "cat", "y\ndog_2.png": "dog"}),
    ("compiled, for debugging", PETS, re.compile(r"^(?P<label>[a-z]+)_\d+"), {}, TRUE),
    ("spaces around", (" cat 1.png", " cat 2.png", "dog 1.png", "dog 2.png"), r"^(?P<label>[ a-z]+)", {}, {" cat 1.png": "cat", " cat 2.png": "cat", "dog 1.png": "dog", "dog 2.png": "dog"}),
    ("letters of any language", ("고양이_1.png", "고양이_2.png", "개_1.png", "개_2.png"), r"^(?P<label>\w+)_", {}, {"개_1.png": "개", "개_2.png": "개", "고양이_1.png": "고양이", "고양이_2.png": "고양이"}),
    ("ASCII alone", ("café1.png", "café2.png", "thé1.png", "thé2.png"), re.compile(r"^(?P<label>\w+)", re.ASCII), {}, {"café1.png": "caf", "café2.png": "caf", "thé1.png": "th", "thé2.png": "th"}),
    ("a name of one's own with a slash", PETS, lambda name: f"pets/{name[:3]}", {}, {name: f"pets/{label}" for name, label in TRUE.items()}),
    ("a path as a class", PETS, lambda name: f"../../{name[:3]}", {}, {name: f"../../{label}" for name, label in TRUE.items()}),
    ("a function", PETS, lambda name: name[:3], {}, TRUE),
    ("a function that skips", (*PETS, "owl_1.png"), lambda name: None if name.startswith("owl") else name[:3], {"on_mismatch": "skip"}, TRUE),
    ("others skipped", (*PETS, "IMG_1.png", "x.png"), r"^(?P<label>cat|dog)", {"on_mismatch": "skip"}, TRUE),
    ("a group that may be missing, skipped", (*PETS, "_1.png"), r"^(?P<label>cat|dog)?_", {"on_mismatch": "skip"}, TRUE),
    ("one class among named ones", ("cat_1.png", "cat_2.png"), r"^(?P<label>[a-z]+)", {"class_names": ("dog", "cat")}, {"cat_1.png": "cat", "cat_2.png": "cat"}),
    ("upper and lower case, named", ("a_1.png", "A_1.png"), r"^(?P<label>\w)_", {"class_names": ("a", "A")}, {"A_1.png": "A", "a_1.png": "a"}),
    ("endings, named", ("1.jpg", "2.png"), r"(?P<label>[a-z]+)$", {"class_names": ("jpg", "png")}, {"1.jpg": "jpg", "2.png": "png"}),
    ("a repeat within a repeat, but quick", PETS, r"^(?P<label>([a-z]+)+)_\d+\.png$", {}, TRUE),
]  # fmt: skip

Wrong = tuple[str, tuple[str, ...], Any, dict[str, Any], type[ImgclfError], tuple[str, ...]]
WRONG: list[Wrong] = [
    ("nothing matches", PETS, r"^(?P<label>bird)", {}, DatasetError, ("4 of 4 names", "Change the pattern", "labelled=False")),
    ("some do not match", (*PETS, "IMG_1.png"), r"^(?P<label>cat|dog)", {}, DatasetError, ("1 of 5 names", "'IMG_1.png'", 'on_mismatch="skip"')),
    ("nothing matches, and skipped", PETS, r"^(?P<label>bird)", {"on_mismatch": "skip"}, DatasetError, ("4 of 4 names",)),
    ("no group", PETS, r"^[a-z]+_", {}, OptionError, ("no group 'label'", "Put (?P<label>…) around")),
    ("a group of another name", PETS, r"^(?P<class>[a-z]+)_", {}, OptionError, ("no group 'label'",)),
    ("an empty pattern", PETS, "", {}, OptionError, ("no group 'label'",)),
    ("two patterns", PETS, [r"(?P<label>cat)", r"(?P<label>dog)"], {}, OptionError, ("expected a regular expression",)),
    ("two groups of the name", PETS, r"(?P<label>cat)|(?P<label>dog)", {}, OptionError, ("redefinition of group name",)),
    ("an open bracket", PETS, r"(?P<label>[a-z", {}, OptionError, ("expected a regular expression",)),
    ("looking back by any length", PETS, r"(?<=a+)(?P<label>\w)", {}, OptionError, ("look-behind",)),
    ("more repeats than can be", PETS, r"(?P<label>a{99999999999999999999})", {}, OptionError, ("expected a regular expression",)),
    ("brackets without end", PETS, "(" * 5000 + "(?P<label>a)" + ")" * 5000, {}, OptionError, ("expected a regular expression",)),
    ("bytes", PETS, rb"(?P<label>cat|dog)", {}, OptionError, ("bytes; expected text",)),
    ("bytes, compiled", PETS, re.compile(rb"(?P<label>cat|dog)"), {}, OptionError, ("bytes; expected text",)),
    ("a number", PETS, 7, {}, OptionError, ("pattern is 7",)),
    ("a pattern for a shell", PETS, "*.png", {}, OptionError, ("expected a regular expression",)),
    ("the running number", tuple(f"cat_{i}.png" for i in range(12)), r"_(?P<label>\d+)", {}, DatasetError, ("12 classes for 12 pictures", "Say where the class stands")),
    ("a number that two share", tuple(f"{c}_{i}.png" for i in range(30) for c in "ab"), r"_(?P<label>\d+)", {}, DatasetError, ("30 classes for 60 pictures",)),
    ("the whole name", PETS, r"^(?P<label>.*)$", {}, DatasetError, ("take in the ending", "'cat_1.png'", "Change the pattern")),
    ("the ending", MIXED, r"(?P<label>[^.]+)$", {}, DatasetError, ("take in the ending", "'jpg' of 'a/cat.1.jpg'")),
    ("the ending with its dot", MIXED, r"(?P<label>\.[^.]+)$", {}, DatasetError, ("take in the ending",)),
    ("the name without the ending", PETS, lambda name: name.removesuffix(".png"), {}, DatasetError, ("4 classes for 4 pictures",)),
    ("an empty match", PETS, r"(?P<label>)", {}, DatasetError, ("4 of 4 names", "tell no class")),
    ("a match of spaces", PETS, lambda name: "  ", {}, DatasetError, ("tell no class",)),
    ("a group that may be missing", (*PETS, "_1.png"), r"^(?P<label>cat|dog)?_", {}, DatasetError, ("1 of 5 names", "'_1.png'")),
    ("folders", MIXED, r"^a/(?P<label>\w+)", {}, DatasetError, ("4 of 4 names", "without folders")),
    ("one class", ("cat_1.png", "cat_2.png"), r"^(?P<label>[a-z]+)", {}, DatasetError, ("one class only, 'cat'",)),
    ("two spellings", ("Cat_1.png", "cat_2.png", "dog_1.png"), r"^(?P<label>[A-Za-z]+)", {}, DatasetError, ("'Cat' and 'cat'", "Rename")),
    ("two spellings by a flag", ("CAT_1.png", "cat_2.png", "dog_1.png"), re.compile(r"^(?P<label>[a-z]+)", re.IGNORECASE), {}, DatasetError, ("'CAT' and 'cat'",)),
    ("names that class_names lack", PETS, r"^(?P<label>[a-z]+)", {"class_names": ("cat", "dogs")}, DatasetError, ("lacks: 'dog'", "Did you mean 'dogs'")),
    ("names in another case", PETS, r"^(?P<label>[a-z]+)", {"class_names": ("Cat", "Dog")}, DatasetError, ("lacks: 'cat', 'dog'",)),
    ("a function that fails", PETS, lambda name: name.split("-")[1], {}, OptionError, ("pattern failed for 'cat_1.png': IndexError", "Mend it")),
    ("a function that fails with a terminal's code", PETS, lambda name: int("\x1b[2J"), {}, OptionError, ("pattern failed", "ValueError")),
    ("a function that gives bytes", PETS, lambda name: name[:3].encode(), {}, OptionError, ("pattern gave b'cat'", "Convert it")),
    ("a function that gives a number", PETS, lambda name: 0, {}, OptionError, ("pattern gave 0",)),
    ("a function that gives a list", PETS, lambda name: [name], {}, OptionError, ("pattern gave ['cat_1.png']",)),
    ("a function that gives a match", PETS, re.compile("cat|dog").match, {}, OptionError, ("pattern gave <re.Match",)),
    ("a function of two", PETS, lambda name, folder: name, {}, OptionError, ("pattern failed", "TypeError")),
    ("numbers for names", ("1.png", "2.png", "3.png"), None, {}, DatasetError, ("are numbers", "labelled=False")),
    ("a pattern and no labels", PETS, r"(?P<label>cat)", {"labelled": False}, OptionError, ("Leave one of them out",)),
]  # fmt: skip

# each needs exponential or high polynomial time on the names below
CATASTROPHIC = [
    r"^(?P<label>(a+)+)$",
    r"^(?P<label>(a|a)*)$",
    r"^(?P<label>(a|aa)+)$",
    r"^(?P<label>([a-z]+)*)\d$",
    r"^(?P<label>(.*)*)x$",
    r"^(?P<label>.*.*.*.*.*.*.*.*)x$",
    r"(?P<label>(\w+\s?)*)$(?<=x)",
    r"^(?P<label>(a{1,99}){1,99})$",
]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", RIGHT, ids=[case[0] for case in RIGHT])
def test_labelled_exactly_right(tmp_path, case: Right):
    _, names, pattern, options, expected = case
    source, said = ended(lambda: FilenameSource(fill(tmp_path, *names), pattern, **options))
    assert isinstance(source, FilenameSource), source
    assert labels(source) == expected
    assert said == []
    assert {item.key for item in source.ignored} == set(names) - set(expected)
    assert set(source.class_names) == set(options.get("class_names", expected.values()))


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_refused_with_a_remedy(tmp_path, case: Wrong):
    _, names, pattern, options, kind, parts = case
    error, _ = ended(lambda: FilenameSource(fill(tmp_path, *names), pattern, **options))
    assert type(error) is kind, error
    message = str(error)
    assert [part for part in parts if part not in message] == [], message
    assert all(c.isprintable() for c in message), "it would reach the terminal"


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_that_would_never_end_is_given_up(tmp_path, monkeypatch, record_property, pattern):
    monkeypatch.setattr(patterns, "SECONDS", 0.3)
    fill(tmp_path, "b.png", *LONG)
    started = time.monotonic()
    error, _ = ended(lambda: FilenameSource(tmp_path, pattern, on_mismatch="skip"))
    assert type(error) is OptionError, error
    assert "did not come to an end within 0.3 s; it hangs at 'aaa" in str(error)
    assert "(a+)+" in str(error)
    record_property("measured", f"given up after {time.monotonic() - started:.1f} s, of which 0.3 s are the limit")


@pytest.mark.promise(*ROW)
def test_the_limit_is_two_seconds():
    assert patterns.SECONDS == 2


@pytest.mark.promise(*ROW)
def test_many_names_are_no_hang(tmp_path):
    """Ten thousand names take far less than the limit of any hundred of them."""
    names = [f"{'cat' if i % 2 else 'dog'}_{i}.png" for i in range(10_000)]
    found, _ = ended(lambda: patterns.classes_of(names, r"^(?P<label>[a-z]+)_\d+\.png$"))
    assert found == ["cat" if i % 2 else "dog" for i in range(10_000)]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("names", [["cat_\udce9_1.png", "dog_\x1b_1.png"], ["cat_'\"\\_\n.png", "dog_\u2028_1.png"]])
def test_odd_names_pass_to_the_other_process_and_back(names):
    assert patterns.classes_of(names, r"^(?P<label>[a-z]+)_.+") == ["cat", "dog"]
    assert patterns.classes_of(names, re.compile(r"^(?P<label>.+)\.png$", re.DOTALL)) == [n[:-4].strip() for n in names]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("why", ["frozen", "nowhere", "gone"])
def test_where_no_process_can_be_started_it_matches_here(monkeypatch, why):
    if why == "frozen":
        monkeypatch.setattr(patterns.sys, "frozen", True, raising=False)
    else:
        monkeypatch.setattr(patterns.sys, "executable", {"nowhere": "", "gone": "/no/such/python"}[why])
    assert patterns.classes_of(PETS, r"^(?P<label>[a-z]+)_\d+") == list(TRUE.values())


@pytest.mark.promise(*ROW)
def test_there_are_thirty(record_property):
    count = len(RIGHT) + len(WRONG) + len(CATASTROPHIC)
    assert count >= 60
    record_property("measured", f"{len(RIGHT)} label exactly right, {count - len(RIGHT)} refused by name, 0 hang")
