from __future__ import annotations

import csv

import pytest

from imgclf.tables import Table, visible

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
