"""Decode small pictures over and over, and watch the memory; then the largest that are decoded at all.

python benchmarks/decode_memory.py --decodes 100000 --out docs/results/decode_memory.json
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path

import numpy as np
from PIL import Image

from imgclf.errors import ImageError
from imgclf.images import read_image

_WARM_UP = 2_000  # decodes until caches and the allocator have what they want
_LARGE = (8_944, 8_944)  # 79,995,136 pixels: just allowed


def small_pictures() -> list[bytes]:
    """JPEGs of 32 × 32 pixels, a tenth of them cut short: errors must not hold on to anything either."""
    rng = np.random.default_rng(0)
    smooth = [np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(20)]
    contents = [_saved(Image.fromarray(image), "JPEG") for image in smooth]
    return [content[:-99] if number % 10 == 9 else content for number, content in enumerate(contents)]


def watch(decodes: int) -> dict[str, object]:
    """Memory in MB, twenty times over *decodes* decodes after a warm-up, and how much it grew in between.

    Growth is the straight line through the twenty: one measurement says little where an allocator rounds up.
    """
    contents, resident = small_pictures(), []
    _decode(contents, _WARM_UP)
    start, refused = time.perf_counter(), 0
    for _ in range(20):
        refused += _decode(contents, decodes // 20)
        gc.collect()
        resident.append(_resident())
    slope = float(np.polyfit(np.arange(20), resident, 1)[0])
    return {
        "decodes": decodes // 20 * 20,
        "refused": refused,
        "per_second": round(decodes / (time.perf_counter() - start)),
        "resident_mb": [round(value, 2) for value in resident],
        "growth_mb": round(slope * 19, 2),
    }


def largest() -> dict[str, dict[str, float]]:
    """For pictures of nearly 80 million pixels: peak memory in MB above what was there, and processor seconds."""
    context, results = multiprocessing.get_context("spawn"), {}
    for name in ("JPEG", "progressive JPEG", "JPEG of four inks", "PNG", "PNG with transparency", "16-bit PNG", "BMP"):
        queue = context.Queue()
        child = context.Process(target=_decode_large, args=(_large(name), queue))
        child.start()
        results[name] = queue.get()
        child.join()
    return results


def _decode(contents: list[bytes], times: int) -> int:
    refused = 0
    for number in range(times):
        try:
            read_image(contents[number % len(contents)])
        except ImageError:
            refused += 1
    return refused


def _large(name: str) -> bytes:
    rng = np.random.default_rng(0)
    color = Image.fromarray(rng.integers(0, 256, (99, 99, 3), dtype=np.uint8)).resize(_LARGE, Image.Resampling.NEAREST)
    if name == "16-bit PNG":
        return _saved(Image.fromarray(np.asarray(color.convert("L")).astype(np.uint16) * 257), "PNG", compress_level=1)
    if name == "PNG with transparency":
        color.putalpha(color.getchannel("R"))
    if name == "JPEG of four inks":
        return _saved(color.convert("CMYK"), "JPEG")
    kind = next(kind for kind in ("JPEG", "PNG", "BMP") if kind in name)
    options = {"progressive": True} if "progressive" in name else {"compress_level": 1} if kind == "PNG" else {}
    return _saved(color, kind, **options)


def _decode_large(content: bytes, queue: object) -> None:
    before, start = _peak(), time.process_time()
    read_image(content)
    queue.put({"peak_mb": round(_peak() - before), "seconds": round(time.process_time() - start, 2)})


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _resident() -> float:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if statm.exists() else _peak()


def _peak() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # the other counter goes on from that of the process which started this one
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Measure, print and save."""
    from machine import header  # beside this script; whoever imports it from elsewhere needs no header

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decodes", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    result = {
        "command": f"python benchmarks/decode_memory.py --decodes {chosen.decodes}",
        **header(),
        **watch(chosen.decodes),
        "largest_pictures": largest(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
