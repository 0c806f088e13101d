"""Picture files written byte by byte, so that no library has a say in what is in them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG's, by the number of channels


def chunk(tag, data=b"", checksum=None):
    checksum = zlib.crc32(tag + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", checksum)


def png_header(width, height, depth=8, color=2, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def png_rows(values, depth):
    """Filter 0 and the samples of each row: *values* is (height, width) or (height, width, channels)."""
    flat = values.reshape(values.shape[0], -1)
    if depth == 16:
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in flat)
    if depth == 8:
        return b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in flat)
    bits = np.unpackbits(flat.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :].reshape(flat.shape[0], -1)
    return b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)


def png(values, depth=8, *, before=b"", after=b"", palette=None, interlace=False, data=None, end=True):
    """A PNG of *values*; *before* and *after* are chunks around the data, *palette* its (n, 3) colours."""
    height, width = values.shape[:2]
    color = 3 if palette is not None else COLOR_TYPES[1 if values.ndim == 2 else values.shape[2]]
    plte = chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes()) if palette is not None else b""
    parts = [values[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlace else [values]
    rows = b"".join(png_rows(part, depth) for part in parts if part.size)
    idat = chunk(b"IDAT", zlib.compress(rows)) if data is None else data
    header = png_header(width, height, depth, color, int(interlace))
    return PNG + header + plte + before + idat + after + (chunk(b"IEND") if end else b"")


def tiff_orientation(value, order=">"):
    """An EXIF block that says nothing but the orientation."""
    magic = b"MM\0*" if order == ">" else b"II*\0"
    return magic + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)


def gif_data(indices, size_bits=2):
    """Uncompressed LZW codes of *indices* (each below 2 ** size_bits), in sub-blocks."""
    clear, width = 1 << size_bits, size_bits + 1
    codes = []
    for position, index in enumerate(np.asarray(indices).ravel().tolist()):
        codes += ([clear] if position % ((1 << size_bits) - 2) == 0 else []) + [index]
    number = sum(code << (width * position) for position, code in enumerate([*codes, clear + 1]))
    data = number.to_bytes((width * (len(codes) + 1) + 7) // 8, "little")
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return bytes([size_bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif_frame(indices, at=(0, 0), clear=None, disposal=0, size=None):
    """A frame of (height, width) *indices* at (left, top), perhaps with a transparent index."""
    height, width = size or np.shape(indices)
    control = b"!\xf9\4" + bytes([disposal << 2 | (clear is not None), 0, 0, clear or 0, 0])
    return control + b"," + struct.pack("<HHHHB", *at, width, height, 0) + gif_data(indices)


def gif(size, palette, *frames, background=0, end=True):
    """A GIF of (height, width) *size* with four colours."""
    head = b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0x80 | 1, background, 0)
    return head + np.asarray(palette, np.uint8).tobytes() + b"".join(frames) + (b";" if end else b"")


def bmp(width, height, bits, data, *, palette=b"", compression=0, masks=b"", header=40, colors=0):
    """A BMP: *data* are its rows from the bottom up (a negative *height*: from the top down)."""
    offset = 14 + header + len(palette) + (len(masks) if header == 40 else 0)
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 2835, 2835, colors, 0)
    info += masks + b"\0" * max(0, header - 40 - len(masks))
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + palette + data


def bmp_rows(values):
    """Rows of (height, width, bytes) from the bottom up, padded to four bytes."""
    rows = [row.astype(np.uint8).tobytes() for row in values[::-1]]
    return b"".join(row + b"\0" * (-len(row) % 4) for row in rows)


def saved(picture, kind, **options):
    """The bytes that Pillow writes; *picture* may be an array."""
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(picture, **options):
    return saved(picture, "JPEG", **{"quality": 100, "subsampling": 0, **options})


def jpeg_segments(content):
    """Where each marker of a JPEG's header begins, by its second byte; the scan (0xDA) comes last."""
    at, found = 2, {}
    while content[at] == 0xFF:
        found.setdefault(content[at + 1], at)
        if content[at + 1] == 0xDA:
            break
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return found
