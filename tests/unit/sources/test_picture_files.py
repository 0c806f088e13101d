from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import DatasetError, ImageError
from imgclf.images import ImageSpec, prepare_image, read_image
from imgclf.sources.listing import content_digest
from imgclf.sources.paths import Place
from imgclf.sources.picture_files import PictureFiles


@pytest.fixture
def files(tmp_path):
    Image.new("L", (3, 2), 9).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"<html>")
    paths = {"cat/1.png": str(tmp_path / "1.png"), "cat/2.png": str(tmp_path / "2.png")}
    return PictureFiles(paths, Place(tmp_path, Path("pets.zip/cat")))


def test_what_a_file_gives(files, tmp_path):
    np.testing.assert_array_equal(files.read("cat/1.png"), read_image(tmp_path / "1.png"))
    spec = ImageSpec((4, 4))
    np.testing.assert_array_equal(files.prepare("cat/1.png", spec), prepare_image(tmp_path / "1.png", spec))
    assert files.content("cat/1.png") == (tmp_path / "1.png").read_bytes()
    assert files.digest() == content_digest(files.paths)
    assert list(files) == ["cat/1.png", "cat/2.png"]
    assert len(files) == 2


@pytest.mark.parametrize("ask", [PictureFiles.read, PictureFiles.content, PictureFiles.path])
def test_a_key_is_never_a_path(files, ask, tmp_path):
    for key in ("1.png", str(tmp_path / "1.png"), "", "../1.png"):
        with pytest.raises(DatasetError, match="The keys are"):
            ask(files, key)


def test_errors_say_the_path_that_was_given(files, tmp_path):
    with pytest.raises(ImageError, match=r"^'pets\.zip/cat/2\.png' is an HTML page"):
        files.read("cat/2.png")
    (tmp_path / "1.png").unlink()
    with pytest.raises(ImageError, match=r"^'pets\.zip/cat/1\.png' cannot be opened"):
        files.content("cat/1.png")
