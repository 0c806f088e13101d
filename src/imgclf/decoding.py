"""An opened picture → the pixels that a person sees, as uint8: the policy for everything that formats can hold.

In: a Pillow picture.  Out: uint8 ``(height, width, 1 or 3)``.  ``docs/pictures.md`` has the policy as a table.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import ImageError
from .skeleton import jpeg_scan, jpeg_scans, png_data_end_early

_ORIENTATION = 0x0112  # EXIF tag; 2 to 8 say how to turn the stored picture to see it upright
_GREY = frozenset({"1", "L", "LA", "La"})
_STRIP = 4_000_000  # pixels that are converted at a time: a large picture must not stand in memory four times
_READS = 500_000  # pieces that a decoder may take a file in: half a second of them
_SCANS = 1_000_000_000  # pixels times scans of a progressive JPEG: about a second and a half; 10 scans are usual
_SPARSE = 1_000  # pixels for each byte of a WebP or of run lengths: real ones have below 130 …
_SMALL = {"BMP": 2_000_000, "WEBP": 16_000_000}  # … and those of fewer pixels may: a white screen, below 0.7 s
_RUN_LENGTHS = 9_000_000  # pixels of a run-length encoded BMP, which Pillow decodes in Python: about a second
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
        piece = super().read(size)
        self.ran_dry = self.ran_dry or (not piece and size != 0)
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
    if content:
        _refuse_bombs(picture, content)
        _mend_png(picture, content)
    covered = _covered(picture)
    ran_dry = _load(picture)
    if picture.mode == "I" and picture.format != "PNG":
        raise ImageError(
            "its pixels are whole numbers of 32 bits (mode 'I') and of unknown range. If they lie in 0..255, make it "
            "from an array of uint8 or convert('L'); if in 0..65535, from one of uint16."
        )
    if ran_dry or (content and _ends_early(picture, content)):
        raise ImageError("is truncated: its data end before its last row. Restore it, or remove it.")
    if isinstance(picture.info.get("transparency"), str):  # again a text
        del picture.info["transparency"]
    if picture.format == "BMP" and picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        picture = picture.convert("RGB")  # an alpha channel that was never written: browsers show the colours
    pixels = _in_strips(picture)
    if covered is not None:
        pixels = _on_white(pixels, covered)
    return np.ascontiguousarray(_turned(pixels, orientation_of(picture)))


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


def _ends_early(picture: Image.Image, content: bytes) -> bool:
    """Whether rows are missing that Pillow made up: black ones in a PNG, grey ones in a JPEG with a planted end."""
    if picture.format == "PNG" and (picture.info.get("interlace") or _last_row_is_zero(picture)):
        return png_data_end_early(content)
    if picture.format in {"JPEG", "MPO"} and _corner_is_blank(picture):
        # With more data before the end marker a decoder that lacked some gives another picture; a sated one does not.
        if (end := content.find(b"\xff\xd9", jpeg_scan(content))) < 0:
            return True
        with Image.open(io.BytesIO(content[:end] + _FILLER + b"\xff\xd9"), formats=("JPEG",)) as other:
            return other.tobytes() != picture.tobytes()
    return False


def _last_row_is_zero(picture: Image.Image) -> bool:
    row = picture.crop((0, picture.height - 1, picture.width, picture.height))
    return row.getbbox(alpha_only=False) is None


def _corner_is_blank(picture: Image.Image) -> bool:
    """Whether the last block is the grey that libjpeg puts where data are missing."""
    right, bottom = picture.size
    last = picture.getpixel((right - 1, bottom - 1))
    if not {127, 128}.issuperset(last if isinstance(last, tuple) else (last,)):
        return False  # nearly always, and cheap
    corner = np.asarray(picture.crop((max(0, right - 8), max(0, bottom - 8), right, bottom)))
    return bool(((corner == 128) | (corner == 127)).all())


def _in_strips(picture: Image.Image) -> npt.NDArray[np.uint8]:
    height = max(1, _STRIP // picture.width)
    if height >= picture.height:
        return _with_channels(visible(picture))
    pixels: npt.NDArray[np.uint8] | None = None
    for top in range(0, picture.height, height):
        box = (0, top, picture.width, min(top + height, picture.height))
        strip = _with_channels(visible(picture.crop(box)))
        if pixels is None:
            pixels = np.empty((picture.height, *strip.shape[1:]), np.uint8)
        pixels[top : box[3]] = strip
    assert pixels is not None
    return pixels


def _with_channels(picture: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _on_white(pixels: npt.NDArray[np.uint8], box: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """What the first frame of a GIF leaves uncovered is transparent, as in every browser."""
    left, top, right, bottom = box
    whole = np.full_like(pixels, 255)
    whole[top:bottom, left:right] = pixels[top:bottom, left:right]
    return whole


def _turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[Any]:
    across = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    down, right = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    return across[::down, ::right]


def _scaled_16_bit(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError("its pixels have 32 bits and an unknown range. Save it with 8 or 16 bits per channel.")
    scaled = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 → 255, rounded
    if isinstance(clear := picture.info.get("transparency"), int):
        scaled[values == clear] = 255
    return Image.fromarray(scaled)
