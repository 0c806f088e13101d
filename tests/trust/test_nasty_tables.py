"""Tables of pixels as people have them: each is read exactly right, or refused with file, line, column and remedy."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_nasty_sets import ended

from imgclf.errors import DatasetError, ImgclfError, OptionError, UnknownNameError
from imgclf.sources import CsvPixelsSource, csv_file

ROW = (
    "nasty-tables",
    "More than 60 nasty tables are each read exactly right or refused, with line, column and remedy.",
)

HEAD = "label,p0,p1,p2,p3\n"
BODY = "3,0,1,2,30\n5,9,10,99,100\n3,255,200,0,70\n"
TABLE = HEAD + BODY
LABELS = ["3", "5", "3"]
PIXELS = [[0, 1, 2, 30], [9, 10, 99, 100], [255, 200, 0, 70]]
DIGITS = "".join(f",{i * 7 % 256}" for i in range(784))


def rows(*labels: str, sign: str = ",") -> str:
    """A table whose pictures are all alike, one per label."""
    return (
        sign.join(["label", "p0", "p1", "p2", "p3"])
        + "\n"
        + "".join(f"{label}{sign}9{sign}8{sign}7{sign}60\n" for label in labels)
    )


def zipped(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("t.csv", text)
    return content.getvalue()


def cells(*names: str) -> str:
    """A header of *names* and two rows that count on, so that a column in another place is seen."""
    return (
        ",".join(names)
        + "\n"
        + "".join(",".join(str(start + i) for i in range(len(names))) + "\n" for start in (30, 90))
    )


# name, content, options, class of every row (None: unlabelled), pixels (None: as in TABLE), what is warned of
Right = tuple[str, "str | bytes", dict[str, Any], list["str | None"], "list[list[int]] | None", str]
RIGHT: list[Right] = [
    ("plain", TABLE, {}, LABELS, None, ""),
    ("CRLF", TABLE.replace("\n", "\r\n"), {}, LABELS, None, ""),
    ("both line ends", TABLE.replace("\n", "\r\n", 2), {}, LABELS, None, ""),
    ("blank lines", f"\n\n{HEAD}\n{BODY}\n \n", {}, LABELS, None, ""),
    ("BOM", TABLE.encode("utf-8-sig"), {}, LABELS, None, ""),
    ("semicolons", TABLE.replace(",", ";"), {}, LABELS, None, ""),
    ("tabs", TABLE.replace(",", "\t"), {}, LABELS, None, ""),
    ("spaces around", TABLE.replace(",", " , "), {}, LABELS, None, ""),
    ("quotes around all", '"' + TABLE.strip().replace(",", '","').replace("\n", '"\n"') + '"\n', {}, LABELS, None, ""),
    ("floats that are whole", BODY.replace(",", ".0,").join([HEAD, ""]), {}, LABELS, None, ""),
    ("leading plus and zeros", HEAD + BODY.replace(",", ",+0"), {}, LABELS, None, ""),
    ("no header", BODY, {}, LABELS, None, ""),
    ("a header of numbers", "0,1,2,3,4\n" + BODY, {"label": 0}, LABELS, None, ""),
    ("pixels named by numbers", "label,0,1,2,3\n" + BODY, {}, LABELS, None, ""),
    ("pixels before the label", "p0,p1,p2,p3,label\n0,1,2,30,3\n9,10,99,100,5\n255,200,0,70,3\n", {}, LABELS, None, ""),
    ("the label in the middle", "p0,p1,label,p2,p3\n0,1,3,2,30\n9,10,5,99,100\n255,200,3,0,70\n", {}, LABELS, None, ""),
    ("the label named otherwise, and said", TABLE.replace("label", "digit"), {"label": "digit"}, LABELS, None, ""),
    ("the label last without a header, and said", "0,1,2,30,3\n9,10,99,100,5\n255,200,0,70,3\n", {"label": -1}, LABELS, None, ""),
    ("no label column", "p0,p1,p2,p3\n0,1,2,30\n9,10,99,100\n255,200,0,70\n", {}, [None] * 3, None, ""),
    ("label column not wanted", "p0,p1,p2,p3\n0,1,2,30\n9,10,99,100\n255,200,0,70\n", {"label": None}, [None] * 3, None, ""),
    ("duplicate rows", HEAD + BODY + BODY, {}, LABELS * 2, PIXELS * 2, ""),
    ("gzip", gzip.compress(TABLE.encode()), {}, LABELS, None, ""),
    ("a zip archive", zipped(TABLE), {}, LABELS, None, ""),
    ("gzip of several members", gzip.compress(HEAD.encode()) + gzip.compress(BODY[:13].encode()) + gzip.compress(BODY[13:].encode()), {}, LABELS, None, ""),
    ("a last line without its end", TABLE.rstrip(), {}, LABELS, None, ""),
    ("a last line that may be cut", TABLE.rstrip()[:-1], {}, LABELS, [*PIXELS[:2], [255, 200, 0, 7]], "last line .* has no end.*incomplete"),
    ("a last label that may be cut", "p0,p1,p2,p3,label\n1,2,3,40,cat\n1,2,3,40,cat\n1,2,3,40,do", {}, ["cat", "cat", "do"], [[1, 2, 3, 40]] * 3, "has no end"),
    ("a class called NA", rows("NA", "b", "NA"), {}, ["NA", "b", "NA"], [[9, 8, 7, 60]] * 3, ""),
    ("a class called null", rows("null", "b", "null"), {}, ["null", "b", "null"], [[9, 8, 7, 60]] * 3, ""),
    ("a class called nan", rows("nan", "1", "1"), {}, ["nan", "1", "1"], [[9, 8, 7, 60]] * 3, ""),
    ("a class called None", rows("None", "True", "None"), {}, ["None", "True", "None"], [[9, 8, 7, 60]] * 3, ""),
    ("spaces around a class", rows(" cat", "cat ", "dog", '" dog"'), {}, ["cat", "cat", "dog", "dog"], [[9, 8, 7, 60]] * 4, ""),
    ("a comma in a class", rows('"cat, red"', "dog", "dog"), {}, ["cat, red", "dog", "dog"], [[9, 8, 7, 60]] * 3, ""),
    ("quotes in a class", rows('"the ""cat"""', "dog", "dog"), {}, ['the "cat"', "dog", "dog"], [[9, 8, 7, 60]] * 3, ""),
    ("spaces before quotes", rows(' "cat"', '"cat"', '  "dog"'), {}, ["cat", "cat", "dog"], [[9, 8, 7, 60]] * 3, ""),
    ("inches in a class", rows('5" disc', '5" disc', "dog"), {}, ['5" disc', '5" disc', "dog"], [[9, 8, 7, 60]] * 3, ""),
    ("labels 1.0 and 2.0", rows("1.0", "2.0", "1.0"), {}, ["1", "2", "1"], [[9, 8, 7, 60]] * 3, ""),
    ("labels 1 and 1.0", rows("1", "2", "1.0"), {}, ["1", "2", "1"], [[9, 8, 7, 60]] * 3, ""),
    ("labels 01 and 02 as they stand", rows("01", "02", "01"), {}, ["01", "02", "01"], [[9, 8, 7, 60]] * 3, ""),
    ("labels 1e3 and 5", rows("1e3", "5", "5"), {}, ["1e3", "5", "5"], [[9, 8, 7, 60]] * 3, ""),
    ("labels -1 and others", rows("-1", "0", "1", "1"), {}, [None, "0", "1", "1"], [[9, 8, 7, 60]] * 4, "1 of 4 labels .* unlabelled"),
    ("labels beyond 64 bits", rows("9" * 40, "5", "5"), {}, ["9" * 40, "5", "5"], [[9, 8, 7, 60]] * 3, ""),
    ("labels 2, 10, 1 in their order", rows("2", "10", "1", "1"), {}, ["2", "10", "1", "1"], [[9, 8, 7, 60]] * 4, ""),
    ("numbers that are positions", rows("1", "0", "1"), {"class_names": ("cat", "dog")}, ["dog", "cat", "dog"], [[9, 8, 7, 60]] * 3, ""),
    ("Korean classes", rows("고양이", "개", "개"), {}, ["고양이", "개", "개"], [[9, 8, 7, 60]] * 3, ""),
    ("a hostile class", rows("=1+1", "<b>", "<b>"), {}, ["=1+1", "<b>", "<b>"], [[9, 8, 7, 60]] * 3, ""),
    ("28 × 28", f"label{''.join(f',pixel{i}' for i in range(784))}\n0{DIGITS}\n1{DIGITS}\n1{DIGITS}\n", {}, ["0", "1", "1"], [[i * 7 % 256 for i in range(784)]] * 3, ""),
    ("28 × 28 by row and column", f"label{''.join(f',{r}x{c}' for r in range(1, 29) for c in range(1, 29))}\n0{DIGITS}\n1{DIGITS}\n1{DIGITS}\n", {}, ["0", "1", "1"], [[i * 7 % 256 for i in range(784)]] * 3, ""),
    ("x before y, row by row", cells("x0y0", "x1y0", "x0y1", "x1y1"), {}, [None] * 2, [[30, 31, 32, 33], [90, 91, 92, 93]], ""),
    ("names that pandas made of one", cells("pixel", "pixel.1", "pixel.2", "pixel.3"), {}, [None] * 2, [[30, 31, 32, 33], [90, 91, 92, 93]], ""),
    ("not square, and said", cells("p0", "p1", "p2", "p3", "p4", "p5"), {"image_shape": (2, 3)}, [None] * 2, [list(range(30, 36)), list(range(90, 96))], ""),
    ("colours side by side", cells(*(f"{c}{i}" for i in range(4) for c in "rgb")), {}, [None] * 2, [list(range(30, 42)), list(range(90, 102))], ""),
    ("zeros and ones", "label,p0,p1,p2,p3\na,0,1,0,1\nb,1,1,0,0\nb,0,0,0,1\n", {}, ["a", "b", "b"], [[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]], "no pixel .* above 1.*multiply by 255"),
    ("zeros and ones as floats", "label,p0,p1,p2,p3\na,0.0,1.0,0.0,1.0\nb,1.0,1.0,0.0,0.0\nb,0.0,0.0,0.0,1.0\n", {}, ["a", "b", "b"], [[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]], "multiply by 255"),
    ("no header, both ends like labels", "0,9,9,9,1\n1,8,8,80,0\n0,7,7,70,1\n", {}, ["0", "1", "0"], [[9, 9, 9, 1], [8, 8, 80, 0], [7, 7, 70, 1]], "could both be labels.*label=-1"),
    ("a class of one beside its like", rows(*["dog"] * 6, *["cat"] * 6, "dogs"), {}, ["dog"] * 6 + ["cat"] * 6 + ["dogs"], [[9, 8, 7, 60]] * 13, "'dogs' of one picture beside 'dog'.*a slip"),
]  # fmt: skip

