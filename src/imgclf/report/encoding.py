"""Pictures and figures as text inside a page: nothing is fetched, and nothing of the original file goes along.

In: uint8 arrays, Matplotlib figures.  Out: ``data:`` addresses, and SVG that takes the page's colours.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_SMALL = 40  # pixels of a side; below it a JPEG is blurred, and a PNG is as small
_QUALITY = 82

FIRST, SECOND, LINE = "#0000a1", "#0000a2", "#0000a3"
"""What a figure draws in the page's first and second colour, and as thin lines."""

_COLORS = {FIRST: "var(--first)", SECOND: "var(--second)", LINE: "var(--line)", "#000000": "currentColor"}
_DROPPED = {"metadata", "style"}  # style would reach the whole page


@dataclass(frozen=True)
class Picture:
    """A picture inside a page.

    Attributes:
        uri: Its ``data:`` address.
        width: Pixels.
        height: Pixels.
        pixelated: Whether its pixels are to be seen as squares when it is enlarged.
    """

    uri: str
    width: int
    height: int
    pixelated: bool


def picture(image: npt.NDArray[np.uint8], side: int) -> Picture:
    """*image* uint8 ``(h, w, 1 or 3)``, no side of it longer than *side* pixels: PNG if tiny, else JPEG."""
    drawn = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    small = max(drawn.size) <= _SMALL
    drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if small:
        drawn.save(stream, "PNG", optimize=True)
    else:
        drawn.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    kind = "png" if small else "jpeg"
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", *drawn.size, pixelated=small)


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """*figure* as an SVG element for a page, in the page's colours and font; the same figure gives the same text.

    Styles become presentation attributes, which no policy of content forbids and which end with their element.

    Args:
        figure: No text in it may be a stranger's.
        name: A word of ours before all identifiers, so that those of two figures do not meet.
        label: What a screen reader says.
    """
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(stream.getvalue())  # noqa: S314 - Matplotlib has just written it
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag.removeprefix(_SVG).rpartition("}")[2] in _DROPPED]:
            parent.remove(child)
    for element in root.iter():
        _rewrite(element, name)
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": label}
    ET.register_namespace("", _SVG[1:-1])
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, so escaped


def _rewrite(element: ET.Element, name: str) -> None:
    for pair in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in pair.partition(":"))
        if key == "font":  # size and family in one, which no attribute takes
            element.set("font-size", re.sub(r".*?([\d.]+)px.*", r"\1", value))
        elif key:
            element.set(key, value)
    if (target := element.attrib.pop(_LINK, None)) is not None:
        element.set("href", target)
    for key, value in element.attrib.items():
        changed = f"{name}-{value}" if key == "id" else value
        changed = f"#{name}-{value[1:]}" if key == "href" else changed
        changed = re.sub(r"url\(#", f"url(#{name}-", changed)
        element.set(key, _COLORS.get(changed, changed))
    if element.tag == f"{_SVG}text" and "fill" not in element.attrib:
        element.set("fill", "currentColor")
