from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.errors import DatasetError, OptionError
from imgclf.sources.paths import Place, as_path, check_there, printable


def test_ways_to_give_a_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert as_path("a/b", "folder") == as_path(b"a/b", "folder") == as_path(Path("a/b"), "folder") == Path("a/b")
    assert as_path("~/pets", "folder") == tmp_path / "pets"


@pytest.mark.parametrize("given", ["", b"", None, 7, ["a"]])
def test_what_is_no_path(given):
    with pytest.raises(OptionError, match=r"the table is .*; expected the path of a table"):
        as_path(given, "table")


def test_a_path_that_is_not_there(tmp_path):
    assert check_there(tmp_path, "folder") == repr(str(tmp_path))
    with pytest.raises(DatasetError, match=r"there is no folder .*gone' \(looked for in"):
        check_there(tmp_path / "gone", "folder")


@pytest.mark.parametrize(("name", "shown"), [("a", "a"), ("\udce9", "\\xe9"), ("\ud800x", "\\ud800x")])
def test_any_name_can_be_written(name, shown):
    assert printable(name) == shown


def test_errors_speak_of_a_place_as_the_user_does(tmp_path):
    place = Place(tmp_path / "a\nb", Path("pets.zip/cat"))
    with pytest.raises(DatasetError, match=r"^no file 'pets\.zip/cat/1\.png'$"), place.named():
        raise DatasetError(f"no file {str(place.path / '1.png')!r}")
    with pytest.raises(OptionError, match="^as it is$"), Place(tmp_path, tmp_path).named():
        raise OptionError("as it is")
    with pytest.raises(ValueError, match="a stranger's"), place.named():
        raise ValueError("a stranger's")
