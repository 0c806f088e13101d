"""An opened picture → the pixels that a person sees, as uint8: the policy for everything that formats can hold.

In: a Pillow picture.  Out: uint8 ``(height, width, 1 or 3)``, or a Pillow picture, which a JPEG gives at a half, a
quarter or an eighth of its size for less work.  ``docs/pictures.md`` has the policy as a table.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import ImageError
from .skeleton import jpeg_scan, jpeg_scans, png_data_end_early

_ORIENTATION = 0x0112  # EXIF tag; 2 to 8 say how to turn the stored picture to see it upright
_GREY = frozenset({"1", "L", "LA", "La"})
_STRIP = 1_000_000  # pixels that are converted at a time: on the way transparent ones take twenty bytes each
_READS = 500_000  # pieces that a decoder may take a file in: half a second of them
_SCANS = 1_000_000_000  # pixels times scans of a progressive JPEG: about a second and a half; 10 scans are usual
_SPARSE = 1_000  # pixels for each byte of a WebP or of run lengths: real ones have below 130 …
_SMALL = {"BMP": 2_000_000, "WEBP": 16_000_000}  # … and those of fewer pixels may: a white screen, below 0.7 s
_RUN_LENGTHS = 9_000_000  # pixels of a run-length encoded BMP, which Pillow decodes in Python: about a second
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LEFTWARDS, _UPWARDS = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8})  # turns that put a last row or column first
_FILLER = bytes(range(1, 251)) * 40  # entropy-coded data of no meaning, without a marker in it


class Metered(io.BytesIO):
    """A file's content that refuses to be read in more than half a million pieces.

    Pillow parses chunks, markers and run lengths in Python, one read at a time.  A file that is made of nothing else
    keeps it busy for minutes; a PNG of 80 million pixels needs a quarter of so many.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = 0
        self.ran_dry = False

    def read(self, size: int | None = -1, /) -> bytes:
        """The next *size* bytes."""
        self._reads += 1
        if self._reads > _READS:
            raise ImageError(f"is made of more than {_READS:,} pieces, and would take long to decode. Save it anew.")
        piece = io.BytesIO.read(self, size)  # faster than super(), forty times a picture
        if not piece and size != 0:
            self.ran_dry = True
        return piece


