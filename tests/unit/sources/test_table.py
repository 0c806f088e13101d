# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import gzip
import io
import os
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf import health
from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImageError, OptionError, UnknownNameError
from imgclf.sources import UNLABELLED, FolderSource, TableSource

PETS = ("cat/1.png", "cat/2.png", "dog/3.png", "dog/10.png")


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), len(name) + ord(name[0])).save(root / name, "PNG")
    return root


def table(root: Path, *lines: str, name: str = "labels.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")
    return root / name


def labels(source: TableSource) -> dict[str, str | None]:
    samples = source.samples()
    names = [None if label == UNLABELLED else source.class_names[label] for label in samples.labels]
    return dict(zip(samples.keys.tolist(), names, strict=True))


MEANT = {"cat/1.png": "cat", "cat/2.png": "cat", "dog/3.png": "dog", "dog/10.png": "dog"}
ROWS = [f"{key},{name}" for key, name in MEANT.items()]
FRAME = {"filename": list(MEANT), "class": list(MEANT.values())}


class DataFrame:
    """As little as pandas and Polars have in common."""

    def __init__(self, columns: dict[str, list[object]]) -> None:
        self._columns = columns

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> np.ndarray:
        made = np.empty(len(self._columns[name]), object)
        made[:] = self._columns[name]
        return made


def test_a_table_beside_its_pictures(tmp_path):
    source = TableSource(table(fill(tmp_path, *PETS), "filename,class", *ROWS))
    assert labels(source) == MEANT
    assert source.class_names == ("cat", "dog")
    assert source.directory == tmp_path
    assert int(source.read("dog/3.png")[0, 0, 0]) == 9 + ord("d")
    assert repr(source) == f"TableSource({str(tmp_path / 'labels.csv')!r}: 4 pictures, 2 classes)"


@pytest.mark.parametrize("kind", [dict, DataFrame])
def test_a_frame_or_a_mapping(tmp_path, kind):
    source = TableSource(kind(FRAME), fill(tmp_path, *PETS))
    assert labels(source) == MEANT
    assert repr(source) == f"TableSource({kind.__name__}: 4 pictures, 2 classes)"


def test_a_frame_without_a_folder_begins_where_one_works(tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path, *PETS))
    assert labels(TableSource(FRAME)) == MEANT


def test_the_order_is_that_of_the_rows(tmp_path):
    source = TableSource(table(fill(tmp_path, *PETS), "path,label", *ROWS[::-1]))
    assert source.samples().keys.tolist() == list(MEANT)[::-1]


def test_as_keras_is_called(tmp_path):
    frame = {"id": [1, 2, 3, 4], "file name": list(MEANT), "kind": list(MEANT.values()), "class": ["x"] * 4}
    assert labels(TableSource(frame, str(fill(tmp_path, *PETS)), x_col="file name", y_col="kind")) == MEANT
    assert labels(TableSource(frame, tmp_path, x_col=1, y_col=-2)) == MEANT


@pytest.mark.parametrize(
    "lines",
    [
        ["filename,class", *ROWS],
        ["\ufefffilename,class", *ROWS],
        ["filename;class", *(row.replace(",", ";") for row in ROWS)],
        ["filename\tclass", *(row.replace(",", "\t") for row in ROWS)],
        ['"filename","class"', *(f'"{key}","{name}"' for key, name in MEANT.items())],
        ["", "filename , class ", *(f" {key} , {name} " for key, name in MEANT.items()), "", " "],
        ["filename,class\r", *(f"{row}\r" for row in ROWS)],
        ROWS,
        [f"{name},{key}" for key, name in MEANT.items()],
        ["class,filename", *(f"{name},{key}" for key, name in MEANT.items())],
        ["ID,Image Path,Label", *(f"{at},{row}" for at, row in enumerate(ROWS))],
        ["id,label,split", *(f"{row},train" for row in ROWS)],
        ["what,breed", *ROWS],
        ["id,breed", *ROWS],
    ],
)
def test_tables_as_people_have_them(tmp_path, lines):
    if lines[0] == "what,breed":
        with pytest.raises(DatasetError, match=r"which column of .* name the files\? It has 'what', 'breed'.*x_col="):
            TableSource(table(fill(tmp_path, *PETS), *lines))
        return
    assert labels(TableSource(table(fill(tmp_path, *PETS), *lines))) == MEANT


def test_gzip(tmp_path):
    path = fill(tmp_path, *PETS) / "labels.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["filename,class", *ROWS]).encode()))
    assert labels(TableSource(path)) == MEANT


