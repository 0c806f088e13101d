"""What ``imgclf.json`` says beside a model's own members.

In: JSON that anyone may have written.  Out: a ``Manifest`` of which each part is possible and all fit together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .architectures.blueprint import Blueprint
from .archive import LARGEST_JSON, LARGEST_TEXT, MOST_PARTS
from .errors import OptionError, listed
from .images import ImageSpec
from .weights import Place, check_places

SCHEMA = 2
"""The version of what ``imgclf.json`` holds; files of schema 1 are opened as files of other programs are."""

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
KERAS = (CONFIG, METADATA, WEIGHTS)
"""The members that Keras writes."""

_MOST_PIXELS, _MOST_NAMES, _LONGEST_NAME = 4096 * 4096, 100_000, 1000
# What names take in a manifest: how often they stand there, how many bytes and parts are beside each of them in all,
# and what the rest takes.
_TIMES, _BYTES_BESIDE, _PARTS_BESIDE, _OTHER_BYTES, _OTHER_PARTS = 5, 80, 8, 1 << 20, 200_000


@dataclass(frozen=True)
class Manifest:
    """What ``imgclf.json`` says, once all of it has been checked.

    Attributes:
        class_names: In the order of the labels.
        spec: How pictures are prepared.
        provenance: Whatever the file was given.
        blueprint: How the registry builds the network; None for a network of one's own.
        places: Where the weights lie; empty for a network of one's own.
        digests: The SHA-256 of every other member, in hexadecimal.
    """

    class_names: tuple[str, ...]
    spec: ImageSpec
    provenance: Mapping[str, Any]
    blueprint: Blueprint | None = None
    places: tuple[Place, ...] = ()
    digests: Mapping[str, str] | None = None


def check_class_names(names: Sequence[Any]) -> None:
    """Refuse, before any training, names that no file could hold.

    Raises:
        OptionError: too many or two alike; texts that are empty, too long, or have characters that nobody sees or that
            UTF-8 does not have; or more text in all than a file holds beside a network.
    """
    if (fault := _names_fault(names)) is not None:
        raise OptionError(f"{fault}. Rename the classes.")


def _names_fault(names: Sequence[Any]) -> str | None:
    odd: dict[str, list[str]] = {}
    for name in names:
        if (fault := _name_fault(name)) is not None:
            odd.setdefault(fault, []).append(str(name)[:80] if isinstance(name, str) else name)
    if odd:
        return "; ".join(f"the class names {listed(wrong)} {fault}" for fault, wrong in odd.items())
    if not 2 <= len(names) <= _MOST_NAMES or len(set(names)) != len(names):
        return f"there are {len(names):,} class names; expected 2 to {_MOST_NAMES:,}, each different"
    written = sum(len(name.encode()) + name.count('"') + name.count("\\") for name in names)
    marks = sum(name.count(mark) for name in names for mark in "[{,:")
    size = _OTHER_BYTES + len(names) * _BYTES_BESIDE + written * _TIMES
    parts = _OTHER_PARTS + len(names) * _PARTS_BESIDE + marks * _TIMES
    if size > LARGEST_TEXT or (size > LARGEST_JSON and parts > MOST_PARTS):
        return f"the {len(names):,} class names have {written:,} bytes, more than a file holds beside a network"
    return None


def _name_fault(name: Any) -> str | None:
    if not isinstance(name, str):
        return "are no text"
    if not 0 < len(name) <= _LONGEST_NAME:
        return f"are too long; a name has at most {_LONGEST_NAME:,} letters" if name else "are empty"
    kinds = {unicodedata.category(letter) for letter in name}
    if "Cs" in kinds:
        return "hold halves of characters, which cannot be written as UTF-8"
    return "hold control characters or line ends" if kinds & {"Cc", "Zl", "Zp"} else None


def checked_manifest(content: dict[str, Any], sizes: Mapping[str, int]) -> Manifest:
    """The manifest that JSON holds, once every part of it is possible; *sizes* are those of the other members.

    Raises:
        TypeError, ValueError: something is missing, too much, or contradicts the rest.
    """
    wanted = {"schema", "class_names", "spec", "network", "weights", "members", "provenance"}
    if set(content) != wanted:
        raise ValueError(f"the keys are {sorted(content)}, not {sorted(wanted)}")
    names, spec, digests = content["class_names"], checked_spec(content["spec"]), content["members"]
    if not isinstance(names, list):
        raise TypeError("class_names is no list")
    if (fault := _names_fault(names)) is not None:
        raise ValueError(fault)
    if not isinstance(digests, dict) or set(digests) != set(sizes) or not set(KERAS) <= set(sizes):
        raise ValueError("the members are not those of the archive")
    if not isinstance(content["provenance"], dict):
        raise TypeError("the provenance is no table")
    if content["network"] is None:
        if content["weights"] != []:
            raise ValueError("there are weights without a network")
        return Manifest(tuple(names), spec, content["provenance"], digests=digests)
    if set(sizes) != set(KERAS):
        raise ValueError("the archive has members that no network of the registry needs")
    blueprint = Blueprint.from_dict(content["network"])
    if (blueprint.input_shape, blueprint.num_classes) != (spec.shape, len(names)):
        raise ValueError("the network is for other pictures or classes than the pictures described")
    places = check_places(content["weights"], sizes[WEIGHTS])
    return Manifest(tuple(names), spec, content["provenance"], blueprint, places, digests)


def checked_spec(content: Any) -> ImageSpec:
    """The ``ImageSpec`` that JSON holds; a ``ValueError`` where it is none, or of pictures beyond all use."""
    if not isinstance(content, dict) or set(content) != {"image_size", "color_mode", "fit"}:
        raise ValueError("the spec is not that of pictures")
    size = content["image_size"]
    if not isinstance(size, list) or not all(type(side) is int for side in size):
        raise ValueError("image_size is not two whole numbers")
    spec = ImageSpec.from_dict(content)
    if spec.image_size[0] * spec.image_size[1] > _MOST_PIXELS:
        raise ValueError(
            f"pictures have {spec.image_size[0]:,} × {spec.image_size[1]:,} pixels; {_MOST_PIXELS:,} at most"
        )
    return spec
