"""Write the reference pictures and their pixels anew: ``python tests/trust/reference/make.py``.

The pixels are computed here with NumPy from the colours that went in, and by no decoder.  PNG, GIF and BMP are written
byte by byte; JPEG and WebP need an encoder, which gets blocks of one colour, so that next to nothing is lost.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from handmade import bmp, bmp_rows, chunk, gif, gif_frame, jpeg, png, saved, tiff_orientation  # noqa: E402

# 16 × 24 pixels, six blocks of one colour each, no two alike: every turn and flip shows.
BLOCKS = np.array(
    [[[200, 30, 40], [20, 180, 60], [30, 60, 220]], [[240, 230, 40], [128, 128, 128], [10, 10, 20]]], np.uint8
)
SCENE = BLOCKS.repeat(8, 0).repeat(8, 1)
GREY = np.array([[0, 80, 160], [255, 128, 17]], np.uint8).repeat(8, 0).repeat(8, 1)
ALPHA = np.array([[255, 0, 128], [64, 200, 1]], np.uint8).repeat(8, 0).repeat(8, 1)
DEEP = np.arange(16 * 24).reshape(16, 24) * 170 + 37  # up to 65,147
INDICES = np.array([[0, 1, 2], [3, 2, 1]]).repeat(8, 0).repeat(8, 1)
PALETTE = np.array([[250, 10, 20], [20, 240, 30], [30, 40, 230], [200, 210, 220]], np.uint8)
INK = np.array([[[200, 0, 10, 30], [0, 150, 60, 0], [255, 255, 0, 0]], [[0, 0, 0, 255], [9, 99, 199, 55], [0] * 4]])
CMYK = INK.astype(np.uint8).repeat(8, 0).repeat(8, 1)
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'


def over_white(color, alpha, most=255):
    """*color* over white, both from 0 to *most*, as 0 to 255."""
    share = alpha / most if np.ndim(color) == np.ndim(alpha) else (alpha / most)[..., None]
    return np.rint((color * share + most * (1 - share)) * 255 / most)


def upright(pixels, orientation):
    """What EXIF's *orientation* means, from its own words on where row 0 and column 0 are."""
    turned = {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 3),
        7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
        8: lambda p: np.rot90(p, 1),
    }
    return turned[orientation](pixels)


def inks(cmyk):
    """The usual RGB of inks without a colour profile."""
    cmyk = cmyk.astype(float)
    return np.rint((255 - cmyk[..., :3]) * (255 - cmyk[..., 3:]) / 255)