# name, content, options, error, what its message holds
Wrong = tuple[str, "str | bytes", dict[str, Any], type[ImgclfError], tuple[str, ...]]


def bad(cell: str, place: int = 2) -> str:
    """The table with *cell* in column p2 of line 4."""
    last = ["3", "255", "200", "0", "70"]
    last[place + 1] = cell
    return HEAD + "".join(BODY.splitlines(keepends=True)[:2]) + ",".join(last) + "\n"


AT = ("t.csv', line 4: column 'p2'",)
WRONG: list[Wrong] = [
    *((f"a pixel {cell[:20]!r}", bad(cell), {}, DatasetError, (*AT, f"holds {cell[:40]!r}", "expected a whole number from 0 to 255", advice))
      for cell, advice in [("300", "Correct it"), ("256", ""), ("-5", ""), ("-1", ""), ("0.5", "multiply by 255"), ("5.0e-01", "multiply by 255"),
                           ("1e-3", "multiply by 255"), ("1e2", ""), ("NaN", ""), ("inf", ""), ("cat", ""), ("0xff", ""), ("1_0", ""), ("٣", ""),
                           ("²", ""), ("1 2", ""), ("1'000", ""), ("True", ""), ("=1", ""), ("9" * 40, ""), ("−5", ""), ("12.5", ""), ("#3", "")]),
    ("an empty pixel", bad(""), {}, DatasetError, (*AT, "is empty")),
    ("a zero byte in a pixel", bad("1\0"), {}, DatasetError, (*AT, "holds '1\\x00'")),
    ("a zero byte in a class", rows("cat", "do\0g", "cat"), {}, DatasetError, ("line 3: column 'label' holds 'do\\x00g'", "Restore")),
    ("a decimal comma", bad("1,5"), {}, DatasetError, ("line 4: has 6 columns; expected 5",)),
    ("a decimal comma among semicolons", TABLE.replace(",", ";").replace("99", "9,9"), {}, DatasetError, ("line 3: column 'p2' holds '9,9'",)),
    ("a thousands separator", bad('"1,000"'), {}, DatasetError, (*AT, "holds '1,000'")),
    ("a quote that is not closed", bad('"7'), {}, DatasetError, ("line 4",)),
    ("a quote that is not closed, at the end", TABLE[:-3] + '"70\n', {}, DatasetError, ("line 4: has a quote that is not closed", "Mend the quotes")),
    ("a class over two lines", rows('"cat\nred"', "dog"), {}, DatasetError, ("line 2: has a quote that is not closed", "Mend")),
    ("a quote in a class that is not closed", rows('"cat', "dog", "dog"), {}, DatasetError, ("line 2: has a quote", "Mend the quotes")),
    ("a quote in the header that is not closed", '"' + TABLE, {}, DatasetError, ("the first line of", "has a quote", "Mend the quotes")),
    ("more behind a quote", rows('"cat"s', "dog", "dog"), {}, DatasetError, ("line 2: has a quote",)),
    ("a short row", TABLE + "3,1,2,3\n", {}, DatasetError, ("line 5: has 4 columns; expected 5", "cut off")),
    ("a long row", TABLE + "3,1,2,3,4,5\n", {}, DatasetError, ("line 5: has 6 columns; expected 5",)),
    ("a short and a long row", TABLE + "3,1,2,3\n3,1,2,3,4,5\n", {}, DatasetError, ("line 5: has 4 columns",)),
    ("cut off in the last line", TABLE[:-8], {}, DatasetError, ("line 4: has 3 columns", "cut off")),
    ("a separator behind every row", TABLE.replace("\n", ",\n"), {}, DatasetError, ("5 columns of pixels", "remove the empty last column")),
    ("a separator behind one row", TABLE + "3,1,2,3,4,\n", {}, DatasetError, ("line 5: has 6 columns",)),
    ("rows of separators", TABLE + ",,,,\n", {}, DatasetError, ("line 5: column 'label' is empty", "remove the line")),
    ("an empty class", rows("cat", "", "cat"), {}, DatasetError, ("line 3: column 'label' is empty", "Fill it in")),
    ("a comment before", "# MNIST\n" + TABLE, {}, DatasetError, ("one column only, '# MNIST'", "Save it as CSV")),
    ("a comment in the header", "#" + TABLE, {}, DatasetError, ("'#label'", "label='#label'")),
    ("a comment between", HEAD + "# begin\n" + BODY, {}, DatasetError, ("line 2: has 1 columns",)),
    ("spaces between", TABLE.replace(",", " "), {}, DatasetError, ("one column only", "Save it as CSV")),
    ("bars between", TABLE.replace(",", "|"), {}, DatasetError, ("one column only",)),
    ("two separators", HEAD + BODY.replace(",", ";"), {}, DatasetError, ("line 2: has 1 columns; expected 5",)),
    ("CR alone", TABLE.replace("\n", "\r"), {}, DatasetError, ("end as on old Macintoshes", "LF")),
    ("CR alone behind the header", HEAD + BODY.replace("\n", "\r"), {}, DatasetError, ("line 2: has a carriage return", "LF")),
    ("UTF-16", TABLE.encode("utf-16"), {}, DatasetError, ("no table in UTF-8", "Save it as CSV, UTF-8")),
    ("UTF-16 without a mark", TABLE.encode("utf-16-le"), {}, DatasetError, ("no table in UTF-8",)),
    ("UTF-32", TABLE.encode("utf-32"), {}, DatasetError, ("no table in UTF-8",)),
    ("Latin-1", rows("café", "thé").encode("latin-1"), {}, DatasetError, ("line 2", "is no UTF-8", "Save the table")),
    ("empty", b"", {}, DatasetError, ("t.csv' is empty", "Restore")),
    ("blank", b"\n \n\t\n", {}, DatasetError, ("is empty",)),
    ("a mark alone", b"\xef\xbb\xbf", {}, DatasetError, ("is empty",)),
    ("a header alone", HEAD, {}, DatasetError, ("has a header and no rows", "Restore")),
    ("zeros of a crashed disk", b"\0" * 4096, {}, DatasetError, ("no table in UTF-8",)),
    ("gzip, cut off", gzip.compress((TABLE * 50).encode())[:-20], {}, DatasetError, ("is damaged", "Fetch it again")),
    ("gzip, a bit turned", b"".join([(g := gzip.compress((HEAD + BODY * 50).encode()))[:40], bytes([g[40] ^ 64]), g[41:]]), {}, DatasetError, ("t.csv'",)),
    ("gzip, the checksum turned", gzip.compress(TABLE.encode())[:-8] + b"\1\2\3\4" + gzip.compress(TABLE.encode())[-4:], {}, DatasetError, ("is damaged", "CRC")),
    ("gzip in name alone", b"\x1f\x8bnothing", {}, DatasetError, ("is damaged",)),
    ("gzip of gzip", gzip.compress(gzip.compress(TABLE.encode())), {}, DatasetError, ("t.csv'",)),
    ("a zip archive, cut off", zipped(TABLE)[:-30], {}, DatasetError, ("is damaged", "Fetch the archive again")),
    ("a zip archive in gzip", gzip.compress(zipped(TABLE)), {}, DatasetError, ("is a zip archive", "Unpack it")),
    ("bzip2", bz2.compress(TABLE.encode()), {}, DatasetError, ("is bzip2", "Unpack it")),
    ("xz", lzma.compress(TABLE.encode()), {}, DatasetError, ("is xz", "Unpack it")),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", {}, DatasetError, ("t.csv'",)),
    ("a page", b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n", {}, DatasetError, ("one column only",)),
    ("a column name twice", TABLE.replace("p1", "p0"), {}, DatasetError, ("same name: 'p0'", "Rename")),
    ("two labels", "label,label,p0,p1,p2,p3\n1,1,2,3,4,5\n", {}, DatasetError, ("same name: 'label'",)),
    ("names half given", "label,p0,,,p3\n" + BODY, {}, DatasetError, ("same name: ''",)),
    ("the label named otherwise", TABLE.replace("label", "digit"), {}, DatasetError, ("no column 'label'", "label='digit'")),
    ("the label in capitals", TABLE.replace("label", "Label"), {}, DatasetError, ("label='Label'",)),
    ("the label named otherwise, and a square", cells("digit", "p0", "p1", "p2"), {}, DatasetError, ("'digit' among its pixels", "label='digit'")),
    ("a label that is not there", TABLE, {"label": "labels"}, UnknownNameError, ("no column is called 'labels'", "Did you mean 'label'?")),
    ("a label by name without header", BODY, {"label": "digit"}, DatasetError, ("has no header", "label=0")),
    ("a label beyond the columns", TABLE, {"label": 9}, DatasetError, ("label is 9", "Give 0 to 4")),
    ("no header, the label last", "20,9,9,40,0\n30,8,8,80,1\n200,7,7,70,0\n", {}, DatasetError, ("its last column", "label=-1")),
    ("no header, a picture or label and picture", "30,40,50,60\n9,9,9,9\n", {}, DatasetError, ("label=None or label=0",)),
    ("a row number from pandas", ",label,p0,p1,p2,p3\n0,1,2,3,4,5\n", {}, DatasetError, ("index=False",)),
    ("a row number, saved twice", "Unnamed: 0,label,p0,p1,p2,p3\n0,1,2,3,4,5\n", {}, DatasetError, ("'Unnamed: 0'", "index=False")),
    ("a row number that makes a square", ",label,0,1,2\n0,1,2,3,4\n", {}, DatasetError, ("'' among its pixels", "index=False")),
    ("an id that makes a square", "id,label,p0,p1,p2\n0,1,2,3,4\n", {}, DatasetError, ("'id' among its pixels", "remove the column")),
    ("one pixel too few", f"label{''.join(f',p{i}' for i in range(783))}\n0{DIGITS.rpartition(',')[0]}\n", {}, DatasetError, ("783 columns of pixels", "image_shape=")),
    ("not square", cells("label", *(f"p{i}" for i in range(6))), {}, DatasetError, ("6 columns of pixels", "image_shape=(height, width)")),
    ("another shape than said", TABLE, {"image_shape": (3, 3)}, DatasetError, ("4 columns of pixels", "expected 9 = 3 × 3 × 1")),
    ("pixels sorted as text", cells("label", *sorted(f"pixel{i}" for i in range(16))), {}, DatasetError, ("'pixel15' stands before 'pixel2'", "Put the columns")),
    ("pixels sorted as text by row", cells("label", *(f"{r}x{c}" for r in sorted(map(str, range(1, 13))) for c in range(1, 13))), {}, DatasetError, ("'12x12' stands before '2x1'",)),
    ("pixels shuffled", cells("label", "p2", "p0", "p3", "p1"), {}, DatasetError, ("'p2' stands before 'p0'",)),
    ("column after column", cells("label", "1x1", "2x1", "1x2", "2x2"), {}, DatasetError, ("'2x1' stands before '1x2'", "row by row")),
    ("one channel after the other", cells(*(f"{c}{i}" for c in "rgb" for i in range(4))), {}, DatasetError, ("one channel after the other", "r0, g0, b0")),
    ("channels first, by number", cells(*(f"p_{c}_{y}_{x}" for c in range(3) for y in range(5) for x in range(5))), {}, DatasetError, ("one channel after the other",)),
    ("one class", rows("cat", "cat"), {}, DatasetError, ("one class only, 'cat'",)),
    ("a class per row", rows(*(f"id{i}" for i in range(12))), {}, DatasetError, ("12 classes for 12 pictures",)),
    ("classes that differ in case", rows("Cat", "cat", "dog"), {}, DatasetError, ("'Cat' and 'cat'", "Rename")),
    ("labels 1 and 01", rows("1", "01", "2", "2"), {}, DatasetError, ("one number in several ways: '01', '1'", "Write it in one")),
    ("labels 0.5 and 0.50", rows("0.5", "0.50", "1.5", "1.5"), {}, DatasetError, ("'0.5', '0.50'",)),
    ("a label that class_names lack", rows("cat", "dgo", "dog"), {"class_names": ("cat", "dog")}, DatasetError, ("lacks: 'dgo'", "Did you mean 'dog'")),
    ("a number beyond class_names", rows("0", "2", "1"), {"class_names": ("cat", "dog")}, DatasetError, ("outside 0 to 1", "2")),
    ("a label that is no name", TABLE, {"label": 1.0}, OptionError, ("label is 1.0",)),
]  # fmt: skip


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", RIGHT, ids=[case[0] for case in RIGHT])
@pytest.mark.parametrize("block", [1024**2, 16], ids=["at once", "in blocks"])
def test_read_exactly_right(tmp_path, monkeypatch, case: Right, block: int):
    _, content, options, labels, pixels, warned = case
    monkeypatch.setattr(csv_file, "_BLOCK", block)
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read() -> CsvPixelsSource:
        source = CsvPixelsSource(path, **options)
        source.samples()
        return source

    source, said = ended(read)
    assert isinstance(source, CsvPixelsSource), source
    samples = source.samples()
    assert [None if label < 0 else source.class_names[label] for label in samples.labels] == labels
    found = source.load_images()
    assert found.dtype == np.uint8
    assert found.reshape(len(found), -1).tolist() == (pixels or PIXELS)
    for key, image in zip(samples.keys.tolist(), found, strict=True):
        np.testing.assert_array_equal(source.read(key), image)
    assert len(said) == bool(warned), said
    if warned:
        assert re.search(warned, said[0]), said


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_refused_with_a_remedy(tmp_path, case: Wrong):
    _, content, options, kind, parts = case
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    error, _ = ended(lambda: CsvPixelsSource(path, **options).samples())
    assert type(error) is kind, error
    message = str(error)
    assert [part for part in parts if part not in message] == [], message
    assert all(c.isprintable() for c in message), "it would reach the terminal"
    assert kind is OptionError or "t.csv" in message, "which file?"


@pytest.mark.promise(*ROW)
def test_there_are_sixty(record_property):
    assert len(RIGHT) + len(WRONG) >= 100
    assert len({case[0] for case in [*RIGHT, *WRONG]}) == len(RIGHT) + len(WRONG)
    record_property("measured", f"{len(RIGHT)} read exactly right, {len(WRONG)} refused by name, 0 silently wrong")


@pytest.mark.promise(*ROW)
def test_keys_are_lines_as_an_editor_counts(tmp_path):
    (tmp_path / "t.csv").write_text(f"\n{HEAD}\n{BODY}")
    source = CsvPixelsSource(tmp_path / "t.csv")
    assert source.samples().keys.tolist() == ["t.csv:4", "t.csv:5", "t.csv:6"]


@pytest.mark.promise(*ROW)
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """A small file that unpacks to gigabytes is given up long before; unpacked by hand, the same table is read."""
    monkeypatch.setattr(csv_file, "MAX_UNPACKED", 512 * 1024)
    text = HEAD + "a,0,0,0,9\nb,0,0,0,9\n" * 50_000
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), 9))
    assert path.stat().st_size * csv_file.MAX_RATIO < len(text)
    error, _ = ended(lambda: CsvPixelsSource(path).samples())
    assert isinstance(error, DatasetError), error
    assert "holds more than" in str(error)
    assert "unpack it" in str(error)
    (tmp_path / "t.csv").write_text(text)
    assert len(CsvPixelsSource(tmp_path / "t.csv").samples()) == 100_000


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("content", [b"\n" * 3_000_000, b"1," * 1_500_000], ids=["blank lines", "one line"])
def test_a_long_nothing_ends(tmp_path, monkeypatch, content):
    monkeypatch.setattr(csv_file, "MAX_LINE", 2 * 1024**2)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    error, _ = ended(lambda: CsvPixelsSource(tmp_path / "t.csv.gz").samples())
    assert isinstance(error, DatasetError), error
    assert "is empty" in str(error) or "on one line" in str(error)


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "lost link", "gone", "nothing"])
def test_paths_that_are_no_tables(tmp_path, kind):
    path = tmp_path / "t.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "lost link":
        path.symlink_to(tmp_path / "gone")
    error, _ = ended(lambda: CsvPixelsSource("" if kind == "nothing" else path))
    assert isinstance(error, DatasetError | OptionError), error
    assert re.search(r"no file|no regular file|the table is ''", str(error)), error


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("change", ["pipe", "gone", "other header", "other rows"])
def test_a_table_that_changes_before_it_is_read(tmp_path, change):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    source = CsvPixelsSource(path)
    path.unlink()
    if change == "pipe":
        os.mkfifo(path)
    elif change == "other header":
        path.write_text("p0,p1,p2,p3,label\n0,1,2,3,3\n9,10,99,100,5\n")
    elif change == "other rows":
        path.write_text(HEAD + "3,0,1,2\n")
    error, _ = ended(source.samples)
    assert isinstance(error, DatasetError), error
    told = {
        "pipe": "no regular file",
        "gone": "No such file",
        "other header": "was changed",
        "other rows": "has 4 columns",
    }
    assert told[change] in str(error)


