"""docs/reliability.md says what the tests say: no promise without its line, no line without its test."""

from __future__ import annotations

import json

import scoreboard


def held():
    return json.loads(scoreboard.RESULTS.read_text(encoding="utf-8"))


def lines():
    return {name: (row, text) for row, texts in held().items() for text, tests in texts.items() for name in tests}


def test_every_promise_has_its_line(promises):
    """Run ``pytest --scoreboard`` and ``python tests/scoreboard.py`` where this fails."""
    written = lines()
    assert {name: written.get(name) for name in promises} == promises


def test_every_line_has_its_test():
    assert [name for name in lines() if not scoreboard.exists(name)] == []


def test_every_line_was_proved():
    for texts in held().values():
        for tests in texts.values():
            for name, test in tests.items():
                assert test["failed"] == 0, name
            assert sum(test["passed"] for test in tests.values()), "a promise that nothing has proved"


def test_every_row_stands_in_a_group():
    assert set(held()) <= {row for rows in scoreboard.GROUPS.values() for row in rows}


def test_the_page_is_up_to_date():
    assert scoreboard.PAGE.read_text(encoding="utf-8") == scoreboard.page(held())


def test_a_failed_case_is_told():
    class Report:
        nodeid, when, outcome = "tests/a.py::test_a[1]", "call", "failed"
        user_properties = (("measured", "3 of 4"), ("promise", ("kill", "It lives.", False)))

    found = scoreboard.gathered([Report()])
    assert found == {
        ("kill", "It lives."): {"tests/a.py::test_a": {"passed": 0, "failed": 1, "skipped": 0, "measured": ["3 of 4"]}}
    }