def pixels_of(picture: Image.Image, content: bytes = b"") -> npt.NDArray[np.uint8]:
    """The pixels of *picture*, upright and over white: uint8 ``(height, width, 1 or 3)``.

    Args:
        picture: As opened, loaded or not.
        content: Its whole file, where it comes from one: Pillow does not notice every early end.

    Raises:
        ImageError: the data end early, or the pixels have no known range.
        Exception: whatever Pillow's decoders raise on damaged data.
    """
    seen = upright(picture, content, 1).picture
    shape = (seen.height, seen.width, 1 if seen.mode == "L" else 3)
    height = max(1, _STRIP // seen.width)
    if height >= seen.height:
        return np.asarray(seen).reshape(shape)
    pixels = np.empty(shape, np.uint8)
    for top in range(0, seen.height, height):
        strip = np.asarray(seen.crop((0, top, seen.width, min(top + height, seen.height))))
        pixels[top : top + height] = strip.reshape(-1, *shape[1:])
    return pixels


class Upright(NamedTuple):
    """A picture as a person sees it, perhaps at a fraction of its size.

    Attributes:
        picture: In mode L or RGB.
        size: ``(width, height)`` that the file says, turned as *picture* is.
        scale: How many times smaller than the file says: 1, 2, 4 or 8.
        left: Where it begins, in pixels of *picture*, from 0 to below 1: a side that *scale* does not divide has a part
            of a pixel at its end, which is its beginning where the picture was turned.
        top: The same, downwards.
    """

    picture: Image.Image
    size: tuple[int, int]
    scale: int
    left: float
    top: float


def upright(picture: Image.Image, content: bytes, scale: int) -> Upright:
    """The pixels of *picture* as :func:`pixels_of` gives them, without the copies that most files can do without.

    Args:
        picture: As opened, not loaded.
        content: Its whole file.
        scale: 1; for a JPEG also 2, 4 or 8: libjpeg then leaves out the frequencies that a smaller picture cannot show,
            as a whole block's mean is all that an eighth needs.

    Raises:
        ImageError: as :func:`pixels_of`; a file that is refused at its full size is refused at any.
    """
    width, height = picture.size
    picture, covered, scale = _loaded(picture, content, scale)
    orientation = orientation_of(picture)
    seen = _on_white(_all_visible(picture), covered)
    seen = seen.transpose(_TURNS[orientation]) if orientation > 1 else seen
    size = (height, width) if orientation > 4 else (width, height)
    left, top = seen.width - size[0] / scale, seen.height - size[1] / scale
    return Upright(seen, size, scale, left * (orientation in _LEFTWARDS), top * (orientation in _UPWARDS))


def orientation_of(picture: Image.Image) -> int:
    """EXIF's 1 to 8, also from a PNG's or WebP's EXIF, or from XMP where EXIF is silent; 1 where nothing is said."""
    try:
        # The method of PNG files decodes the pixels, to get at what stands behind them.
        exif = Image.Image.getexif(picture) if picture.format == "PNG" else picture.getexif()
        said = int(exif.get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing about the pixels
        return 1
    return said if 1 <= said <= 8 else 1


def visible(picture: Image.Image) -> Image.Image:
    """*picture* in mode L or RGB, over white where it is transparent."""
    if picture.mode.startswith("I"):
        return _scaled_16_bit(picture)
    if picture.mode == "F":
        raise ImageError("its pixels are floating-point numbers of unknown range. Save it with 8 bits per channel.")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        if np.asarray(over.getchannel("A")).min() < 255:  # else nothing is transparent, and blending is slow
            over = Image.alpha_composite(Image.new("RGBA", over.size, (255, 255, 255, 255)), over)
        flat = over.convert("RGB")
        return flat.convert("L") if picture.mode in _GREY else flat
    mode = "L" if picture.mode in _GREY else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _loaded(
    picture: Image.Image, content: bytes, scale: int
) -> tuple[Image.Image, tuple[int, int, int, int] | None, int]:
    """*picture* decoded and found whole, the part of it that is covered, and the scale that it has in truth."""
    if content:
        _refuse_bombs(picture, content)
        _mend_png(picture, content)
    if scale > 1 and picture.draft(None, (picture.width // scale, picture.height // scale)) is None:
        scale = 1
    covered = _covered(picture)
    ran_dry = _load(picture)
    if picture.mode == "I" and picture.format != "PNG":
        raise ImageError(
            "its pixels are whole numbers of 32 bits (mode 'I') and of unknown range. If they lie in 0..255, make it "
            "from an array of uint8 or convert('L'); if in 0..65535, from one of uint16."
        )
    if ran_dry or (content and _ends_early(picture, content, scale)):
        raise ImageError("is truncated: its data end before its last row. Restore it, or remove it.")
    if isinstance(picture.info.get("transparency"), str):  # again a text
        del picture.info["transparency"]
    if picture.format == "BMP" and picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        picture = picture.convert("RGB")  # an alpha channel that was never written: browsers show the colours
    return picture, covered, scale


def _load(picture: Image.Image) -> bool:
    """Decode; whether a decoder asked for more than there was and went on all the same.

    That happens where another thread sets ``LOAD_TRUNCATED_IMAGES`` meanwhile: else Pillow raises by itself.
    """
    tile, file = getattr(picture, "tile", None), getattr(picture, "fp", None)
    if not tile or tile[0][0] not in {"jpeg", "raw"} or not isinstance(file, Metered):
        picture.load()
        return False
    file.ran_dry = False
    picture.load()
    return file.ran_dry


def _refuse_bombs(picture: Image.Image, content: bytes) -> None:
    """Refuse small files that take long: a scan of a few bytes sends libjpeg over the whole picture once more."""
    pixels, shape = picture.width * picture.height, f"{picture.width} × {picture.height} pixels"
    if "progressive" in picture.info:
        scans = jpeg_scans(content, most=1001)
        if scans * pixels > _SCANS or scans > 1000:
            many = f"{scans:,}" if scans <= 1000 else "more than 1,000"
            raise ImageError(f"has {many} scans of {shape}, and would take long to decode. Save it anew.")
    runs = picture.format == "BMP" and picture.info.get("compression") in {1, 2}
    if runs and pixels > _RUN_LENGTHS:
        raise ImageError(f"has {shape} in run lengths, more than the {_RUN_LENGTHS:,} that are decoded. Save it anew.")
    sparse = pixels > _SPARSE * len(content)
    if (runs or picture.format == "WEBP") and sparse and pixels > _SMALL[str(picture.format)]:
        raise ImageError(f"has {shape} in {len(content):,} bytes, and would take long to decode. Save it anew.")


def _mend_png(picture: Image.Image, content: bytes) -> None:
    """Bring a PNG's transparent colour to the 8 bits of its pixels; Pillow 13 forgets to for 2, 4 and 3 × 16 bits.

    And take texts for texts: Pillow files them under the names of its own settings, which they may have.
    """
    clear, tile = picture.info.get("transparency"), getattr(picture, "tile", None)
    if picture.format != "PNG" or not tile:
        return
    picture.info["interlace"] = content[28]  # where the header has it
    raw = tile[0][3]
    if isinstance(clear, int) and raw in {"L;2", "L;4"}:
        picture.info["transparency"] = clear * (85 if raw == "L;2" else 17)
    elif isinstance(clear, tuple) and raw == "RGB;16B":
        picture.info["transparency"] = tuple(value >> 8 for value in clear)


def _covered(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """The part that the first frame of a GIF covers, as (left, top, right, bottom), where it is not the whole."""
    tile = getattr(picture, "tile", None)
    box = tile[0][1] if tile and picture.format in {"GIF", "PNG"} else None
    if box is None or box == (0, 0, picture.width, picture.height):
        return None
    if picture.format == "PNG":
        raise ImageError("is damaged: its first frame does not cover it. Restore it, or remove it.")
    return box  # type: ignore[no-any-return] # Pillow's tiles are untyped


def _ends_early(picture: Image.Image, content: bytes, scale: int) -> bool:
    """Whether rows are missing that Pillow made up: black ones in a PNG, grey ones in a JPEG with a planted end."""
    if picture.format == "PNG" and (picture.info.get("interlace") or _last_row_is_zero(picture)):
        return png_data_end_early(content)
    if picture.format in {"JPEG", "MPO"} and _corner_is_blank(picture, 8 // scale):
        # With more data before the end marker a decoder that lacked some gives another picture; a sated one does not.
        if (end := content.find(b"\xff\xd9", jpeg_scan(content))) < 0:
            return True
        with Image.open(io.BytesIO(content[:end] + _FILLER + b"\xff\xd9"), formats=("JPEG",)) as other:
            if scale > 1:
                other.draft(None, (other.width // scale, other.height // scale))
            return other.tobytes() != picture.tobytes()
    return False


def _last_row_is_zero(picture: Image.Image) -> bool:
    row = picture.crop((0, picture.height - 1, picture.width, picture.height))
    return row.getbbox(alpha_only=False) is None


def _corner_is_blank(picture: Image.Image, block: int) -> bool:
    """Whether the last block, of *block* pixels a side, is the grey that libjpeg puts where data are missing."""
    right, bottom = picture.size
    last = picture.getpixel((right - 1, bottom - 1))
    if not {127, 128}.issuperset(last if isinstance(last, tuple) else (last,)):
        return False  # nearly always, and cheap
    corner = np.asarray(picture.crop((max(0, right - block), max(0, bottom - block), right, bottom)))
    return bool(((corner == 128) | (corner == 127)).all())


def _all_visible(picture: Image.Image) -> Image.Image:
    """:func:`visible`, strip by strip where it has something to do: the way there takes several times the memory."""
    height = max(1, _STRIP // picture.width)
    if height >= picture.height or (picture.mode in {"L", "RGB"} and not picture.has_transparency_data):
        return visible(picture)
    whole: Image.Image | None = None
    for top in range(0, picture.height, height):
        strip = visible(picture.crop((0, top, picture.width, min(top + height, picture.height))))
        whole = whole or Image.new(strip.mode, picture.size)
        whole.paste(strip, (0, top))
    assert whole is not None
    return whole


def _on_white(picture: Image.Image, box: tuple[int, int, int, int] | None) -> Image.Image:
    """What the first frame of a GIF leaves uncovered is transparent, as in every browser; *box* None: it covers all."""
    if box is None:
        return picture
    whole = Image.new(picture.mode, picture.size, "white")
    whole.paste(picture.crop(box), box[:2])
    return whole


def _scaled_16_bit(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError("its pixels have 32 bits and an unknown range. Save it with 8 or 16 bits per channel.")
    scaled = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 → 255, rounded
    if isinstance(clear := picture.info.get("transparency"), int):
        scaled[values == clear] = 255
    return Image.fromarray(scaled)
