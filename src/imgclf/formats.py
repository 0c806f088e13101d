"""What a file is by its first bytes, whatever its name says: a picture that we read, or what else it is.

In: a file's content.  Out: the name of one of ``FORMATS``, or words for a message.
"""

from __future__ import annotations

import re

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
"""The formats that are read: those of photographs and screenshots.  Phones write MPO under ``.jpg``: a JPEG with more
pictures behind it.  Decoders' security advisories cluster in the formats that are not here, which nobody trains on."""

SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
}
"""The endings that fit a format, among those by which a source knows a picture."""

_DICOM_MAGIC = slice(128, 132)
_HTML = "an HTML page (did a download fail?)"
_BRANDS = {  # of the ISO container that a phone's pictures and films share, at byte 8
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"jxl ": "a JPEG XL picture",
    b"crx ": "a raw camera picture",
}
_BEGINNINGS = (
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"II+\0", "a TIFF picture"),
    (b"MM\0+", "a TIFF picture"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"\0\0\1\0", "a Windows icon"),
    (b"\0\0\2\0", "a Windows cursor"),
    (b"icns", "a macOS icon"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a DDS texture"),
    (b"v/1\1", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"PK\3\4", "a zip archive, or an office document"),
    (b"PK\5\6", "a zip archive, or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1aE\xdf\xa3", "a film"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound or film"),
    (b"\0\0\0\1Bud1", "a folder file of macOS"),
    (b"\0\5\x16\7", "a companion file of macOS, without the picture itself"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself: fetch it with git lfs pull"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"\x01\xda", "an SGI picture"),
    (b"\n\x05\x01", "a PCX picture"),
)


_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"GIF87a", b"BM", b"RIFF")


def format_of(content: bytes) -> str | None:
    r"""The one of ``FORMATS`` that *content* begins as; None if it begins as none of them.

    >>> format_of(b"\xff\xd8\xff\xe0"), format_of(b"GIF89a"), format_of(b"<html>")
    ('JPEG', 'GIF', None)
    """
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    return "BMP" if content.startswith(b"BM") else None


def what_else(content: bytes) -> str:
    """Words for what *content* is where it is none of ``FORMATS``.

    >>> what_else(b"<!DOCTYPE html><html>404")
    'an HTML page (did a download fail?)'
    >>> what_else(b"a,b,c")
    "a text, which begins with 'a,b,c'"
    """
    if not content:
        return "empty (0 bytes)"
    known = next((words for beginning, words in _BEGINNINGS if content.startswith(beginning)), None)
    return known or _container(content) or _text_or_bytes(content)


def remedy(words: str) -> str:
    """What to do about a file of which :func:`what_else` says *words*.

    >>> remedy("empty (0 bytes)")
    'Restore it'
    """
    if words.startswith(("empty", "truncated")):
        return "Restore it"
    return "Download it again" if words == _HTML else f"Convert it to one of {', '.join(FORMATS)}"


def _container(content: bytes) -> str | None:
    tests = (
        (content[4:8] == b"ftyp", _BRANDS.get(content[8:12], "a film")),
        (content.startswith(b"RIFF") and len(content) < 12, f"truncated to {len(content)} bytes"),
        (content.startswith(b"RIFF"), "a sound or film (RIFF)"),
        (_is_tar(content[:512]), "a tar archive"),
        (content[_DICOM_MAGIC] == b"DICM", "a DICOM picture"),
        (re.match(rb"P[1-7fF]\s", content), "a PNM picture"),
        (any(magic.startswith(content) for magic in _MAGICS), f"truncated to {len(content)} bytes"),
    )
    return next((words for found, words in tests if found), None)


def _text_or_bytes(content: bytes) -> str:
    if not content[:4096].strip(b"\0"):
        return "nothing but zero bytes (was it recovered from a damaged disk?)"
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head:
        return _HTML
    if head.startswith((b"<?xml", b"<")):
        return "an XML document"
    start = content[:512]
    if all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in start) and _is_utf8(start):
        return f"a text, which begins with {start[:24].decode('utf-8', 'ignore')!r}"
    return f"of an unknown kind: it begins with {content[:8]!r}"


def _is_tar(header: bytes) -> bool:
    """Whether *header* carries its own checksum, as every tar archive's does, also one without the word ustar."""
    digits = header[148:156].strip(b" \0")
    return len(header) == 512 and digits.isdigit() and _octal(digits) == sum(header) - sum(header[148:156]) + 8 * 32


def _octal(digits: bytes) -> int:
    return int(digits, 8) if not set(digits) & set(b"89") else -1


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(start) - 3 and len(start) == 512  # a character was cut in two here
    return True
