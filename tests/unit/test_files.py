from __future__ import annotations

import json
import os
import stat

import pytest

from imgclf import files
from imgclf.errors import FileError
from imgclf.files import open_file, open_handle, read_handle, replacing, write_json, write_text


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
