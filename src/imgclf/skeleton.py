"""Whether a picture file is whole, read from its skeleton: chunks, blocks, markers, declared sizes.

In: a format and a file's content.  Out: what is wrong with it, in words, or None.  Pillow alone does not say: it takes
a PNG whose data stop halfway for a picture with a black lower half, and never looks at the checksums of those data.
"""

from __future__ import annotations

import re
import struct
import zlib

MAX_PARTS = 200_000
"""Most chunks or blocks in a file: a PNG of 80 million pixels has about 40,000.  More are there to keep us busy."""

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # of a JPEG: neither data nor a restart
_TOO_MANY = f"is made of more than {MAX_PARTS:,} parts"


def fault(kind: str, content: bytes) -> str | None:
    """What is wrong with a file, as ``"is truncated: …"`` or ``"is damaged: …"``; None where nothing shows.

    Args:
        kind: One of ``formats.FORMATS``.
        content: The whole file.  What follows the picture's own end is not looked at.
    """
    if kind == "PNG":
        return png_fault(content)
    if kind == "GIF":
        return gif_blocks(content)[1]
    if kind == "WEBP":
        return _webp_fault(content)
    return None  # JPEG and BMP: their decoders notice an early end


def jpeg_ends_early(content: bytes) -> bool:
    """Whether no end marker follows the last scan: for words only, libjpeg knows best."""
    return content.rfind(b"\xff\xd9") <= content.rfind(b"\xff\xda") or b"\xff\xda" not in content


def jpeg_scan(content: bytes) -> int:
    """Where the first scan of a JPEG begins; 0 if nowhere."""
    at = 2
    while 0 <= (at := content.find(b"\xff", at)) < len(content) - 4:
        marker = content[at + 1]
        if marker == 0xDA:
            return at
        bare = marker in {0x00, 0x01, 0xFF} or 0xD0 <= marker <= 0xD8
        at += 1 if bare else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return 0


def jpeg_scans(content: bytes, most: int = MAX_PARTS) -> int:
    """How many scans a JPEG has up to its own end marker; *most* where it has no fewer.

    Markers are followed as libjpeg does (ITU-T T.81, B.1.1): what it passes over byte by byte is not skipped here.
    """
    at, scans = jpeg_scan(content), 0
    for _ in range(MAX_PARTS):
        if not (found := _MARKER.search(content, at)) or found[0] == b"\xff\xd9":
            return scans
        scans += found[0] == b"\xff\xda"
        if scans >= most:
            return scans
        skipped = found[0] >= b"\xff\xc0" and found[0] != b"\xff\xd8"  # the others have no length
        length = int.from_bytes(content[found.end() : found.end() + 2], "big") if skipped else 0
        at = found.end() + length
    return most


def png_fault(content: bytes) -> str | None:
    """What is wrong with a PNG's chunks: an early end, or a wrong checksum of one that matters for the pixels."""
    at, view, pixels = 8, memoryview(content), False
    for _ in range(MAX_PARTS):
        length, tag = struct.unpack_from(">I4s", content, at) if at + 8 <= len(content) else (0, b"")
        if not tag:
            return "is truncated: it ends without its last chunk, IEND"
        if length > 2**31 - 1 or not tag.isalpha() or (at == 8) != (tag == b"IHDR" and length == 13):
            return "is damaged: its chunks are garbled"
        end = at + 12 + length
        if end > len(content):
            return f"is truncated: it ends inside its {tag.decode()} chunk"
        checksum = zlib.crc32(view[at + 4 : end - 4]) if tag in _CRITICAL else None
        if checksum not in {None, struct.unpack_from(">I", content, end - 4)[0]}:
            return f"is damaged: the checksum of its {tag.decode()} chunk is wrong"
        if tag == b"IEND":
            return None if pixels else "is damaged: it holds no pixels (no IDAT chunk)"
        at, pixels = end, pixels or tag == b"IDAT"
    return _TOO_MANY


def png_data_end_early(content: bytes) -> bool:
    """Whether a PNG without a :func:`png_fault` holds fewer rows than it declares."""
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    bits = depth * _CHANNELS.get(color, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    missing = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
    inflate, at = zlib.decompressobj(), 8
    while missing > 0 and not inflate.eof and at + 8 <= len(content):
        length, tag = struct.unpack_from(">I4s", content, at)
        data = content[at + 8 : at + 8 + length] if tag == b"IDAT" else b""
        while data and missing > 0:
            try:
                missing -= len(inflate.decompress(data, 2**20))
            except zlib.error:  # damaged, which is another thing
                return False
            data = inflate.unconsumed_tail
        at += 12 + length
    return missing > len(inflate.flush(2**20)) if missing > 0 else False


def png_has_tail(content: bytes) -> bool:
    """Whether a PNG without a :func:`png_fault` says more after its pixels, where EXIF may stand too."""
    at, seen = 8, False
    while True:
        length, tag = struct.unpack_from(">I4s", content, at)
        if tag == b"IEND" or (seen and tag != b"IDAT"):
            return bool(tag != b"IEND")
        at, seen = at + 12 + length, seen or tag == b"IDAT"


def gif_blocks(content: bytes) -> tuple[int, str | None]:
    """The number of whole frames of a GIF, and what is wrong with it, or None."""
    at, frames, block = 13 + _colours(content, 10), 0, 0
    early = "is truncated: it ends before its last block"
    for _ in range(MAX_PARTS):
        if at >= len(content):  # some programs leave out the last byte: then a whole frame is an end
            return frames, None if at == len(content) and block == 0x2C else early
        block = content[at]
        if block == 0x3B:
            return frames, None
        if block == 0x2C:  # a frame: 9 bytes, its palette, the code size, data
            at += 10 + _colours(content, at + 9)
            if at < len(content) and not 1 <= content[at] <= 11:
                return frames, f"is damaged: its colours have {content[at]} bits"
            at = _after_data(content, at + 1)
        elif block == 0x21:
            at = _after_data(content, at + 2)
        else:  # zeros and junk between blocks: readers pass over them
            found = re.compile(rb"[,!;]").search(content, at)
            at = found.start() if found else len(content)
        if at < 0:
            return frames, _TOO_MANY
        frames += block == 0x2C and at <= len(content)
    return frames, _TOO_MANY


def _colours(content: bytes, at: int) -> int:
    """Bytes of the palette that the flags at *at* announce."""
    flags = content[at] if at < len(content) else 0
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def _after_data(content: bytes, at: int) -> int:
    """Where a chain of sub-blocks ends; beyond the content if it never does, -1 if it is absurdly long."""
    for _ in range(MAX_PARTS * 10):
        size = content[at] if at < len(content) else -1
        if size < 0:
            return len(content) + 1
        at += size + 1
        if size == 0:
            return at
    return -1


def _webp_fault(content: bytes) -> str | None:
    declared = 8 + int.from_bytes(content[4:8], "little")
    if declared > len(content):
        return f"is truncated: it declares {declared:,} bytes and has {len(content):,}"
    return None