@pytest.mark.parametrize("given", [None, ".png", "png", ".PNG"])
def test_names_without_ending(tmp_path, given):
    """As in Kaggle's dog-breed-identification."""
    ids = fill(tmp_path / "train", "000bec180eb18c7604dcecc8fe0dba07.png", "1.2.png", "7.png").parent
    path = table(tmp_path, "id,breed", "000bec180eb18c7604dcecc8fe0dba07,beagle", "1.2,boxer", "7,beagle")
    if given == ".PNG":
        with pytest.raises(DatasetError, match=r"3 files .*extension="):
            TableSource(path, ids / "train", extension=given)
        return
    source = TableSource(path, ids / "train", extension=given)
    assert labels(source) == {"000bec180eb18c7604dcecc8fe0dba07.png": "beagle", "1.2.png": "boxer", "7.png": "beagle"}


@pytest.mark.parametrize("extension", [7, "", ".", b".jpg"])
def test_what_is_no_ending(tmp_path, extension):
    with pytest.raises(OptionError, match=r"expected the ending .* such as '\.jpg'"):
        TableSource(FRAME, tmp_path, extension=extension)


@pytest.mark.parametrize(
    ("given", "names", "meant"),
    [
        ([0, 1, 1, 0], ("0", "1"), [0, 1, 1, 0]),
        ([3, 7, 10, 7], ("3", "7", "10"), [0, 1, 2, 1]),
        ([True, False, False, True], ("False", "True"), [1, 0, 0, 1]),
        (list(np.array([2, 1, 1, 2])), ("1", "2"), [1, 0, 0, 1]),
        ([1.0, 0.0, 0.0, 1.0], ("0", "1"), [1, 0, 0, 1]),
        (["NA", "b", "NA", "b"], ("NA", "b"), [0, 1, 0, 1]),
        ([np.True_, np.False_, np.True_, np.True_], ("False", "True"), [1, 0, 1, 1]),
    ],
)
def test_labels_of_all_kinds(tmp_path, given, names, meant):
    source = TableSource({"filename": list(MEANT), "class": given}, fill(tmp_path, *PETS))
    assert source.class_names == names
    assert source.samples().labels.tolist() == meant


def test_numbers_are_positions_in_given_names(tmp_path):
    source = TableSource(
        {"filename": list(MEANT), "class": [1, 0, 0, 1]}, fill(tmp_path, *PETS), class_names=("cat", "dog")
    )
    assert source.class_names == ("cat", "dog")
    assert source.samples().labels.tolist() == [1, 0, 0, 1]
    with pytest.raises(DatasetError, match="outside 0 to 1"):
        TableSource({"filename": list(MEANT), "class": [1, 0, 0, 2]}, tmp_path, class_names=("cat", "dog"))


class NAType:
    """What pandas puts where nothing is."""


@pytest.mark.parametrize("nothing", [None, float("nan"), "", " ", NAType(), np.float64("nan")])
def test_missing_labels_are_unlabelled_and_said(tmp_path, nothing):
    frame = {"filename": list(MEANT), "class": ["cat", nothing, "dog", "dog"]}
    with pytest.warns(UserWarning, match=r"column 'class' of the dict is empty in 1 of 4 rows.*Fill in"):
        source = TableSource(frame, fill(tmp_path, *PETS))
    assert source.samples().labels.tolist() == [0, UNLABELLED, 1, 1]


def test_numbers_beside_missing_labels_stay_whole(tmp_path):
    """pandas makes floats of a column of numbers with a gap."""
    with pytest.warns(UserWarning, match="1 of 4"):
        source = TableSource({"filename": list(MEANT), "class": [1.0, float("nan"), 0.0, 1.0]}, fill(tmp_path, *PETS))
    assert source.class_names == ("0", "1")


def test_minus_one_is_unlabelled_and_said(tmp_path):
    with pytest.warns(UserWarning, match="1 of 4 labels .* −1"):
        source = TableSource({"filename": list(MEANT), "class": [1, -1, 0, 1]}, fill(tmp_path, *PETS))
    assert source.samples().labels.tolist() == [1, UNLABELLED, 0, 1]


