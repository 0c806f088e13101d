from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imgclf import skeleton

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8))


def encoded(kind, **options):
    buffer = io.BytesIO()
    RGB.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "JPEG", "BMP"])
def test_a_whole_file_has_no_fault_with_or_without_junk_behind_it(kind):
    assert skeleton.fault(kind, encoded(kind)) is None
    assert skeleton.fault(kind, encoded(kind) + b"junk") is None


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_every_early_end_is_seen(kind):
    content = encoded(kind)
    cuts = range(14, len(content) - (kind == "GIF"))  # whose last byte says no more than that it is the last
    assert all(str(skeleton.fault(kind, content[:cut])).startswith("is truncated") for cut in cuts)


def test_a_gif_may_end_with_a_whole_frame_and_with_nothing_less():
    """Some icons that come with Python lack the last byte."""
    content = encoded("GIF")[:-1]
    assert skeleton.gif_blocks(content) == (1, None)
    comment = b"!\xfe\3abc\0"
    for odd in (content[:-1], content + comment, content + b",", content[: content.index(b",")] + comment):
        assert str(skeleton.gif_blocks(odd)[1]).startswith("is truncated"), odd[-9:]


@pytest.mark.parametrize("progressive", [False, True])
def test_the_scans_of_a_jpeg_are_counted_up_to_its_own_end(progressive):
    content = encoded("JPEG", progressive=progressive, exif=b"Exif\0\0" + b"\xff\xda\0\2" * 9)
    scans = skeleton.jpeg_scans(content)
    assert scans > 5 if progressive else scans == 1
    assert skeleton.jpeg_scans(content + content + b"\xff\xda" * 99) == scans
    end = content.rindex(b"\xff\xd9")
    assert skeleton.jpeg_scans(content[:end] + b"\xff\xda\0\2" * 7 + content[end:]) == scans + 7
    assert skeleton.jpeg_scans(content[:end] + b"\xff\xda\0\2" * 7 + content[end:], most=3) == min(3, scans + 7)
    hidden = b"\xff\2\xff\xff" + b"\xff\xda\0\2" * 7  # reserved: libjpeg looks at what follows byte by byte
    assert skeleton.jpeg_scans(content[:end] + hidden + content[end:]) == scans + 7
    assert skeleton.jpeg_scans(b"\xff\xd8\xff") == 0


@pytest.mark.parametrize("position", range(33, 60))
def test_a_changed_byte_of_a_png_is_seen(position):
    content = bytearray(encoded("PNG"))
    content[position] ^= 4
    assert skeleton.fault("PNG", bytes(content)) is not None


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_frames_of_a_gif_are_counted(frames):
    others = [Image.fromarray(np.full((9, 11, 3), 40 * number, np.uint8)) for number in range(frames - 1)]
    content = encoded("GIF", save_all=True, append_images=others)
    assert skeleton.gif_blocks(content) == (frames, None)


def test_a_gif_of_endless_blocks_is_left_alone(monkeypatch):
    monkeypatch.setattr(skeleton, "MAX_PARTS", 20)
    assert skeleton.gif_blocks(encoded("GIF")[:-1] + b"!\xfe\1a\0" * 50)[1] == skeleton._TOO_MANY
    assert skeleton.gif_blocks(encoded("GIF")[:-1] + b"!\xfe" + b"\1a" * 5000)[1] == skeleton._TOO_MANY


def test_the_scan_of_a_jpeg_is_found_behind_its_thumbnail():
    thumbnail = encoded("JPEG")
    content = encoded("JPEG", exif=b"Exif\0\0" + thumbnail)
    at = skeleton.jpeg_scan(content)
    assert content[at : at + 2] == b"\xff\xda"
    assert at > content.index(thumbnail) + len(thumbnail)
    assert skeleton.jpeg_scan(b"\xff\xd8\xff") == 0
    assert not skeleton.jpeg_ends_early(content)
    assert skeleton.jpeg_ends_early(content[:-2])
