from __future__ import annotations

import gzip
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imgclf.errors import DatasetError, OptionError, UnknownNameError
from imgclf.sources import UNLABELLED, CsvPixelsSource, DrawnPets, csv_file, csv_rows

HEADER = "label,p0,p1,p2,p3"
ROWS = ["3,0,1,2,3", "10,9,10,99,100", "3,255,200,0,7"]
PIXELS = [[0, 1, 2, 3], [9, 10, 99, 100], [255, 200, 0, 7]]


@pytest.fixture
def table(tmp_path: Path):
    def write(*lines: str, end: str = "\n", encoding: str = "utf-8", name: str = "t.csv") -> Path:
        content = end.join([*lines, ""]).encode(encoding)
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        return path

    return write


def pixels(source: CsvPixelsSource) -> list[list[int]]:
    return source.load_images().reshape(len(source.load_images()), -1).tolist()


def test_one_picture_per_row(table) -> None:
    source = CsvPixelsSource(table(HEADER, *ROWS))
    assert source.class_names == ("3", "10")
    assert source.image_shape == (2, 2, 1)
    assert source.samples().keys.tolist() == ["t.csv:2", "t.csv:3", "t.csv:4"]
    assert source.samples().labels.tolist() == [0, 1, 0]
    assert pixels(source) == PIXELS
    assert source.load_images().dtype == np.uint8
    assert source.read("t.csv:3").tolist() == [[[9], [10]], [[99], [100]]]


@pytest.mark.parametrize(
    "lines",
    [
        [HEADER, *ROWS],
        [HEADER.replace(",", ";"), *(row.replace(",", ";") for row in ROWS)],
        [HEADER.replace(",", "\t"), *(row.replace(",", "\t") for row in ROWS)],
        ["label,0,1,2,3", *ROWS],
        ["0,1,2,3,4", *ROWS],
        [" label , p0,p1,p2,p3", *ROWS],
        ['"label","p0","p1","p2","p3"', *ROWS],
        [HEADER, *('"' + row.replace(",", '","') + '"' for row in ROWS)],
        [HEADER, *(row.replace(",", ", ") for row in ROWS)],
        [HEADER, *(row.replace(",", ".0,") for row in ROWS)],
        [HEADER, *(row.replace(",", ",+0") for row in ROWS)],
        [HEADER, *ROWS, "", ""],
        [HEADER, "", *ROWS[:2], "  ", ROWS[2]],
        ["", HEADER, *ROWS],
        ROWS,
        ["", *ROWS],
        ["p0,p1,label,p2,p3", *(",".join([*r.split(",")[1:3], r.split(",")[0], *r.split(",")[3:]]) for r in ROWS)],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.CSV"])
def test_ways_to_write_the_same(table, lines: list[str], end: str, encoding: str, name: str) -> None:
    label = 0 if lines[0] == "0,1,2,3,4" else "label"
    path = table(*lines, end=end, encoding=encoding, name=name)
    source = CsvPixelsSource(path, label)
    assert pixels(source) == PIXELS
    assert source.class_names == ("3", "10")
    assert source.samples().labels.tolist() == [0, 1, 0]
    text = path.read_bytes() if name != "t.csv.gz" else gzip.decompress(path.read_bytes())
    shown = text.decode("utf-8-sig").splitlines()
    for key, row in zip(source.samples().keys.tolist(), PIXELS, strict=True):
        assert key.startswith(f"{name}:")
        assert str(row[-1]) in shown[int(key.rpartition(":")[2]) - 1], "the key is not the line an editor shows"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_last_line_may_lack_its_end(tmp_path: Path, end: str) -> None:
    for ending in ("", "\r"):
        (tmp_path / "t.csv").write_bytes((end.join([HEADER, *ROWS, "3,0,0,0,26"]) + ending).encode())
        assert pixels(CsvPixelsSource(tmp_path / "t.csv")) == [*PIXELS, [0, 0, 0, 26]]


@pytest.mark.parametrize(
    ("header", "last", "may"),
    [("label,p0,p1,p2,p3", "3,0,1,2,3", True), ("label,p0,p1,p2,p3", "3,0,1,2,25", True),
     ("label,p0,p1,p2,p3", "3,0,1,2,26", False), ("label,p0,p1,p2,p3", "3,0,1,2,0", False),
     ("label,p0,p1,p2,p3", '3,0,1,2,"3"', False), ("p0,p1,p2,p3,label", "0,1,2,3,3", True)],
)  # fmt: skip
def test_a_number_that_may_have_lost_a_digit_is_warned_of(tmp_path: Path, header: str, last: str, may: bool) -> None:
    row = "10,9,10,99,100" if header.startswith("label") else "9,10,99,100,10"
    text = "\n".join([header, row, last]).encode()
    (tmp_path / "whole.csv").write_bytes(text + b"\n")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    assert len(CsvPixelsSource(tmp_path / "whole.csv").samples()) == 2
    assert len(CsvPixelsSource(tmp_path / "t.csv.gz").samples()) == 2
    (tmp_path / "t.csv").write_bytes(text)
    with pytest.warns(UserWarning, match="last cell may be incomplete") if may else nullcontext():
        assert len(CsvPixelsSource(tmp_path / "t.csv").samples()) == 2


@pytest.mark.filterwarnings("ignore:no pixel of", "ignore:the last line of", "ignore:.* has no header")
@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(2, 9), st.sampled_from([4, 12]))), st.integers(7, 60), st.booleans())
def test_every_value_comes_back(tmp_path_factory, values: np.ndarray, block: int, labelled: bool) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    lines = [",".join(map(str, row)) for row in values.tolist()]
    lines = [f"c{i % 2},{line}" for i, line in enumerate(lines)] if labelled else lines
    path.write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "_BLOCK", block)
        source = CsvPixelsSource(path, label=0 if labelled else None)
        np.testing.assert_array_equal(source.load_images().reshape(values.shape), values)
        assert source.samples().keys.tolist() == [f"t.csv:{i + 1}" for i in range(len(values))]


