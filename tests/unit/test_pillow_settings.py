from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings

import pytest
from PIL import Image, ImageFile

from imgclf.pillow_settings import pinned


def while_another_decodes(act):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with pinned(100):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    try:
        act()
    finally:
        leave.set()
        thread.join()


def test_settings_are_ours_within_and_theirs_after(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(KeyError), pinned(100):
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
        assert Image.MAX_IMAGE_PIXELS == 50
        raise KeyError
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert Image.MAX_IMAGE_PIXELS is None


def test_what_is_set_meanwhile_is_given_back_by_the_last_thread(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)

    def import_late():
        ImageFile.LOAD_TRUNCATED_IMAGES = True  # some package does
        with pinned(100):
            assert ImageFile.LOAD_TRUNCATED_IMAGES is False
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False

    while_another_decodes(import_late)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


FORKING = """
import os
from PIL import ImageFile
from imgclf.pillow_settings import pinned

ImageFile.LOAD_TRUNCATED_IMAGES = True
with pinned(100):
    child = os.fork()
    if child == 0:
        theirs = ImageFile.LOAD_TRUNCATED_IMAGES
        with pinned(100):
            os._exit(0 if theirs and not ImageFile.LOAD_TRUNCATED_IMAGES else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_process_has_its_own_settings_back():
    """In a process of its own: some backends object to forks."""
    subprocess.run([sys.executable, "-c", FORKING], check=True, timeout=60)


def test_only_pillows_warnings_are_silenced():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pinned(100):
            warnings.warn_explicit("noise", UserWarning, "x.py", 1, module="PIL.PngImagePlugin")
            warnings.warn("ours", stacklevel=1)
        warnings.warn_explicit("later", UserWarning, "x.py", 1, module="PIL.PngImagePlugin")
    assert [str(warning.message) for warning in heard] == ["ours", "later"]


def test_what_is_set_while_we_decode_stays(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    def act():
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        Image.MAX_IMAGE_PIXELS = None

    while_another_decodes(act)
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == (True, None)


def test_no_filter_stays_behind_when_a_list_of_filters_is_put_back_later():
    before = list(warnings.filters)
    caught = warnings.catch_warnings()
    while_another_decodes(caught.__enter__)
    caught.__exit__(None, None, None)
    assert list(warnings.filters) == before