def test_no_label_at_all(tmp_path):
    fill(tmp_path, *PETS)
    with pytest.raises(DatasetError, match=r"is empty\. Fill it in, or say y_col=None"):
        TableSource({"filename": list(MEANT), "class": [None] * 4}, tmp_path)
    for source in (
        TableSource(FRAME, tmp_path, y_col=None),
        TableSource({"filename": list(MEANT)}, tmp_path),
        TableSource(table(tmp_path, "filename", *MEANT)),
    ):
        assert source.class_names == ()
        assert source.samples().labels.tolist() == [UNLABELLED] * 4
    assert TableSource(FRAME, tmp_path, y_col=None, class_names=("cat", "dog")).class_names == ("cat", "dog")


def test_missing_files_are_named_at_once(tmp_path):
    fill(tmp_path / "images", *PETS)
    path = table(tmp_path, "filename,class", *ROWS, *(f"{i}.png,cat" for i in range(9)))
    with pytest.raises(DatasetError, match=r"9 files .*'0\.png \(line 6\)'.* and 4 more.*Give the folder as directory"):
        TableSource(path, tmp_path / "images")
    with pytest.raises(DatasetError, match=r"13 files .* are not in .*Folders there: 'images'"):
        TableSource(path)


def test_empty_cells_in_the_column_of_files(tmp_path):
    path = table(fill(tmp_path, *PETS), "filename,class", *ROWS, ",cat", " ,dog")
    with pytest.raises(DatasetError, match=r"'filename' .* empty in 2 rows: line 6, line 7\. Name a file"):
        TableSource(path)


def test_a_file_under_two_labels(tmp_path):
    path = table(fill(tmp_path, *PETS), "filename,class", *ROWS, "cat/../cat/1.png,dog")
    with pytest.raises(
        DatasetError, match=r"1 files .*several labels[\s\S]*'cat/1\.png': 'cat' in line 2, 'dog' in line 6"
    ):
        TableSource(path)


def test_a_file_in_two_rows(tmp_path):
    path = table(fill(tmp_path, *PETS), "filename,class", *ROWS, ROWS[0], ROWS[2])
    with pytest.raises(DatasetError, match=r"2 files .*several rows\. Keep one[\s\S]*'cat/1\.png': line 2, line 6"):
        TableSource(path)


@pytest.mark.parametrize("way", ["absolute", "up", "inside"])
def test_keys_lead_nowhere(tmp_path, way):
    fill(tmp_path / "set", *PETS)
    (tmp_path / "tables").mkdir()
    start = {"absolute": f"{tmp_path}/set/", "up": "../set/", "inside": ""}[way]
    path = table(tmp_path / "tables", "filename,class", *(start + row for row in ROWS))
    source = TableSource(path, tmp_path / "set" if way == "inside" else None)
    assert labels(source) == MEANT
    fill(tmp_path / "tables", "owl.png")
    with path.open("a") as file:
        file.write("../tables/owl.png,dog\n")
    source = TableSource(path, tmp_path / "set" if way == "inside" else None)
    assert labels(source) == {**{f"set/{key}": name for key, name in MEANT.items()}, "tables/owl.png": "dog"}
    assert int(source.read("tables/owl.png")[0, 0, 0]) == 7 + ord("o")
    for key in ("../set/cat/1.png", f"{tmp_path}/set/cat/1.png", "cat/1.png"):
        with pytest.raises(DatasetError, match="The keys are"):
            source.read(key)


@pytest.mark.skipif(os.sep != "/", reason="it is the separator there")
def test_backslashes_of_another_system(tmp_path):
    source = TableSource(table(fill(tmp_path, *PETS), "filename,class", *(row.replace("/", "\\") for row in ROWS)))
    assert labels(source) == MEANT


@pytest.mark.skipif(os.sep != "/", reason="it is the separator there")
def test_a_backslash_that_is_part_of_a_name(tmp_path):
    """Where there is a file of that very name, it is meant."""
    fill(tmp_path, *PETS, "cat\\1.png")
    Image.new("L", (3, 2), 200).save(tmp_path / "cat\\1.png", "PNG")
    source = TableSource(table(tmp_path, "filename,class", "cat\\1.png,cat", *ROWS[1:]))
    assert source.samples().keys.tolist() == ["cat\\1.png", *list(MEANT)[1:]]
    assert int(source.read("cat\\1.png")[0, 0, 0]) == 200


