"""Nasty pictures made by code: every format with every fault that we could think of, and what must become of each.

``corpus()`` gives ``Case`` s.  *wanted* is the pixels that must come out (to 2 of 255), or a pattern that the error's
words must match: the cause.  Nothing is random but what is seeded.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from handmade import (
    PNG,
    bmp,
    bmp_rows,
    chunk,
    gif,
    gif_frame,
    jpeg,
    jpeg_segments,
    png,
    png_header,
    saved,
    tiff_orientation,
)
from PIL import Image
from strangers import disguises, noise, strangers

REFERENCE = Path(__file__).parent / "reference"
TRUTH = dict(np.load(REFERENCE / "pixels.npz"))
SCENE, INDICES = TRUTH["rgb.png"], TRUTH["grey_2_bit.png"][..., 0] // 85
PALETTE = np.array([[250, 10, 20], [20, 240, 30], [30, 40, 230], [200, 210, 220]], np.uint8)
NOISE = np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8)
EARLY, DAMAGED, PIXELS = "is truncated", "is damaged", "pixels, more than the|more pixels than the"
PIECES = "is made of more than"


class Case(NamedTuple):
    """A file's name and content, and the pixels or the pattern of a cause that it must give."""

    name: str
    content: bytes
    wanted: np.ndarray | str


def corpus():
    """All cases; the names are unique."""
    makers = (truncated, planted_ends, pngs, png_headers, png_chunks, jpegs, jpeg_exif, gifs, bmps, webps)
    made = [Case(*case) for make in (*makers, strangers, noise) for case in make()]
    cases = made + [Case(name, reference(truth), TRUTH[truth]) for name, truth in disguises()]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def reference(name):
    return (REFERENCE / name).read_bytes()


def patched(content, at, new):
    return content[:at] + new + content[at + len(new) :]