@given(st.text(alphabet="0123456789.-+e xn", max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_cell_is_ever_taken_for_another_value(tmp_path_factory, cell: str) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(f"{HEADER}\n0,1,2,3,4\n1,5,{cell},7,8\n")
    source = CsvPixelsSource(path)
    try:
        expected = float(cell.replace("e", "x").replace("n", "x"))
    except ValueError:
        expected = -1
    if 0 <= expected <= 255 and expected.is_integer() and cell.strip()[0] not in "-.":
        assert source.load_images()[1, 0, 1, 0] == expected
    else:
        with pytest.raises(DatasetError, match=r"line 3: column 'p1'"):
            source.load_images()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("300", "holds '300'; expected a whole number from 0 to 255. Correct it"),
        ("256", "holds '256'"),
        ("1000", "holds '1000'"),
        ("-5", "holds '-5'"),
        ("0.5", "holds '0.5'.*multiply by 255 and round"),
        ("nan", "holds 'nan'"),
        ("", "is empty; expected a whole number"),
        (" ", "is empty"),
        ("abc", "holds 'abc'"),
        ("0x1", "holds '0x1'"),
        ("1_0", "holds '1_0'"),
        ("1e2", "holds '1e2'"),
        ("²", "holds '²'"),
        ("٣", "holds '٣'"),
        ("1 2", "holds '1 2'"),
        ("9" * 30, "holds '9999"),
        ("x" * 200_000, "holds 'xxxx"),
        ('"' + "x" * 200_000 + '"', "holds "),
        ("\0", r"holds '\\x00'"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_a_fault_is_told_by_line_column_and_value(table, cell: str, told: str, header: bool) -> None:
    bad = f"1,5,6,{cell},8"
    source = CsvPixelsSource(table(*([HEADER] * header), *ROWS, bad, *ROWS))
    column = "column 'p2'" if header else "column 4"
    with pytest.raises(DatasetError, match=rf"t\.csv', line {4 + header}: {column} {told}"):
        source.samples()


@pytest.mark.parametrize(("row", "found"), [("1,2,3,4", 4), ("1,2,3,4,5,6", 6), ("1", 1), ("1,2,3", 3)])
def test_ragged_rows(table, row: str, found: int) -> None:
    source = CsvPixelsSource(table(HEADER, *ROWS, row))
    with pytest.raises(DatasetError, match=rf"line 5: has {found} columns; expected 5.*Is the file cut off there"):
        source.load_images()


def test_rows_that_are_ragged_in_pairs(table) -> None:
    """As many cells as two good rows have."""
    source = CsvPixelsSource(table(HEADER, *ROWS, "1,2,3,4", "1,2,3,4,5,6"))
    with pytest.raises(DatasetError, match="line 5: has 4 columns"):
        source.load_images()


def test_an_empty_label(table) -> None:
    source = CsvPixelsSource(table(HEADER, *ROWS, " ,1,2,3,4"))
    with pytest.raises(DatasetError, match=r"line 5: column 'label' is empty; expected a label. Fill it in"):
        source.load_images()


def test_a_fault_far_down(tmp_path: Path) -> None:
    lines = [HEADER, *(f"{i % 7},{i % 256},0,0,255" for i in range(150_000))]
    lines[140_000] = "1,2,3,4,256"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=r"line 140,001: column 'p3' holds '256'"):
        CsvPixelsSource(tmp_path / "t.csv").load_images()


@pytest.mark.parametrize(
    ("columns", "shape", "expected"),
    [(784, None, (28, 28, 1)), (3072, None, (32, 32, 3)), (3, None, (1, 1, 3)), (6, (2, 3), (2, 3, 1)),
     (12, (2, 2, 3), (2, 2, 3)), (12, [3, 4], (3, 4, 1))],
)  # fmt: skip
def test_shapes(table, columns: int, shape: object, expected: tuple[int, ...]) -> None:
    path = table(*(",".join([label, *["7"] * columns]) for label in ("label", "a", "b")))
    path.write_text(path.read_text().replace("label," + ",".join(["7"] * columns),
                                             ",".join(["label", *(f"p{i}" for i in range(columns))])))  # fmt: skip
    source = CsvPixelsSource(path, image_shape=shape)
    assert source.image_shape == expected
    assert source.load_images().shape == (2, *expected)


def test_channels_stand_side_by_side(table) -> None:
    source = CsvPixelsSource(table(",".join(f"p{i}" for i in range(12)), ",".join(str(i) for i in range(12))))
    np.testing.assert_array_equal(source.load_images()[0], np.arange(12).reshape(2, 2, 3))


@pytest.mark.parametrize("shape", [28, (28,), (28, 28, 2), (0, 4), (2.0, 2), (True, 4), "22", (2, 2, 1, 1)])
def test_shapes_that_cannot_be(table, shape: object) -> None:
    with pytest.raises(OptionError, match="expected \\(height, width\\)"):
        CsvPixelsSource(table(HEADER, *ROWS), image_shape=shape)


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        ("label,p0,p1,p2,p3,p4", {}, r"5 columns of pixels besides the label; expected side² .* Pass image_shape="),
        (HEADER, {"image_shape": (3, 3)}, r"expected 9 = 3 × 3 × 1\. Pass image_shape"),
        ("Label,p0,p1,p2,p3", {}, "no column 'label'; if the labels stand in 'Label', say label='Label'"),
        ("digit,p0,p1,p2,p3", {}, "say label='digit'"),
        (",label,0,1,2,3", {}, "save with index=False"),
        ("3,1,2,3,4,5,6", {}, "7 columns of pixels; expected side²"),
        ("label,p0,p1,p1,p2", {}, "same name: 'p1'. Rename"),
        ("label", {}, "one column only, 'label'; expected cells between commas"),
        ("label p0 p1 p2 p3", {}, "Save it as CSV"),
        ("3,1,2,3,4", {"label": "digit"}, "has no header, so no column 'digit'.*label=0"),
        (HEADER, {"label": 7}, "label is 7, and .* 5 columns. Give 0 to 4"),
    ],
)
def test_layouts_that_cannot_be(table, header: str, options: dict, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        CsvPixelsSource(table(header, "1,2,3,4,5"), **options)


def test_a_column_of_a_name_that_is_not_there(table) -> None:
    with pytest.raises(
        UnknownNameError, match=r"t\.csv': no column is called 'labels'\. Did you mean 'label'\?.*label=None"
    ):
        CsvPixelsSource(table(HEADER, *ROWS), label="labels")


@pytest.mark.parametrize("label", [True, 1.0, ("label",)])
def test_a_label_that_cannot_be(table, label: object) -> None:
    with pytest.raises(OptionError, match="expected the name of a column"):
        CsvPixelsSource(table(HEADER, *ROWS), label=label)


@pytest.mark.parametrize("label", [0, -5])
@pytest.mark.parametrize("lines", [ROWS, [HEADER, *ROWS]])
def test_a_label_by_position(table, label: int, lines: list[str]) -> None:
    assert CsvPixelsSource(table(*lines), label).class_names == ("3", "10")


def test_without_header_texts_tell_the_label(table) -> None:
    assert CsvPixelsSource(table("cat,0,0,0,0", "dog,2,2,2,2")).class_names == ("cat", "dog")
    assert CsvPixelsSource(table("0,0,0,0,cat", "2,2,2,2,dog")).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["p0,p1,p2,p3", "1,2,3,4"], {}),
        (["1,2,3,4", "1,2,3,4"], {"label": None}),
        (["5,6,7,8,9,10,11,12,13", "1,2,3,4,5,6,7,8,9"], {}),
        (["pixel0,pixel1,pixel2,pixel3", "1,2,3,4"], {"label": None, "class_names": ("a", "b")}),
    ],
)
def test_without_labels(table, lines: list[str], options: dict) -> None:
    source = CsvPixelsSource(table(*lines), **options)
    assert set(source.samples().labels.tolist()) == {UNLABELLED}
    assert source.class_names == options.get("class_names", ())


