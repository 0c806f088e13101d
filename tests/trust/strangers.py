"""Files that are no picture that we read, under the name of one; and those that are, under another's name."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from handmade import PNG, saved
from PIL import Image

SMALL = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)


def strangers():
    """What is no picture that we read, under a picture's name; the cause names what it is."""
    small = Image.fromarray(SMALL)
    table = io.BytesIO()
    with zipfile.ZipFile(table, "w") as archive:
        archive.writestr("a.txt", "a")
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    array = io.BytesIO()
    np.save(array, SMALL)
    texts = {
        "an HTML page": [b"<!DOCTYPE html><html>404", b"\xef\xbb\xbf\n <HTML><head>", b"<?xml version='1'?>\n<html>"],
        "a text": [b"hello\n", json.dumps({"error": 404}).encode(), "schön".encode(), b"a,b\n1,2\n" * 99, b"BMW" * 9],
        "an SVG": [b'<svg xmlns="x"/>', b'<?xml version="1.0"?>\n<svg/>'],
        "an XML": [b"<?xml version='1'?><feed/>"],
        "empty": [b""],
        "nothing but zero bytes": [b"\0", bytes(5000)],
        "unknown kind": [np.random.default_rng(0).bytes(999), b"GIF99a" + bytes(9), "schön".encode("latin-1") * 9],
        "a TIFF": [saved(small, "TIFF"), b"MM\0*" + bytes(20)],
        "a Windows icon": [saved(small, "ICO")],
        "a PNM": [saved(small, "PPM"), b"P3\n1 1\n255\n0 0 0\n"],
        "an AVIF": [b"\0\0\0\x1cftypavif" + bytes(40)],
        "a HEIC": [b"\0\0\0\x18ftypheic" + bytes(40)],
        "a JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), b"\xff\x4f\xff\x51" + bytes(40)],
        "a JPEG XL": [b"\xff\x0a" + bytes(40)],
        "a Photoshop": [b"8BPS\0\1" + bytes(40)],
        "a PDF": [b"%PDF-1.7\n" + bytes(40)],
        "a PostScript": [b"%!PS-Adobe-3.0 EPSF-3.0\n"],
        "a zip": [table.getvalue()],
        "a gzip": [b"\x1f\x8b\x08" + bytes(40)],
        "a tar": [tape.getvalue()],
        "a RAR": [b"Rar!\x1a\7\0" + bytes(9)],
        "a 7-Zip": [b"7z\xbc\xaf\x27\x1c" + bytes(9)],
        "a film": [b"\0\0\0\x18ftypisom" + bytes(40)],
        "a sound": [b"RIFF\x24\0\0\0WAVEfmt " + bytes(20)],
        "a NumPy array": [array.getvalue()],
        "a program": [b"\x7fELF" + bytes(40)],
        "Git LFS": [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"],
        "of macOS": [b"\0\0\0\1Bud1" + bytes(40), b"\0\5\x16\7" + bytes(40)],
        "a DICOM": [bytes(128) + b"DICM" + bytes(40)],
    }
    for cause, contents in texts.items():
        for number, content in enumerate(contents):
            suffix = (".jpg", ".png", ".gif", ".bmp", ".webp")[(len(cause) + number) % 5]
            yield f"stranger_{cause.replace(' ', '_')}_{number}{suffix}", content, "" if content[:2] == b"BM" else cause


def disguises():
    """Every format under every other's ending: a name, and the reference picture that it is."""
    names = ("rgb.jpg", "rgb.png", "palette.gif", "rgb.bmp", "lossless.webp")
    for name in names:
        for other in (".jpeg", ".PNG", ".Gif", ".bmp", ".webp"):
            if Path(name).suffix[:3] != other.lower()[:3]:
                yield f"in_truth_{name.replace('.', '_')}{other}", name


def noise():
    """A right beginning, and then chance."""
    for magic, suffix in ((b"\xff\xd8\xff\xe0", ".jpg"), (PNG, ".png"), (b"GIF89a", ".gif"), (b"BM", ".bmp")):
        for seed in range(4):
            yield f"noise_{seed}{suffix}", magic + np.random.default_rng(seed).bytes(3000), ""
    for seed in range(4):
        body = b"WEBPVP8 " + np.random.default_rng(seed).bytes(3000)
        yield f"noise_{seed}.webp", b"RIFF" + struct.pack("<I", len(body)) + body, ""