def truncated():
    names = ("rgb.jpg", "progressive.jpg", "rgb.png", "animated.gif", "rgb.bmp", "run_lengths.bmp", "lossless.webp")
    for name in names:
        content = reference(name)
        cuts = {1, 2, 3, 4, 8, 11, 14, 20, 30, len(content) // 2, len(content) * 3 // 4, len(content) - 1}
        for cut in sorted(cuts):
            suffix = Path(name).suffix
            if cut == len(content) - 1 and name in {"run_lengths.bmp", "animated.gif"}:
                continue  # all its pixels are there
            yield f"cut_{Path(name).stem}_{cut}{suffix}", content[:cut], EARLY if content[:cut] else "is empty"
        if suffix != ".bmp":  # where nothing can show it
            yield f"zeroed_{Path(name).stem}{suffix}", content[: len(content) // 2].ljust(len(content), b"\0"), "is "


def planted_ends():
    """Cut pictures that were made to look whole: Pillow shows the rest grey or black."""
    for name, picture in (("rgb", NOISE), ("grey", NOISE[..., 0])):
        content = jpeg(picture)
        for share in (3, 5, 8):
            yield f"jpeg_{name}_ended_at_{share}0.jpg", content[: len(content) * share // 10] + b"\xff\xd9", EARLY
    content = jpeg(NOISE, progressive=True)
    scans = [at for at in range(len(content)) if content[at : at + 2] == b"\xff\xda"]
    yield "jpeg_ended_in_first_scan.jpg", content[: (scans[0] + scans[1]) // 2] + b"\xff\xd9", EARLY
    for kind, values, depth in (
        ("rgb", NOISE, 8),
        ("grey16", NOISE[..., 0].astype(int) * 257, 16),
        ("bits", NOISE[..., 0] % 2, 1),
    ):
        for interlace in (False, True):
            half = png(values[:32], depth, interlace=interlace)
            lying = PNG + png_header(64, 64, depth, 2 if values.ndim == 3 else 0, int(interlace)) + half[33:]
            yield f"png_{kind}_half_the_rows{'_interlaced' * interlace}.png", lying, EARLY
    half = png(INDICES[:8], 2, palette=PALETTE)
    yield "png_palette_half_the_rows.png", PNG + png_header(24, 16, 2, 3) + half[33:], EARLY
    yield "png_no_last_chunk.png", png(SCENE, end=False), EARLY


def pngs():
    grey = Image.fromarray(np.full((64, 64), 128, np.uint8))
    yield "grey_128.jpg", jpeg(grey), np.full((64, 64, 1), 128)
    pair = saved(grey, "MPO", save_all=True, append_images=[grey])
    yield "grey_128_twice.jpg", pair, np.full((64, 64, 1), 128)
    yield "black.png", png(np.zeros((9, 9), int)), np.zeros((9, 9, 1))
    yield "black_interlaced.png", png(np.zeros((9, 9, 3), int), interlace=True), np.zeros((9, 9, 3))
    yield "more_rows_than_declared.png", PNG + png_header(24, 12) + png(SCENE)[33:], SCENE[:12]
    rows = b"".join(b"\0" + row.tobytes() for row in SCENE)
    data = zlib.compress(rows)
    crumbs = b"".join(chunk(b"IDAT", data[at : at + 1]) + chunk(b"IDAT") for at in range(len(data)))
    yield "data_in_crumbs.png", png(SCENE, data=crumbs), SCENE
    yield "filter_9.png", png(SCENE, data=chunk(b"IDAT", zlib.compress(b"\x09" + rows[1:]))), DAMAGED
    yield (
        "deflate_damaged.png",
        png(SCENE, data=chunk(b"IDAT", patched(data, 8, b"\xff\xff\xff"))),
        f"{DAMAGED}|{EARLY}",
    )
    yield "not_deflate.png", png(SCENE, data=chunk(b"IDAT", bytes(range(100)))), f"{DAMAGED}|{EARLY}"
    yield "no_data.png", png(SCENE, data=b""), "holds no pixels"
    yield "empty_data.png", png(SCENE, data=chunk(b"IDAT")), f"{DAMAGED}|{EARLY}"
    yield "junk_behind.png", png(SCENE) + NOISE.tobytes(), SCENE
    yield "wide.png", png(np.full((1, 5_000_000), 1), 1), np.full((1, 5_000_000, 1), 255)
    yield "tall.png", png(np.full((200_000, 1), 7)), np.full((200_000, 1, 1), 7)
    yield "one_pixel.png", png(np.full((1, 1), 7)), np.full((1, 1, 1), 7)


def png_headers():
    body = png(SCENE)[33:]
    for label, fields, cause in (
        ("no_width", (0, 16, 8, 2, 0, 0, 0), DAMAGED),
        ("no_height", (24, 0, 8, 2, 0, 0, 0), DAMAGED),
        ("no_size", (0, 0, 8, 2, 0, 0, 0), DAMAGED),
        ("2_31", (2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0), PIXELS),
        ("2_32", (2**32 - 1, 1, 8, 2, 0, 0, 0), PIXELS),
        ("30000", (30_000, 30_000, 8, 2, 0, 0, 0), PIXELS),
        ("9000", (9_000, 9_000, 8, 6, 0, 0, 0), PIXELS),
        ("depth_3", (24, 16, 3, 2, 0, 0, 0), DAMAGED),
        ("depth_0", (24, 16, 0, 0, 0, 0, 0), DAMAGED),
        ("color_5", (24, 16, 8, 5, 0, 0, 0), DAMAGED),
        ("filter_method", (24, 16, 8, 2, 0, 1, 0), DAMAGED),
    ):
        yield f"png_{label}.png", PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + body, cause
    yield "no_header.png", PNG + body, DAMAGED
    yield "short_header.png", PNG + chunk(b"IHDR", b"\0" * 5) + body, DAMAGED
    yield "signature_only.png", PNG, EARLY
    yield "garbled_chunks.png", PNG + bytes(range(128, 228)), DAMAGED


def png_chunks():
    for tag in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
        whole = png(INDICES, 2, palette=PALETTE, before=chunk(b"tRNS", b"\xff\x80"))
        at = whole.index(tag)
        end = at + 4 + int.from_bytes(whole[at - 4 : at], "big")
        wrong = patched(whole, end, bytes([whole[end] ^ 1]))
        yield f"checksum_{tag.decode()}.png", wrong, f"is damaged: the checksum of its {tag.decode()}"
    yield "checksum_gAMA.png", png(SCENE, before=chunk(b"gAMA", bytes(4), 1)), DAMAGED
    bomb = zlib.compress(bytes(50_000_000))
    yield "text_bomb.png", png(SCENE, before=chunk(b"zTXt", b"a\0\0" + bomb)), "more than 1 MB"
    yield "international_text_bomb.png", png(SCENE, before=chunk(b"iTXt", b"a\0\1\0\0\0" + bomb)), "more than 1 MB"
    yield "profile_bomb.png", png(SCENE, before=chunk(b"iCCP", b"a\0\0" + bomb)), "more than 1 MB"
    yield "profile_junk.png", png(SCENE, before=chunk(b"iCCP", b"a\0\0" + NOISE.tobytes()[:99])), SCENE
    yield "many_chunks.png", png(SCENE, before=chunk(b"abCd") * 700_000), PIECES
    yield "text_called_transparency.png", png(SCENE, before=chunk(b"tEXt", b"transparency\0x")), SCENE
    yield "text_called_exif.png", png(SCENE, before=chunk(b"tEXt", b"exif\0junk")), SCENE
    yield "text_called_interlace.png", png(SCENE, before=chunk(b"tEXt", b"interlace\0" + b"1")), SCENE
    yield "exif_junk.png", png(SCENE, after=chunk(b"eXIf", NOISE.tobytes())), SCENE
    yield "exif_orientation_99.png", png(SCENE, before=chunk(b"eXIf", tiff_orientation(99))), SCENE
    frame = chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", struct.pack(">5I2H2B", 0, 9, 9, 0, 0, 1, 1, 0, 0))
    yield "first_frame_too_small.png", png(SCENE, before=frame), "does not cover it"
    yield "animation_of_none.png", png(SCENE, before=chunk(b"acTL", struct.pack(">II", 0, 0))), SCENE
    yield "animation_of_many.png", png(SCENE, before=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))), SCENE
    clear = struct.pack(">H", 2)
    shown = np.where(INDICES == 2, 255, INDICES * 17)[..., None]
    yield "grey_4_bit_clear.png", png(INDICES, 4, before=chunk(b"tRNS", clear)), shown
    yield "short_transparency.png", png(SCENE, before=chunk(b"tRNS", b"\0")), f"{DAMAGED}|{EARLY}"


def jpegs():
    whole = jpeg(SCENE)
    at = jpeg_segments(whole)
    size = at[0xC0] + 5
    yield "no_height.jpg", patched(whole, size, b"\0\0"), DAMAGED
    yield "no_width.jpg", patched(whole, size + 2, b"\0\0"), DAMAGED
    yield "65535.jpg", patched(whole, size, b"\xff\xff\xff\xff"), PIXELS
    yield "taller_than_it_is.jpg", patched(whole, size, b"\x03\xe8"), EARLY
    yield "12_bit.jpg", patched(whole, size - 1, b"\x0c"), DAMAGED
    yield "five_inks.jpg", patched(whole, size + 4, b"\5"), DAMAGED
    yield "lossless.jpg", patched(whole, at[0xC0] + 1, b"\xc3"), DAMAGED
    for marker, label in ((0xDB, "quantisation"), (0xC0, "frame")):
        length = 2 + int.from_bytes(whole[at[marker] + 2 : at[marker] + 4], "big")
        yield f"no_{label}.jpg", whole[: at[marker]] + whole[at[marker] + length :], f"{DAMAGED}|{EARLY}"
    yield "junk_behind.jpg", whole + NOISE.tobytes()[:999], SCENE
    yield "junk_before.jpg", b"junk" + whole, "of an unknown kind"
    yield "padding_before_markers.jpg", whole[:2] + b"\xff" * 300 + whole[2:], SCENE
    yield "comments.jpg", whole[:2] + b"\xff\xfe\0\2" * 3_000_000 + whole[2:], PIECES
    yield "escaped_junk.jpg", whole[:2] + b"\xff\0" * 3_000_000 + whole[2:], PIECES
    yield "segment_of_0_bytes.jpg", whole[:2] + b"\xff\xe5\0\0" + whole[2:], SCENE
    yield "segment_to_the_end.jpg", whole[:2] + b"\xff\xe5\xff\xff" + whole[2:], EARLY
    progressive = jpeg(np.zeros((16, 16), np.uint8), progressive=True)
    scan, end = progressive.rindex(b"\xff\xda"), progressive.rindex(b"\xff\xd9")
    yield "scans.jpg", progressive[:end] + progressive[scan:end] * 1500 + progressive[end:], "scans of"
    yield "film_behind_scans.jpg", progressive + b"\xff\xda" * 1500, np.zeros((16, 16, 1))
    inks = reference("cmyk.jpg")
    adobe = inks.index(b"\xff\xee")
    yield "inks_without_adobe.jpg", inks[:adobe] + inks[adobe + 16 :], TRUTH["cmyk.jpg"]
    pair = reference("two_pictures.jpg")
    yield "second_picture_cut.jpg", pair[:-200], SCENE
    yield "second_picture_gone.jpg", pair[: pair.index(b"\xff\xd9") + 2], SCENE
    yield "profile_junk.jpg", whole[:2] + b"\xff\xe2\0\x20ICC_PROFILE\0\1\1" + bytes(16) + whole[2:], SCENE
    yield "adobe_cut.jpg", whole[:2] + b"\xff\xee\0\x08Adobe\0" + whole[2:], DAMAGED


def jpeg_exif():
    thumbnail = b"II*\0\x08\0\0\0\0\0\0\0\0\0" + jpeg(255 - SCENE)
    loop = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIII", 0x8769, 4, 1, 8, 8)
    bomb = b"II*\0" + struct.pack("<IH", 8, 10_000)  # each tag claims all of it: 2 GB where nobody adds them up
    bomb += b"".join(struct.pack("<HHII", 0x9000 + n, 1, 199_000, 8) for n in range(10_000)) + bytes(80_000)
    text = b"MM\0*" + struct.pack(">IHHHI4sI", 8, 1, 0x0112, 2, 2, b"6\0\0\0", 0)
    headers = b"Exif\0\0" * 500_000  # a reader that takes them off one by one copies 750 GB
    for label, exif, pixels in (
        ("empty", b"", SCENE),
        ("junk", NOISE.tobytes()[:500], SCENE),
        ("cut", tiff_orientation(6)[:9], SCENE),
        ("orientation_0", tiff_orientation(0), SCENE),
        ("orientation_9", tiff_orientation(9), SCENE),
        ("orientation_as_text", text, np.rot90(SCENE, 3)),
        ("offset_beyond", b"MM\0*\xff\xff\xff\xf0", SCENE),
        ("loop", loop, SCENE),
        ("bomb", bomb, SCENE),
        ("headers", headers, SCENE),
        ("thumbnail", thumbnail, SCENE),
    ):
        whole = jpeg(SCENE)
        parts = [exif[at : at + 65_000] for at in range(0, max(1, len(exif)), 65_000)]
        segments = [b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts]
        yield f"exif_{label}.jpg", whole[:2] + b"".join(segments) + whole[20:], pixels  # without JFIF's resolution
    index = b"II*\0" + struct.pack("<IH", 8, 5_300)  # as the EXIF bomb, where an MPO lists its pictures
    index += b"".join(struct.pack("<HHII", 0x9000 + n, 1, 60_000, 8) for n in range(5_300))
    segment = b"\xff\xe2" + struct.pack(">H", len(index) + 6) + b"MPF\0" + index
    yield "index_bomb.jpg", whole[:2] + segment + whole[20:], SCENE


def gifs():
    shown, size = PALETTE[INDICES], INDICES.shape
    frame = gif_frame(INDICES)
    bare = frame[8:]  # without its control block
    data = bare.index(b"\2", 10)
    yield "screen_of_0.gif", gif((0, 0), PALETTE, frame), shown
    yield "screen_too_small.gif", gif((3, 3), PALETTE, frame), shown
    yield "screen_of_65535.gif", gif((65535, 65535), PALETTE, frame), PIXELS
    yield "frame_of_0.gif", gif(size, PALETTE, gif_frame([[1]], size=(0, 0))), f"{DAMAGED}|{EARLY}"
    yield "frame_far_outside.gif", gif(size, PALETTE, gif_frame(INDICES, (60_000, 60_000))), PIXELS
    yield "no_frame.gif", gif(size, PALETTE), f"{DAMAGED}|{EARLY}"
    yield "data_short.gif", gif(size, PALETTE, gif_frame(INDICES[:8], size=size)), EARLY
    yield "data_long.gif", gif((8, 24), PALETTE, gif_frame(INDICES, size=(8, 24))), shown[:8]
    for bits in (0, 13, 255):
        wrong = patched(bare, data, bytes([bits]))
        yield f"code_size_{bits}.gif", gif(size, PALETTE, wrong), f"{DAMAGED}|{EARLY}"
    yield "bad_codes.gif", gif(size, PALETTE, patched(bare, data + 2, b"\xff" * 60)), f"{DAMAGED}|{EARLY}"
    whole, first = gif(size, PALETTE, frame), 13 + PALETTE.size
    comment = b"!\xfe" + (b"\xff" + b"a" * 255) * 40_000 + b"\0"  # of 10 MB; put together bit by bit: 200 GB copied
    yield "long_comment.gif", whole[:first] + comment + whole[first:], shown
    no_palette = b"GIF89a" + struct.pack("<HHBBB", 24, 16, 0, 0, 0) + bare + b";"
    yield "no_palette.gif", no_palette, INDICES[..., None]
    yield "second_frame_cut.gif", gif(size, PALETTE, frame, frame)[:-40], EARLY
    yield "no_last_block.gif", gif(size, PALETTE, frame, end=False), shown
    yield "junk_behind.gif", gif(size, PALETTE, frame) + NOISE.tobytes()[:99], shown
    yield "zeros_between.gif", gif(size, PALETTE, b"\0" * 9, frame, b"\0" * 9, frame), shown
    yield "5000_frames.gif", gif(size, PALETTE, frame, gif_frame([[1]]) * 5000), shown
    yield "comment.gif", gif(size, PALETTE, b"!\xfe" + b"\1a" * 3_000_000 + b"\0", frame), PIECES
    yield "clear_beyond.gif", gif(size, PALETTE, gif_frame(INDICES, clear=200)), shown


def bmps():
    whole = reference("rgb.bmp")
    for label, at, new, cause in (
        ("no_width", 18, struct.pack("<i", 0), DAMAGED),
        ("no_height", 22, struct.pack("<i", 0), DAMAGED),
        ("negative_width", 18, struct.pack("<i", -24), PIXELS),
        ("huge", 18, struct.pack("<ii", 100_000, 100_000), PIXELS),
        ("9000", 18, struct.pack("<ii", 8_900, 8_900), EARLY),
        ("0_bits", 28, struct.pack("<H", 0), DAMAGED),
        ("2_bits", 28, struct.pack("<H", 2), DAMAGED),
        ("48_bits", 28, struct.pack("<H", 48), DAMAGED),
        ("jpeg_inside", 30, struct.pack("<I", 4), DAMAGED),
        ("compression_99", 30, struct.pack("<I", 99), DAMAGED),
        ("offset_beyond", 10, struct.pack("<I", 10**6), EARLY),
        ("header_of_0", 14, struct.pack("<I", 0), DAMAGED),
        ("header_of_200", 14, struct.pack("<I", 200), DAMAGED),
        ("size_lies", 2, struct.pack("<I", 7), SCENE),
        ("planes", 26, struct.pack("<H", 9), SCENE),
    ):
        yield f"{label}.bmp", patched(whole, at, new), cause
    yield "palette_of_a_billion.bmp", patched(reference("palette.bmp"), 46, struct.pack("<I", 10**9)), DAMAGED
    yield "junk_behind.bmp", whole + NOISE.tobytes()[:99], SCENE
    runs = reference("run_lengths.bmp")
    yield "runs_end_early.bmp", runs[:-20] + b"\0\1", f"{DAMAGED}|{EARLY}"
    yield "runs_bomb.bmp", patched(runs, 18, struct.pack("<ii", 8_000, 8_000)), "in run lengths"
    yield (
        "runs_beyond_the_row.bmp",
        runs.replace(b"\x08\0\x08\1\x08\2", b"\x08\0\x08\1\xff\2", 1),
        TRUTH["run_lengths.bmp"],
    )
    header = struct.pack("<IiiHHIIiiII", 40, 8_900_000, 1, 1, 8, 1, 0, 0, 0, 2, 0)
    ahead = b"BM" + struct.pack("<IHHI", 0, 0, 0, 62) + header + b"\0\0\0\0\xff\0\0\0" + b"\0\2\xff\xff" + bytes(10_000)
    yield "runs_far_ahead.bmp", ahead, np.zeros((1, 8_900_000, 3))  # 255 rows ahead, of which there is one: 2 GB
    values = np.array([[0x7C00, 0x03E0], [0x001F, 0x7FFF]], "<u2")
    rows = bmp_rows(values.view(np.uint8).reshape(2, 2, 2))
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255] * 3]])
    yield "15_bit.bmp", bmp(2, 2, 16, rows), colors
    yield "masks_of_no_kind.bmp", bmp(2, 2, 16, rows, compression=3, masks=b"\1\0\0\0" * 3), DAMAGED


