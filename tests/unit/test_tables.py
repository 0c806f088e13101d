from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from imgclf.errors import MissingPackageError
from imgclf.tables import Table, page, visible

TABLE = Table(("name", "share", "n"), [("a,b", 0.123456789, 10), ('"<x>"', 1.0, 2)])


def test_text_is_aligned_with_numbers_to_the_right():
    assert str(TABLE) == 'name    share   n\na,b    0.1235  10\n"<x>"  1.0000   2'
    assert str(Table(("a", "b"), [])) == "a  b"


def test_control_characters_do_not_reach_the_terminal():
    hostile = Table(("\x1b[31m",), [("\x1b[31mred\n",)])
    assert "\x1b" not in str(hostile) + hostile._repr_html_()


def test_long_tables_are_cut_when_printed_and_whole_in_files(tmp_path):
    table = Table(("n",), [(i,) for i in range(100)])
    assert str(table).splitlines()[-1] == "… and 40 more rows"
    assert "… and 40 more rows" in table._repr_html_()
    assert len(table.to_csv(tmp_path / "t.csv").read_text().splitlines()) == 101


def test_html_is_escaped():
    html = TABLE._repr_html_()
    assert "<x>" not in html
    assert "&lt;x&gt;" in html


def test_csv_comes_back_whole(tmp_path):
    with TABLE.to_csv(tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["name", "share", "n"], ["a,b", "0.123456789", "10"], ['"<x>"', "1.0", "2"]]


def test_records_and_length():
    assert len(TABLE) == 2
    assert TABLE.records()[1] == {"name": '"<x>"', "share": 1.0, "n": 2}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("고양이 🐈", "고양이 🐈"),
        ("\x1b[0m", "\\x1b[0m"),
        ("\n", "\\n"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_can_be_shown_is_and_the_rest_is_written_out(text, shown):
    assert visible(text) == shown


def test_formulas_are_text_in_a_file_and_come_back(tmp_path):
    table = Table(("=n", "x"), [("=1+1", -1.5), ("a;@b", 2), ("'", 3), ("", None)])
    path = table.to_csv(tmp_path / "t.csv")
    assert path.read_text() == '\'=n,x\n\'=1+1,-1.5\n"a;\'@b",2\n\',3\n"",""\n'
    again = Table.from_csv(path)
    assert again.columns == ["=n", "x"]
    assert again.rows == [["=1+1", "-1.5"], ["a;@b", "2"], ["'", "3"], ["", ""]]


def test_one_empty_cell_is_a_row(tmp_path):
    assert Table.from_csv(Table(("n",), [("",), ("a\rb",)]).to_csv(tmp_path / "t.csv")).rows == [[""], ["a\rb"]]


ODD = Table(
    ("key", "p", "n"),
    [("a\udcff<b>", np.float32("nan"), np.int64(3)), ("=1+1", float("-inf"), True), (None, 0.5, np.array([1]))],
)


def test_json_has_null_for_what_is_no_number_and_whole_text(tmp_path):
    """Every reader of JSON takes the file: no NaN, no half characters, NumPy's numbers as numbers."""
    text = ODD.to_json(tmp_path / "t.json").read_text(encoding="utf-8")
    rows = json.loads(text, parse_constant=pytest.fail)
    assert rows == [
        {"key": "a\\udcff<b>", "p": None, "n": 3},
        {"key": "=1+1", "p": None, "n": True},
        {"key": None, "p": 0.5, "n": "[1]"},
    ]


def test_a_data_frame_has_all_rows_and_the_columns_in_order():
    """A DataFrame is the whole table, names that occur twice included, and text stays what it was."""
    pytest.importorskip("pandas")
    frame = Table(("", "x", "x"), [(f"=<{i}>", i, i / 2) for i in range(100)]).to_pandas()
    assert list(frame.columns) == ["", "x", "x"]
    assert frame.shape == (100, 3)
    assert frame.iloc[99].tolist() == ["=<99>", 99, 49.5]
    assert Table(("a", "b"), []).to_pandas().shape == (0, 2)


def test_without_pandas_the_message_says_what_to_do(monkeypatch):
    """A missing pandas is an ImportError that names the way out."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r"pip install pandas, or use records\(\)") as caught:
        TABLE.to_pandas()
    assert isinstance(caught.value, ImportError)


def test_a_page_is_text_and_tables():
    """Lines become paragraphs, and nothing in them is an element."""
    assert page("<i>\n\nb\x1b", Table(("n",), [])) == (
        "<p>&lt;i&gt;</p><p>b\\x1b</p><table><thead><tr><th>n</th></tr></thead><tbody></tbody></table>"
    )


def test_a_notebook_shows_no_thousand_columns():
    """Of a table with a column per class a page shows the first, and says how many more there are."""
    wide = Table(tuple(map(str, range(1000))), [tuple(range(1000))])
    assert wide._repr_html_().count("<td>") == 30
    assert "<th>… and 970 more columns</th>" in wide._repr_html_()
