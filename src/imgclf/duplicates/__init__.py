"""Pictures → which of them show the same: copies pixel for pixel, and re-encoded, resized, cropped, mirrored … ones.

In: decoded pictures, each looked at once.  Out: pairs, and for every picture the first one of its group.

``looks`` says what is kept of a picture, ``search`` finds and verifies pairs, ``groups`` makes groups of them.
"""

from .groups import duplicate_groups, grouped, of_one_label
from .looks import Look, Looks, look, look_at_all
from .search import Pair, find_pairs

__all__ = ["Look", "Looks", "Pair", "duplicate_groups", "find_pairs", "grouped", "look", "look_at_all", "of_one_label"]
