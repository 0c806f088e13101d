from __future__ import annotations

import csv

from imgclf.tables import Table

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
