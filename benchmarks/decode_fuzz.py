"""Damage pictures at random and decode them: anything but a picture or an ``ImageError`` is a finding.

    python benchmarks/decode_fuzz.py --minutes 10 --seed 0 --out docs/results/decode_fuzz.json

Mutant *n* of a seed is the same everywhere, so that a finding is repeated by ``--seed S --only N``.  The decoding is
done by a child process: a crash of a C library, or a hang, is seen from outside.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import re
import struct
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from imgclf.errors import ImageError
from imgclf.images import inspect_image, read_image

SLOW = 2.0  # seconds; a slow one is timed by the processor's clock, because a busy machine is not a finding
_STUCK = 30.0  # seconds without a next mutant, after which the child counts as hanging
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """Small healthy pictures of the five formats, in most of the ways in which each stores pixels."""
    rng = np.random.default_rng(1)
    color = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    smooth = Image.fromarray(np.indices((20, 24)).sum(0).astype(np.uint8) * 5)
    clear = Image.fromarray(rng.integers(0, 256, (20, 24, 4), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (20, 24)).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [color, color.rotate(180), smooth.convert("RGB")]
    return [
        _saved(color, "JPEG"),
        _saved(color, "JPEG", progressive=True, exif=exif),
        _saved(smooth, "JPEG", restart_marker_blocks=1),
        _saved(color.convert("CMYK"), "JPEG"),
        _saved(color, "PNG", exif=exif),
        _saved(clear, "PNG"),
        _saved(deep, "PNG"),
        _saved(smooth.convert("LA"), "PNG"),
        _saved(color.quantize(16), "PNG", transparency=3),
        _saved(smooth.convert("1"), "PNG"),
        _saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        _saved(color.quantize(16), "GIF"),
        _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2),
        _saved(color, "BMP"),
        _saved(smooth, "BMP"),
        _saved(color.quantize(16), "BMP"),
        run_lengths(),
        _saved(color, "WEBP"),
        _saved(clear, "WEBP", lossless=True, exif=exif),
        _saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
    ]


def run_lengths() -> bytes:
    """A BMP of 8 × 4 pixels in run lengths, of two colours."""
    rows = (b"\4\0\4\1\0\0", b"\0\3\0\1\0\0\5\1\0\0", b"\x08\0\0\0", b"\x08\1\0\1")
    header = struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, 8, 1, 0, 0, 0, 2, 2) + bytes([255, 0, 0, 0, 0, 255, 0, 0])
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 62) + header + b"".join(rows)


def mutant(parents: list[bytes], seed: int, number: int) -> bytes:
    """Picture *number* of the series *seed*: one of *parents* after one to six random changes."""
    rng = np.random.default_rng((seed, number))
    content = bytearray(parents[rng.integers(len(parents))])
    for _ in range(rng.integers(1, 7)):
        _CHANGES[rng.integers(len(_CHANGES))](content, rng, parents)
    if content.startswith(b"\x89PNG") and rng.random() < 0.8:
        _mend_checksums(content)  # else nothing would be tested but the checksums
    return bytes(content)


def examine(content: bytes) -> str:
    """``"picture"``, or the kind of ``ImageError``; every other exception, and a contradiction, passes through."""
    try:
        facts = inspect_image(content)
    except ImageError:
        facts = None
    try:
        pixels = read_image(content)
    except ImageError as error:
        said = str(error)
        if "\n" in said or not said.startswith("this picture "):
            raise AssertionError(f"an odd message: {said!r}") from error
        return re.sub("[0-9][0-9,]*", "N", " ".join(said.split()[2:5])).rstrip(".:,(")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in {1, 3} or 0 in pixels.shape:
        raise AssertionError(f"an odd array: {pixels.dtype}, {pixels.shape}")
    if facts is None or facts.size != pixels.shape[:2]:
        raise AssertionError(f"decoded to {pixels.shape}, and inspected as {facts}")
    return "picture"


def fuzz(seed: int, numbers: range, until: float, progress: object = None) -> dict[str, object]:
    """Examine the mutants *numbers* until the time *until* (as ``time.monotonic`` tells it).

    Returns:
        Counts of outcomes, findings, the slowest decode in seconds, and the memory of the process in MB over time.
    """
    parents, outcomes, findings, slow, memory = seeds(), Counter(), [], [], []
    slowest, slowest_number, count = 0.0, -1, 0
    for number in numbers:
        if time.monotonic() > until:
            break
        if progress is not None:
            progress.value = number
        content = mutant(parents, seed, number)
        start, of_processor = time.perf_counter(), time.thread_time()
        try:
            outcomes[examine(content)] += 1
        except Exception as error:
            findings.append({"number": number, "error": f"{type(error).__name__}: {error}"[:300]})
        took = time.perf_counter() - start
        if took > SLOW:
            took = time.thread_time() - of_processor
        if took > SLOW:
            slow.append({"number": number, "seconds": round(took, 2)})
        count += 1
        if took > slowest:
            slowest, slowest_number = took, number
        if count % 2_000 == 0:
            memory.append(round(resident(), 1))
    return {
        "mutants": count,
        "outcomes": dict(outcomes.most_common()),
        "findings": findings,
        "over_2_s": slow,
        "slowest_s": round(slowest, 3),
        "slowest_number": slowest_number,
        "resident_mb": memory,
    }


def resident() -> float:
    """Memory of this process that is in use, in MB (Linux), or its peak elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _somewhere(content: bytearray, rng: np.random.Generator) -> int:
    """A position; half of the time in the header, where a byte says more."""
    end = min(len(content), 64) if rng.random() < 0.5 else len(content)
    return int(rng.integers(max(1, end)))