@pytest.mark.parametrize(
    "name", [r"\\host\share\x.png", "//host/share/x.png", r"\/host\x.png", r"\\?\UNC\host\x.png", r"\??\UNC\host\x.png"]
)
def test_files_of_another_computer_are_not_asked_for(tmp_path, monkeypatch, name):
    fill(tmp_path, *PETS)
    asked = []
    isfile = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: asked.append(str(path)) or isfile(path))
    for given in (
        table(tmp_path, "filename,class", *ROWS, f"{name},dog"),
        {"filename": [*PETS, name], "class": [*"aabba"]},
    ):
        with pytest.raises(
            DatasetError, match=r"files of another computer: .*host.* \((line 6|row 4)\).*Copy the files, or"
        ):
            TableSource(given, tmp_path)
    labels(TableSource(table(tmp_path, f"{name.removesuffix('.png')},class", *ROWS), x_col=0, y_col=1))
    assert not any("host" in path for path in asked)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "nothing"])
def test_what_is_no_file(tmp_path, kind):
    fill(tmp_path, *PETS)
    if kind == "pipe":
        os.mkfifo(tmp_path / "x.png")
    elif kind == "folder":
        (tmp_path / "x.png").mkdir()
    elif kind == "device":
        (tmp_path / "x.png").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"1 files .*x\.png \(line 6\)"):
        TableSource(table(tmp_path, "filename,class", *ROWS, "x.png,dog"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["filename,image,class", *(f"{row.split(',')[0]},{row}" for row in ROWS)], ""),
        (["path,file,class", *(f"{row.split(',')[0]},{row}" for row in ROWS)], r"has 'path', 'file', and one is expected\. Say which: x_col"),
        (["file,class,label", *(f"{row},1" for row in ROWS)], r"has 'class', 'label', and one.*Say which: y_col"),
        (["file,a,b", *(f"{row},1" for row in ROWS)], r"hold the labels\? It has 'file', 'a', 'b'.*Say y_col=….*y_col=None"),
        (["file,file", *ROWS], "columns of the same name: 'file'"),
        (["a,b,c", *(f"{row},1" for row in ROWS)], r"name the files\? It has 'a', 'b', 'c'"),
        (["file,class", *ROWS, "cat/3.png"], r"line 6: has 1 columns; expected 2"),
        (["file,class", *ROWS, "cat/3.png,a,b"], r"line 6: has 3 columns; expected 2.*put quotes around"),
        (["file,class", *ROWS, 'cat/3.png,"a'], r"line 6: has a quote that is not closed"),
        (["file,class"], "has a header and no rows"),
        ([""], "is empty"),
        (["file,class", *(f"{key},cat" for key in PETS)], "one class only, 'cat'"),
        (["file,class", *(f"{key},{key}" for key in PETS)], "4 classes for 4 pictures"),
        (["file,class", *(f"{key},{name}" for key, name in zip(PETS, ("Cat", "cat", "dog", "dog"), strict=True))], "'Cat' and 'cat'"),
    ],
)  # fmt: skip
def test_tables_that_are_not_clear(tmp_path, lines, told):
    path = table(fill(tmp_path, *PETS), *lines)
    if not told:
        assert labels(TableSource(path)) == MEANT
        return
    with pytest.raises(DatasetError, match=told):
        TableSource(path)


@pytest.mark.parametrize("row", ["cat/3.png,a\rb", b"cat/3.png,caf\xe9", "cat/3.png,a\0b"])
def test_bytes_that_no_table_has(tmp_path, row):
    path = table(fill(tmp_path, *PETS), "file,class", *ROWS)
    with path.open("ab") as file:
        file.write(row if isinstance(row, bytes) else row.encode())
    with pytest.raises(DatasetError, match="line 6"):
        TableSource(path)


@pytest.mark.parametrize("options", [{}, {"extension": "png"}])
def test_a_first_row_is_not_lost(tmp_path, options):
    """Names without ending do not tell that there is no header."""
    fill(tmp_path, *(f"{n}.png" for n in range(5)))
    rows = [f"{n},{'cat' if n % 2 else 'dog'}" for n in range(5)]
    with pytest.raises(
        DatasetError, match=r"seems to have no header: its first line says '0'.*Add a line with the names"
    ):
        TableSource(table(tmp_path, *rows), x_col=0, y_col=1, **options)
    assert len(TableSource(table(tmp_path, "id,class", *rows), x_col=0, y_col=1, **options).samples()) == 5
    assert (
        len(TableSource(table(tmp_path, "0,1", *rows), x_col=0, y_col=1, **options).samples()) == 5
    )  # as pandas writes
    frame = {"0": range(1, 5), "1": ["cat", "dog", "cat", "dog"]}
    assert len(TableSource(frame, tmp_path, x_col=0, y_col=1, **options).samples()) == 4


