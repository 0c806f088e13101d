"""docs/reference.md: every public name is on it, under the name that a user types, and shows an example."""

from __future__ import annotations

import inspect
import re

import doc_pages
import pytest

import imgclf

PAGE = (doc_pages.DOCS / "reference.md").read_text(encoding="utf-8")
MODULES = ("demo", "health", "label_errors", "recipes")


@pytest.mark.parametrize("name", sorted(set(imgclf.__all__) - set(MODULES)))
def test_a_name_is_on_the_page(name):
    assert re.search(rf"^\.\. (?:auto|py:)\w+:: imgclf\.{name}$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_offers_is_on_the_page(name):
    assert re.search(rf"^\.\. auto\w+:: imgclf\.{name}\b", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", imgclf.__all__)
def test_a_name_shows_an_example(name):
    shown = inspect.getdoc(getattr(imgclf, name)) or ""
    if name == "health":
        shown = inspect.getdoc(imgclf.health.check) or ""
    assert ">>> " in shown or re.search(r"::\n\n(?: {4}.+\n?)+", shown), f"imgclf.{name} has no example"