def test_a_label_or_a_pixel(table) -> None:
    path = table("9,2,3,4", "1,2,3,4")  # 2 × 2, or a label and one coloured pixel
    with pytest.raises(DatasetError, match="Say label=None or label=0"):
        CsvPixelsSource(path)
    assert CsvPixelsSource(path, None).image_shape == (2, 2, 1)
    assert CsvPixelsSource(path, 0).image_shape == (1, 1, 3)
    assert CsvPixelsSource(path, image_shape=(1, 3)).class_names == ("1", "9")


@pytest.mark.parametrize(
    ("labels", "names", "expected", "numbers"),
    [
        (["1", "0", "1"], ("1", "0"), ("1", "0"), [0, 1, 0]),
        (["NA", "null", "NA"], None, ("NA", "null"), [0, 1, 0]),
        (["고양이", "개", "개"], ("고양이", "개"), ("고양이", "개"), [0, 1, 1]),
        (['"a,b"', "c", "c"], None, ("a,b", "c"), [0, 1, 1]),
        (['"a"', "c", "c"], None, ("a", "c"), [0, 1, 1]),
    ],
)
def test_labels(table, labels: list[str], names: tuple | None, expected: tuple[str, ...], numbers: list[int]) -> None:
    source = CsvPixelsSource(table(HEADER, *(f"{label},1,2,3,4" for label in labels)), class_names=names)
    assert source.class_names == expected
    assert source.samples().labels.tolist() == numbers


