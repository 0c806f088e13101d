"""Names of files and classes are a stranger's: in terminals, pages, tables, pictures and paths they stay mere text."""

# ruff: noqa: E501 (a name is a name)

from __future__ import annotations

import csv
import html
import html.parser
import io
import json
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError, ImgclfError
from imgclf.evaluation import Evaluation, Predictions
from imgclf.health.report import Finding, HealthReport
from imgclf.label_errors import LabelErrors
from imgclf.plots import confusion_matrix, counts, heatmap_rows, image_grid
from imgclf.sources import ArraySource, CsvPixelsSource, DrawnPets, FilenameSource, FolderSource
from imgclf.tables import Table

ROW = ("hostile-names", "Hostile names of files and classes do no harm in terminal, HTML, CSV, figures or paths.")

SCRIPTS = [
    "<script>alert(1)</script>", "</td></tr></table><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>', "'><svg onload=alert(1)>", "<svg/onload=alert(1)>", "<a href=javascript:alert(1)>x",
    "javascript:alert(1)", '" onmouseover="alert(1)', "' onfocus='alert(1)' autofocus='", "<iframe src=//evil>",
    "<body onload=alert(1)>", "<style>*{display:none}</style>", "<link rel=stylesheet href=//evil>", "<!--", "-->",
    "<![CDATA[", "]]>", "<?xml version='1.0'?>", "<!DOCTYPE html>", "<!ENTITY x SYSTEM 'file:///etc/passwd'>", "&lt;b&gt;",
    "&#60;script&#62;", "&amp;", "<b", "</title><script>", "</textarea>", "<base href=//evil>", "<meta http-equiv=refresh>",
    "<math><mi//xlink:href=x>", "<details open ontoggle=alert(1)>", "<input onfocus=alert(1) autofocus>", "\x3cb>",
    "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{0.__class__}", "%s%s%n", "%(x)s", "{name!r:>9999999999}",
]  # fmt: skip
FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "  +1", "\x00=1+1", "\x0b=1", "=HYPERLINK(\"http://evil\",\"x\")", "＝1+1",
    "＋1", "－1", "＠x", "a;=1+1", "a\t=1+1", "a\n=1+1", "a\r\n=1", '";=1+1', '",=1+1', "'=1+1", "''=1", "' =1", "'",
    ";;=1", "x;'=1", "-1", "+5", "-1.5e3", "1e5", "--1", "=", "+", "-", "@", "1-2", "a=b", "a,b", '"', '""', "a\"b", "DDE",
]  # fmt: skip
TERMINAL = [
    "\x1b[31mred", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "\x1b[8m", "\x9b31m", "\x07", "\x08\x08\x08ok",
    "a\rb", "a\nb", "a\x0bb", "a\x0cb", "a\x7fb", "a\x85b", "\u202egnp.exe", "\u2066a\u2069", "\u200bzero", "a\u2028b",
    "a\u2029b", "\ufeffa", "\u200f\u200e", "a\u0300" + "\u0301" * 50, "\U000e0041", "\ue000", "\ud800", "\udcff", "caf\udce9",
    "\u3164", "\xa0", "\xad",
]  # fmt: skip
PATHS = [
    "../../x", "..", ".", "/etc/passwd", "~", "~root", "C:\\x", "\\\\evil\\share", "CON", "NUL", "a/b", "a\\b", "-rf", "--help",
    "$HOME", "`id`", "$(id)", "; ls", "| cat", "&& x", "> out", "*", "?", "[a-z]", "x" * 300, "file:///etc", "aux.txt", "a:b",
    "con.png", ".hidden", " ", "x ", "x.", "%00", "%2e%2e%2f",
]  # fmt: skip
MATHS = ["$x$", "$\\frac{1}{0}$", "a$b", "\\$", "$$", "$\\input{/etc/passwd}$", "\\alpha", "x_1^2", "^{", "$" * 40]
OTHERS = [
    "",
    "NA",
    "nan",
    "None",
    "고양이",
    "猫",
    "🐈",
    "é",
    "é",
    "ﬁ",
    "İ",
    "a" * 5000,
    "a b",
    "  a  ",
    "'); DROP TABLE x;--",
]
NAMES = list(dict.fromkeys([*SCRIPTS, *FORMULAS, *TERMINAL, *PATHS, *MATHS, *OTHERS]))

PICTURE = np.zeros((2, 2, 1), np.uint8)