def test_a_hundred_thousand_columns(tmp_path):
    more = [f"c{n}" for n in range(100_000)]
    path = table(
        fill(tmp_path, *PETS), ",".join(["filename", "class", *more]), *(row + ",7" * len(more) for row in ROWS)
    )
    start = time.perf_counter()
    assert labels(TableSource(path)) == MEANT
    with pytest.raises(DatasetError, match="columns of the same name: 'c5'"):
        TableSource(table(tmp_path, ",".join(["filename", "class", *more, "c5"]), *ROWS))
    assert time.perf_counter() - start < 2


def test_only_the_columns_that_are_needed_are_kept(tmp_path):
    more = [f"c{n}" for n in range(1000)]
    rows = [f"{n}.png,{'cat' if n % 2 else 'dog'}" + ",1234567" * len(more) for n in range(1000)]
    path = table(fill(tmp_path, *(f"{n}.png" for n in range(1000))), ",".join(["filename", "class", *more]), *rows)
    tracemalloc.start()
    source = TableSource(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(source.samples()) == 1000
    assert most < path.stat().st_size  # 8 MB; its million cells as texts took 60


def test_only_the_columns_that_are_needed_are_copied(tmp_path):
    class Wide(DataFrame):
        def __getitem__(self, name):
            assert name in FRAME, name
            return super().__getitem__(name)

    assert labels(TableSource(Wide({"a": [1] * 4, **FRAME, "b": [2] * 4}), fill(tmp_path, *PETS))) == MEANT


def test_a_number_that_is_a_name_and_a_position(tmp_path):
    frame = {2: list(MEANT), 1: list(MEANT.values()), 7: ["x"] * 4}
    with pytest.raises(
        DatasetError, match=r"x_col is 2, the name of one .* position of another, '7'\. Say .*x_col='2' or '7'"
    ):
        TableSource(frame, fill(tmp_path, *PETS), x_col=2, y_col="1")
    assert labels(TableSource(frame, tmp_path, x_col="2", y_col=1)) == MEANT  # name and position are one
    assert labels(TableSource(frame, tmp_path, x_col=0, y_col="1")) == MEANT


def test_columns_that_are_not_there(tmp_path):
    fill(tmp_path, *PETS)
    with pytest.raises(
        UnknownNameError, match=r"x_col in the dict: no column is called 'filenam'\. Did you mean 'filename'"
    ):
        TableSource(FRAME, tmp_path, x_col="filenam")
    with pytest.raises(UnknownNameError, match=r"y_col in .*no column is called 'kind'"):
        TableSource(FRAME, tmp_path, y_col="kind")
    with pytest.raises(DatasetError, match=r"y_col is 2, and the dict has 2 columns\. Give 0 to 1"):
        TableSource(FRAME, tmp_path, y_col=2)
    with pytest.raises(DatasetError, match="files and labels at once"):
        TableSource(FRAME, tmp_path, x_col="filename", y_col="filename")


@pytest.mark.parametrize("options", [{"x_col": None}, {"x_col": 1.0}, {"y_col": True}, {"y_col": ["a"]}])
def test_columns_that_cannot_be(tmp_path, options):
    with pytest.raises(OptionError, match="expected the name of a column, or its position"):
        TableSource(FRAME, tmp_path, **options)


@pytest.mark.parametrize("given", [None, 7, ["a"], {}, DataFrame({})])
def test_what_is_no_table(given):
    with pytest.raises(OptionError, match=r"expected the path of a \.csv, a DataFrame, or a mapping"):
        TableSource(given)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({"filename": ["a.png", "b.png"], "class": ["x"]}, r"differ in length: 'filename' 2, 'class' 1"),
        ({"filename": [], "class": []}, "has no rows"),
        ({"filename": [["a.png"], 1j, "b"], "class": ["x", "y", "x"]}, r"Convert these:\s+row 0 holds \['a\.png'\]\s+row 1"),
        ({"filename": list(PETS), "class": [["a"], ["b"], ["a"], ["b"]]}, r"row 0 holds \['a'\]"),
        ({"filename": None, "class": ["a"]}, r"column 'filename' of the dict is None, a NoneType; expected a list.*Give one"),
        ({"filename": "0.png", "class": "abcde"}, r"column 'filename' of the dict is '0\.png', a str; expected a list"),
        ({"filename": b"0.png", "class": "abcde"}, r"a bytes; expected a list"),
        ({"filename": list(PETS), "class": "aabb"}, r"column 'class' of the dict is 'aabb', a str"),
        ({"filename": dict.fromkeys(PETS), "class": [*"aabb"]}, r"a dict; expected"),
        ({"filename": set(PETS), "class": [*"aabb"]}, r"a set; expected"),
        ({"filename": iter(PETS), "class": [*"aabb"]}, r"iterator; expected"),
        ({"filename": np.array("0.png"), "class": [*"aabb"]}, r"a ndarray; expected"),
        ({"filename": 7, "class": [*"aabb"]}, r"is 7, a int; expected"),
        ({1: ["a"], "1": ["b"]}, "columns of the same name: '1'"),
    ],
)  # fmt: skip
def test_frames_that_do_not_hold_together(tmp_path, frame, told):
    with pytest.raises(DatasetError, match=told):
        TableSource(frame, fill(tmp_path, *PETS))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match=r"no folder .*gone"):
        TableSource(FRAME, tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"is a file, and the folder of the pictures is expected"):
        TableSource(FRAME, table(tmp_path, "x"))
    with pytest.raises(DatasetError, match=r"no file .*gone\.csv"):
        TableSource(tmp_path / "gone.csv")


