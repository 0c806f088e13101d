"""Rules about single pictures: what cannot be read, what is odd, what was passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from .facts import Facts
from .report import Finding, Severity

_TINY, _SMALL_FOR = 32, 4  # pixels of the shorter side; and a quarter of the usual one, since digits are all small
_HUGE = 25_000_000  # pixels; a phone's picture has 12 million
_ODD_SHAPE = 3.0  # times as long or as tall, for its width, as the usual picture
_DARK, _BRIGHT = 12, 243  # mean luma
_QUIET = frozenset({"hidden"})  # reasons of a source to pass something over that nobody need look at


def picture_findings(facts: Facts) -> Iterator[Finding]:
    """What is wrong with single pictures of *facts*."""
    yield from _unreadable(facts)
    for number, name in enumerate(facts.sources):
        if not (facts.source == number).any():
            yield Finding("error", "empty", f"{name!r} holds no pictures.", "Check its path.")
        yield from _ignored(name, facts.ignored[number])
    yield from _odd(facts)


def _unreadable(facts: Facts) -> Iterator[Finding]:
    if facts.failed:
        failed = sorted(facts.failed.items())
        yield Finding(
            "error",
            "unreadable",
            f"pictures that cannot be read: {len(failed):,} of {len(facts):,}",
            "Mend or remove them, or load with on_error='skip'.",
            tuple((facts.named(position),) for position, _ in failed),
            tuple(reason for _, reason in failed),
        )


def _ignored(name: str, ignored: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    told = [(key, reason) for key, reason in ignored if reason not in _QUIET]
    if told:
        kinds = Counter(PurePosixPath(key).suffix.lower() or reason for key, reason in told)
        yield Finding(
            "note",
            "ignored",
            f"{len(told):,} things that {name!r} passes over: "
            + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5)),
            "If pictures are among them, convert them to JPEG or PNG, or move them into a class folder.",
            tuple((f"{key}: {reason}",) for key, reason in told),
        )


def _odd(facts: Facts) -> Iterator[Finding]:
    seen = facts.readable
    if not seen.any():
        return
    sides = np.minimum(facts.heights, facts.widths)
    usual = float(np.median(sides[seen]))
    shape = np.log(np.maximum(facts.heights, 1) / np.maximum(facts.widths, 1))
    odd_shape = np.abs(shape - float(np.median(shape[seen]))) > np.log(_ODD_SHAPE)
    extreme = ~facts.even & ((facts.light < _DARK) | (facts.light > _BRIGHT))
    huge = facts.heights.astype(np.int64) * facts.widths > _HUGE
    tiny = sides < min(_TINY, usual / _SMALL_FOR)
    rules: list[tuple[Severity, str, npt.NDArray[np.bool_], str, str]] = [
        ("warning", "blank", facts.even, "that show nothing, every pixel being the same", "Remove them."),
        (
            "warning",
            "tiny",
            tiny,
            f"that are tiny: under {_TINY} pixels, and under a quarter of the usual {usual:.0f}",
            "Look whether they are thumbnails or icons, and remove them.",
        ),
        ("note", "dark_or_bright", extreme, "that are nearly black or nearly white", "Look at them."),
        ("note", "huge", huge, f"of more than {_HUGE:,} pixels", "Make them smaller: they take long to decode."),
        (
            "note",
            "odd_shape",
            odd_shape,
            f"that are more than {_ODD_SHAPE:.0f} times as long or as tall as the usual picture",
            "fit='stretch' deforms them: look whether fit='crop' or fit='pad' suits better.",
        ),
        (
            "note",
            "several_frames",
            facts.frames > 1,
            "with several frames, of which the first counts",
            "Save the frames as pictures of their own if the others matter.",
        ),
    ]
    for severity, check, chosen, what, advice in rules:
        if rows := tuple((facts.named(position),) for position in np.flatnonzero(chosen & seen)):
            yield Finding(severity, check, f"pictures {what}: {len(rows):,}", advice, rows)
    if facts.misnamed:
        rows = tuple((f"{facts.named(at)}: {kind}",) for at, kind in sorted(facts.misnamed.items()))
        what = f"files with the ending of another format than theirs: {len(rows):,}"
        yield Finding("note", "wrong_suffix", what, "They are read by their content; rename them for others.", rows)