def _flip(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    if content:
        content[_somewhere(content, rng)] ^= 1 << int(rng.integers(8))


def _byte(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    if content:
        content[_somewhere(content, rng)] = int(rng.integers(256))


def _number(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    width = int(rng.choice([1, 2, 4]))
    value = _INTERESTING[rng.integers(len(_INTERESTING))] % 256**width
    at = _somewhere(content, rng)
    content[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")


def _cut(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    if rng.random() < 0.3:  # cutting ends the variety: not too often
        del content[_somewhere(content, rng) :]


def _remove(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    at = _somewhere(content, rng)
    del content[at : at + int(rng.integers(1, 33))]


def _repeat(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    at, length = _somewhere(content, rng), int(rng.integers(1, 65))
    content[at:at] = content[at : at + length] * int(rng.integers(1, 20))


def _insert(content: bytearray, rng: np.random.Generator, _: list[bytes]) -> None:
    at = _somewhere(content, rng)
    content[at:at] = rng.bytes(int(rng.integers(1, 33)))


def _splice(content: bytearray, rng: np.random.Generator, parents: list[bytes]) -> None:
    other = parents[rng.integers(len(parents))]
    start = int(rng.integers(len(other)))
    at = _somewhere(content, rng)
    content[at:at] = other[start : start + int(rng.integers(1, 200))]


_CHANGES = (_flip, _flip, _byte, _byte, _number, _number, _cut, _remove, _repeat, _insert, _splice)


def _mend_checksums(content: bytearray) -> None:
    at = 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            return
        content[end - 4 : end] = zlib.crc32(content[at + 4 : end - 4]).to_bytes(4, "big")
        at = end


def _child(seed: int, start: int, minutes: float, progress: object, queue: object) -> None:
    queue.put(fuzz(seed, range(start, sys.maxsize), time.monotonic() + minutes * 60, progress))


def _watched(seed: int, minutes: float) -> dict[str, object]:
    """The result of a child process, or what became of it."""
    context = multiprocessing.get_context("spawn")
    progress, queue = context.Value("q", -1), context.Queue()
    child = context.Process(target=_child, args=(seed, 0, minutes, progress, queue))
    child.start()
    last, since = -1, time.monotonic()
    while queue.empty():
        time.sleep(0.2)
        if progress.value != last:
            last, since = progress.value, time.monotonic()
        if not child.is_alive() and queue.empty():
            return {"findings": [{"number": last, "error": f"the process died with exit code {child.exitcode}"}]}
        if time.monotonic() - since > _STUCK:
            child.kill()
            return {"findings": [{"number": last, "error": f"no answer for {_STUCK:.0f} s"}]}
    result = queue.get()
    child.join()
    return result


def main() -> int:
    """Run, print and save; the exit code is 1 where something was found."""
    from machine import header  # beside this script; whoever imports it from elsewhere needs no header

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="examine this mutant alone, in this process")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if chosen.only is not None:
        print(examine(mutant(seeds(), chosen.seed, chosen.only)))
        return 0
    result = {
        "command": f"python benchmarks/decode_fuzz.py --minutes {chosen.minutes:g} --seed {chosen.seed}",
        **header(),
        "seed": chosen.seed,
        **_watched(chosen.seed, chosen.minutes),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")
    return 1 if result["findings"] or result.get("over_2_s") else 0


if __name__ == "__main__":
    raise SystemExit(main())