def archive(path: Path, *rows: str) -> Path:
    content = io.BytesIO()
    Image.new("L", (3, 2), 9).save(content, "PNG")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("labels.csv", "\n".join(["id,breed", *rows]))
        for number in range(4):
            file.writestr(f"train/{number}.png", content.getvalue())
    return path


def test_in_an_archive(tmp_path, monkeypatch):
    path = archive(tmp_path / "dog-breed.zip", *(f"{n},{'pug' if n % 2 else 'boxer'}" for n in range(4)))
    for source in (TableSource(path / "labels.csv", path / "train"), TableSource(path, path / "train")):
        assert labels(source) == {"0.png": "boxer", "1.png": "pug", "2.png": "boxer", "3.png": "pug"}
        assert source.directory == path / "train"
        assert repr(source) == f"TableSource({str(path / 'labels.csv')!r}: 4 pictures, 2 classes)"
    with pytest.raises(DatasetError, match=r"not in '.*dog-breed\.zip': '0 \(line 2\)'.*Folders there: 'train'"):
        TableSource(path)


def test_a_table_in_an_archive_leads_to_nothing_outside(tmp_path):
    fill(tmp_path, "secret.png")
    rows = [f"{n},{'pug' if n % 2 else 'boxer'}" for n in range(4)]
    path = archive(tmp_path / "a.zip", *rows, f"{tmp_path}/secret.png,pug")
    with pytest.raises(DatasetError, match=r"1 files of the table lie outside of '.*a\.zip/train', an archive"):
        TableSource(path, path / "train")


def test_a_broken_picture_is_named(tmp_path):
    fill(tmp_path, *PETS)
    (tmp_path / "cat/1.png").write_bytes(b"<html>")
    with pytest.raises(ImageError, match=r"cat/1\.png' is an HTML page"):
        TableSource(FRAME, tmp_path).read("cat/1.png")


def test_it_is_the_folder_by_another_way(tmp_path):
    fill(tmp_path, *PETS)
    by_table, by_folder = TableSource(FRAME, tmp_path), FolderSource(tmp_path)
    assert labels(by_table) == labels(by_folder)
    assert by_table.fingerprint() == by_folder.fingerprint()
    data = Dataset.load(by_table, image_size=(2, 3), progress=False)
    assert data.class_counts() == {"cat": 2, "dog": 2}
    Image.new("L", (3, 2)).save(tmp_path / "cat" / "1.png", "GIF")
    assert "1.png" in str(health.check(TableSource(FRAME, tmp_path), progress=False))


def test_hostile_cells_stay_text(tmp_path):
    names = ("=1+1", "<b>x</b>", "$(id)", "a\u202eb")
    fill(tmp_path, *(f"{at}.png" for at in range(8)))
    rows = {"filename": [f"{at}.png" for at in range(8)], "class": [*names, *names]}
    assert set(labels(TableSource(rows, tmp_path)).values()) == set(names)
    with pytest.raises(DatasetError) as caught:
        TableSource({"filename": ["\x1b[31m.png"], "class": ["a"]}, tmp_path)
    assert "\x1b" not in str(caught.value)


def test_nothing_is_warned_of_an_honest_table(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableSource(FRAME, fill(tmp_path, *PETS))