@pytest.mark.parametrize(
    ("labels", "names", "told"),
    [
        (["1", "1"], None, "column 'label' of .* one class only, '1'"),
        (["0", "2"], ("cat", "dog"), "outside 0 to 1"),
        (["cat", "dgo"], ("cat", "dog"), "lacks: 'dgo'.*Did you mean 'dog'"),
        ([str(i) for i in range(20)], None, "20 classes for 20 pictures"),
    ],
)
def test_labels_that_cannot_be(table, labels: list[str], names: tuple | None, told: str) -> None:
    source = CsvPixelsSource(table(HEADER, *(f"{label},1,2,3,4" for label in labels)), class_names=names)
    with pytest.raises(DatasetError, match=told):
        source.samples()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty. Restore it"),
        (b"\n\n", "is empty"),
        (HEADER.encode() + b"\n", "has a header and no rows"),
        (HEADER.encode() + b"\n\n\n", "has a header and no rows"),
        ("\n".join([HEADER, *ROWS]).encode("utf-16"), "no table in UTF-8"),
        (b"PK\x03\x04\x14", "is damaged: .*Fetch the archive again"),
        (gzip.compress(b"PK\x03\x04\x14"), "is a zip archive, and a table .* Unpack it"),
        (b"a\0b,c\n", "no table in UTF-8"),
        ("\r".join([HEADER, *ROWS]).encode(), "Save it with LF or CR LF"),
        (f"{HEADER}\n고양이,1,2,3,4\n".encode("cp949"), r"line 2: .* is no UTF-8. Save the table"),
        ("클래스,p0\n".encode("cp949"), "line 1: .* is no UTF-8"),
        (gzip.compress("\n".join([HEADER, *ROWS * 99]).encode())[:-30], "is damaged: .*Fetch it again"),
        (b"\x1f\x8bnothing", "is damaged"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=told):
        CsvPixelsSource(tmp_path / "t.csv").load_images()