def webps():
    whole = reference("lossless.webp")
    yield "declares_more.webp", patched(whole, 4, struct.pack("<I", 10**6)), EARLY
    yield "declares_less.webp", patched(whole, 4, struct.pack("<I", 20)), f"{DAMAGED}|{EARLY}"
    yield "wrong_chunk.webp", patched(whole, 12, b"ABCD"), DAMAGED
    yield "wrong_signature.webp", patched(whole, 20, b"\0"), DAMAGED
    huge = struct.pack("<I", (16383 - 1) | (16383 - 1) << 14)
    yield "16383.webp", patched(whole, 21, huge), f"{PIXELS}|{DAMAGED}"
    yield "taller.webp", patched(whole, 21, struct.pack("<I", 23 | 99 << 14)), f"{DAMAGED}|{EARLY}"
    yield "junk_behind.webp", whole + NOISE.tobytes()[:99], SCENE
    lossy = saved(NOISE, "WEBP", quality=50)
    yield "lossy_junk.webp", patched(lossy, 20, NOISE.tobytes()[:40]), DAMAGED
    moving = reference("animated.webp")
    yield "canvas_lies.webp", patched(moving, 24, b"\xfe\x3f\0\xfe\x3f\0"), f"{PIXELS}|{DAMAGED}"
    for label, content in (("lossless", saved(NOISE, "WEBP", lossless=True)), ("lossy", lossy)):
        cut = content[: len(content) // 4 * 2]  # even, as chunks are
        sizes = struct.pack("<I", len(cut) - 8), struct.pack("<I", len(cut) - 20)
        yield f"{label}_cut_to_look_whole.webp", patched(patched(cut, 4, sizes[0]), 16, sizes[1]), f"{DAMAGED}|{EARLY}"
    yield "frame_junk.webp", patched(moving, moving.index(b"ANMF") + 8, b"\xff" * 30), DAMAGED
