"""Rules from names to classes; the hostile ones stand in tests/trust/test_nasty_patterns.py."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.errors import OptionError
from imgclf.sources import patterns
from imgclf.sources.patterns import classes_of, ends_like_a_file

NAMES = ["cat.0.jpg", "dog.1.jpg", "owl"]


def test_the_text_before_the_first_dot():
    assert classes_of(NAMES, None) == ["cat", "dog", "owl"]
    assert classes_of([" cat .png", ".png"], None) == ["cat", None]


def test_a_function_or_an_expression():
    assert classes_of(NAMES, lambda name: name[0]) == ["c", "d", "o"]
    assert classes_of(NAMES, r"^(?P<label>\w+)\.\d") == ["cat", "dog", None]
    assert classes_of(NAMES, re.compile(r"(?P<label>CAT|dog)", re.IGNORECASE)) == ["cat", "dog", None]


def test_no_names_start_no_process(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert classes_of([], r"^(?P<label>\w+)\.\d+") == []
    assert classes_of(NAMES, r"(?P<label>cat|dog)") == ["cat", "dog", None], "one choice needs none"
    with pytest.raises(OptionError, match="no group 'label'"):
        classes_of([], "x")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), max_size=30))
def test_the_other_process_finds_what_this_one_does(names):
    rule = re.compile(r"(?P<label>[a-z0-9]+|\W+.?)")
    expected = [(match["label"].strip() or None) if (match := rule.search(name)) else None for name in names]
    assert classes_of(names, rule) == expected


def test_an_answer_that_is_not_whole_is_not_taken(monkeypatch):
    """The process was killed for memory, say: the names are matched here."""
    done = subprocess.CompletedProcess([], -9, stdout='"cat"\n"do', stderr="")
    monkeypatch.setattr(patterns.subprocess, "run", lambda *_, **__: done)
    assert classes_of(NAMES, r"^(?P<label>\w+)\.\d+") == ["cat", "dog", None]


@pytest.mark.parametrize("text", ["jpg", ".jpg", "cat.JPG", "PNG", "a.b.webp"])
def test_endings(text):
    assert ends_like_a_file(text)
    assert not ends_like_a_file(f"{text}s")


@pytest.mark.parametrize("text", ["", "cat", "jpgs", "notpng"])
def test_no_endings(text):
    assert not ends_like_a_file(text)


@pytest.mark.parametrize("said", ["", "usage: blender [args …]\n"])
def test_a_host_that_is_no_python_and_exits_with_1_is_no_hang(said, monkeypatch) -> None:
    """Programs that embed Python may call themselves its executable."""
    done = subprocess.CompletedProcess([], 1, stdout=said, stderr="")
    monkeypatch.setattr(patterns.subprocess, "run", lambda *_, **__: done)
    assert classes_of(["cat_1.jpg", "dog_2.jpg"], r"(?P<label>[a-z]+)_.+") == ["cat", "dog"]


def test_a_host_that_never_ends_is_given_up(monkeypatch) -> None:
    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired([], timeout)

    monkeypatch.setattr(patterns.subprocess, "run", hang)
    assert classes_of(["cat_1.jpg", "dog_2.jpg"], r"(?P<label>[a-z]+)_.+") == ["cat", "dog"]
