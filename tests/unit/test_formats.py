from __future__ import annotations

import pytest

from imgclf.formats import FORMATS, SUFFIXES_OF, format_of, what_else
from imgclf.images import IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\xff\xd8\xff\xe1", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF87a", "GIF"),
        (b"BM", "BMP"),
        (b"RIFF\0\0\0\0WEBP", "WEBP"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_a_format_is_told_by_its_beginning(beginning, name):
    assert format_of(beginning) == name


def test_every_format_has_endings_that_sources_list():
    assert set(FORMATS) <= set(SUFFIXES_OF)
    assert {suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes} == set(IMAGE_SUFFIXES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xff\xd8", "truncated to 2 bytes"),
        (b"B", "truncated to 1 bytes"),
        (b"RIFF\0\0", "truncated to 6 bytes"),
        (b"\0\0\0\x20ftypqt  ", "a film"),
        (b"\0\0\0\x20ftypmif1", "a HEIF picture"),
        ("é".encode() * 400, "a text"),
        ("é".encode("latin-1") * 400, "of an unknown kind"),
        (b"a" + "é".encode() * 400, "a text"),  # cut within a character at 512 bytes
        (b"\x80\x02}q\x00.", "of an unknown kind"),
        (b"-" * 148 + b"0000099 " + b"-" * 400, "a text"),
    ],
)
def test_what_is_no_picture_is_named(content, words):
    assert what_else(content).startswith(words)