@pytest.mark.promise(*ROW)
def test_any_damage_is_noticed_or_harmless(tmp_path):
    """A character put, taken or replaced anywhere: an error, or a table that really says so."""
    rng = np.random.default_rng(0)
    silent = 0
    for _ in range(500):
        place, sign = int(rng.integers(len(TABLE))), str(rng.choice(list('0159,;\t\n\r"-. eN\0#')))
        cut = int(rng.integers(0, 2))
        text = TABLE[:place] + (sign if rng.random() < 0.8 else "") + TABLE[place + cut :]
        (tmp_path / "t.csv").write_bytes(text.encode())
        found, said = ended(lambda: CsvPixelsSource(tmp_path / "t.csv").load_images())
        if isinstance(found, Exception):
            assert isinstance(found, ImgclfError), (text, found)
            continue
        try:
            truth = _as_written(text)
        except ValueError:
            raise AssertionError((text, found.tolist())) from None
        silent += truth != found.reshape(len(found), -1).tolist()
        assert truth == found.reshape(len(found), -1).tolist(), (text, said)
    assert silent == 0


def _as_written(text: str) -> list[list[float]]:
    """The numbers of every line that is no header, as a reader with pencil and paper would copy them."""
    lines = [line.split(",") for line in text.splitlines() if line.strip()]
    header = lines[0] if any(re.search("[a-z]", cell) for cell in lines[0]) else None
    position = next((i for i, cell in enumerate(header) if cell.strip(' "\t') == "label"), None) if header else 0
    return [
        [float(cell.strip(' "\t')) for i, cell in enumerate(cells) if i != position]
        for cells in lines[1 if header else 0 :]
    ]


def test_the_real_table_is_read_as_numpy_reads_it(real_data):
    path = Path(real_data) / "mnist" / "test.csv.gz"
    if not path.is_file():
        pytest.skip("no real table here")
    oracle = np.loadtxt(path, np.uint8, delimiter=",", skiprows=1, max_rows=2000)
    source = CsvPixelsSource(path)
    np.testing.assert_array_equal(source.load_images()[:2000].reshape(2000, -1), oracle[:, 1:])
