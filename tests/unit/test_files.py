from __future__ import annotations

import json
import os
import stat

import pytest

from imgclf import files
from imgclf.errors import FileError
from imgclf.files import (
    open_file,
    open_handle,
    read_handle,
    replacing,
    replacing_folder,
    write_json,
    write_text,
)


def test_a_file_appears_whole_and_leaves_no_litter(tmp_path):
    path = tmp_path / "new" / "a.txt"
    assert write_text(path, "héllo\n") == path
    assert path.read_bytes() == "héllo\n".encode()
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="no modes on Windows")
def test_others_may_read_it_as_any_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(write_text(tmp_path / "a", "").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_an_error_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half of the ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"file/a\.txt' cannot be written: .*Choose another folder"):
        write_text(tmp_path / "file" / "a.txt", "")


def test_json_has_no_nan(tmp_path):
    path = write_json(tmp_path / "a.json", {"a": [float("nan"), float("inf"), 1.5], "b": (1, "é")})
    assert json.loads(path.read_text()) == {"a": [None, None, 1.5], "b": [1, "é"]}


def test_the_cache_folder_is_the_users_unless_told(monkeypatch, tmp_path):
    assert files.cache_folder().name == "cache"  # the tests' own
    monkeypatch.delenv("IMGCLF_CACHE")
    assert "imgclf" in str(files.cache_folder())
    monkeypatch.setenv("IMGCLF_CACHE", str(tmp_path))
    assert files.cache_folder() == tmp_path


@pytest.mark.skipif(os.name == "nt", reason="no modes and links on Windows")
def test_a_link_and_a_mode_stay(tmp_path):
    path = write_text(tmp_path / "real.txt", "old")
    path.chmod(0o600)
    (tmp_path / "link.txt").symlink_to(path)
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "x").write_bytes(b"content")
    with open_file(tmp_path / "x") as file:
        assert file.read() == b"content"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="no regular file"):
            open_file(tmp_path / "pipe")
    with pytest.raises(OSError, match="[Dd]irectory|[Dd]enied"):
        open_file(tmp_path)


def test_a_handle_gives_all_of_a_file_also_piece_by_piece(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(bytes(range(250)))
    for most in (1000, 7, 1):
        read = os.read
        monkeypatch.setattr(os, "read", lambda handle, size, most=most, read=read: read(handle, min(size, most)))
        handle, size = open_handle(tmp_path / "x")
        assert (size, read_handle(handle, size)) == (250, bytes(range(250)))
        os.close(handle)
        monkeypatch.undo()
    handle, size = open_handle(tmp_path / "x")
    assert read_handle(handle, 9) == bytes(range(10))  # it has grown: one byte more tells
    os.close(handle)
    (tmp_path / "x").write_bytes(b"")
    handle, size = open_handle(tmp_path / "x")
    assert read_handle(handle, 9) == b""  # it has shrunk
    os.close(handle)


def held(folder):
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_folder_appears_whole_and_replaces_its_like(tmp_path):
    """A missing, an empty and an older one of the same kind; nothing else is left beside it."""
    for content in ("1", "2"):
        with replacing_folder(tmp_path / "deep" / "model", "mark") as made:
            (made / "part").mkdir()
            (made / "part" / "data").write_text(content)
            (made / "mark").write_text(content)
        assert held(tmp_path / "deep") == {"model/part/data": content, "model/mark": content}
    (tmp_path / "empty").mkdir()
    with replacing_folder(tmp_path / "empty", "mark") as made:
        (made / "mark").write_text("3")
    assert held(tmp_path / "empty") == {"mark": "3"}


def test_an_error_leaves_the_old_folder(tmp_path, monkeypatch):
    """Whether it comes while the new one is filled, or when it is to take the name."""
    with replacing_folder(tmp_path / "model", "mark") as made:
        (made / "mark").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "model", "mark") as made:
        (made / "mark").write_text("new")
        raise KeyboardInterrupt
    assert held(tmp_path) == {"model/mark": "old"}
    failing = pytest.raises(FileError, match="The file that was there is as it was")
    with failing, replacing_folder(tmp_path / "model", "mark") as made:
        made.rename(tmp_path / "gone")
    assert held(tmp_path / "model") == {"mark": "old"}


def test_another_folder_is_not_replaced(tmp_path):
    """What holds other things, or is a file, is not ours to remove."""
    (tmp_path / "thesis").mkdir()
    write_text(tmp_path / "thesis" / "text", "long")
    for path, said in ((tmp_path / "thesis", "a folder without mark"), (tmp_path / "thesis" / "text", "a file")):
        refused = pytest.raises(FileError, match=f"is {said} and is left as it is. Choose another path")
        with refused, replacing_folder(path, "mark"):
            pytest.fail("not to be begun")
    assert held(tmp_path) == {"thesis/text": "long"}