def test_paths_that_are_no_files(tmp_path: Path, table, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"no file .*Check the path"):
        CsvPixelsSource(tmp_path / "gone.csv")
    with pytest.raises(DatasetError, match="FolderSource"):
        CsvPixelsSource(tmp_path)
    source = CsvPixelsSource(table(HEADER, *ROWS))
    source.path.unlink()
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        source.load_images()


def test_a_bomb_is_not_unpacked(table, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(HEADER, *ROWS * 1000, name="t.csv.gz")
    monkeypatch.setattr(csv_file, "_BLOCK", 1000)
    monkeypatch.setattr(csv_file, "MAX_BYTES", 20_000)
    with pytest.raises(DatasetError, match=r"more than 20,000 bytes of text.*split it"):
        CsvPixelsSource(path).load_images()
    monkeypatch.setattr(csv_file, "MAX_LINE", 5_000)
    path = table(HEADER, ROWS[0] + "0" * 9000, name="t.csv.gz")
    with pytest.raises(DatasetError, match="more than 5,000 bytes of text on one line"):
        CsvPixelsSource(path).load_images()


def test_rows_are_read_when_needed_and_once(table, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CsvPixelsSource(table(HEADER, *ROWS))
    assert repr(source) == f"CsvPixelsSource({str(source.path)!r}: 2 × 2 × 1)"
    source.samples()
    monkeypatch.setattr(csv_rows, "open_table", lambda _: pytest.fail("read again"))
    source.load_images()
    source.fingerprint()
    assert repr(source) == f"CsvPixelsSource({str(source.path)!r}: 3 pictures, 2 classes, 2 × 2 × 1)"


def test_fingerprint_is_of_the_pixels_that_were_read(table) -> None:
    source = CsvPixelsSource(table(HEADER, *ROWS))
    before = source.fingerprint()
    table(HEADER, *ROWS[:2], "3,255,200,0,8")
    assert source.fingerprint() == before, "it would name pictures that it does not give"
    assert CsvPixelsSource(source.path).fingerprint() != before
    table(HEADER, *ROWS)
    assert CsvPixelsSource(source.path).fingerprint() == before
    assert CsvPixelsSource(source.path, image_shape=(1, 4)).fingerprint() != before


REAL = Path(__file__).parents[4] / "shared" / "data" / "mnist" / "test.csv.gz"


@pytest.mark.skipif(not REAL.is_file(), reason="no real table here")
def test_a_real_table_reads_as_numpy_reads_it() -> None:
    source = CsvPixelsSource(REAL)
    oracle = np.loadtxt(REAL, np.uint8, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(source.load_images().reshape(len(oracle), -1), oracle[:, 1:])
    assert [source.class_names[i] for i in source.samples().labels] == [str(i) for i in oracle[:, 0]]
    assert source.read(f"{REAL.name}:2").shape == (28, 28, 1)


def test_columns_sorted_as_text_are_refused(table) -> None:
    names = sorted(f"pixel{i}" for i in range(16))
    with pytest.raises(DatasetError, match=r"'pixel15' stands before 'pixel2'\. Put the columns in the order"):
        CsvPixelsSource(table(",".join(["label", *names]), ",".join(["0"] * 17)))


def test_one_channel_after_the_other_is_refused(table) -> None:
    names = [f"{channel}{i}" for channel in "rgb" for i in range(4)]
    with pytest.raises(DatasetError, match="r0, g0, b0, r1"):
        CsvPixelsSource(table(",".join(["label", *names]), ",".join(["0"] * 13)))
    side_by_side = [f"{channel}{i}" for i in range(4) for channel in "rgb"]
    assert CsvPixelsSource(table(",".join(["label", *side_by_side]), ",".join(["0"] * 13))).image_shape == (2, 2, 3)


def test_number_labels_do_not_change_their_meaning_with_the_rows(table) -> None:
    """Numbers among names that are numbers are names, and never positions."""
    names = ("1", "2", "3")
    rows = ["1,0,0,0,0", "1,0,0,0,0", "2,0,0,0,0"]
    assert CsvPixelsSource(table(HEADER, *rows), class_names=names).samples().labels.tolist() == [0, 0, 1]
    with pytest.raises(DatasetError, match="class_names lacks: '0'"):
        CsvPixelsSource(table(HEADER, "0,0,0,0,0", *rows), class_names=names).samples()


def test_rows_of_pixels_may_be_three(table) -> None:
    """Named by row and column, as Fashion-MNIST is: three rows are no three channels."""
    names = [f"{row}x{column}" for row in (1, 2, 3) for column in (1, 2, 3)]
    assert CsvPixelsSource(table(",".join(["label", *names]), ",".join(["0"] * 10))).image_shape == (3, 3, 1)


def test_a_long_row_does_not_make_up_for_a_short_one(table) -> None:
    source = CsvPixelsSource(table("p0,p1,p2,p3,label", "1,2,3,4", "1,2,3,4,cat,9", "1,2,3,4,dog"))
    with pytest.raises(DatasetError, match="line 2: has 4 columns; expected 5"):
        source.samples()


def test_names_as_they_stand_come_before_numbers(table) -> None:
    rows = ["03,0,0,0,0", "07,0,0,0,0", "03,0,0,0,0"]
    assert CsvPixelsSource(table(HEADER, *rows), class_names=("03", "07")).samples().labels.tolist() == [0, 1, 0]
    rows = ["cat,0,0,0,0", "dog,0,0,0,0", "cat,0,0,0,0", "-1,0,0,0,0"]
    with pytest.warns(UserWarning, match="1 of 4 labels"):
        assert CsvPixelsSource(table(HEADER, *rows)).samples().labels.tolist() == [0, 1, 0, -1]


def test_row_numbers_are_not_offered_as_labels(table) -> None:
    with pytest.raises(DatasetError, match="save with index=False"):
        CsvPixelsSource(table(",p0,p1,p2,p3", "0,1,2,3,4"))
    with pytest.raises(DatasetError) as caught:
        CsvPixelsSource(table(HEADER, "0,1,2,3,4"), label=None)
    assert "no column 'label'" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "names", "expected", "numbers", "count"),
    [
        (["1.0", "0.0", "-1"], None, ("0", "1"), [1, 0, -1], 1),
        (["0", "1", "-1"], ("cat", "dog"), ("cat", "dog"), [0, 1, -1], 1),
        (["-1", "1", "-1"], ("neg", "pos"), ("neg", "pos"), [-1, 1, -1], 2),
    ],
)
def test_labels_of_minus_one_are_counted_aloud(table, labels, names, expected, numbers, count) -> None:
    source = CsvPixelsSource(table(HEADER, *(f"{label},1,2,3,4" for label in labels)), class_names=names)
    with pytest.warns(UserWarning, match=f"{count} of 3 labels of column 'label' .* are −1, which means unlabelled"):
        assert source.samples().labels.tolist() == numbers
    assert source.class_names == expected


@pytest.mark.parametrize("kind", ["photo", "grey"])
@pytest.mark.parametrize("side", [16, 18, 32])
def test_one_colour_after_the_other_is_noticed(table, kind: str, side: int) -> None:
    """CIFAR's own files, exported with pixel0 … pixel3071."""
    pets = DrawnPets(12, image_size=(side, side))
    images = np.stack([pets.read(key) for key in pets.samples().keys])
    images = images[..., :1].repeat(3, axis=3) if kind == "grey" else images
    columns = 3 * side * side
    running = "label," + ",".join(f"pixel{place}" for place in range(columns))
    named = "label," + ",".join(f"{colour}{place}" for place in range(columns // 3) for colour in "rgb")

    def rows(pictures):
        return [",".join(map(str, [number % 2, *picture.ravel()])) for number, picture in enumerate(pictures)]

    assert (CsvPixelsSource(table(running, *rows(images))).load_images() == images).all()
    apart = rows(images.transpose(0, 3, 1, 2))
    for lines in ([running, *apart], apart):
        with pytest.raises(DatasetError, match="all red, all green, all blue.*r0, g0, b0.*transpose"):
            CsvPixelsSource(table(*lines)).samples()
    assert len(CsvPixelsSource(table(named, *apart)).samples()) == 12, "names that are said are believed"


def test_noise_and_flat_pictures_are_left_alone(table) -> None:
    header = "label," + ",".join(f"p{place}" for place in range(48))
    noise = np.random.default_rng(0).integers(0, 256, (9, 48))
    for pixels in (noise, noise * 0 + 7):
        lines = [",".join(map(str, [number % 2, *row])) for number, row in enumerate(pixels)]
        assert len(CsvPixelsSource(table(header, *lines)).samples()) == 9


@pytest.mark.parametrize(
    ("columns", "odd"),
    [(["id"], "id"), (["ImageId"], "ImageId"), (["id", "label"], "id"), (["label", "Usage"], "Usage")],
)
def test_a_column_that_is_left_over_is_named(table, columns: list[str], odd: str) -> None:
    header = ",".join([*columns, *(f"pixel{place}" for place in range(16))])
    with pytest.raises(DatasetError, match="leave it out when you save") as caught:
        CsvPixelsSource(table(header, ",".join("1" for _ in header.split(","))))
    assert f"drop(columns={odd!r})" in str(caught.value)
    assert "say label=" not in str(caught.value)


@pytest.mark.parametrize("header", ["emotion,pixels", "emotion,pixels,Usage", "Usage,emotion,image"])
def test_all_pixels_in_one_cell_are_told(table, header: str) -> None:
    with pytest.raises(DatasetError, match="stand in one cell.*column per pixel.*ArraySource"):
        CsvPixelsSource(table(header, "0,1 2 3 4,Training"), label="emotion")