class Page(html.parser.HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.others: list[object] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.others += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def evaluation(names: list[str]) -> Evaluation:
    """An evaluation whose keys and classes are *names*."""
    count = len(names)
    said = np.full((count, count), 0.1 / max(count - 1, 1), np.float32)
    said[np.arange(count), np.roll(np.arange(count), 1)] = 0.9
    return Evaluation(np.array(names, dtype=object), said, tuple(names), np.arange(count))


def safe(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would calculate *cell*; numbers are not asked about."""
    return re.sub(r"^[\s\x00-\x1f]+", "", cell)[:1] in tuple("=+-@＝＋－＠")


@pytest.mark.promise(*ROW)
def test_there_are_a_hundred(record_property):
    assert len(NAMES) >= 150
    record_property("measured", f"{len(NAMES)} hostile names: 0 escapes")


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_nothing_reaches_the_terminal(name):
    results = evaluation([name, "cat"])
    predictions = Predictions(results.keys, results.probabilities, results.class_names)
    table = Table((name, "n"), [(name, 1), ("x", 2)])
    for shown in (results, predictions, table, results.per_class()):
        assert safe(str(shown)), str(shown)
        assert safe(repr(predictions))
        str(shown).encode()  # half characters would stop the printing
    assert len(str(table).splitlines()) == 3, "it makes a line of its own"
    data = Dataset.from_arrays(
        np.stack([PICTURE] * 3), [0, 1, 1], (name or "x", "cat" if name.strip() != "cat" else "y")
    )
    assert safe(repr(data)), repr(data)
    assert safe(str(data.head()))


@pytest.mark.promise(*ROW)
def test_two_names_do_not_look_alike():
    """What is written out can be told apart: nothing is replaced by one sign for all."""
    shown = {str(Table(("n",), [(name,)])) for name in TERMINAL}
    assert len(shown) == len(TERMINAL)


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_pages_have_no_elements_of_a_stranger(name):
    results = evaluation([name, "cat"])
    predictions = Predictions(results.keys, results.probabilities, results.class_names)
    for shown, cells in ((predictions, 4), (results.table(), 6), (Table((name,), [(name,)]), 1)):
        page = Page(shown._repr_html_())
        rows = 2 if cells > 1 else 1
        assert page.elements == ["table", "thead", "tr", *["th"] * cells, "tbody", *["tr", *["td"] * cells] * rows]
    data = Dataset.from_arrays(
        np.stack([PICTURE] * 3), [0, 1, 1], (name or "x", "cat" if name.strip() != "cat" else "y")
    )
    suspects = LabelErrors(
        np.arange(1), np.array([name]), np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1), (name, "cat"), 1
    )
    finding = Finding("error", "exact_leak", name, name, ((name, "x"),))
    report = HealthReport((finding,), Table(("source", "class"), [(name, name)]), (name,), 1)
    for shown in (results, predictions, suspects, report, data):
        text = shown._repr_html_()
        page = Page(text)
        assert set(page.elements) <= {"p", "table", "thead", "tr", "th", "tbody", "td"}
        assert page.others == []
        assert safe(text)
        text.encode()


@pytest.mark.promise(*ROW)
def test_json_can_be_read_and_holds_every_name(tmp_path):
    """Names come back from JSON as they were, half characters apart, which UTF-8 cannot write."""
    rows = json.loads(Table(("key",), [(name,) for name in NAMES]).to_json(tmp_path / "t.json").read_text("utf-8"))
    assert [row["key"] for row in rows] == [name.encode("utf-8", "backslashreplace").decode() for name in NAMES]


@pytest.mark.promise(*ROW)
def test_csv_comes_back_and_nothing_is_a_formula(tmp_path):
    table = Table(("key", *NAMES), [(name, *NAMES) for name in NAMES])
    again = Table.from_csv(table.to_csv(tmp_path / "t.csv"))
    half = [name for name in NAMES if any("\ud800" <= c <= "\udfff" for c in name)]  # UTF-8 cannot write these
    for name, found in [
        *zip(("key", *NAMES), again.columns, strict=True),
        *zip(NAMES, [r[0] for r in again.rows], strict=True),
    ]:
        assert found == (name.encode("utf-8", "backslashreplace").decode() if name in half else name)
    text = (tmp_path / "t.csv").read_bytes().decode()
    for cut in (",", ";", "\t"):  # where a spreadsheet of another country, or its dialogue, cuts
        cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=cut) for cell in row]
        assert [cell for cell in cells if is_formula(cell)] == []


@pytest.mark.promise(*ROW)
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(alphabet=st.sampled_from("=+-@'\";,\t\r\n aé1.＝\0\ufeff"), max_size=8), min_size=1, max_size=4)
)
@example([""])
@example(["\ufeff"])
def test_any_text_comes_back(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    again = Table.from_csv(Table(["n"] * len(cells), [cells, cells]).to_csv(path))
    assert list(again.rows) == [cells, cells]
    written = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
    assert [cell for row in written for cell in row if is_formula(cell)] == []


@pytest.mark.promise(*ROW)
def test_numbers_stay_numbers(tmp_path):
    path = Table(("id", "label", "p"), [(1, 0, -0.5), ("2", 1, 1e-7), ("3", np.int64(-1), float("nan"))]).to_csv(
        tmp_path / "t.csv"
    )
    assert path.read_text() == "id,label,p\n1,0,-0.5\n2,1,1e-07\n3,-1,nan\n"


@pytest.mark.promise(*ROW)
def test_what_a_classifier_said_comes_back(tmp_path):
    results = evaluation(NAMES)
    predictions = Predictions(results.keys, results.probabilities, results.class_names)
    again = Table.from_csv(predictions.to_csv(tmp_path / "t.csv"))
    whole = [i for i, name in enumerate(NAMES) if not any("\ud800" <= c <= "\udfff" for c in name)]
    assert [again.rows[i][0] for i in whole] == [NAMES[i] for i in whole]
    assert [again.rows[i][1] for i in whole if i - 1 in whole] == [
        predictions.names[i] for i in whole if i - 1 in whole
    ]
    np.testing.assert_array_equal(np.array([row[2:] for row in again.rows], np.float32), results.probabilities)


@pytest.mark.promise(*ROW)
@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not support")
@pytest.mark.parametrize("text_as", ["path", "none"])
def test_figures_are_pictures_and_nothing_else(tmp_path, text_as):
    """SVG is XML that browsers run: every name is drawn, none becomes an element, a formula or an error."""
    import matplotlib as mpl

    expected = {"svg", "g", "path", "defs", "use", "image", "style", "rect", "clipPath", "text", "tspan", "metadata"}
    grid = np.zeros((6, 2, 2, 1), np.uint8)
    drawn = NAMES if text_as == "none" else NAMES[::5]  # where names are outlines, they stand in comments alone
    with mpl.rc_context({"svg.fonttype": text_as}):
        for figure in (
            image_grid(grid, SCRIPTS[:2] + TERMINAL[:2] + MATHS[:2], columns=6, suptitle=NAMES[0]),
            confusion_matrix(np.eye(6, dtype=int), SCRIPTS[2:4] + TERMINAL[2:4] + MATHS[2:4]),
            *(counts(dict.fromkeys(drawn[start : start + 15], 1)) for start in range(0, len(drawn), 15)),
            heatmap_rows(grid[:3], {n: np.zeros((3, 2, 2, 3), np.uint8) for n in SCRIPTS[:3]}, titles=MATHS[:3],
                         blank=dict.fromkeys(SCRIPTS[:3], np.ones(3, bool))),
        ):  # fmt: skip
            figure.savefig(tmp_path / "f.svg")
            root = ET.fromstring((tmp_path / "f.svg").read_text("utf-8"))
            found = {node.tag.rpartition("}")[2] for node in root.iter()}
            rdf = {"RDF", "Work", "type", "date", "format", "creator", "Agent", "title"}
            assert found <= expected | rdf
            attributes = {name.rpartition("}")[2] for node in root.iter() for name in node.attrib}
            assert [name for name in attributes if name.lower().startswith("on")] == []
            links = [v for node in root.iter() for n, v in node.attrib.items() if n.endswith("href")]
            assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


@pytest.mark.promise(*ROW)
@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently does not support")
@pytest.mark.parametrize("names", [["a" * 5000, "b"], ["\n" * 500, "b"], ["$" * 999, "$\\frac{"]])
def test_a_name_leaves_room_for_the_figure(names):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout")
        for figure in (confusion_matrix(np.eye(2, dtype=int), names), counts(dict.fromkeys(names, 1))):
            figure.canvas.draw()


def can_be_a_file(name: str) -> bool:
    whole = not any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in name)
    return (
        bool(name)
        and whole
        and not {"/", "\0"} & set(name)
        and name not in (".", "..")
        and len(name.encode("utf-8", "surrogateescape")) < 240
    )


FILES = [name for name in NAMES if can_be_a_file(name)]


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_sources_say_hostile_names_safely(tmp_path, name):
    """Every message about a file, a class or a folder of this name is printable, and the picture is read."""
    hidden = name.startswith(".")
    root = tmp_path / name
    for path in (root / name / f"{name}1.png", root / "other" / "2.png", root / "3.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PICTURE[..., 0]).save(path, "PNG")
    (root / "other" / f"{name}.heic").touch()
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for make in (
            lambda: FolderSource(root),
            lambda: FolderSource(root, class_names=("cat", "dog")),
            lambda: FilenameSource(root),
            lambda: FilenameSource(root, r"(?P<label>zebra)"),
            lambda: FilenameSource(root, lambda text: {}[text]),
            lambda: FolderSource(root / name / f"{name}1.png"),
            lambda: FolderSource(root / "gone" / name),
            lambda: CsvPixelsSource(root / name),
            lambda: CsvPixelsSource(root / f"{name}.csv"),
        ):
            try:
                source = make()
                said.append(repr(source))
                for key in source.samples().keys:
                    assert source.read(str(key)).shape == (2, 2, 1)
            except ImgclfError as error:
                said.append(str(error))
    said += [str(warning.message) for warning in caught]
    assert len(said) >= 9
    assert [text for text in said if not safe(text)] == []
    assert hidden or any("1.png" in text or "classes" in text for text in said)


@pytest.mark.promise(*ROW)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_tables_say_hostile_names_safely(tmp_path, name):
    """As a header, a label and a cell; the path of the table is hostile as well where it can be."""
    folder = tmp_path / (name if can_be_a_file(name) else "x")
    folder.mkdir()
    cell = '"' + name.replace('"', '""') + '"'
    for text in (f"label,{cell},b,c,d\n1,2,3,4,5\n", f"label,a,b,c,d\n{cell},2,3,4,5\n", f"label,a,b,c,d\n1,2,{cell},4,5\n",
                 f"label,{cell},{cell},c,d\n1,2,3,4,5\n"):  # fmt: skip
        (folder / "t.csv").write_bytes(text.encode("utf-8", "surrogateescape" if can_be_a_file(name) else "replace"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                said = repr(CsvPixelsSource(folder / "t.csv", class_names=("cat", "dog")).samples())
            except ImgclfError as error:
                said = str(error)
        assert safe(said), said
        assert all(safe(str(warning.message)) for warning in caught)


@pytest.mark.promise(*ROW)
def test_nothing_is_written_outside(tmp_path, monkeypatch):
    """Classes called ``../../x`` and the like go through loading, caching, tables and figures; no path is made of them."""
    inside, cache = tmp_path / "work" / "deep" / "inside", tmp_path / "cache"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    monkeypatch.setenv("IMGCLF_CACHE", str(cache))
    for number in range(2 * len(PATHS)):
        Image.new("L", (2, 2), number).save(inside / f"{number}.png")
    names = [name.strip() or "blank" for name in PATHS]
    names = [name for name in dict.fromkeys(names) if name != "x"][:30]
    source = FilenameSource(inside, lambda name: names[int(name[:-4]) % len(names)], class_names=names)
    before = everything(tmp_path)
    data = Dataset.load(source, image_size=(2, 2), progress=False)
    assert data.class_names == tuple(names)
    results = evaluation(names)
    results.to_csv(inside / "results.csv")
    results.plot().savefig(inside / "confusion.png")
    data.show(4).savefig(inside / "show.png")
    DrawnPets(2, image_size=(32, 32)).write(inside / "pets")
    after = {path for path in everything(tmp_path) - before if cache not in path.parents and path != cache}
    assert all(inside in path.parents for path in after), after
    written = {str(path.relative_to(inside)) for path in after}
    assert written == {"results.csv", "confusion.png", "show.png", "pets", "pets/cat.0.png", "pets/dog.0.png"}
    kept = [path for path in everything(cache) if path.is_file()]
    assert {path.name for path in kept} <= {"images.npy", "failed.json"}


def everything(root: Path) -> set[Path]:
    return set(root.rglob("*")) | {root}


@pytest.mark.promise(*ROW)
def test_keys_of_a_stranger_open_no_file(tmp_path):
    """A key is looked up, never joined to a path."""
    for place in ("pets/cat/1.png", "pets/dog/1.png", "secret.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PICTURE[..., 0]).save(tmp_path / place)
    table = tmp_path / "t.csv"
    table.write_text("label,a,b,c,d\n1,2,3,4,5\n2,2,3,4,5\n")
    sources = (FolderSource(tmp_path / "pets"), FilenameSource(tmp_path / "pets", labelled=False), CsvPixelsSource(table),
               ArraySource(np.stack([PICTURE] * 2), [0, 1]), DrawnPets(2))  # fmt: skip
    for source in sources:
        for key in ("../secret.png", "../../secret.png", str(tmp_path / "secret.png"), "cat/../../secret.png", *NAMES):
            with pytest.raises(DatasetError) as caught:
                source.read(key)
            assert safe(str(caught.value))