def ycck(cmyk):
    """Photoshop's JPEG: the first three inks as luma and chroma, said by the last byte of the Adobe marker."""
    ycc = np.asarray(Image.fromarray(cmyk[..., :3].copy()).convert("YCbCr"))
    stored = np.dstack([255 - ycc, cmyk[..., 3]])  # Pillow writes inks inverted
    content = bytearray(jpeg(Image.fromarray(stored.astype(np.uint8), "CMYK")))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def pngs():
    alpha16 = np.dstack([SCENE.astype(int) * 257, ALPHA.astype(int) * 257])
    yield "rgb.png", png(SCENE), SCENE
    yield "rgb_interlaced.png", png(SCENE, interlace=True), SCENE
    yield "grey.png", png(GREY), GREY
    yield "grey_1_bit.png", png(GREY // 128, 1), GREY // 128 * 255
    yield "grey_2_bit.png", png(INDICES, 2), INDICES * 85
    yield "grey_4_bit_interlaced.png", png(GREY // 16, 4, interlace=True), GREY // 16 * 17
    yield "grey_16_bit.png", png(DEEP, 16), np.rint(DEEP / 257)
    yield "rgb_16_bit.png", png(SCENE.astype(int) * 257, 16), SCENE
    yield "rgba.png", png(np.dstack([SCENE, ALPHA])), over_white(SCENE, ALPHA)
    yield "rgba_16_bit.png", png(alpha16, 16), over_white(SCENE, ALPHA)
    yield "grey_alpha.png", png(np.dstack([GREY, ALPHA])), over_white(GREY, ALPHA)
    yield "palette_2_bit.png", png(INDICES, 2, palette=PALETTE), PALETTE[INDICES]
    clear = np.array([255, 128, 0, 255])
    trns = chunk(b"tRNS", bytes([255, 128, 0]))
    yield (
        "palette_alpha.png",
        png(INDICES, 8, palette=PALETTE, before=trns),
        over_white(PALETTE[INDICES], clear[INDICES]),
    )
    trns = chunk(b"tRNS", struct.pack(">3H", *SCENE[0, 0]))
    white = np.where((SCENE[0, 0] == SCENE).all(2, keepdims=True), 255, SCENE)
    yield "rgb_clear_color.png", png(SCENE, before=trns), white
    trns = chunk(b"tRNS", struct.pack(">3H", *(SCENE[0, 0].astype(int) * 257)))
    yield "rgb_16_bit_clear_color.png", png(SCENE.astype(int) * 257, 16, before=trns), white
    trns = chunk(b"tRNS", struct.pack(">H", 2))
    yield "grey_2_bit_clear.png", png(INDICES, 2, before=trns), np.where(INDICES == 2, 255, INDICES * 85)
    yield "exif_6.png", png(SCENE, after=chunk(b"eXIf", tiff_orientation(6))), upright(SCENE, 6)
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode())
    yield "xmp_6.png", png(SCENE, before=xmp), upright(SCENE, 6)
    frames = [Image.fromarray(SCENE), Image.fromarray(255 - SCENE)]
    yield "animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), SCENE


def jpegs():
    yield "rgb.jpg", jpeg(SCENE), SCENE
    yield "progressive.jpg", jpeg(SCENE, progressive=True), SCENE
    yield "grey.jpg", jpeg(GREY), GREY
    yield "cmyk.jpg", jpeg(Image.fromarray(CMYK, "CMYK")), inks(CMYK)
    yield "ycck.jpg", ycck(CMYK), inks(CMYK)
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + tiff_orientation(orientation, "<>"[orientation % 2])
        yield f"exif_{orientation}.jpg", jpeg(SCENE, exif=exif), upright(SCENE, orientation)
    yield "two_pictures.jpg", saved(Image.fromarray(SCENE), "MPO", save_all=True, quality=100, subsampling=0,
                                    append_images=[Image.fromarray(255 - SCENE)]), SCENE  # fmt: skip


def gifs():
    yield "palette.gif", gif((16, 24), PALETTE, gif_frame(INDICES)), PALETTE[INDICES]
    shown = PALETTE[INDICES].copy()
    shown[INDICES == 1] = 255
    yield "clear.gif", gif((16, 24), PALETTE, gif_frame(INDICES, clear=1)), shown
    placed = np.full((20, 30, 3), 255, np.uint8)
    placed[3:19, 5:29] = PALETTE[INDICES]
    yield "offset.gif", gif((20, 30), PALETTE, gif_frame(INDICES, (5, 3)), background=2), placed
    later = gif_frame(3 - INDICES, disposal=1)
    yield "animated.gif", gif((16, 24), PALETTE, gif_frame(INDICES, disposal=2), later, later), PALETTE[INDICES]


def bmps():
    bgr = SCENE[..., ::-1]
    colors = b"".join(bytes([*color[::-1], 0]) for color in PALETTE.tolist())
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield "rgb.bmp", bmp(24, 16, 24, bmp_rows(bgr)), SCENE
    yield "top_down.bmp", bmp(24, -16, 24, bmp_rows(bgr[::-1])), SCENE
    alpha = bmp_rows(np.dstack([bgr, ALPHA]))
    yield "alpha.bmp", bmp(24, 16, 32, alpha, compression=3, masks=masks, header=108), over_white(SCENE, ALPHA)
    blank = bmp_rows(np.dstack([bgr, ALPHA * 0]))
    yield "alpha_never_written.bmp", bmp(24, 16, 32, blank, compression=3, masks=masks, header=108), SCENE
    yield "palette.bmp", bmp(24, 16, 8, bmp_rows(INDICES[..., None]), palette=colors, colors=4), PALETTE[INDICES]
    runs = b"".join(b"".join(bytes([8, index]) for index in row[::8]) + b"\0\0" for row in INDICES[::-1].tolist())
    yield "run_lengths.bmp", bmp(24, 16, 8, runs + b"\0\1", palette=colors, colors=4, compression=1), PALETTE[INDICES]


def webps():
    exif = b"Exif\0\0" + tiff_orientation(8)
    yield "lossless.webp", saved(SCENE, "WEBP", lossless=True), SCENE
    yield "alpha.webp", saved(np.dstack([SCENE, ALPHA]), "WEBP", lossless=True, exact=True), over_white(SCENE, ALPHA)
    yield "exif_8.webp", saved(SCENE, "WEBP", lossless=True, exif=exif), upright(SCENE, 8)
    frames = [Image.fromarray(SCENE), Image.fromarray(255 - SCENE)]
    yield "animated.webp", saved(frames[0], "WEBP", save_all=True, lossless=True, append_images=frames[1:]), SCENE


def main():
    """Write all of them, and ``pixels.npz``."""
    truth = {}
    for make in (pngs, jpegs, gifs, bmps, webps):
        for name, content, pixels in make():
            (HERE / name).write_bytes(content)
            truth[name] = np.atleast_3d(np.asarray(pixels)).astype(np.uint8)
    np.savez_compressed(HERE / "pixels.npz", **truth)
    print(len(truth), "pictures")


if __name__ == "__main__":
    main()
